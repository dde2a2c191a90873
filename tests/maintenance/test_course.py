"""A host is emptied, proven empty, put back into service, and its VMs come home."""

import pytest

from tests.maintenance.hosts import SMALL, Hosts
from xenweb.core.maintenance import MaintenanceState
from xenweb.core.migration import Copy, State
from xenweb.core.placement import blocker
from xenweb.drivers.contract import MoveOptions
from xenweb.inventory.models import VirtualMachine
from xenweb.livemigration.errors import NotPlaceableError
from xenweb.livemigration.models import Migration
from xenweb.livemigration.services import migration_request
from xenweb.maintenance.errors import AlreadyInMaintenanceError, MaintenanceForbiddenError, PlanRefusedError
from xenweb.maintenance.models import Maintenance
from xenweb.maintenance.selectors import maintenance_for, maintenance_plan_for, return_plan_for
from xenweb.maintenance.services import maintenance_begin, maintenance_end, maintenance_moves_add, maintenance_return
from xenweb.realtime.maintenance_wire import MaintenanceWire

S = MaintenanceState


def stages(hosts: Hosts, wire: MaintenanceWire) -> list[str]:
    return [each.stage for each in maintenance_for(hosts.admin, wire.id).moves]


def test_a_host_is_emptied_in_order_and_believed_empty_only_when_it_says_so(hosts: Hosts) -> None:
    wire = hosts.begin()
    assert (wire.state, hosts.host("host-a").maintenance, hosts.driver.told) == ("asked", wire.id, [])
    row = hosts.settle(wire, 2)
    assert (row.state, hosts.driver.told) == (S.MOVING, [("host-a", False)])
    assert (row.held_by_hypervisor, hosts.host("host-a").takes_vms) == (True, False)
    asked = [Migration.objects.get(pk=move.migration_id) for move in hosts.moves(wire)]
    assert {each.requested_by_name for each in asked} == {"admin"}
    assert [each.requested_at for each in asked] == sorted(each.requested_at for each in asked)
    assert stages(hosts, wire) == ["waiting"] * 3
    assert hosts.settle(wire).state == S.MOVING, "what waits has not gone"
    hosts.drive()
    row = hosts.settle(wire)
    assert (row.state, row.ready_at is not None) == (S.READY, True)
    assert stages(hosts, wire) == ["done"] * 3


def test_the_host_is_asked_anew_before_it_is_called_empty(hosts: Hosts) -> None:
    wire = hosts.begin()
    hosts.settle(wire, 2)
    hosts.drive()
    hosts.driver.copies[("host-a", SMALL)] = Copy.RUNNING  # started there by another hand; the board has not seen it
    assert hosts.settle(wire).state == S.MOVING


def test_a_vm_that_appears_takes_the_word_back(hosts: Hosts) -> None:
    wire = hosts.begin()
    hosts.settle(wire, 2)
    hosts.drive()
    assert hosts.settle(wire).state == S.READY
    hosts.driver.copies[("host-a", SMALL)] = Copy.RUNNING
    hosts.look()
    row = hosts.settle(wire)
    assert (row.state, row.ready_at) == (S.MOVING, None)


def test_a_host_in_maintenance_is_no_target(hosts: Hosts) -> None:
    hosts.settle(hosts.begin(hosts.vms[0]), 2)
    hosts.drive()
    with pytest.raises(NotPlaceableError) as refused:
        migration_request(hosts.admin, vm=str(hosts.vms[0].pk), target=str(hosts.home.pk), options=MoveOptions())
    assert "host_in_maintenance" in {each.code for each in refused.value.findings}


