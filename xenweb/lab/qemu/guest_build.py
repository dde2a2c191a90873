"""Turns our guest's source into the program QEMU boots; plain gcc and ld, no multilib."""

import subprocess
from pathlib import Path
from typing import Final

from xenweb.lab.errors import LabUnavailableError

SOURCE: Final = Path(__file__).parent / "guest"
COMPILE: Final = (
    "gcc", "-m32", "-march=i586", "-O2", "-Wall", "-Werror", "-ffreestanding", "-fno-pic", "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables", "-fno-builtin", "-fno-strict-aliasing", "-c",
)  # fmt: skip
LINK: Final = (
    "ld", "-m", "elf_i386", "-z", "noexecstack", "--build-id=none", "--no-warn-rwx-segments", "-s",
)  # fmt: skip


def build(program: Path) -> None:
    """Write the guest to ``program`` unless it is newer than its source; raise LabUnavailableError if it cannot."""
    sources = (SOURCE / "pulse.c", SOURCE / "link.ld")
    if program.exists() and all(program.stat().st_mtime > source.stat().st_mtime for source in sources):
        return
    half_done = program.with_suffix(".o")
    _run(*COMPILE, str(sources[0]), "-o", str(half_done))
    _run(*LINK, "-T", str(sources[1]), "-o", str(program), str(half_done))
    half_done.unlink()


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        msg = f"The lab's guest cannot be built: {command[0]} is missing (install gcc and binutils)."
        raise LabUnavailableError(msg) from error
    if done.returncode:
        first = (done.stderr.strip().splitlines() or ["no message"])[0]
        msg = f"The lab's guest cannot be built: {command[0]} says {first}."
        raise LabUnavailableError(msg)
