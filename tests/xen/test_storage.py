"""Refusals and guards on the storage that real Xen hosts share, held to what the guests' witnesses wrote.

    pytest -m xen tests/xen/test_storage.py

The oracle is the disk itself: numbered records, each written through to it, read past the cache of the host.
"""

import json
import time
from dataclasses import replace

import pytest

from tests.xen.equipment import Probed, wait_until
from tests.xen.test_moves import Move
from xenweb.core.facts import StorageKind
from xenweb.core.guard import GuardPhase
from xenweb.core.placement import Severity
from xenweb.drivers.contract import CopyAction, MigrationPlan, MoveRefusedError
from xenweb.drivers.guards import GuardPlan, GuardSeen
from xenweb.lab.xen.descriptions import VOLUME_GROUP, disk_path
from xenweb.lab.xen.storage import is_active

pytestmark = [pytest.mark.xen, pytest.mark.timeout(600)]

KINDS = {"san-1": StorageKind.SAN_BLOCK, "nfs-1": StorageKind.NFS, "ocfs-1": StorageKind.OCFS2}
GUARD = "7F3K2QXZ"


def checked(xen: Probed, guest: str) -> MigrationPlan:
    """Plan a move as the product does: what the check before the call finds is part of the intent."""
    plan = xen.plan(guest)
    said = xen.driver.preflight(plan)
    assert [each.sentence for each in said.findings if each.severity is Severity.BLOCKER] == []
    return replace(plan, volumes=tuple(each.path for each in said.volumes))


def release(xen: Probed, plan: MigrationPlan) -> None:
    for path in plan.volumes:
        xen.driver.repair(plan.source, plan.vm_uuid, CopyAction.RELEASE_VOLUME, path)


def moved(xen: Probed, plan: MigrationPlan) -> None:
    move = Move(xen, plan)
    move.end()
    assert move.error is None
    xen.runs_once_on(plan.vm_name, plan.target.name)


def settled(xen: Probed, plan: GuardPlan, phase: GuardPhase) -> GuardSeen:
    deadline = time.monotonic() + 120
    while (seen := xen.driver.guard_look(plan)).phase is not phase:
        assert not seen.sentence, seen.sentence
        assert time.monotonic() < deadline, seen
        time.sleep(0.2)
    print(seen)
    return seen


def verdict(xen: Probed, host: str, path: str) -> dict[str, object]:
    """What a disk or a guard holds, read past the host's cache."""
    found = json.loads(xen.lab.run(host, f"python3 /lab/records.py {path}"))
    assert (found["missing"], found["torn"]) == ([], [])
    return {name: found[name] for name in ("run", "newest", "whole")}


def test_each_kind_of_storage_is_what_it_is_and_bears_one_name_on_both_hosts(xen: Probed) -> None:
    for guest, kind in KINDS.items():
        plan = xen.plan(guest)
        looks = [xen.driver.inventory(each) for each in (plan.source, plan.target)]
        [vm] = [each for each in looks[0].vms if each.uuid == plan.vm_uuid]
        [disk] = vm.disks
        found = [[each for each in look.repositories if each.identity == disk.repository] for look in looks]
        assert [[each.storage for each in one] for one in found] == [[kind], [kind]], guest


def test_a_volume_that_a_guest_uses_is_not_let_go(xen: Probed) -> None:
    plan = checked(xen, "san-1")
    with pytest.raises(MoveRefusedError, match="Xen has the VM"):
        xen.driver.repair(plan.source, plan.vm_uuid, CopyAction.RELEASE_VOLUME, plan.volumes[0])
    with pytest.raises(MoveRefusedError, match="is open here"):
        xen.driver.repair(
            plan.source, "00000000-0000-4000-8000-000000000000", CopyAction.RELEASE_VOLUME, plan.volumes[0]
        )
    xen.runs_once_on("san-1", plan.source.name)


def test_a_plain_file_in_a_volumes_place_ends_the_move_before_it_begins(xen: Probed) -> None:
    plan = checked(xen, "san-1")
    [path] = plan.volumes
    assert not is_active(xen.lab.run, xen.lab.guest("san-1"), plan.target.name)  # else this would write to the volume
    xen.lab.run(plan.target.name, f"mkdir -p /dev/{VOLUME_GROUP} && echo x > {path}")
    try:
        codes = {each.code for each in xen.driver.preflight(plan).findings if each.severity is Severity.BLOCKER}
        assert "disk_not_a_device" in codes
        with pytest.raises(MoveRefusedError, match="no block device"):
            xen.driver.migrate(plan)
    finally:
        xen.lab.run(plan.target.name, f"rm -f {path}; rmdir /dev/{VOLUME_GROUP} 2>/dev/null || true")
    xen.runs_once_on("san-1", plan.source.name)


def test_a_file_on_nfs_is_refused_a_guard_saying_why(xen: Probed) -> None:
    plan = xen.plan("nfs-1")
    said = xen.driver.guard_foresee(plan.source, plan.vm_uuid)
    assert not said.possible
    assert "only OCFS2" in said.why


@pytest.mark.parametrize("guest", ["san-1", "ocfs-1"])
def test_a_guard_restores_exactly_the_records_of_its_moment_after_the_move(xen: Probed, guest: str) -> None:
    plan = checked(xen, guest)
    source, target, disk = plan.source.name, plan.target.name, disk_path(xen.lab.guest(guest))
    foreseen = xen.driver.guard_foresee(plan.source, plan.vm_uuid)
    assert foreseen.possible, foreseen.why
    guard = GuardPlan(GUARD, plan.vm_uuid, plan.source, foreseen.paths, (plan.target,))
    xen.driver.guard_begin(guard)
    seen = settled(xen, guard, GuardPhase.WHOLE)
    assert seen.pause is not None
    kept = f"{disk}.xwg-{GUARD}"
    held = _held(xen, source, kept, is_volume=bool(plan.volumes))
    assert held["newest"]
    moved(xen, checked(xen, guest))
    release(xen, plan)
    wait_until("it writes on", lambda: xen.newest_record(guest, target) > int(str(held["newest"])) + 20, 120)
    xen.lab.run(target, f"xl destroy {guest}")
    wait_until("it is halted", lambda: not xen.lab.where(guest))
    try:
        xen.driver.guard_roll_back(guard)
        settled(xen, guard, GuardPhase.ROLLED_BACK)
        if plan.volumes:
            assert not is_active(xen.lab.run, xen.lab.guest(guest), target)
        xen.driver.guard_make_ready(guard, plan.source)
        assert verdict(xen, source, str(disk)) == held
        xen.driver.guard_remove(guard)
        assert xen.driver.guard_look(guard).phase is GuardPhase.NONE
        assert GUARD not in xen.lab.run(source, f"lvs --noheadings -o lv_name {VOLUME_GROUP}; ls -d {disk}* || true")
    finally:
        xen.lab.up(print)


def _held(xen: Probed, host: str, kept: str, *, is_volume: bool) -> dict[str, object]:
    """What a guard holds; a volume is looked at as nobody else may while it is kept."""
    if not is_volume:
        return verdict(xen, host, kept)
    words = f"{VOLUME_GROUP}/{kept.rpartition('/')[2]}"
    xen.lab.run(host, f"lvchange -ay {words} && udevadm settle")
    try:
        return verdict(xen, host, kept)
    finally:
        xen.lab.run(host, f"lvchange -an {words}")
