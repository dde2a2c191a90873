"""Events of a host, told as they happen."""

from collections.abc import Callable
from contextlib import suppress

import libvirt

from xenweb.drivers.contract import Endpoint, HostEvent
from xenweb.drivers.libvirt_driver.connections import open_connection
from xenweb.drivers.libvirt_driver.errors import translated

DOMAIN_EVENTS = {
    "lifecycle": libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
    "reboot": libvirt.VIR_DOMAIN_EVENT_ID_REBOOT,
    "balloon": libvirt.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE,
    "device_added": libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
    "device_removed": libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
    "metadata": libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
}
POOL_EVENTS = {"storage": libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE}


class HostWatch:
    """A subscription on a connection of its own."""

    def __init__(self, endpoint: Endpoint, sink: Callable[[HostEvent], None]) -> None:
        self._endpoint = endpoint
        self._sink = sink
        self._connection = open_connection(endpoint)
        try:
            self._register()
        except libvirt.libvirtError as error:
            self.close()
            raise translated(error, endpoint.name) from error

    def _register(self) -> None:
        connection = self._connection
        connection.registerCloseCallback(self._on_close, None)
        for what, event in DOMAIN_EVENTS.items():
            # A hypervisor that does not tell of one kind of change is looked at all the same.
            with suppress(libvirt.libvirtError):
                connection.domainEventRegisterAny(None, event, self._on_domain, what)
        for what, event in POOL_EVENTS.items():
            with suppress(libvirt.libvirtError):
                connection.storagePoolEventRegisterAny(None, event, self._on_pool, what)

    def _on_domain(self, _connection: object, domain: libvirt.virDomain, *rest: object) -> None:
        self._sink(HostEvent(self._endpoint.host, domain.UUIDString(), str(rest[-1])))

    def _on_pool(self, _connection: object, _pool: object, *rest: object) -> None:
        self._sink(HostEvent(self._endpoint.host, "", str(rest[-1])))

    def _on_close(self, _connection: object, _reason: int, _context: object) -> None:
        self._sink(HostEvent(self._endpoint.host, "", "disconnected"))

    def close(self) -> None:
        """End the subscription and its connection."""
        with suppress(libvirt.libvirtError):
            self._connection.unregisterCloseCallback()
        with suppress(libvirt.libvirtError):
            self._connection.close()
