"""What a guest's console proves."""

from xenweb.lab.xen.heartbeat import Beat, beats, is_gap_free, last_start, newest, parse, widest_gap


def beat(number: int, realtime: int | None = None, **more: int) -> Beat:
    """Return a beat, one each 100 ms."""
    at = number * 100_000
    fields = {"boottime": at, "monotonic": at, "disk": number, "changed": number} | more
    return Beat(number, realtime=at if realtime is None else realtime, **fields)


def test_a_line_is_a_beat_only_when_it_is_whole() -> None:
    assert parse("beat 1 2 3 4 5 6\r\n") == Beat(1, 2, 3, 4, 5, 6)
    assert parse("beat 1 2 3 4 5 6") is None
    assert parse("beat 1 2 3\n") is None
    assert parse("beat 1 2 3 4 5 x\n") is None
    assert parse("[    0.1] Linux version 6\n") is None


def test_a_console_begins_anywhere_and_holds_other_words() -> None:
    assert [found.number for found in beats("at 3 4 5 6\nbeat 7 1 1 1 1 1\nwitness: x\nbeat 8 2 2 2 2 2\nbeat 9")] == [
        7,
        8,
    ]


def test_each_guests_newest_beat_is_found_in_the_ends_of_all_consoles() -> None:
    ends = (
        "== guest-a.log\nbeat 1 1 1 1 1 1\nbeat 2 2 2 2 2 2\n== guest-b-1.log\n== guest-c.log\nbeat 7 1 1 1 1 1\nbeat 8"
    )
    assert {name: found.number for name, found in newest(ends).items()} == {"a": 2, "c": 7}


def test_the_last_start_is_put_together_from_all_hosts() -> None:
    here = [beat(1, 10), beat(2, 20), beat(1, 30), beat(2, 40)]
    there = [beat(3, 50), beat(4, 60)]
    assert [(found.number, found.realtime) for found in last_start([*there, *here])] == [
        (1, 30),
        (2, 40),
        (3, 50),
        (4, 60),
    ]


def test_a_gap_and_a_step_back_are_seen() -> None:
    assert is_gap_free([beat(1), beat(2), beat(3)])
    assert not is_gap_free([beat(1), beat(3)])
    assert not is_gap_free([beat(1), beat(2, disk=0)])
    assert not is_gap_free([beat(1), beat(2, monotonic=0)])
    assert is_gap_free([])


def test_the_widest_gap_is_by_the_wall_clock() -> None:
    assert widest_gap([beat(1), beat(2), beat(3, realtime=3_200_000)]) == 3.0
    assert widest_gap([beat(1)]) is None
