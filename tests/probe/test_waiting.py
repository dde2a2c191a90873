"""The process that waits for helpers: one place at a time, and a move never depends on it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.probe.stand import ENDING, PASSES, Libxl, Stand


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path, waits=True)
    yield stand
    stand.end()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def offered(stand: Stand) -> int:
    """Answer the number of the place that is offered."""
    return int((stand.run / "spare" / "ready").read_text().split()[0])


def relay_that_waits(stand: Stand) -> int:
    return int((stand.run / "spare" / "ready").read_text().split()[1])


def test_one_place_after_the_other_is_taken_and_each_helper_is_watched(stand: Stand) -> None:
    reports = stand.reports()
    stand.script([*PASSES, *ENDING])
    for number in range(1, 4):
        libxl = stand.begin(number=number)
        assert libxl.listen() == 0
        end = reports.wait(lambda said, number=number: said["number"] == number and said["ended"] is not None)
        assert (end["pid"], len(end["passes"])) == (libxl.process.pid, 4)
        until(lambda number=number: offered(stand) == number + 1)  # type: ignore[misc]


def test_the_next_place_is_ready_already_and_no_other_is_made_while_there_is_one_left(stand: Stand) -> None:
    stand.wait_for_helpers()
    until((stand.run / "spare" / "call.2").exists)
    stand.script([("sleep", 0.5), *ENDING])
    first = stand.begin()
    until(lambda: offered(stand) == 2)
    assert not (stand.run / "spare" / "call.3").exists()
    second = stand.begin()
    until(lambda: offered(stand) == 3)
    assert (first.listen(), second.listen()) == (0, 0)


def test_a_used_place_is_made_good_once_the_move_has_ended_and_not_while_it_needs_the_cpu(stand: Stand) -> None:
    stand.wait_for_helpers()
    until((stand.run / "spare" / "call.2").exists)
    stand.script([("sleep", 4.5), *ENDING])
    libxl = stand.begin()
    assert libxl.listen() == 0
    another = stand.run / "spare" / "call.3"
    assert not another.exists()
    until(another.exists)
    assert offered(stand) == 2


def test_a_helper_that_finds_the_place_taken_has_a_relay_started_for_it(stand: Stand) -> None:
    reports = stand.reports()
    stand.wait_for_helpers()
    (stand.run / "spare" / "taken.1").touch()
    stand.script([*PASSES, *ENDING])
    assert stand.begin().listen() == 0
    assert reports.wait(lambda said: said["ended"] is not None)["understood"]
    assert offered(stand) == 1


def test_a_place_whose_taker_is_not_heard_of_is_given_up(stand: Stand) -> None:
    stand.wait_for_helpers()
    taken = stand.run / "spare" / "taken.1"
    taken.touch()
    long_ago = time.time() - 60
    os.utime(taken, (long_ago, long_ago))
    stand.script([*PASSES, *ENDING])
    deadline = time.monotonic() + 10
    while offered(stand) == 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert stand.begin().listen() == 0
    until(lambda: offered(stand) == 3)


def test_a_move_goes_on_when_the_process_that_waited_is_killed(stand: Stand) -> None:
    reports = stand.reports()
    stand.script([*PASSES, ("sleep", 0.5), *ENDING])
    libxl = stand.begin()
    reports.wait(lambda said: len(said["passes"]) == 3)
    assert stand.waiting is not None
    stand.waiting.kill()
    assert libxl.listen() == 0
    assert len(reports.wait(lambda said: said["ended"] is not None)["passes"]) == 4


def test_what_a_killed_one_left_standing_takes_no_move(stand: Stand) -> None:
    reports = stand.reports()
    stand.wait_for_helpers()
    assert stand.waiting is not None
    stand.waiting.kill()
    stand.waiting.wait()
    until(lambda: not Path(f"/proc/{relay_that_waits(stand)}").exists())
    assert (stand.run / "spare" / "ready").exists()
    stand.script([*PASSES, *ENDING])
    assert stand.begin().listen() == 0
    assert reports.wait(lambda said: said["ended"] is not None)["understood"]


def test_it_ends_with_whoever_started_it_and_leaves_nothing(stand: Stand) -> None:
    waiting = stand.wait_for_helpers()
    waiting.communicate(timeout=5)
    assert waiting.returncode == 0
    assert not (stand.run / "spare").exists()
    stand.script(ENDING)
    assert stand.begin().listen() == 0


def test_one_that_ends_late_leaves_the_place_of_its_successor_alone(stand: Stand) -> None:
    first = stand.wait_for_helpers()
    spare = stand.run / "spare"
    spare.rename(stand.run / "of-the-first")
    spare.mkdir()
    (spare / "ready").write_text("1 12345 /bin/true\n")
    first.communicate(timeout=5)
    assert (spare / "ready").exists()


def test_a_relay_that_is_killed_ends_its_helper_and_no_other(stand: Stand) -> None:
    reports = stand.reports()
    stand.script([*PASSES, ("sleep", 1), *ENDING])
    stand.wait_for_helpers()
    first = relay_that_waits(stand)
    libxl = stand.begin()
    reports.wait(lambda said: len(said["passes"]) == 3)
    os.kill(first, signal.SIGKILL)
    assert libxl.listen() != 0
    assert stand.begin(number=4).listen() == 0


def test_a_helper_whose_relay_dies_before_it_came_runs_alone(stand: Stand) -> None:
    stand.script([*PASSES, *ENDING])
    stand.wait_for_helpers()
    relay = relay_that_waits(stand)
    os.kill(relay, signal.SIGSTOP)
    libxl = stand.begin()
    until((stand.run / "spare" / "taken.1").exists)
    os.kill(relay, signal.SIGKILL)
    assert libxl.listen() == 0
    assert libxl.suspend_seen


def test_a_relay_that_hangs_keeps_a_helper_waiting_for_seconds_and_no_longer(stand: Stand) -> None:
    stand.script([*PASSES, *ENDING])
    stand.wait_for_helpers()
    os.kill(relay_that_waits(stand), signal.SIGSTOP)
    assert stand.begin().listen() == 0
    until(lambda: offered(stand) == 2)


def test_on_another_xen_nothing_is_offered(stand: Stand) -> None:
    stand.version("4.18")
    waiting = stand.wait_for_helpers()
    assert waiting.wait(5) == 3
    assert not (stand.run / "spare").exists()


@pytest.mark.parametrize("number", [6, 7, 8, 9])
def test_a_stream_under_a_number_that_is_needed_reaches_the_helper_all_the_same(stand: Stand, number: int) -> None:
    read, write = os.pipe()
    stand.script([("stream", b"memory"), *ENDING])
    stand.wait_for_helpers()
    code = f"import os, sys; os.dup2({write}, {number}); os.execv(sys.argv[1], sys.argv[1:])"
    words = [sys.executable, "-c", code, str(stand.probe), "--save-domain", str(number), "-1", "3", "1", "140", "0"]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=stand.environment(), pass_fds=(write,)
    )
    assert Libxl(process).listen() == 0
    assert os.read(read, 100) == b"memory"
