"""A small board in the test database: two hosts, one VM, the people of two teams."""

from dataclasses import dataclass

import pytest
from django.utils import timezone

from tests.scripted import ScriptedDriver
from xenweb.accounts import services as accounts
from xenweb.accounts.policy import Actor, Role
from xenweb.accounts.selectors import actor_for
from xenweb.core.migration import Copy
from xenweb.drivers import registry
from xenweb.inventory.models import Host, Pool, VirtualMachine
from xenweb.inventory.services import vm_assign_team
from xenweb.inventory.sync import HostReading, reading_apply

VM_UUID = "11111111-1111-4111-8111-111111111111"


@dataclass
class Board:
    """The rows that tests speak of."""

    driver: ScriptedDriver
    source: Host
    target: Host
    vm: VirtualMachine
    admin: Actor
    lead: Actor
    stranger: Actor
    auditor: Actor

    def look(self) -> None:
        """Let both hosts be looked at once."""
        from xenweb.inventory.selectors import endpoint_of

        for host in (self.source, self.target):
            host.refresh_from_db()
            taken_at = timezone.now()
            reading_apply(host.pk, HostReading(self.driver.inventory(endpoint_of(host)), taken_at))
        self.vm.refresh_from_db()


def person(username: str, role: Role, team: str | None = None) -> Actor:
    """Make a user with one role."""
    actor = actor_for(accounts.user_create(username, "correct horse"))
    accounts.role_bind(username, role, team)
    actor = actor_for(accounts.user_create(username, ""))
    assert actor is not None
    return actor


def make_board(monkeypatch: pytest.MonkeyPatch) -> Board:
    """Fill the test database, with a scripted driver below it."""
    driver = ScriptedDriver()
    monkeypatch.setitem(registry._DRIVERS, "scripted", "tests.scripted")
    registry.driver_for.cache_clear()
    monkeypatch.setattr("tests.scripted.create", lambda: driver, raising=False)
    pool = Pool.objects.create(name="lab", driver="scripted")
    hosts = [Host.objects.create(pool=pool, name=name, uri=f"scripted:{name}") for name in ("host-a", "host-b")]
    driver.copies[("host-a", VM_UUID)] = Copy.RUNNING
    board = Board(driver, hosts[0], hosts[1], VirtualMachine(), *_people())
    for host in hosts:
        vms = driver.inventory(_endpoint(host))
        reading_apply(host.pk, HostReading(vms, timezone.now()))
    vm_assign_team(VM_UUID, accounts.team_create("Shop"))
    board.vm = VirtualMachine.objects.get(uuid=VM_UUID)
    board.source.refresh_from_db()
    board.target.refresh_from_db()
    return board


def _endpoint(host: Host):  # type: ignore[no-untyped-def]
    from xenweb.inventory.selectors import endpoint_of

    return endpoint_of(host)


def _people() -> tuple[Actor, Actor, Actor, Actor]:
    accounts.team_create("Shop")
    accounts.team_create("Data")
    return (
        person("admin", Role.ADMINISTRATOR),
        person("lead-shop", Role.TEAM_LEAD, "Shop"),
        person("lead-data", Role.TEAM_LEAD, "Data"),
        person("auditor", Role.AUDITOR),
    )
