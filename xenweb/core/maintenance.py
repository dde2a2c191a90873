"""The life of a host's maintenance: one table, one function that reads it.

UNCERTAIN is where nobody knows whether the hypervisor holds what it was told: only asking it leads out.
"""

from enum import StrEnum

from xenweb.core.migration import ENDED as MOVE_ENDED
from xenweb.core.migration import State


class MaintenanceState(StrEnum):
    """The states of a maintenance, in the order in which it meets them."""

    ASKED = "asked"
    CLOSING = "closing"
    MOVING = "moving"
    READY = "ready"
    OPENING = "opening"
    UNCERTAIN = "uncertain"
    ENDED = "ended"
    FAILED = "failed"


S = MaintenanceState

# From ASKED on nothing of ours moves to the host. CLOSING and OPENING are stored before the hypervisor is told;
# it is its own inventory that leads on, never the answer to the call. FAILED claims nothing: the hypervisor
# refused, or the host was taken off the board for good.
TRANSITIONS: dict[MaintenanceState, frozenset[MaintenanceState]] = {
    S.ASKED: frozenset({S.CLOSING, S.OPENING, S.FAILED}),
    S.CLOSING: frozenset({S.MOVING, S.UNCERTAIN, S.OPENING, S.FAILED}),
    S.MOVING: frozenset({S.READY, S.OPENING, S.FAILED}),
    # A VM that comes back, or is started there, makes the host not empty again.
    S.READY: frozenset({S.MOVING, S.OPENING, S.FAILED}),
    S.OPENING: frozenset({S.ENDED, S.UNCERTAIN, S.FAILED}),
    S.UNCERTAIN: frozenset({S.MOVING, S.FAILED, S.OPENING, S.ENDED}),
    S.ENDED: frozenset(),
    S.FAILED: frozenset(),
}

ENDED = frozenset(state for state, following in TRANSITIONS.items() if not following)
ACTIVE = frozenset(TRANSITIONS) - ENDED
ENDABLE = frozenset(state for state, following in TRANSITIONS.items() if S.OPENING in following)


class ForbiddenMaintenanceError(ValueError):
    """A maintenance was asked to go where the table does not lead."""

    def __init__(self, current: MaintenanceState, following: MaintenanceState) -> None:
        super().__init__(f"A maintenance that is {current} cannot become {following}.")


def advance(current: MaintenanceState, following: MaintenanceState) -> MaintenanceState:
    """Answer ``following`` if the table leads there; raise ForbiddenMaintenanceError if not."""
    if following not in TRANSITIONS[current]:
        raise ForbiddenMaintenanceError(current, following)
    return following


class Stage(StrEnum):
    """How far one move of a maintenance is, as its host's page tells it."""

    TO_ASK = "to_ask"
    REFUSED = "refused"
    WAITING = "waiting"
    MOVING = "moving"
    UNCERTAIN = "uncertain"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


def stage_of(move: State | None, *, is_refused: bool) -> Stage:
    """Say how far a move is: by the state of the migration that it was asked for as, if it was."""
    if move is None:
        return Stage.REFUSED if is_refused else Stage.TO_ASK
    if move in MOVE_ENDED or move is State.UNCERTAIN:
        return Stage(move.value)
    return Stage.WAITING if move in {State.REQUESTED, State.QUEUED} else Stage.MOVING
