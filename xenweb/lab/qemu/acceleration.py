"""Chooses between KVM and QEMU's own translator (TCG), by trying and not by asking.

That /dev/kvm is there and opens proves little: on nested and paravirtual machines it may open and yet never run our
guest. Met in practice: kvm-pvm under Linux 6.18, /dev/kvm opens, QEMU 7.2 starts, and in 4 s the guest does not say
a word (with -cpu host QEMU aborts in kvm_buf_set_msrs). So a guest is started for a moment in namespaces like those
it will live in, moved to a second QEMU, and must beat on without a gap.
"""

import contextlib
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

from xenweb.lab.errors import LabError
from xenweb.lab.processes import SYSTEM_PATH
from xenweb.lab.qemu.heartbeat import beats, is_gap_free, is_undamaged
from xenweb.lab.qemu.layout import LabLayout
from xenweb.lab.qemu.namespaces import LAB, ORDINARY_USER
from xenweb.lab.qemu.requirements import QEMU, qemu_version

Acceleration = Literal["kvm", "tcg"]

PATIENCE: Final = 2.0
BEATS_WANTED: Final = 10
POLL: Final = 0.02
MOVE: Final = '{"execute":"qmp_capabilities"}\n{"execute":"migrate","arguments":{"uri":"%s"}}\n'


def choose(layout: LabLayout, environment: Mapping[str, str] = os.environ) -> Acceleration:
    """Return what XENWEB_LAB_ACCEL says, or KVM where a guest really survives on it; needs the built guest."""
    wish = environment.get("XENWEB_LAB_ACCEL", "auto")
    match wish:
        case "kvm" | "tcg":
            return wish
        case "auto":
            pass
        case _:
            msg = f"XENWEB_LAB_ACCEL is {wish!r}; it may be auto, kvm or tcg."
            raise LabError(msg)
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    return "kvm" if _known_or_tried(layout) else "tcg"


def _known_or_tried(layout: LabLayout) -> bool:
    """Return whether KVM works; the answer is kept as long as kernel and QEMU stay the same."""
    here = {"kernel": platform.release(), "qemu": qemu_version()}
    try:
        known = json.loads(layout.acceleration.read_text())
        if known["here"] == here:
            return bool(known["kvm"])
    except (OSError, ValueError, KeyError):
        pass
    works = guest_survives_move(layout.program, "kvm")
    layout.acceleration.write_text(json.dumps({"here": here, "kvm": works}))
    return works


def guest_survives_move(program: Path, acceleration: Acceleration) -> bool:
    """Move a guest from one QEMU to another; return whether it then beat on without a gap or damage.

    Takes about 2 s; 2 s as well when the guest never says a word.
    """
    with tempfile.TemporaryDirectory(prefix="xw-") as folder:
        console, door = Path(folder) / "console", Path(folder) / "door"
        console.touch()
        with _qemu(program, acceleration, console) as source:
            if not _becomes_true(source, lambda: len(beats(console)) >= BEATS_WANTED):
                return False
            with _qemu(program, acceleration, console, "-incoming", f"unix:{door}") as target:
                if not _becomes_true(target, door.exists):
                    return False
                _order_move(source, door)
                before = len(beats(console))
                # Time for the move; then only the target can beat. A move that failed is silent from there on.
                if not _becomes_true(target, lambda: len(beats(console)) >= before + 2 * BEATS_WANTED):
                    return False
                source.kill()
                after = len(beats(console))
                if not _becomes_true(target, lambda: len(beats(console)) >= after + BEATS_WANTED):
                    return False
        heard = beats(console)
    return is_gap_free(heard) and is_undamaged(heard)


def _becomes_true(process: subprocess.Popen[str], condition: Callable[[], bool]) -> bool:
    """Wait for a condition, but no longer than PATIENCE or than the process lives."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline or process.poll() is not None:
            return False
        time.sleep(POLL)
    return True


@contextlib.contextmanager
def _qemu(program: Path, acceleration: Acceleration, console: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Run one QEMU with the guest in namespaces like the lab's; orders go to its standard input."""
    arguments = "beat=50 fill=4 rate=100 flush=1"
    command = (
        *LAB, *ORDINARY_USER, QEMU, "-accel", acceleration, "-machine", "pc", "-cpu", "qemu64", "-m", "32",
        "-nodefaults", "-display", "none", "-qmp", "stdio", "-kernel", str(program), "-append", arguments,
        "-chardev", f"file,id=console,path={console},append=on", "-serial", "chardev:console", *more,
    )  # fmt: skip
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env={"PATH": SYSTEM_PATH},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _order_move(source: subprocess.Popen[str], door: Path) -> None:
    if source.stdin is None:
        return
    source.stdin.write(MOVE % f"unix:{door}")
    source.stdin.flush()
