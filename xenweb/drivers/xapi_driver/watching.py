"""What is heard of a pool, told to one host: each event only says that it is time to look again."""

from collections.abc import Callable

from xenweb.drivers.contract import Endpoint, HostEvent
from xenweb.drivers.xapi_driver.inventory import host_of
from xenweb.drivers.xapi_driver.pools import Pool


class PoolWatch:
    """A subscription of one host."""

    def __init__(self, pool: Pool, endpoint: Endpoint, sink: Callable[[HostEvent], None]) -> None:
        self._endpoint, self._sink = endpoint, sink
        self._is_over = False
        self._end = pool.events.listen(host_of(pool.view.look(), endpoint).ref, self._told)

    def _told(self, what: str, vm_uuid: str) -> None:
        if not self._is_over:
            self._sink(HostEvent(self._endpoint.host, vm_uuid, what))

    def close(self) -> None:
        """Stop telling."""
        self._is_over = True
        self._end()
