"""Turns in the database: limits hold between workers, and those who wait are told their place."""

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.board import Board
from xenweb.core.migration import State
from xenweb.core.queueing import Sending
from xenweb.drivers.contract import MoveOptions
from xenweb.inventory.models import VirtualMachine
from xenweb.livemigration import drive as driving
from xenweb.livemigration.models import Migration
from xenweb.livemigration.queueing import due, take_turn
from xenweb.livemigration.reconciling import RING_AGAIN_AFTER, Care, orphans
from xenweb.livemigration.services import migration_request
from xenweb.livemigration.transitions import lease_release, state_change
from xenweb.livemigration.wiring import migration_wire


def asked(board: Board) -> Migration:
    wire = migration_request(board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=MoveOptions())
    return Migration.objects.get(pk=wire.id)


def waiting(board: Board, number: int) -> Migration:
    """A queued move of another VM between the same hosts."""
    vm = VirtualMachine.objects.create(
        pool=board.vm.pool, uuid=f"{number:08}-1111-4111-8111-111111111111", name=f"vm-{number}", memory=1, vcpus=1
    )
    row = asked_like(board, vm)
    Migration.objects.filter(pk=row.pk).update(state=State.QUEUED)
    row.refresh_from_db()
    return row


def asked_like(board: Board, vm: VirtualMachine) -> Migration:
    return Migration.objects.create(
        vm=vm,
        vm_name=vm.name,
        vm_uuid=vm.uuid,
        source=board.source,
        source_name=board.source.name,
        target=board.target,
        target_name=board.target.name,
        requested_by_id=board.admin.user_id,
        requested_by_name=board.admin.username,
        requested_at=timezone.now(),
    )


def test_no_more_moves_begin_than_a_host_takes(board: Board, settings: Settings) -> None:
    settings.XENWEB_MOVES = (2, 2, 8)
    rows = [waiting(board, number) for number in range(3)]
    leases = [take_turn(row.pk, "test") for row in rows]
    assert [lease is not None for lease in leases] == [True, True, False]
    states = [Migration.objects.get(pk=row.pk).state for row in rows]
    assert states == [State.CHECKING, State.CHECKING, State.QUEUED]


def test_moves_of_a_dead_host_take_nobodys_turn_until_they_are_under_way_again(
    board: Board, settings: Settings
) -> None:
    settings.XENWEB_MOVES = (2, 2, 2)
    dead = [waiting(board, number).pk for number in range(2)]
    rows = Migration.objects.filter(pk__in=dead)
    rows.update(state=State.UNCERTAIN, call_intended_at=timezone.now())
    row = waiting(board, 3)
    assert due(timezone.now()) == [row.pk]
    rows.update(state=State.PRE_COPY)
    assert due(timezone.now()) == []


def test_a_ring_begins_whoevers_turn_it_is(board: Board, settings: Settings) -> None:
    settings.XENWEB_MOVES = (1, 1, 1)
    first, second = waiting(board, 1), waiting(board, 2)
    lease = take_turn(second.pk, "test")
    assert lease is not None
    assert lease.migration == first.pk


def test_those_who_wait_are_told_their_place_and_start(board: Board, settings: Settings) -> None:
    settings.XENWEB_MOVES = (1, 1, 1)
    rows = [waiting(board, number) for number in range(3)]
    take_turn(rows[0].pk, "test")
    places = [Migration.objects.get(pk=row.pk).queue_place for row in rows[1:]]
    assert places == [1, 2]
    assert Migration.objects.get(pk=rows[1].pk).expected_start is None  # nothing is known of past moves
    Migration.objects.filter(pk=rows[0].pk).update(state=State.DONE, total=10_000, ended_at=timezone.now())
    take_turn(rows[1].pk, "test")
    expected = Migration.objects.get(pk=rows[2].pk).expected_start
    assert expected is not None
    assert 8 <= (expected - timezone.now()).total_seconds() <= 10


def test_the_end_of_a_move_rings_for_the_next(
    board: Board, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.XENWEB_MOVES = (1, 1, 1)
    rung: list[str] = []
    monkeypatch.setattr(driving, "enqueue", rung.append)
    row, later = asked(board), waiting(board, 2)
    board.driver.on_call = board.driver.moves_to_target
    board.driver.let_go.set()
    driving.drive(row.pk, "test")
    assert rung == [later.pk]


def test_only_those_whose_turn_has_come_are_rung_for_again(board: Board, settings: Settings) -> None:
    settings.XENWEB_MOVES = (1, 1, 1)
    rows = [waiting(board, number) for number in range(3)]
    later = timezone.now() + 2 * RING_AGAIN_AFTER
    assert [(each.migration, each.care) for each in orphans(later)] == [(rows[0].pk, Care.RING)]


def test_a_cancelled_turn_goes_to_the_next(board: Board, settings: Settings) -> None:
    settings.XENWEB_MOVES = (1, 1, 1)
    first, second = waiting(board, 1), waiting(board, 2)
    lease = take_turn(first.pk, "test")
    assert lease is not None
    assert due(timezone.now()) == []
    state_change(first.pk, State.CHECKING, State.CANCELLED, lease=lease)
    lease_release(lease)
    assert due(timezone.now()) == [second.pk]


def test_a_host_that_may_copy_no_more_disks_lets_the_others_wait_and_says_why(board: Board, settings: Settings) -> None:
    settings.XENWEB_MOVES = (9, 9, 9)
    board.driver.sending = Sending(copying=1)
    rows = [waiting(board, number) for number in range(3)]
    disks = [{"device": "vda", "path": "/disk", "capacity": 1}]
    Migration.objects.filter(pk__in=[row.pk for row in rows[:2]]).update(copied_disks=disks)
    taken = [lease.migration if (lease := take_turn(row.pk, "test")) else None for row in rows]
    assert taken == [rows[0].pk, rows[2].pk, None]
    told = migration_wire(Migration.objects.get(pk=rows[1].pk))
    assert told.waits_because == (
        f"{board.source.name} copies the disks of 1 VM, more than which its hypervisor refuses."
    )
    state_change(rows[1].pk, State.QUEUED, State.CANCELLED)
    assert migration_wire(Migration.objects.get(pk=rows[1].pk)).waits_because is None


@pytest.mark.parametrize(
    ("limits", "because"),
    [
        ((9, 9, 1), "1 move is under way, as many as may be at once."),
        ((1, 9, 9), "{source} takes part in 1 move, as many as one host may at once."),
        ((9, 1, 9), "1 move is under way between {source} and {target}, as many as may be at once."),
    ],
)
def test_what_our_own_limits_hold_back_is_told_which(
    board: Board, settings: Settings, limits: tuple[int, int, int], because: str
) -> None:
    settings.XENWEB_MOVES = limits
    rows = [waiting(board, number) for number in range(2)]
    take_turn(rows[0].pk, "test")
    told = migration_wire(Migration.objects.get(pk=rows[1].pk)).waits_because
    assert told == because.format(source=board.source.name, target=board.target.name)
