"""The life of a move: one table, one function that reads it, one reconciliation.

Every other set of states (active, ended, cancellable) is derived from the table.
"""

from dataclasses import dataclass
from enum import StrEnum

from xenweb.core.facts import Kind, PowerState


class State(StrEnum):
    """The states of a move, in the order in which a move meets them."""

    REQUESTED = "requested"
    QUEUED = "queued"
    CHECKING = "checking"
    PREPARING = "preparing"
    COPYING_STORAGE = "copying_storage"
    PRE_COPY = "pre_copy"
    STOP_AND_COPY = "stop_and_copy"
    POST_COPY = "post_copy"
    CANCELLING = "cancelling"
    VERIFYING = "verifying"
    UNCERTAIN = "uncertain"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


S = State

# Before the hypervisor was called, a move may simply end. After it was called,
# only VERIFYING (both hosts asked) or UNCERTAIN (not proven yet) lead to an end.
TRANSITIONS: dict[State, frozenset[State]] = {
    S.REQUESTED: frozenset({S.QUEUED, S.CANCELLED, S.FAILED}),
    S.QUEUED: frozenset({S.CHECKING, S.CANCELLED, S.FAILED}),
    S.CHECKING: frozenset({S.PREPARING, S.CANCELLED, S.FAILED}),
    S.PREPARING: frozenset({S.COPYING_STORAGE, S.PRE_COPY, S.STOP_AND_COPY, S.CANCELLING, S.VERIFYING, S.UNCERTAIN}),
    S.COPYING_STORAGE: frozenset({S.PRE_COPY, S.STOP_AND_COPY, S.CANCELLING, S.VERIFYING, S.UNCERTAIN}),
    S.PRE_COPY: frozenset({S.STOP_AND_COPY, S.POST_COPY, S.CANCELLING, S.VERIFYING, S.UNCERTAIN}),
    S.STOP_AND_COPY: frozenset({S.PRE_COPY, S.POST_COPY, S.CANCELLING, S.VERIFYING, S.UNCERTAIN}),
    # No host holds the whole memory: there is no way back, and nothing to cancel.
    S.POST_COPY: frozenset({S.VERIFYING, S.UNCERTAIN}),
    S.CANCELLING: frozenset({S.VERIFYING, S.UNCERTAIN}),
    S.VERIFYING: frozenset({S.DONE, S.FAILED, S.CANCELLED, S.UNCERTAIN}),
    S.UNCERTAIN: frozenset({S.COPYING_STORAGE, S.PRE_COPY, S.CANCELLING, S.VERIFYING, S.DONE, S.FAILED, S.CANCELLED}),
    S.DONE: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
}

ENDED = frozenset(state for state, following in TRANSITIONS.items() if not following)
ACTIVE = frozenset(TRANSITIONS) - ENDED
NOT_CALLED = frozenset({S.REQUESTED, S.QUEUED, S.CHECKING})
CALLED = ACTIVE - NOT_CALLED
CANCELLABLE = frozenset(state for state in ACTIVE if {S.CANCELLING, S.CANCELLED} & TRANSITIONS[state]) - {S.VERIFYING}
CLOSABLE = frozenset({S.UNCERTAIN})
"""Where a person may end what no proof ends: a host that is dead for good never answers again."""


class ForbiddenTransitionError(ValueError):
    """A move was asked to go where the table does not lead."""

    def __init__(self, current: State, following: State) -> None:
        super().__init__(f"A move that is {current} cannot become {following}.")
        self.current = current
        self.following = following


def advance(current: State, following: State) -> State:
    """Answer ``following`` if the table leads there; raise ForbiddenTransitionError if not."""
    if following not in TRANSITIONS[current]:
        raise ForbiddenTransitionError(current, following)
    return following


class Copy(StrEnum):
    """What one host, asked directly, says of its copy of the VM.

    INCOMING is a copy that stands still because of a move: at a target it is still
    being received, at a source it was stopped for the hand-over. NEVER_RAN is one that
    the hypervisor itself proves to have stood still ever since it was made. SET_ASIDE is a copy
    that a person chose to pause because the other one ran as well: no host can say
    so, whoever knows of the choice reads it into the answer.
    """

    RUNNING = "running"
    PAUSED = "paused"
    INCOMING = "incoming"
    NEVER_RAN = "never_ran"
    SET_ASIDE = "set_aside"
    INACTIVE = "inactive"
    ABSENT = "absent"
    NO_ANSWER = "no_answer"


class Unclear(StrEnum):
    """Why a move that shows nowhere may go on all the same.

    LOST: the hypervisor has no word of it left, neither that it goes on nor how it ended. UNASKED: it
    calls it cancelled, and nobody had asked for that.
    """

    LOST = "lost"
    UNASKED = "unasked"


