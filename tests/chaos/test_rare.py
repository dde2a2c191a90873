"""Faults that need no lab: full disks, clocks that jump, storms, broken histories, upgrades in mid-flight."""

from datetime import timedelta
from typing import Any

import django_rq
import pytest
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from tests.board import VM_UUID, Board, make_board
from tests.livemigration.test_drive import asked, in_a_thread, outcomes, until
from xenweb.audit.chain import verify
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import Copy, State
from xenweb.drivers.contract import Endpoint, HostUnreachableError, MoveOptions
from xenweb.drivers.libvirt_driver import LibvirtDriver
from xenweb.livemigration import services, transitions, watching
from xenweb.livemigration.doorbell import QUEUE
from xenweb.livemigration.drive import adopt, drive
from xenweb.livemigration.models import Migration
from xenweb.livemigration.services import migration_request


@pytest.fixture
def board(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Board:
    """A small board; moves are driven by the tests themselves, and quickly."""
    del transactional_db
    monkeypatch.setattr(services, "enqueue", lambda _migration: None)
    for name, seconds in (("LOOK_EVERY", 0.01), ("ASK_HOSTS_EVERY", 0.02), ("PROVE_EVERY", 0.02), ("PROVE_FOR", 0.3)):
        monkeypatch.setattr(watching, name, seconds)
    return make_board(monkeypatch)


def test_f10_the_queue_sets_no_timeout_to_a_move() -> None:
    assert django_rq.get_queue(QUEUE)._default_timeout == -1


def test_f16_without_room_for_the_intent_there_is_no_call(board: Board) -> None:
    row = asked(board)

    def full(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "preparing" in str(params):
            raise OperationalError("database or disk is full")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(full), pytest.raises(OperationalError):
        drive(row.pk, "test")
    assert board.driver.calls == []
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert (row.state, row.failure_code) == (State.FAILED, "not_started")


@pytest.mark.parametrize("hours", [-1, 1])
def test_f44_a_clock_that_jumps_in_mid_copy_decides_nothing(
    board: Board, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    driver = board.driver
    driver.on_call = driver.moves_to_target
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: driver.calls == [row.pk])
    real = timezone.now
    monkeypatch.setattr(transitions.timezone, "now", lambda: real() + timedelta(hours=hours))
    driver.let_go.set()
    thread.join(10)
    row.refresh_from_db()
    assert row.state == State.DONE
    assert outcomes() == ["done"]
    assert verify() is None  # the history is ordered by its sequence, not by clocks


def test_f51_a_host_whose_certificate_cannot_be_checked_is_refused_without_a_fallback() -> None:
    endpoint = Endpoint(1, "host-x", "qemu+tls://localhost:1/system")
    with pytest.raises(HostUnreachableError) as refused:
        LibvirtDriver().inventory(endpoint)
    assert refused.value.sentence


def test_f53_without_a_record_there_is_no_move(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_facts: object) -> None:
        msg = "the history cannot be written"
        raise DatabaseError(msg)

    monkeypatch.setattr(services, "record", fails)
    with pytest.raises(DatabaseError):
        migration_request(board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=MoveOptions())
    assert not Migration.objects.exists()
    board.vm.refresh_from_db()
    assert board.vm.moving_as == ""


def test_f55_a_move_that_runs_during_an_upgrade_is_finished_by_the_new_version(board: Board) -> None:
    executor = MigrationExecutor(connection)
    newest = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "livemigration"]
    executor.migrate([("livemigration", "0001_initial")])
    try:
        old = executor.loader.project_state([("livemigration", "0001_initial")]).apps
        old.get_model("livemigration", "Migration").objects.create(
            id="OLDMOVE1",
            vm_id=board.vm.pk,
            vm_name=board.vm.name,
            vm_uuid=VM_UUID,
            source_id=board.source.pk,
            source_name="host-a",
            target_id=board.target.pk,
            target_name="host-b",
            state="pre_copy",
            requested_by_id=board.admin.user_id,
            requested_by_name="admin",
            requested_at=timezone.now(),
            call_intended_at=timezone.now(),
        )
    finally:
        MigrationExecutor(connection).migrate(newest)
    board.driver.copies[("host-a", VM_UUID)] = Copy.ABSENT
    board.driver.copies[("host-b", VM_UUID)] = Copy.RUNNING
    adopt("OLDMOVE1", "reconciler")
    assert Migration.objects.get(pk="OLDMOVE1").state == State.DONE
    assert AuditRecord.objects.filter(action="migration_outcome", outcome="done").count() == 1
