"""Finds out, before anything starts, what this machine lacks for a lab, and says it in one sentence."""

import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

from xenweb.lab.errors import LabUnavailableError
from xenweb.lab.processes import SYSTEM_PATH
from xenweb.lab.qemu.namespaces import LAB, ORDINARY_USER

QEMU: Final = "qemu-system-x86_64"
PROGRAMS: Final = {
    "libvirtd": "the libvirt daemon (install libvirt-daemon)",
    "virtlockd": "virtlockd, which keeps guests from running twice (install libvirt-daemon or libvirt-daemon-lock)",
    QEMU: "QEMU (install qemu-system-x86)",
    "unshare": "unshare (install util-linux)",
    "ip": "ip (install iproute2)",
    "tc": "tc (install iproute2)",
    "gcc": "a compiler for its guest (install gcc)",
    "ld": "a linker for its guest (install binutils)",
}
# Each step needs one thing of the kernel; the first that fails names it.
KERNEL_STEPS: Final = (
    ("ip link add b0 type bridge", "bridges in the kernel (CONFIG_BRIDGE)"),
    ("ip link add v0 type veth peer name v1", "veth pairs in the kernel (CONFIG_VETH)"),
    ("tc qdisc add dev v0 root tbf rate 40mbit burst 64kb latency 50ms", "the tbf queue (CONFIG_NET_SCH_TBF)"),
    ("mount --bind /etc/hosts /etc/hosts", "bind mounts in its own namespace"),
    (" ".join((*ORDINARY_USER, "true")), "a user namespace inside a user namespace"),
)  # fmt: skip
_FIRST_STEP_CODE: Final = 40

Run = Callable[[tuple[str, ...]], int]


def check(
    which: Callable[[str], str | None] | None = None,
    run: Run | None = None,
    find_module: Callable[[str], object | None] = find_spec,
) -> None:
    """Raise LabUnavailableError naming the first thing that is missing; take under 0.1 s."""
    look = which or (lambda program: shutil.which(program, path=SYSTEM_PATH))
    for program, words in PROGRAMS.items():
        if look(program) is None:
            msg = f"The lab needs {words}, which is not on this machine."
            raise LabUnavailableError(msg)
    if find_module("libvirt") is None:
        msg = "The lab needs libvirt's Python binding (pip install libvirt-python), which is not on this machine."
        raise LabUnavailableError(msg)
    missing = missing_in_kernel(run or _exit_code)
    if missing:
        msg = f"The lab needs {missing}, which this machine does not allow."
        raise LabUnavailableError(msg)


def missing_in_kernel(run: Run) -> str | None:
    """Try the steps of the lab in namespaces that are thrown away; return what the first failing one lacked."""
    steps = "; ".join(f"{step} || exit {_FIRST_STEP_CODE + n}" for n, (step, _) in enumerate(KERNEL_STEPS))
    code = run((*LAB, "sh", "-c", steps))
    if code == 0:
        return None
    number = code - _FIRST_STEP_CODE
    if 0 <= number < len(KERNEL_STEPS):
        return KERNEL_STEPS[number][1]
    return "user namespaces with a network and processes of their own (sysctl kernel.unprivileged_userns_clone=1)"


def _exit_code(command: tuple[str, ...]) -> int:
    done = subprocess.run(
        command, check=False, capture_output=True, stdin=subprocess.DEVNULL, env={"PATH": SYSTEM_PATH}
    )
    return done.returncode


def qemu_version() -> str:
    """Return the version of the QEMU the lab uses, such as ``7.2.22``."""
    said = subprocess.run((QEMU, "--version"), check=True, capture_output=True, text=True, env={"PATH": SYSTEM_PATH})
    words = said.stdout.split()
    return words[words.index("version") + 1]
