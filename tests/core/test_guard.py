"""The life of a guard is one table, and very busy is what was measured."""

import pytest

from xenweb.core.guard import (
    AT_WORK,
    BEING_MADE,
    BUSY_WRITES,
    GUARD_ENDED,
    GUARD_TRANSITIONS,
    Business,
    ForbiddenGuardTransitionError,
    GuardPhase,
    GuardState,
    cleared_from,
    guard_advance,
    made_from,
    why_very_busy,
)
from xenweb.core.quantities import MIB, BytesPerSecond


def test_every_state_is_in_the_table_and_every_way_leads_to_an_end() -> None:
    assert set(GUARD_TRANSITIONS) == set(GuardState)
    assert {GuardState.REMOVED, GuardState.FAILED} == GUARD_ENDED
    for state in GuardState:
        reached, edge = {state}, {state}
        while edge:
            edge = {after for each in edge for after in GUARD_TRANSITIONS[each]} - reached
            reached |= edge
        assert reached & GUARD_ENDED


def test_once_a_host_was_told_to_make_it_a_guard_cannot_simply_be_forgotten() -> None:
    for state in (*BEING_MADE, GuardState.FLAGGED):
        assert not GUARD_TRANSITIONS[state] & GUARD_ENDED
    assert BEING_MADE < AT_WORK


@pytest.mark.parametrize(
    ("current", "following"),
    [
        (GuardState.ASKED, GuardState.KEPT),
        (GuardState.COPYING, GuardState.REMOVED),
        (GuardState.KEPT, GuardState.TAKING),
        (GuardState.REMOVED, GuardState.KEPT),
    ],
)
def test_where_the_table_does_not_lead_is_refused(current: GuardState, following: GuardState) -> None:
    with pytest.raises(ForbiddenGuardTransitionError):
        guard_advance(current, following)


@pytest.mark.parametrize(
    ("current", "phase", "following"),
    [
        (GuardState.TAKING, GuardPhase.TAKING, GuardState.TAKING),
        (GuardState.TAKING, GuardPhase.COPYING, GuardState.COPYING),
        (GuardState.TAKING, GuardPhase.WHOLE, GuardState.KEPT),
        (GuardState.COPYING, GuardPhase.WHOLE, GuardState.KEPT),
        (GuardState.COPYING, GuardPhase.TAKING, GuardState.CLEARING),
        (GuardState.COPYING, GuardPhase.NONE, GuardState.CLEARING),
        (GuardState.COPYING, GuardPhase.BROKEN, GuardState.CLEARING),
        (GuardState.TAKING, GuardPhase.ROLLING_BACK, GuardState.CLEARING),
    ],
)
def test_what_a_host_says_decides_what_a_guard_becomes(
    current: GuardState, phase: GuardPhase, following: GuardState
) -> None:
    assert made_from(current, phase) is following


def test_what_was_told_to_go_has_failed_only_if_nothing_of_it_is_left() -> None:
    assert cleared_from(GuardPhase.NONE) is GuardState.FAILED
    assert {cleared_from(each) for each in set(GuardPhase) - {GuardPhase.NONE}} == {GuardState.FLAGGED}


def rate(mib: float) -> BytesPerSecond:
    return BytesPerSecond(mib * MIB)


def test_a_vm_is_very_busy_by_its_memory_or_its_disks_and_never_by_what_nobody_measured() -> None:
    assert why_very_busy(Business()) == ""
    assert why_very_busy(Business(dirty_rate=rate(500))) == ""
    assert "50 MiB/s" in why_very_busy(Business(dirty_rate=rate(50), copy_speed=rate(100)))
    assert why_very_busy(Business(dirty_rate=rate(49), copy_speed=rate(100))) == ""
    assert "disks" in why_very_busy(Business(write_rate=BUSY_WRITES))
    assert why_very_busy(Business(write_rate=BytesPerSecond(BUSY_WRITES - 1))) == ""
