"""Rows follow the hypervisors; what did not change is not told."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from tests.board import VM_UUID, Board
from tests.scripted import snapshot_host, snapshot_vm
from xenweb.audit.chain import verify
from xenweb.audit.models import AuditRecord
from xenweb.core.facts import HostState, PowerState, StorageKind
from xenweb.core.migration import Copy
from xenweb.core.quantities import GIB, MIB, Bytes, BytesPerSecond
from xenweb.drivers.contract import DiskSnapshot, HostSnapshot, RepositorySnapshot, VmSnapshot
from xenweb.inventory.models import Network, StorageRepository, VirtualDisk, VirtualMachine
from xenweb.inventory.selectors import hosts_for, storage_repositories_for, vms_for
from xenweb.inventory.services import host_remove, repository_vouch, vm_assign_team, vm_mark_moving, vm_settle
from xenweb.inventory.sync import HostReading, host_unreachable, reading_apply
from xenweb.realtime.events import VmRemoved
from xenweb.realtime.selectors import events_since, head

SHARED = RepositorySnapshot("shared-1", "shared", "dir", "/srv/shared", Bytes(10 * GIB), Bytes(5 * GIB))


def lay(board: Board, host: str, snapshot: HostSnapshot, age: float = 0.0) -> None:
    row = board.source if host == "host-a" else board.target
    reading_apply(row.pk, HostReading(snapshot, timezone.now() - timedelta(seconds=age)))


def told_since(sequence: int) -> list[str]:
    return [stored.event.type for stored in events_since(sequence)]


def test_a_look_with_nothing_new_tells_nothing_of_vms(board: Board) -> None:
    board.look()
    before = head()
    board.look()
    assert "vm_changed" not in told_since(before)


def test_a_vm_started_behind_our_back_appears(board: Board) -> None:
    board.driver.copies[("host-b", "22222222-2222-4222-8222-222222222222")] = Copy.RUNNING
    board.look()
    assert VirtualMachine.objects.get(uuid__startswith="2222").resident_on_id == board.target.pk


def test_a_vm_moved_behind_our_back_is_followed(board: Board) -> None:
    board.driver.copies[("host-a", VM_UUID)] = Copy.INACTIVE
    board.driver.copies[("host-b", VM_UUID)] = Copy.RUNNING
    board.look()
    assert (board.vm.resident_on_id, board.vm.state) == (board.target.pk, PowerState.RUNNING)


def outside() -> list[tuple[str, str, str, str]]:
    """What the history holds of changes that nobody asked us for, in order."""
    kept = AuditRecord.objects.filter(action="vm_outside_change", outcome="observed").values_list("facts", flat=True)
    told = [json.loads(facts) for facts in kept.order_by("sequence")]
    return [(each["from_host"], each["from_state"], each["to_host"], each["to_state"]) for each in told]


def test_a_vm_moved_behind_our_back_is_in_the_history_with_the_look_before(board: Board) -> None:
    board.look()
    assert outside() == []
    board.driver.copies[("host-a", VM_UUID)] = Copy.INACTIVE
    board.driver.copies[("host-b", VM_UUID)] = Copy.RUNNING
    before = timezone.now()
    board.look()
    seen = outside()
    assert seen[0][:2] == ("host-a", "running")
    assert seen[-1][2:] == ("host-b", "running")
    told = AuditRecord.objects.filter(action="vm_outside_change").first()
    assert told is not None
    assert told.actor == ""
    assert datetime.fromisoformat(json.loads(told.facts)["looked_before"]) < before
    assert told.reason.endswith("Nobody asked xenweb for it.")
    assert verify() is None


def test_a_vm_stopped_started_and_removed_behind_our_back_is_in_the_history_each_time(board: Board) -> None:
    for copy in (Copy.INACTIVE, Copy.RUNNING, Copy.RUNNING):
        board.driver.copies[("host-a", VM_UUID)] = copy
        board.look()
    del board.driver.copies[("host-a", VM_UUID)]
    board.look()
    assert outside() == [
        ("host-a", "running", "host-a", "halted"),
        ("host-a", "halted", "host-a", "running"),
        ("host-a", "running", "", "unknown"),
    ]


def test_what_a_move_of_ours_does_is_no_change_from_outside(board: Board) -> None:
    vm_mark_moving(board.vm.pk, "7F3K2QXZ")
    board.driver.copies[("host-a", VM_UUID)] = Copy.ABSENT
    board.driver.copies[("host-b", VM_UUID)] = Copy.RUNNING
    board.look()
    vm_settle(board.vm.pk, board.target.pk, board.source.pk)
    board.look()
    assert outside() == []


def test_a_vm_that_no_host_knows_leaves_the_board_but_not_the_database(board: Board) -> None:
    before = head()
    del board.driver.copies[("host-a", VM_UUID)]
    board.look()
    assert board.vm.gone
    assert "vm_removed" in told_since(before)
    assert VM_UUID not in {vm.uuid for vm in vms_for(board.admin)}
    board.driver.copies[("host-b", VM_UUID)] = Copy.RUNNING
    board.look()
    assert VM_UUID in {vm.uuid for vm in vms_for(board.admin)}


def test_an_old_look_changes_nothing(board: Board) -> None:
    board.look()
    lay(board, "host-a", snapshot_host("host-a"), age=60)
    board.vm.refresh_from_db()
    assert not board.vm.gone


def test_two_running_copies_are_shown_as_a_conflict(board: Board) -> None:
    board.driver.copies[("host-b", VM_UUID)] = Copy.RUNNING
    board.look()
    assert board.vm.conflict
    board.driver.copies[("host-b", VM_UUID)] = Copy.INACTIVE
    board.look()
    assert not board.vm.conflict


def test_a_silent_hosts_last_word_is_no_conflict(board: Board) -> None:
    host_unreachable(board.source.pk, "It does not answer.")
    lay(board, "host-b", snapshot_host("host-b", (snapshot_vm(VM_UUID),)))
    board.vm.refresh_from_db()
    assert not board.vm.conflict
    assert board.vm.resident_on_id == board.target.pk


def test_an_unreachable_host_keeps_what_it_last_said_with_its_reason(board: Board) -> None:
    host_unreachable(board.source.pk, "The socket is gone.")
    board.source.refresh_from_db()
    board.vm.refresh_from_db()
    assert (board.source.state, board.source.state_reason) == (HostState.UNREACHABLE, "The socket is gone.")
    assert board.vm.resident_on_id == board.source.pk
    before = head()
    host_unreachable(board.source.pk, "The socket is gone.")
    assert head() == before


def test_settling_a_move_beats_a_look_from_before_it(board: Board) -> None:
    vm_mark_moving(board.vm.pk, "7F3K2QXZ")
    early = timezone.now()
    vm_settle(board.vm.pk, board.target.pk, board.source.pk)
    late_news = snapshot_host("host-a", (snapshot_vm(VM_UUID),))
    reading_apply(board.source.pk, HostReading(late_news, early))
    board.vm.refresh_from_db()
    assert board.vm.resident_on_id == board.target.pk
    assert not board.vm.conflict


def test_memory_that_running_vms_may_claim_is_not_free(board: Board) -> None:
    vms = (snapshot_vm(VM_UUID, memory=6 * GIB), snapshot_vm("33333333-3333-4333-8333-333333333333", Copy.INACTIVE))
    lay(board, "host-a", snapshot_host("host-a", vms))
    board.source.refresh_from_db()
    assert board.source.memory_free == 2 * GIB


def test_a_copy_that_still_comes_in_claims_nothing_yet(board: Board) -> None:
    vms = (snapshot_vm(VM_UUID, Copy.INCOMING, memory=6 * GIB),)
    lay(board, "host-b", snapshot_host("host-b", vms))
    board.target.refresh_from_db()
    assert board.target.memory_free == 8 * GIB


def test_storage_that_two_hosts_reach_is_shared(board: Board) -> None:
    for host in ("host-a", "host-b"):
        lay(board, host, replace(snapshot_host(host), repositories=(SHARED,)))
    (wire,) = storage_repositories_for(board.admin)
    assert wire.shared
    assert wire.hosts == sorted([board.source.pk, board.target.pk])
    lay(board, "host-b", snapshot_host("host-b"))
    (wire,) = storage_repositories_for(board.admin)
    assert not wire.shared


def test_storage_that_no_host_reaches_any_more_is_gone(board: Board) -> None:
    for host in ("host-a", "host-b"):
        lay(board, host, replace(snapshot_host(host), repositories=(SHARED,)))
    other = replace(SHARED, identity="nfs:store:/export", name="export")
    lay(board, "host-a", replace(snapshot_host("host-a"), repositories=(other,)))
    assert {wire.name for wire in storage_repositories_for(board.admin)} == {SHARED.name, "export"}
    before = head()
    lay(board, "host-b", replace(snapshot_host("host-b"), repositories=(other,)))
    assert [wire.name for wire in storage_repositories_for(board.admin)] == ["export"]
    assert "storage_repository_removed" in told_since(before)


@pytest.mark.parametrize("why", ["a disk", "a word", "the history"])
def test_storage_that_something_refers_to_stays_though_no_host_reaches_it(board: Board, why: str) -> None:
    lay(board, "host-a", replace(snapshot_host("host-a"), repositories=(SHARED,)))
    row = StorageRepository.objects.get()
    if why == "a disk":
        VirtualDisk.objects.create(vm=board.vm, device="vdb", path="/srv/shared/y", repository=row)
    else:
        repository_vouch(board.admin, str(row.pk), is_shared=True)
    if why == "the history":
        repository_vouch(board.admin, str(row.pk), is_shared=False)
    lay(board, "host-a", snapshot_host("host-a"))
    (wire,) = storage_repositories_for(board.admin)
    assert (wire.id, wire.hosts) == (row.pk, [])


def test_storage_goes_with_the_last_host_that_reached_it(board: Board) -> None:
    lay(board, "host-a", replace(snapshot_host("host-a"), repositories=(SHARED,)))
    host_remove(board.admin, str(board.source.pk), takes_part=lambda _host: False)
    assert storage_repositories_for(board.admin) == []


@pytest.mark.parametrize(("storage", "is_proven"), [(StorageKind.NFS, True), (StorageKind.UNKNOWN, False)])
def test_storage_says_whether_anybodys_word_is_needed(board: Board, storage: StorageKind, is_proven: bool) -> None:
    lay(board, "host-a", replace(snapshot_host("host-a"), repositories=(replace(SHARED, storage=storage),)))
    (wire,) = storage_repositories_for(board.admin)
    assert wire.proven == is_proven


def test_a_sector_less_is_no_news_but_a_percent_is(board: Board) -> None:
    lay(board, "host-a", replace(snapshot_host("host-a"), repositories=(SHARED,)))
    before = head()
    sector_less = replace(SHARED, available=Bytes(5 * GIB - 512))
    lay(board, "host-a", replace(snapshot_host("host-a"), repositories=(sector_less,)))
    assert "storage_repository_changed" not in told_since(before)
    fuller = replace(SHARED, available=Bytes(4 * GIB))
    lay(board, "host-a", replace(snapshot_host("host-a"), repositories=(fuller,)))
    assert StorageRepository.objects.get().available == 4 * GIB


def test_disks_and_networks_follow(board: Board) -> None:
    disk = DiskSnapshot("vda", "/srv/shared/x", "raw", Bytes(MIB), "none", read_only=False, repository="shared-1")
    vm = replace(snapshot_vm(VM_UUID), disks=(disk,), networks=("lan",))
    lay(board, "host-a", replace(snapshot_host("host-a", (vm,)), repositories=(SHARED,), networks=("lan", "dmz")))
    (wire,) = vms_for(board.lead)
    assert [(each.device, each.storage) for each in wire.disks] == [("vda", "shared")]
    assert set(Network.objects.values_list("name", flat=True)) == {"lan", "dmz"}
    lay(board, "host-a", snapshot_host("host-a", (snapshot_vm(VM_UUID),)))
    (wire,) = vms_for(board.lead)
    assert wire.disks == []


def test_a_vm_that_changes_team_vanishes_for_the_old_and_appears_for_the_new(board: Board) -> None:
    from xenweb.accounts.services import team_create

    old, new = board.vm.team_id, team_create("Data")
    before = head()
    vm_assign_team(VM_UUID, new)
    told = [(stored.event.type, stored.team) for stored in events_since(before)]
    assert told == [("vm_removed", old), ("vm_changed", new)]
    assert isinstance(events_since(before)[0].event, VmRemoved)


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "../../etc/passwd", "a\r\nb", "\u202eevil", "=cmd|'/C calc'"]
)
def test_hostile_names_are_kept_as_text(board: Board, name: str) -> None:
    lay(board, "host-a", snapshot_host("host-a", (snapshot_vm(VM_UUID, name=name),)))
    assert vms_for(board.lead)[0].name == name


@pytest.mark.parametrize("count", [10, 100])
def test_lists_have_a_query_budget(board: Board, count: int, django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    vms = tuple(snapshot_vm(f"{number:08d}-0000-4000-8000-000000000000") for number in range(count))
    lay(board, "host-b", snapshot_host("host-b", vms))
    with django_assert_max_num_queries(6):
        assert len(vms_for(board.admin)) == count + 1
    with django_assert_max_num_queries(4):
        hosts_for(board.admin)


def measured(rate: float, age: float) -> VmSnapshot:
    at = timezone.now() - timedelta(seconds=age)
    return replace(snapshot_vm(VM_UUID), dirty_rate=BytesPerSecond(rate), dirty_rate_at=at)


def test_a_measured_change_rate_is_shown_with_its_moment(board: Board) -> None:
    said = vms_for(board.admin)[0]
    assert (said.dirty_rate.provenance, said.dirty_rate_at) == ("not_available", None)
    before = head()
    vm = measured(2.0 * MIB, age=3)
    lay(board, "host-a", snapshot_host("host-a", (vm,)))
    said = vms_for(board.admin)[0]
    assert (said.dirty_rate.value, said.dirty_rate.provenance) == (2.0 * MIB, "measured")
    assert said.dirty_rate_at == vm.dirty_rate_at
    assert "vm_changed" in told_since(before)


def test_the_newest_measurement_counts_and_outlives_a_look_without_one(board: Board) -> None:
    lay(board, "host-a", snapshot_host("host-a", (measured(2.0 * MIB, age=3),)))
    lay(board, "host-a", snapshot_host("host-a", (measured(9.0 * MIB, age=60),)))
    lay(board, "host-a", snapshot_host("host-a", (snapshot_vm(VM_UUID),)))
    assert vms_for(board.admin)[0].dirty_rate.value == 2.0 * MIB


def test_a_halted_vm_has_no_change_rate(board: Board) -> None:
    lay(board, "host-a", snapshot_host("host-a", (measured(2.0 * MIB, age=3),)))
    board.driver.copies[("host-a", VM_UUID)] = Copy.INACTIVE
    board.look()
    assert vms_for(board.admin)[0].dirty_rate.value is None
