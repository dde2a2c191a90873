"""A forecast is an interval; it holds what comes, narrows as passes are seen, and knows its error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xenweb.core.precopy.forecast import (
    Ending,
    Knowledge,
    Range,
    Seen,
    around,
    forecast,
    learned,
    limited,
    narrowed,
    relative_error,
    spanning,
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
    after = learned(wide, [Seen(dirty_rate=2.0 * MIB)], [Seen(speed=48.0 * MIB), Seen(speed=52.0 * MIB)])
    assert after.dirty_rate.likely == 2 * MIB
    assert after.speed.likely == 50 * MIB
    assert after.content == wide.content


def test_only_the_newest_past_moves_count() -> None:
    old, new = [Seen(speed=1.0)] * 20, [Seen(speed=float(MIB))] * 5
    assert learned(_known(), [], [*old, *new]).speed.low > 1.0


def test_a_chosen_limit_slows_the_passes_but_not_the_pause() -> None:
    slow = limited(_known(), 8.0 * MIB)
    assert slow.speed.high == 8 * MIB
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
