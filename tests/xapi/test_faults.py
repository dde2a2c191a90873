"""The rest of the fault list on XAPI pools, where what breaks or interferes is ours, a person, or another hand.

As ever the oracle is the pool's own records, read past the XenAPI, held against the move's row.
"""

import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing

import pytest
from django.db import connection, connections

from tests.livemigration.test_xapi import Board, driven
from tests.xapi.moving import plan, until
from tests.xapi.process import Pools
from tests.xapi.test_product import (
    ORACLE,
    SLOW,
    holds,
    process,
    record_of,
    state,
    until_copying,
    until_ended,
)
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import ENDED, State
from xenweb.core.placement import Severity
from xenweb.drivers.registry import driver_for
from xenweb.drivers.xapi_driver.driver import XapiDriver
from xenweb.drivers.xapi_driver.report import report
from xenweb.inventory.errors import HostBusyError
from xenweb.inventory.models import Host
from xenweb.inventory.selectors import endpoint_of
from xenweb.inventory.services import host_remove
from xenweb.livemigration import watching
from xenweb.livemigration.drive import adopt
from xenweb.livemigration.errors import VmAlreadyMovingError
from xenweb.livemigration.models import Migration
from xenweb.livemigration.selectors import takes_part

pytestmark = pytest.mark.django_db(transaction=True)
HANDS = 12
STANDS_STILL = 2.0
"""Seconds that a VM stands still in these tests, so that something can happen meanwhile."""


@pytest.fixture
def board(xapi: Pools) -> Board:
    return Board(xapi)


def is_switching(board: Board, vm: str = "web-1") -> bool:
    """Say whether a VM's move is where its pool takes no more word: the VM stands still, and is handed over."""
    for ref in record_of(board, vm).get("current_operations", {}):  # type: ignore[attr-defined]
        told = board.pools.do("tell", **{"class": "task", "name": ref})
        if told and (told["status"], told["allowed_operations"]) == ("pending", []):
            return True
    return False


def is_at(board: Board, host: str, vm: str = "web-1") -> bool:
    return bool(board.pools.do("residence", vm=vm) == host)


def is_followed_to_its_end(move: Migration) -> None:
    with process("manage.py", "reconcile"):
        until_ended(move)


def put_to_sleep(worker: "subprocess.Popen[bytes]") -> None:
    """Stop a process; not in the middle of a write, for of a file nobody else could write then."""

    def is_asleep() -> bool:
        worker.send_signal(signal.SIGSTOP)
        time.sleep(0.05)
        if takes_writes():
            return True
        worker.send_signal(signal.SIGCONT)
        return False

    until(is_asleep)


def takes_writes() -> bool:
    if connection.vendor != "sqlite":
        return True
    with closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=0.1, isolation_level=None)) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        file.execute("ROLLBACK")
    return True


@pytest.mark.fault("F1", oracle=ORACLE)
def test_a_worker_that_is_killed_before_the_intent_is_stored_has_begun_nothing(board: Board) -> None:
    board.pools.do("set", answers_after=0.5)
    move = board.ask("web-1", "host-b")
    with process("-m", "tests.xapi.worker", move.pk) as worker:
        until(lambda: state(move) == State.CHECKING, 90)
        worker.kill()
        worker.wait()
    move.refresh_from_db()
    assert move.call_intended_at is None
    board.pools.do("set", answers_after=0.0)
    is_followed_to_its_end(move)
    holds(board, move, "host-a", State.FAILED, moves=0)
    assert move.failure_code == "not_started"


@pytest.mark.fault("F4", oracle=ORACLE)
def test_a_worker_that_is_killed_while_the_vm_stands_still_is_followed_by_the_reconciler(board: Board) -> None:
    board.pools.do("set", pause=STANDS_STILL)
    move = board.ask("web-1", "host-b")
    with process("-m", "tests.xapi.worker", move.pk) as worker:
        until(lambda: is_switching(board), 90)
        worker.kill()
        worker.wait()
        assert is_at(board, "host-a"), "it was killed before the hand-over"
        is_followed_to_its_end(move)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F5", oracle=ORACLE)
def test_a_worker_that_dies_after_the_switch_over_leaves_an_end_that_the_reconciler_writes(board: Board) -> None:
    board.pools.do("set", pause=STANDS_STILL)
    move = board.ask("web-1", "host-b")
    with process("-m", "tests.xapi.worker", move.pk) as worker:
        until(lambda: is_switching(board), 90)
        put_to_sleep(worker)  # it dies at the switch-over, and writes nothing of it
        until(lambda: is_at(board, "host-b"))
        worker.kill()
        worker.wait()
        assert state(move) not in ENDED, "nobody has written it yet"
        is_followed_to_its_end(move)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F6", oracle=ORACLE)
