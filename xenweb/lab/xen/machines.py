"""Starts and ends the lab's machines: one QEMU each, without hardware virtualisation.

What makes nested Xen work without it: a multiboot start with Xen as the kernel and Linux and its archive as modules; a
CPU without SMAP, on which Linux above Xen would die in this emulation, yet with a name that libvirt knows.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xenweb.lab.errors import LabError
from xenweb.lab.processes import SYSTEM_PATH, remember, remembered
from xenweb.lab.xen.image import Image
from xenweb.lab.xen.layout import NETWORK, LabLayout, MachineSpec
from xenweb.probe.configuration import PORT as PROBE_PORT

QEMU: Final = "qemu-system-x86_64"
CPU: Final = "Nehalem"
XEN_WORDS: Final = (
    "console=com1 com1=115200 dom0_mem=900M,max:900M dom0_max_vcpus=1 xpti=false spec-ctrl=no pv-l1tf=off"
)
# The emulator keeps what it has translated by address: where each program lies elsewhere each time it is started, it
# translates the whole of it again, and most commands take half as long again.
LINUX_WORDS: Final = "root=/dev/vda net.ifnames=0 mitigations=off quiet norandmaps init_on_alloc=0 cryptomgr.notests"
CABLE: Final = "cable"
# Frames as large as a storage network's: each one costs an emulated CPU the same. Buffers that are merged to hold one
# could stall the card for ever under load: QEMU 7.2 may wait for more of them without asking for any.
JUMBO: Final = "host_mtu=9000,mrg_rxbuf=off"
LIBVIRT_PORT: Final = 16509
READY: Final = "lab: ready"
FAILED: Final = "lab: failed "
END_PATIENCE: Final = 5.0
LOOK_EVERY: Final = 0.2


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of this machine that lead into the lab: ``network`` joins the machines, the others lead to one of them."""

    network: int
    shell: dict[str, int]
    libvirt: dict[str, int]
    probe: dict[str, int]


def kernel_line(machine: MachineSpec, key: str) -> str:
    """Return what Linux is told at the start of a machine; ``key`` is the public key that may give it commands."""
    # The processor's own counter, which Linux may choose, is of an unknown speed in an emulator.
    console = "hvc0 clocksource=xen" if machine.is_host else "ttyS0 clocksource=hpet"
    ours = {
        "labrole": machine.name,
        "labnumber": machine.number,
        "labnetwork": NETWORK,
        "labuuid": machine.uuid,
        "labkey": key,
    }
    return " ".join((f"console={console}", LINUX_WORDS, *(f"{name}={value}" for name, value in ours.items())))


def boot_words(machine: MachineSpec, image: Image, key: str) -> tuple[str, ...]:
    """Return QEMU's words for what a machine boots: Xen with Linux as its module, or Linux alone."""
    line = kernel_line(machine, key)
    if not machine.is_host:
        return ("-kernel", str(image.kernel), "-initrd", str(image.archive), "-append", line)
    modules = f"{image.kernel} {line.replace(',', ',,')},{image.archive}"
    return ("-kernel", str(image.hypervisor), "-initrd", modules, "-append", XEN_WORDS)


def network_words(machine: MachineSpec, ports: Ports) -> tuple[str, ...]:
    """Return QEMU's words for a machine's two network cards.

    The first only lets our commands in; the second is on the lab's own network. A hub stands between that card and
    its cable, so that the cable can be cut without the card noticing.
    """
    doors = [(ports.shell[machine.name], 22)]
    if machine.is_host:
        doors += [(ports.libvirt[machine.name], LIBVIRT_PORT), (ports.probe[machine.name], PROBE_PORT)]
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{port}-:{inside}" for port, inside in doors)
    return (
        "-netdev", f"user,id=outside,restrict=on{forwards}",
        "-device", f"virtio-net-pci,netdev=outside,mac={machine.card(0)},romfile=",
        "-netdev", f"socket,id={CABLE},mcast=230.0.0.1:{ports.network},localaddr=127.0.0.1",
        "-netdev", f"hubport,id=hub-{CABLE},hubid=1,netdev={CABLE}",
        "-netdev", "hubport,id=plug,hubid=1",
        "-device", f"virtio-net-pci,netdev=plug,mac={machine.card(1)},romfile=,{JUMBO}",
    )  # fmt: skip