def test_what_is_left_behind_keeps_the_host_from_being_empty_and_can_be_sent_later(hosts: Hosts) -> None:
    wire = hosts.begin(hosts.vms[0])
    assert [(each.vm_name, each.left) for each in wire.stays] == [(vm.name, True) for vm in hosts.vms[1:]]
    hosts.settle(wire, 2)
    hosts.drive()
    assert hosts.settle(wire, 2).state == S.MOVING
    moves = {str(vm.pk): str(hosts.host("host-c").pk) for vm in hosts.vms[1:]}
    maintenance_moves_add(hosts.admin, wire.id, moves)
    hosts.settle(wire)
    hosts.drive()
    assert hosts.settle(wire).state == S.READY


def test_a_halted_vm_can_still_be_sent_from_an_empty_host(hosts: Hosts) -> None:
    hosts.driver.copies[("host-a", hosts.vms[0].uuid)] = Copy.INACTIVE
    hosts.look()
    wire = hosts.begin(*hosts.vms[1:])
    hosts.settle(wire, 2)
    hosts.drive()
    assert hosts.settle(wire).state == S.READY, "what is halted does not keep it from being empty"
    maintenance_moves_add(hosts.admin, wire.id, {str(hosts.vms[0].pk): str(hosts.host("host-b").pk)})
    hosts.settle(wire, 2)
    assert stages(hosts, wire)[-1] == "waiting"


def test_a_move_that_failed_says_why_and_is_tried_again(hosts: Hosts) -> None:
    wire = hosts.begin(hosts.vms[0])
    hosts.driver.findings = (blocker("cpu_differs", "The CPU lacks avx2.", "Choose another host."),)
    hosts.settle(wire, 2)
    hosts.drive()
    (failed,) = maintenance_for(hosts.admin, wire.id).moves
    assert (failed.stage, failed.code, failed.sentence) == ("failed", "cpu_differs", "The CPU lacks avx2.")
    hosts.driver.findings = ()
    again = maintenance_moves_add(hosts.admin, wire.id, {str(hosts.vms[0].pk): str(hosts.host("host-c").pk)})
    assert [(each.stage, each.target_name) for each in again.moves] == [("to_ask", "host-c")], "the newest try counts"
    hosts.settle(wire)
    hosts.drive()
    assert stages(hosts, wire) == ["done"]


def test_ending_opens_the_host_and_offers_the_way_home(hosts: Hosts) -> None:
    wire = hosts.begin()
    hosts.settle(wire, 2)
    hosts.drive()
    hosts.settle(wire)
    assert maintenance_end(hosts.admin, wire.id).state == "opening"
    row = hosts.settle(wire)
    assert (row.state, hosts.driver.told[-1]) == (S.ENDED, ("host-a", True))
    home = hosts.host("host-a")
    assert (home.maintenance, home.takes_vms) == ("", True)
    plan = return_plan_for(hosts.admin, wire.id)
    assert [move.target_name for move in plan.moves] == ["host-a"] * 3
    maintenance_return(hosts.admin, wire.id, [str(vm.pk) for vm in hosts.vms])
    hosts.settle(wire)
    hosts.drive()
    assert {vm.resident_on.name for vm in VirtualMachine.objects.all() if vm.resident_on} == {"host-a"}
    assert return_plan_for(hosts.admin, wire.id).moves == []
    assert hosts.settle(wire, 2).settled, "nothing more is to be done, and nobody looks at it any more"


def test_undoing_withdraws_what_was_not_asked_for_and_cancels_what_waits(hosts: Hosts) -> None:
    wire = hosts.begin()
    hosts.settle(wire, 2)
    late = maintenance_end(hosts.admin, wire.id)
    assert late.state == "opening"
    row = hosts.settle(wire)
    assert row.state == S.ENDED
    assert stages(hosts, wire) == ["cancelled"] * 3
    assert set(Migration.objects.values_list("state", "cancel_requested_by")) == {(State.CANCELLED, "admin")}
    assert return_plan_for(hosts.admin, wire.id).moves == [], "nobody has gone, so nobody comes back"


