"""Starts that hang in libvirt for ever, found among real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from xenweb.lab.qemu.starts import stuck_start

PROC = Path("/proc")
LOCKED_AT_THE_FORK = "lock.acquire()"
"""What a forked child does for ever when another thread of its parent held the lock."""
WAITS_FOR_ITS_PARENT = "time.sleep(60)"


@contextmanager
def daemon_whose_child(does: str) -> Iterator[tuple[int, int]]:
    """Give the pids of a process and of what it forked."""
    program = (
        "import os, threading, time\n"
        "lock = threading.Lock(); lock.acquire()\n"
        "child = os.fork()\n"
        f"if child == 0: {does}\n"
        "print(child, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        child = int(daemon.stdout.readline())
        try:
            yield daemon.pid, child
        finally:
            os.kill(child, signal.SIGKILL)
            daemon.kill()


def found_within(daemon: int, seconds: float, after: float) -> int | None:
    deadline = time.monotonic() + seconds
    while (found := stuck_start(PROC, daemon, after)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_a_child_that_waits_for_a_lock_of_its_parents_other_threads_is_found() -> None:
    with daemon_whose_child(LOCKED_AT_THE_FORK) as (daemon, child):
        assert found_within(daemon, 10, after=0.2) == child


@pytest.mark.parametrize(("does", "after"), [(WAITS_FOR_ITS_PARENT, 0.2), (LOCKED_AT_THE_FORK, 30)])
def test_a_child_that_waits_for_something_else_or_is_young_is_left_alone(does: str, after: float) -> None:
    with daemon_whose_child(does) as (daemon, _):
        assert found_within(daemon, 1, after) is None


def test_without_the_daemon_nothing_is_found() -> None:
    assert stuck_start(PROC, daemon=2**30) is None
