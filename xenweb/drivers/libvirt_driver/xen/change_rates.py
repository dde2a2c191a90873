"""How fast VMs on Xen change their memory before anybody moves them, as their hosts' probes measure it.

Each measurement slows its VM down for a second, so it is made seldom and of one VM of a host at a time. What a probe
refuses (another kind of guest, another Xen, a move under way) stays as past moves tell it.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from xenweb.core.facts import PowerState
from xenweb.core.quantities import BytesPerSecond
from xenweb.drivers.contract import DriverError, Endpoint, VmSnapshot
from xenweb.drivers.libvirt_driver.dirty_rates import DirtyRate
from xenweb.drivers.libvirt_driver.xen.probing import Probes, number_of

AGAIN_AFTER: Final = 600.0
"""Seconds after which a VM is measured anew."""

APART: Final = 5.0
"""Seconds between two measurements on one host."""

WITHIN: Final = 20.0


@dataclass
class _Host:
    """What is known of one host's VMs. Moments are seconds of the monotonic clock."""

    known: dict[str, DirtyRate] = field(default_factory=dict)
    asked: dict[str, float] = field(default_factory=dict)
    last: float = float("-inf")
    worker: threading.Thread | None = None


class XenChangeRates:
    """The measurements of all Xen hosts that this process keeps looking at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}

    def of(self, uri: str) -> dict[str, DirtyRate]:
        """Answer what is known of a host's VMs, by UUID."""
        with self._lock:
            host = self._hosts.get(uri)
            return dict(host.known) if host else {}

    def next_turn(self, probes: Probes, endpoint: Endpoint, vms: Iterable[VmSnapshot]) -> None:
        """Measure the VM that has waited longest, in a thread of its own.

        The first look at a host only takes notice of it: whoever looks once has no use for a measurement.
        """
        running = {vm.uuid for vm in vms if vm.active and vm.state is PowerState.RUNNING and not vm.incoming}
        now = time.monotonic()
        with self._lock:
            host = self._hosts.get(endpoint.uri)
            if host is None:
                self._hosts[endpoint.uri] = _Host()
                return
            for kept in (host.known, host.asked):
                for uuid in set(kept) - running:
                    del kept[uuid]
            is_busy = host.worker is not None and host.worker.is_alive()
            due = [uuid for uuid in running if now - host.asked.get(uuid, float("-inf")) >= AGAIN_AFTER]
            if is_busy or not due or now - host.last < APART:
                return
            uuid = min(due, key=lambda each: (host.asked.get(each, 0.0), each))
            host.asked[uuid], host.last = now, now
            host.worker = threading.Thread(
                target=self._measure, args=(probes, endpoint, host, uuid), name=f"changes of {uuid}", daemon=True
            )
            host.worker.start()

    def _measure(self, probes: Probes, endpoint: Endpoint, host: _Host, uuid: str) -> None:
        try:
            said = probes.tell(endpoint, "dirtying", WITHIN, vm=uuid)
        except DriverError:
            return
        rate = _rate(said)
        if rate is not None:
            with self._lock:
                host.known[uuid] = DirtyRate(rate, datetime.now(UTC))


def _rate(said: object) -> BytesPerSecond | None:
    found = said if isinstance(said, Mapping) else {}
    pages, seconds, page = (number_of(found.get(name)) for name in ("pages", "seconds", "page"))
    if pages is None or page is None or not seconds:
        return None
    return BytesPerSecond(pages * page / seconds)
