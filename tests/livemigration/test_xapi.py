"""Moves in a XAPI pool by the whole of our services: asked for, driven, shown as far as XAPI tells, and proven."""

import json
import threading
from collections.abc import Callable

import pytest
from django.db import connections
from django.utils import timezone

from tests.board import person
from tests.xapi.fixture import xapi, xapi_process  # noqa: F401 - the fixtures of the simulated pools
from tests.xapi.moving import calling, until, until_moving
from tests.xapi.process import PASSWORD, Pools
from xenweb.accounts.policy import Actor, Role
from xenweb.accounts.services import team_create
from xenweb.audit.models import AuditRecord
from xenweb.core.facts import Maps
from xenweb.core.migration import State
from xenweb.core.placement import CPU_FEATURES_LACKING
from xenweb.drivers import registry
from xenweb.drivers.contract import MoveOptions
from xenweb.drivers.xapi_driver.driver import XapiDriver
from xenweb.inventory.models import Host, VirtualMachine
from xenweb.inventory.selectors import endpoint_of, host_for
from xenweb.inventory.services import HostAddress, host_add, pool_ensure, vm_assign_team
from xenweb.inventory.sync import HostReading, reading_apply
from xenweb.livemigration.drive import adopt, drive
from xenweb.livemigration.errors import NotPlaceableError, OverrideForbiddenError, OverrideRefusedError
from xenweb.livemigration.models import LeftoverDisk, Migration
from xenweb.livemigration.overriding import Override
from xenweb.livemigration.plan import plan_of
from xenweb.livemigration.services import migration_cancel, migration_request
from xenweb.livemigration.wiring import migration_wire

pytestmark = pytest.mark.django_db(transaction=True)
GREEN = {"green": ("host-a", "host-b", "host-c")}


class Board:
    """The rows of the pool called green, and of further pools."""

    def __init__(self, pools: Pools, hosts: dict[str, tuple[str, ...]] = GREEN) -> None:
        registry.driver_for.cache_clear()
        self.pools = pools
        self.admin: Actor = person("admin", Role.ADMINISTRATOR)
        for pool, names in hosts.items():
            pool_ensure(pool, "xapi")
            for name in names:
                where = HostAddress(uri=pools.endpoint(name).uri)
                host_add(self.admin, pool=pool, where=where, credential=PASSWORD)
        self.look()

    def look(self) -> None:
        for host in Host.objects.all():
            snapshot = registry.driver_for("xapi").inventory(endpoint_of(host))
            reading_apply(host.pk, HostReading(snapshot, timezone.now()))

    def vm(self, name: str) -> VirtualMachine:
        return VirtualMachine.objects.select_related("resident_on").get(name=name)

    def ask(self, vm: str, host: str, maps: Maps | None = None, key: str = "") -> Migration:
        target, options = str(Host.objects.get(name=host).pk), MoveOptions()
        wire = migration_request(
            self.admin, vm=str(self.vm(vm).pk), target=target, options=options, maps=maps, idempotency_key=key
        )
        return Migration.objects.get(pk=wire.id)


@pytest.fixture
def board(xapi: Pools) -> Board:  # noqa: F811 - the fixture
    return Board(xapi)


def driven(move: Migration, work: Callable[[str, str], None] = drive) -> threading.Thread:
    def run() -> None:
        try:
            work(move.pk, "tests")
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_move_is_shown_as_far_as_the_pool_tells_and_ends_proven(board: Board) -> None:
    board.pools.do("set", link=8.0 * 2**20)
    move = board.ask("web-1", "host-b")
    thread, seen = driven(move), set[tuple[str, float]]()
    while thread.is_alive():
        move.refresh_from_db()
        seen.add((move.state, move.total_share))
        thread.join(0.05)
    move.refresh_from_db()
    assert move.state == State.DONE, (move.failure_code, move.failure_sentence)
    assert State.PRE_COPY in {state for state, _ in seen}
    assert any(0 < share < 1 for state, share in seen if state == State.PRE_COPY), "how far it is, is shown"
    assert move.passes.count() == 0
    assert move.remaining in {0, None}
    assert move.transferred is None, "no byte is made up"
    assert move.downtime is None
    assert not move.total_is_measured
    assert board.vm("web-1").resident_on.name == "host-b"
    assert "xe " in move.command
    assert PASSWORD not in move.command


