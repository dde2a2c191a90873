"""Driving a move: the intent first, the proof last, and never a guess in between."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections
from django.db.models import F
from django.utils import timezone

from tests.board import Board
from xenweb.accounts.services import user_disable
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import Copy, State
from xenweb.core.placement import Finding, Severity
from xenweb.core.quantities import MIB, Bytes, BytesPerSecond, Milliseconds
from xenweb.drivers.contract import (
    CompletedStats,
    HostUnreachableError,
    MigrationPlan,
    MoveBrokenError,
    MoveCancelledError,
    MoveOptions,
    Phase,
    Progress,
)
from xenweb.inventory.models import Host
from xenweb.livemigration import drive as driving
from xenweb.livemigration import keeping, transitions, watching
from xenweb.livemigration.drive import adopt, drive
from xenweb.livemigration.errors import NotCancellableError
from xenweb.livemigration.models import Migration
from xenweb.livemigration.reconciling import Care, care_for
from xenweb.livemigration.selectors import migration_for
from xenweb.livemigration.services import migration_cancel, migration_request
from xenweb.livemigration.transitions import Lease, LeaseLostError, lease_renew, lease_take
from xenweb.livemigration.watching import Call
from xenweb.realtime.events import MigrationChanged
from xenweb.realtime.selectors import events_since


def copying(pass_number: int, remaining: int, processed: int) -> Progress:
    return Progress(
        Phase.COPYING,
        pass_number=pass_number,
        remaining=Bytes(remaining * MIB),
        processed=Bytes(processed * MIB),
        total=Bytes(64 * MIB),
        dirty_rate=BytesPerSecond(1.0 * MIB),
    )


def asked(board: Board) -> Migration:
    wire = migration_request(board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=MoveOptions())
    return Migration.objects.get(pk=wire.id)


def in_a_thread(work, *words) -> threading.Thread:  # type: ignore[no-untyped-def]
    def run() -> None:
        try:
            work(*words)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def until(condition, seconds: float = 5.0) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def states(migration: Migration) -> list[str]:
    told: list[str] = []
    for stored in events_since(0, 10_000):
        event = stored.event
        is_ours = isinstance(event, MigrationChanged) and event.migration.id == migration.pk
        if is_ours and told[-1:] != [event.migration.state]:
            told.append(event.migration.state)
    return told


def outcomes() -> list[str]:
    return list(AuditRecord.objects.filter(action="migration_outcome").values_list("outcome", flat=True))


def test_a_move_is_done_once_both_hosts_prove_it(board: Board) -> None:
    driver = board.driver
    driver.on_call = driver.moves_to_target
    driver.progresses = [copying(1, 40, 24), copying(2, 5, 64)]
    driver.stats = CompletedStats(total=Milliseconds(700), downtime=Milliseconds(34), transferred=Bytes(70), passes=2)
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: row.passes.count() == 2)
    driver.let_go.set()
    thread.join(10)
    row.refresh_from_db()
    board.vm.refresh_from_db()
    assert (row.state, row.downtime, row.total) == (State.DONE, 34, 700)
    assert board.vm.resident_on_id == board.target.pk
    assert board.vm.moving_as == ""
    assert states(row) == ["queued", "checking", "preparing", "pre_copy", "verifying", "done"]
    assert outcomes() == ["done"]


def test_the_card_stays_at_the_source_until_the_proof(board: Board) -> None:
    driver = board.driver
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: driver.calls == [row.pk])
    driver.copies[("host-b", board.vm.uuid)] = Copy.INCOMING
    board.look()
    assert board.vm.resident_on_id == board.source.pk
    driver.copies[("host-a", board.vm.uuid)] = Copy.ABSENT
    driver.copies[("host-b", board.vm.uuid)] = Copy.RUNNING
    board.look()
    assert board.vm.resident_on_id == board.source.pk
    driver.let_go.set()
    thread.join(10)
    board.look()
    assert board.vm.resident_on_id == board.target.pk


def test_how_much_a_vm_was_slowed_down_is_shown_and_stays_with_the_move(board: Board) -> None:
    driver = board.driver
    driver.on_call = driver.moves_to_target
    driver.progresses = [copying(1, 40, 24), replace(copying(2, 20, 64), throttle=30)]
    row = asked(board)
    assert migration_for(board.admin, row.pk).progress.throttle.provenance == "not_available"
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: migration_for(board.admin, row.pk).progress.throttle.value == 30)
    driver.progresses = [copying(3, 5, 70)]  # at its end the hypervisor says nothing of it any more
    until(lambda: row.passes.count() == 3)
    driver.let_go.set()
    thread.join(10)
    shown = migration_for(board.auditor, row.pk)
    assert (shown.state, shown.progress.throttle.value, shown.progress.throttle.provenance) == ("done", 30, "measured")


def test_a_broken_call_whose_vm_runs_at_the_source_has_failed(board: Board) -> None:
    board.driver.error = MoveBrokenError("The stream broke.")
    board.driver.let_go.set()
    row = asked(board)
    drive(row.pk, "test")
    row.refresh_from_db()
    board.vm.refresh_from_db()
    assert (row.state, row.failure_code, row.failure_sentence) == (State.FAILED, "move_broken", "The stream broke.")
    assert board.vm.resident_on_id == board.source.pk
    assert board.vm.moving_as == ""


def test_a_lost_answer_whose_vm_runs_at_the_target_is_a_success(board: Board) -> None:
    driver = board.driver
    driver.error = HostUnreachableError("The connection was lost.")
    driver.on_call = driver.moves_to_target
    driver.let_go.set()
    row = asked(board)
    drive(row.pk, "test")
    row.refresh_from_db()
    assert row.state == State.DONE
    assert row.failure_code == ""


def test_a_silent_host_after_the_call_makes_the_move_uncertain_not_failed(board: Board) -> None:
    driver = board.driver
    driver.error = HostUnreachableError("The connection was lost.")
    driver.on_call = lambda plan: driver.copies.update({("host-a", plan.vm_uuid): Copy.NO_ANSWER})
    driver.let_go.set()
    row = asked(board)
    drive(row.pk, "test")
    row.refresh_from_db()
    board.vm.refresh_from_db()
    assert row.state == State.UNCERTAIN
    assert board.vm.moving_as == row.pk
    driver.copies[("host-a", board.vm.uuid)] = Copy.RUNNING
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert row.state == State.FAILED


def test_two_running_copies_alarm_and_are_left_alone(board: Board) -> None:
    driver = board.driver
    driver.on_call = lambda plan: driver.copies.update({("host-b", plan.vm_uuid): Copy.RUNNING})
    driver.let_go.set()
    row = asked(board)
    drive(row.pk, "test")
    row.refresh_from_db()
    assert (row.state, row.failure_code) == (State.UNCERTAIN, "vm_runs_twice")


def test_what_a_host_refuses_before_the_call_is_told_and_no_call_is_made(board: Board) -> None:
    board.driver.findings = (Finding("cpu_differs", Severity.BLOCKER, "No aes there.", "Choose another host."),)
    row = asked(board)
    drive(row.pk, "test")
    row.refresh_from_db()
    assert (row.state, row.failure_code) == (State.FAILED, "cpu_differs")
    assert board.driver.calls == []


@pytest.mark.fault("F40", oracle="the scripted hypervisor: it was never called")
def test_a_right_that_was_taken_away_stops_the_move_before_the_call(board: Board) -> None:
    row = asked(board)
    user_disable("admin")
    drive(row.pk, "test")
    row.refresh_from_db()
    assert (row.state, row.failure_code) == (State.FAILED, "right_revoked")
    assert board.driver.calls == []


def test_a_vm_that_left_meanwhile_is_not_moved(board: Board) -> None:
    row = asked(board)
    type(board.vm).objects.filter(pk=board.vm.pk).update(resident_on=board.target)
    drive(row.pk, "test")
    row.refresh_from_db()
    assert (row.state, row.failure_code) == (State.FAILED, "vm_left_source")


def test_a_host_whose_credential_cannot_be_opened_fails_the_move_before_the_call(board: Board) -> None:
    row = asked(board)
    Host.objects.filter(pk=board.source.pk).update(credential="sealed with a key that is gone")
    drive(row.pk, "test")
    row.refresh_from_db()
    assert (row.state, row.failure_code, board.driver.calls) == (State.FAILED, "credential_lost", [])
    assert "host-a" in row.failure_sentence


def test_cancelling_a_queued_move_ends_it_at_once(board: Board) -> None:
    row = asked(board)
    assert migration_cancel(board.lead, row.pk).state == State.CANCELLED
    drive(row.pk, "test")
    assert board.driver.calls == []
    board.vm.refresh_from_db()
    assert board.vm.moving_as == ""


def test_cancelling_during_the_check_prevents_the_call(board: Board) -> None:
    row = asked(board)
    board.driver.on_preflight = lambda plan: migration_cancel(board.admin, plan.migration)  # type: ignore[assignment]
    drive(row.pk, "test")
    row.refresh_from_db()
    assert row.state == State.CANCELLED
    assert board.driver.calls == []


def test_cancelling_a_running_move_asks_the_hypervisor_and_proves_the_result(board: Board) -> None:
    driver = board.driver
    driver.progresses = [copying(1, 40, 24)]
    driver.error = MoveCancelledError("It was asked to.")
    driver.on_cancel = lambda plan: driver.let_go.set()
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: driver.calls)
    wire = migration_cancel(board.admin, row.pk)
    assert wire.cancel_requested
    thread.join(10)
    row.refresh_from_db()
    assert row.state == State.CANCELLED
    assert "cancelling" in states(row)
    assert outcomes() == ["cancelled"]


def test_a_cancel_that_came_before_the_hypervisor_had_begun_is_asked_again(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CANCEL_EVERY", 0.05)
    driver, asks = board.driver, []
    driver.error = MoveCancelledError("It was asked to.")

    def ask(plan: MigrationPlan) -> None:
        asks.append(plan.migration)
        if len(asks) == 3:  # nothing was under way before
            driver.let_go.set()

    driver.on_cancel = ask
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: driver.calls)
    migration_cancel(board.admin, row.pk)
    thread.join(10)
    row.refresh_from_db()
    assert row.state == State.CANCELLED
    assert len(asks) == 3
    assert AuditRecord.objects.filter(action="migration_cancel").count() == 1


def test_who_lost_the_fence_right_before_the_call_does_not_make_it(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = asked(board)
    begin = Call.begin

    def slept(call: Call) -> None:
        Migration.objects.filter(pk=row.pk).update(fence=F("fence") + 1, lease_owner="successor")
        begin(call)

    monkeypatch.setattr(Call, "begin", slept)
    drive(row.pk, "sleeper")
    row.refresh_from_db()
    assert board.driver.calls == []
    assert (row.state, row.lease_owner) == (State.PREPARING, "successor")


def test_without_a_database_right_before_the_call_it_is_not_made(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    row = asked(board)

    def full(_lease: object) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(driving, "lease_renew", full)
    drive(row.pk, "test")
    row.refresh_from_db()
    assert board.driver.calls == []
    assert (row.state, row.failure_code) == (State.FAILED, "not_started")


def test_a_cancel_that_comes_too_late_is_told_as_done(board: Board) -> None:
    driver = board.driver
    driver.on_call = driver.moves_to_target
    driver.on_cancel = lambda plan: driver.let_go.set()
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: driver.calls)
    migration_cancel(board.admin, row.pk)
    thread.join(10)
    row.refresh_from_db()
    assert row.state == State.DONE
    assert outcomes() == ["done"]


@pytest.mark.parametrize("state", [State.POST_COPY, State.VERIFYING])
def test_a_cancel_where_there_is_no_way_back_is_refused_and_recorded(board: Board, state: State) -> None:
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(state=state, call_intended_at=timezone.now())
    with pytest.raises(NotCancellableError, match="cannot be given up"):
        migration_cancel(board.admin, row.pk)
    row.refresh_from_db()
    assert (row.state, row.cancel_requested_at) == (state, None)
    record = AuditRecord.objects.get(action="migration_cancel")
    assert (record.actor, record.outcome) == ("admin", "refused")


def test_asking_twice_for_a_cancel_is_asking_once(board: Board) -> None:
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(state=State.PRE_COPY, call_intended_at=timezone.now())
    assert [migration_cancel(board.admin, row.pk).cancel_requested for _ in range(2)] == [True, True]
    assert AuditRecord.objects.filter(action="migration_cancel").count() == 1


def test_a_lease_is_held_by_one(board: Board) -> None:
    row = asked(board)
    assert lease_take(row.pk, "one") is not None
    assert lease_take(row.pk, "two") is None
    drive(row.pk, "two")
    assert board.driver.calls == []


def test_who_stands_still_while_it_takes_the_lease_never_gets_its_successors_fence(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = asked(board)
    monkeypatch.setattr(transitions, "LEASE", timedelta(seconds=-1))
    successor: list[Lease | None] = []
    threads: list[threading.Thread] = []

    def stand_still(execute: Callable[..., object], sql: str, *words: object) -> object:
        if "fence" in sql and sql.startswith("SELECT") and not threads:
            threads.append(in_a_thread(lambda: successor.append(lease_take(row.pk, "successor"))))
            threads[0].join(1)
        return execute(sql, *words)

    with connection.execute_wrapper(stand_still):
        sleeper = lease_take(row.pk, "sleeper")
    threads[0].join(30)
    assert sleeper is not None
    assert successor[0] is not None
    assert sleeper.fence < successor[0].fence


def test_who_slept_through_the_loss_of_the_lease_does_no_harm(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    row = asked(board)
    monkeypatch.setattr(transitions, "LEASE", timedelta(seconds=-1))
    sleeper = lease_take(row.pk, "sleeper")
    successor = lease_take(row.pk, "successor")
    assert sleeper is not None
    assert successor is not None
    with pytest.raises(LeaseLostError):
        lease_renew(sleeper)
    with pytest.raises(LeaseLostError):
        transitions.state_change(row.pk, State.QUEUED, State.CHECKING, lease=sleeper)
    lease_renew(successor)


def test_a_lost_worker_is_replaced_in_mid_copy(board: Board) -> None:
    driver = board.driver
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(
        state=State.PRE_COPY, call_intended_at=timezone.now(), elapsed=3000, total_share=0.5
    )
    driver.busy = True
    driver.progresses = [copying(2, 10, 70)]
    thread = in_a_thread(adopt, row.pk, "reconciler")
    until(lambda: row.passes.count() == 1)
    row.refresh_from_db()
    assert row.total_share >= 0.5
    assert row.elapsed is not None
    assert row.elapsed >= 3000
    driver.copies[("host-a", board.vm.uuid)] = Copy.ABSENT
    driver.copies[("host-b", board.vm.uuid)] = Copy.RUNNING
    driver.busy = False
    thread.join(10)
    row.refresh_from_db()
    assert row.state == State.DONE
    assert driver.calls == []


def test_a_worker_lost_before_the_call_fails_the_move_cleanly(board: Board) -> None:
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(state=State.CHECKING)
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    board.vm.refresh_from_db()
    assert (row.state, row.failure_code) == (State.FAILED, "not_started")
    assert board.vm.moving_as == ""


def test_a_worker_lost_right_at_the_call_is_settled_by_the_hosts(board: Board) -> None:
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(state=State.PREPARING, call_intended_at=timezone.now())
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert row.state == State.FAILED


def test_a_check_that_takes_longer_than_the_lease_keeps_it(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transitions, "LEASE", timedelta(seconds=0.6))
    monkeypatch.setattr(keeping, "RENEW_EVERY", 0.1)
    board.driver.on_call = board.driver.moves_to_target
    board.driver.let_go.set()
    row = asked(board)
    taken: list[object] = []

    def slowly(_plan: MigrationPlan) -> None:
        for _ in range(6):
            time.sleep(0.3)
            taken.append(lease_take(row.pk, "reconciler"))

    board.driver.on_preflight = slowly
    drive(row.pk, "test")
    row.refresh_from_db()
    assert taken == [None] * 6
    assert (row.state, row.failure_code) == (State.DONE, "")


def test_who_lost_the_lease_during_the_check_makes_no_call_and_writes_nothing(board: Board) -> None:
    row = asked(board)

    def lose(_plan: MigrationPlan) -> None:
        Migration.objects.filter(pk=row.pk).update(fence=F("fence") + 1, lease_owner="successor")

    board.driver.on_preflight = lose
    drive(row.pk, "sleeper")
    row.refresh_from_db()
    assert board.driver.calls == []
    assert (row.state, row.lease_owner) == (State.CHECKING, "successor")


def test_what_care_an_unfinished_move_needs(board: Board) -> None:
    row = asked(board)
    now = timezone.now()
    assert care_for(row, now) is Care.NOTHING
    assert care_for(row, now + timedelta(seconds=10)) is Care.RING
    row.state = State.PRE_COPY
    assert care_for(row, now) is Care.ADOPT
    row.lease_until = now + timedelta(seconds=1)
    assert care_for(row, now) is Care.NOTHING
