"""Where a VM is on a Xen host: what libvirt says, held against what Xen has."""

import libvirt
import pytest

from tests.drivers.xen_probes import (
    DIES,
    NEVER_RAN,
    PAUSED,
    RUNS,
    STOPPED,
    SUSPENDED,
    seen,
)
from xenweb.core.migration import Conclusion, Copy, Proof, Repair, conclude, repairs_for
from xenweb.drivers.libvirt_driver.xen.probing import SeenMove, XenCopy
from xenweb.drivers.libvirt_driver.xen.sightings import Told, by_libvirt, by_xen

UNKNOWN = Told(known=False)
RUNNING = Told(True, True, libvirt.VIR_DOMAIN_RUNNING)
PAUSED_BY_USER = Told(True, True, libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER)
PAUSED_BY_MOVE = Told(True, True, libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION)
SHUT_OFF = Told(True, False, libvirt.VIR_DOMAIN_SHUTOFF)
HALF_BUILT = Told(True, False, libvirt.VIR_DOMAIN_SHUTOFF, 0, worked_on=True)
MOVING = Told(True, True, libvirt.VIR_DOMAIN_RUNNING, 0, worked_on=True)


@pytest.mark.parametrize(
    ("told", "copies", "copy"),
    [
        (RUNNING, (RUNS,), Copy.RUNNING),
        (PAUSED_BY_MOVE, (RUNS,), Copy.RUNNING),
        (SHUT_OFF, (RUNS,), Copy.RUNNING),
        (UNKNOWN, (RUNS,), Copy.RUNNING),
        (None, (RUNS,), Copy.RUNNING),
        (RUNNING, (SUSPENDED,), Copy.INCOMING),
        (MOVING, (SUSPENDED,), Copy.INCOMING),
        (None, (SUSPENDED,), Copy.NO_ANSWER),
        (RUNNING, (STOPPED,), Copy.NO_ANSWER),
        (HALF_BUILT, (NEVER_RAN,), Copy.NEVER_RAN),
        (UNKNOWN, (NEVER_RAN,), Copy.NEVER_RAN),
        (None, (NEVER_RAN,), Copy.NO_ANSWER),
        (PAUSED_BY_USER, (PAUSED,), Copy.PAUSED),
        (PAUSED_BY_MOVE, (PAUSED,), Copy.INCOMING),
        (HALF_BUILT, (PAUSED,), Copy.INCOMING),
        (HALF_BUILT, (), Copy.NEVER_RAN),
        (HALF_BUILT, (DIES,), Copy.NEVER_RAN),
        (SHUT_OFF, (), Copy.INACTIVE),
        (UNKNOWN, (), Copy.ABSENT),
        (None, (), Copy.ABSENT),
        (RUNNING, (), Copy.NO_ANSWER),
        (RUNNING, (DIES,), Copy.NO_ANSWER),
        (RUNNING, (PAUSED, NEVER_RAN), Copy.NO_ANSWER),
        (RUNNING, (PAUSED, RUNS), Copy.RUNNING),
    ],
)
def test_xens_word_counts_and_what_is_odd_is_no_answer(
    told: Told | None, copies: tuple[XenCopy, ...], copy: Copy
) -> None:
    said = by_xen(told, copies, ())
    assert (said.copy, said.proven) == (copy, True)


def test_a_guest_that_runs_and_is_taken_for_paused_is_misread() -> None:
    assert by_xen(PAUSED_BY_MOVE, (RUNS,), ()).misread
    assert by_xen(PAUSED_BY_USER, (RUNS,), ()).misread
    assert not by_xen(RUNNING, (RUNS,), ()).misread
    assert not by_xen(PAUSED_BY_USER, (PAUSED,), ()).misread


@pytest.mark.parametrize(
    ("told", "moves", "busy"),
    [
        (MOVING, (), True),
        (RUNNING, (), False),
        (RUNNING, (seen(),), True),
        (None, (seen(),), True),
        (RUNNING, (seen(alive=False),), False),
        (RUNNING, (seen(saves=False),), False),
    ],
)
def test_a_host_works_on_a_move_while_its_helper_lives_or_libvirt_says_so(
    told: Told | None, moves: tuple[SeenMove, ...], busy: bool
) -> None:
    assert by_xen(told, (RUNS,), moves).busy is busy


