"""The figures that looks come to, worked out by hand: a wrong sign or a lost term shows here."""

from dataclasses import replace

import pytest

from xenweb.core.facts import PowerState
from xenweb.core.load import Counter, load_between
from xenweb.core.migration import Copy, ForbiddenTransitionError, State, advance, copy_of
from xenweb.core.precopy.passes import (
    FIRST_PASS_SHARE,
    LATER_PASSES_SHARE,
    Look,
    Track,
    expected_downtime,
    is_converging,
    mark_pass,
    observe,
)
from xenweb.core.quantities import Bytes, BytesPerSecond, Milliseconds
from xenweb.core.queueing import PATIENCE, Entry, Limits, next_moves, order


def look(at: int, number: int | None, remaining: int | None, processed: int | None, dirty: float | None = None) -> Look:
    return Look(
        Milliseconds(at),
        number,
        None if remaining is None else Bytes(remaining),
        None if processed is None else Bytes(processed),
        Bytes(1000),
        None if dirty is None else BytesPerSecond(dirty),
    )


def seen(*looks: Look) -> Track:
    track = Track()
    for each in looks:
        track = observe(track, each)
    return track


def test_a_pass_keeps_its_first_figures_and_follows_with_its_last() -> None:
    track = seen(look(100, 1, 900, 100, 7.0), look(300, 1, 600, 400, 9.0), look(500, 1, 300, 700))
    current = track.passes[0]
    assert (current.pass_number, current.started, current.ended) == (1, 100, None)
    assert (current.remaining_at_start, current.remaining_at_end) == (1000, 300)
    assert current.processed_at_start == 100
    assert current.transfer_rate == (700 - 100) * 1000 / (500 - 100)
    assert current.dirty_rate == 9.0  # a look that says nothing of it takes nothing away


def test_a_pass_counts_its_speed_from_its_own_start() -> None:
    track = seen(look(1000, 1, 500, 500), look(2000, 2, 300, 800, 5.0), look(2500, 2, 100, 1000))
    second = track.passes[1]
    assert (second.started, second.remaining_at_start, second.remaining_at_end) == (1000, 300, 100)
    assert second.dirty_rate == 5.0
    assert second.transfer_rate == (1000 - 800) * 1000 / (2500 - 1000)
    assert track.passes[0].ended == second.started


def test_a_pass_without_a_word_of_what_was_copied_keeps_the_speed_it_had() -> None:
    track = seen(look(0, 1, 900, 0), look(1000, 1, 500, 400), look(2000, 1, 400, None))
    assert track.passes[0].transfer_rate == 400
    assert track.transfer_rate == 400


def test_a_marked_pass_takes_its_start_from_the_event_and_its_figures_from_the_looks_around_it() -> None:
    track = observe(mark_pass(seen(look(0, 1, 1000, 0)), 2, Milliseconds(700)), look(900, 2, 200, 1100, 3.0))
    second = track.passes[1]
    # 1100 came across in 900 ms, so 856 by the event; the other 244 belong to the new pass.
    assert (second.started, second.remaining_at_start, second.remaining_at_end) == (700, 444, 200)
    assert (second.processed_at_start, second.dirty_rate) == (856, 3.0)
    assert track.passes[0].transfer_rate == 856 * 1000 / 700


def test_the_first_pass_of_a_late_start_begins_with_its_look() -> None:
    track = seen(look(50, None, None, None), look(400, 1, 900, 100))
    assert track.passes[0].started == 400
    assert track.last == look(400, 1, 900, 100)


def test_a_look_without_a_pass_is_remembered_as_the_last_one() -> None:
    nothing = look(70, None, 5, 6)
    track = observe(seen(look(10, 1, 900, 100)), nothing)
    assert track.last == nothing
    assert len(track.passes) == 1
    assert observe(track, replace(nothing, pass_number=0)).passes == track.passes


