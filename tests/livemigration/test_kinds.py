"""Kinds of move: stored when asked for, judged again before the call, proven by what they are."""

from dataclasses import replace

import pytest
from django.utils import timezone

from tests.board import Board
from tests.livemigration.test_drive import copying, in_a_thread, states, until
from tests.scripted import LOCAL_DISK, LOCAL_STORAGE
from xenweb.audit.models import AuditRecord
from xenweb.core.facts import Kind, PowerState
from xenweb.core.migration import Copy, State
from xenweb.core.quantities import MIB, Bytes
from xenweb.drivers.contract import (
    Capability,
    DiskExistsError,
    DiskMissingError,
    MigrationPlan,
    MoveCancelledError,
    MoveOptions,
    MoveRefusedError,
    Phase,
    Progress,
)
from xenweb.inventory.models import Host, VmSighting
from xenweb.livemigration.drive import adopt, drive
from xenweb.livemigration.errors import (
    LeftoverDiskNotFoundError,
    LeftoverDiskRefusedError,
    MoveForbiddenError,
    NotPlaceableError,
    OptionRefusedError,
)
from xenweb.livemigration.leftovers import leftover_disk_remove, leftover_disk_settle, leftover_disks_due
from xenweb.livemigration.models import LeftoverDisk, Migration
from xenweb.livemigration.plan import plan_of
from xenweb.livemigration.selectors import leftover_disks_for, migration_for, promises, verdicts_for
from xenweb.livemigration.services import migration_cancel, migration_request


def disk_look(done: int) -> Progress:
    return Progress(
        Phase.COPYING_STORAGE,
        disk_total=Bytes(32 * MIB),
        disk_processed=Bytes(done * MIB),
        disk_remaining=Bytes((32 - done) * MIB),
    )


def asked(board: Board, **changes: object) -> Migration:
    wanted = {"vm": str(board.vm.pk), "target": str(board.target.pk), "options": MoveOptions()} | changes
    return Migration.objects.get(pk=migration_request(board.admin, **wanted).id)  # type: ignore[arg-type]


def driven(row: Migration) -> Migration:
    drive(row.pk, "test")
    row.refresh_from_db()
    return row


def call_leaves(board: Board, *, source: Copy, target: Copy) -> None:
    """Let the call end at once, with these copies of the VM on both hosts."""

    def moved(plan: MigrationPlan) -> None:
        board.driver.copies |= {("host-a", plan.vm_uuid): source, ("host-b", plan.vm_uuid): target}

    board.driver.on_call = moved
    board.driver.let_go.set()


def becomes(board: Board, copy: Copy) -> None:
    board.driver.copies[("host-a", board.vm.uuid)] = copy
    board.look()


def give_local_disk(board: Board) -> None:
    """Let the VM have a disk on storage that each host has for itself."""
    board.driver.repositories = (LOCAL_STORAGE,)
    board.driver.disks[("host-a", board.vm.uuid)] = (LOCAL_DISK["host-a"],)
    board.look()


def arrives(board: Board) -> None:
    """Let the call take the VM to the target, with its disk."""

    def moved(plan: MigrationPlan) -> None:
        board.driver.moves_to_target(plan)
        board.driver.disks[("host-b", plan.vm_uuid)] = (LOCAL_DISK["host-b"],)

    board.driver.on_call = moved
    board.driver.let_go.set()


def moved_with_disk(board: Board) -> Migration:
    give_local_disk(board)
    arrives(board)
    row = driven(asked(board))
    assert row.state == State.DONE, row.failure_sentence
    board.look()
    return row


# --- halted and paused


@pytest.mark.parametrize(("copy", "kind"), [(Copy.RUNNING, "live"), (Copy.PAUSED, "paused"), (Copy.INACTIVE, "cold")])
def test_the_kind_of_a_move_is_stored_shown_and_planned(board: Board, copy: Copy, kind: str) -> None:
    becomes(board, copy)
    row = asked(board)
    assert row.kind == kind
    assert migration_for(board.admin, row.pk).kind == kind
    assert plan_of(row).kind is Kind(kind)


def test_a_halted_vm_is_done_when_only_the_target_keeps_it_and_is_shown_halted_there(board: Board) -> None:
    becomes(board, Copy.INACTIVE)

    call_leaves(board, source=Copy.ABSENT, target=Copy.INACTIVE)
    row = driven(asked(board))
    board.vm.refresh_from_db()
    assert (row.state, row.forecast) == (State.DONE, None)
    assert (board.vm.resident_on_id, board.vm.state) == (board.target.pk, PowerState.HALTED)
    assert not VmSighting.objects.get(vm=board.vm, host=board.target).active
    assert states(row) == ["queued", "checking", "preparing", "verifying", "done"]


