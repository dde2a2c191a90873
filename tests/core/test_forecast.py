"""A forecast is an interval; it holds what comes, narrows as passes are seen, and knows its error."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xenweb.core.precopy.forecast import (
    Change,
    Ending,
    Knowledge,
    Range,
    Seen,
    around,
    following,
    forecast,
    learned,
    limited,
    measured_now,
    narrowed,
    relative_error,
    sampled,
    spanning,
    widened,
)
from xenweb.core.precopy.rules import Guest, Path, Rule, play
from xenweb.core.quantities import MIB, Bytes, BytesPerSecond

NOTHING = Range(0, 0, 0)


def _known(content: float = 64, dirty: float = 1, span: float = 8, speed: float = 32) -> Knowledge:
    return Knowledge(
        content=around(content * MIB),
        dirty_rate=around(dirty * MIB),
        working_set=around(span * MIB),
        speed=around(speed * MIB),
        start=around(0.4),
        hand_over=around(0.02),
        finish=NOTHING,
    )


@given(st.sampled_from(Rule), st.floats(1, 1024), st.floats(0, 64), st.floats(0, 256), st.floats(1, 256))
def test_the_likely_course_lies_within_its_interval(
    rule: Rule, content: float, dirty: float, span: float, speed: float
) -> None:
    said = forecast(rule, _known(content, dirty, span, speed))
    for each in (said.total, said.downtime):
        if each is not None:
            assert each.low <= each.likely <= each.high


@given(st.floats(0.91, 1.09), st.floats(0.91, 1.09), st.floats(0.91, 1.09))
def test_a_move_whose_facts_were_within_what_was_known_ends_within_the_interval(
    content: float, dirty: float, speed: float
) -> None:
    said = forecast(Rule.XEN, _known())
    guest = Guest(Bytes(round(64 * MIB * content)), BytesPerSecond(MIB * dirty), Bytes(8 * MIB))
    path = Path(BytesPerSecond(32.0 * MIB * speed), BytesPerSecond(32.0 * MIB * speed), start=0.4, hand_over=0.02)
    came = play(Rule.XEN, guest, path)
    assert said.total is not None
    assert came.total is not None
    assert said.total.low <= came.total <= said.total.high


def test_a_guest_that_changes_too_fast_will_not_end() -> None:
    said = forecast(Rule.QEMU, _known(dirty=64, span=48, speed=16))
    assert said.ending is Ending.WILL_NOT
    assert said.total is None


def test_near_the_edge_it_is_said_that_it_may_not_end() -> None:
    endings = {forecast(Rule.QEMU, _known(dirty=dirty, span=64, speed=32)).ending for dirty in range(20, 120, 4)}
    assert endings == set(Ending)


def test_qemus_pause_is_promised_up_to_the_limit() -> None:
    said = forecast(Rule.QEMU, _known())
    assert said.downtime is not None
    assert said.downtime.high >= 0.3


def test_past_moves_narrow_what_is_known() -> None:
    wide = _known()
    assert wide.speed.likely == 32 * MIB
    showed = Seen(changes=(Change(2.0, 4.0 * MIB), Change(8.0, 4.0 * MIB)))
    after = learned(wide, [showed], [Seen(speed=48.0 * MIB), Seen(speed=52.0 * MIB)])
    assert after.dirty_rate.likely == 2 * MIB
    assert after.working_set.likely == 4 * MIB
    assert after.speed.likely == 50 * MIB
    assert after.content == wide.content


def test_a_working_set_that_was_not_seen_whole_may_be_as_large_as_the_content() -> None:
    after = learned(_known(), [Seen(changes=(Change(2.0, 4.0 * MIB), Change(4.0, 8.0 * MIB)))], [])
    assert after.working_set.low < 8 * MIB < after.working_set.likely < 64 * MIB <= after.working_set.high


def test_a_pass_that_left_something_over_does_not_make_a_guest_look_busier() -> None:
    # What QEMU leaves over is not a change; a brief pass says nothing.
    after = learned(_known(), [Seen(changes=(Change(0.01, 4.0 * MIB), Change(4.0, 4.0 * MIB)))], [])
    assert after.dirty_rate.likely == MIB


def test_a_sampled_rate_that_found_nothing_still_allows_a_little() -> None:
    assert sampled(0.0) == Range(0.0, 0.0, 6 * MIB)
    said = sampled(32.0 * MIB)
    assert 0 < said.low < 32 * MIB == said.likely < said.high


def test_a_sampled_rate_counts_where_no_past_move_tells() -> None:
    assert measured_now(_known(dirty=1), 16.0 * MIB, has_moved=False).dirty_rate == sampled(16.0 * MIB)


def test_a_sampled_rate_never_takes_away_from_what_past_moves_showed() -> None:
    known = _known(dirty=4)
    assert measured_now(known, 0.0, has_moved=True) == known
    assert measured_now(known, 4.0 * MIB, has_moved=True) == known


def test_a_guest_that_is_busier_than_in_its_past_moves_is_believed() -> None:
    busier = measured_now(_known(dirty=1), 40.0 * MIB, has_moved=True)
    assert busier.dirty_rate.likely == 40 * MIB
    assert busier.dirty_rate.low < MIB


def test_only_the_newest_past_moves_count() -> None:
    old, new = [Seen(speed=1.0)] * 20, [Seen(speed=float(MIB))] * 5
    assert learned(_known(), [], [*old, *new]).speed.low > 1.0


def test_how_a_move_starts_is_learned_from_all_until_two_hosts_have_made_some() -> None:
    slow, quick = Seen(start=2.0, speed=8.0 * MIB), Seen(start=0.4)
    few = learned(_known(), [], [slow], [quick, quick, quick, slow])
    assert (few.start.likely, few.speed.likely) == (0.4, 8 * MIB)
    assert learned(_known(), [], [slow] * 3, [quick] * 9).start.likely == 2.0


def test_a_chosen_limit_slows_the_passes_but_not_the_pause() -> None:
    slow = limited(_known(), 8.0 * MIB)
    assert slow.speed.likely == 8 * MIB
    assert slow.speed.high < 9 * MIB
    assert slow.pause_speed == 32 * MIB
    assert limited(_known(), None) == _known()


def test_a_seen_pass_narrows_the_interval() -> None:
    before = forecast(Rule.QEMU, _known())
    after = forecast(Rule.QEMU, narrowed(_known(), remaining=4 * MIB, speed=32 * MIB, dirty_rate=MIB), elapsed=2.0)
    assert before.total is not None
    assert after.total is not None
    assert after.total.high - after.total.low < before.total.high - before.total.low
    assert after.total.low >= 2.0


def test_an_interval_holds_all_that_was_seen() -> None:
    said = spanning([1.0, 9.0, 2.0])
    assert said.low <= 1.0
    assert said.likely == 2.0
    assert said.high >= 9.0


def test_a_range_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="does not hold"):
        Range(2, 1, 3)


def test_the_error_is_a_share_of_what_was_measured() -> None:
    assert relative_error(12.0, 10.0) == pytest.approx(0.2)
    assert relative_error(12.0, 0.0) == 0.0


RANGES = st.lists(st.floats(0, 1e12), min_size=3, max_size=3).map(lambda values: Range(*sorted(values)))
KNOWN = st.builds(
    Knowledge,
    content=RANGES,
    dirty_rate=RANGES,
    working_set=RANGES,
    speed=RANGES,
    start=RANGES,
    hand_over=RANGES,
    finish=RANGES,
    tail=st.one_of(st.none(), RANGES),
)


@given(st.sampled_from(Rule), KNOWN)
def test_whatever_is_known_nothing_divides_by_zero_and_the_interval_holds_the_likely_value(
    rule: Rule, known: Knowledge
) -> None:
    said = forecast(rule, known)
    assert (said.total is None) == (said.downtime is None) == (said.parts is None)
    for each in (said.total, said.downtime):
        assert each is None or each.low <= each.likely <= each.high


@given(KNOWN, st.floats(0, 1e12), st.one_of(st.none(), st.floats(0, 1e12)), st.one_of(st.none(), st.floats(0, 1e12)))
def test_narrowing_never_widens_beyond_what_was_seen(
    known: Knowledge, remaining: float, speed: float | None, rate: float | None
) -> None:
    after = narrowed(known, remaining=remaining, speed=speed, dirty_rate=rate)
    assert after.content.low == after.content.high == remaining
    assert after.start == NOTHING
    for before, now, seen in ((known.speed, after.speed, speed), (known.dirty_rate, after.dirty_rate, rate)):
        if seen is None:
            assert now == before
        else:
            assert now.high - now.low <= around(max(seen, 1.0)).high - around(max(seen, 1.0)).low + 1e-6 * now.high


@given(st.lists(st.builds(Change, st.floats(allow_nan=True), st.floats(allow_nan=True)), max_size=5), KNOWN)
def test_nonsense_changes_teach_but_never_raise(changes: list[Change], known: Knowledge) -> None:
    learned(known, [Seen(speed=math.nan, content=math.inf, changes=tuple(changes))], [Seen(speed=-1.0, start=math.nan)])


def test_the_parts_add_up_to_the_likely_total() -> None:
    said = forecast(Rule.QEMU, _known())
    assert said.parts is not None
    assert said.total is not None
    parts = said.parts
    whole = parts.start + parts.first_pass + parts.later_passes + parts.pause + parts.finish
    assert whole == pytest.approx(said.total.likely)


def test_where_the_harshest_case_never_ends_the_interval_goes_as_far_as_moves_still_end() -> None:
    known = replace(_known(dirty=8, span=32, speed=16), dirty_rate=Range(4.0 * MIB, 8.0 * MIB, 64.0 * MIB))
    said = forecast(Rule.QEMU, known)
    assert said.ending is Ending.MAY_NOT
    assert said.total is not None
    assert said.total.high > 1.5 * said.total.likely


def test_a_step_is_believed_at_once_and_a_wobble_is_not() -> None:
    assert following([10.0, 10.0, 20.0]).likely == 20.0
    assert following([10.0, 10.2, 10.4]).likely == pytest.approx(10.2)


def test_of_what_came_after_a_step_the_mean_is_believed() -> None:
    assert following([10.0, 10.0, 20.0, 21.0, 25.0]).likely == 22.0


def test_a_speed_that_wobbles_is_not_taken_for_that_of_another_link() -> None:
    wobbling, steady = (
        [Seen(speed=speed * MIB) for speed in row] for row in ((30, 34, 31, 33, 25), (31, 31, 31, 31, 25))
    )
    assert learned(_known(), [], wobbling).speed.likely == pytest.approx(30.6 * MIB)
    assert learned(_known(), [], steady).speed.likely == 25 * MIB


def test_what_others_showed_is_doubted() -> None:
    sure = _known()
    assert widened(sure).speed.low < sure.speed.low
    assert widened(sure).speed.likely == sure.speed.likely
    assert widened(sure).content == sure.content


def test_passes_that_did_not_fill_the_set_tell_a_counted_rate_together() -> None:
    passes = [
        Change(11, 64 * MIB, counted=True),
        Change(3.7, 28 * MIB, counted=True),
        Change(0.3, 3.3 * MIB, counted=True),
    ]
    known = learned(_known(192), [Seen(changes=tuple(passes))], [])
    assert known.dirty_rate.likely == pytest.approx(31.3 / 4.0 * MIB)
    assert known.dirty_rate.high == pytest.approx(11 * MIB * 1.1)
    assert known.working_set.likely == 64 * MIB


def test_a_pass_that_filled_the_set_says_that_the_rate_is_no_lower() -> None:
    passes = [
        Change(10, 4 * MIB, counted=True),
        Change(0.25, 4 * MIB, counted=True),
        Change(0.7, 1 * MIB, counted=True),
    ]
    known = learned(_known(160), [Seen(changes=tuple(passes))], [])
    assert known.dirty_rate.likely == 16 * MIB
    assert known.working_set.high < 5 * MIB


def test_rates_that_were_only_told_are_believed_by_the_fastest_pass() -> None:
    passes = (Change(10, 40 * MIB), Change(2, 10 * MIB), Change(1, 6 * MIB))
    assert learned(_known(), [Seen(changes=passes)], []).dirty_rate.likely == 6 * MIB
