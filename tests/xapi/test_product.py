"""Faults of XAPI pools through the whole product: rows, a worker and a reconciler as processes, pools as another.

Whatever breaks, the oracle is the pool's own records, read past the XenAPI: where the VM is, whether it runs, and
how many moves the pool has made.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from tests.livemigration.test_xapi import Board, driven
from tests.xapi.moving import until
from tests.xapi.process import Pools
from xenweb.audit.chain import verify
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import ENDED, State
from xenweb.drivers.registry import driver_for
from xenweb.drivers.xapi_driver.driver import XapiDriver
from xenweb.inventory.models import Host
from xenweb.livemigration import watching
from xenweb.livemigration.drive import adopt
from xenweb.livemigration.models import Migration
from xenweb.livemigration.services import migration_cancel

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
SLOW = 8.0 * 2**20
ORACLE = "the pool's own records, read past the XenAPI: place, power state, and how many moves were made"
OUTCOMES = ("migration_done", "migration_failed", "migration_cancelled")


@pytest.fixture
def board(xapi: Pools) -> Board:
    return Board(xapi)


def environment() -> dict[str, str]:
    """Answer what a process of the product needs to work on the rows of this test."""
    named = str(connection.settings_dict["NAME"])
    url = f"sqlite:///{named}"
    if connection.vendor == "postgresql":
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{named}").geturl()
    own = {"DJANGO_SETTINGS_MODULE": "xenweb.settings", "XENWEB_DATA": str(settings.XENWEB_DATA)}
    return {**os.environ, **own, "DATABASE_URL": url, "XENWEB_XAPI_LAB": "1"}


@contextmanager
def process(*words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Lend a process of the product."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment(), **quiet)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def state(move: Migration) -> State:
    return State(Migration.objects.values_list("state", flat=True).get(pk=move.pk))


def until_copying(move: Migration) -> None:
    until(lambda: state(move) == State.PRE_COPY, 90)


def until_ended(move: Migration, seconds: float = 60) -> Migration:
    until(lambda: state(move) in ENDED, seconds)
    move.refresh_from_db()
    return move


def record_of(board: Board, vm: str = "web-1") -> dict[str, object]:
    return dict(board.pools.do("tell", **{"class": "VM", "name": vm}))


def holds(board: Board, move: Migration, at: str, ended: State, *, moves: int, power: str = "Running") -> None:
    """Hold the rows to the pool: the VM, one outcome, at most one call, an unbroken history."""
    move.refresh_from_db()
    assert move.state == ended, (move.failure_code, move.failure_sentence)
    assert board.pools.do("residence", vm="web-1") == at
    assert record_of(board)["power_state"] == power
    assert len(board.pools.do("messages", name="VM_MIGRATED")) == moves
    told = AuditRecord.objects.filter(subject_id=move.pk, action__in=OUTCOMES).count()
    assert told <= 1, "one outcome"
    assert verify() is None


@pytest.mark.fault("F3", oracle=ORACLE)
def test_a_worker_that_is_killed_in_mid_copy_is_followed_by_the_reconciler(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    with process("-m", "tests.xapi.worker", move.pk) as worker:
        until_copying(move)
        worker.kill()
        worker.wait()
        assert board.pools.do("residence", vm="web-1") == "host-a", "the pool goes on by itself"
        with process("manage.py", "reconcile"):
            until_ended(move)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F3", "F52", oracle=ORACLE)
def test_a_worker_is_killed_and_the_coordinator_changes_before_anybody_looks(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    with process("-m", "tests.xapi.worker", move.pk) as worker:
        until_copying(move)
        worker.kill()
        worker.wait()
    board.pools.do("failover", host="host-a")
    with process("manage.py", "reconcile"):
        until_ended(move, 90)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F3", "F52", oracle=ORACLE)
def test_a_move_that_its_pool_has_forgotten_is_uncertain_until_the_vm_arrives(board: Board) -> None:
    board.pools.do("set", link=SLOW / 8, keep_reserved=False)
    move = board.ask("web-1", "host-b")
    with process("-m", "tests.xapi.worker", move.pk) as worker:
        until_copying(move)
        worker.kill()
        worker.wait()
    board.pools.do("failover", host="host-a")
    with process("manage.py", "reconcile"):
        until(lambda: state(move) == State.UNCERTAIN, 60)
        move.refresh_from_db()
        assert (move.failure_code, move.ended_at) == ("move_lost", None)
        assert "may yet arrive on host-b" in move.failure_sentence
        board.pools.do("set", link=SLOW * 8)
        until_ended(move, 90)
    holds(board, move, "host-b", State.DONE, moves=1)


def test_whoever_adopts_a_move_of_which_only_a_stale_reservation_shows_calls_it_uncertain(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PROVE_FOR", 1.0)
    monkeypatch.setattr(watching, "UNSEEN_FOR", 1.0)
    move = board.ask("web-1", "host-b")
    Migration.objects.filter(pk=move.pk).update(state=State.PREPARING, call_intended_at=timezone.now())
    room = {"class": "VM", "name": "web-1", "field": "scheduled_to_be_resident_on"}
    board.pools.do("field", **room, value=host_ref(board, "host-b"))
    for _ in range(2):
        driven(move, adopt).join(60)
        move.refresh_from_db()
        assert (move.state, move.failure_code) == (State.UNCERTAIN, "move_lost")


@pytest.mark.fault("F52", oracle=ORACLE)
def test_whoever_made_the_call_ends_it_as_uncertain_once_the_pool_has_forgotten_it(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PROVE_FOR", 1.0)
    driver = driver_for("xapi")
    assert isinstance(driver, XapiDriver)
    monkeypatch.setattr(driver.moves, "settle_for", 1.0)
    board.pools.do("set", link=SLOW / 8, keep_reserved=False)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    board.pools.do("failover", host="host-a")
    thread.join(60)
    move.refresh_from_db()
    assert (move.state, move.failure_code) == (State.UNCERTAIN, "move_lost")
    driven(move, adopt).join(60)
    assert state(move) == State.UNCERTAIN, "it is looked at again, and is as uncertain as before"
    board.pools.do("set", link=SLOW * 8)
    until(lambda: board.pools.do("residence", vm="web-1") == "host-b", 60)
    driven(move, adopt).join(60)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F52", oracle=ORACLE)
@pytest.mark.parametrize("dies", [True, False])
def test_the_coordinator_fails_over_in_mid_move(board: Board, dies: bool) -> None:
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    board.pools.do("failover", host="host-a", dies=dies)
    thread.join(60)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F22", oracle=ORACLE)
def test_a_target_without_power_is_never_said_to_have_the_vm(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PROVE_FOR", 1.0)
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    board.pools.do("kill", host="host-b")
    thread.join(60)
    assert state(move) == State.UNCERTAIN, "of a silent target nothing is proven"
    board.pools.do("silence", host="host-b", on=False)
    driven(move, adopt).join(60)
    holds(board, move, "host-a", State.FAILED, moves=0)


@pytest.mark.fault("F21", oracle=ORACLE)
def test_a_source_without_power_is_uncertain_and_nothing_is_started_elsewhere(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PROVE_FOR", 1.0)
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    board.pools.do("kill", host="host-a")
    thread.join(60)
    assert state(move) == State.UNCERTAIN
    assert board.pools.do("residence", vm="web-1") == "host-a", "for ten minutes the pool itself takes it to run there"


@pytest.mark.fault("F25", oracle=ORACLE)
def test_a_late_failure_that_leaves_the_vm_halted_is_said_to_have_done_so(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PROVE_FOR", 1.0)
    board.pools.do("set", fail_late="web-1")
    move = board.ask("web-1", "host-b")
    driven(move).join(60)
    move.refresh_from_db()
    assert move.failure_code == "vm_stopped"
    holds(board, move, "", State.FAILED, moves=0, power="Halted")


@pytest.mark.fault("F35", oracle=ORACLE)
@pytest.mark.parametrize("vm", ["web-1", "old-wiki"])
def test_a_vm_that_somebody_moved_to_a_third_host_is_said_to_be_there(
    board: Board, monkeypatch: pytest.MonkeyPatch, vm: str
) -> None:
    monkeypatch.setattr(watching, "PROVE_FOR", 1.0)
    third = host_ref(board, "host-c")
    source = board.vm(vm).resident_on.name
    if source == "host-c":
        board.pools.do("field", **{"class": "VM", "name": vm, "field": "affinity", "value": host_ref(board, "host-a")})
        board.look()
    move = board.ask(vm, "host-b")
    Migration.objects.filter(pk=move.pk).update(state=State.PREPARING, call_intended_at=timezone.now())
    field = "resident_on" if vm == "web-1" else "affinity"
    board.pools.do("field", **{"class": "VM", "name": vm, "field": field, "value": third})
    driven(move, adopt).join(60)
    move.refresh_from_db()
    assert (move.state, move.failure_code) == (State.FAILED, "vm_elsewhere")
    assert "on host-c" in move.failure_sentence


def host_ref(board: Board, name: str) -> str:
    return str(board.pools.do("tell", **{"class": "host", "name": name})["ref"])


def test_a_task_that_lies_moves_nobody(board: Board) -> None:
    board.pools.do("set", lie=True)
    move = board.ask("web-1", "host-b")
    driven(move).join(60)
    holds(board, move, "host-a", State.FAILED, moves=0)
    assert "not on host-b" in move.failure_sentence or "still runs on host-a" in move.failure_sentence


@pytest.mark.fault("F18", oracle=ORACLE)
def test_the_lost_answer_of_the_call_makes_no_second_call(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    board.pools.do("drop", method="Async.VM.pool_migrate")
    move = board.ask("web-1", "host-b")
    driven(move).join(60)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F2", oracle=ORACLE)
def test_a_call_that_never_arrived_is_a_move_that_has_not_begun(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xenweb.drivers.xapi_driver.moving.SHOWN_WITHIN", 1.0)
    monkeypatch.setattr(watching, "PROVE_FOR", 2.0)
    board.pools.do("drop", method="Async.VM.pool_migrate", before=True)
    move = board.ask("web-1", "host-b")
    driven(move).join(60)
    holds(board, move, "host-a", State.FAILED, moves=0)


@pytest.mark.fault("F50", oracle=ORACLE)
def test_a_slow_pool_only_makes_it_late(board: Board) -> None:
    board.pools.do("set", answers_after=0.05)
    move = board.ask("dns-1", "host-b")
    driven(move).join(90)
    move.refresh_from_db()
    assert move.state == State.DONE, (move.failure_code, move.failure_sentence)
    assert board.pools.do("residence", vm="dns-1") == "host-b"


@pytest.mark.fault("F31", oracle=ORACLE)
@pytest.mark.parametrize("after", [0.0, 1.0])
def test_a_move_that_is_given_up_has_one_end_whenever_that_is(board: Board, after: float) -> None:
    board.pools.do("set", link=SLOW, pause=0.3)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    time.sleep(after)
    migration_cancel(board.admin, move.pk)
    thread.join(60)
    move.refresh_from_db()
    assert move.state in {State.CANCELLED, State.DONE}, (move.failure_code, move.failure_sentence)
    at = "host-a" if move.state == State.CANCELLED else "host-b"
    holds(board, move, at, State(move.state), moves=int(move.state == State.DONE))


@pytest.mark.fault("F51", oracle="the fingerprint of the certificate that the host shows from then on")
def test_a_certificate_that_changes_is_refused_before_anything_is_asked(board: Board) -> None:
    board.pools.do("certificate", host="host-b")
    move = board.ask("web-1", "host-b")
    driven(move).join(60)
    move.refresh_from_db()
    assert (move.state, move.call_intended_at) == (State.FAILED, None)
    assert "certificate" in move.failure_sentence
    assert board.pools.do("messages", name="VM_MIGRATED") == []
    assert Host.objects.filter(name="host-b").exists()