def test_a_halted_vm_whose_definition_stays_on_both_hosts_is_not_called_moved(board: Board) -> None:
    becomes(board, Copy.INACTIVE)
    call_leaves(board, source=Copy.INACTIVE, target=Copy.INACTIVE)
    row = driven(asked(board))
    assert (row.state, row.failure_code) == (State.FAILED, "vm_defined_twice")


def test_whoever_adopts_a_halted_vms_move_waits_for_a_definition_that_may_be_on_its_way(board: Board) -> None:
    becomes(board, Copy.INACTIVE)
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(state=State.PREPARING, call_intended_at=timezone.now())
    thread = in_a_thread(adopt, row.pk, "another")
    until(lambda: Migration.objects.get(pk=row.pk).state == State.VERIFYING)
    board.driver.moves_to_target(plan_of(row))
    board.driver.copies[("host-b", board.vm.uuid)] = Copy.INACTIVE
    thread.join(10)
    row.refresh_from_db()
    assert row.state == State.DONE


def test_a_running_vm_that_is_found_halted_is_still_called_stopped(board: Board) -> None:
    call_leaves(board, source=Copy.ABSENT, target=Copy.INACTIVE)
    row = driven(asked(board))
    assert (row.state, row.failure_code) == (State.FAILED, "vm_stopped")


def test_a_paused_vm_stays_paused_and_is_never_resumed(board: Board) -> None:
    becomes(board, Copy.PAUSED)

    call_leaves(board, source=Copy.ABSENT, target=Copy.PAUSED)
    row = driven(asked(board))
    board.vm.refresh_from_db()
    assert row.state == State.DONE
    assert (board.vm.resident_on_id, board.vm.state) == (board.target.pk, PowerState.PAUSED)
    assert board.driver.repairs == []


def test_a_paused_vm_whose_copy_is_half_received_is_not_called_moved(board: Board) -> None:
    becomes(board, Copy.PAUSED)

    call_leaves(board, source=Copy.ABSENT, target=Copy.INCOMING)
    row = driven(asked(board))
    assert row.state == State.UNCERTAIN


@pytest.mark.parametrize(
    ("before", "after"), [(Copy.RUNNING, Copy.INACTIVE), (Copy.INACTIVE, Copy.RUNNING), (Copy.PAUSED, Copy.RUNNING)]
)
def test_a_vm_that_was_started_or_stopped_meanwhile_is_refused_before_the_call(
    board: Board, before: Copy, after: Copy
) -> None:
    becomes(board, before)
    row = asked(board)
    board.driver.copies[("host-a", board.vm.uuid)] = after
    board.vm.state = {Copy.RUNNING: "running", Copy.INACTIVE: "halted"}[after]
    board.vm.save()
    driven(row)
    assert (row.state, row.failure_code) == (State.FAILED, "vm_state_changed")
    assert board.driver.calls == []


@pytest.mark.parametrize(
    ("copy", "capability", "code"),
    [(Copy.INACTIVE, Capability.COLD_MOVE, "vm_halted"), (Copy.PAUSED, Capability.PAUSED_MOVE, "vm_not_running")],
)
def test_what_a_driver_cannot_move_is_refused(board: Board, copy: Copy, capability: Capability, code: str) -> None:
    board.driver.capabilities -= {capability}
    becomes(board, copy)
    with pytest.raises(NotPlaceableError) as refusal:
        asked(board)
    assert [finding.code for finding in refusal.value.findings] == [code]


@pytest.mark.parametrize(
    ("copy", "options"),
    [
        (Copy.PAUSED, MoveOptions(post_copy=True)),
        (Copy.PAUSED, MoveOptions(auto_converge=True)),
        (Copy.INACTIVE, MoveOptions(auto_converge=True)),
    ],
)
def test_options_that_make_no_sense_for_a_kind_are_neither_offered_nor_taken(
    board: Board, copy: Copy, options: MoveOptions
) -> None:
    becomes(board, copy)
    offered = {option.name for option in verdicts_for(board.admin, str(board.vm.pk)).options}
    assert not offered & {"post_copy", "auto_converge"}
    with pytest.raises(OptionRefusedError):
        asked(board, options=options)


# --- disks


def test_the_verdict_says_that_a_disk_must_be_copied_and_the_forecast_counts_it(board: Board) -> None:
    plain = verdicts_for(board.admin, str(board.vm.pk)).verdicts
    give_local_disk(board)
    verdicts = {verdict.host: verdict for verdict in verdicts_for(board.admin, str(board.vm.pk)).verdicts}
    there, before = verdicts[board.target.pk], next(each for each in plain if each.host == board.target.pk)
    assert there.answer == "can_go_but"
    assert [finding.code for finding in there.findings] == ["disk_copied"]
    assert there.forecast is not None
    assert before.forecast is not None
    assert there.forecast.sent == before.forecast.sent + 32 * MIB


