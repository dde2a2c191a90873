"""Moves that nobody drives are rung for again, or adopted; those that somebody drives are left alone."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.board import Board
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import Copy, State
from xenweb.drivers.contract import MoveOptions
from xenweb.inventory.models import Host
from xenweb.livemigration.models import Migration
from xenweb.livemigration.reconciling import release_leases_of_the_dead
from xenweb.livemigration.services import migration_request
from xenweb.livemigration.transitions import lease_release, lease_renew, lease_take
from xenweb.worker import reconciler as module
from xenweb.worker.reconciler import Reconciler


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def asked(board: Board) -> Migration:
    wire = migration_request(board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=MoveOptions())
    return Migration.objects.get(pk=wire.id)


def state(row: Migration) -> str:
    return str(Migration.objects.values_list("state", flat=True).get(pk=row.pk))


def test_a_queued_move_whose_ring_was_lost_is_rung_for_again(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(module, "enqueue", rung.append)
    row = asked(board)
    Reconciler().look()
    assert rung == []
    Migration.objects.filter(pk=row.pk).update(requested_at=timezone.now() - timedelta(seconds=10))
    Reconciler().look()
    assert rung == [row.pk]


def test_a_move_whose_worker_died_is_adopted_and_proven(board: Board) -> None:
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(
        state=State.PRE_COPY,
        call_intended_at=timezone.now(),
        lease_until=timezone.now() - timedelta(seconds=1),
        fence=3,
    )
    board.driver.copies[("host-a", board.vm.uuid)] = Copy.ABSENT
    board.driver.copies[("host-b", board.vm.uuid)] = Copy.RUNNING
    Reconciler().look()
    until(lambda: state(row) == State.DONE)
    row.refresh_from_db()
    assert row.fence > 3
    assert board.driver.calls == []


def test_a_move_that_somebody_drives_is_left_alone(board: Board) -> None:
    row = asked(board)
    until_later = timezone.now() + timedelta(seconds=30)
    Migration.objects.filter(pk=row.pk).update(state=State.PRE_COPY, lease_until=until_later, fence=1)
    Reconciler().look()
    time.sleep(0.2)
    row.refresh_from_db()
    assert (row.state, row.fence) == (State.PRE_COPY, 1)


def test_a_move_whose_driver_is_proven_dead_is_adopted_before_its_lease_ends(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = asked(board)
    later = timezone.now() + timedelta(seconds=30)
    held = {"state": State.PRE_COPY, "call_intended_at": timezone.now(), "lease_until": later, "fence": 3}
    Migration.objects.filter(pk=row.pk).update(**held, lease_owner="worker that died")
    board.driver.copies[("host-a", board.vm.uuid)] = Copy.ABSENT
    board.driver.copies[("host-b", board.vm.uuid)] = Copy.RUNNING
    monkeypatch.setattr(module, "is_proven_dead", lambda owner: owner == "worker that died")
    Reconciler().look()
    until(lambda: state(row) == State.DONE)


def test_the_death_of_an_earlier_driver_takes_no_lease_from_its_successor(board: Board) -> None:
    row = asked(board)
    dead = lease_take(row.pk, "dead")
    assert dead is not None
    lease_release(dead)
    successor = lease_take(row.pk, "successor")
    assert successor is not None
    lease_release(dead)
    lease_renew(successor)
    row.refresh_from_db()
    assert row.lease_owner == "successor"
    assert release_leases_of_the_dead(lambda owner: owner == "dead") == []


def test_an_uncertain_move_is_asked_about_until_the_hosts_prove_something(board: Board) -> None:
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(state=State.UNCERTAIN, call_intended_at=timezone.now())
    board.driver.copies[("host-a", board.vm.uuid)] = Copy.NO_ANSWER
    reconciler = Reconciler()
    reconciler.look()
    time.sleep(0.6)
    assert state(row) == State.UNCERTAIN
    board.driver.copies[("host-a", board.vm.uuid)] = Copy.RUNNING
    until(lambda: (reconciler.look(), state(row) == State.FAILED)[1])


def test_a_called_move_whose_hosts_credential_cannot_be_opened_is_uncertain_and_says_so(board: Board) -> None:
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(state=State.PRE_COPY, call_intended_at=timezone.now())
    Host.objects.filter(pk=board.target.pk).update(credential="sealed with a key that is gone")
    board.driver.copies[("host-a", board.vm.uuid)] = Copy.ABSENT
    board.driver.copies[("host-b", board.vm.uuid)] = Copy.RUNNING
    reconciler = Reconciler()
    reconciler.look()
    until(lambda: state(row) == State.UNCERTAIN)
    row.refresh_from_db()
    assert row.failure_code == "credential_lost"
    assert row.failure_sentence == "The stored credential of host-b cannot be opened with the keys at hand."
    until(lambda: not any(thread.is_alive() for thread in reconciler._caring.values()))
    records = AuditRecord.objects.count()
    reconciler.look()
    until(lambda: not any(thread.is_alive() for thread in reconciler._caring.values()))
    assert AuditRecord.objects.count() == records, "what is known already is not told again"
    Host.objects.filter(pk=board.target.pk).update(credential="")
    until(lambda: (reconciler.look(), state(row) == State.DONE)[1])


def test_a_disk_that_somebody_wants_gone_is_deleted_once(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    settled: list[int] = []

    def settle(disk: int) -> None:
        settled.append(disk)
        time.sleep(0.3)

    monkeypatch.setattr(module, "leftover_disks_due", lambda: [7])
    monkeypatch.setattr(module, "leftover_disk_settle", settle)
    reconciler = Reconciler()
    reconciler.look()
    reconciler.look()
    assert settled == [7], "what is under way is not begun again"
    until(lambda: not any(thread.is_alive() for thread in reconciler._caring.values()))
    reconciler.look()
    until(lambda: settled == [7, 7])


@pytest.mark.parametrize(
    ("due", "settle", "care"),
    [("held_volumes_due", "held_volume_settle", 7), ("guards_due", "guard_settle", "7F3K2QXZ")],
)
def test_volumes_and_guards_that_nobody_cares_for_are_cared_for(
    board: Board, monkeypatch: pytest.MonkeyPatch, due: str, settle: str, care: int | str
) -> None:
    cared: list[int | str] = []
    monkeypatch.setattr(module, due, lambda _now: [care])
    monkeypatch.setattr(module, settle, cared.append)
    reconciler = Reconciler()
    reconciler.look()
    until(lambda: cared == [care])