@dataclass(frozen=True, slots=True)
class Proof:
    """What both hosts answered when they were asked, after the call or a crash.

    ``busy`` says that the source still works on the migration. ``kind`` is how the
    VM moves: it says in which copy it may rest where it has arrived. ``misread`` says
    that the source's daemon takes a VM that runs for a paused one. ``unclear`` says why
    a VM that is still at its source may be under way all the same. ``one_record`` says that
    both answers are of one and the same record, which has the VM in one place at a time; by a pool's own
    record the VM is ``elsewhere``, on the host of that name, and ``halted``. ``target_proven`` says that the target's
    hypervisor itself was asked, and not only a daemon that may not know of a copy there.
    """

    source: Copy
    target: Copy
    busy: bool = False
    kind: Kind = Kind.LIVE
    misread: bool = False
    unclear: Unclear | None = None
    one_record: bool = False
    elsewhere: str = ""
    halted: bool = False
    target_proven: bool = True


class Conclusion(StrEnum):
    """What a proof allows us to say."""

    STILL_MOVING = "still_moving"
    ON_TARGET = "on_target"
    ON_SOURCE = "on_source"
    BOTH_RUNNING = "both_running"
    SOURCE_SET_ASIDE = "source_set_aside"
    TARGET_SET_ASIDE = "target_set_aside"
    INTERRUPTED = "interrupted"
    LEFT_BEHIND = "left_behind"
    HALF_RECEIVED = "half_received"
    HALF_BUILT = "half_built"
    STOPPED = "stopped"
    DEFINED_TWICE = "defined_twice"
    UNTOLD = "untold"
    GONE = "gone"
    UNDECIDED = "undecided"


_GONE = frozenset({Copy.INACTIVE, Copy.ABSENT})
_STANDING = {
    (Copy.INACTIVE, Copy.ABSENT): Conclusion.STOPPED,
    (Copy.INACTIVE, Copy.INACTIVE): Conclusion.STOPPED,
    (Copy.ABSENT, Copy.INACTIVE): Conclusion.STOPPED,
    (Copy.ABSENT, Copy.ABSENT): Conclusion.GONE,
    (Copy.INCOMING, Copy.ABSENT): Conclusion.INTERRUPTED,
    (Copy.INCOMING, Copy.INACTIVE): Conclusion.INTERRUPTED,
    (Copy.INCOMING, Copy.RUNNING): Conclusion.LEFT_BEHIND,
    (Copy.RUNNING, Copy.INCOMING): Conclusion.HALF_RECEIVED,
    (Copy.RUNNING, Copy.NEVER_RAN): Conclusion.HALF_RECEIVED,
    (Copy.INCOMING, Copy.NEVER_RAN): Conclusion.HALF_BUILT,
    (Copy.SET_ASIDE, Copy.RUNNING): Conclusion.SOURCE_SET_ASIDE,
    (Copy.RUNNING, Copy.SET_ASIDE): Conclusion.TARGET_SET_ASIDE,
}


_RESTING = {
    (Copy.INACTIVE, Copy.ABSENT): Conclusion.ON_SOURCE,
    (Copy.ABSENT, Copy.INACTIVE): Conclusion.ON_TARGET,
    (Copy.INACTIVE, Copy.INACTIVE): Conclusion.DEFINED_TWICE,
}


def conclude(proof: Proof) -> Conclusion:
    """Read the two answers; anything that is not a proof is UNDECIDED.

    A source that is merely unreachable proves nothing: the guest may run there.
    Paused copies on both sides, or a guest paused at the source with nothing at
    the target, are for the reconciler's next look or for a person; only a VM that
    was paused before it moved may rest paused, and only one that was halted, halted.
    A VM that is still at its source has stayed there only if the hypervisor has told that its move is over.
    """
    found = Conclusion.STILL_MOVING if proof.busy else _resting_place(proof)
    is_unclear = proof.unclear is not None and found in {Conclusion.STILL_MOVING, Conclusion.ON_SOURCE}
    return Conclusion.UNTOLD if is_unclear else found


def _resting_place(proof: Proof) -> Conclusion:
    if proof.source is Copy.RUNNING and proof.target is Copy.RUNNING:
        return Conclusion.BOTH_RUNNING
    if proof.target is Copy.RUNNING and proof.source in _GONE:
        return Conclusion.ON_TARGET
    if proof.source is Copy.RUNNING and proof.target in _GONE:
        return Conclusion.ON_SOURCE
    if proof.kind is not Kind.LIVE:
        if proof.target is Copy.PAUSED and proof.source in _GONE:
            return Conclusion.ON_TARGET
        if proof.source is Copy.PAUSED and proof.target in _GONE:
            return Conclusion.ON_SOURCE
    if proof.kind is Kind.COLD and (proof.source, proof.target) in _RESTING:
        found = _RESTING[(proof.source, proof.target)]
        # One record is not two definitions: it was changed between the two answers.
        return Conclusion.UNDECIDED if found is Conclusion.DEFINED_TWICE and proof.one_record else found
    found = _STANDING.get((proof.source, proof.target), Conclusion.UNDECIDED)
    # A pool keeps a VM that has stopped in mid-move on no host at all, or on a third: it is not gone.
    has_stopped = found is Conclusion.GONE and proof.halted and proof.kind is not Kind.COLD
    return Conclusion.STOPPED if has_stopped else found


