"""Guards: made before a move and never half-way unseen, kept for the way back, and laid back only over a halted VM."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from tests.board import VM_UUID, Board
from tests.scripted import ScriptedDriver
from xenweb.audit.models import AuditRecord
from xenweb.core.guard import GuardPhase, GuardState
from xenweb.core.migration import Copy, State
from xenweb.core.quantities import MIB, Bytes, BytesPerSecond, Milliseconds
from xenweb.drivers import registry
from xenweb.drivers.contract import (
    Capability,
    DriverError,
    Endpoint,
    HostUnreachableError,
    MoveOptions,
    MoveRefusedError,
)
from xenweb.drivers.guards import GuardForeseen, GuardPlan, GuardSeen
from xenweb.livemigration import guarding
from xenweb.livemigration.drive import adopt, drive
from xenweb.livemigration.errors import GuardNotFoundError, GuardRefusedError, MoveForbiddenError, OptionRefusedError
from xenweb.livemigration.guard_asking import guard_remove, guard_roll_back
from xenweb.livemigration.guard_care import guard_settle, guards_due
from xenweb.livemigration.guard_costs import expected_pause
from xenweb.livemigration.guards import AnotherAtWorkError, GuardChangedError, guard_change, guard_row
from xenweb.livemigration.models import Guard, Migration
from xenweb.livemigration.selectors import migration_for
from xenweb.livemigration.services import migration_cancel, migration_request
from xenweb.realtime.events import MigrationChanged
from xenweb.realtime.selectors import events_since

SIZE = Bytes(64 * MIB)
WEB = "/dev/sr1/web01"
MADE = [
    GuardSeen(GuardPhase.TAKING, Bytes(0), SIZE),
    GuardSeen(GuardPhase.COPYING, Bytes(16 * MIB), SIZE, Milliseconds(4200)),
    GuardSeen(GuardPhase.WHOLE, SIZE, SIZE, Milliseconds(4200)),
]


@dataclass
class Keeper(ScriptedDriver):
    """A scripted driver that keeps guards: each look takes the next word of the script, the last one for ever."""

    capabilities: frozenset[Capability] = frozenset(Capability)
    foreseen: GuardForeseen = field(default_factory=lambda: GuardForeseen(True, "", (WEB,), SIZE, SIZE))
    looks: list[GuardSeen] = field(default_factory=lambda: list(MADE))
    foreseen_with_memory: list[bool] = field(default_factory=list)
    restore_error: DriverError | None = None
    on_restore: Callable[[], None] = lambda: None
    told: list[str] = field(default_factory=list)
    plans: list[GuardPlan] = field(default_factory=list)
    begin_error: DriverError | None = None
    look_error: DriverError | None = None
    remove_error: DriverError | None = None
    roll_back_error: DriverError | None = None
    on_look: Callable[[], None] = lambda: None

    def guard_foresee(self, host: Endpoint, vm_uuid: str, *, with_memory: bool = False) -> GuardForeseen:
        del host, vm_uuid
        self.foreseen_with_memory.append(with_memory)
        return self.foreseen

    def guard_begin(self, plan: GuardPlan) -> None:
        self.told.append("begin")
        self.plans.append(plan)
        if self.begin_error is not None:
            raise self.begin_error

    def guard_look(self, plan: GuardPlan) -> GuardSeen:
        del plan
        self.on_look()
        if self.look_error is not None:
            raise self.look_error
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def guard_remove(self, plan: GuardPlan) -> None:
        del plan
        if self.remove_error is not None:
            raise self.remove_error
        self.told.append("remove")
        self.looks = [GuardSeen(GuardPhase.NONE)]

    def guard_roll_back(self, plan: GuardPlan) -> None:
        if self.roll_back_error is not None:
            raise self.roll_back_error
        self.plans.append(plan)
        self.told.append("roll back")

    def guard_make_ready(self, plan: GuardPlan, home: Endpoint) -> None:
        del plan
        self.told.append(f"ready {home.name}")

    def guard_restore_memory(self, plan: GuardPlan) -> None:
        self.told.append(f"memory {plan.host.name}")
        self.on_restore()
        if self.restore_error is not None:
            raise self.restore_error


@pytest.fixture
def keeper(board: Board, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    made = Keeper(copies=dict(board.driver.copies))
    made.let_go.set()
    made.on_call = made.moves_to_target
    registry.driver_for.cache_clear()
    monkeypatch.setattr("tests.scripted.create", lambda: made, raising=False)
    for name, seconds in (("LOOK_EVERY", 0.005), ("WAITS_FOR_OTHERS", 0.05), ("SILENT_FOR", 0.05)):
        monkeypatch.setattr(guarding, name, seconds)
    board.driver = made
    return made


def asked(board: Board, guard: bool | None = True) -> Migration:
    options = MoveOptions(guard=guard)
    wire = migration_request(board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=options)
    return Migration.objects.get(pk=wire.id)


def moved(board: Board, guard: bool | None = True) -> Migration:
    row = asked(board, guard)
    drive(row.pk, "worker")
    row.refresh_from_db()
    return row


def guard_of(row: Migration) -> Guard:
    return Guard.objects.get(migration=row)


def settle_all() -> None:
    for each in guards_due(timezone.now()):
        guard_settle(each)


def halted(keeper: Keeper) -> None:
    keeper.copies[("host-a", VM_UUID)] = Copy.ABSENT
    keeper.copies[("host-b", VM_UUID)] = Copy.INACTIVE


def told_states(row: Migration) -> list[str]:
    found: list[str] = []
    for stored in events_since(0, 10_000):
        event = stored.event
        guard = event.migration.guard if isinstance(event, MigrationChanged) and event.migration.id == row.pk else None
        if guard is not None and found[-1:] != [guard.state]:
            found.append(guard.state)
    return found


def test_a_guard_that_was_asked_for_stands_before_the_hypervisor_is_called(board: Board, keeper: Keeper) -> None:
    at_the_call: list[str] = []
    keeper.on_call = lambda plan: (at_the_call.append(Guard.objects.get().state), keeper.moves_to_target(plan))  # type: ignore[assignment, func-returns-value]
    row = moved(board)
    assert (row.state, at_the_call) == (State.DONE, [GuardState.KEPT])
    guard = guard_of(row)
    assert (guard.pause, guard.done, guard.total, guard.paths) == (4200, SIZE, SIZE, [WEB])
    assert told_states(row) == ["taking", "copying", "kept"]
    history = AuditRecord.objects.filter(action="guard_change").values_list("outcome", flat=True)
    assert list(history) == ["taking", "kept"]


def test_what_it_costs_is_said_with_the_move_and_estimated_from_earlier_guards(board: Board, keeper: Keeper) -> None:
    row = moved(board)
    [said] = [each for each in row.preflight["findings"] if each["code"] == "guard_before_move"]  # type: ignore[index]
    assert said["facts"]["expected_pause_ms"] is None
    assert expected_pause(board.source.pk, 2) == 2 * 4200
    assert expected_pause(board.target.pk, 2) is None
    assert len(keeper.plans) == 1


def test_no_guard_is_made_of_a_quiet_vm_or_against_a_persons_wish(board: Board, keeper: Keeper) -> None:
    assert moved(board, None).state == State.DONE
    keeper.copies = {("host-a", VM_UUID): Copy.RUNNING}
    board.look()
    keeper.foreseen = GuardForeseen(True, "", (WEB,), SIZE, SIZE, BytesPerSecond(99.0 * MIB))
    assert moved(board, False).state == State.DONE
    assert (keeper.told, Guard.objects.count()) == ([], 0)


def test_a_vm_that_is_measured_to_be_very_busy_gets_one_by_itself(board: Board, keeper: Keeper) -> None:
    keeper.foreseen = GuardForeseen(True, "", (WEB,), SIZE, SIZE, BytesPerSecond(99.0 * MIB))
    guard = guard_of(moved(board, None))
    assert guard.automatic
    assert "99 MiB/s" in guard.reason


def test_a_driver_without_guards_offers_none_and_moves_as_before(board: Board) -> None:
    board.driver.let_go.set()
    board.driver.on_call = board.driver.moves_to_target
    with pytest.raises(OptionRefusedError):
        asked(board, True)
    assert moved(board, None).state == State.DONE


@pytest.mark.parametrize(("guard", "state"), [(True, State.FAILED), (None, State.DONE)])
def test_what_cannot_be_guarded_stays_if_a_guard_was_asked_for_and_moves_if_not(
    board: Board, keeper: Keeper, guard: bool | None, state: State
) -> None:
    why = "sr1/web01 is thin."
    keeper.foreseen = GuardForeseen(False, why, (WEB,), SIZE, SIZE, BytesPerSecond(99.0 * MIB))
    row = moved(board, guard)
    assert row.state == state
    assert (why in row.failure_sentence) == (guard is True)
    assert Guard.objects.count() == 0


def test_a_guard_that_breaks_is_cleared_away_and_the_move_does_not_begin(board: Board, keeper: Keeper) -> None:
    keeper.looks = [MADE[0], GuardSeen(GuardPhase.BROKEN, sentence="The snapshot ran full.")]
    row = moved(board)
    assert (row.state, row.failure_code, keeper.calls) == (State.FAILED, "guard_not_made", [])
    assert "ran full" in row.failure_sentence
    assert guard_of(row).state == GuardState.FAILED
    assert keeper.told == ["begin", "remove"]


def test_a_broken_guard_that_does_not_go_is_flagged_and_tried_again(board: Board, keeper: Keeper) -> None:
    keeper.looks = [GuardSeen(GuardPhase.BROKEN, sentence="The snapshot ran full.")]
    keeper.remove_error = MoveRefusedError("lvremove failed.")
    row = moved(board)
    guard = guard_of(row)
    assert (row.state, guard.state) == (State.FAILED, GuardState.FLAGGED)
    assert "lvremove failed" in guard.sentence
    assert guards_due(timezone.now()) == []
    assert guards_due(timezone.now() + timedelta(minutes=1)) == [guard.pk]
    keeper.remove_error = None
    guard_settle(guard.pk)
    guard.refresh_from_db()
    assert guard.state == GuardState.FAILED


def test_an_automatic_guard_that_breaks_and_goes_is_no_reason_to_stay(board: Board, keeper: Keeper) -> None:
    keeper.foreseen = GuardForeseen(True, "", (WEB,), SIZE, SIZE, BytesPerSecond(99.0 * MIB))
    keeper.looks = [GuardSeen(GuardPhase.BROKEN, sentence="The snapshot ran full.")]
    assert moved(board, None).state == State.DONE
    assert Guard.objects.get().state == GuardState.FAILED


def test_a_host_that_falls_silent_while_it_makes_a_guard_ends_the_move_and_the_guard_is_in_sight(
    board: Board, keeper: Keeper
) -> None:
    keeper.look_error = HostUnreachableError("The probe of host-a does not answer.")
    keeper.remove_error = keeper.look_error
    row = moved(board)
    assert (row.state, guard_of(row).state) == (State.FAILED, GuardState.FLAGGED)


def test_a_move_that_is_given_up_while_its_guard_is_made_leaves_none(board: Board, keeper: Keeper) -> None:
    keeper.looks = [MADE[1]]
    row = asked(board)
    keeper.on_look = lambda: (setattr(keeper, "on_look", lambda: None), migration_cancel(board.admin, row.pk))  # type: ignore[assignment]
    drive(row.pk, "worker")
    row.refresh_from_db()
    assert (row.state, keeper.calls) == (State.CANCELLED, [])
    assert guard_of(row).state == GuardState.FAILED


def test_what_a_dead_worker_left_half_made_is_cleared_away_by_whoever_cares(board: Board, keeper: Keeper) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    keeper.on_look = die
    row = asked(board)
    with pytest.raises(Killed):
        drive(row.pk, "worker")
    assert guard_of(row).state == GuardState.TAKING
    assert guards_due(timezone.now()) == []
    keeper.on_look = lambda: None
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert row.state == State.FAILED
    settle_all()
    assert guard_of(row).state == GuardState.FAILED
    assert keeper.told == ["begin", "remove"]


def test_one_guard_of_a_pool_is_worked_on_at_a_time_by_the_database_itself(board: Board, keeper: Keeper) -> None:
    row = moved(board)
    Guard.objects.update(state=GuardState.REMOVING)
    keeper.copies = {("host-a", VM_UUID): Copy.RUNNING}
    board.look()
    other = Guard.objects.create(
        migration=moved(board, False), pool=row.source.pool, host=row.source, paths=[WEB], asked_at=timezone.now()
    )
    with pytest.raises(AnotherAtWorkError):
        guard_change(guard_row(other.pk), GuardState.TAKING)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError):
        Guard.objects.filter(pk=other.pk).update(state=GuardState.COPYING)
    assert keeper.told == ["begin"]


def test_a_guard_that_waits_too_long_for_another_is_not_made(board: Board, keeper: Keeper) -> None:
    first = moved(board)
    Guard.objects.update(state=GuardState.REMOVING, tried_at=timezone.now())
    keeper.copies = {("host-a", VM_UUID): Copy.RUNNING}
    board.look()
    second = moved(board)
    assert (second.state, second.failure_code) == (State.FAILED, "guard_not_made")
    assert guard_of(first).state == GuardState.REMOVING
    assert guard_of(second).state == GuardState.FAILED


def test_a_state_is_changed_only_from_the_state_that_was_seen(board: Board, keeper: Keeper) -> None:
    row = guard_row(guard_of(moved(board)).pk)
    assert row is not None
    Guard.objects.update(state=GuardState.REMOVED)
    with pytest.raises(GuardChangedError):
        guard_change(row, GuardState.REMOVING)
    assert keeper.told == ["begin"]


@pytest.mark.parametrize(("fails", "hours"), [(False, 1), (True, 72)])
def test_a_guard_is_kept_for_a_while_and_longer_after_a_move_that_failed(
    board: Board, keeper: Keeper, fails: bool, hours: int
) -> None:
    if fails:
        keeper.error, keeper.on_call = MoveRefusedError("The target would not take it."), lambda _plan: None
    row = moved(board)
    settle_all()
    guard = guard_of(row)
    assert row.ended_at is not None
    assert guard.expires_at == row.ended_at + timedelta(hours=hours)
    assert guards_due(timezone.now()) == []
    Guard.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    settle_all()
    guard.refresh_from_db()
    assert (guard.state, keeper.told) == (GuardState.REMOVED, ["begin", "remove"])


def test_a_halted_vm_is_rolled_back_where_the_guard_is_and_made_ready_where_it_is_defined(
    board: Board, keeper: Keeper
) -> None:
    row = moved(board)
    board.look()
    halted(keeper)
    board.look()
    wire = guard_roll_back(board.lead, row.pk, "The upgrade broke it.")
    assert wire.guard is not None
    assert wire.guard.state == "rolling_back"
    keeper.looks = [
        GuardSeen(GuardPhase.WHOLE, SIZE, SIZE),
        GuardSeen(GuardPhase.ROLLING_BACK, Bytes(32 * MIB), SIZE),
        GuardSeen(GuardPhase.ROLLED_BACK, SIZE, SIZE),
    ]
    for _ in range(3):
        settle_all()
    guard = guard_of(row)
    assert guard.state == GuardState.KEPT
    assert guard.rolled_back_at is not None
    assert keeper.told[:2] == ["begin", "roll back"]
    assert keeper.told[2].startswith("ready host-")
    assert [each.name for each in keeper.plans[-1].others] == ["host-b"]
    history = AuditRecord.objects.filter(action="guard_roll_back").values_list("actor", "outcome", "reason")
    assert list(history) == [("lead-shop", "allowed", "The upgrade broke it.")]


@pytest.mark.parametrize("copy", [Copy.RUNNING, Copy.PAUSED, Copy.INCOMING, Copy.NO_ANSWER])
@pytest.mark.parametrize("host", ["host-a", "host-b"])
def test_nothing_is_rolled_back_unless_every_host_proves_that_the_vm_is_halted(
    board: Board, keeper: Keeper, copy: Copy, host: str
) -> None:
    row = moved(board)
    halted(keeper)
    keeper.copies[(host, VM_UUID)] = copy
    with pytest.raises(GuardRefusedError, match=host):
        guard_roll_back(board.admin, row.pk, "why")
    assert guard_of(row).state == GuardState.KEPT
    assert AuditRecord.objects.get(action="guard_roll_back").outcome == "refused"


def test_nothing_is_laid_back_by_the_word_of_a_daemon_that_may_not_know_of_a_copy(board: Board, keeper: Keeper) -> None:
    row = moved(board)
    halted(keeper)
    keeper.unproven_hosts = {"host-a"}
    with pytest.raises(GuardRefusedError, match="Only libvirt says"):
        guard_roll_back(board.admin, row.pk, "why")
    assert "roll back" not in keeper.told


def test_a_vm_that_was_started_in_between_is_not_written_over(board: Board, keeper: Keeper) -> None:
    row = moved(board)
    halted(keeper)
    guard_roll_back(board.admin, row.pk, "why")
    keeper.copies[("host-b", VM_UUID)] = Copy.RUNNING
    keeper.looks = [GuardSeen(GuardPhase.WHOLE, Bytes(0), SIZE)]
    settle_all()
    guard = guard_of(row)
    assert (guard.state, "roll back" in keeper.told) == (GuardState.KEPT, False)
    assert "halt it first" in guard.sentence


def test_a_roll_back_that_broke_off_half_way_is_told_and_tried_until_it_is_done(board: Board, keeper: Keeper) -> None:
    row = moved(board)
    halted(keeper)
    guard_roll_back(board.admin, row.pk, "why")
    keeper.looks = [GuardSeen(GuardPhase.WHOLE, Bytes(9), SIZE, sentence="I/O error")]
    keeper.roll_back_error = MoveRefusedError("sr1/web01 is open on this host.")
    settle_all()
    guard = guard_of(row)
    assert guard.state == GuardState.ROLLING_BACK
    assert "do not start the VM" in guard.sentence
    assert guards_due(timezone.now()) == []
    keeper.roll_back_error = None
    Guard.objects.update(tried_at=None)
    settle_all()
    assert keeper.told[-1] == "roll back"


def test_only_who_may_delete_what_a_move_left_may_ask_and_a_reason_is_needed(board: Board, keeper: Keeper) -> None:
    row = moved(board)
    halted(keeper)
    with pytest.raises(MoveForbiddenError):
        guard_roll_back(board.auditor, row.pk, "why")
    with pytest.raises(GuardRefusedError, match="reason"):
        guard_roll_back(board.admin, row.pk, "  ")
    wires = [migration_for(each, row.pk).guard for each in (board.auditor, board.lead)]
    assert [each.can_roll_back for each in wires if each is not None] == [False, True]
    assert keeper.told == ["begin"]


def test_a_guard_can_be_removed_before_its_time(board: Board, keeper: Keeper) -> None:
    row = moved(board)
    guard_remove(board.lead, row.pk)
    settle_all()
    assert guard_of(row).state == GuardState.REMOVED
    with pytest.raises(GuardRefusedError):
        guard_remove(board.lead, row.pk)
    assert keeper.told == ["begin", "remove"]


def test_a_guard_that_would_not_go_is_kept_and_tried_again(board: Board, keeper: Keeper) -> None:
    row = moved(board)
    keeper.remove_error = MoveRefusedError("Another guard is worked on at this host.")
    guard_remove(board.admin, row.pk)
    settle_all()
    guard = guard_of(row)
    assert (guard.state, "Another guard" in guard.sentence) == (GuardState.KEPT, True)
    assert guard.expires_at is not None


def test_a_move_without_a_guard_has_none_to_ask_of(board: Board, keeper: Keeper) -> None:
    row = moved(board, False)
    with pytest.raises(GuardNotFoundError):
        guard_roll_back(board.admin, row.pk, "why")
    assert migration_for(board.admin, row.pk).guard is None
    assert keeper.told == []
