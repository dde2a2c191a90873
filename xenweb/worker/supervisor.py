"""Start the processes of one installation, keep them up, and end exactly those.

Each child gets a session of its own: a Ctrl-C reaches only the supervisor, which
ends them all at once, and what a child has started ends with it, in whatever process group.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from xenweb.processes import session_members

GRACE = 5.0
"""Seconds that the children have to end by themselves."""

CALM_DOWN = 1.0
"""Seconds before a child that ended is started again."""

PACE = 0.1


@dataclass
class Child:
    """One process that is kept up; ``ended_at`` is when it was last seen dead."""

    name: str
    command: list[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    ended_at: float | None = None
    former: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the process with its output going to its log."""
        if self.process is not None:
            # What the one before has started may outlive it, as a work horse does its worker.
            self.former = [each for each in (*self.former, self.process) if _members([each])]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self.ended_at = None
        return self.process

    def signal(self, number: int) -> None:
        """Send a signal to the process and all that it started."""
        for pid in self.members():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def members(self) -> list[int]:
        """List what lives of the process, of the ones before it, and of all that they started."""
        return _members(self.former if self.process is None else (*self.former, self.process))

    @property
    def is_up(self) -> bool:
        """Say whether the process runs."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Keep children up until told to stop."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.children: list[Child] = []
        self._say = say
        self._stopping = False

    def add(self, child: Child) -> "subprocess.Popen[bytes]":
        """Start a child and keep it up from now on; answer its process."""
        self.children.append(child)
        return child.start()

    def stop_soon(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Leave ``run`` at its next step; fits as a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Watch over the children until told to stop, then end them all."""
        try:
            while not self._stopping:
                self._keep_up()
                time.sleep(PACE)
        finally:
            self.end()

    def _keep_up(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.is_up:
                continue
            if child.ended_at is None:
                child.ended_at = now
                self._say(f"{child.name} ended; starting it again (its log: {child.log})")
            elif now - child.ended_at >= CALM_DOWN:
                child.start()

    def end(self) -> None:
        """Ask all children to end, give them GRACE seconds together, then kill what is left of any."""
        for child in reversed(self.children):
            child.signal(signal.SIGTERM)
        if self._wait_gone(GRACE):
            return
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline:
            # Again and again: what was about to start something may have done so since.
            for child in self.children:
                child.signal(signal.SIGKILL)
            if self._wait_gone(PACE):
                return

    def _wait_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while any(child.is_up or child.members() for child in self.children):
            if time.monotonic() >= deadline:
                return False
            time.sleep(PACE / 5)
        return True


def _members(processes: "Iterable[subprocess.Popen[bytes]]") -> list[int]:
    """List what lives in the sessions of these processes; a number that others have got since is not theirs."""
    pids = [process.pid for process in processes if process.poll() is None or not Path(f"/proc/{process.pid}").exists()]
    return session_members(pids) if pids else []


def manage(*words: str) -> list[str]:
    """Build the command line of one of our own commands."""
    return [sys.executable, str(Path(__file__).resolve().parents[2] / "manage.py"), *words]