def reconcile(conclusion: Conclusion, *, cancel_asked: bool) -> State:
    """Answer the state that a conclusion proves for a move whose call was made."""
    match conclusion:
        case Conclusion.STILL_MOVING:
            return S.CANCELLING if cancel_asked else S.PRE_COPY
        case Conclusion.ON_TARGET:
            return S.DONE
        case Conclusion.ON_SOURCE:
            return S.CANCELLED if cancel_asked else S.FAILED
        case Conclusion.STOPPED | Conclusion.GONE | Conclusion.DEFINED_TWICE:
            # Both hosts say that it does not run: nothing is uncertain about that.
            return S.FAILED
        case _:
            return S.UNCERTAIN


class Repair(StrEnum):
    """What can be done about a move that stands half-way; each is proven to be right again right before."""

    RESUME_SOURCE = "resume_source"
    REMOVE_SOURCE_COPY = "remove_source_copy"
    REMOVE_TARGET_COPY = "remove_target_copy"
    PAUSE_SOURCE = "pause_source"
    PAUSE_TARGET = "pause_target"
    REMOVE_PAUSED_SOURCE = "remove_paused_source"
    REMOVE_PAUSED_TARGET = "remove_paused_target"
    REMOVE_HALF_BUILT = "remove_half_built"
    CORRECT_SOURCE = "correct_source"
    BREAK_OFF = "break_off"


REPAIRS: dict[Conclusion, tuple[Repair, ...]] = {
    Conclusion.INTERRUPTED: (Repair.RESUME_SOURCE,),
    Conclusion.LEFT_BEHIND: (Repair.REMOVE_SOURCE_COPY,),
    Conclusion.HALF_RECEIVED: (Repair.REMOVE_TARGET_COPY,),
    # Once nothing is left at the target that could run, the copy at the source goes on by itself.
    Conclusion.HALF_BUILT: (Repair.REMOVE_HALF_BUILT,),
    # Which copy is right only a person can know: the other one is paused, never removed.
    Conclusion.BOTH_RUNNING: (Repair.PAUSE_SOURCE, Repair.PAUSE_TARGET),
    # It has been chosen, and the other one still runs: what was paused may go, if that is chosen too.
    Conclusion.SOURCE_SET_ASIDE: (Repair.REMOVE_PAUSED_SOURCE,),
    Conclusion.TARGET_SET_ASIDE: (Repair.REMOVE_PAUSED_TARGET,),
}
BY_ITSELF = frozenset({Repair.RESUME_SOURCE, Repair.CORRECT_SOURCE, Repair.BREAK_OFF})
"""Repairs that nobody need be asked for: the only copy there is stands still, and is let go on; or it runs, and
its daemon is told so; or it stands still while nothing more arrives of it, and the hosts are made to give that up."""


def repairs_for(proof: Proof, *, cancelling: bool, stalled: bool = False) -> tuple[Repair, ...]:
    """Answer the repairs that a proof allows; ``stalled`` says that nothing has come across for long.

    A target that neither receives nor lets go holds a cancelled move up for ever:
    then, and only then, its incomplete copy may be removed while the source is busy.
    A link that swallows the last of the memory holds up a VM that stands still, for as
    long as TCP tries: while the target proves that its copy never ran, both hosts may be made to stop trying.
    """
    if proof.busy:
        if stalled and proof.source is Copy.INCOMING and proof.target is Copy.NEVER_RAN:
            return (Repair.BREAK_OFF,)
        held_up = cancelling and proof.source is Copy.RUNNING and proof.target in {Copy.INCOMING, Copy.NEVER_RAN}
        return (Repair.REMOVE_TARGET_COPY,) if held_up else ()
    conclusion = conclude(proof)
    if conclusion is Conclusion.INTERRUPTED and proof.kind is not Kind.LIVE:
        return ()  # somebody had paused it: that it goes on is not ours to choose
    if conclusion is Conclusion.INTERRUPTED and not proof.target_proven:
        return ()  # the target's copy may have run, and may run still
    if conclusion is Conclusion.ON_SOURCE and proof.misread:
        return (Repair.CORRECT_SOURCE,)
    return REPAIRS.get(conclusion, ())


def copy_of(state: PowerState, *, active: bool, incoming: bool) -> Copy:
    """Translate what a host reports of a VM it knows into a Copy."""
    if incoming:
        return Copy.INCOMING
    if not active:
        return Copy.INACTIVE
    return Copy.RUNNING if state is PowerState.RUNNING else Copy.PAUSED
