"""How busy a lab host is: the work of its own processes, not of the machine all hosts share.

Without this every host would show the load of the whole machine, and three meters would move as one.
"""

import contextlib
import os
import time
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat behind the name: user and system time, its own and that of the children it buried.
TIMES: Final = slice(11, 15)


def used_ticks(proc: Path) -> int:
    """Return the clock ticks all processes below ``proc``, and those they have buried, ever used."""
    total = 0
    for process in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may have ended since
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            total += sum(int(field) for field in fields[TIMES])
    return total


def stat(cpus: int, busy: int, elapsed: int) -> str:
    """Return a /proc/stat, always of the same length: ``busy`` ticks of work in ``elapsed`` ticks on each CPU."""
    idle = max(cpus * elapsed - busy, 0)
    lines = [_line("cpu ", busy, idle)]
    lines += [_line(f"cpu{n}", busy // cpus, idle // cpus) for n in range(cpus)]
    return "".join(lines)


def _line(name: str, busy: int, idle: int) -> str:
    return f"{name} {busy:012} 0 0 {idle:012} 0 0 0 0 0 0\n"


class LoadMeter:
    """Follows the work of one host since its start; its counters never go back."""

    def __init__(self, proc: Path) -> None:
        self._proc = proc
        self._start = time.monotonic()
        self._busy = 0

    def stat(self) -> str:
        """Return the host's /proc/stat as of now."""
        # What a process leaves behind when nobody buries it is lost to us: keep the higher figure.
        self._busy = max(self._busy, used_ticks(self._proc))
        return stat(os.cpu_count() or 1, self._busy, int((time.monotonic() - self._start) * TICKS))