def test_disks_that_xapi_takes_along_leave_nothing_to_be_deleted(board: Board) -> None:
    move = board.ask("ledger", "host-a")
    assert [each["device"] for each in move.copied_disks] == ["xvda"]
    driven(move).join(40)
    move.refresh_from_db()
    assert move.state == State.DONE, (move.failure_code, move.failure_sentence)
    assert LeftoverDisk.objects.count() == 0
    board.look()
    assert board.vm("ledger").resident_on.name == "host-a"


def test_a_vm_that_is_pinned_meanwhile_is_refused_right_before_the_call_with_the_reason_that_somebody_left(
    board: Board,
) -> None:
    move = board.ask("web-1", "host-b")
    said = {"pool_migrate": "it is being measured"}
    board.pools.do("field", **{"class": "VM", "name": "web-1", "field": "blocked_operations", "value": said})
    driven(move).join(30)
    move.refresh_from_db()
    assert (move.state, move.failure_code) == (State.FAILED, "operation_blocked")
    assert "it is being measured" in move.failure_sentence


def test_a_refused_call_keeps_the_pools_own_code_and_parameters_with_the_move_and_in_the_history(board: Board) -> None:
    board.pools.do("set", unknown=["VM.pool_migrate"])
    move = board.ask("web-1", "host-b")
    driven(move).join(30)
    move.refresh_from_db()
    own = {"code": "MESSAGE_METHOD_UNKNOWN", "params": ["Async.VM.pool_migrate"]}
    assert (move.state, move.failure_own_words) == (State.FAILED, own)
    told = migration_wire(move).failure_own_words
    assert told is not None
    assert told.model_dump() == own
    facts = json.loads(AuditRecord.objects.get(action="migration_outcome").facts)
    assert (facts["pool_code"], facts["pool_params"]) == (own["code"], own["params"])


def test_what_only_the_pool_finds_before_the_call_keeps_its_own_code_with_the_finding_and_the_failure(
    board: Board,
) -> None:
    move = board.ask("web-1", "host-b")
    board.pools.do("field", **{"class": "VM", "name": "web-1", "field": "VCPUs_max", "value": 4096})
    driven(move).join(30)
    move.refresh_from_db()
    assert (move.state, move.failure_code) == (State.FAILED, "host_not_enough_pcpus")
    assert move.failure_own_words is not None
    assert move.failure_own_words["code"] == "HOST_NOT_ENOUGH_PCPUS"
    assert move.failure_own_words["params"][0] == "4096"
    assert move.preflight is not None
    (found,) = [each for each in move.preflight["findings"] if each["code"] == "host_not_enough_pcpus"]
    assert found["facts"]["xapi_code"] == "HOST_NOT_ENOUGH_PCPUS"


def test_a_pinned_vm_is_refused_before_anything_is_asked_of_the_pool(board: Board) -> None:
    with pytest.raises(NotPlaceableError) as refused:
        board.ask("big-etl", "host-a")
    (pinned,) = [each for each in refused.value.findings if each.code == "operation_blocked"]
    assert "the licence is bound to this host" in pinned.sentence


def test_a_host_that_another_hand_disabled_in_its_pool_is_shown_so_and_is_no_target(board: Board) -> None:
    board.pools.do("field", **{"class": "host", "name": "host-b", "field": "enabled", "value": False})
    board.look()
    host = host_for(board.admin, str(Host.objects.get(name="host-b").pk))
    assert (host.state, host.takes_vms, host.maintenance) == ("connected", False, None)
    with pytest.raises(NotPlaceableError) as refused:
        board.ask("web-1", "host-b")
    assert "host_disabled" in {each.code for each in refused.value.findings}


