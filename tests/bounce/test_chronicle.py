"""What is printed of a surprise: little, in its order, with the faults and moves that were going on."""

from datetime import UTC, datetime, timedelta

from tests.bounce.chronicle import MOST, Chronicle, Entry, around, told_by

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def entry(seconds: float, what: str) -> Entry:
    return Entry(NOON + timedelta(seconds=seconds), what)


def test_only_what_happened_around_a_moment_is_told_in_its_order() -> None:
    entries = [entry(4, "after"), entry(-60, "long ago"), entry(-2.5, "before"), entry(60, "much later")]
    assert around(entries, [NOON]) == ["11:59:57.500 before", "12:00:04.000 after"]
    assert around(entries, []) == []


def test_a_long_list_is_cut_and_says_so() -> None:
    said = around([entry(n / 100, "fault") for n in range(MOST + 7)], [NOON])
    assert len(said) == MOST + 1
    assert said[-1] == "... and 7 more"


def test_a_move_is_told_with_its_way_and_its_end() -> None:
    move = {
        "id": "M1",
        "vm_name": "git-1",
        "source_name": "host-c",
        "target_name": "host-a",
        "requested_at": "2026-01-01T12:00:00+00:00",
        "ended_at": "2026-01-01T12:00:02+00:00",
        "state": "failed",
        "failure_code": "move_failed",
    }
    asked, ended = told_by([move])
    assert str(asked) == "12:00:00.000 M1: git-1 from host-c to host-a asked for"
    assert str(ended) == "12:00:02.000 M1: git-1 from host-c to host-a failed move_failed"
    [_, still] = told_by([move | {"ended_at": None, "state": "uncertain", "failure_code": "vm_runs_twice"}])
    assert still.what.endswith("still uncertain vm_runs_twice")


def test_what_is_told_now_is_stamped_now() -> None:
    chronicle = Chronicle()
    before = datetime.now(UTC)
    chronicle.tell("daemon of host-a killed")
    [told] = chronicle.entries()
    assert before <= told.at <= datetime.now(UTC)
