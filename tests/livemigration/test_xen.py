"""Moves between hosts that tell only the time, leave half-built copies, and take running VMs for paused."""

import json
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.board import Board
from tests.livemigration.test_drive import asked, in_a_thread, until
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import Copy, Repair, State
from xenweb.core.quantities import MIB, Bytes, Milliseconds
from xenweb.drivers.contract import (
    Capability,
    CompletedStats,
    CopyAction,
    Endpoint,
    MigrationPlan,
    MoveBrokenError,
    MoveOptions,
    MoveRefusedError,
    PassMark,
    Phase,
    Progress,
    VmSighting,
)
from xenweb.inventory.models import Host
from xenweb.livemigration import watching
from xenweb.livemigration.choices import choice_request
from xenweb.livemigration.drive import adopt, drive
from xenweb.livemigration.errors import NotCancellableError, OptionRefusedError
from xenweb.livemigration.models import Migration
from xenweb.livemigration.selectors import migration_for
from xenweb.livemigration.services import migration_cancel, migration_request

ONLY_TIME = Progress(Phase.COPYING, elapsed=Milliseconds(1200))
WITH_PROBE = [Capability.PASSES.value, Capability.CANCEL.value, Capability.MEASURED_DOWNTIME.value]
REMOVED = [("host-b", CopyAction.BREAK_OFF), ("host-b", CopyAction.REMOVE)]
FAILED = MoveBrokenError("Failed to send migration data to destination host.")


def can(board: Board, *capabilities: str) -> None:
    """Let both hosts be able to do this, and nothing else."""
    for host in (board.source, board.target):
        host.capabilities = list(capabilities)
        host.save()


@pytest.fixture
def bare(board: Board) -> Board:
    can(board)
    return board


@pytest.fixture
def probed(board: Board, monkeypatch: pytest.MonkeyPatch) -> Board:
    can(board, *WITH_PROBE)
    monkeypatch.setattr(watching, "PROVE_FOR", 0.3)
    return board


def begun(board: Board) -> tuple[Migration, threading.Thread]:
    board.driver.progresses = [ONLY_TIME]
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: Migration.objects.get(pk=row.pk).state == State.PRE_COPY)
    return row, thread


def driven(board: Board) -> Migration:
    """Drive a move that ends at once."""
    board.driver.let_go.set()
    row = asked(board)
    drive(row.pk, "test")
    row.refresh_from_db()
    return row


def test_a_hypervisor_that_tells_the_time_alone_is_shown_as_that(bare: Board) -> None:
    row, thread = begun(bare)
    until(lambda: Migration.objects.get(pk=row.pk).elapsed)
    shown = migration_for(bare.admin, row.pk)
    assert not shown.passes_told
    assert (shown.progress.total.value, shown.progress.total.provenance) == (None, "not_available")
    assert shown.progress.remaining.provenance == "not_available"
    assert shown.passes == []
    assert shown.progress.elapsed_ms is not None
    bare.driver.on_call = bare.driver.moves_to_target
    bare.driver.let_go.set()
    thread.join(10)
    done = migration_for(bare.admin, row.pk)
    assert (done.state, done.progress.total.value) == ("done", 1.0)
    assert done.downtime_ms.provenance == "not_available"


def test_a_host_that_has_nothing_new_to_tell_yet_is_left_alone_and_the_end_is_seen_at_once(bare: Board) -> None:
    bare.driver.progresses = [replace(ONLY_TIME, look_again_after=60.0), *[ONLY_TIME] * 9]
    row = asked(bare)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: Migration.objects.get(pk=row.pk).state == State.PRE_COPY)
    time.sleep(0.2)
    assert len(bare.driver.progresses) == 9
    bare.driver.on_call = bare.driver.moves_to_target
    bare.driver.let_go.set()
    thread.join(10)
    assert Migration.objects.get(pk=row.pk).state == State.DONE


def test_what_cannot_be_given_up_is_offered_no_button_and_refused_with_a_reason(bare: Board) -> None:
    row, thread = begun(bare)
    assert not migration_for(bare.admin, row.pk).cancellable
    with pytest.raises(NotCancellableError, match="probe"):
        migration_cancel(bare.admin, row.pk)
    assert Migration.objects.get(pk=row.pk).cancel_requested_at is None
    assert AuditRecord.objects.filter(action="migration_cancel", outcome="refused").count() == 1
    bare.driver.let_go.set()
    thread.join(10)