def test_a_worker_that_is_killed_while_the_end_is_proven_leaves_the_proof_to_the_reconciler(board: Board) -> None:
    board.pools.do("set", pause=STANDS_STILL)
    move = board.ask("web-1", "host-b")
    with process("-m", "tests.xapi.worker", move.pk) as worker:
        until(lambda: is_switching(board), 90)
        board.pools.do("silence", host="host-a")  # as long as it says nothing, the proof is not complete
        until(lambda: is_at(board, "host-b"))
        time.sleep(1)
        assert state(move) not in ENDED, "that the pool says so is not enough"
        worker.kill()
        worker.wait()
    board.pools.do("silence", host="host-a", on=False)
    is_followed_to_its_end(move)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F8", oracle=ORACLE)
def test_a_worker_that_is_ended_by_a_deployment_in_mid_copy_aborts_nothing(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    with process("-m", "tests.xapi.worker", move.pk) as worker:
        until_copying(move)
        worker.terminate()
        worker.wait()
        is_followed_to_its_end(move)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F9", oracle=ORACLE)
def test_a_worker_that_slept_for_longer_than_its_lease_finds_the_move_ended_by_another(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    with process("-m", "tests.xapi.worker", move.pk) as worker:
        until_copying(move)
        put_to_sleep(worker)
        is_followed_to_its_end(move)
        worker.send_signal(signal.SIGCONT)
        worker.wait(60)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F32", oracle=ORACLE)
def test_the_same_wish_from_many_hands_is_one_move_of_the_pool(board: Board) -> None:
    moves: list[Migration] = []

    def ask() -> None:
        try:
            moves.append(board.ask("web-1", "host-b", key="the same"))
        finally:
            connections.close_all()

    hands = [threading.Thread(target=ask) for _ in range(HANDS)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join(60)
    assert len(moves) == HANDS
    [key] = {each.pk for each in moves}
    drivers = [driven(moves[0]) for _ in range(3)]
    for each in drivers:
        each.join(60)
    assert Migration.objects.get().pk == key
    holds(board, moves[0], "host-b", State.DONE, moves=1)


@pytest.mark.fault("F33", oracle=ORACLE)
def test_two_people_with_one_vm_and_two_hosts_are_one_move_and_one_refusal_that_names_it(board: Board) -> None:
    moves: list[Migration] = []
    refusals: list[VmAlreadyMovingError] = []

    def ask(host: str) -> None:
        try:
            moves.append(board.ask("web-1", host))
        except VmAlreadyMovingError as refusal:
            refusals.append(refusal)
        finally:
            connections.close_all()

    hands = [threading.Thread(target=ask, args=(host,)) for host in ("host-b", "host-c")]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join(60)
    ([move], [refusal]) = moves, refusals
    assert refusal.facts["migration"] == move.pk
    driven(move).join(60)
    holds(board, move, move.target_name, State.DONE, moves=1)


@pytest.mark.fault("F34", oracle=ORACLE)
def test_moves_there_and_back_at_once_all_arrive(board: Board) -> None:
    wanted = {"web-1": "host-b", "dns-1": "host-b", "web-2": "host-a", "dns-2": "host-a", "wiki": "host-b"}
    moves = [board.ask(vm, host) for vm, host in wanted.items()]
    for _ in range(len(moves)):  # whose turn it is not yet is driven when it is
        for thread in [driven(move) for move in moves if state(move) == State.QUEUED]:
            thread.join(60)
    assert {state(move) for move in moves} == {State.DONE}
    assert {vm: board.pools.do("residence", vm=vm) for vm in wanted} == wanted
    assert {record_of(board, vm)["power_state"] for vm in wanted} == {"Running"}
    assert len(board.pools.do("messages", name="VM_MIGRATED")) == len(moves)


@pytest.mark.fault("F35", "F39", oracle=ORACLE)
def test_a_vm_that_another_hand_moved_before_the_call_is_not_moved_again(board: Board) -> None:
    move = board.ask("web-1", "host-b")
    XapiDriver().migrate(plan(board.pools, "web-1", "host-a", "host-c"))
    driven(move).join(60)
    holds(board, move, "host-c", State.FAILED, moves=1)
    assert (move.failure_code, move.call_intended_at) == ("vm_left_source", None), move.failure_sentence


@pytest.mark.fault("F35", oracle=ORACLE)
def test_another_hand_cannot_take_a_vm_away_in_mid_copy(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    other = XapiDriver().preflight(plan(board.pools, "web-1", "host-a", "host-c"))
    assert [each.code for each in other.findings if each.severity is Severity.BLOCKER] == ["vm_busy"]
    thread.join(60)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F35", oracle=ORACLE)
def test_a_vm_that_another_hand_halts_in_mid_copy_is_never_said_to_run(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PROVE_FOR", 1.0)
    board.pools.do("set", link=SLOW, fail_late="web-1")
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    board.pools.do("power", vm="web-1", power="Halted")
    thread.join(60)
    holds(board, move, "", State.FAILED, moves=0, power="Halted")
    assert move.failure_code == "vm_stopped"


@pytest.mark.fault("F36", oracle=ORACLE)
def test_a_vm_that_is_renamed_in_mid_copy_arrives_by_its_uuid(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    board.pools.do("field", **{"class": "VM", "name": "web-1", "field": "name_label", "value": "shop-front"})
    thread.join(60)
    assert state(move) == State.DONE
    assert is_at(board, "host-b", "shop-front")
    assert record_of(board, "shop-front")["power_state"] == "Running"
    board.look()
    assert board.vm("shop-front").resident_on.name == "host-b"
    assert Migration.objects.get(pk=move.pk).vm_name == "web-1", "the history keeps the name that it had"


@pytest.mark.fault("F37", oracle=ORACLE)
def test_a_vm_that_is_destroyed_before_the_call_is_not_moved(board: Board) -> None:
    move = board.ask("web-1", "host-b")
    board.pools.do("remove", vm="web-1")
    driven(move).join(60)
    move.refresh_from_db()
    assert (move.state, move.call_intended_at) == (State.FAILED, None)
    assert record_of(board) == {}


@pytest.mark.fault("F37", oracle=ORACLE)
def test_a_vm_that_is_destroyed_in_mid_copy_is_said_to_be_on_neither_host(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PROVE_FOR", 1.0)
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    board.pools.do("remove", vm="web-1")
    thread.join(60)
    move.refresh_from_db()
    assert (move.state, move.failure_code) == (State.FAILED, "vm_gone")
    assert record_of(board) == {}


@pytest.mark.fault("F43", oracle=ORACLE)
@pytest.mark.parametrize("host", ["host-a", "host-b"])
def test_a_host_is_not_taken_off_the_board_in_mid_copy(board: Board, host: str) -> None:
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    key = str(Host.objects.get(name=host).pk)
    with pytest.raises(HostBusyError):
        host_remove(board.admin, key, takes_part=takes_part)
    thread.join(60)
    holds(board, move, "host-b", State.DONE, moves=1)
    host_remove(board.admin, key, takes_part=takes_part)
    assert AuditRecord.objects.filter(action="host_remove", subject_id=key).count() == 2


@pytest.mark.fault("F43", oracle=ORACLE)
def test_a_target_that_its_pool_disables_in_mid_copy_still_takes_what_is_on_its_way(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    board.pools.do("field", **{"class": "host", "name": "host-b", "field": "enabled", "value": False})
    thread.join(60)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F49", oracle=ORACLE)
@pytest.mark.parametrize("lost", ["forgotten", "refused"])
def test_a_stream_of_events_that_is_lost_in_mid_copy_costs_neither_the_move_nor_a_look(board: Board, lost: str) -> None:
    board.pools.do("set", link=SLOW)
    woken = threading.Event()
    watch = driver_for("xapi").watch(endpoint_of(Host.objects.get(name="host-b")), lambda _: woken.set())
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    if lost == "forgotten":
        board.pools.do("flood", host="host-a", count=600)
    else:
        board.pools.do("set", unknown=["event.from"])
    woken.clear()
    assert woken.wait(20), "whoever listens is told to look by itself"
    thread.join(60)
    watch.close()
    holds(board, move, "host-b", State.DONE, moves=1)
    board.look()
    assert board.vm("web-1").resident_on.name == "host-b"


def test_nobody_ends_the_session_of_another_while_a_move_runs(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    sessions = board.pools.do("sessions")["green"]
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    board.look()
    assert board.pools.do("logouts")["green"] == 0, "its own session, or another process's"
    list(report(board.pools.endpoint("host-a")))
    assert board.pools.do("logouts")["green"] == 1, "a report ends the session that it made itself"
    assert state(move) not in ENDED
    thread.join(60)
    driven(move, adopt).join(60)
    assert board.pools.do("logouts")["green"] == 1
    assert board.pools.do("sessions")["green"] >= sessions
    holds(board, move, "host-b", State.DONE, moves=1)
