"""Forecasts: from past moves, before the drop and on the way, with their own error."""

from datetime import timedelta

from django.utils import timezone

from tests.board import Board
from tests.livemigration.test_drive import asked, copying, in_a_thread, until
from xenweb.core.migration import State
from xenweb.core.quantities import MIB, Bytes, Milliseconds
from xenweb.drivers.contract import CompletedStats, MoveOptions
from xenweb.livemigration.drive import drive
from xenweb.livemigration.foretelling import foretell, knowledge, published_error, seen_in
from xenweb.livemigration.models import Migration, MigrationPass
from xenweb.livemigration.selectors import migration_for, verdicts_for


def past(board: Board, number: int, total: int = 5000, said: int | None = None) -> Migration:
    """A finished move: 64 MiB at 16 MiB/s, then 4 MiB in a second pass."""
    row = Migration.objects.create(
        id=f"PAST{number:04}",
        vm=board.vm,
        vm_name=board.vm.name,
        vm_uuid=board.vm.uuid,
        source=board.source,
        source_name="host-a",
        target=board.target,
        target_name="host-b",
        state=State.DONE,
        requested_by_id=board.admin.user_id,
        requested_by_name="admin",
        requested_at=timezone.now(),
        ended_at=timezone.now() - timedelta(minutes=number),
        total=total,
        total_is_measured=True,
        downtime=40,
        transferred=68 * MIB,
        forecast=None if said is None else {"total": {"low_ms": 1, "likely_ms": said, "high_ms": said}},
    )
    spans = ((1, 500, 4500, 64), (2, 4500, 4750, 4))
    for pass_number, started, ended, left in spans:
        MigrationPass.objects.create(
            migration=row,
            pass_number=pass_number,
            started=started,
            ended=ended,
            remaining_at_start=left * MIB,
            transfer_rate=16.0 * MIB,
            dirty_rate=None if pass_number == 1 else 1.0 * MIB,
        )
    return row


def test_a_finished_move_teaches_what_its_passes_showed(board: Board) -> None:
    seen = seen_in(past(board, 1))
    assert (seen.speed, seen.content, seen.start) == (16 * MIB, 64 * MIB, 0.5)
    assert (seen.dirty_rate, seen.working_set, seen.hand_over) == (MIB, 4 * MIB, 0.04)
    assert seen.finish == 0.25


def test_without_past_moves_the_forecast_is_wide_and_says_that_it_is_assumed(board: Board) -> None:
    said = foretell("qemu", board.vm.pk, Bytes(256 * MIB), board.source.pk, board.target.pk, MoveOptions())
    assert said.basis == "assumed"
    assert said.total is not None
    assert said.total.high_ms > 4 * said.total.low_ms


def test_past_moves_make_it_narrow_and_right(board: Board) -> None:
    for number in range(3):
        past(board, number)
    said = foretell("qemu", board.vm.pk, Bytes(256 * MIB), board.source.pk, board.target.pk, MoveOptions())
    assert said.basis == "past_moves"
    assert said.total is not None
    assert said.total.low_ms <= 5000 <= said.total.high_ms
    assert abs(said.total.likely_ms - 5000) < 600


def test_a_move_of_another_vm_teaches_only_about_the_way(board: Board) -> None:
    past(board, 1)
    known, _ = knowledge(board.vm.pk + 999, Bytes(256 * MIB), board.source.pk, board.target.pk)
    assert known.speed.likely == 16 * MIB
    assert known.content.high == 256 * MIB


def test_every_host_that_can_take_the_vm_comes_with_a_forecast(board: Board) -> None:
    verdicts = {each.host: each.forecast for each in verdicts_for(board.admin, str(board.vm.pk)).verdicts}
    assert verdicts[board.source.pk] is None
    assert verdicts[board.target.pk] is not None


def test_the_forecast_is_stored_with_the_intent_and_narrowed_by_the_passes(board: Board) -> None:
    driver = board.driver
    driver.on_call = driver.moves_to_target
    driver.progresses = [copying(1, 40, 24), copying(2, 5, 64)]
    driver.stats = CompletedStats(total=Milliseconds(700), downtime=Milliseconds(34), transferred=Bytes(70), passes=2)
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: migration_for(board.admin, row.pk).forecast_now is not None)
    driver.let_go.set()
    thread.join(10)
    wire = migration_for(board.admin, row.pk)
    assert wire.forecast is not None
    assert wire.forecast_now is not None
    assert wire.forecast_now.basis == "measured"
    assert published_error().moves == 1


def test_the_published_error_is_that_of_the_past_forecasts(board: Board) -> None:
    for number, said in enumerate((5000, 5500, 4000, 5000)):
        past(board, number, said=said)
    error = published_error()
    assert error.moves == 4
    assert error.median == 0.05
    assert error.p90 == 0.2


def test_without_past_forecasts_there_is_no_error_to_publish(board: Board) -> None:
    del board
    assert published_error().p90 is None
