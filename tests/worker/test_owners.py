"""A process that drives a move is called dead only when that is proven."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from xenweb.worker import owners
from xenweb.worker.owners import is_proven_dead, owner_name

NAME = "from xenweb.worker.owners import owner_name; print(owner_name('worker'), flush=True); input()"


@pytest.fixture
def other() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Another process of ours, and the name that it gives itself."""
    words = [sys.executable, "-c", NAME]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def test_who_lives_is_not_dead(other: tuple["subprocess.Popen[str]", str]) -> None:
    assert not is_proven_dead(owner_name("reconciler"))
    assert not is_proven_dead(other[1])


def test_who_was_killed_is_dead_before_anybody_has_buried_it(other: tuple["subprocess.Popen[str]", str]) -> None:
    process, name = other
    process.kill()
    deadline = time.monotonic() + 5
    while not is_proven_dead(name):  # not waited for: a zombie
        assert time.monotonic() < deadline
    process.wait()
    assert is_proven_dead(name)


def test_who_was_stopped_may_wake_up_again(other: tuple["subprocess.Popen[str]", str]) -> None:
    process, name = other
    os.kill(process.pid, signal.SIGSTOP)
    assert not is_proven_dead(name)


def test_a_process_that_got_the_same_id_later_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = owner_name("worker")
    started = mine.partition("@")[2].split(" ")[0]
    assert is_proven_dead(mine.replace(f"@{started} ", f"@{int(started) - 1} "))


@pytest.mark.parametrize("owner", ["", "test", "worker host:1", "worker host:1@1 nonsense"])
def test_of_a_name_that_says_too_little_nothing_is_proven(owner: str) -> None:
    assert not is_proven_dead(owner)


def test_of_another_machine_nothing_is_proven(
    other: tuple["subprocess.Popen[str]", str], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, name = other
    process.kill()
    process.wait()
    monkeypatch.setattr(owners, "_machine", lambda: "0123456789ab")
    assert not is_proven_dead(name)


def test_a_name_fits_its_column_whatever_the_machine_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners.socket, "gethostname", lambda: "h" * 64)
    assert len(owner_name("reconciler")) <= 100
