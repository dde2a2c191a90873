"""Keep the rows as fresh as the hypervisors: one thread and one connection per host.

Events say that something changed; a bulk look says what. Without events the look
is repeated every few seconds, which also gives the loads.
"""

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NoReturn

from django.db import DatabaseError, close_old_connections, connections
from django.utils import timezone

from xenweb.core.load import Counter, load_between
from xenweb.drivers.contract import DriverError, Endpoint, HostEvent, HostSnapshot, HypervisorDriver, VmSnapshot, Watch
from xenweb.drivers.registry import driver_for
from xenweb.inventory.selectors import watched_hosts
from xenweb.inventory.sync import HostReading, host_unreachable, reading_apply

log = logging.getLogger(__name__)

LOOK_EVERY = 2.0
"""Seconds between two looks at a host that reports no change."""

GATHER = 0.02
"""Seconds to wait after an event, so that its brothers share the look."""

REST, MOST_REST = 3.0, 0.5
"""After a look a host is left alone for so many times as long as the look took, and for so many seconds at most.

A small host is looked at as fast as it changes; a large and busy one gathers what happens meanwhile.
"""

ALL_SHARE, MOST_ALL = 40.0, 10.0
"""All rows of a host are compared again after so many times as long as that took, and so many seconds at most."""

TRY_AGAIN_AFTER = 1.0
HOSTS_EVERY = 1.0


@dataclass
class Loads:
    """The counters of the look before, and the loads that follow from them."""

    host: Counter | None = None
    vms: dict[str, Counter] = field(default_factory=dict)

    def reading(self, snapshot: HostSnapshot, taken_at: datetime, at: float) -> HostReading:
        """Make a reading of a look, taken at ``at`` on the monotonic clock, and keep its counters."""
        host_load = None
        if snapshot.cpu_busy is not None:
            now = Counter(snapshot.cpu_busy, at)
            host_load = load_between(self.host, now, snapshot.cpu_count)
            self.host = now
        loads, counters = {}, {}
        for vm in snapshot.vms:
            if vm.cpu_time is None:
                continue
            counters[vm.uuid] = Counter(vm.cpu_time, at)
            load = load_between(self.vms.get(vm.uuid), counters[vm.uuid], vm.vcpus)
            if load is not None:
                loads[vm.uuid] = load
        self.vms = counters
        return HostReading(snapshot, taken_at, host_load, loads)


@dataclass
class Seen:
    """The VMs of the look before: between two looks at all rows only what has changed since is laid over them."""

    vms: dict[str, VmSnapshot] = field(default_factory=dict)
    all_due: float = 0.0

    def narrowed(self, reading: HostReading, at: float) -> HostReading:
        """Name in a reading what has changed, unless it is time for all; ``at`` is on the monotonic clock."""
        if at >= self.all_due:
            return reading
        vms = _at_rest(reading.snapshot)
        changed = {uuid for uuid, vm in vms.items() if self.vms.get(uuid) != vm}
        return replace(reading, only=frozenset(changed | (self.vms.keys() - vms.keys())))

    def keep(self, reading: HostReading, at: float, took: float) -> None:
        """Remember a reading that was laid over the rows, which took so many seconds."""
        self.vms = _at_rest(reading.snapshot)
        if reading.only is None:
            self.all_due = at + min(MOST_ALL, max(LOOK_EVERY, ALL_SHARE * took))


def _at_rest(snapshot: HostSnapshot) -> dict[str, VmSnapshot]:
    # The counter of a VM's CPU time always runs on: its load is told by the looks at all.
    return {vm.uuid: vm if vm.cpu_time is None else replace(vm, cpu_time=None) for vm in snapshot.vms}


class HostWatcher(threading.Thread):
    """Watch one host until told to stop; its trouble stays its own."""

    def __init__(self, endpoint: Endpoint, driver: HypervisorDriver) -> None:
        super().__init__(name=f"watch-{endpoint.name}", daemon=True)
        self.endpoint = endpoint
        self.driver = driver
        self.stopped = threading.Event()
        self._news = threading.Event()
        self._watch: Watch | None = None
        self._loads, self._seen = Loads(), Seen()
        self._is_deaf = threading.Event()

    def run(self) -> None:
        """Look, wait for news, look again; a host that does not answer is noted and tried anew."""
        while not self.stopped.is_set():
            try:
                self._look_and_wait()
            except Exception:
                log.exception("watching %s failed; trying again", self.endpoint.name)
                _drop_connections()
                self.stopped.wait(TRY_AGAIN_AFTER)
        self._end_watch()
        connections.close_all()

    def stop(self) -> None:
        """End the thread at its next step."""
        self.stopped.set()
        self._news.set()

    def _look_and_wait(self) -> None:
        try:
            began = time.monotonic()
            self._look()
            took = time.monotonic() - began
            self._news.wait(LOOK_EVERY)
            rest = began + took + min(MOST_REST, REST * took) - time.monotonic()
            self.stopped.wait(max(GATHER, rest))
        except DriverError as error:
            # What fails in here, as a database does, is caught like all else: no host loses its watcher to it.
            self._lost(error)

    def _look(self) -> None:
        if self._is_deaf.is_set():
            self._end_watch()
        if self._watch is None:
            self._is_deaf.clear()
            self._watch = self.driver.watch(self.endpoint, self._on_event)
        # Cleared before the look: what happens during it brings the next one.
        self._news.clear()
        taken_at, at = timezone.now(), time.monotonic()
        snapshot = self.driver.inventory(self.endpoint)
        reading = self._seen.narrowed(self._loads.reading(snapshot, taken_at, at), at)
        seen, self._seen = self._seen, Seen()  # if laying it over the rows fails, the next look is at all
        reading_apply(self.endpoint.host, reading)
        seen.keep(reading, at, time.monotonic() - at)
        self._seen = seen

    def _on_event(self, event: HostEvent) -> None:
        if event.what == "disconnected":
            log.info("%s: the connection was lost", self.endpoint.name)
            self._is_deaf.set()
        self._news.set()

    def _lost(self, error: DriverError) -> None:
        self._end_watch()
        host_unreachable(self.endpoint.host, error.sentence)
        self.stopped.wait(TRY_AGAIN_AFTER)

    def _end_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()


def _drop_connections() -> None:
    """Let go of what a failing database left behind; that it fails at this too is no news."""
    with suppress(DatabaseError):
        close_old_connections()


def watch_all() -> NoReturn:
    """Watch every enabled host for ever; hosts that come and go are followed."""
    watchers: dict[Endpoint, HostWatcher] = {}
    while True:
        try:
            _follow(watchers)
        except Exception:
            log.exception("the list of hosts could not be read; trying again")
            _drop_connections()
        time.sleep(HOSTS_EVERY)


def _follow(watchers: dict[Endpoint, HostWatcher]) -> None:
    hosts = watched_hosts()
    wanted = hosts.endpoints
    for host, reason in hosts.out_of_reach.items():
        host_unreachable(host, reason)
    for endpoint, watcher in list(watchers.items()):
        if endpoint not in wanted or not watcher.is_alive():
            watchers.pop(endpoint).stop()
    for endpoint, kind in wanted.items():
        if endpoint not in watchers:
            try:
                watcher = HostWatcher(endpoint, driver_for(kind))
            except DriverError as error:
                host_unreachable(endpoint.host, error.sentence)
                continue
            watchers[endpoint] = watcher
            watcher.start()
