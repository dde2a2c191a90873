"""The life of a move: every state reaches an end, and only proofs end a called move."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xenweb.core.migration import (
    ACTIVE,
    CALLED,
    ENDED,
    NOT_CALLED,
    TRANSITIONS,
    Conclusion,
    Copy,
    ForbiddenTransitionError,
    Proof,
    Repair,
    State,
    advance,
    conclude,
    reconcile,
    repairs_for,
)

COPIES = st.sampled_from(Copy)


def reachable(start: State) -> set[State]:
    seen, frontier = {start}, [start]
    while frontier:
        for following in TRANSITIONS[frontier.pop()]:
            if following not in seen:
                seen.add(following)
                frontier.append(following)
    return seen


@pytest.mark.parametrize("state", State)
def test_every_state_reaches_an_end(state: State) -> None:
    assert reachable(state) & ENDED


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_reached_from_the_request(state: State) -> None:
    assert state in reachable(State.REQUESTED)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_nothing_leaves_an_end(state: State) -> None:
    assert not TRANSITIONS[state]


def test_active_called_and_ended_states_divide_the_table() -> None:
    assert set(TRANSITIONS) == set(State)
    assert ACTIVE == CALLED | NOT_CALLED
    assert not CALLED & NOT_CALLED
    assert not ACTIVE & ENDED


@pytest.mark.parametrize("state", sorted(CALLED - {State.VERIFYING, State.UNCERTAIN}))
def test_a_called_move_ends_only_through_a_proof(state: State) -> None:
    assert not TRANSITIONS[state] & ENDED


@pytest.mark.parametrize(("current", "following"), list(product(State, State)))
def test_advance_reads_the_table_and_nothing_else(current: State, following: State) -> None:
    if following in TRANSITIONS[current]:
        assert advance(current, following) is following
    else:
        with pytest.raises(ForbiddenTransitionError, match=f"{current} cannot become {following}"):
            advance(current, following)


@given(source=COPIES, target=COPIES, busy=st.booleans(), asked=st.booleans())
def test_success_is_claimed_only_when_the_target_runs_and_the_source_is_gone(
    source: Copy, target: Copy, busy: bool, asked: bool
) -> None:
    state = reconcile(conclude(Proof(source, target, busy)), cancel_asked=asked)
    if state is State.DONE:
        assert target is Copy.RUNNING
        assert source in {Copy.INACTIVE, Copy.ABSENT}
        assert not busy


@given(source=COPIES, target=COPIES, asked=st.booleans())
def test_a_silent_host_never_proves_anything(source: Copy, target: Copy, asked: bool) -> None:
    for proof in (Proof(Copy.NO_ANSWER, target), Proof(source, Copy.NO_ANSWER)):
        assert reconcile(conclude(proof), cancel_asked=asked) is State.UNCERTAIN


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (Copy.RUNNING, Copy.ABSENT, Conclusion.ON_SOURCE),
        (Copy.RUNNING, Copy.INACTIVE, Conclusion.ON_SOURCE),
        (Copy.ABSENT, Copy.RUNNING, Conclusion.ON_TARGET),
        (Copy.INACTIVE, Copy.RUNNING, Conclusion.ON_TARGET),
        (Copy.RUNNING, Copy.RUNNING, Conclusion.BOTH_RUNNING),
        (Copy.PAUSED, Copy.RUNNING, Conclusion.UNDECIDED),
        (Copy.PAUSED, Copy.PAUSED, Conclusion.UNDECIDED),
        (Copy.PAUSED, Copy.ABSENT, Conclusion.UNDECIDED),
        (Copy.RUNNING, Copy.INCOMING, Conclusion.HALF_RECEIVED),
        (Copy.INCOMING, Copy.ABSENT, Conclusion.INTERRUPTED),
        (Copy.INCOMING, Copy.INACTIVE, Conclusion.INTERRUPTED),
        (Copy.INCOMING, Copy.RUNNING, Conclusion.LEFT_BEHIND),
        (Copy.INCOMING, Copy.INCOMING, Conclusion.UNDECIDED),
        (Copy.INCOMING, Copy.PAUSED, Conclusion.UNDECIDED),
        (Copy.NO_ANSWER, Copy.RUNNING, Conclusion.UNDECIDED),
        (Copy.ABSENT, Copy.ABSENT, Conclusion.GONE),
        (Copy.INACTIVE, Copy.ABSENT, Conclusion.STOPPED),
        (Copy.ABSENT, Copy.INACTIVE, Conclusion.STOPPED),
        (Copy.INACTIVE, Copy.INACTIVE, Conclusion.STOPPED),
        (Copy.INACTIVE, Copy.NO_ANSWER, Conclusion.UNDECIDED),
    ],
)
def test_the_verdict_table(source: Copy, target: Copy, expected: Conclusion) -> None:
    assert conclude(Proof(source, target)) is expected


def test_a_source_at_work_means_that_the_move_goes_on() -> None:
    assert conclude(Proof(Copy.RUNNING, Copy.INCOMING, busy=True)) is Conclusion.STILL_MOVING
    assert reconcile(Conclusion.STILL_MOVING, cancel_asked=False) is State.PRE_COPY
    assert reconcile(Conclusion.STILL_MOVING, cancel_asked=True) is State.CANCELLING


def test_a_vm_that_stayed_was_cancelled_only_if_somebody_asked() -> None:
    assert reconcile(Conclusion.ON_SOURCE, cancel_asked=True) is State.CANCELLED
    assert reconcile(Conclusion.ON_SOURCE, cancel_asked=False) is State.FAILED


def test_a_cancel_that_came_too_late_is_a_move_that_is_done() -> None:
    assert reconcile(Conclusion.ON_TARGET, cancel_asked=True) is State.DONE


@given(source=COPIES, target=COPIES, busy=st.booleans(), cancelling=st.booleans())
def test_no_repair_ever_removes_or_pauses_the_only_running_copy(
    source: Copy, target: Copy, busy: bool, cancelling: bool
) -> None:
    repairs = repairs_for(Proof(source, target, busy), cancelling=cancelling)
    if Repair.REMOVE_SOURCE_COPY in repairs:
        assert (source, target, busy) == (Copy.INCOMING, Copy.RUNNING, False)
    if Repair.REMOVE_TARGET_COPY in repairs:
        assert (source, target) == (Copy.RUNNING, Copy.INCOMING)
    if {Repair.PAUSE_SOURCE, Repair.PAUSE_TARGET} & set(repairs):
        assert (source, target, busy) == (Copy.RUNNING, Copy.RUNNING, False)


@given(target=COPIES, busy=st.booleans())
def test_a_vm_is_resumed_only_where_the_other_copy_is_proven_gone(target: Copy, busy: bool) -> None:
    if Repair.RESUME_SOURCE in repairs_for(Proof(Copy.INCOMING, target, busy), cancelling=False):
        assert target in {Copy.ABSENT, Copy.INACTIVE}
        assert not busy


def test_a_frozen_target_can_be_got_rid_of_only_after_the_move_was_given_up() -> None:
    proof = Proof(Copy.RUNNING, Copy.INCOMING, busy=True)
    assert repairs_for(proof, cancelling=True) == (Repair.REMOVE_TARGET_COPY,)
    assert repairs_for(proof, cancelling=False) == ()
