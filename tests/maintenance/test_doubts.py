"""Processes that die, hosts that are silent, hypervisors that say no or lie: nothing is claimed that was not proven."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.maintenance.hosts import Hosts
from xenweb.core.maintenance import MaintenanceState
from xenweb.core.migration import State
from xenweb.drivers.contract import HostUnreachableError, MoveBrokenError, MoveRefusedError
from xenweb.inventory.models import Host
from xenweb.inventory.services import host_remove
from xenweb.livemigration.models import Migration
from xenweb.livemigration.selectors import takes_part
from xenweb.maintenance import care
from xenweb.maintenance.care import maintenances_due
from xenweb.maintenance.models import Maintenance
from xenweb.maintenance.services import maintenance_end
from xenweb.maintenance.transitions import hold_take, holds_of_the_dead_release
from xenweb.realtime.maintenance_wire import MaintenanceWire

S = MaintenanceState


class KilledError(BaseException):
    """The process ends here; nothing catches that."""


def killed() -> None:
    raise KilledError


def let_lease_end(wire: MaintenanceWire) -> None:
    Maintenance.objects.filter(pk=wire.id).update(lease_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize("is_heard", [True, False])
def test_a_process_killed_between_the_intent_and_the_answer_leaves_what_the_next_one_ends(
    hosts: Hosts, is_heard: bool
) -> None:
    wire = hosts.begin()
    hosts.settle(wire)
    assert hosts.row(wire).closing_intended_at is not None, "the intent is stored before the call"
    if is_heard:
        hosts.driver.disabled.add("host-a")  # the call arrived, its answer was heard by nobody
    else:
        hosts.driver.on_switch = killed
        with pytest.raises(KilledError):
            hosts.settle(wire)
        hosts.driver.on_switch = lambda: None
    assert hosts.row(wire).state == S.CLOSING
    row = hosts.settle(wire)
    assert row.state == S.MOVING
    assert hosts.driver.told == ([] if is_heard else [("host-a", False)])
    assert not row.was_disabled, "it was our own call"


def test_a_process_killed_after_asking_for_a_move_asks_for_no_second_one(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = hosts.begin(hosts.vms[0])
    hosts.settle(wire)
    ask = care.migration_request

    def ask_and_die(*args: object, **more: object) -> None:
        ask(*args, **more)  # type: ignore[arg-type]
        raise KilledError

    monkeypatch.setattr(care, "migration_request", ask_and_die)
    with pytest.raises(KilledError):
        hosts.settle(wire)
    assert hosts.moves(wire)[0].migration_id is None
    monkeypatch.setattr(care, "migration_request", ask)
    hosts.drive()  # it may have come to its end before anybody looks again
    hosts.settle(wire)
    assert hosts.moves(wire)[0].migration_id == Migration.objects.get().pk


def test_a_silent_host_leaves_it_uncertain_until_it_speaks(hosts: Hosts) -> None:
    wire = hosts.begin()
    hosts.settle(wire)
    hosts.driver.silent_hosts.add("host-a")
    row = hosts.settle(wire)
    assert (row.state, row.failure_code) == (S.UNCERTAIN, "host_unreachable")
    assert Migration.objects.count() == 0, "nothing is moved before that is known"
    hosts.driver.silent_hosts.clear()
    assert hosts.settle(wire).state == S.MOVING


def test_an_answer_that_was_lost_is_no_failure(hosts: Hosts) -> None:
    wire = hosts.begin()
    hosts.settle(wire)
    hosts.driver.switch_error = HostUnreachableError("The connection was lost before the answer came.")
    row = hosts.settle(wire)
    assert (row.state, hosts.host("host-a").maintenance) == (S.UNCERTAIN, wire.id)
    hosts.driver.switch_error = None
    assert hosts.settle(wire).state == S.MOVING


def test_a_hypervisor_that_says_yes_and_does_not_is_not_believed(hosts: Hosts) -> None:
    wire = hosts.begin()
    hosts.settle(wire)
    hosts.driver.heeds = False
    row = hosts.settle(wire)
    assert (row.state, row.failure_code) == (S.UNCERTAIN, "not_heeded")
    hosts.settle(wire, 2)
    assert hosts.history("maintenance_outcome") == [("xenweb", "maintenance_outcome", "uncertain")], "it is told once"
    hosts.driver.heeds = True
    row = hosts.settle(wire)
    assert (row.state, row.failure_code) == (S.MOVING, "")


def test_a_pool_that_refuses_ends_it_and_nothing_was_moved(hosts: Hosts) -> None:
    wire = hosts.begin()
    hosts.settle(wire)
    hosts.driver.switch_error = MoveRefusedError("High availability could not restart every VM.")
    row = hosts.settle(wire)
    assert (row.state, row.failure_sentence) == (S.FAILED, "High availability could not restart every VM.")
    assert hosts.host("host-a").maintenance == ""
    assert Migration.objects.count() == 0


def test_a_pool_that_does_not_open_the_host_is_asked_again_until_it_does(hosts: Hosts) -> None:
    wire = hosts.begin(hosts.vms[0])
    hosts.settle(wire, 2)
    hosts.drive()
    maintenance_end(hosts.admin, wire.id)
    hosts.driver.switch_error = MoveRefusedError("The host is still booting.")
    row = hosts.settle(wire)
    assert (row.state, row.failure_sentence) == (S.OPENING, "The host is still booting.")
    hosts.driver.switch_error = MoveBrokenError("The connection was lost.")
    assert hosts.settle(wire).state == S.UNCERTAIN
    hosts.driver.switch_error = None
    row = hosts.settle(wire)
    assert (row.state, row.failure_code) == (S.ENDED, "")


def test_whoever_ends_it_right_before_the_call_finds_the_host_open(hosts: Hosts) -> None:
    wire = hosts.begin()
    hosts.settle(wire)
    look = hosts.driver.inventory

    def ended_meanwhile(endpoint: object) -> object:
        hosts.driver.inventory = look  # type: ignore[method-assign]
        maintenance_end(hosts.admin, wire.id)
        return look(endpoint)  # type: ignore[arg-type]

    hosts.driver.inventory = ended_meanwhile  # type: ignore[method-assign, assignment]
    assert hosts.settle(wire).state == S.OPENING
    assert hosts.driver.told == [], "nothing was closed behind the back of who ended it"
    assert hosts.settle(wire).state == S.ENDED


def test_a_host_that_is_dead_for_good_can_leave_the_board_with_its_maintenance(hosts: Hosts) -> None:
    wire = hosts.begin(hosts.vms[0])
    hosts.settle(wire, 2)
    hosts.drive()
    maintenance_end(hosts.admin, wire.id)
    hosts.driver.silent_hosts.add("host-a")
    assert hosts.settle(wire).state == S.UNCERTAIN
    host_remove(hosts.admin, str(hosts.home.pk), takes_part=takes_part)
    row = hosts.settle(wire)
    assert (row.state, row.failure_code) == (S.FAILED, "host_removed")
    assert hosts.settle(wire, 2).settled


def test_two_processes_do_not_care_for_one_maintenance(hosts: Hosts) -> None:
    wire = hosts.begin()
    hold = hold_take(wire.id, "one")
    assert hold is not None
    assert hosts.settle(wire, owner="two").state == S.ASKED
    assert maintenances_due(timezone.now()) == []
    holds_of_the_dead_release(lambda owner: owner == "one")
    assert hosts.settle(wire, owner="two").state == S.CLOSING


def test_a_lease_that_nobody_gives_back_ends_by_itself(hosts: Hosts) -> None:
    wire = hosts.begin()
    hold_take(wire.id, "lost")
    let_lease_end(wire)
    assert maintenances_due(timezone.now()) == [wire.id]
    assert hosts.settle(wire).state == S.CLOSING


def test_a_host_that_another_hand_had_disabled_is_known_as_such(hosts: Hosts) -> None:
    hosts.driver.disabled.add("host-a")
    wire = hosts.begin()
    row = hosts.settle(wire, 2)
    assert (row.state, row.was_disabled, hosts.driver.told) == (S.MOVING, True, [])


def test_where_the_hypervisor_knows_no_such_thing_we_hold_to_it_alone(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(care, "switch_of", lambda _driver: None)
    wire = hosts.begin()
    row = hosts.settle(wire, 2)
    assert (row.state, row.held_by_hypervisor, hosts.driver.told) == (S.MOVING, False, [])
    hosts.drive()
    assert hosts.settle(wire).state == S.READY
    maintenance_end(hosts.admin, wire.id)
    assert hosts.settle(wire).state == S.ENDED
    assert hosts.driver.told == []


def test_rights_that_were_taken_away_move_nothing(hosts: Hosts) -> None:
    wire = hosts.begin(hosts.vms[0])
    hosts.settle(wire)
    from xenweb.accounts.models import RoleBinding

    RoleBinding.objects.filter(user_id=hosts.admin.user_id).delete()
    hosts.settle(wire)
    (move,) = hosts.moves(wire)
    assert (move.migration, move.refusal_code) == (None, "vm_not_found")


def test_a_vm_that_somebody_moved_meanwhile_is_left_where_it_is(hosts: Hosts) -> None:
    wire = hosts.begin(hosts.vms[0])
    hosts.settle(wire)
    hosts.vms[0].resident_on = Host.objects.get(name="host-c")
    hosts.vms[0].save()
    hosts.settle(wire)
    (move,) = hosts.moves(wire)
    assert (move.migration, move.refusal_code) == (None, "vm_elsewhere")


def test_a_move_into_the_host_keeps_it_from_being_empty(hosts: Hosts) -> None:
    vm = hosts.vms[0]
    wire = hosts.begin()
    hosts.settle(wire, 2)
    hosts.drive()
    Migration.objects.create(
        vm=vm,
        vm_name=vm.name,
        source=hosts.host("host-b"),
        target=hosts.home,
        requested_by_id=hosts.admin.user_id,
        requested_at=timezone.now(),
        state=State.PRE_COPY,
    )
    assert hosts.settle(wire).state == S.MOVING