def test_a_move_stores_the_disks_it_copies_and_never_says_that_they_are_shared(board: Board) -> None:
    give_local_disk(board)
    row = asked(board)
    plan = plan_of(row)
    assert [(disk.device, disk.capacity) for disk in plan.copied_disks] == [("vda", 32 * MIB)]
    assert row.copied_bytes == 32 * MIB
    assert plan.trust_shared_storage is False


def test_disks_come_first_with_figures_of_their_own(board: Board) -> None:
    give_local_disk(board)
    board.driver.progresses = [disk_look(8)]
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: migration_for(board.admin, row.pk).progress.disk_processed.value == 8 * MIB)
    shown = migration_for(board.admin, row.pk)
    assert shown.state == State.COPYING_STORAGE
    assert shown.cancellable
    assert shown.progress.disk_total.value == 32 * MIB
    assert shown.progress.remaining.provenance == "not_available"
    assert 0 < (shown.progress.total.value or 0) < 1
    board.driver.progresses = [copying(1, 40, 24)]
    until(lambda: migration_for(board.admin, row.pk).state == State.PRE_COPY)
    arrives(board)
    thread.join(10)
    assert states(row) == ["queued", "checking", "preparing", "copying_storage", "pre_copy", "verifying", "done"]


def test_a_disk_that_need_not_be_copied_any_more_stops_the_move_before_the_call(board: Board) -> None:
    give_local_disk(board)
    row = asked(board)
    board.driver.disks[("host-a", board.vm.uuid)] = ()
    board.look()
    driven(row)
    assert (row.state, row.failure_code) == (State.FAILED, "disks_changed")


def test_what_moves_under_way_bring_counts_as_taken(board: Board) -> None:
    give_local_disk(board)
    asked(board)
    assert promises()[board.target.pk].disk == 32 * MIB


# --- what is left behind


def test_the_old_disk_is_listed_and_nothing_deletes_it_unasked(board: Board) -> None:
    row = moved_with_disk(board)
    (disk,) = leftover_disks_for(board.admin)
    assert (disk.host, disk.size, disk.migration, disk.partial) == (board.source.pk, 32 * MIB, row.pk, False)
    assert disk.removable
    assert leftover_disks_due() == []
    assert board.driver.removed_disks == []
    assert migration_for(board.admin, row.pk).leftover_disks == [disk]


def test_the_old_disk_is_deleted_when_asked_and_proven_and_all_of_it_is_recorded(board: Board) -> None:
    moved_with_disk(board)
    (disk,) = leftover_disks_for(board.admin)
    assert leftover_disk_remove(board.lead, str(disk.id)).removing
    assert board.driver.removed_disks == [], "nobody waits for a hypervisor while asking"
    leftover_disk_settle(disk.id)
    assert board.driver.removed_disks == [("host-a", disk.path)]
    assert leftover_disks_for(board.admin) == []
    told = AuditRecord.objects.filter(action="leftover_disk_remove").values_list("actor", "outcome")
    assert list(told) == [("lead-shop", "allowed"), ("lead-shop", "done")]


def test_only_who_may_is_let_delete_and_others_see_nothing_of_it(board: Board) -> None:
    moved_with_disk(board)
    (disk,) = leftover_disks_for(board.admin)
    assert leftover_disks_for(board.stranger) == []
    assert [each.removable for each in leftover_disks_for(board.auditor)] == [False]
    with pytest.raises(LeftoverDiskNotFoundError):
        leftover_disk_remove(board.stranger, str(disk.id))
    with pytest.raises(MoveForbiddenError):
        leftover_disk_remove(board.auditor, str(disk.id))
    assert leftover_disks_due() == []


def test_deleting_twice_is_refused(board: Board) -> None:
    moved_with_disk(board)
    (disk,) = leftover_disks_for(board.admin)
    leftover_disk_remove(board.admin, str(disk.id))
    with pytest.raises(LeftoverDiskRefusedError):
        leftover_disk_remove(board.admin, str(disk.id))


OTHER = "33333333-3333-4333-8333-333333333333"


