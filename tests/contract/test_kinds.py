"""Every kind of move that every driver must make alike: with its disks, paused, halted."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.contract.calls import calling, proof, until
from tests.contract.rig import Rig
from xenweb.core.facts import Kind, PowerState
from xenweb.core.migration import Conclusion, Copy, conclude
from xenweb.core.placement import Severity
from xenweb.core.quantities import MIB, BytesPerSecond
from xenweb.drivers.contract import (
    Capability,
    CopyAction,
    DiskExistsError,
    DiskMissingError,
    Lever,
    MigrationPlan,
    MoveCancelledError,
    MoveOptions,
    MoveRefusedError,
    NotSupportedError,
    Phase,
    Progress,
)

pytestmark = pytest.mark.contract

SLOW_DISK = MoveOptions(bandwidth_limit=BytesPerSecond(8.0 * MIB))
DISK = 32 * MIB


def codes(rig: Rig, plan: MigrationPlan) -> list[str]:
    """List what forbids a move."""
    found = rig.driver.preflight(plan).findings
    return [finding.code for finding in found if finding.severity is Severity.BLOCKER]


@contextmanager
def ledger_free(rig: Rig) -> Iterator[MigrationPlan]:
    """Plan a move of the VM whose disk only its host has, to where nothing of it is left."""
    here = rig.where("ledger")
    target = next(name for name in ("host-a", "host-b") if name != here)
    rig.clear("ledger", target)
    plan = rig.plan("ledger", SLOW_DISK, target=target, copies=True)
    assert codes(rig, plan) == []
    yield plan


def test_a_disk_says_how_large_it_is(rig: Rig) -> None:
    assert [disk.capacity for disk in rig.snapshot("ledger").disks] == [DISK]
    assert [disk.capacity for disk in rig.snapshot("shop-db").disks] == [DISK]


def test_a_disk_of_one_host_travels_with_its_vm_and_the_old_one_stays(rig: Rig) -> None:
    with ledger_free(rig) as plan, rig.witnessed("ledger"):
        looks: list[Progress] = []
        with calling(rig, plan) as call:
            while call.is_alive():
                looks.append(rig.driver.progress(plan))
                time.sleep(0.05)
        assert call.error is None
        assert conclude(proof(rig, plan)) is Conclusion.ON_TARGET
        copying = [look for look in looks if look.phase is Phase.COPYING_STORAGE]
        assert copying, "the disk is copied before memory, and says so"
        # What the guest writes meanwhile is copied besides.
        assert all(DISK <= (look.disk_total or 0) < 2 * DISK for look in copying)
        done = [look.disk_processed or 0 for look in copying]
        assert done == sorted(done)
        assert done[-1] > done[0]
        assert any(look.phase is Phase.COPYING for look in looks)
    is_kept = not rig.can(Capability.TIDIES_DISKS)
    assert rig.has_disk("ledger", plan.source.name) is is_kept, "nothing is deleted unasked but by the hypervisor"
    assert rig.has_disk("ledger", plan.target.name)


def test_a_disk_that_is_there_is_never_reused(rig: Rig) -> None:
    with ledger_free(rig) as plan:
        with calling(rig, plan) as call:
            call.join(60)
        assert call.error is None
    back = rig.plan("ledger", SLOW_DISK, target=plan.source.name, copies=True)
    if rig.can(Capability.TIDIES_DISKS):
        assert codes(rig, back) == [], "nothing of it is there any more"
        return
    assert codes(rig, back) == ["disk_exists"]
    with pytest.raises(DiskExistsError):
        rig.driver.migrate(back)
    assert rig.driver.locate(back.source, back.vm_uuid).copy is Copy.RUNNING


def test_the_disk_that_stayed_behind_is_removed_when_asked_and_only_once(rig: Rig) -> None:
    with ledger_free(rig) as plan:
        with calling(rig, plan) as call:
            call.join(60)
        assert call.error is None
    (disk,) = plan.copied_disks
    if rig.can(Capability.TIDIES_DISKS):
        (here,) = rig.snapshot("ledger").disks
        with pytest.raises(MoveRefusedError):
            rig.driver.repair(plan.target, plan.vm_uuid, CopyAction.REMOVE_DISK, here.path)
        with pytest.raises(DiskMissingError):
            rig.driver.repair(plan.source, plan.vm_uuid, CopyAction.REMOVE_DISK, disk.path)
        return
    with pytest.raises(MoveRefusedError):
        rig.driver.repair(plan.target, plan.vm_uuid, CopyAction.REMOVE_DISK, disk.path)
    assert rig.has_disk("ledger", plan.target.name)
    rig.driver.repair(plan.source, plan.vm_uuid, CopyAction.REMOVE_DISK, disk.path)
    assert not rig.has_disk("ledger", plan.source.name)
    with pytest.raises(DiskMissingError):
        rig.driver.repair(plan.source, plan.vm_uuid, CopyAction.REMOVE_DISK, disk.path)


def test_giving_up_while_the_disk_is_copied_leaves_a_part_that_can_be_removed(rig: Rig) -> None:
    with ledger_free(rig) as plan:
        with rig.witnessed("ledger"), calling(rig, plan) as call:
            until(lambda: (rig.driver.progress(plan).disk_processed or 0) > 0)
            rig.driver.change(plan, Lever.CANCEL, None)
            call.join(30)
        assert isinstance(call.error, MoveCancelledError)
        until(lambda: conclude(proof(rig, plan)) is Conclusion.ON_SOURCE, 10)
        with suppress(DiskMissingError):  # a hypervisor may have cleared it away itself
            rig.driver.repair(plan.target, plan.vm_uuid, CopyAction.REMOVE_DISK, plan.copied_disks[0].path)
        assert not rig.has_disk("ledger", plan.target.name)
        assert rig.has_disk("ledger", plan.source.name)


def test_a_paused_vm_moves_and_stays_paused(rig: Rig) -> None:
    rig.pause("mail-2", is_paused=True)
    try:
        plan = rig.plan("mail-2", kind=Kind.PAUSED)
        if not rig.can(Capability.PAUSED_MOVE):
            with pytest.raises(NotSupportedError):
                rig.driver.migrate(plan)
            assert rig.driver.locate(plan.source, plan.vm_uuid).copy is Copy.PAUSED
            return
        assert codes(rig, plan) == []
        with calling(rig, plan) as call:
            call.join(60)
        assert call.error is None
        assert rig.driver.locate(plan.target, plan.vm_uuid).copy is Copy.PAUSED
        assert conclude(proof(rig, plan)) is Conclusion.ON_TARGET
        assert rig.snapshot("mail-2").state is PowerState.PAUSED
        assert not rig.snapshot("mail-2").incoming
    finally:
        rig.pause("mail-2", is_paused=False)
    assert rig.snapshot("mail-2").state is PowerState.RUNNING


def test_a_copy_that_is_being_received_is_never_taken_for_a_paused_one(rig: Rig) -> None:
    rig.pause("git-1", is_paused=True)
    try:
        kind = Kind.PAUSED if rig.can(Capability.PAUSED_MOVE) else Kind.LIVE
        rig.pause("git-1", is_paused=kind is Kind.PAUSED)
        plan = rig.plan("git-1", MoveOptions(bandwidth_limit=BytesPerSecond(4.0 * MIB)), kind=kind)
        seen = set()
        with calling(rig, plan) as call:
            until(lambda: rig.driver.progress(plan).phase is Phase.COPYING)
            for _ in range(10):
                seen.add(rig.driver.locate(plan.target, plan.vm_uuid).copy)
                assert conclude(proof(rig, plan)) in {Conclusion.STILL_MOVING, Conclusion.UNDECIDED}
            rig.driver.change(plan, Lever.CANCEL, None)
            call.join(30)
        assert seen == {Copy.INCOMING}
        until(lambda: conclude(proof(rig, plan)) is Conclusion.ON_SOURCE, 10)
    finally:
        rig.pause("git-1", is_paused=False)


def test_a_halted_vm_moves_and_is_not_started(rig: Rig) -> None:
    plan = rig.plan("old-wiki", kind=Kind.COLD)
    assert codes(rig, plan) == []
    with calling(rig, plan) as call:
        call.join(30)
    assert call.error is None
    assert rig.driver.locate(plan.source, plan.vm_uuid).copy is Copy.ABSENT
    assert rig.driver.locate(plan.target, plan.vm_uuid).copy is Copy.INACTIVE
    assert conclude(proof(rig, plan)) is Conclusion.ON_TARGET
    assert rig.where("old-wiki") == plan.target.name


def test_a_vm_that_was_started_meanwhile_is_not_moved_cold(rig: Rig) -> None:
    plan = rig.plan("wiki", kind=Kind.COLD)
    assert codes(rig, plan) == ["vm_state_changed"]
    with pytest.raises(MoveRefusedError):
        rig.driver.migrate(plan)
    assert rig.driver.locate(plan.source, plan.vm_uuid).copy is Copy.RUNNING
    assert rig.driver.locate(plan.target, plan.vm_uuid).copy is Copy.ABSENT
