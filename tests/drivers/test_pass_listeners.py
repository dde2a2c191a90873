"""Whoever drives moves for months listens only to those that somebody still looks at."""

from typing import Any

import libvirt
import pytest

from tests.drivers.test_libvirt_preflight import Answering
from tests.drivers.test_libvirt_words import libvirt_error
from xenweb.drivers.contract import Endpoint, MigrationPlan, MoveOptions
from xenweb.drivers.libvirt_driver import driver as driver_module
from xenweb.drivers.libvirt_driver.driver import LISTENER_KEPT, LibvirtDriver

SOURCE, TARGET = Endpoint(1, "host-a", "qemu:///system"), Endpoint(2, "host-b", "qemu:///system")
DOMAIN = Answering(state=[libvirt.VIR_DOMAIN_RUNNING, 0], jobStats={"type": 0})


class Listened:
    """A connection that counts who listens on it."""

    def __init__(self) -> None:
        self.listening: set[int] = set()
        self.registered = 0
        self.refuses = False

    def isAlive(self) -> int:  # noqa: N802 - libvirt's name
        return 1

    def lookupByUUIDString(self, _uuid: str) -> Any:  # noqa: N802 - libvirt's name
        return DOMAIN

    def domainEventRegisterAny(self, *_arguments: object) -> int:  # noqa: N802 - libvirt's name
        self.registered += 1
        self.listening.add(self.registered)
        return self.registered

    def domainEventDeregisterAny(self, callback: int) -> None:  # noqa: N802 - libvirt's name
        if self.refuses:
            raise libvirt_error(libvirt.VIR_ERR_INVALID_CONN, "closed")
        self.listening.discard(callback)


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Listened:
    kept = Listened()
    monkeypatch.setattr("xenweb.drivers.libvirt_driver.connections.open_connection", lambda _endpoint: kept)
    return kept


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time pass for the driver: the seconds, in a list of one."""
    passed = [1000.0]
    monkeypatch.setattr(driver_module.time, "monotonic", lambda: passed[0])
    return passed


def look(driver: LibvirtDriver, migration: str) -> None:
    driver.progress(MigrationPlan(migration, "u", "vm", SOURCE, TARGET, MoveOptions()))


def test_a_move_is_listened_to_once_however_often_it_is_looked_at(connection: Listened, later: list[float]) -> None:
    driver = LibvirtDriver()
    for _ in range(100):
        look(driver, "MOVE0001")
        later[0] += 10
    assert connection.registered == 1


def test_what_nobody_looks_at_any_more_is_not_listened_to(connection: Listened, later: list[float]) -> None:
    driver = LibvirtDriver()
    for number in range(1000):
        look(driver, f"MOVE{number:04}")
        later[0] += LISTENER_KEPT / 2
    assert connection.registered == 1000
    assert len(connection.listening) <= 3


def test_a_connection_that_is_gone_ends_no_look(connection: Listened, later: list[float]) -> None:
    driver = LibvirtDriver()
    look(driver, "MOVE0001")
    later[0] += LISTENER_KEPT + 1
    connection.refuses = True
    look(driver, "MOVE0002")
    assert connection.registered == 2
