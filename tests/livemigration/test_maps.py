"""Moves from one XAPI pool to another by the whole of our services: chosen, refused, stored, made, proven."""

import json

import pytest
from django.utils import timezone

from tests.board import person
from tests.livemigration.test_xapi import GREEN, Board, driven
from tests.xapi.fixture import xapi, xapi_process  # noqa: F401 - the fixtures of the simulated pools
from tests.xapi.moving import plan, until
from tests.xapi.process import Pools
from xenweb.accounts.policy import Role
from xenweb.audit.models import AuditRecord
from xenweb.core.facts import Maps
from xenweb.core.migration import State
from xenweb.drivers.contract import MoveOptions
from xenweb.drivers.xapi_driver.driver import XapiDriver
from xenweb.inventory.models import Host, StorageRepository
from xenweb.livemigration.errors import IdempotencyConflictError, MoveForbiddenError, NotPlaceableError
from xenweb.livemigration.models import LeftoverDisk, Migration
from xenweb.livemigration.plan import plan_of
from xenweb.livemigration.selectors import migration_for, verdict_for, verdicts_for
from xenweb.livemigration.services import migration_cancel, migration_request
from xenweb.realtime.wire import VerdictWire
from xenweb.realtime.wire_places import NeedsWire

pytestmark = pytest.mark.django_db(transaction=True)
BOTH = GREEN | {"blue": ("host-d", "host-e")}
CARDS = (("0", "Pool-wide network 0"), ("1", "Guests"), ("2", "Guests"))


@pytest.fixture
def board(xapi: Pools) -> Board:  # noqa: F811 - the fixture
    return Board(xapi, BOTH)


def storage(board: Board, name: str, host: str) -> int:
    return StorageRepository.objects.get(name=name, attachments__host__name=host).pk


def lifted(board: Board, vm: str, host: str) -> VerdictWire:
    wanted = Host.objects.get(name=host).pk
    verdicts = verdicts_for(board.admin, str(board.vm(vm).pk)).verdicts
    return next(each for each in verdicts if each.host == wanted)


def needs(board: Board, vm: str, host: str) -> NeedsWire:
    found = lifted(board, vm, host).needs
    assert found is not None
    return found


def codes(verdict: VerdictWire) -> list[str]:
    return [finding.code for finding in verdict.findings]


def complete(board: Board) -> Maps:
    return Maps((("xvda", storage(board, "shared", "host-a")), ("xvdb", storage(board, "local", "host-a"))), CARDS)


def ended(move: Migration) -> Migration:
    driven(move).join(40)
    return Migration.objects.get(pk=move.pk)


def test_only_what_cannot_stay_is_asked_for(board: Board) -> None:
    assert lifted(board, "web-1", "host-b").needs is None
    assert lifted(board, "shop-db", "host-b").needs is None, "its storage is reached there"
    beside = needs(board, "ledger", "host-a")
    assert [(each.device, each.storage) for each in beside.disks] == [("xvda", "local")]
    assert {place.name for place in beside.disks[0].places} == {"local", "shared"}
    assert beside.cards == []
    beyond = needs(board, "shop-db", "host-d")
    assert [each.device for each in beyond.disks] == ["xvda"]
    assert [(each.device, each.suggested) for each in beyond.cards] == [("0", "Pool-wide network 0")]


def test_networks_are_suggested_by_name_then_by_bridge_and_else_must_be_chosen(board: Board) -> None:
    cards = needs(board, "blue-crm", "host-a").cards
    assert [(each.device, each.network, each.suggested) for each in cards] == [
        ("0", "Pool-wide network 0", "Pool-wide network 0"),
        ("1", "Guests of blue", "Guests"),
        ("2", "DMZ", None),
    ]
    verdict = lifted(board, "blue-crm", "host-a")
    assert verdict.answer == "can_go_but"
    assert "network_unmapped" in codes(verdict)