def command(layout: LabLayout, machine: MachineSpec, image: Image, ports: Ports, key: str) -> tuple[str, ...]:
    """Return the whole command that starts a machine."""
    folder = layout.machine(machine.name)
    disks = [(folder.disk, "qcow2")]
    if not machine.is_host:
        disks += [(layout.block_unit, "raw"), (layout.file_unit, "qcow2")]
    return (
        QEMU, "-name", machine.name, "-machine", "pc", "-accel", "tcg,tb-size=512", "-cpu", CPU, "-smp", "1",
        "-m", str(machine.memory), "-uuid", machine.uuid, "-nodefaults", "-no-user-config", "-display", "none",
        # A host that restarts itself, as one does that lost its cluster's disk, is off until somebody switches it on.
        "-no-reboot",
        "-chardev", f"file,id=serial,path={folder.serial},append=on", "-serial", "chardev:serial",
        "-qmp", f"unix:{folder.monitor},server=on,wait=off",
        *(word for path, form in disks for word in ("-drive", f"file={path},format={form},if=virtio,cache=unsafe")),
        *network_words(machine, ports),
        *boot_words(machine, image, key),
    )  # fmt: skip


def make_overlay(path: Path, base: Path, form: str) -> None:
    """Make the disk ``path``, which holds what differs from ``base``; raise LabError when that fails."""
    path.unlink(missing_ok=True)
    words = ("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", form, str(path))
    done = subprocess.run(words, check=False, capture_output=True, text=True, env={"PATH": SYSTEM_PATH})
    if done.returncode:
        msg = f"A disk of the Xen lab cannot be made: {done.stderr.strip()}"
        raise LabError(msg)


def is_on(layout: LabLayout, machine: MachineSpec) -> bool:
    """Return whether a machine runs."""
    return remembered(layout.machine(machine.name).process) is not None


def switch_on(layout: LabLayout, machine: MachineSpec, words: Sequence[str]) -> None:
    """Start a machine with the command ``words`` unless it runs; it is ready much later (``wait_until_ready``)."""
    folder = layout.machine(machine.name)
    if is_on(layout, machine):
        return
    folder.serial.write_text("")
    folder.monitor.unlink(missing_ok=True)
    with folder.log.open("w") as log:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.path,
            env={"PATH": SYSTEM_PATH},
            start_new_session=True,  # it outlives the terminal it was started from
        )
    with contextlib.suppress(OSError):  # it may have ended already; wait_until_ready says why
        remember(folder.process, process.pid)


def switch_off(layout: LabLayout, machine: MachineSpec) -> bool:
    """End a machine as a power cut does; return whether it ran."""
    file = layout.machine(machine.name).process
    pid = remembered(file)
    if pid is None:
        return False
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + END_PATIENCE
    while remembered(file) is not None:
        if time.monotonic() > deadline:
            msg = f"{machine.name} does not end (process {pid})."
            raise LabError(msg)
        time.sleep(0.01)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # when it was our own child
    return True


def wait_until_ready(layout: LabLayout, machine: MachineSpec, patience: float) -> None:
    """Wait until a machine that was just switched on is ready; raise LabError with what it said if it never is."""
    folder = layout.machine(machine.name)
    deadline = time.monotonic() + patience
    while True:
        said = folder.serial.read_text(errors="replace") if folder.serial.exists() else ""
        if READY in said:
            return
        if FAILED in said:
            step = said.partition(FAILED)[2].split("\n")[0].strip()
            msg = f"{machine.name} could not start {step} (see {folder.serial})."
            raise LabError(msg)
        if not is_on(layout, machine):
            last = (folder.log.read_text() + said).strip().splitlines() or ["it said nothing"]
            msg = f"{machine.name} has ended: {last[-1]} (see {folder.path})."
            raise LabError(msg)
        if time.monotonic() > deadline:
            msg = f"{machine.name} is not ready after {patience:.0f} s (see {folder.serial})."
            raise LabError(msg)
        time.sleep(LOOK_EVERY)
