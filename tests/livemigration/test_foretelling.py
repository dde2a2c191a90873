"""Forecasts: from past moves, before the drop and on the way, with their own error."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.board import Board
from tests.livemigration.test_drive import asked, copying, in_a_thread, until
from xenweb.core.migration import State
from xenweb.core.precopy.forecast import forecast, learned
from xenweb.core.precopy.rules import Rule
from xenweb.core.quantities import GIB, MIB, Bytes, BytesPerSecond, Milliseconds
from xenweb.drivers.contract import CompletedStats, MoveOptions
from xenweb.livemigration.drive import drive
from xenweb.livemigration.foretelling import (
    Subject,
    assumed,
    foretell,
    knowledge,
    past_for,
    published_error,
    rule_of,
    seen_in,
)
from xenweb.livemigration.models import Migration, MigrationChoice, MigrationPass
from xenweb.livemigration.selectors import migration_for, verdicts_for
from xenweb.realtime.wire import ForecastWire

SPANS: tuple[tuple[int, int, int, float | None, float | None, float | None], ...] = (
    (1, 500, 4500, 96, 16, None),
    (2, 4500, 4750, 4, 16, 1),
    (3, 4750, 5010, 1, 8, 1),
)
"""64 MiB at 16 MiB/s, a second pass, one in which the VM stands still: number, start, end, left, speed, rate."""


def past(
    board: Board,
    number: int,
    total: int = 5000,
    said: int | None = None,
    spans: tuple[tuple[int, int, int, float | None, float | None, float | None], ...] = SPANS,
    **more: object,
) -> Migration:
    """A finished move, ``number`` minutes ago."""
    values: dict[str, object] = {
        "id": f"PAST{number:04}",
        "vm": board.vm,
        "vm_name": board.vm.name,
        "vm_uuid": board.vm.uuid,
        "source": board.source,
        "source_name": "host-a",
        "target": board.target,
        "target_name": "host-b",
        "state": State.DONE,
        "requested_by_id": board.admin.user_id,
        "requested_by_name": "admin",
        "requested_at": timezone.now(),
        "ended_at": timezone.now() - timedelta(minutes=number),
        "total": total,
        "total_is_measured": True,
        "downtime": 200,
        "transferred": 69 * MIB,
        "forecast": None
        if said is None
        else {"total": {"low_ms": said - 500, "likely_ms": said, "high_ms": said + 500}},
    }
    row = Migration.objects.create(**values | more)
    for pass_number, started, ended, left, speed, rate in spans:
        MigrationPass.objects.create(
            migration=row,
            pass_number=pass_number,
            started=started,
            ended=ended,
            remaining_at_start=None if left is None else round(left * MIB),
            transfer_rate=None if speed is None else speed * MIB,
            dirty_rate=None if rate is None else rate * MIB,
        )
    return row


def subject(board: Board, memory: int = 256, vm: int | None = None, **more: object) -> Subject:
    """The move that is to come."""
    vm_id = board.vm.pk if vm is None else vm
    return Subject(Rule.QEMU, vm_id, Bytes(memory * MIB), board.source.pk, board.target.pk, **more)  # type: ignore[arg-type]


def foretold(board: Board, options: MoveOptions | None = None, **more: object) -> ForecastWire:
    """What is said of the move that is to come."""
    what = subject(board, **more)  # type: ignore[arg-type]
    past_moves = past_for(what.vm_id, what.source_id)
    return foretell(what, options or MoveOptions(), past_moves, timezone.now())


def test_a_finished_move_teaches_what_its_passes_showed(board: Board) -> None:
    seen = seen_in(past(board, 1))
    assert (seen.speed, seen.content, seen.start) == (16 * MIB, 64 * MIB, 0.5)
    assert [(each.seconds, each.changed / MIB) for each in seen.changes] == [(4.0, 4.0), (0.25, 1.0)]
    # A MiB was left when the VM stood still: a sixteenth of a second of its pause.
    assert seen.hand_over == 0.2 - 1 / 16
    assert seen.finish == 0.05


HOT_ON_XEN = (
    (1, 400, 9266, 160.0, 18.0, 0.5),
    (2, 9266, 9625, 4.37, 12.2, 12.0),
    (3, 9625, 9934, 4.29, 13.9, 13.9),
    (4, 9934, 10121, 4.30, 23.0, 22.9),
    (5, 10121, 10373, 4.29, 17.0, 19.4),
    (6, 10373, 11550, 4.89, None, None),
)
"""As a guest moved on the Xen lab that changes 4 MiB again and again; there a pass tells its own change rate."""


def test_on_xen_each_pass_begins_with_exactly_what_changed_during_the_one_before(board: Board) -> None:
    row = past(board, 1, 11189, spans=HOT_ON_XEN, hypervisor="Xen 4.17.0", downtime=658, transferred=None)
    seen = seen_in(row)
    assert seen.content == 160 * MIB
    assert [round(each.changed / MIB, 2) for each in seen.changes] == [4.37, 4.29, 4.30, 4.29, 4.89]
    assert all(each.counted for each in seen.changes)


WIDE_ON_XEN = (
    (1, 700, 6700, 192.0, 32.0, 7.9),
    (2, 6700, 7700, 48.0, 48.0, 8.7),
    (3, 7700, 7900, 8.7, 43.5, 10.0),
    (4, 7900, 8000, 2.0, 20.0, 6.0),
    (5, 8000, 8100, 0.6, 6.0, 17.0),
    (6, 8100, 8700, 1.7, None, None),
)
"""Nearly as a guest moved on the Xen lab that changes much: the target makes room for each page only once."""


def test_on_xen_the_later_passes_are_foretold_at_their_own_speed(board: Board) -> None:
    xen = {"hypervisor": "Xen 4.17.0", "downtime": 600, "transferred": None}
    seen = seen_in(past(board, 1, 9000, spans=WIDE_ON_XEN, **xen))
    assert seen.again == pytest.approx(59.3 / 1.4 / 32)
    assert seen_in(past(board, 2, 5000)).again is None  # QEMU makes room as Linux does


def test_passes_that_had_little_to_send_tell_nothing_of_their_speed(board: Board) -> None:
    calm = ((1, 700, 4700, 128.0, 32.0, 0.3), (2, 4700, 4900, 1.2, 6.0, 4.0), (3, 4900, 5500, 0.8, None, None))
    assert seen_in(past(board, 1, 5600, spans=calm, hypervisor="Xen 4.17.0", downtime=600)).again is None


def test_on_xen_the_pause_is_what_the_pages_that_were_counted_before_it_do_not_explain(board: Board) -> None:
    seen = seen_in(
        past(board, 1, 9000, spans=WIDE_ON_XEN, hypervisor="Xen 4.17.0", downtime=600, transferred=260 * MIB)
    )
    assert seen.hand_over == pytest.approx(0.6 - 1.7 / 32, abs=1e-6)


def test_a_small_set_that_changes_fast_is_not_foretold_to_grow_with_the_time_of_a_pass(board: Board) -> None:
    for number in (1, 2):
        past(board, number, 11189, spans=HOT_ON_XEN, hypervisor="Xen 4.17.0", downtime=658, transferred=None)
    what = Subject(Rule.XEN, board.vm.pk, Bytes(160 * MIB), board.source.pk, board.target.pk)
    said = foretell(what, MoveOptions(), past_for(what.vm_id, what.source_id), timezone.now())
    assert said.total is not None
    assert abs(said.total.likely_ms - 11189) < 0.1 * 11189
    assert said.total.high_ms < 1.5 * 11189


def test_what_a_pass_left_over_is_not_taken_for_a_change(board: Board) -> None:
    spans = ((1, 500, 4500, 96, 16, None), (2, 4500, 4750, 7, 16, 1), (3, 4750, 5010, 5, 8, 1))
    seen = seen_in(past(board, 1, spans=spans))
    # 3 of the 7 MiB had been there all along; in the second pass 4 were sent, 3 left over, and 2 changed.
    assert seen.tail == 3 * MIB
    assert seen.content == 67 * MIB
    assert [each.changed / MIB for each in seen.changes] == [4.0, 2.0]


def test_a_pass_that_no_look_fell_into_does_no_harm(board: Board) -> None:
    spans = ((1, 500, 4500, 96, 16, None), (2, 4500, 4503, None, None, None), (3, 4503, 5010, 4, 8, 1))
    seen = seen_in(past(board, 1, spans=spans, downtime=500))
    assert [each.changed / MIB for each in seen.changes] == [4.0]
    assert seen.hand_over == 0.5 - 5 / 16


def test_a_move_that_its_limit_held_back_teaches_nothing_about_the_link(board: Board) -> None:
    seen = seen_in(past(board, 1, bandwidth_limit=17 * MIB))
    assert seen.speed is None
    assert seen.limit_share is not None
    assert round(seen.limit_share, 2) == 0.94


def test_a_move_that_somebody_changed_on_the_way_teaches_nothing(board: Board) -> None:
    row = past(board, 1)
    MigrationChoice.objects.create(
        migration=row, kind="pause", asked_by="admin", asked_at=timezone.now(), applied_at=timezone.now()
    )
    assert seen_in(row) == seen_in(Migration())
    assert seen_in(past(board, 2, fence=2)) == seen_in(Migration())


@given(
    st.lists(
        st.tuples(*[st.one_of(st.none(), st.integers(0, 2**40))] * 2, *[st.one_of(st.none(), st.floats(0, 1e12))] * 3),
        max_size=6,
    ),
    st.one_of(st.none(), st.integers(0, 2**40)),
    st.one_of(st.none(), st.integers(0, 2**40)),
    st.one_of(st.none(), st.integers(1, 2**40)),
)
def test_rows_full_of_nonsense_teach_but_never_raise(
    rows: list[tuple[int | None, int | None, float | None, float | None, float | None]],
    total: int | None,
    downtime: int | None,
    limit: int | None,
) -> None:
    move = Migration(total=total, downtime=downtime, bandwidth_limit=limit, transferred=total)
    passes = [
        MigrationPass(
            pass_number=number + 1,
            started=started or 0,
            ended=ended,
            remaining_at_start=None if left is None else round(left),
            transfer_rate=speed,
            dirty_rate=rate,
        )
        for number, (started, ended, left, speed, rate) in enumerate(rows)
    ]
    move._prefetched_objects_cache = {"passes": passes, "choices": []}  # type: ignore[attr-defined]
    known = learned(assumed(Bytes(256 * MIB), Rule.QEMU), [seen_in(move)], [seen_in(move)])
    for rule in Rule:
        forecast(rule, known)


def test_without_past_moves_the_forecast_is_wide_and_says_that_it_is_assumed(board: Board) -> None:
    said = foretold(board)
    assert said.basis == "assumed"
    assert said.total is not None
    assert said.total.high_ms > 4 * said.total.low_ms


def test_past_moves_make_it_narrow_and_right(board: Board) -> None:
    for number in range(3):
        past(board, number)
    said = foretold(board)
    assert said.basis == "past_moves"
    assert said.total is not None
    assert said.total.low_ms <= 5000 <= said.total.high_ms
    assert abs(said.total.likely_ms - 5000) < 250
    assert said.total.high_ms < 2 * said.total.low_ms


def test_the_parts_of_a_forecast_add_up_to_its_likely_total(board: Board) -> None:
    past(board, 1)
    said = foretold(board)
    assert said.parts is not None
    assert said.total is not None
    parts = said.parts
    whole = parts.start_ms + parts.first_pass_ms + parts.later_passes_ms + parts.pause_ms + parts.finish_ms
    assert abs(whole - said.total.likely_ms) <= 3


def test_disks_are_copied_before_memory_is_and_take_their_time(board: Board) -> None:
    past(board, 1)
    without, with_disk = foretold(board), foretold(board, disk=Bytes(160 * MIB))
    assert without.total is not None
    assert with_disk.total is not None
    assert with_disk.parts is not None
    assert with_disk.parts.disks_ms == 10_000
    assert with_disk.total.likely_ms == without.total.likely_ms + 10_000
    assert with_disk.sent == without.sent + 160 * MIB


def test_a_limit_that_was_asked_for_makes_the_move_slower(board: Board) -> None:
    past(board, 1)
    quick, slow = foretold(board).total, foretold(board, MoveOptions(bandwidth_limit=BytesPerSecond(8.0 * MIB))).total
    assert quick is not None
    assert slow is not None
    assert slow.likely_ms > 1.5 * quick.likely_ms


def test_a_measured_change_rate_is_the_basis_for_a_vm_that_never_moved(board: Board) -> None:
    said = foretold(board, dirty_rate=8.0 * MIB, dirty_rate_at=timezone.now() - timedelta(minutes=2))
    assert said.basis == "measured"
    calm = foretold(board)
    assert said.total is not None
    assert calm.total is not None
    assert said.sent > calm.sent


def test_an_old_measurement_says_nothing_about_now(board: Board) -> None:
    said = foretold(board, dirty_rate=8.0 * MIB, dirty_rate_at=timezone.now() - timedelta(hours=2))
    assert said == foretold(board)


def test_a_move_of_another_vm_teaches_only_about_the_way(board: Board) -> None:
    past(board, 1)
    what = subject(board, vm=board.vm.pk + 999)
    known, _ = knowledge(what, past_for(what.vm_id, what.source_id), timezone.now())
    assert known.speed.likely == 16 * MIB
    assert known.content.high == 256 * MIB


def test_of_two_hosts_that_never_met_it_is_assumed_that_they_are_like_others(board: Board) -> None:
    past(board, 1)
    elsewhere = Subject(Rule.QEMU, board.vm.pk, Bytes(256 * MIB), board.source.pk, board.target.pk + 999)
    known, _ = knowledge(elsewhere, past_for(elsewhere.vm_id, elsewhere.source_id), timezone.now())
    met, _ = knowledge(subject(board), past_for(board.vm.pk, board.source.pk), timezone.now())
    assert known.speed.likely == met.speed.likely
    assert known.speed.high > met.speed.high


def test_the_past_is_read_at_once_for_all_hosts(board: Board, django_assert_max_num_queries: Any) -> None:
    for number in range(3):
        past(board, number)
    with django_assert_max_num_queries(9):
        past_for(board.vm.pk, board.source.pk)


@pytest.mark.parametrize(
    ("hypervisor", "version", "rule"),
    [
        ("qemu", "QEMU 7.2.22", Rule.QEMU),
        ("xen", "Xen 4.5.1", Rule.OLD_XEN),
        ("Xen", "4.4", Rule.OLD_XEN),
        ("xen", "Xen 4.6.0", Rule.XEN),
        ("xen", "Xen 4.17.3", Rule.XEN),
        ("xen", "", Rule.XEN),
        ("xapi", "XCP-ng 8.3.0", Rule.XEN),
    ],
)
def test_each_hypervisor_is_foretold_by_its_own_rule(hypervisor: str, version: str, rule: Rule) -> None:
    assert rule_of(hypervisor, version) is rule


def test_xen_is_assumed_to_send_all_memory_because_it_knows_no_zero_pages() -> None:
    assert assumed(Bytes(4 * GIB), Rule.XEN).content.likely == 4 * GIB
    assert assumed(Bytes(4 * GIB), Rule.QEMU).content.likely < 4 * GIB


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
    assert wire.forecast_now.basis == "passes"
    assert published_error().moves == 1


def test_the_published_error_is_that_of_the_past_forecasts(board: Board) -> None:
    for number, said in enumerate((5000, 5500, 4000, 5000)):
        past(board, number, said=said)
    error = published_error()
    assert error.moves == 4
    assert error.median == 0.05
    assert error.p90 == 0.2
    assert error.hit_share == 0.75


def test_a_forecast_that_a_move_never_ends_is_off_by_the_whole_if_it_did(board: Board) -> None:
    past(board, 1, said=5000)
    past(board, 2, forecast={"ending": "will_not", "total": None})
    error = published_error()
    assert (error.moves, error.p90, error.hit_share) == (2, 1.0, 0.5)


def test_without_past_forecasts_there_is_no_error_to_publish(board: Board) -> None:
    del board
    assert published_error().p90 is None
    assert published_error().hit_share is None
