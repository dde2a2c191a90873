"""The supervisor keeps its children up, and ends exactly those."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from xenweb.worker import supervisor as module
from xenweb.worker.supervisor import Child, Supervisor

PARENT = "import subprocess,sys,time; print(subprocess.Popen(['sleep','60']).pid, flush=True); time.sleep(60)"
HORSE = "import os,time; os.setpgrp(); print(os.getpid(), flush=True); time.sleep(60)"
WORKER = f"import subprocess,sys,time; subprocess.Popen([sys.executable, '-c', {HORSE!r}]); time.sleep(60)"
STUBBORN = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(module, "CALM_DOWN", 0.1)
    monkeypatch.setattr(module, "GRACE", 0.5)
    said: list[str] = []
    supervisor = Supervisor(said.append)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    yield supervisor
    supervisor.stop_soon()
    thread.join(10)
    assert not any(child.is_up for child in supervisor.children)


def child(folder: Path, program: str) -> Child:
    return Child("sample", [sys.executable, "-c", program], folder / "sample.log")


def test_a_child_that_was_killed_is_started_again(running: Supervisor, tmp_path: Path) -> None:
    sample = child(tmp_path, PARENT)
    first = running.add(sample).pid
    os.kill(first, signal.SIGKILL)
    until(lambda: sample.is_up and sample.process is not None and sample.process.pid != first)


def test_what_a_child_has_started_ends_with_it(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _line: None)
    sample = child(tmp_path, PARENT)
    supervisor.add(sample)
    until(lambda: sample.log.read_text().strip() != "")
    grandchild = int(sample.log.read_text())
    assert lives(grandchild)
    supervisor.end()
    until(lambda: not lives(grandchild))
    assert not sample.is_up


def test_what_a_child_has_started_in_another_process_group_ends_with_it(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _line: None)
    sample = child(tmp_path, WORKER)
    supervisor.add(sample)
    until(lambda: sample.log.read_text().strip() != "")
    horse = int(sample.log.read_text())
    assert os.getpgid(horse) == horse
    supervisor.end()
    assert not lives(horse)
    assert not sample.is_up


def test_what_outlived_a_child_that_was_started_again_ends_too(running: Supervisor, tmp_path: Path) -> None:
    sample = child(tmp_path, WORKER)
    first = running.add(sample).pid
    until(lambda: sample.log.read_text().strip() != "")
    horse = int(sample.log.read_text())
    os.kill(first, signal.SIGKILL)
    until(lambda: sample.is_up and sample.process is not None and sample.process.pid != first)
    assert lives(horse)
    running.stop_soon()
    until(lambda: not sample.is_up and not lives(horse))


def test_stubborn_children_are_waited_for_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE", 0.5)
    supervisor = Supervisor(lambda _line: None)
    samples = [Child(f"sample {n}", [sys.executable, "-c", STUBBORN], tmp_path / f"{n}.log") for n in range(4)]
    for sample in samples:
        supervisor.add(sample)
    until(lambda: all("up" in sample.log.read_text() for sample in samples))
    began = time.monotonic()
    supervisor.end()
    assert time.monotonic() - began < 1.5
    assert not any(sample.is_up for sample in samples)


def test_a_child_that_does_not_end_by_itself_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE", 0.3)
    supervisor = Supervisor(lambda _line: None)
    sample = child(tmp_path, STUBBORN)
    supervisor.add(sample)
    until(lambda: "up" in sample.log.read_text())
    supervisor.end()
    assert not sample.is_up


def test_nothing_else_is_ended(running: Supervisor, tmp_path: Path) -> None:
    bystander = child(tmp_path, PARENT)
    process = bystander.start()
    running.add(child(tmp_path, PARENT))
    running.stop_soon()
    until(lambda: not any(each.is_up for each in running.children))
    assert bystander.is_up
    bystander.signal(signal.SIGKILL)
    process.wait(5)