@pytest.mark.parametrize("spoil", ["used", "used_halted", "silent", "moving", "vm_gone", "no_own_copy"])
def test_a_disk_stays_where_anything_is_unproven(board: Board, spoil: str) -> None:
    moved_with_disk(board)
    (disk,) = leftover_disks_for(board.admin)
    driver, uuid = board.driver, board.vm.uuid
    match spoil:
        case "used" | "used_halted":
            driver.copies[("host-a", OTHER)] = Copy.RUNNING if spoil == "used" else Copy.INACTIVE
            driver.disks[("host-a", OTHER)] = (LOCAL_DISK["host-a"],)
        case "silent":
            driver.silent_hosts.add("host-b")
        case "moving":
            board.vm.refresh_from_db()
            board.vm.moving_as = "7F3K2QXZ"
            board.vm.save()
        case "vm_gone":
            driver.copies[("host-b", uuid)] = Copy.ABSENT
        case "no_own_copy":
            driver.disks[("host-b", uuid)] = ()
    leftover_disk_remove(board.admin, str(disk.id))
    leftover_disk_settle(disk.id)
    (kept,) = leftover_disks_for(board.admin)
    assert driver.removed_disks == []
    assert kept.refusal
    assert kept.removable, "it can be asked for again"


def test_a_disk_that_a_vm_uses_stays_also_where_two_hosts_bear_one_name(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved_with_disk(board)
    (disk,) = leftover_disks_for(board.admin)
    board.driver.copies[("host-a", OTHER)] = Copy.RUNNING
    board.driver.disks[("host-a", OTHER)] = (LOCAL_DISK["host-a"],)
    names = {f"scripted:{name}": name for name in ("host-a", "host-b")}
    look = board.driver.inventory
    # The scripted hosts are known by their names: the driver is asked by the address, as a real one is.
    monkeypatch.setattr(
        board.driver, "inventory", lambda endpoint: look(replace(endpoint, name=names[endpoint.uri])), raising=False
    )
    Host.objects.update(name="node-1")
    leftover_disk_remove(board.admin, str(disk.id))
    leftover_disk_settle(disk.id)
    assert board.driver.removed_disks == []
    assert [each.refusal for each in leftover_disks_for(board.admin)] == ["vm-3333 on node-1 uses /srv/local/vm.img."]


def test_a_disk_that_is_gone_already_is_deleted_and_one_that_is_refused_stays(board: Board) -> None:
    moved_with_disk(board)
    (disk,) = leftover_disks_for(board.admin)
    board.driver.disk_error = MoveRefusedError("wiki uses it.")
    leftover_disk_remove(board.admin, str(disk.id))
    leftover_disk_settle(disk.id)
    assert [each.refusal for each in leftover_disks_for(board.admin)] == ["wiki uses it."]
    board.driver.disk_error = DiskMissingError("There is none.")
    leftover_disk_remove(board.admin, str(disk.id))
    leftover_disk_settle(disk.id)
    assert leftover_disks_for(board.admin) == []


def cancelled_in_the_disk_copy(board: Board, copy: Copy) -> Migration:
    give_local_disk(board)
    driver = board.driver
    driver.progresses = [disk_look(8)]
    driver.error = MoveCancelledError("As asked.")
    driver.on_cancel = lambda plan: driver.let_go.set()
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: migration_for(board.admin, row.pk).state == State.COPYING_STORAGE)
    migration_cancel(board.admin, row.pk)
    driver.copies[("host-a", board.vm.uuid)] = copy
    thread.join(10)
    row.refresh_from_db()
    return row


@pytest.mark.fault("F28", oracle="the scripted hosts: the part of a copy is gone, and the VM where it was")
def test_part_of_a_copy_is_cleared_away_once_the_vm_is_proven_to_have_stayed(board: Board) -> None:
    row = cancelled_in_the_disk_copy(board, Copy.RUNNING)
    assert row.state == State.CANCELLED
    (disk,) = LeftoverDisk.objects.filter(migration=row)
    assert (disk.host_id, disk.partial, disk.asked_by) == (board.target.pk, True, "xenweb")
    assert leftover_disks_due() == [disk.pk]
    leftover_disk_settle(disk.pk)
    assert board.driver.removed_disks == [("host-b", disk.path)]
    assert leftover_disks_for(board.admin) == []


def test_part_of_a_copy_is_only_listed_where_the_vm_is_not_proven_to_have_stayed(board: Board) -> None:
    row = cancelled_in_the_disk_copy(board, Copy.INACTIVE)
    assert (row.state, row.failure_code) == (State.FAILED, "vm_stopped")
    assert leftover_disks_due() == []
    assert [disk.partial for disk in leftover_disks_for(board.admin)] == [True]


def test_a_disk_that_was_there_before_the_call_is_not_ours_to_list_or_to_clear_away(board: Board) -> None:
    give_local_disk(board)
    board.driver.error = DiskExistsError("host-b already has it.")
    board.driver.let_go.set()
    row = driven(asked(board))
    assert (row.state, row.failure_code) == (State.FAILED, "disk_exists")
    assert not LeftoverDisk.objects.exists()


def test_a_move_that_was_never_called_leaves_nothing(board: Board) -> None:
    give_local_disk(board)
    row = asked(board)
    migration_cancel(board.admin, row.pk)
    assert not LeftoverDisk.objects.exists()
