"""Volumes that a move activates: written down with the intent, and let go where the VM is not once that is proven."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.board import VM_UUID, Board
from tests.livemigration.test_drive import asked
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import Copy, State
from xenweb.drivers.contract import MigrationPlan, MovedVolume, MoveRefusedError
from xenweb.livemigration.drive import drive
from xenweb.livemigration.holding import TRY_AGAIN_AFTER, held_volume_settle, held_volumes_due
from xenweb.livemigration.models import HeldVolume, Migration

WEB, DATA = "/dev/sr1/web01", "/dev/sr1/data"


@pytest.fixture(autouse=True)
def volumes(board: Board) -> None:
    board.driver.volumes = (MovedVolume(WEB, was_active=False), MovedVolume(DATA, was_active=True))
    board.driver.let_go.set()


def moved(board: Board, on_call: object) -> Migration:
    board.driver.on_call = on_call  # type: ignore[assignment]
    row = asked(board)
    drive(row.pk, "worker")
    row.refresh_from_db()
    return row


def held() -> list[tuple[str, str]]:
    return list(HeldVolume.objects.filter(released_at=None).values_list("host__name", "path").order_by("path"))


def settle() -> None:
    for each in held_volumes_due(timezone.now()):
        held_volume_settle(each)


def test_the_volumes_are_stored_with_the_intent_and_told_to_the_call(board: Board) -> None:
    told: list[tuple[str, ...]] = []

    def call(plan: MigrationPlan) -> None:
        told.append(plan.volumes)
        assert Migration.objects.get(pk=plan.migration).volumes == [
            {"path": WEB, "was_active": False},
            {"path": DATA, "was_active": True},
        ]
        board.driver.moves_to_target(plan)

    moved(board, call)
    assert told == [(WEB, DATA)]


def test_after_a_move_every_volume_is_let_go_at_the_source(board: Board) -> None:
    row = moved(board, board.driver.moves_to_target)
    assert row.state == State.DONE
    assert held() == [("host-a", DATA), ("host-a", WEB)]
    settle()
    assert sorted(board.driver.released) == [("host-a", DATA), ("host-a", WEB)]
    assert held() == []
    outcomes = AuditRecord.objects.filter(action="volume_release").values_list("outcome", flat=True)
    assert list(outcomes) == ["done", "done"]


def test_after_a_move_that_failed_what_it_activated_is_let_go_at_the_target_and_nothing_else(board: Board) -> None:
    board.driver.error = MoveRefusedError("The target would not take it.")
    row = moved(board, lambda _plan: None)
    assert row.state == State.FAILED
    assert held() == [("host-b", WEB)]
    settle()
    assert board.driver.released == [("host-b", WEB)]


def test_a_move_that_nobody_can_prove_lets_nothing_go(board: Board) -> None:
    def vanish(plan: MigrationPlan) -> None:
        board.driver.copies[("host-a", plan.vm_uuid)] = Copy.NO_ANSWER
        board.driver.copies[("host-b", plan.vm_uuid)] = Copy.NO_ANSWER

    assert moved(board, vanish).state == State.UNCERTAIN
    settle()
    assert (held(), board.driver.released) == ([], [])


@pytest.mark.parametrize("said", [Copy.RUNNING, Copy.PAUSED, Copy.INCOMING, Copy.NO_ANSWER])
def test_a_host_that_does_not_prove_that_the_vm_is_gone_keeps_its_volumes(board: Board, said: Copy) -> None:
    moved(board, board.driver.moves_to_target)
    board.driver.copies[("host-a", VM_UUID)] = said
    settle()
    assert board.driver.released == []
    assert len(held()) == 2
    assert set(AuditRecord.objects.filter(action="volume_release").values_list("outcome", flat=True)) == {"failed"}


def test_a_silent_target_keeps_the_volumes_at_the_source(board: Board) -> None:
    moved(board, board.driver.moves_to_target)
    board.driver.copies[("host-b", VM_UUID)] = Copy.NO_ANSWER
    settle()
    assert (board.driver.released, len(held())) == ([], 2)


def test_a_refusal_is_told_once_and_tried_again_later(board: Board) -> None:
    moved(board, board.driver.moves_to_target)
    board.driver.release_error = MoveRefusedError("sr1/web01 is open here (1 times): it stays active.")
    settle()
    assert held_volumes_due(timezone.now()) == []
    HeldVolume.objects.update(tried_at=timezone.now() - TRY_AGAIN_AFTER - timedelta(seconds=1))
    settle()
    assert AuditRecord.objects.filter(action="volume_release").count() == 2
    HeldVolume.objects.update(tried_at=None)
    board.driver.release_error = None
    settle()
    assert held() == []


def test_a_vm_that_moves_again_or_has_come_back_keeps_its_volumes(board: Board) -> None:
    moved(board, board.driver.moves_to_target)
    board.vm.refresh_from_db()
    board.vm.moving_as = "7F3K2QXZ"
    board.vm.save()
    assert held_volumes_due(timezone.now()) == []
    board.vm.moving_as, board.vm.resident_on = "", board.source
    board.vm.save()
    settle()
    assert (board.driver.released, held()) == ([], [])
