"""The relay in the helper's place: every byte passes, whatever becomes of those who listen."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.probe.stand import COMPLETE, ENDING, PASSES, SUSPEND, Stand, frame, log, progress
from xenweb.probe.configuration import Configuration
from xenweb.probe.packing import packed
from xenweb.probe.record import Record
from xenweb.probe.relay import REPEAT_EVERY, Ends, Reports, Shuttle


@pytest.fixture(params=["started", "waiting"])
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    """Lend a stand whose relays are started anew for each helper, and one where they wait for it."""
    stand = Stand(tmp_path, waits=request.param == "waiting")
    yield stand
    stand.end()


REAL = bytes.fromhex(
    "320001000100000000000000120000006c6962786c2d736176652d68656c706572000e0000007374617274696e6720736176650052000100"
    "08000000020000000800000078656e63616c6c0038000000436f756c64206e6f74206f627461696e2068616e646c65206f6e207072697669"
    "6c6567656420636f6d6d616e6420696e74657266616365003d0001000800000002000000120000006c6962786c2d736176652d68656c7065"
    "72001900000078635f696e746572666163655f6f70656e206661696c656400"
)
"""What the real helper of Xen 4.17.5 says on a machine without Xen, before it ends with 255."""


def test_the_real_helpers_own_bytes_are_understood(stand: Stand) -> None:
    reports = stand.reports()
    stand.script([("write", REAL), ("exit", 255)])
    libxl = stand.begin()
    assert libxl.listen() == 255
    assert bytes(libxl.said) == REAL
    end = reports.wait(lambda said: said["ended"] is not None)
    assert end["understood"]
    assert end["errors"] == ["Could not obtain handle on privileged command interface", "xc_interface_open failed"]


def written(steps: list[tuple[str, object]]) -> bytes:
    """Answer all that a script writes."""
    said = b""
    for verb, argument in steps:
        if verb in {"write", "ask", "slowly"}:
            said += argument  # type: ignore[operator]
        elif verb == "flood":
            said += bytes.fromhex(argument[0]) * argument[1]  # type: ignore[index]
    return said


def test_every_byte_and_every_answer_passes(stand: Stand) -> None:
    stand.script(PASSES + ENDING)
    libxl = stand.begin()
    assert libxl.listen() == 0
    assert bytes(libxl.said) == written(PASSES + ENDING)
    assert [each["answer"] for each in stand.noted()[1:]] == [1, 1]


def test_the_process_that_libxl_started_is_the_helper_itself_with_its_words(stand: Stand) -> None:
    stand.script(ENDING)
    libxl = stand.begin(number=17)
    libxl.listen()
    [first, *_] = stand.noted()
    assert first["pid"] == libxl.process.pid
    assert first["argv"] == ["--save-domain", "1", "-1", "17", "1", "140", "0"]


def test_passes_are_told_with_their_pages_and_the_last_one_apart_though_its_label_is_the_same(stand: Stand) -> None:
    reports = stand.reports()
    stand.script(PASSES + ENDING)
    stand.begin().listen()
    end = reports.wait(lambda said: said["ended"] is not None)
    assert [(each["label"], each["live"], each["total"], each["done"]) for each in end["passes"]] == [
        (0, True, 40960, 40960),
        (1, True, 3000, 3000),
        (2, True, 40, 40),
        (2, False, 12, 12),
    ]
    assert end["passes"][0]["began"] <= end["passes"][0]["ended"] <= end["passes"][1]["began"]
    assert end["passes"][2]["ended"] <= end["suspend_asked"] <= end["suspended"] <= end["passes"][3]["began"]
    assert (end["value"], end["understood"], end["cancel"]) == (0, True, "")
    assert (end["mode"], end["number"]) == ("save", 3)


def test_the_target_tells_when_the_memory_is_whole(stand: Stand) -> None:
    reports = stand.reports()
    stand.script([("write", log(1, "starting restore")), ("write", frame(9, b"\0" * 16)), ("ask", COMPLETE)])
    assert stand.begin("--restore-domain").listen() == 0
    end = reports.wait(lambda said: said["ended"] is not None)
    assert end["mode"] == "restore"
    assert end["results"] <= end["completed"]


def test_what_the_helper_says_went_wrong_is_told(stand: Stand) -> None:
    reports = stand.reports()
    stand.script([("write", log(1, "fine")), ("write", log(8, "Failed to write: Broken pipe")), ("exit", 3)])
    assert stand.begin().listen() == 3
    assert reports.wait(lambda said: said["ended"] is not None)["errors"] == ["Failed to write: Broken pipe"]


def test_the_exit_status_is_the_helpers_own_even_by_a_signal(stand: Stand) -> None:
    stand.script([("write", log(1, "fine")), ("kill", int(signal.SIGKILL))])
    assert stand.begin().listen() == -signal.SIGKILL


def test_the_stream_ends_for_the_other_host_when_the_helper_ends(stand: Stand) -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    stand.script([("stream", b"memory"), *PASSES, *ENDING])
    libxl = stand.begin(stream=write)
    os.close(write)
    ended: list[bytes] = []
    reader = threading.Thread(target=lambda: ended.extend(iter(lambda: os.read(read, 100), b"")))
    reader.start()
    libxl.listen()
    reader.join(5)
    assert not reader.is_alive()
    assert ended == [b"memory"]


def test_bytes_that_come_one_by_one_arrive(stand: Stand) -> None:
    steps = [("slowly", progress("Frames iteration 0", 5, 10)), *ENDING]
    stand.script(steps)
    libxl = stand.begin()
    assert libxl.listen() == 0
    assert bytes(libxl.said) == written(steps)


@pytest.mark.parametrize(
    "odd",
    [
        b"\x00\x00",
        frame(99, b"whatever"),
        b"not frames at all, but text that goes on",
        frame(2, b"\xff" * 40),
        frame(1, b""),
        b"\xff\xff\x01\x00half a frame",
    ],
)
def test_what_is_not_understood_passes_as_it_is_and_is_not_read(stand: Stand, odd: bytes) -> None:
    reports = stand.reports()
    stand.script([("write", odd), ("sleep", 0.8), ("write", b"the end"), ("exit", 0)])
    libxl = stand.begin()
    libxl._answer = lambda at: at  # type: ignore[method-assign]
    assert libxl.listen() == 0
    assert bytes(libxl.said) == odd + b"the end"
    assert not reports.wait(lambda said: said["ended"] is not None)["understood"]


@pytest.mark.parametrize("version", ["4.16", "4.18", "4.20", "5.17"])
def test_another_xen_gets_its_helper_alone(stand: Stand, version: str) -> None:
    reports = stand.reports()
    stand.version(version)
    stand.script(ENDING)
    libxl = stand.begin()
    assert libxl.listen() == 0
    assert bytes(libxl.said) == written(ENDING)
    time.sleep(0.2)
    assert reports.heard == []


def test_where_no_version_is_said_the_helper_runs_alone(stand: Stand) -> None:
    (stand.folder / "version" / "major").unlink()
    stand.script(ENDING)
    assert stand.begin().listen() == 0


def test_words_that_are_not_understood_reach_the_helper_unchanged(stand: Stand) -> None:
    stand.script([("exit", 7)])
    words = ["--save-domain", "1", "--new-option"]
    assert stand.begin(words=words).listen() == 7
    assert stand.noted()[0]["argv"] == words


def test_a_configuration_that_is_nonsense_takes_no_move_its_helper(stand: Stand) -> None:
    stand.config.write_text("{not json")
    libxl = stand.begin()
    assert libxl.listen() == 127  # no helper is installed on this machine: the same as without the probe


@pytest.mark.parametrize("listener", ["none", "dead", "deaf", "no folder", "a file"])
def test_nobody_who_listens_badly_holds_a_move_up(stand: Stand, listener: str) -> None:
    place = stand.run / "reports.sock"
    held: list[socket.socket] = []
    if listener in {"dead", "deaf"}:
        held.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        held[0].bind(str(place))
        if listener == "dead":
            held[0].close()
    elif listener == "no folder":
        stand.run.rmdir()
    elif listener == "a file":
        place.write_text("")
    steps = [*PASSES, ("flood", [progress("Frames iteration 3", 1, 9).hex(), 20000]), *ENDING]
    stand.script(steps)
    libxl = stand.begin()
    assert libxl.listen() == 0
    assert bytes(libxl.said) == written(steps)


def test_a_listener_that_is_killed_under_way_is_not_missed(stand: Stand) -> None:
    reports = stand.reports()
    steps = [*PASSES, ("sleep", 0.4), *ENDING]
    stand.script(steps)
    libxl = stand.begin()
    reports.wait(lambda said: len(said["passes"]) == 3)
    reports.socket.close()
    assert libxl.listen() == 0
    assert bytes(libxl.said) == written(steps)


def test_one_that_comes_back_hears_all_of_it(stand: Stand) -> None:
    first = stand.reports()
    stand.script([*PASSES, ("sleep", 0.4), *ENDING])
    libxl = stand.begin()
    first.wait(lambda said: len(said["passes"]) == 3)
    first.socket.close()
    (stand.run / "reports.sock").unlink()
    second = stand.reports()
    libxl.listen()
    assert len(second.wait(lambda said: said["ended"] is not None)["passes"]) == 4


@pytest.mark.parametrize("is_gone", [True, False])
def test_what_nobody_heard_is_told_again_though_nothing_more_happens(stand: Stand, *, is_gone: bool) -> None:
    """The request to suspend is told to nobody, or to a listener that ends before it reads."""
    first = stand.reports()
    stand.script([*PASSES, ("sleep", 0.5), ENDING[0], ("sleep", 5), *ENDING[1:]])
    libxl = stand.begin()
    threading.Thread(target=libxl.listen).start()
    first.wait(lambda said: len(said["passes"]) == 3)
    if is_gone:
        first.socket.close()
    time.sleep(1.5)
    (stand.run / "reports.sock").unlink()
    second = stand.reports()
    began = time.monotonic()
    said = second.wait(lambda said: said["suspend_asked"] is not None)
    assert said["ended"] is None
    assert time.monotonic() - began < REPEAT_EVERY + 0.5


def test_progress_gathers_in_the_middle_of_a_pass_and_passes_whole(stand: Stand) -> None:
    said = [progress("Frames iteration 0", done, 4_096_000) for done in range(1024, 30 * 1024, 1024)]
    steps = [step for each in said for step in (("write", each), ("sleep", 0.02))]
    stand.script([*steps, *ENDING])
    libxl = stand.begin()
    assert libxl.listen() == 0
    assert bytes(libxl.said) == written([*steps, *ENDING])
    assert libxl.reads < len(said)


FLOOD_FRAMES = 192_000
FRAME_EVERY = 400e-6
"""Seconds between two frames of Xen's, one every 4 MiB, were memory copied at 10 GB/s."""


