"""Who is told of a maintenance, and that what is told last is what a fresh look shows."""

from tests.maintenance.hosts import Hosts
from xenweb.maintenance.selectors import board_maintenances_for, maintenances_for
from xenweb.maintenance.services import maintenance_end
from xenweb.realtime.events import HostChanged, MaintenanceChanged
from xenweb.realtime.selectors import events_since
from xenweb.web.feed import is_for, personal


def test_the_last_that_is_told_is_what_a_fresh_snapshot_shows(hosts: Hosts) -> None:
    wire = hosts.begin()
    for step in (hosts.drive, hosts.drive, lambda: maintenance_end(hosts.admin, wire.id)):
        hosts.settle(wire, 2)
        step()
    hosts.settle(wire, 2)
    for actor in (hosts.admin, hosts.board.auditor):
        told = [personal(actor, stored) for stored in events_since(0, 10_000) if is_for(actor, stored)]
        last = [event.maintenance for event in told if isinstance(event, MaintenanceChanged)][-1]
        assert [last] == board_maintenances_for(actor) == maintenances_for(actor)[0]
    assert last.endable is False


def test_a_lead_is_told_that_a_host_is_in_maintenance_and_nothing_of_its_vms(hosts: Hosts) -> None:
    wire = hosts.begin()
    hosts.settle(wire, 2)
    told = [stored.event for stored in events_since(0, 10_000) if is_for(hosts.board.stranger, stored)]
    assert not any(isinstance(event, MaintenanceChanged) for event in told)
    marks = [event.host.maintenance for event in told if isinstance(event, HostChanged) and event.host.name == "host-a"]
    assert marks[-1] == wire.id
    assert board_maintenances_for(hosts.board.stranger) == []


def test_what_has_not_changed_is_not_told_again(hosts: Hosts) -> None:
    wire = hosts.begin()
    hosts.settle(wire, 3)
    before = len(events_since(0, 10_000))
    hosts.settle(wire, 3)
    assert len(events_since(0, 10_000)) == before
