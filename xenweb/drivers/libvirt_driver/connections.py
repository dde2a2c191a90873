"""Connections to libvirt: one per process, host and purpose, opened in bounded time.

libvirt's event loop must run before the first connection is opened. A process that
was forked from one in which it runs would answer on its parent's sockets, and the
parent would wait for ever: such a process is refused.
"""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLateError
from contextlib import contextmanager, suppress

import libvirt

from xenweb.drivers.contract import DriverUnavailableError, Endpoint, HostUnreachableError
from xenweb.drivers.libvirt_driver.errors import translated

OPEN_WITHIN = 5.0
"""Seconds in which a host must take a connection."""

KEEPALIVE = (2, 2)
"""Seconds between two probes, and how many may stay unanswered."""


class _EventLoop:
    """libvirt's own event loop, in a thread of the one process that it belongs to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0

    def ensure(self) -> None:
        """Start the loop unless it runs; raise DriverUnavailableError in a fork of its process."""
        with self._lock:
            if self._pid == os.getpid():
                return
            if self._pid:
                msg = "libvirt was in use before this process was forked; it cannot be used here."
                raise DriverUnavailableError(msg)
            libvirt.registerErrorHandler(_be_silent, None)
            libvirt.virEventRegisterDefaultImpl()
            threading.Thread(target=_turn, name="libvirt events", daemon=True).start()
            self._pid = os.getpid()


def _be_silent(_context: object, _error: object) -> None:
    """Keep libvirt from printing what we raise anyway."""


def _turn() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


LOOP = _EventLoop()


def open_connection(endpoint: Endpoint) -> libvirt.virConnect:
    """Open a new connection with keepalive; raise HostUnreachableError if the host takes too long.

    The call cannot be interrupted, so it sits in a thread that is left behind
    when it hangs: one silent host must not hold up the others.
    """
    LOOP.ensure()
    opened: Future[libvirt.virConnect] = Future()

    def work() -> None:
        try:
            opened.set_result(libvirt.openAuth(endpoint.uri, _credentials(endpoint), 0))
        except libvirt.libvirtError as error:
            opened.set_exception(translated(error, endpoint.name))

    threading.Thread(target=work, name=f"open {endpoint.name}", daemon=True).start()
    try:
        connection = opened.result(OPEN_WITHIN)
    except TooLateError:
        msg = f"{endpoint.name} took no connection within {OPEN_WITHIN:.0f} s."
        raise HostUnreachableError(msg, host=endpoint.name) from None
    with suppress(libvirt.libvirtError):
        connection.setKeepAlive(*KEEPALIVE)
    return connection


def _credentials(endpoint: Endpoint) -> list[object]:
    """Answer libvirt's questions with the stored credential; never ask a terminal."""

    def answer(asked: list[list[object]], _data: object) -> int:
        for question in asked:
            question[4] = endpoint.secret
        return 0 if endpoint.secret else -1

    return [[libvirt.VIR_CRED_PASSPHRASE, libvirt.VIR_CRED_ECHOPROMPT], answer, None]


class Connections:
    """The connections of this process, by host and purpose; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], libvirt.virConnect] = {}
        self._opening: dict[tuple[str, str], threading.Lock] = {}

    @contextmanager
    def use(self, endpoint: Endpoint, purpose: str) -> Iterator[libvirt.virConnect]:
        """Lend a living connection; libvirt's errors leave as the contract's."""
        connection = self._living(endpoint, purpose)
        try:
            yield connection
        except libvirt.libvirtError as error:
            found = translated(error, endpoint.name)
            if isinstance(found, HostUnreachableError):
                self.drop(endpoint, purpose)
            raise found from error

    def drop(self, endpoint: Endpoint, purpose: str) -> None:
        """Forget a connection that is of no use any more."""
        with self._lock:
            connection = self._kept.pop((endpoint.uri, purpose), None)
        if connection is not None:
            with suppress(libvirt.libvirtError):
                connection.close()

    def _living(self, endpoint: Endpoint, purpose: str) -> libvirt.virConnect:
        LOOP.ensure()
        key = (endpoint.uri, purpose)
        with self._lock:
            opening = self._opening.setdefault(key, threading.Lock())
        with opening:
            connection = self._kept.get(key)
            if connection is not None and is_alive(connection):
                return connection
            self.drop(endpoint, purpose)
            connection = open_connection(endpoint)
            self._kept[key] = connection
            return connection


def is_alive(connection: libvirt.virConnect) -> bool:
    """Say whether a connection still carries."""
    try:
        return bool(connection.isAlive())
    except libvirt.libvirtError:
        return False
