"""Processes by what they are, not by their number alone; and the end of a whole set of namespaces."""

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Final

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def identity(pid: int) -> str:
    """Return which process has this pid: the boot, and its start in clock ticks; raise OSError when there is none."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if after_name[0] == "Z":
        msg = "it has ended"
        raise ProcessLookupError(msg)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {after_name[19]}"


def remember(file: Path, pid: int) -> None:
    """Write down in ``file`` which process this is: a pid alone could later be somebody else's."""
    file.write_text(json.dumps({"pid": pid, "identity": identity(pid)}))


def remembered(file: Path) -> int | None:
    """Return the pid of the process written down in ``file`` if it is still that very process."""
    try:
        known = json.loads(file.read_text())
        return int(known["pid"]) if identity(int(known["pid"])) == known["identity"] else None
    except (OSError, ValueError, KeyError):
        return None


def end_namespaces(unshare: int) -> None:
    """Kill everything in the namespaces that the process ``unshare`` has made; its own end tells when that is done.

    unshare waits for the first process of its namespaces, and that one ends only after all others have: so the first
    one is killed. Killing unshare itself would work too, but then nobody could tell when the others have gone.
    """
    try:
        inside = [int(child) for child in Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()]
    except OSError:
        inside = []
    for victim in inside or [unshare]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
