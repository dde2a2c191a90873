"""Maintenance of a XAPI host by the whole of our services: what the pool's own records say is what counts."""

from collections.abc import Callable

import pytest

from tests.livemigration.test_xapi import Board, driven
from tests.xapi.fixture import xapi, xapi_process  # noqa: F401 - the fixtures of the simulated pools
from tests.xapi.process import Pools
from xenweb.core.maintenance import MaintenanceState
from xenweb.core.migration import State
from xenweb.inventory.models import Host
from xenweb.livemigration.models import Migration
from xenweb.maintenance.care import maintenance_settle
from xenweb.maintenance.models import Maintenance
from xenweb.maintenance.selectors import maintenance_plan_for
from xenweb.maintenance.services import maintenance_begin, maintenance_end, maintenance_return
from xenweb.maintenance.wiring import maintenance_wire
from xenweb.realtime.maintenance_wire import MaintenancePlanWire

pytestmark = pytest.mark.django_db(transaction=True)
S = MaintenanceState


@pytest.fixture
def board(xapi: Pools) -> Board:  # noqa: F811 - the fixture
    """The pool called green."""
    return Board(xapi)


def key(name: str) -> str:
    return str(Host.objects.get(name=name).pk)


def planned(board: Board, host: str) -> MaintenancePlanWire:
    return maintenance_plan_for(board.admin, key(host), {})


def begun(board: Board, host: str) -> str:
    moves = {str(move.vm): str(move.target) for move in planned(board, host).moves}
    return maintenance_begin(board.admin, key(host), moves=moves).id


def settled(maintenance: str, times: int = 1) -> Maintenance:
    for _ in range(times):
        maintenance_settle(maintenance, "tests")
    return Maintenance.objects.get(pk=maintenance)


def drive_all(board: Board) -> None:
    for move in Migration.objects.filter(state=State.QUEUED).order_by("requested_at"):
        driven(move).join(60)
    board.look()


def is_enabled(board: Board, host: str) -> bool:
    return bool(board.pools.do("tell", **{"class": "host", "name": host})["enabled"])


def test_a_host_is_disabled_in_its_pool_emptied_enabled_and_filled_again(board: Board) -> None:
    maintenance = begun(board, "host-c")
    assert is_enabled(board, "host-c"), "the intent comes first"
    assert settled(maintenance, 2).state == S.MOVING
    assert not is_enabled(board, "host-c")
    drive_all(board)
    guests = ("git-1", "wiki")
    assert "host-c" not in {board.pools.do("residence", vm=vm) for vm in guests}
    assert not Migration.objects.filter(vm_name="build-7").exists(), "what cannot go is not asked to go"
    assert settled(maintenance).state == S.MOVING, "what runs there keeps it from being empty"
    board.pools.do("power", vm="build-7", power="Halted")
    board.look()
    assert settled(maintenance).state == S.READY
    maintenance_end(board.admin, maintenance)
    assert settled(maintenance).state == S.ENDED
    assert is_enabled(board, "host-c")
    board.look()
    maintenance_return(board.admin, maintenance, [str(board.vm(vm).pk) for vm in guests])
    settled(maintenance)
    drive_all(board)
    assert {board.pools.do("residence", vm=vm) for vm in guests} == {"host-c"}


def test_a_pinned_vm_is_among_those_that_cannot_move_before_anything_happens(board: Board) -> None:
    (stays,) = planned(board, "host-b").stays
    assert (stays.vm_name, stays.left) == ("big-etl", False)
    assert "the licence is bound to this host" in stays.findings[0].sentence
    assert stays.findings[0].remedy
    ledger = next(move for move in planned(board, "host-b").moves if move.vm_name == "ledger")
    assert [each.code for each in ledger.warnings] == ["disk_copied"]


def test_a_vm_without_guest_tools_is_known_not_to_move_because_its_pool_is_asked(board: Board) -> None:
    (stays,) = (each for each in planned(board, "host-c").stays if each.vm_name == "build-7")
    assert [each.code for each in stays.findings] == ["vm_lacks_feature"]
    assert "guest tools do not run in build-7" in stays.findings[0].sentence
    board.pools.do("set", unknown=["host.get_vms_which_prevent_evacuation"])
    assert "build-7" in {each.vm_name for each in planned(board, "host-c").moves}, "of a pool that does not say it"


@pytest.mark.parametrize("lost", [lambda: {"before": True}, dict])
def test_a_call_or_an_answer_that_is_lost_costs_no_certainty(board: Board, lost: Callable[[], dict[str, bool]]) -> None:
    maintenance = begun(board, "host-c")
    settled(maintenance)
    board.pools.do("drop", method="host.disable", **lost())
    row = settled(maintenance)
    assert row.state in {S.UNCERTAIN, S.MOVING}, row.failure_sentence
    assert Migration.objects.exists() is (row.state == S.MOVING), "nothing is moved before the pool itself says so"
    assert settled(maintenance).state == S.MOVING
    assert not is_enabled(board, "host-c")


def test_a_pool_whose_high_availability_needs_the_host_keeps_it(board: Board) -> None:
    board.pools.do("field", **{"class": "pool", "name": "green", "field": "ha_enabled", "value": True})
    for vm in ("web-1", "hot-db"):
        board.pools.do("field", **{"class": "VM", "name": vm, "field": "ha_restart_priority", "value": "restart"})
        board.pools.do("field", **{"class": "VM", "name": vm, "field": "memory_dynamic_max", "value": str(5 * 2**30)})
    maintenance = begun(board, "host-b")
    row = settled(maintenance, 2)
    assert (row.state, row.failure_code) == (S.FAILED, "move_refused"), row.failure_sentence
    assert is_enabled(board, "host-b")
    assert Host.objects.get(name="host-b").maintenance == ""
    assert Migration.objects.count() == 0


def test_a_coordinator_that_fails_over_between_the_steps_changes_nothing(board: Board) -> None:
    maintenance = begun(board, "host-b")
    settled(maintenance)
    board.pools.do("failover", host="host-a")
    assert settled(maintenance).state == S.MOVING
    assert not is_enabled(board, "host-b")


def test_a_pool_that_does_not_disable_its_host_is_heard_in_its_own_words(board: Board) -> None:
    board.pools.do("set", unknown=["host.disable"])
    row = settled(begun(board, "host-c"), 2)
    assert row.state == S.FAILED
    told = maintenance_wire(row).own_words
    assert told is not None
    assert (told.code, told.params) == ("MESSAGE_METHOD_UNKNOWN", ["host.disable"])
