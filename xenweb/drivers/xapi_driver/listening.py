"""One ear for all hosts of a pool: each is woken by what concerns it, and everybody when the ear goes deaf."""

import threading
from collections.abc import Callable
from typing import Protocol

from xenweb.drivers.contract import DriverError
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.records import NULL, Record, record_of
from xenweb.drivers.xapi_driver.transport import Value
from xenweb.drivers.xapi_driver.view import NO_EVENTS, View

CLASSES = ["vm", "host", "sr", "pbd", "vdi", "vbd", "network", "pif", "pool"]
WAIT = 15.0
ASK_EVERY = 1.0
"""Seconds between two tellings where a pool has no events: whoever listens then looks by itself."""

Told = Callable[[str, str], None]
"""Takes what happened, and the UUID of the VM that it happened to."""


class Telling(Protocol):
    """The pool that is listened to."""

    view: View

    def told(self, method: str, *params: object, within: float = ...) -> Value:
        """Make a call whose answer may be large."""


class PoolEvents:
    """The subscription of one process to one pool, in a thread of its own while anybody listens."""

    def __init__(self, pool: Telling) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._listeners: dict[object, tuple[str, Told]] = {}
        self._ear: _Ear | None = None

    def listen(self, host: str, told: Told) -> Callable[[], None]:
        """Tell what concerns a host, by its reference, from now on; answer how to end that.

        Raises RefusedError, or a HostUnreachableError, if nothing can be heard.
        """
        key = object()
        with self._lock:
            ear = self._ear
            if ear is None or not ear.hears:
                ear = _Ear(self._pool, self._wake)
            self._ear = ear
            self._listeners[key] = (host, told)
        ear.start()
        return lambda: self._forget(key)

    def _forget(self, key: object) -> None:
        with self._lock:
            self._listeners.pop(key, None)
            if not self._listeners and self._ear is not None:
                self._ear.hears, self._ear = False, None

    def _wake(self, hosts: frozenset[str] | None, what: str, vm_uuid: str, ear: "_Ear") -> None:
        with self._lock:
            if ear is not self._ear:
                return  # nobody listens to this one any more
            if what == DISCONNECTED:
                self._ear = None
            woken = [told for host, told in self._listeners.values() if hosts is None or host in hosts]
            if what == DISCONNECTED:
                self._listeners.clear()
        for told in woken:
            told(what, vm_uuid)


DISCONNECTED = "disconnected"


class _Ear:
    """One thread that waits for events, until it cannot or is told to end."""

    def __init__(self, pool: Telling, wake: Callable[[frozenset[str] | None, str, str, "_Ear"], None]) -> None:
        self._pool, self._wake = pool, wake
        self.hears = True
        self._begun = threading.Lock()
        self._over = threading.Event()
        self._vms: dict[str, frozenset[str]] = {}
        self._token = str(record_of("event batch", "", self._asked("", ["pool"], 0.0)).text_or("token"))

    def start(self) -> None:
        """Begin to listen; a second time is none."""
        if self._begun.acquire(blocking=False):
            threading.Thread(target=self._listen, name="xapi events", daemon=True).start()

    def _asked(self, token: str, classes: list[str], within: float) -> Value:
        try:
            return self._pool.told("event.from", classes, token, within, within=within + WAIT)
        except RefusedError as error:
            if error.code in NO_EVENTS:
                self._over.wait(ASK_EVERY if token or within else 0.0)
            elif error.code not in {"EVENT_FROM_TOKEN_PARSE_FAILURE", "EVENTS_LOST"}:
                raise
            return {"token": "", "events": [{"class": "changed"}]}

    def _listen(self) -> None:
        while self.hears:
            try:
                batch = record_of("event batch", "", self._asked(self._token, CLASSES, WAIT))
                self._token = batch.text("token")
            except (DriverError, RefusedError):
                self.hears = False
                self._wake(None, DISCONNECTED, "", self)
                return
            events = batch.said.get("events")
            for each in events if isinstance(events, list) else ():
                self._tell(record_of("event", "", each))

    def _tell(self, event: Record) -> None:
        kind, said = event.text_or("class").lower(), event.said.get("snapshot")
        snapshot = record_of(kind, event.text_or("ref"), said if isinstance(said, dict) else {})
        uuid = snapshot.text_or("uuid") if kind == "vm" else ""
        self._wake(self._concerned(kind, snapshot), kind or "changed", uuid, self)

    def _concerned(self, kind: str, snapshot: Record) -> frozenset[str] | None:
        """Name the hosts that an event concerns; None for all of them."""
        if kind == "vm":
            return self._homes(snapshot)
        if kind == "host":
            return frozenset({snapshot.ref})
        if kind in {"pbd", "pif"} and snapshot.said:
            return frozenset({snapshot.ref_or_null("host")})
        return None

    def _homes(self, vm: Record) -> frozenset[str] | None:
        """Name the hosts that a VM is on, comes to, and was on before; None where that is not known."""
        now = frozenset({vm.ref_or_null("resident_on"), vm.ref_or_null("scheduled_to_be_resident_on")}) - {NULL}
        before = self._vms.pop(vm.ref, None)
        if now:
            self._vms[vm.ref] = now
        if not now or before is None:
            # Halted VMs wait on a host that only all records together tell, and whoever is new was anywhere.
            return None
        return now | before
