"""Guards over HTTP: shown with their move, rolled back to with a reason, and refused in words."""

from django.utils import timezone

from tests.web.world import World
from xenweb.core.guard import GuardState
from xenweb.core.migration import Copy
from xenweb.livemigration.guards import guard_change, guard_row
from xenweb.livemigration.models import Guard, Migration
from xenweb.realtime.events import MigrationChanged
from xenweb.realtime.selectors import events_since
from xenweb.web.feed import personal


def kept(world: World) -> Migration:
    """A move that has arrived, with its guard kept."""
    board = world.board
    move = Migration.objects.create(
        vm=board.vm,
        vm_name=board.vm.name,
        vm_uuid=board.vm.uuid,
        source=board.source,
        source_name=board.source.name,
        target=board.target,
        target_name=board.target.name,
        state="done",
        requested_by_id=board.admin.user_id,
        requested_at=timezone.now(),
    )
    Guard.objects.create(
        migration=move, pool=board.source.pool, host=board.source, paths=["/dev/sr1/web01"], asked_at=timezone.now()
    )
    row = guard_row(Guard.objects.get().pk)
    assert row is not None
    for state in (GuardState.TAKING, GuardState.COPYING, GuardState.KEPT):
        guard_change(row, state, figures={"pause": 4200} if state is GuardState.COPYING else None)
    return move


def test_a_guard_is_shown_with_its_move_and_each_figure_says_where_it_is_from(world: World) -> None:
    move = kept(world)
    guard = world.program("admin").get(f"/api/v1/migrations/{move.pk}").json()["guard"]
    assert (guard["state"], guard["paths"], guard["can_roll_back"]) == ("kept", ["/dev/sr1/web01"], True)
    assert guard["pause_ms"] == {"value": 4200, "provenance": "measured"}
    assert guard["expected_pause_ms"] == {"value": None, "provenance": "not_available"}
    assert world.program("auditor").get(f"/api/v1/migrations/{move.pk}").json()["guard"]["can_roll_back"] is False


def test_an_event_offers_the_way_back_only_to_who_may(world: World) -> None:
    kept(world)
    stored = events_since(0, 10_000)[-1]
    for who, may in (("admin", True), ("lead", True), ("auditor", False)):
        shown = personal(world.people[who], stored)
        assert isinstance(shown, MigrationChanged)
        assert shown.migration.guard is not None
        assert [shown.migration.guard.can_roll_back, shown.migration.guard.removable] == [may, may]


def test_rolling_back_a_vm_that_runs_is_refused_in_words(world: World) -> None:
    move = kept(world)
    answer = world.program("admin").post(
        f"/api/v1/migrations/{move.pk}/guard/roll-back", {"reason": "why"}, "application/json"
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "guard_refused")
    assert "halt it first" in answer.json()["detail"]


def test_a_halted_vm_is_rolled_back_by_who_may_and_nobody_else(world: World) -> None:
    move = kept(world)
    for host in ("host-a", "host-b"):
        world.board.driver.copies[(host, world.board.vm.uuid)] = Copy.ABSENT
    path = f"/api/v1/migrations/{move.pk}/guard/roll-back"
    assert world.program("auditor").post(path, {"reason": "why"}, "application/json").status_code == 403
    assert world.program("admin").post(path, {"reason": ""}, "application/json").status_code in {400, 409}
    assert world.program("admin").post(path, {}, "application/json").status_code == 422
    answer = world.program("admin").post(path, {"reason": "The upgrade broke it."}, "application/json")
    assert (answer.status_code, answer.json()["guard"]["state"]) == (202, "rolling_back")


def test_a_guard_is_removed_once_and_a_move_without_one_has_none(world: World) -> None:
    move = kept(world)
    path = f"/api/v1/migrations/{move.pk}/guard/remove"
    assert world.program("admin").post(path, {}, "application/json").json()["guard"]["state"] == "removing"
    assert world.program("admin").post(path, {}, "application/json").status_code == 409
    Guard.objects.all().delete()
    answer = world.program("admin").post(path, {}, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (404, "guard_not_found")