def test_undoing_before_anything_happened_withdraws_every_move(hosts: Hosts) -> None:
    wire = hosts.begin()
    maintenance_end(hosts.admin, wire.id)
    assert hosts.settle(wire).state == S.ENDED
    assert stages(hosts, wire) == ["refused"] * 3
    assert Migration.objects.count() == 0


def test_a_vm_that_was_moved_on_meanwhile_is_not_brought_back(hosts: Hosts) -> None:
    wire = hosts.begin(*hosts.vms[:2])
    hosts.settle(wire, 2)
    hosts.drive()
    maintenance_end(hosts.admin, wire.id)
    hosts.settle(wire)
    vm = hosts.vms[0]
    migration_request(hosts.admin, vm=str(vm.pk), target=str(hosts.host("host-c").pk), options=MoveOptions())
    hosts.drive()
    assert [move.vm for move in return_plan_for(hosts.admin, wire.id).moves] == [hosts.vms[1].pk]


def test_a_choice_that_cannot_be_made_begins_nothing_and_says_why(hosts: Hosts) -> None:
    hosts.driver.disabled.add("host-b")
    hosts.look()
    with pytest.raises(PlanRefusedError) as refused:
        hosts.begin(hosts.vms[0])
    assert {each.code for each in refused.value.findings} == {"host_disabled"}
    assert Maintenance.objects.count() == 0
    assert hosts.history("maintenance_begin") == [("admin", "maintenance_begin", "refused")]


def test_a_host_has_one_maintenance_at_a_time(hosts: Hosts) -> None:
    wire = hosts.begin()
    with pytest.raises(AlreadyInMaintenanceError) as refused:
        hosts.begin()
    assert refused.value.facts == {"maintenance": wire.id}


@pytest.mark.parametrize("who", ["lead", "auditor"])
def test_only_administrators_plan_or_begin(hosts: Hosts, who: str) -> None:
    actor = getattr(hosts.board, who)
    with pytest.raises(MaintenanceForbiddenError):
        maintenance_plan_for(actor, str(hosts.home.pk), {})
    with pytest.raises(MaintenanceForbiddenError):
        maintenance_begin(actor, str(hosts.home.pk), moves={})


def test_the_plan_is_shown_before_anything_happens(hosts: Hosts) -> None:
    home, wide = str(hosts.home.pk), str(hosts.host("host-c").pk)
    plan = maintenance_plan_for(hosts.admin, home, {})
    assert (len(plan.moves), plan.stays, plan.held_by, plan.disabled) == (3, [], "hypervisor", False)
    assert {move.target_name for move in plan.moves} == {"host-b", "host-c"}, "they are spread"
    vm = str(hosts.vms[0].pk)
    chosen = maintenance_plan_for(hosts.admin, home, {vm: wide})
    assert next(move.why.code for move in chosen.moves if move.vm == hosts.vms[0].pk) == "chosen"
    left = maintenance_plan_for(hosts.admin, home, {vm: None})
    assert [(each.vm, each.left) for each in left.stays] == [(hosts.vms[0].pk, True)]
    for host in plan.hosts:
        coming = sum(move.memory for move in plan.moves if move.target == host.host)
        assert host.memory_free is not None
        assert host.memory_free_after == host.memory_free - coming
    assert (Maintenance.objects.count(), hosts.driver.told) == (0, [])


def test_the_history_tells_every_step(hosts: Hosts) -> None:
    wire = hosts.begin()
    hosts.settle(wire, 2)
    hosts.drive()
    hosts.settle(wire)
    maintenance_end(hosts.admin, wire.id)
    hosts.settle(wire)
    assert hosts.history("maintenance_begin", "host_close", "host_empty", "maintenance_end", "maintenance_outcome") == [
        ("admin", "maintenance_begin", "allowed"),
        ("xenweb", "host_close", "allowed"),
        ("xenweb", "host_close", "done"),
        ("xenweb", "host_empty", "done"),
        ("admin", "maintenance_end", "allowed"),
        ("xenweb", "maintenance_outcome", "done"),
    ]
