"""The witnesses of a move, on invented consoles and disks."""

from pathlib import Path

import pytest

from xenweb.lab.qemu import heartbeat
from xenweb.lab.qemu.heartbeat import Arrival, Beat, beats, disk_counters, is_gap_free, is_undamaged, parse
from xenweb.lab.qemu.heartbeat_watch import HeartbeatWatch


def beat(number: int, **more: int) -> Beat:
    values = {"ticks": number, "changed": number, "disk": 0, "damaged": 0} | more
    return Beat(number, **values)


def test_a_beat_is_read_from_its_line() -> None:
    assert parse("beat 7 9 120 3 0\n") == Beat(number=7, ticks=9, changed=120, disk=3, damaged=0)


@pytest.mark.parametrize("line", ["beat 7 9 12", "beat 7 9 120 3 0", "pulse hz=20\n", "beat a b c d e\n", "\n"])
def test_other_words_and_half_lines_are_no_beats(line: str) -> None:
    assert parse(line) is None


def test_only_the_last_start_of_a_guest_counts(tmp_path: Path) -> None:
    console = tmp_path / "console"
    console.write_text("pulse hz=20\nbeat 1 1 0 0 0\nbeat 2 2 0 0 0\npulse hz=20\nbeat 1 1 5 0 0\nbeat 2 2 6 0")
    assert beats(console) == [Beat(1, 1, 5, 0, 0)]


def test_beats_in_order_are_gap_free() -> None:
    assert is_gap_free([beat(n) for n in range(1, 50)])


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (beat(3), "a beat is missing"),
        (beat(1), "the guest woke with old memory"),
        (beat(2, ticks=1), "its clock stood still"),
        (beat(2, changed=0), "it forgot what it changed"),
        (Beat(2, 2, 2, -1, 0), "it forgot what it wrote"),
    ],
)
def test_a_wrong_beat_is_a_gap(second: Beat, why: str) -> None:
    assert not is_gap_free([beat(1), second]), why


def test_damage_is_remembered() -> None:
    assert is_undamaged([beat(1), beat(2)])
    assert not is_undamaged([beat(1), beat(2, damaged=1)])


def test_the_pause_is_the_longest_silence_less_the_normal_one() -> None:
    arrivals = [Arrival(beat(n), at) for n, at in enumerate([0.0, 0.05, 0.10, 0.32, 0.37], start=1)]
    assert heartbeat.largest_gap_ms(arrivals) == pytest.approx(220)
    assert heartbeat.longest_pause_ms(arrivals, 50) == pytest.approx(170)
    assert heartbeat.largest_gap_ms(arrivals[:1]) is None
    assert heartbeat.longest_pause_ms(arrivals[:1], 50) is None


def test_beats_after_a_number() -> None:
    assert heartbeat.beats_after([beat(1), beat(2), beat(3)], 2) == [beat(3)]


def sector(counter: int) -> bytes:
    words = (counter, 0, counter ^ 0xFFFFFFFF)
    return (b"PULS" + b"".join(word.to_bytes(4, "little") for word in words)).ljust(512, b"\0")


def write_disk(image: Path, counters: list[int]) -> None:
    ring = bytearray(1025 * 512)
    for counter in counters:
        place = (1 + counter % 1024) * 512
        ring[place : place + 512] = sector(counter)
    image.write_bytes(ring)


def test_a_fresh_disk_has_no_counters(tmp_path: Path) -> None:
    write_disk(tmp_path / "disk", [])
    assert disk_counters(tmp_path / "disk") == heartbeat.DiskCounters(0, ())


def test_a_lost_write_is_named(tmp_path: Path) -> None:
    write_disk(tmp_path / "disk", [1, 2, 4])
    assert disk_counters(tmp_path / "disk") == heartbeat.DiskCounters(4, (3,))


def test_the_ring_of_counters_may_have_gone_around(tmp_path: Path) -> None:
    write_disk(tmp_path / "disk", list(range(1, 3001)))
    assert disk_counters(tmp_path / "disk") == heartbeat.DiskCounters(3000, ())


def test_a_watch_hears_beats_from_now_on(tmp_path: Path) -> None:
    console = tmp_path / "console"
    console.write_text("beat 1 1 0 0 0\n")
    with HeartbeatWatch(console) as watch, console.open("a") as guest:
        for text in ("beat 2 2 0 ", "0 0\nbeat 3 3 0 0 0\n"):
            guest.write(text)
            guest.flush()
        assert watch.wait_for(2, timeout=5)
        assert [arrival.beat.number for arrival in watch.arrivals()] == [2, 3]
        assert not watch.wait_for(1, timeout=0.05)


def test_a_watch_goes_on_when_the_console_was_shortened(tmp_path: Path) -> None:
    console = tmp_path / "console"
    console.write_text("beat 1 1 0 0 0\n" * 9)
    with HeartbeatWatch(console) as watch:
        console.write_text("beat 10 10 0 0 0\n")
        assert watch.wait_for(1, timeout=5)
        assert watch.arrivals()[0].beat.number == 10