def test_a_move_that_waits_can_be_given_up_on_every_hypervisor(bare: Board) -> None:
    row = asked(bare)
    assert migration_for(bare.admin, row.pk).cancellable
    assert migration_cancel(bare.admin, row.pk).state == State.CANCELLED


def test_with_a_probe_it_can_be_given_up(probed: Board) -> None:
    row, thread = begun(probed)
    assert migration_for(probed.admin, row.pk).cancellable
    assert migration_for(probed.admin, row.pk).passes_told
    probed.driver.on_cancel = lambda plan: probed.driver.let_go.set()
    migration_cancel(probed.admin, row.pk)
    thread.join(10)
    assert Migration.objects.get(pk=row.pk).state == State.CANCELLED


def test_an_option_that_the_host_does_not_have_is_refused(bare: Board) -> None:
    ends = {"vm": str(bare.vm.pk), "target": str(bare.target.pk)}
    with pytest.raises(OptionRefusedError, match="deadline_s"):
        migration_request(bare.admin, **ends, options=MoveOptions(), deadline_s=60)
    with pytest.raises(OptionRefusedError, match="auto_converge"):
        migration_request(bare.admin, **ends, options=MoveOptions(auto_converge=True))
    assert not Migration.objects.exists()


def test_the_hand_over_of_memory_is_kept_apart_from_the_pause_and_passes_known_only_at_the_end_are_kept(
    probed: Board,
) -> None:
    def arrived(plan: MigrationPlan) -> None:
        now = time.monotonic()
        starts = ((1, 0.0, 160), (2, 0.008, 16), (3, 0.009, 4))
        marks = tuple(PassMark(number, now + at, Bytes(left * MIB)) for number, at, left in starts)
        total, pause, memory = Milliseconds(12000), Milliseconds(2500), Milliseconds(200)
        probed.driver.stats = CompletedStats(total, pause, Bytes(180 * MIB), 3, memory, marks)
        probed.driver.moves_to_target(plan)

    probed.driver.on_call = arrived
    row = driven(probed)
    shown = migration_for(probed.admin, row.pk)
    assert (shown.downtime_ms.value, shown.memory_hand_over_ms.value) == (2500, 200)
    assert [each.remaining_at_start for each in shown.passes] == [160 * MIB, 16 * MIB, 4 * MIB]
    assert [each.transfer_rate is not None for each in shown.passes] == [True, True, False]


def half_built(board: Board) -> Migration:
    """Drive a move that leaves its guest suspended at the source, and a copy at the target that never ran."""
    driver, vm = board.driver, board.vm.uuid
    driver.error = FAILED
    driver.on_call = lambda plan: driver.copies.update({("host-a", vm): Copy.INCOMING, ("host-b", vm): Copy.NEVER_RAN})
    return driven(board)


def test_a_guest_left_suspended_goes_on_by_one_choice_once_the_half_built_copy_is_gone(probed: Board) -> None:
    driver, row = probed.driver, half_built(probed)
    assert row.state == State.UNCERTAIN
    assert row.repairs == Repair.REMOVE_HALF_BUILT
    assert driver.repairs == []
    choice_request(probed.admin, row.pk, Repair.REMOVE_HALF_BUILT)
    adopt(row.pk, "test")
    row.refresh_from_db()
    assert driver.repairs == [*REMOVED, ("host-a", CopyAction.RESUME)]
    assert row.state == State.FAILED
    assert row.vm.resident_on_id == probed.source.pk
    told = AuditRecord.objects.filter(action="migration_repair").order_by("pk")
    assert [(each.actor, json.loads(each.facts)["repair"]) for each in told] == [
        ("admin", "remove_half_built"),
        ("xenweb", "resume_source"),
    ]


