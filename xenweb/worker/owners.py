"""Name the process that drives a move so that anybody on the same machine can prove its death.

A lease that runs out is a guess: its owner may only be slow. A process that is
gone is a proof, and needs no waiting. Of a process on another machine, in
another PID namespace or of another user nothing is known, and the lease decides.
"""

import hashlib
import os
import re
import socket
from pathlib import Path

PROC = Path("/proc")
_NAME = re.compile(r".*:(?P<pid>\d+)@(?P<started>\d+) (?P<machine>[0-9a-f]{12})")
_LONGEST_HOST = 40
_DEAD = frozenset({"Z", "X"})
_STATE, _STARTED = 0, 19
"""Places of the words of /proc/PID/stat behind the name of the command; see proc(5)."""


def owner_name(role: str) -> str:
    """Name this process: what it is, where it runs, and what tells it from any that had its id before."""
    pid = os.getpid()
    words = _stat(pid)
    started = words[_STARTED] if words else "0"
    return f"{role} {socket.gethostname()[:_LONGEST_HOST]}:{pid}@{started} {_machine()}"


def is_proven_dead(owner: str) -> bool:
    """Say whether the named process is provably gone; False for one that lives, sleeps, or is out of sight."""
    named = _NAME.fullmatch(owner)
    if named is None or named["machine"] != _machine() or named["started"] == "0":
        return False
    words = _stat(int(named["pid"]))
    return words is None or words[_STATE] in _DEAD or words[_STARTED] != named["started"]


def _machine() -> str:
    """Name what makes process ids comparable: the boot, the PID namespace, and the user that looks."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (PROC / "self/ns/pid").stat().st_ino
    except OSError:
        return ""  # no such system: nothing is ever proven
    return hashlib.sha256(f"{boot} {namespace} {os.getuid()}".encode()).hexdigest()[:12]


def _stat(pid: int) -> list[str] | None:
    """Read what the kernel says of a process; None if there is none."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
