"""Events of a pool, told as they happen: each only says that it is time to look again."""

import threading
from collections.abc import Callable

from xenweb.drivers.contract import Endpoint, HostEvent, HostUnreachableError
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.pools import Pool
from xenweb.drivers.xapi_driver.records import record_of
from xenweb.drivers.xapi_driver.view import NO_EVENTS

CLASSES = ["vm", "host", "sr", "pbd", "vdi", "vbd", "network", "pif", "pool"]
WAIT = 15.0
ASK_EVERY = 1.0
"""Seconds between two tellings where a pool has no events: whoever listens then looks by itself."""


class PoolWatch:
    """A subscription, in a thread of its own."""

    def __init__(self, pool: Pool, endpoint: Endpoint, sink: Callable[[HostEvent], None]) -> None:
        self._pool, self._endpoint, self._sink = pool, endpoint, sink
        self._over = threading.Event()
        self._token = self._events("", ["pool"], 0.0)[0]
        threading.Thread(target=self._listen, name=f"xapi events {endpoint.name}", daemon=True).start()

    def _events(self, token: str, classes: list[str], within: float) -> tuple[str, list[tuple[str, str]]]:
        """Wait for events; answer the next token, and the class and the VM's UUID of each."""
        try:
            batch = record_of("event batch", "", self._pool.call("event.from", classes, token, within))
        except RefusedError as error:
            if error.code in NO_EVENTS:
                self._over.wait(ASK_EVERY if token or within else 0.0)
                return "", [("changed", "")]
            if error.code in {"EVENT_FROM_TOKEN_PARSE_FAILURE", "EVENTS_LOST"}:
                return "", [("changed", "")]
            raise
        told, events = [], batch.said.get("events")
        for each in events if isinstance(events, list) else ():
            event = record_of("event", "", each)
            kind, said = event.text_or("class").lower(), event.said.get("snapshot")
            uuid = record_of("VM", "", said).text_or("uuid") if kind == "vm" and isinstance(said, dict) else ""
            told.append((kind or "changed", uuid))
        return batch.text("token"), told

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                self._token, told = self._events(self._token, CLASSES, WAIT)
            except (HostUnreachableError, RefusedError):
                if not self._over.is_set():
                    self._sink(HostEvent(self._endpoint.host, "", "disconnected"))
                return
            for what, uuid in told:
                if not self._over.is_set():
                    self._sink(HostEvent(self._endpoint.host, uuid, what))

    def close(self) -> None:
        """Stop telling; the wait that is under way ends by itself."""
        self._over.set()
