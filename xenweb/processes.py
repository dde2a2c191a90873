"""What the kernel says of processes that were started in a session of their own."""

from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
_STATE, _SESSION = 0, 3
"""Places of the words of /proc/PID/stat behind the name of the command; see proc(5)."""


def session_members(leaders: Iterable[int]) -> list[int]:
    """List the ids of the living processes in the sessions that these processes have begun.

    A process can leave its process group, as RQ's work horse does, but leaves its session only by
    beginning another one. A session without its leader is found as well.
    """
    sessions = {str(leader) for leader in leaders}
    found = []
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if words[_STATE] not in {"Z", "X"} and words[_SESSION] in sessions:
            found.append(int(folder.name))
    return found
