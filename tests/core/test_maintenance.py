"""The life of a maintenance is one table."""

import pytest

from xenweb.core.maintenance import (
    ACTIVE,
    ENDABLE,
    ENDED,
    TRANSITIONS,
    ForbiddenMaintenanceError,
    MaintenanceState,
    Stage,
    advance,
    stage_of,
)
from xenweb.core.migration import State

S = MaintenanceState


def test_every_state_leads_to_an_end_or_is_one() -> None:
    reached = set(ENDED)
    while more := {state for state in TRANSITIONS if state not in reached and TRANSITIONS[state] & reached}:
        reached |= more
    assert reached == set(MaintenanceState)
    assert {S.ENDED, S.FAILED} == ENDED


def test_nothing_moves_and_nothing_is_opened_without_the_hypervisors_own_word() -> None:
    assert {state for state in TRANSITIONS if S.MOVING in TRANSITIONS[state]} == {S.CLOSING, S.READY, S.UNCERTAIN}
    assert {state for state in TRANSITIONS if S.ENDED in TRANSITIONS[state]} == {S.OPENING, S.UNCERTAIN}


def test_every_maintenance_that_has_not_ended_can_be_undone() -> None:
    assert ACTIVE - {S.OPENING} == ENDABLE


def test_the_table_is_the_law() -> None:
    assert advance(S.CLOSING, S.MOVING) is S.MOVING
    with pytest.raises(ForbiddenMaintenanceError):
        advance(S.ASKED, S.MOVING)


@pytest.mark.parametrize(
    ("move", "stage"),
    [
        (None, Stage.TO_ASK),
        (State.QUEUED, Stage.WAITING),
        (State.CHECKING, Stage.MOVING),
        (State.CANCELLING, Stage.MOVING),
        (State.UNCERTAIN, Stage.UNCERTAIN),
        (State.DONE, Stage.DONE),
        (State.FAILED, Stage.FAILED),
        (State.CANCELLED, Stage.CANCELLED),
    ],
)
def test_a_move_is_as_far_as_its_migration(move: State | None, stage: Stage) -> None:
    assert stage_of(move, is_refused=False) is stage


def test_a_move_that_was_refused_was_never_one() -> None:
    assert stage_of(None, is_refused=True) is Stage.REFUSED
