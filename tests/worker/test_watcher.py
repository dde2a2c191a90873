"""Watching a host: what changes is told, what is silent is noted, and one host's trouble stays its own."""

import time
from collections.abc import Callable, Iterator

import pytest
from django.db import DatabaseError, connections

from tests.board import VM_UUID, Board
from tests.scripted import ScriptedDriver
from xenweb.core.facts import HostState
from xenweb.core.migration import Copy
from xenweb.drivers.contract import Endpoint, HostEvent, HostSnapshot, HostUnreachableError
from xenweb.inventory.models import Host, VirtualMachine
from xenweb.inventory.selectors import endpoint_of
from xenweb.worker import watcher as module
from xenweb.worker.watcher import HostWatcher, _follow


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class Telling(ScriptedDriver):
    """A scripted driver that tells events and can fall silent."""

    silent = False

    def watch(self, endpoint: Endpoint, sink: Callable[[HostEvent], None]) -> ScriptedDriver:
        self.tell = sink
        return super().watch(endpoint, sink)

    def inventory(self, endpoint: Endpoint) -> HostSnapshot:
        if self.silent:
            raise HostUnreachableError("The socket is gone.")
        return super().inventory(endpoint)


@pytest.fixture
def watched(board: Board, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Board, Telling]]:
    monkeypatch.setattr(module, "LOOK_EVERY", 30.0)
    monkeypatch.setattr(module, "TRY_AGAIN_AFTER", 0.05)
    driver = Telling(copies=board.driver.copies)
    watcher = HostWatcher(endpoint_of(board.source), driver)
    watcher.start()
    until(lambda: hasattr(driver, "tell"))
    time.sleep(0.2)
    yield board, driver
    watcher.stop()
    watcher.join(5)
    connections.close_all()


def test_an_event_brings_a_look_at_once(watched: tuple[Board, Telling]) -> None:
    board, driver = watched
    driver.copies[("host-a", VM_UUID)] = Copy.PAUSED
    driver.tell(HostEvent(board.source.pk, VM_UUID, "lifecycle"))
    until(lambda: VirtualMachine.objects.get(uuid=VM_UUID).state == "paused", 2)


def test_a_silent_host_is_noted_and_found_again(watched: tuple[Board, Telling]) -> None:
    board, driver = watched
    driver.silent = True
    driver.tell(HostEvent(board.source.pk, "", "disconnected"))
    until(lambda: Host.objects.get(pk=board.source.pk).state == HostState.UNREACHABLE)
    assert Host.objects.get(pk=board.source.pk).state_reason == "The socket is gone."
    driver.silent = False
    until(lambda: Host.objects.get(pk=board.source.pk).state == HostState.CONNECTED)


def test_a_database_that_fails_while_a_host_is_silent_ends_no_watcher(
    watched: tuple[Board, Telling], monkeypatch: pytest.MonkeyPatch
) -> None:
    board, driver = watched
    refused: list[int] = []

    def refuse(host: int, _reason: str) -> None:
        refused.append(host)
        msg = "disk I/O error"
        raise DatabaseError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(module, "host_unreachable", refuse)
        driver.silent = True
        driver.tell(HostEvent(board.source.pk, "", "disconnected"))
        until(lambda: len(refused) > 1)
    until(lambda: Host.objects.get(pk=board.source.pk).state == HostState.UNREACHABLE)
    driver.silent = False
    until(lambda: Host.objects.get(pk=board.source.pk).state == HostState.CONNECTED)


def test_a_watcher_that_has_died_is_replaced(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = HostWatcher(endpoint_of(board.source), board.driver)
    dead.stop()
    dead.start()
    dead.join(5)
    watchers = {endpoint_of(board.source): dead}
    _follow(watchers)
    try:
        assert watchers[endpoint_of(board.source)] is not dead
        assert all(watcher.is_alive() for watcher in watchers.values())
    finally:
        for watcher in watchers.values():
            watcher.stop()
        for watcher in watchers.values():
            watcher.join(5)
        connections.close_all()


def test_a_host_whose_credential_cannot_be_opened_blinds_no_other(board: Board) -> None:
    Host.objects.filter(pk=board.target.pk).update(credential="sealed with a key that is gone")
    watchers: dict[Endpoint, HostWatcher] = {}
    try:
        _follow(watchers)
        assert [watcher.endpoint.host for watcher in watchers.values()] == [board.source.pk]
        blind = Host.objects.get(pk=board.target.pk)
        assert blind.state == HostState.UNREACHABLE
        assert blind.state_reason == "The stored credential of host-b cannot be opened with the keys at hand."
    finally:
        for watcher in watchers.values():
            watcher.stop()
        for watcher in watchers.values():
            watcher.join(5)
        connections.close_all()