def test_a_guest_that_stands_still_is_not_kept_waiting_once_nothing_is_in_its_way(
    probed: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, row = probed.driver, half_built(probed)
    choice_request(probed.admin, row.pk, Repair.REMOVE_HALF_BUILT)
    monkeypatch.setattr(watching, "PROVE_FOR", 600.0)
    thread = in_a_thread(adopt, row.pk, "test")
    thread.join(30)
    assert not thread.is_alive()
    assert driver.repairs == [*REMOVED, ("host-a", CopyAction.RESUME)]


def test_a_guest_that_was_let_go_on_is_given_the_time_to_show_it(
    probed: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, vm, row = probed.driver, probed.vm.uuid, half_built(probed)
    choice_request(probed.admin, row.pk, Repair.REMOVE_HALF_BUILT)
    repair, asked = driver.repair, iter([Copy.INCOMING] * 20)

    def slowly(endpoint: Endpoint, vm_uuid: str, action: CopyAction, path: str = "") -> None:
        repair(endpoint, vm_uuid, action, path)
        if action is CopyAction.RESUME:
            driver.copies[("host-a", vm)] = Copy.INCOMING

    locate = driver.locate

    def later(endpoint: Endpoint, vm_uuid: str) -> VmSighting:
        is_let_go = ("host-a", CopyAction.RESUME) in driver.repairs and endpoint.name == "host-a"
        return VmSighting(next(asked, Copy.RUNNING)) if is_let_go else locate(endpoint, vm_uuid)

    monkeypatch.setattr(driver, "repair", slowly)
    monkeypatch.setattr(driver, "locate", later)
    monkeypatch.setattr(watching, "PROVE_FOR", 600.0)
    thread = in_a_thread(adopt, row.pk, "test")
    thread.join(30)
    assert not thread.is_alive()
    row.refresh_from_db()
    assert row.state == State.FAILED
    assert driver.repairs.count(("host-a", CopyAction.RESUME)) == 1


def switching(board: Board, target: Copy) -> tuple[Migration, threading.Thread]:
    """Begin a move whose guest is suspended, and of which nothing more comes across."""
    driver, vm = board.driver, board.vm.uuid
    driver.busy = True
    driver.copies.update({("host-a", vm): Copy.INCOMING, ("host-b", vm): target})
    look = replace(ONLY_TIME, phase=Phase.SWITCHING, pass_number=1, processed=Bytes(MIB), total=Bytes(MIB))
    driver.progresses = [replace(look, phase=Phase.COPYING), look]
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: Migration.objects.get(pk=row.pk).state == State.STOP_AND_COPY)
    return row, thread


def test_a_hand_over_that_stands_still_is_broken_off_at_the_target_first_and_the_guest_goes_on(
    probed: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "STALLED_AFTER", 0.5)
    driver, vm = probed.driver, probed.vm.uuid
    driver.error = FAILED
    row, thread = switching(probed, Copy.NEVER_RAN)

    def ended() -> bool:
        if ("host-a", CopyAction.BREAK_OFF) in driver.repairs:
            driver.copies[("host-b", vm)] = Copy.ABSENT
            driver.busy = False
            driver.let_go.set()
        return driver.let_go.is_set()

    until(ended)
    thread.join(10)
    row.refresh_from_db()
    broken_off = [("host-b", CopyAction.BREAK_OFF), ("host-a", CopyAction.BREAK_OFF)]
    assert driver.repairs == [*broken_off, ("host-a", CopyAction.RESUME)]
    assert row.state == State.FAILED
    told = AuditRecord.objects.filter(action="migration_repair").order_by("pk")
    assert [json.loads(each.facts)["repair"] for each in told] == ["break_off", "resume_source"]


@pytest.mark.parametrize("target", [Copy.RUNNING, Copy.INCOMING, Copy.NO_ANSWER, Copy.ABSENT])
def test_nothing_is_broken_off_while_the_target_does_not_prove_that_its_copy_never_ran(
    probed: Board, monkeypatch: pytest.MonkeyPatch, target: Copy
) -> None:
    monkeypatch.setattr(watching, "STALLED_AFTER", 0.2)
    monkeypatch.setattr(watching, "BREAK_OFF_EVERY", 0.1)
    _, thread = switching(probed, target)
    time.sleep(1)
    assert probed.driver.repairs == []
    probed.driver.busy = False
    probed.driver.let_go.set()
    thread.join(10)


def test_a_hand_over_that_goes_on_is_left_alone(probed: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    stall = watching.Stall()
    monkeypatch.setattr(watching, "STALLED_AFTER", 12.0)
    began = time.monotonic()
    for second in range(60):
        stall.look(replace(ONLY_TIME, processed=Bytes(second // 10)), began + second)
        assert not stall.is_due(began + second)
    assert stall.is_due(began + 62.5)
    assert not stall.is_due(began + 63.5)
    assert stall.is_due(began + 64.5)


def test_a_leftover_at_the_target_holds_nothing_up_and_can_be_removed(probed: Board) -> None:
    driver, vm = probed.driver, probed.vm.uuid
    driver.error = FAILED
    driver.on_call = lambda plan: driver.copies.update({("host-b", vm): Copy.NEVER_RAN})
    row = driven(probed)
    assert (row.state, row.repairs) == (State.UNCERTAIN, Repair.REMOVE_TARGET_COPY)
    choice_request(probed.admin, row.pk, Repair.REMOVE_TARGET_COPY)
    adopt(row.pk, "test")
    row.refresh_from_db()
    assert (row.state, driver.repairs) == (State.FAILED, REMOVED)


def misreading(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the source take the running VM for paused until that is put right."""
    locate = board.driver.locate

    def misread(endpoint: Endpoint, vm_uuid: str) -> VmSighting:
        said = locate(endpoint, vm_uuid)
        is_wrong = endpoint.name == "host-a" and not board.driver.repairs
        return VmSighting(said.copy, said.busy, said.cpu_time, misread=is_wrong)

    monkeypatch.setattr(board.driver, "locate", misread)

    def repair(endpoint: Endpoint, _vm: str, action: CopyAction, path: str = "") -> None:
        board.driver.repairs.append((endpoint.name, action))

    monkeypatch.setattr(board.driver, "repair", repair)


def test_a_vm_that_is_taken_for_paused_is_put_right_by_itself_and_recorded(
    probed: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    misreading(probed, monkeypatch)
    probed.driver.error = MoveRefusedError("Domain 'web01' already exists.")
    row = driven(probed)
    assert probed.driver.repairs == [("host-a", CopyAction.CORRECT)]
    assert (row.state, row.failure_code) == (State.FAILED, "move_refused")
    record = AuditRecord.objects.get(action="migration_repair")
    assert (record.actor, record.outcome, json.loads(record.facts)["repair"]) == ("xenweb", "allowed", "correct_source")


def test_a_suspended_vm_waits_for_xens_own_word_that_the_target_has_no_copy_and_then_goes_on(probed: Board) -> None:
    driver, vm = probed.driver, probed.vm.uuid
    driver.error = FAILED
    driver.unproven_hosts = {"host-b"}
    driver.on_call = lambda plan: driver.copies.update({("host-a", vm): Copy.INCOMING, ("host-b", vm): Copy.ABSENT})
    row = driven(probed)
    assert (row.state, row.repairs, driver.repairs) == (State.UNCERTAIN, "", [])
    assert row.failure_code == "target_unproven"
    assert "word of its daemon alone" in row.failure_sentence
    driver.unproven_hosts = set()
    adopt(row.pk, "test")
    row.refresh_from_db()
    assert (row.state, driver.repairs) == (State.FAILED, [("host-a", CopyAction.RESUME)])


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (Copy.INCOMING, Copy.NO_ANSWER),
        (Copy.NO_ANSWER, Copy.ABSENT),
        (Copy.NO_ANSWER, Copy.RUNNING),
        (Copy.INCOMING, Copy.INCOMING),
    ],
)
def test_what_is_ambiguous_stays_uncertain_and_nothing_is_touched(probed: Board, source: Copy, target: Copy) -> None:
    driver, vm = probed.driver, probed.vm.uuid
    driver.error = FAILED
    driver.on_call = lambda plan: driver.copies.update({("host-a", vm): source, ("host-b", vm): target})
    row = driven(probed)
    assert (row.state, driver.repairs) == (State.UNCERTAIN, [])


def test_the_capabilities_of_a_host_are_what_it_said_last(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = board.driver.inventory

    def can_less(endpoint: Endpoint) -> Any:
        from dataclasses import replace

        return replace(inventory(endpoint), capabilities=frozenset({Capability.CANCEL}))

    monkeypatch.setattr(board.driver, "inventory", can_less)
    board.look()
    assert Host.objects.get(pk=board.source.pk).capabilities == ["cancel"]
