"""The life of a move: every state reaches an end, and only proofs end a called move."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xenweb.core.facts import Kind
from xenweb.core.migration import (
    ACTIVE,
    CALLED,
    CANCELLABLE,
    ENDED,
    NOT_CALLED,
    TRANSITIONS,
    Conclusion,
    Copy,
    ForbiddenTransitionError,
    Proof,
    Repair,
    State,
    Unclear,
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


RESTS = {
    Kind.LIVE: {Copy.RUNNING},
    Kind.PAUSED: {Copy.RUNNING, Copy.PAUSED},
    Kind.COLD: {Copy.RUNNING, Copy.PAUSED, Copy.INACTIVE},
}


@given(source=COPIES, target=COPIES, busy=st.booleans(), asked=st.booleans(), kind=st.sampled_from(Kind))
def test_success_is_claimed_only_when_the_vm_is_at_the_target_and_gone_from_the_source(
    source: Copy, target: Copy, busy: bool, asked: bool, kind: Kind
) -> None:
    state = reconcile(conclude(Proof(source, target, busy, kind)), cancel_asked=asked)
    if state is State.DONE:
        assert target in RESTS[kind]
        assert source in {Copy.INACTIVE, Copy.ABSENT}
        assert not busy
        if target is Copy.INACTIVE:
            assert source is Copy.ABSENT


@given(source=COPIES, target=COPIES, asked=st.booleans(), kind=st.sampled_from(Kind))
def test_a_silent_host_never_proves_anything(source: Copy, target: Copy, asked: bool, kind: Kind) -> None:
    for proof in (Proof(Copy.NO_ANSWER, target, kind=kind), Proof(source, Copy.NO_ANSWER, kind=kind)):
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
        (Copy.SET_ASIDE, Copy.RUNNING, Conclusion.SOURCE_SET_ASIDE),
        (Copy.RUNNING, Copy.SET_ASIDE, Conclusion.TARGET_SET_ASIDE),
        (Copy.SET_ASIDE, Copy.ABSENT, Conclusion.UNDECIDED),
        (Copy.ABSENT, Copy.SET_ASIDE, Conclusion.UNDECIDED),
        (Copy.SET_ASIDE, Copy.NO_ANSWER, Conclusion.UNDECIDED),
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


@pytest.mark.parametrize(
    ("kind", "source", "target", "expected"),
    [
        (Kind.PAUSED, Copy.ABSENT, Copy.PAUSED, Conclusion.ON_TARGET),
        (Kind.PAUSED, Copy.INACTIVE, Copy.PAUSED, Conclusion.ON_TARGET),
        (Kind.PAUSED, Copy.PAUSED, Copy.ABSENT, Conclusion.ON_SOURCE),
        (Kind.PAUSED, Copy.PAUSED, Copy.INCOMING, Conclusion.UNDECIDED),
        (Kind.PAUSED, Copy.ABSENT, Copy.INCOMING, Conclusion.UNDECIDED),
        (Kind.PAUSED, Copy.PAUSED, Copy.PAUSED, Conclusion.UNDECIDED),
        (Kind.PAUSED, Copy.RUNNING, Copy.PAUSED, Conclusion.UNDECIDED),
        (Kind.PAUSED, Copy.INACTIVE, Copy.INACTIVE, Conclusion.STOPPED),
        (Kind.PAUSED, Copy.ABSENT, Copy.INACTIVE, Conclusion.STOPPED),
        (Kind.PAUSED, Copy.ABSENT, Copy.RUNNING, Conclusion.ON_TARGET),
        (Kind.COLD, Copy.ABSENT, Copy.INACTIVE, Conclusion.ON_TARGET),
        (Kind.COLD, Copy.INACTIVE, Copy.ABSENT, Conclusion.ON_SOURCE),
        (Kind.COLD, Copy.INACTIVE, Copy.INACTIVE, Conclusion.DEFINED_TWICE),
        (Kind.COLD, Copy.RUNNING, Copy.ABSENT, Conclusion.ON_SOURCE),
        (Kind.COLD, Copy.ABSENT, Copy.RUNNING, Conclusion.ON_TARGET),
        (Kind.COLD, Copy.RUNNING, Copy.RUNNING, Conclusion.BOTH_RUNNING),
        (Kind.COLD, Copy.ABSENT, Copy.ABSENT, Conclusion.GONE),
    ],
)
def test_a_vm_may_rest_only_as_it_was_before_it_moved(
    kind: Kind, source: Copy, target: Copy, expected: Conclusion
) -> None:
    assert conclude(Proof(source, target, kind=kind)) is expected


def test_two_definitions_of_a_halted_vm_are_a_failure_that_says_so() -> None:
    assert reconcile(Conclusion.DEFINED_TWICE, cancel_asked=False) is State.FAILED


@pytest.mark.parametrize("kind", [Kind.PAUSED, Kind.COLD])
def test_a_vm_that_somebody_had_paused_is_never_resumed_by_us(kind: Kind) -> None:
    assert repairs_for(Proof(Copy.INCOMING, Copy.ABSENT, kind=kind), cancelling=False) == ()


def test_one_record_that_is_met_at_both_hosts_was_changed_meanwhile_and_is_no_second_definition() -> None:
    proof = Proof(Copy.INACTIVE, Copy.INACTIVE, kind=Kind.COLD, one_record=True)
    assert reconcile(conclude(proof), cancel_asked=False) is State.UNCERTAIN


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("unclear", Unclear)
@pytest.mark.parametrize(("kind", "stands"), [(Kind.LIVE, Copy.RUNNING), (Kind.COLD, Copy.INACTIVE)])
def test_a_vm_at_its_source_whose_move_nobody_told_the_end_of_is_uncertain_and_never_failed(
    asked: bool, unclear: Unclear, kind: Kind, stands: Copy
) -> None:
    for busy in (False, True):
        proof = Proof(stands, Copy.ABSENT, busy, kind, unclear=unclear)
        assert conclude(proof) is Conclusion.UNTOLD
        assert reconcile(conclude(proof), cancel_asked=asked) is State.UNCERTAIN


@pytest.mark.parametrize("unclear", Unclear)
def test_a_vm_that_has_arrived_is_done_whether_or_not_an_end_was_told(unclear: Unclear) -> None:
    arrived = Proof(Copy.ABSENT, Copy.RUNNING, unclear=unclear)
    assert reconcile(conclude(arrived), cancel_asked=False) is State.DONE


def test_disks_are_copied_after_the_call_and_before_memory() -> None:
    assert advance(State.PREPARING, State.COPYING_STORAGE) is State.COPYING_STORAGE
    assert advance(State.COPYING_STORAGE, State.PRE_COPY) is State.PRE_COPY
    assert State.COPYING_STORAGE in CANCELLABLE
    with pytest.raises(ForbiddenTransitionError):
        advance(State.PRE_COPY, State.COPYING_STORAGE)


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
        assert (source, target) in {(Copy.RUNNING, Copy.INCOMING), (Copy.RUNNING, Copy.NEVER_RAN)}
    if Repair.REMOVE_HALF_BUILT in repairs:
        # Where the source stands still, only a copy that is proven never to have run may go.
        assert (source, target, busy) == (Copy.INCOMING, Copy.NEVER_RAN, False)
    if {Repair.PAUSE_SOURCE, Repair.PAUSE_TARGET} & set(repairs):
        assert (source, target, busy) == (Copy.RUNNING, Copy.RUNNING, False)
    if Repair.REMOVE_PAUSED_SOURCE in repairs:
        assert (source, target, busy) == (Copy.SET_ASIDE, Copy.RUNNING, False)
    if Repair.REMOVE_PAUSED_TARGET in repairs:
        assert (source, target, busy) == (Copy.RUNNING, Copy.SET_ASIDE, False)


@given(target=COPIES, busy=st.booleans())
def test_a_vm_is_resumed_only_where_the_other_copy_is_proven_gone(target: Copy, busy: bool) -> None:
    if Repair.RESUME_SOURCE in repairs_for(Proof(Copy.INCOMING, target, busy), cancelling=False):
        assert target in {Copy.ABSENT, Copy.INACTIVE}
        assert not busy


def test_a_frozen_target_can_be_got_rid_of_only_after_the_move_was_given_up() -> None:
    proof = Proof(Copy.RUNNING, Copy.INCOMING, busy=True)
    assert repairs_for(proof, cancelling=True) == (Repair.REMOVE_TARGET_COPY,)
    assert repairs_for(proof, cancelling=False) == ()


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("conclusion", [Conclusion.STOPPED, Conclusion.GONE])
def test_a_vm_that_provably_runs_nowhere_has_failed_to_move_even_if_somebody_gave_up(
    conclusion: Conclusion, asked: bool
) -> None:
    assert reconcile(conclusion, cancel_asked=asked) is State.FAILED


@pytest.mark.parametrize(
    ("source", "target", "repairs"),
    [
        (Copy.INCOMING, Copy.ABSENT, (Repair.RESUME_SOURCE,)),
        (Copy.INCOMING, Copy.RUNNING, (Repair.REMOVE_SOURCE_COPY,)),
        (Copy.RUNNING, Copy.INCOMING, (Repair.REMOVE_TARGET_COPY,)),
        (Copy.RUNNING, Copy.RUNNING, (Repair.PAUSE_SOURCE, Repair.PAUSE_TARGET)),
        (Copy.RUNNING, Copy.ABSENT, ()),
        (Copy.PAUSED, Copy.PAUSED, ()),
        (Copy.RUNNING, Copy.PAUSED, ()),
        (Copy.SET_ASIDE, Copy.RUNNING, (Repair.REMOVE_PAUSED_SOURCE,)),
        (Copy.RUNNING, Copy.SET_ASIDE, (Repair.REMOVE_PAUSED_TARGET,)),
        (Copy.SET_ASIDE, Copy.SET_ASIDE, ()),
    ],
)
def test_each_half_way_place_has_its_repairs(source: Copy, target: Copy, repairs: tuple[Repair, ...]) -> None:
    assert repairs_for(Proof(source, target), cancelling=False) == repairs


@given(source=COPIES, target=COPIES, stalled=st.booleans(), cancelling=st.booleans(), busy=st.booleans())
def test_a_hand_over_is_broken_off_only_while_it_stands_still_and_its_copy_never_ran(
    source: Copy, target: Copy, stalled: bool, cancelling: bool, busy: bool
) -> None:
    allowed = repairs_for(Proof(source, target, busy), cancelling=cancelling, stalled=stalled)
    stands_still = busy and stalled and source is Copy.INCOMING and target is Copy.NEVER_RAN
    assert (Repair.BREAK_OFF in allowed) is stands_still
    if busy:
        assert Repair.RESUME_SOURCE not in allowed