def test_a_running_vm_goes_to_another_pool_onto_what_was_chosen_and_both_pools_prove_it(board: Board) -> None:
    move = board.ask("blue-crm", "host-a", complete(board))
    wire = migration_for(board.admin, move.pk)
    assert [(each.device, each.storage) for each in wire.moved_disks] == [("xvda", "shared"), ("xvdb", "local")]
    assert [(each.network, each.new_network) for each in wire.moved_cards][2] == ("DMZ", "Guests")
    move = ended(move)
    assert move.state == State.DONE, (move.failure_code, move.failure_sentence)
    told = board.pools.do("tell", **{"class": "VM", "name": "blue-crm"})
    assert (told["pool"], told["power_state"]) == ("green", "Running")
    assert board.pools.do("residence", vm="blue-crm") == "host-a"
    vifs = [board.pools.do("tell", **{"class": "VIF", "name": ref}) for ref in told["VIFs"]]
    names = [board.pools.do("tell", **{"class": "network", "name": vif["network"]})["name_label"] for vif in vifs]
    assert names == ["Pool-wide network 0", "Guests", "Guests"]
    vdis = [board.pools.do("tell", **{"class": "VBD", "name": ref})["VDI"] for ref in told["VBDs"]]
    srs = [board.pools.do("tell", **{"class": "VDI", "name": ref}).get("SR") for ref in vdis if "NULL" not in ref]
    assert [board.pools.do("tell", **{"class": "SR", "name": ref})["name_label"] for ref in srs] == ["shared", "local"]
    board.look()
    vm = board.vm("blue-crm")
    assert (vm.resident_on.name, vm.pool.name) == ("host-a", "green")
    assert [disk.repository.name for disk in vm.disks.all()] == ["shared", "local"]
    assert [card["network"] for card in vm.cards] == names
    assert LeftoverDisk.objects.count() == 0
    assert "vif:" in move.command


def test_the_choice_is_stored_and_recorded_before_any_call(board: Board) -> None:
    move = board.ask("blue-crm", "host-a", complete(board))
    assert move.call_intended_at is None
    planned = plan_of(Migration.objects.with_all().get(pk=move.pk))  # type: ignore[attr-defined]
    assert [(card.device, card.network) for card in planned.cards] == list(CARDS)
    assert all(disk.repository for disk in planned.copied_disks)
    facts = json.loads(AuditRecord.objects.get(action="migration_request").facts)
    assert facts["disks"] == ["xvda to shared", "xvdb to local"]
    assert facts["network_cards"] == ["0 to Pool-wide network 0", "1 to Guests", "2 to Guests"]


def test_incomplete_maps_are_refused_with_every_reason_and_nothing_is_stored(board: Board) -> None:
    with pytest.raises(NotPlaceableError) as refused:
        board.ask("blue-crm", "host-a", Maps((("xvda", storage(board, "local", "host-a")),), CARDS[:1]))
    blockers = [finding for finding in refused.value.findings if finding.severity == "blocker"]
    assert [finding.code for finding in blockers] == ["disk_unmapped", "network_unmapped", "network_unmapped"]
    assert Migration.objects.count() == 0
    assert AuditRecord.objects.get(action="migration_request").outcome == "refused"


def test_without_maps_what_is_suggested_is_taken_if_everything_is(board: Board) -> None:
    with pytest.raises(NotPlaceableError, match=r"no network DMZ"):
        board.ask("blue-crm", "host-a")
    move = ended(board.ask("ledger", "host-d"))
    assert move.state == State.DONE, (move.failure_code, move.failure_sentence)
    assert [each["repository_name"] for each in move.copied_disks] == ["local"]
    assert board.pools.do("residence", vm="ledger") == "host-d"


def test_a_storage_of_another_host_is_refused(board: Board) -> None:
    with pytest.raises(NotPlaceableError, match=r"no storage that host-d can put it on"):
        board.ask("ledger", "host-d", Maps((("xvda", storage(board, "local", "host-e")),), CARDS[:1]))


def test_the_verdict_of_chosen_places_looks_at_the_space_there(board: Board) -> None:
    full = StorageRepository.objects.get(name="local", attachments__host__name="host-d")
    StorageRepository.objects.filter(pk=full.pk).update(available=2**20)
    vm, host = str(board.vm("ledger").pk), str(Host.objects.get(name="host-d").pk)
    verdict = verdict_for(board.admin, vm, host, Maps((("xvda", full.pk),), CARDS[:1]))
    assert (verdict.answer, "storage_full" in codes(verdict)) == ("cannot_go", True)
    roomy = storage(board, "shared-blue", "host-d")
    assert verdict_for(board.admin, vm, host, Maps((("xvda", roomy),), CARDS[:1])).answer == "can_go_but"
    assert needs(board, "ledger", "host-d").disks[0].suggested == roomy


def test_space_that_is_gone_by_then_ends_the_move_before_the_call(board: Board) -> None:
    there = StorageRepository.objects.get(name="local", attachments__host__name="host-d")
    move = board.ask("ledger", "host-d", Maps((("xvda", there.pk),), CARDS[:1]))
    board.pools.do(
        "field", **{"class": "SR", "name": there.identity, "field": "physical_utilisation", "value": 100 * 2**30}
    )
    move = ended(move)
    assert (move.state, move.failure_code) == (State.FAILED, "storage_full")
    assert board.pools.do("residence", vm="ledger") == "host-b"


