"""Start the processes of one installation, keep them up, and end exactly those.

Each child gets a session of its own: a Ctrl-C reaches only the supervisor, which
ends them in order, and a child's own children end with it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

GRACE = 5.0
"""Seconds that a child has to end by itself."""

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

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the process with its output going to its log."""
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
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

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
        """End the children, the last started first, and wait until they are gone."""
        for child in reversed(self.children):
            child.signal(signal.SIGTERM)
            _wait(child, GRACE)
            # Even after a clean end something that it started may be left.
            child.signal(signal.SIGKILL)
            _wait(child, GRACE)


def _wait(child: Child, seconds: float) -> None:
    if child.process is not None:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(seconds)


def manage(*words: str) -> list[str]:
    """Build the command line of one of our own commands."""
    return [sys.executable, str(Path(__file__).resolve().parents[2] / "manage.py"), *words]
