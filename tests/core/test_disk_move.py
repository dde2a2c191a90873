"""One disk on its way to other storage: what forbids it, and what a look proves."""

from dataclasses import replace

import pytest

from tests.core.test_maps import ABLE, DRIVES, GUEST, HERE, LOCAL, NARROW, ROOT, WIDE
from xenweb.core.disk_move import (
    AT_WORK,
    ENDED,
    SHOWN_WITHIN,
    TRANSITIONS,
    DiskAt,
    DiskMoveState,
    DiskSeen,
    conclude_disk,
    judge_disk,
    other_places,
)
from xenweb.core.facts import HostFacts, HostState, PowerState, VmFacts
from xenweb.core.quantities import GIB, Bytes

HOST = replace(HERE, repositories=(LOCAL, WIDE, NARROW, DRIVES))
D = DiskMoveState


def test_a_disk_can_go_to_every_other_storage_of_its_host_that_takes_disks() -> None:
    assert [each.name for each in other_places(ROOT, HOST)] == ["wide", "local"]
    assert judge_disk(GUEST, HOST, ROOT, None) == ()
    assert judge_disk(GUEST, HOST, ROOT, WIDE.id) == ()


@pytest.mark.parametrize(
    ("vm", "host", "target", "code"),
    [
        (GUEST, replace(HOST, abilities=ABLE - ABLE), WIDE.id, "disk_move_unsupported"),
        (GUEST, None, WIDE.id, "disk_move_unsupported"),
        (replace(GUEST, moving_as="7F3K2QXZ"), HOST, WIDE.id, "vm_already_moving"),
        (replace(GUEST, conflict=True), HOST, WIDE.id, "vm_runs_twice"),
        (replace(GUEST, state=PowerState.HALTED), HOST, WIDE.id, "vm_not_running"),
        (GUEST, replace(HOST, state=HostState.UNREACHABLE), WIDE.id, "host_unreachable"),
        (GUEST, HOST, LOCAL.id, "same_storage"),
        (GUEST, HOST, DRIVES.id, "storage_unsuitable"),
        (GUEST, HOST, 99, "storage_unsuitable"),
        (GUEST, replace(HOST, disk_promised=Bytes(9 * GIB)), WIDE.id, "storage_full"),
        (GUEST, replace(HOST, repositories=(LOCAL, replace(WIDE, available=None))), WIDE.id, "storage_full"),
    ],
)
def test_each_obstacle_is_told(vm: VmFacts, host: HostFacts | None, target: int, code: str) -> None:
    (finding,) = judge_disk(vm, host, ROOT, target)
    assert finding.code == code
    assert finding.sentence.endswith(".")
    assert finding.remedy.endswith(".")


def test_a_disk_of_unknown_size_stays() -> None:
    assert [each.code for each in judge_disk(GUEST, HOST, replace(ROOT, capacity=None), WIDE.id)] == [
        "disk_size_unknown"
    ]


@pytest.mark.parametrize(
    ("seen", "cancel_asked", "since_call", "state"),
    [
        (DiskSeen(DiskAt.SOURCE, busy=True, share=0.4), False, 1.0, D.MOVING),
        (DiskSeen(DiskAt.TARGET, busy=True), False, 1.0, D.MOVING),
        (DiskSeen(DiskAt.TARGET), False, 1.0, D.DONE),
        (DiskSeen(DiskAt.TARGET, has_ended=True), True, 1.0, D.DONE),
        (DiskSeen(DiskAt.SOURCE, has_ended=True), False, 1.0, D.FAILED),
        (DiskSeen(DiskAt.SOURCE, has_ended=True), True, 1.0, D.CANCELLED),
        (DiskSeen(DiskAt.SOURCE), False, SHOWN_WITHIN - 0.1, D.MOVING),
        (DiskSeen(DiskAt.SOURCE), False, SHOWN_WITHIN, D.FAILED),
        (DiskSeen(DiskAt.SOURCE), True, SHOWN_WITHIN, D.CANCELLED),
        (DiskSeen(DiskAt.ELSEWHERE, has_ended=True), False, 60.0, D.UNCERTAIN),
        (DiskSeen(DiskAt.NO_ANSWER), False, 60.0, D.UNCERTAIN),
        (DiskSeen(DiskAt.SOURCE, is_lost=True), False, 0.0, D.UNCERTAIN),
        (DiskSeen(DiskAt.SOURCE, is_lost=True), False, 600.0, D.UNCERTAIN),
        (DiskSeen(DiskAt.SOURCE, is_lost=True), True, 0.0, D.CANCELLED),
        (DiskSeen(DiskAt.TARGET, is_lost=True), False, 600.0, D.DONE),
    ],
)
def test_only_where_the_disk_is_says_how_its_move_ended(
    seen: DiskSeen, cancel_asked: bool, since_call: float, state: DiskMoveState
) -> None:
    assert conclude_disk(seen, cancel_asked=cancel_asked, since_call=since_call) is state


def test_what_was_called_ends_only_by_a_look_and_what_has_ended_stays_so() -> None:
    assert {D.DONE, D.FAILED, D.CANCELLED} == ENDED
    assert set(D) == AT_WORK | ENDED
    assert D.DONE not in TRANSITIONS[D.ASKED]
    assert all(not TRANSITIONS[state] for state in ENDED)
