"""The memory of a lab host: how big it claims to be, and how much of it its guests were promised.

The machine's own memory would say nothing: all hosts share it. So each host has a size of its own, and what counts as
used is what the guests on it may use, as in a data centre that does not promise the same memory twice.
"""

import contextlib
from pathlib import Path
from typing import Final

from xenweb.lab.qemu.layout import MIB

# What the host keeps for itself, and what it holds in caches it could give up.
OWN_USE: Final = 96 * MIB
BUFFERS: Final = 8 * MIB
CACHED: Final = 56 * MIB


def promised_memory(proc: Path) -> int:
    """Return the bytes promised to all QEMUs among the processes below ``proc``."""
    total = 0
    for process in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may have ended since
            total += guest_memory((process / "cmdline").read_bytes().decode(errors="replace").split("\0"))
    return total


def guest_memory(command: list[str]) -> int:
    """Return the bytes a QEMU with this command line gives its guest; 0 for other programs and for QEMU's probes."""
    if not Path(command[0]).name.startswith("qemu") or "-m" not in command or "-name" not in command:
        return 0
    size = command[command.index("-m") + 1].removeprefix("size=").split(",")[0]
    number = int(size.rstrip("kKmMgG"))
    return number * {"k": 1024, "g": 1024 * MIB}.get(size[-1].lower(), MIB)


def meminfo(total: int, promised: int) -> str:
    """Return a /proc/meminfo, always of the same length, for a host of ``total`` bytes."""
    free = max(total - OWN_USE - BUFFERS - CACHED - promised, 0)
    lines = {
        "MemTotal": total,
        "MemFree": free,
        "MemAvailable": free + BUFFERS + CACHED,
        "Buffers": BUFFERS,
        "Cached": CACHED,
        "SwapCached": 0,
        "Active": min(promised, total),
        "Inactive": OWN_USE,
        "SwapTotal": 0,
        "SwapFree": 0,
    }
    return "".join(f"{name + ':':<15}{value // 1024:>9} kB\n" for name, value in lines.items())
