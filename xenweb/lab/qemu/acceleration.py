"""Chooses between KVM and QEMU's own translator (TCG), by trying and not by asking.

That /dev/kvm is there and opens proves little: on nested and paravirtual machines it may open and yet never run our
guest. Met in practice: kvm-pvm under Linux 6.18, /dev/kvm opens, QEMU 7.2 starts, and in 4 s the guest does not say
a word (with -cpu host QEMU aborts in kvm_buf_set_msrs). So the guest itself is started for a moment, in the same
namespaces as later, and must beat.
"""

import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from xenweb.lab.qemu.errors import LabError
from xenweb.lab.qemu.heartbeat import beats
from xenweb.lab.qemu.layout import LabLayout
from xenweb.lab.qemu.namespaces import LAB, ORDINARY_USER, SYSTEM_PATH
from xenweb.lab.qemu.requirements import QEMU, qemu_version

Acceleration = Literal["kvm", "tcg"]

PATIENCE: Final = 2.0
BEATS_WANTED: Final = 10


def choose(layout: LabLayout, environment: Mapping[str, str] = os.environ) -> Acceleration:
    """Return what XENWEB_LAB_ACCEL says, or KVM where the guest really runs on it; needs the built guest."""
    wish = environment.get("XENWEB_LAB_ACCEL", "auto")
    if wish == "kvm" or wish == "tcg":
        return wish
    if wish != "auto":
        msg = f"XENWEB_LAB_ACCEL is {wish!r}; it may be auto, kvm or tcg."
        raise LabError(msg)
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    return "kvm" if _known_or_tried(layout) else "tcg"


def _known_or_tried(layout: LabLayout) -> bool:
    """Return whether the guest runs on KVM; the answer is kept as long as kernel and QEMU stay the same."""
    here = {"kernel": platform.release(), "qemu": qemu_version()}
    try:
        known = json.loads(layout.acceleration.read_text())
        if known["here"] == here:
            return bool(known["kvm"])
    except (OSError, ValueError, KeyError):
        pass
    works = guest_beats(layout.program, "kvm")
    layout.acceleration.write_text(json.dumps({"here": here, "kvm": works}))
    return works


def guest_beats(program: Path, acceleration: Acceleration) -> bool:
    """Run the guest for a moment and return whether it beat; take 2 s at most."""
    with tempfile.TemporaryDirectory() as folder:
        console = Path(folder) / "console"
        command = (
            *LAB, *ORDINARY_USER, QEMU, "-accel", acceleration, "-machine", "pc", "-m", "64", "-nodefaults",
            "-display", "none", "-kernel", str(program), "-append", "beat=50 fill=8", "-serial", f"file:{console}",
        )  # fmt: skip
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": SYSTEM_PATH},
        ) as process:
            deadline = time.monotonic() + PATIENCE
            try:
                while time.monotonic() < deadline and process.poll() is None:
                    if console.exists() and len(beats(console)) >= BEATS_WANTED:
                        return True
                    time.sleep(0.02)
            finally:
                process.kill()
    return False