def test_a_copy_that_was_let_go_here_and_is_gone_again_proves_nothing() -> None:
    ran = seen(saves=False, alive=False, ran=190.0, now=200.0)
    assert by_xen(UNKNOWN, (), (ran,)).copy is Copy.NO_ANSWER
    assert by_xen(UNKNOWN, (), (ran, seen(alive=False, began=195.0))).copy is Copy.ABSENT
    long_ago = seen(saves=False, alive=False, ran=190.0, now=1000.0)
    assert by_xen(UNKNOWN, (), (long_ago,)).copy is Copy.ABSENT


def growing(*times: int):  # type: ignore[no-untyped-def]
    said = list(times)
    return lambda: said.pop(0) if len(said) > 1 else said[0]


def still(_seconds: float) -> None:
    """Let no time pass."""


@pytest.mark.parametrize(
    ("told", "times", "copy"),
    [
        (UNKNOWN, (0,), Copy.ABSENT),
        (SHUT_OFF, (0,), Copy.INACTIVE),
        (HALF_BUILT, (0,), Copy.INCOMING),
        (MOVING, (5,), Copy.RUNNING),
        (PAUSED_BY_USER, (5,), Copy.PAUSED),
        (RUNNING, (5, 5, 5, 6), Copy.RUNNING),
        (RUNNING, (5,), Copy.NO_ANSWER),
        (PAUSED_BY_MOVE, (5, 6), Copy.RUNNING),
        (PAUSED_BY_MOVE, (5,), Copy.NO_ANSWER),
    ],
)
def test_without_a_probe_a_vm_runs_only_where_its_cpu_time_grows(
    told: Told, times: tuple[int, ...], copy: Copy
) -> None:
    said = by_libvirt(told, growing(*times), still)
    assert (said.copy, said.proven) == (copy, False)


@pytest.mark.parametrize(
    ("source", "target", "conclusion", "repairs"),
    [
        (Copy.INCOMING, Copy.NEVER_RAN, Conclusion.HALF_BUILT, (Repair.REMOVE_HALF_BUILT,)),
        (Copy.INCOMING, Copy.ABSENT, Conclusion.INTERRUPTED, (Repair.RESUME_SOURCE,)),
        (Copy.RUNNING, Copy.NEVER_RAN, Conclusion.HALF_RECEIVED, (Repair.REMOVE_TARGET_COPY,)),
        (Copy.RUNNING, Copy.NO_ANSWER, Conclusion.UNDECIDED, ()),
        (Copy.INCOMING, Copy.NO_ANSWER, Conclusion.UNDECIDED, ()),
        (Copy.INCOMING, Copy.INCOMING, Conclusion.UNDECIDED, ()),
        (Copy.NO_ANSWER, Copy.ABSENT, Conclusion.UNDECIDED, ()),
        (Copy.ABSENT, Copy.NEVER_RAN, Conclusion.UNDECIDED, ()),
    ],
)
def test_what_two_xen_hosts_prove_and_what_it_allows(
    source: Copy, target: Copy, conclusion: Conclusion, repairs: tuple[Repair, ...]
) -> None:
    proof = Proof(source, target)
    assert conclude(proof) is conclusion
    assert repairs_for(proof, cancelling=False) == repairs


@pytest.mark.parametrize("target", [Copy.ABSENT, Copy.INACTIVE])
def test_a_source_goes_on_only_where_xen_proves_that_the_target_has_no_copy(target: Copy) -> None:
    by_word = Proof(Copy.INCOMING, target, target_proven=False)
    assert conclude(by_word) is Conclusion.INTERRUPTED
    assert repairs_for(by_word, cancelling=False) == repairs_for(by_word, cancelling=True) == ()


def test_a_misread_vm_that_stayed_is_put_right_and_one_that_moves_is_left_alone() -> None:
    stayed = Proof(Copy.RUNNING, Copy.ABSENT, misread=True)
    assert repairs_for(stayed, cancelling=False) == (Repair.CORRECT_SOURCE,)
    assert repairs_for(Proof(Copy.RUNNING, Copy.ABSENT, busy=True, misread=True), cancelling=False) == ()