def test_the_speed_of_now_covers_the_window_and_no_more() -> None:
    looks = [look(at, 1, 1000 - at // 10, at // 10) for at in (0, 500, 1000)]
    assert seen(*looks).transfer_rate == 100
    assert seen(*looks, look(1001, 1, 300, 700)).transfer_rate == (700 - 50) * 1000 / (1001 - 500)


def test_a_speed_needs_two_words_of_what_was_copied() -> None:
    assert seen(look(0, 1, 900, None), look(1000, 1, 500, 400)).transfer_rate is None
    assert seen(look(0, 1, 900, 100), look(1000, 1, 500, None)).transfer_rate is None
    assert seen(look(0, 1, 900, 400), look(1000, 1, 500, 100)).transfer_rate == 0  # never backwards


def test_the_share_of_the_first_pass_is_what_is_copied_of_everything() -> None:
    assert seen(look(0, 1, 1000, 0)).total == 0
    assert seen(look(0, 1, 750, 250)).total == pytest.approx(FIRST_PASS_SHARE / 4)
    assert seen(look(0, 1, None, 250)).total == 0


@pytest.mark.parametrize(
    ("number", "left", "share"),
    [(2, 200, 0.0), (2, 100, 1 - 0.5**0.5), (2, 0, 0.5), (3, 200, 0.5), (3, 0, 0.75), (4, 400, 0.75)],
)
def test_each_later_pass_closes_half_of_what_is_left(number: int, left: int, share: float) -> None:
    track = seen(look(0, number, 200, 1000), look(10, number, left, 1000))
    assert track.total == pytest.approx(FIRST_PASS_SHARE + LATER_PASSES_SHARE * share)


def test_the_total_is_kept_when_a_look_shows_less() -> None:
    track = seen(look(0, 1, 200, 800), look(10, 1, 900, 800))
    assert track.total == pytest.approx(FIRST_PASS_SHARE * 0.8)


def test_two_pairs_that_do_not_shrink_after_the_first_pass_are_needed() -> None:
    starts = [1000, 300, 280, 270]
    looks = [look(10 * number, number, left, 0) for number, left in enumerate(starts, 1)]
    assert is_converging(seen(*looks[:3])) is True
    assert is_converging(seen(*looks)) is False
    exactly = [look(10 * number, number, left, 0) for number, left in enumerate([1000, 1000, 900, 810], 1)]
    assert is_converging(seen(*exactly)) is True  # a tenth less each time is getting somewhere


def test_no_pause_is_expected_without_a_speed_or_without_a_rest() -> None:
    assert expected_downtime(seen(look(0, 1, 900, 100)), None) is None
    assert expected_downtime(seen(look(0, 1, 900, 100), look(1000, 1, None, 200)), None) is None
    assert expected_downtime(seen(look(0, 1, 900, 0), look(1000, 1, 500, 400)), None) == 1250


def test_the_load_is_the_difference_of_two_counters() -> None:
    before, now = Counter(3_000_000_000, 10.0), Counter(4_000_000_000, 12.0)
    assert load_between(before, now, cpus=1) == 0.5
    assert load_between(before, replace(now, busy=before.busy), cpus=1) == 0.0
    assert load_between(before, replace(now, at=before.at), cpus=1) is None
    assert load_between(before, now, cpus=0) is None


@pytest.mark.parametrize(
    ("state", "active", "incoming", "copy"),
    [
        (PowerState.RUNNING, True, False, Copy.RUNNING),
        (PowerState.PAUSED, True, False, Copy.PAUSED),
        (PowerState.HALTED, False, False, Copy.INACTIVE),
        (PowerState.RUNNING, False, False, Copy.INACTIVE),
        (PowerState.PAUSED, True, True, Copy.INCOMING),
    ],
)
def test_what_a_host_says_of_its_copy(state: PowerState, active: bool, incoming: bool, copy: Copy) -> None:
    assert copy_of(state, active=active, incoming=incoming) is copy


def test_a_forbidden_step_says_from_where_to_where() -> None:
    with pytest.raises(ForbiddenTransitionError) as refused:
        advance(State.DONE, State.PRE_COPY)
    assert (refused.value.current, refused.value.following) == (State.DONE, State.PRE_COPY)


def entry(name: str, team: int, source: int, target: int, since: float = 0.0) -> Entry:
    return Entry(name, team, source, target, since)


def test_moves_under_way_count_for_their_teams() -> None:
    running = [entry("r1", 1, 1, 2), entry("r2", 1, 3, 4), entry("r3", 2, 5, 6)]
    waiting = [entry(f"a{n}", 1, 10, 11, n) for n in range(3)] + [entry(f"b{n}", 2, 10, 11, 5 + n) for n in range(3)]
    assert [each.migration for each in order(waiting, running)] == ["b0", "a0", "b1", "a1", "b2", "a2"]


def test_each_turn_counts_once_for_its_team() -> None:
    running = [entry(f"r{n}", 1, n, n + 50) for n in range(3)] + [entry("r9", 2, 9, 59)]
    waiting = [entry(f"a{n}", 1, 10, 11, n) for n in range(2)] + [entry(f"b{n}", 2, 10, 11, 5 + n) for n in range(3)]
    assert [each.migration for each in order(waiting, running)] == ["b0", "b1", "a0", "b2", "a1"]


def test_each_move_over_a_link_counts_once() -> None:
    limits = Limits(per_host=9, per_link=3, in_all=9)
    running = [entry("r1", 1, 1, 2), entry("r2", 1, 2, 1)]
    waiting = [entry("w1", 1, 1, 2), entry("w2", 1, 1, 2, 1.0)]
    assert [each.migration for each in next_moves(waiting, running, limits, 0.0)] == ["w1"]


def test_a_move_is_overdue_after_its_patience_not_at_its_end() -> None:
    limits = Limits(per_host=1, per_link=1, in_all=9)
    old, young = entry("old", 1, 1, 2, 1000.0), entry("young", 1, 2, 4, 1001.0)
    running = [entry("busy", 1, 1, 3)]
    assert next_moves([old, young], running, limits, 1000.0 + PATIENCE) == [young]
    assert next_moves([old, young], running, limits, 1000.1 + PATIENCE) == []