def test_a_flood_at_full_speed_passes_whole_and_costs_a_move_next_to_nothing(stand: Stand) -> None:
    piece = b"".join(progress("Frames iteration 0", done, 81920) for done in range(64))
    steps = [("write", log(1, "starting save")), ("flood", [piece.hex(), FLOOD_FRAMES // 64]), *ENDING]
    stand.script(steps)
    stand.reports()
    libxl = stand.begin()
    began = time.monotonic()
    assert libxl.listen(60) == 0
    assert bytes(libxl.said) == written(steps)
    assert (time.monotonic() - began) / FLOOD_FRAMES < FRAME_EVERY / 10


def test_hostile_wishes_reach_nothing(stand: Stand) -> None:
    reports = stand.reports()
    stand.script([*PASSES, ("sleep", 0.5), *ENDING])
    libxl = stand.begin()
    reports.wait(lambda said: len(said["passes"]) == 3)
    place = stand.run / f"relay-{libxl.process.pid}.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.setblocking(False)
        for wish in [b"", b"CANCEL", b"cancel now", b"\xff" * 60, b"x" * 60000] * 20:
            try:
                one.sendto(wish, str(place))
            except OSError:
                continue
    assert libxl.listen() == 0
    assert reports.wait(lambda said: said["ended"] is not None)["cancel"] == ""


def wish(stand: Stand, pid: int) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.sendto(b"cancel", str(stand.run / f"relay-{pid}.sock"))


def test_a_move_is_given_up_before_the_guest_is_suspended(stand: Stand) -> None:
    reports = stand.reports()
    stand.script([*PASSES, ("sleep", 5), *ENDING])
    libxl = stand.begin()
    reports.wait(lambda said: len(said["passes"]) == 3)
    wish(stand, libxl.process.pid)
    began = time.monotonic()
    assert libxl.listen() == 0
    assert time.monotonic() - began < 3
    assert not libxl.suspend_seen
    end = reports.wait(lambda said: said["ended"] is not None)
    assert (end["cancel"], end["value"], end["suspend_asked"]) == ("accepted", -1, None)


def test_a_request_to_suspend_that_crosses_the_wish_never_reaches_libxl(stand: Stand) -> None:
    # This helper notices nothing of the signal before it has asked for the suspension.
    reports = stand.reports()
    stand.script(
        [
            *PASSES,
            ("sleep", 5),
            ("late", ""),
            *[("ask" if each == ("ask", SUSPEND) else each[0], each[1]) for each in ENDING],
        ]
    )
    deaf = stand.helper.read_text().replace('if given["broken"] and verb != "late": finish(-1)', "pass")
    stand.helper.write_text(deaf)
    libxl = stand.begin()
    reports.wait(lambda said: len(said["passes"]) == 3)
    wish(stand, libxl.process.pid)
    assert libxl.listen() == 0
    assert not libxl.suspend_seen
    assert {"answer": 0} in stand.noted()


def test_after_the_request_to_suspend_nothing_is_given_up_and_the_reason_is_told(stand: Stand) -> None:
    reports = stand.reports()
    stand.script([*PASSES, ENDING[0], ("sleep", 0.5), *ENDING[1:]])
    libxl = stand.begin()
    threading.Thread(
        target=lambda: (
            reports.wait(lambda said: said["suspend_asked"] is not None),
            wish(stand, libxl.process.pid),
        ),
    ).start()
    assert libxl.listen() == 0
    end = reports.wait(lambda said: said["ended"] is not None)
    assert end["cancel"] == "refused: the guest has been asked to suspend"
    assert end["value"] == 0


def test_a_copy_that_is_received_is_not_given_up(stand: Stand) -> None:
    reports = stand.reports()
    stand.script([("write", log(1, "starting restore")), ("sleep", 0.5), ("ask", COMPLETE)])
    libxl = stand.begin("--restore-domain")
    reports.wait(lambda said: True)
    wish(stand, libxl.process.pid)
    assert libxl.listen() == 0
    assert str(reports.wait(lambda said: said["ended"] is not None)["cancel"]).startswith("refused")


def test_a_libxl_that_dies_is_noticed_by_the_helper_as_without_the_probe(stand: Stand) -> None:
    stand.script([*PASSES, ("ask", SUSPEND), ("exit", 0)])
    libxl = stand.begin()
    assert libxl.process.stdin is not None
    assert libxl.process.stdout is not None
    libxl.process.stdin.close()
    libxl.process.stdout.close()
    assert libxl.process.wait(10) != 0


def test_no_socket_and_no_child_is_left_after_a_move(stand: Stand) -> None:
    stand.reports()
    stand.script(ENDING)
    stand.begin().listen()
    until = time.monotonic() + 3
    while list(stand.run.glob("relay-*")) and time.monotonic() < until:
        time.sleep(0.02)
    assert {each.name for each in stand.run.iterdir()} - {"spare"} == {"reports.sock"}


def test_the_packed_file_is_the_same_each_time_and_runs_with_the_standard_library_alone(stand: Stand) -> None:
    assert stand.probe.read_bytes() == packed()
    bare = [sys.executable, "-I", "-S", str(stand.probe), "check"]
    stand.script([])
    done = subprocess.run(bare, env=stand.environment(), capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)["relays"]) == (0, True)


class Broken(Reports):
    """Reports whose every part fails otherwise than was thought of."""

    def tell(self, _record: Record) -> None:
        msg = "nobody has thought of this"
        raise RuntimeError(msg)

    def asked(self) -> str:
        msg = "nor of this"
        raise RuntimeError(msg)


def test_whatever_goes_wrong_with_the_reports_every_byte_passes(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    reports = Broken(Configuration(run=tmp_path / "run"), os.getpid())
    (libxl_says, to_us), (helper_says, says), (hears, to_libxl), (_, to_helper) = (os.pipe() for _ in range(4))
    os.close(to_us)
    said = written([*PASSES, *ENDING])
    os.write(says, said)
    os.close(says)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.sendto(b"cancel", str(tmp_path / "run" / f"relay-{os.getpid()}.sock"))
    ends = Ends(libxl_says, to_libxl, helper_says, to_helper, None)
    Shuttle(Record(os.getpid(), "save", 3, time.monotonic()), reports, ends).run()
    os.close(to_libxl)
    assert os.read(hears, 2 * len(said)) == said