def test_a_network_that_is_gone_by_then_ends_the_move_before_the_call(board: Board) -> None:
    move = board.ask("blue-crm", "host-a", complete(board))
    board.pools.do("field", **{"class": "network", "name": "Guests", "field": "name_label", "value": "Renamed"})
    move = ended(move)
    assert (move.state, move.failure_code) == (State.FAILED, "network_missing")
    assert board.pools.do("residence", vm="blue-crm") == "host-d"


def test_the_same_key_with_other_places_is_another_move(board: Board) -> None:
    here, other = storage(board, "local", "host-d"), storage(board, "shared-blue", "host-d")
    first = board.ask("ledger", "host-d", Maps((("xvda", here),), CARDS[:1]), "k")
    assert board.ask("ledger", "host-d", Maps((("xvda", here),), CARDS[:1]), "k").pk == first.pk
    with pytest.raises(IdempotencyConflictError):
        board.ask("ledger", "host-d", Maps((("xvda", other),), CARDS[:1]), "k")


def test_a_move_to_another_pool_is_given_up_and_the_vm_has_stayed_in_its_own(board: Board) -> None:
    board.pools.do("set", link=4.0 * 2**20)
    move = board.ask("ledger", "host-d")
    thread = driven(move)
    until(lambda: Migration.objects.get(pk=move.pk).state == State.COPYING_STORAGE)
    migration_cancel(board.admin, move.pk)
    thread.join(30)
    move.refresh_from_db()
    assert move.state == State.CANCELLED, (move.state, move.failure_sentence)
    board.look()
    vm = board.vm("ledger")
    assert (vm.resident_on.name, vm.pool.name) == ("host-b", "green")
    assert "ledger 0" in board.pools.do("disks", host="host-b")
    assert "ledger 0" not in board.pools.do("disks", host="host-d")


def test_who_may_not_move_a_vm_may_not_send_it_to_another_pool(board: Board) -> None:
    stranger = person("auditor", Role.AUDITOR)
    with pytest.raises(MoveForbiddenError):
        migration_request(
            stranger,
            vm=str(board.vm("blue-crm").pk),
            target=str(Host.objects.get(name="host-a").pk),
            options=MoveOptions(),
            maps=complete(board),
        )


def test_a_vm_that_others_sent_to_another_pool_is_found_there_with_its_new_pool(board: Board) -> None:
    XapiDriver().migrate(plan(board.pools, "ledger", "host-b", "host-d", disks=True))
    before = timezone.now()
    board.look()
    vm = board.vm("ledger")
    assert (vm.resident_on.name, vm.pool.name) == ("host-d", "blue")
    assert AuditRecord.objects.filter(at__gte=before).exists()


def test_a_halted_vm_goes_to_another_pool_with_its_disk_and_stays_halted(board: Board) -> None:
    asked = needs(board, "blue-old", "host-a")
    assert [each.device for each in asked.disks] == ["xvda"]
    assert "moves_halted" in codes(lifted(board, "blue-old", "host-a"))
    move = ended(board.ask("blue-old", "host-a", Maps((("xvda", storage(board, "shared", "host-a")),), CARDS[:1])))
    assert (move.state, move.kind) == (State.DONE, "cold"), (move.failure_code, move.failure_sentence)
    told = board.pools.do("tell", **{"class": "VM", "name": "blue-old"})
    assert (told["pool"], told["power_state"]) == ("green", "Halted")
    before = board.vm("blue-old")
    board.look()
    vm = board.vm("blue-old")
    assert (before.resident_on.name, before.state) == (vm.resident_on.name, vm.state) == ("host-a", "halted")
    assert [disk.repository.name for disk in vm.disks.all()] == ["shared"]
    assert move.downtime is None


def test_a_suspended_vm_goes_to_another_pool_and_stays_suspended(board: Board) -> None:
    board.pools.do("power", vm="ledger", power="Suspended")
    board.look()
    move = ended(board.ask("ledger", "host-e"))
    assert move.state == State.DONE, (move.failure_code, move.failure_sentence)
    vm = board.vm("ledger")
    assert (vm.resident_on.name, vm.state, vm.pool.name) == ("host-e", "suspended", "blue")
    board.look()
    assert board.vm("ledger").state == "suspended"
    assert board.pools.do("tell", **{"class": "VM", "name": "ledger"})["power_state"] == "Suspended"


def test_a_halted_vm_takes_a_disk_of_one_host_to_another_host_of_its_pool(board: Board) -> None:
    move = ended(board.ask("blue-old", "host-d", Maps((("xvda", storage(board, "local", "host-d")),))))
    assert move.state == State.DONE, (move.failure_code, move.failure_sentence)
    board.look()
    assert board.vm("blue-old").resident_on.name == "host-d"
