"""Run this host's own tools: with plain words, never through a shell, and in bounded time."""

import json
import os
import shutil
import subprocess
from contextlib import suppress
from typing import Any, Final

from .guests import XenError

ASK_FOR: Final = 10.0
"""Seconds that a tool may take to answer a question."""

ENVIRONMENT: Final = {"LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
HELD_AT_MOST: Final = 3
"""Tools that may hang at once on storage that is gone; after that nothing is asked any more."""


class CommandError(XenError):
    """A tool of this host did not do what it was asked."""


class Commands:
    """The tools of this host."""

    def __init__(self) -> None:
        self._hanging: list[subprocess.Popen[str]] = []

    def run(self, *words: str, within: float = ASK_FOR) -> str:
        """Run one tool and answer what it prints; raise CommandError if it fails, or takes longer than ``within`` s.

        A tool that hangs on storage which is gone cannot even be killed: it is not waited for.
        """
        self._hanging = [each for each in self._hanging if each.poll() is None]
        if len(self._hanging) >= HELD_AT_MOST:
            raise CommandError("Tools of this host hang, as they do when its storage is gone.")
        environment = {**ENVIRONMENT, "PATH": os.environ.get("PATH", ENVIRONMENT["PATH"])}
        try:
            process = subprocess.Popen(
                words,
                text=True,
                env=environment,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise CommandError(f"{words[0]} cannot be run here: {error}") from error
        try:
            said, complaint = process.communicate(timeout=within)
        except subprocess.TimeoutExpired as error:
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
            self._hanging.append(process)
            raise CommandError(f"{words[0]} did not answer within {within:.0f} s.") from error
        if process.returncode != 0:
            raise CommandError(f"{words[0]} failed: {' '.join(complaint.split())[:300]}")
        return said

    def has(self, tool: str) -> bool:
        """Say whether a tool is installed."""
        return shutil.which(tool, path=os.environ.get("PATH", ENVIRONMENT["PATH"])) is not None

    def rows(self, tool: str, columns: str, *more: str) -> list[dict[str, str]]:
        """Ask one of LVM's reporting tools; it only reads, takes no lock, and sizes are bytes."""
        fixed = ("--readonly", "--reportformat", "json", "--units", "b", "--nosuffix", "--options", columns)
        said = self.answer(tool, *fixed, *more)
        reports = said.get("report") if isinstance(said, dict) else None
        kind = {"vgs": "vg", "pvs": "pv", "lvs": "lv"}[tool]
        return [dict(row) for report in reports or [] for row in report.get(kind, [])]

    def answer(self, *words: str) -> Any:
        """Run a tool that prints JSON; raise CommandError if that cannot be read."""
        try:
            return json.loads(self.run(*words))
        except ValueError as error:
            raise CommandError(f"{words[0]} prints a form that is not known here.") from error
