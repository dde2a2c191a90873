"""Starts of guests that hang in libvirt for ever: finds them.

libvirtd forks, and the child asks virtlockd for the guest's leases before it becomes QEMU. It does so with GLib, whose
locks another thread of libvirtd may hold in the moment of the fork; in the child nobody frees them. The start then
never returns, and neither does any later one on that host, because the child keeps the door of virtlockd locked.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

STUCK_AFTER: Final = 5.0
"""Seconds; a start usually asks and becomes QEMU within milliseconds."""
START_TICK: Final = 19  # the place in /proc/PID/stat, counted after the name


def stuck_start(proc: Path, daemon: int, after: float = STUCK_AFTER) -> int | None:
    """Return the oldest process forked from ``daemon`` that waits for a lock nobody can free; None without one.

    It is still the daemon's own program, older than ``after`` seconds, and waits on a futex: it has only one thread,
    so no other could ever wake it. A start that is merely slow, or waits for the daemon, does something else. Its
    parent tells nothing: libvirt forks twice, for QEMU to outlive it.
    """
    with contextlib.suppress(OSError):  # the daemon may have ended
        program = (proc / f"{daemon}" / "cmdline").read_bytes()
        now = float((proc / "uptime").read_text().split()[0])
        others = (process for process in proc.glob("[0-9]*") if process.name != f"{daemon}")
        born = {process: since for process in others if (since := _born(process, program)) is not None}
        stuck = min((process for process in born if now - born[process] >= after), key=born.__getitem__, default=None)
        return int(stuck.name) if stuck else None
    return None


def _born(process: Path, program: bytes) -> float | None:
    """Return when a process of ``program`` that waits on a futex was forked, in seconds since boot, or None."""
    with contextlib.suppress(OSError):  # it may have ended since
        if (process / "cmdline").read_bytes() == program and "futex" in (process / "wchan").read_text():
            ticks = (process / "stat").read_text().rpartition(")")[2].split()[START_TICK]
            return int(ticks) / os.sysconf("SC_CLK_TCK")
    return None
