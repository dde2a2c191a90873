"""Find the processes of one stage, by command line and environment: others are nobody's business."""

import os
from contextlib import suppress
from pathlib import Path

from xenweb.lab.stage import Stage


def processes_of(stage: Stage, word: str) -> list[int]:
    """List the ids of the stage's processes that have ``word`` among the words of their command line."""
    mark = f"XENWEB_DATA={stage.data}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if word.encode() in words and mark in environment:
            found.append(int(folder.name))
    return found


def workers_are_found(stage: Stage) -> bool:
    """Say whether the stage's workers can be told by their command lines: a fault that hits nobody shows nothing."""
    return len(processes_of(stage, "work")) >= stage.workers


def send(stage: Stage, word: str, number: int) -> int:
    """Send a signal to all of them; answer how many got it."""
    sent = 0
    for pid in processes_of(stage, word):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            sent += 1
    return sent
