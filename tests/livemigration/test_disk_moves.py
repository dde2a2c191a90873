"""One disk of a running VM goes to other storage of its pool, by the whole of our services."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.board import person
from tests.livemigration.test_xapi import Board
from tests.xapi.fixture import xapi, xapi_process  # noqa: F401 - the fixtures of the simulated pools
from tests.xapi.moving import SLOW, until
from tests.xapi.process import Pools
from xenweb.accounts.policy import Role
from xenweb.audit.models import AuditRecord
from xenweb.core.disk_move import DiskMoveState
from xenweb.core.queueing import Sending
from xenweb.drivers.contract import HostUnreachableError
from xenweb.drivers.xapi_driver import errands
from xenweb.drivers.xapi_driver.driver import XapiDriver
from xenweb.drivers.xapi_driver.pools import Pool
from xenweb.drivers.xapi_driver.records import Record
from xenweb.inventory.models import StorageRepository
from xenweb.lab.xapi.world import identity
from xenweb.livemigration import disk_moves
from xenweb.livemigration.disk_moves import (
    disk_move_cancel,
    disk_move_for,
    disk_move_request,
    disk_move_settle,
    disk_moves_due,
    vm_disks_for,
)
from xenweb.livemigration.errors import (
    DiskMoveNotCancellableError,
    DiskMoveNotFoundError,
    DiskNotPlaceableError,
    MoveForbiddenError,
    NotPlaceableError,
)
from xenweb.livemigration.models import DiskMove
from xenweb.livemigration.queueing import disk_move_waits, due
from xenweb.realtime.wire_places import DiskMoveWire

pytestmark = pytest.mark.django_db(transaction=True)
MIB = 2**20


@pytest.fixture
def board(xapi: Pools) -> Board:  # noqa: F811 - the fixture
    return Board(xapi)


def storage(name: str, host: str) -> int:
    return StorageRepository.objects.get(name=name, attachments__host__name=host).pk


def asked(board: Board, vm: str = "ledger", target: str = "shared", host: str = "host-b") -> DiskMoveWire:
    return disk_move_request(board.admin, str(board.vm(vm).pk), "xvda", storage(target, host))


def state_of(move: DiskMoveWire) -> str:
    return str(DiskMove.objects.get(pk=move.id).state)


def cared_for(move: DiskMoveWire, is_enough: Callable[[str], bool]) -> None:
    """Care for a move as the reconciler does, until its state is what is waited for."""

    def look() -> bool:
        disk_move_settle(move.id)
        return is_enough(state_of(move))

    until(look, 60.0)


def to_its_end(board: Board, move: DiskMoveWire) -> DiskMoveWire:
    cared_for(move, lambda state: state in {"done", "failed", "cancelled"})
    return disk_move_for(board.admin, move.id)


def storage_by_the_pools_records(board: Board, vm: str) -> str:
    told = board.pools.do("tell", **{"class": "VM", "name": vm})
    vbds = [board.pools.do("tell", **{"class": "VBD", "name": ref}) for ref in told["VBDs"]]
    vdi = next(vbd["VDI"] for vbd in vbds if vbd["type"] == "Disk")
    sr = board.pools.do("tell", **{"class": "VDI", "name": vdi})["SR"]
    return str(board.pools.do("tell", **{"class": "SR", "name": sr})["name_label"])


def history(action: str) -> list[AuditRecord]:
    return list(AuditRecord.objects.filter(action=action).order_by("sequence"))


def test_a_disk_says_where_it_can_go_and_how_much_is_free_there(board: Board) -> None:
    (disk,) = vm_disks_for(board.admin, str(board.vm("ledger").pk))
    assert (disk.device, disk.storage, disk.capacity) == ("xvda", "local", 32 * MIB)
    assert [(each.name, each.free) for each in disk.places] == [("shared", 60 * 2**30)]
    assert disk.findings == []
    (halted,) = vm_disks_for(board.admin, str(board.vm("old-wiki").pk))
    assert [each.code for each in halted.findings] == ["vm_not_running"]


def test_a_disk_moves_while_its_vm_runs_on_and_its_own_record_proves_where_it_is(board: Board) -> None:
    board.pools.do("set", link=16.0 * MIB)
    move, shares = asked(board), list[float]()
    assert board.vm("ledger").moving_as == move.id
    assert DiskMove.objects.get(pk=move.id).call_intended_at is None
    with pytest.raises(NotPlaceableError, match="already moving"):
        board.ask("ledger", "host-a")

    def look(state: str) -> bool:
        shares.append(DiskMove.objects.get(pk=move.id).share or 0.0)
        return state == "done"

    cared_for(move, look)
    assert any(0 < share < 1 for share in shares), "how far it is, is shown"
    assert shares == sorted(shares)
    assert storage_by_the_pools_records(board, "ledger") == "shared"
    assert board.pools.do("residence", vm="ledger") == "host-b"
    assert board.pools.do("tell", **{"class": "VM", "name": "ledger"})["power_state"] == "Running"
    assert board.vm("ledger").moving_as == ""
    board.look()
    assert [disk.repository.name for disk in board.vm("ledger").disks.all()] == ["shared"]
    told = [(each.action, each.outcome) for each in AuditRecord.objects.filter(action__startswith="disk_move")]
    assert told == [("disk_move_request", "allowed"), ("disk_move_start", "allowed"), ("disk_move_outcome", "done")]
    facts = json.loads(history("disk_move_outcome")[0].facts)
    assert (facts["device"], facts["from"], facts["to"]) == ("xvda", "local", "shared")


def test_the_intent_is_stored_before_the_call_and_the_call_is_made_once(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def begin(self: XapiDriver, plan: object) -> None:
        calls.append(str(DiskMove.objects.get().call_intended_at))
        msg = "The answer was lost."
        raise HostUnreachableError(msg)

    monkeypatch.setattr(XapiDriver, "disk_begin", begin)
    move = asked(board)
    for _ in range(3):
        disk_move_settle(move.id)
    assert len(calls) == 1
    assert calls[0] != "None"
    assert state_of(move) == "moving", "what was perhaps begun is waited for"
    DiskMove.objects.update(call_intended_at=timezone.now() - timedelta(seconds=11))
    ended = to_its_end(board, move)
    assert (ended.state, ended.sentence) == ("failed", "The answer was lost.")


def test_a_move_whose_process_was_lost_is_found_again_and_proven(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    board.pools.do("set", link=16.0 * MIB)
    move = asked(board)
    disk_move_settle(move.id)
    another = XapiDriver()
    monkeypatch.setattr(disk_moves, "driver_for", lambda kind: another)
    assert disk_moves_due() == [move.id]
    assert to_its_end(board, move).state == "done"
    assert storage_by_the_pools_records(board, "ledger") == "shared"


def test_a_silent_host_leaves_a_move_uncertain_until_it_answers(board: Board) -> None:
    board.pools.do("set", link=8.0 * MIB)
    move = asked(board)
    disk_move_settle(move.id)
    board.pools.do("silence", host="host-b")
    try:
        cared_for(move, lambda state: state == "uncertain")
        assert disk_move_for(board.admin, move.id).sentence == disk_moves.UNPROVEN
        assert board.vm("ledger").moving_as == move.id
    finally:
        board.pools.do("silence", host="host-b", on=False)
    ended = to_its_end(board, move)
    assert ended.state == "done", ended.sentence


def lost(board: Board) -> DiskMoveWire:
    """Let a pool forget a disk's move that has been seen to copy, and that goes on."""
    board.pools.do("set", link=1.0 * MIB, keep_reserved=False)
    move = asked(board)
    cared_for(move, lambda state: bool(DiskMove.objects.get(pk=move.id).share))
    board.pools.do("failover", host="host-a")
    DiskMove.objects.update(call_intended_at=timezone.now() - timedelta(seconds=11))
    cared_for(move, lambda state: disk_move_for(board.admin, move.id).sentence == disk_moves.LOST)
    assert state_of(move) == "uncertain"
    return move