def test_a_move_is_given_up_and_the_vm_has_stayed(board: Board) -> None:
    board.pools.do("set", link=4.0 * 2**20)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until(lambda: Migration.objects.get(pk=move.pk).state == State.PRE_COPY)
    migration_cancel(board.admin, move.pk)
    thread.join(30)
    move.refresh_from_db()
    assert move.state == State.CANCELLED, (move.state, move.failure_sentence)
    assert board.pools.do("residence", vm="web-1") == "host-a"


@pytest.mark.fault("F52", oracle="the VM's residence as the pool's own records have it, read past the XenAPI")
def test_a_coordinator_that_dies_in_mid_move_costs_no_certainty(board: Board) -> None:
    board.pools.do("set", link=8.0 * 2**20)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until(lambda: Migration.objects.get(pk=move.pk).state == State.PRE_COPY)
    board.pools.do("failover", host="host-a", dies=True)
    thread.join(60)
    move.refresh_from_db()
    assert move.state == State.DONE, (move.state, move.failure_sentence)
    assert board.pools.do("residence", vm="web-1") == "host-b"


def test_a_move_whose_process_was_lost_is_adopted_and_watched_to_its_end(board: Board) -> None:
    board.pools.do("set", link=6.0 * 2**20)
    move = board.ask("web-1", "host-b")
    Migration.objects.filter(pk=move.pk).update(state=State.PREPARING, call_intended_at=timezone.now())
    lost, planned = XapiDriver(), plan_of(Migration.objects.get(pk=move.pk))
    with calling(lost, planned):
        until_moving(lost, planned)
        thread = driven(move, adopt)
        until(lambda: Migration.objects.get(pk=move.pk).state == State.PRE_COPY)
        until(lambda: 0 < Migration.objects.get(pk=move.pk).total_share < 1)
        thread.join(30)
    move.refresh_from_db()
    assert move.state == State.DONE, (move.state, move.failure_sentence)
    assert board.pools.do("residence", vm="web-1") == "host-b"


def test_a_late_failure_is_told_as_a_vm_that_stands_still(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xenweb.livemigration.watching.PROVE_FOR", 1.0)
    board.pools.do("set", fail_late="web-1")
    move = board.ask("web-1", "host-b")
    driven(move).join(60)
    move.refresh_from_db()
    assert (move.state, move.failure_code) == (State.FAILED, "vm_stopped")
    assert move.failure_own_words is not None
    assert move.failure_own_words["code"] == "INTERNAL_ERROR"


def test_missing_cpu_features_are_overridden_by_an_administrator_with_a_reason_that_is_kept(board: Board) -> None:
    cpu = {"vendor": "GenuineIntel", "cpu_count": "4", "features_hvm": "1fcbfbff-80b82221-2993fbff-00000400"}
    board.pools.do("field", **{"class": "host", "name": "host-b", "field": "cpu_info", "value": cpu})
    refused = board.ask("web-1", "host-b")
    drive(refused.pk, "tests")
    refused.refresh_from_db()
    assert (refused.state, refused.failure_code) == (State.FAILED, CPU_FEATURES_LACKING)
    override = Override((CPU_FEATURES_LACKING,), "The guest was built for the older CPU.")
    wanted = {"vm": str(board.vm("web-1").pk), "target": str(Host.objects.get(name="host-b").pk)}
    vm_assign_team(board.vm("web-1").uuid, team_create("Shop"))
    lead = person("lead", Role.TEAM_LEAD, "Shop")
    with pytest.raises(OverrideForbiddenError):
        migration_request(lead, **wanted, options=MoveOptions(), override=override)
    with pytest.raises(OverrideRefusedError, match="needs a reason"):
        migration_request(board.admin, **wanted, options=MoveOptions(), override=Override((CPU_FEATURES_LACKING,), " "))
    move = migration_request(board.admin, **wanted, options=MoveOptions(), override=override)
    drive(move.id, "tests")
    row = Migration.objects.get(pk=move.id)
    assert (row.state, row.override_codes) == (State.DONE, [CPU_FEATURES_LACKING])
    assert board.pools.do("residence", vm="web-1") == "host-b"
    kept = [json.loads(each.facts) for each in AuditRecord.objects.filter(action="migration_start")]
    assert [each.get("override_reason") for each in kept if each.get("overridden")] == [override.reason]
