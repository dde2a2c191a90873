"""The life of a guard: a VM's disks as they were at one moment before its move, kept for the way back.

Its memory of that moment is kept with them if that was asked for. One table; what a guard becomes is read from what
its host says of it. A guard is never silently lost: whatever is half-made is being cleared away, or says that it
could not be.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from xenweb.core.migration import State
from xenweb.core.quantities import MIB, BytesPerSecond


class GuardState(StrEnum):
    """The states of a guard, in the order in which it meets them."""

    ASKED = "asked"
    TAKING = "taking"
    COPYING = "copying"
    CLEARING = "clearing"
    FLAGGED = "flagged"
    KEPT = "kept"
    ROLLING_BACK = "rolling_back"
    RESTORING = "restoring"
    REMOVING = "removing"
    REMOVED = "removed"
    FAILED = "failed"


G = GuardState

GUARD_TRANSITIONS: dict[GuardState, frozenset[GuardState]] = {
    G.ASKED: frozenset({G.TAKING, G.FAILED}),
    # Nothing of it may be left standing unseen: from here on it is whole, or it is cleared away.
    G.TAKING: frozenset({G.COPYING, G.KEPT, G.CLEARING}),
    G.COPYING: frozenset({G.KEPT, G.CLEARING}),
    G.CLEARING: frozenset({G.FAILED, G.FLAGGED}),
    G.FLAGGED: frozenset({G.CLEARING}),
    G.KEPT: frozenset({G.ROLLING_BACK, G.REMOVING}),
    # A roll-back that breaks off is begun again: half-way, the disks are of no moment at all.
    G.ROLLING_BACK: frozenset({G.KEPT, G.FLAGGED, G.RESTORING}),
    # The disks are back, and the memory that belongs to them is being read; the guard is kept whatever comes of it.
    G.RESTORING: frozenset({G.KEPT}),
    G.REMOVING: frozenset({G.REMOVED, G.KEPT}),
    G.REMOVED: frozenset(),
    G.FAILED: frozenset(),
}
GUARD_ENDED = frozenset(state for state, following in GUARD_TRANSITIONS.items() if not following)
BEING_MADE = frozenset({G.TAKING, G.COPYING})
AT_WORK = frozenset({G.TAKING, G.COPYING, G.CLEARING, G.ROLLING_BACK, G.RESTORING, G.REMOVING})
"""In these a volume group's own books are changed: by one host at a time, and so by one guard of a pool."""


class ForbiddenGuardTransitionError(ValueError):
    """A guard was asked to go where the table does not lead."""


def guard_advance(current: GuardState, following: GuardState) -> GuardState:
    """Answer ``following`` if the table leads there; raise ForbiddenGuardTransitionError if not."""
    if following not in GUARD_TRANSITIONS[current]:
        msg = f"A guard that is {current} cannot become {following}."
        raise ForbiddenGuardTransitionError(msg)
    return following


class GuardPhase(StrEnum):
    """What a host says of a guard at one moment.

    WHOLE stands by itself, with no snapshot left; BROKEN is part of one on which nobody works.
    """

    NONE = "none"
    TAKING = "taking"
    COPYING = "copying"
    CLEARING = "clearing"
    WHOLE = "whole"
    BROKEN = "broken"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"


_MADE = {
    GuardPhase.TAKING: G.TAKING,
    GuardPhase.COPYING: G.COPYING,
    GuardPhase.WHOLE: G.KEPT,
}


def made_from(current: GuardState, phase: GuardPhase) -> GuardState:
    """Answer what a guard that is being made has become by what its host says; what is odd is cleared away."""
    following = _MADE.get(phase, G.CLEARING)
    is_back = following is G.TAKING and current is G.COPYING
    return G.CLEARING if is_back else following


def cleared_from(phase: GuardPhase) -> GuardState:
    """Answer what a guard is after it was told to go."""
    return G.FAILED if phase is GuardPhase.NONE else G.FLAGGED


BUSY_SHARE = 0.5
"""A VM that changes memory at this share of the speed at which it is copied may not converge: it is very busy."""

BUSY_WRITES = BytesPerSecond(20.0 * MIB)
"""A VM that writes so much to its disks is very busy, whatever its memory does."""


@dataclass(frozen=True, slots=True)
class Business:
    """What was measured of a VM before its move; None where nothing was.

    ``dirty_rate`` is of its memory, ``copy_speed`` of its last move, ``write_rate`` of its disks.
    """

    dirty_rate: BytesPerSecond | None = None
    copy_speed: BytesPerSecond | None = None
    write_rate: BytesPerSecond | None = None


def why_very_busy(seen: Business) -> str:
    """Say by what was measured that a VM is very busy; empty if it is not, or if nothing was measured."""
    if seen.dirty_rate is not None and seen.copy_speed and seen.dirty_rate >= BUSY_SHARE * seen.copy_speed:
        return (
            f"its memory changes at {seen.dirty_rate / MIB:.0f} MiB/s, and was last copied at "
            f"{seen.copy_speed / MIB:.0f} MiB/s"
        )
    if seen.write_rate is not None and seen.write_rate >= BUSY_WRITES:
        return f"it writes {seen.write_rate / MIB:.0f} MiB/s to its disks"
    return ""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long a guard is kept once its move has ended."""

    after_success: timedelta
    after_failure: timedelta

    def for_end(self, outcome: State) -> timedelta:
        """Answer it for one outcome: only a move that is proven to have arrived needs its guard no longer."""
        return self.after_success if outcome is State.DONE else self.after_failure