@pytest.mark.parametrize("is_another_process", [False, True])
def test_a_move_that_its_pool_has_forgotten_is_uncertain_until_the_disk_arrives(
    board: Board, monkeypatch: pytest.MonkeyPatch, is_another_process: bool
) -> None:
    move = lost(board)
    if is_another_process:
        another = XapiDriver()
        monkeypatch.setattr(disk_moves, "driver_for", lambda kind: another)
        disk_move_settle(move.id)
        assert state_of(move) == "uncertain"
    board.pools.do("set", link=64.0 * MIB)
    assert to_its_end(board, move).state == "done"
    assert storage_by_the_pools_records(board, "ledger") == "shared"


def test_a_move_that_its_pool_has_forgotten_is_let_go_by_a_person_alone_and_claims_nothing(board: Board) -> None:
    move = lost(board)
    disk_move_cancel(board.admin, move.id)
    ended = to_its_end(board, move)
    assert (ended.state, ended.sentence) == ("cancelled", disk_moves.GIVEN_UP_LOST)
    assert board.vm("ledger").moving_as == ""


def test_a_move_that_ends_between_two_questions_is_not_taken_for_one_that_left_the_disk(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    move, read = asked(board), errands.read

    def late(pool: Pool, ref: str) -> Record | None:
        until(lambda: storage_by_the_pools_records(board, "ledger") == "shared")
        until(lambda: (found := read(pool, ref)) is None or errands.has_ended(found))
        return read(pool, ref)

    monkeypatch.setattr(errands, "read", late)
    assert to_its_end(board, move).state == "done"


def test_a_move_is_given_up_and_the_disk_has_stayed(board: Board) -> None:
    board.pools.do("set", link=4.0 * MIB)
    move = asked(board)
    disk_move_settle(move.id)
    assert disk_move_cancel(board.admin, move.id).cancel_requested
    assert to_its_end(board, move).state == "cancelled"
    assert storage_by_the_pools_records(board, "ledger") == "local"
    with pytest.raises(DiskMoveNotCancellableError):
        disk_move_cancel(board.admin, move.id)


def test_a_move_that_was_not_begun_ends_at_once(board: Board) -> None:
    move = asked(board)
    disk_move_cancel(board.admin, move.id)
    disk_move_settle(move.id)
    assert state_of(move) == "cancelled"
    assert history("disk_move_start") == []


def test_what_only_the_pool_knows_ends_it_before_the_call_with_its_reason(board: Board) -> None:
    vdi = {"class": "VDI", "name": "ledger 0", "field": "cbt_enabled", "value": True}
    board.pools.do("field", **vdi)
    ended = to_its_end(board, asked(board))
    assert ended.state == "failed"
    assert "changed block tracking" in (ended.sentence or "")
    assert history("disk_move_start") == []
    assert board.vm("ledger").moving_as == ""


def test_a_pool_that_says_yes_and_does_nothing_is_not_believed(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(XapiDriver, "disk_begin", lambda self, plan: None)
    move = asked(board)
    disk_move_settle(move.id)
    DiskMove.objects.update(call_intended_at=timezone.now() - timedelta(seconds=11))
    assert to_its_end(board, move).state == "failed"
    assert storage_by_the_pools_records(board, "ledger") == "local"


def test_refusals_say_why_and_are_recorded(board: Board) -> None:
    vm = str(board.vm("ledger").pk)
    with pytest.raises(DiskNotPlaceableError, match="is on local already"):
        asked(board, target="local")
    with pytest.raises(DiskMoveNotFoundError):
        disk_move_request(board.admin, vm, "xvdz", storage("shared", "host-b"))
    with pytest.raises(MoveForbiddenError):
        disk_move_request(person("auditor", Role.AUDITOR), vm, "xvda", storage("shared", "host-b"))
    with pytest.raises(DiskMoveNotFoundError):
        disk_move_for(board.admin, "00000000")
    assert [each.outcome for each in history("disk_move_request")] == ["refused"] * 3
    assert DiskMove.objects.count() == 0


def test_one_disk_of_a_vm_moves_at_a_time(board: Board) -> None:
    asked(board)
    with pytest.raises(DiskNotPlaceableError, match="already moving"):
        asked(board)
    assert DiskMove.objects.filter(state=DiskMoveState.ASKED).count() == 1


def test_a_call_that_the_pool_refuses_leaves_its_own_words_with_the_disks_move(board: Board) -> None:
    board.pools.do("set", unknown=["VDI.pool_migrate"])
    move = asked(board)
    disk_move_settle(move.id)
    told = disk_move_for(board.admin, move.id).own_words
    assert told is not None
    assert (told.code, told.params) == ("MESSAGE_METHOD_UNKNOWN", ["Async.VDI.pool_migrate"])


def test_storage_that_fills_up_in_mid_copy_leaves_the_pools_own_words_with_the_disks_move(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    move = asked(board)
    cared_for(move, lambda state: DiskMove.objects.get(pk=move.id).share is not None)
    full = {"class": "SR", "name": identity("green shared"), "field": "physical_utilisation", "value": str(2**40)}
    board.pools.do("field", **full)
    ended = to_its_end(board, move)
    assert ended.state == "failed"
    assert ended.own_words is not None
    assert ended.own_words.code == "SR_BACKEND_FAILURE_44"
    assert storage_by_the_pools_records(board, "ledger") == "local"


def test_disks_on_their_way_take_the_turns_of_copies_of_their_host_and_those_asked_wait_and_say_why(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(XapiDriver, "sending", Sending(moves=10, copying=1))
    calls: list[str] = []
    monkeypatch.setattr(XapiDriver, "disk_begin", lambda _self, plan: calls.append(plan.migration))
    first = asked(board)
    second = disk_move_request(board.admin, str(board.vm("shop-db").pk), "xvda", storage("local", "host-a"))
    DiskMove.objects.filter(pk=second.id).update(host=board.vm("ledger").resident_on)
    disk_move_settle(first.id)
    disk_move_settle(second.id)
    assert (state_of(first), state_of(second), calls) == ("moving", "asked", [first.id])
    told = disk_move_for(board.admin, second.id).sentence
    assert told == "host-b copies the disks of 1 VM, more than which its hypervisor refuses."
    DiskMove.objects.filter(pk=first.id).update(state=DiskMoveState.DONE)
    assert disk_move_waits(second.id, timezone.now()) == ""


def test_a_vm_whose_disks_are_copied_waits_for_a_disk_that_moves_from_its_host(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(XapiDriver, "sending", Sending(moves=10, copying=1))
    row = board.ask("ledger", "host-a")
    assert due(timezone.now()) == [row.pk]
    disk = disk_move_request(board.admin, str(board.vm("shop-db").pk), "xvda", storage("local", "host-a"))
    DiskMove.objects.filter(pk=disk.id).update(host=row.source, state=DiskMoveState.MOVING)
    assert due(timezone.now()) == []
