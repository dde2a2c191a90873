"""Measure how fast VMs change their memory, a few at a time, before anybody moves them.

By page sampling (flags 0): QEMU hashes about 512 pages of each GiB, waits, and hashes them again. It
slows no guest down, and it under-reports: a page that changed ten times counts once, one that was not
drawn never. One page drawn stands for 2 MiB/s, so a calm VM is often said to change nothing at all.
The dirty-bitmap mode is never used: without KVM it kills QEMU 7.2 and the guest with it.

Source: libvirt's virDomainStartDirtyRateCalc and VIR_DOMAIN_STATS_DIRTYRATE, QEMU's dirtyrate.c.
"""

import logging
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import libvirt

from xenweb.core.facts import PowerState
from xenweb.core.quantities import MIB, BytesPerSecond
from xenweb.drivers.contract import DriverError, Endpoint, VmSnapshot
from xenweb.drivers.libvirt_driver.connections import Connections

log = logging.getLogger(__name__)

PERIOD: Final = 1
"""Seconds between the two hashes: about what a later pass takes."""

AT_ONCE: Final = 2
"""So many VMs of a host are measured at a time."""

AGAIN_AFTER: Final = 60.0
"""Seconds after which a VM is measured anew."""

LOST_AFTER: Final = 10.0
"""Seconds after which an answer that did not come is no longer waited for."""

PAGE_SAMPLING: Final = 0
MEASURED: Final = 2
MEASURING: Final = "measuring"
"""The purpose of the connection: a call that blocks must not hold up the looks."""


@dataclass(frozen=True, slots=True)
class DirtyRate:
    """What was measured of one VM, and when."""

    rate: BytesPerSecond
    at: datetime


@dataclass
class _Host:
    """What is known, and under way, of one host's VMs. Moments are seconds of the monotonic clock."""

    known: dict[str, DirtyRate] = field(default_factory=dict)
    asked: dict[str, float] = field(default_factory=dict)
    under_way: dict[str, float] = field(default_factory=dict)
    cannot: bool = False
    worker: threading.Thread | None = None


class DirtyRates:
    """The measurements of all hosts that this process keeps looking at."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}

    def of(self, uri: str) -> dict[str, DirtyRate]:
        """Answer what is known of a host's VMs, by UUID."""
        with self._lock:
            host = self._hosts.get(uri)
            return dict(host.known) if host else {}

    def next_turn(self, endpoint: Endpoint, vms: Iterable[VmSnapshot]) -> None:
        """Gather what has been measured and begin with the next few VMs, in a thread of its own.

        The first look at a host only takes notice of it: whoever looks once has no use for a measurement.
        """
        running = {vm.uuid for vm in vms if vm.active and vm.state is PowerState.RUNNING and not vm.incoming}
        with self._lock:
            host = self._hosts.get(endpoint.uri)
            if host is None:
                self._hosts[endpoint.uri] = _Host()
                return
            for kept in (host.known, host.asked, host.under_way):
                for uuid in set(kept) - running:
                    del kept[uuid]
            if host.cannot or (host.worker is not None and host.worker.is_alive()) or not _is_due(host, running):
                return
            host.worker = threading.Thread(
                target=self._work, args=(endpoint, host, running), name=f"dirty rates of {endpoint.name}", daemon=True
            )
            host.worker.start()

    def _work(self, endpoint: Endpoint, host: _Host, running: set[str]) -> None:
        with suppress(DriverError), self._connections.use(endpoint, MEASURING) as connection:
            self._gather(connection, host)
            for uuid in _next(host, running):
                self._begin(connection, host, uuid)

    def _gather(self, connection: libvirt.virConnect, host: _Host) -> None:
        now = time.monotonic()
        due = {uuid: began for uuid, began in host.under_way.items() if now - began > PERIOD}
        domains = [domain for uuid in due if (domain := _domain(connection, uuid)) is not None]
        flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        answers = connection.domainListGetStats(domains, libvirt.VIR_DOMAIN_STATS_DIRTYRATE, flags) if domains else []
        found = {domain.UUIDString(): stats for domain, stats in answers}
        with self._lock:
            for uuid, began in due.items():
                stats = found.get(uuid, {})
                if stats.get("dirtyrate.calc_status") == MEASURED:
                    at = datetime.fromtimestamp(time.time() - (now - began) + PERIOD, UTC)
                    rate = BytesPerSecond(float(stats.get("dirtyrate.megabytes_per_second", 0)) * MIB)
                    host.known[uuid] = DirtyRate(rate, at)
                elif now - began <= LOST_AFTER:
                    continue
                host.under_way.pop(uuid, None)

    def _begin(self, connection: libvirt.virConnect, host: _Host, uuid: str) -> None:
        with self._lock:
            host.asked[uuid] = time.monotonic()
        domain = _domain(connection, uuid)
        try:
            # A move, a snapshot or anything else that works on the VM comes first.
            if domain is None or domain.jobStats().get("type"):
                return
            domain.startDirtyRateCalc(PERIOD, PAGE_SAMPLING)
        except libvirt.libvirtError as error:
            host.cannot = error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT
            log.info("no dirty rate of %s: %s", uuid, error)
            return
        with self._lock:
            host.under_way[uuid] = time.monotonic()


def _is_due(host: _Host, running: set[str]) -> bool:
    return bool(host.under_way) or bool(_next(host, running))


def _next(host: _Host, running: set[str]) -> list[str]:
    """Choose who comes next: those that have waited longest, as many as there is room for."""
    now = time.monotonic()
    waiting = [
        uuid
        for uuid in running - set(host.under_way)
        if uuid not in host.asked or now - host.asked[uuid] >= AGAIN_AFTER
    ]
    return sorted(waiting, key=lambda uuid: host.asked.get(uuid, 0.0))[: max(0, AT_ONCE - len(host.under_way))]


def _domain(connection: libvirt.virConnect, uuid: str) -> libvirt.virDomain | None:
    try:
        return connection.lookupByUUIDString(uuid)
    except libvirt.libvirtError:
        return None
