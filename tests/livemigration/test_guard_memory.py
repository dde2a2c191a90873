"""Guards with memory: what they cost, and a VM that goes on from the moment of its guard, once, and proven."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.board import VM_UUID, Board
from tests.livemigration.test_guards import SIZE, Keeper, guard_of, halted, moved, settle_all, told_states
from tests.livemigration.test_guards import keeper as guards_keeper
from xenweb.core.guard import GuardPhase, GuardState
from xenweb.core.migration import Copy
from xenweb.drivers.contract import HostUnreachableError, MoveOptions, MoveRefusedError
from xenweb.drivers.guards import GuardSeen
from xenweb.livemigration.drive import drive
from xenweb.livemigration.errors import OptionRefusedError
from xenweb.livemigration.guard_asking import guard_roll_back
from xenweb.livemigration.guard_costs import expected_pause
from xenweb.livemigration.models import Guard, Migration
from xenweb.livemigration.services import migration_request

keeper = guards_keeper


def with_memory(board: Board, keeper: Keeper) -> Migration:
    """A guard with memory, of a VM that has moved and is halted by now; its roll-back is asked for."""
    options = MoveOptions(guard=True, guard_memory=True)
    wire = migration_request(board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=options)
    drive(wire.id, "worker")
    halted(keeper)
    board.look()
    guard_roll_back(board.lead, wire.id, "The upgrade broke it.")
    keeper.looks = [GuardSeen(GuardPhase.ROLLED_BACK, SIZE, SIZE)]
    return Migration.objects.get(pk=wire.id)


def runs(keeper: Keeper, host: str = "host-a") -> None:
    keeper.copies[(host, VM_UUID)] = Copy.RUNNING


def test_memory_is_kept_only_if_it_was_asked_for_and_never_without_the_disks(board: Board, keeper: Keeper) -> None:
    options = MoveOptions(guard_memory=True)
    with pytest.raises(OptionRefusedError, match="none is asked for"):
        migration_request(board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=options)
    assert not guard_of(moved(board)).with_memory
    assert (keeper.foreseen_with_memory, keeper.plans[-1].with_memory) == ([False], False)


def test_what_memory_costs_is_estimated_from_guards_with_memory_by_its_size(board: Board, keeper: Keeper) -> None:
    with_memory(board, keeper)
    assert keeper.foreseen_with_memory == [True]
    memory = Migration.objects.get().vm_memory
    assert expected_pause(board.source.pk, 1, 2 * memory) == 2 * 4200
    assert expected_pause(board.source.pk, 1) is None


def test_a_roll_back_with_memory_lets_the_vm_go_on_where_the_guard_is(board: Board, keeper: Keeper) -> None:
    row = with_memory(board, keeper)
    keeper.on_restore = lambda: runs(keeper)
    settle_all()
    guard = guard_of(row)
    assert keeper.told == ["begin", "ready host-a", "memory host-a"]
    assert guard.state == GuardState.KEPT
    assert guard.rolled_back_at is not None
    assert guard.memory_back_at is not None
    assert told_states(row)[-3:] == ["rolling_back", "restoring", "kept"]


def test_memory_that_cannot_be_read_leaves_the_disks_back_and_says_so(board: Board, keeper: Keeper) -> None:
    row = with_memory(board, keeper)
    keeper.restore_error = MoveRefusedError("libvirt could not read its memory.")
    settle_all()
    guard = guard_of(row)
    assert (guard.state, guard.memory_back_at) == (GuardState.KEPT, None)
    assert "the memory is not: libvirt could not read" in guard.sentence


def test_memory_is_not_read_for_a_vm_that_somebody_has_started_elsewhere(board: Board, keeper: Keeper) -> None:
    row = with_memory(board, keeper)
    keeper.on_look = lambda: runs(keeper, "host-b")
    settle_all()
    guard = guard_of(row)
    assert "memory host-a" not in keeper.told
    assert (guard.state, guard.memory_back_at, "halt it first" in guard.sentence) == (GuardState.KEPT, None, True)


def test_a_process_that_died_while_memory_was_read_asks_first_and_reads_it_once(board: Board, keeper: Keeper) -> None:
    row = with_memory(board, keeper)
    keeper.restore_error = HostUnreachableError("host-a does not answer.")
    settle_all()
    guard = guard_of(row)
    assert (guard.state, guard.sentence) == (GuardState.RESTORING, "host-a does not answer.")
    runs(keeper)
    Guard.objects.update(tried_at=None)
    settle_all()
    guard.refresh_from_db()
    assert (guard.state, guard.memory_back_at is None) == (GuardState.KEPT, False)
    assert keeper.told.count("memory host-a") == 1


def test_a_probe_that_is_silent_for_a_moment_costs_no_memory(board: Board, keeper: Keeper) -> None:
    row = with_memory(board, keeper)
    keeper.unproven_hosts = {"host-b"}
    keeper.on_restore = lambda: runs(keeper)
    settle_all()
    assert (guard_of(row).state, "memory host-a" in keeper.told) == (GuardState.RESTORING, False)
    keeper.unproven_hosts = set()
    Guard.objects.update(tried_at=None)
    settle_all()
    assert (guard_of(row).state, guard_of(row).memory_back_at is None) == (GuardState.KEPT, False)


@pytest.mark.parametrize(("minutes", "state"), [(1, GuardState.RESTORING), (20, GuardState.KEPT)])
def test_a_vm_that_stands_still_is_waited_for_while_its_memory_may_be_read_and_no_longer(
    board: Board, keeper: Keeper, minutes: int, state: GuardState
) -> None:
    row = with_memory(board, keeper)
    keeper.on_restore = lambda: keeper.copies.__setitem__(("host-a", VM_UUID), Copy.PAUSED)
    settle_all()
    Guard.objects.update(rolled_back_at=timezone.now() - timedelta(minutes=minutes), tried_at=None)
    settle_all()
    guard = guard_of(row)
    assert (guard.state, guard.memory_back_at) == (state, None)
    assert keeper.told.count("memory host-a") == 1
