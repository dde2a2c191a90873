"""Reach pools: find who leads, log in once a process, follow a coordinator that changes.

A session is never logged out by us: XAPI checks it anew with each request that a move makes from host to host,
so whoever logs out ends moves.
"""

import os
import threading
import time
from collections.abc import Callable, Collection

from xenweb.drivers.contract import Endpoint
from xenweb.drivers.xapi_driver.addresses import Parts, host_named, parts
from xenweb.drivers.xapi_driver.errors import HostUnreachableError, RefusedError
from xenweb.drivers.xapi_driver.listening import PoolEvents
from xenweb.drivers.xapi_driver.records import NULL, Record, record_of
from xenweb.drivers.xapi_driver.session import Session
from xenweb.drivers.xapi_driver.transport import ANSWER_WITHIN, PinnedTransport, Value
from xenweb.drivers.xapi_driver.view import View

MOST_REDIRECTS = 3
PING_WITHIN = 5.0
NOT_READY = frozenset({"HOST_STILL_BOOTING", "HOST_IN_EMERGENCY_MODE", "HOST_HAS_NO_MANAGEMENT_IP"})


class Pool:
    """The coordinator of one pool, and our session there."""

    def __init__(self, transport: PinnedTransport, user: str, secret: str) -> None:
        self.host = transport.host
        self._user, self._secret = user, secret
        self.view = View(self)
        # Whoever lost our session may have lost more: what we know is read again.
        self._session = Session(transport, renewed=self.view.forget)
        self.events = PoolEvents(self)

    def call(self, method: str, *params: object, within: float = ANSWER_WITHIN, once: bool = False) -> Value:
        """Make a call in our session; raise RefusedError, or a HostUnreachableError."""
        self._session.ensure(self._user, self._secret)
        return self._session.call(method, params, within, once=once)

    def told(self, method: str, *params: object, within: float = ANSWER_WITHIN) -> Value:
        """Make a call whose answer may be large."""
        self._session.ensure(self._user, self._secret)
        return self._session.told(method, params, within)

    def records(self, kind: str, fields: Collection[str]) -> dict[str, dict[str, Value]]:
        """Read all records of a class, of each the fields that are asked for; all of them where none are named."""
        self._session.ensure(self._user, self._secret)
        return self._session.records(kind, fields)

    def methods(self) -> frozenset[str]:
        """List the calls that the pool knows."""
        return self._session.methods()

    def record(self, kind: str, ref: str) -> Record:
        """Read one record."""
        return record_of(kind, ref, self.call(f"{kind}.get_record", ref))

    def by_uuid(self, kind: str, uuid: str) -> str:
        """Find a reference by its UUID; raises RefusedError UUID_INVALID."""
        ref = self.call(f"{kind}.get_by_uuid", uuid)
        if not isinstance(ref, str) or ref == NULL:
            raise RefusedError("UUID_INVALID", (kind, uuid))
        return ref

    @property
    def own_session(self) -> str:
        """Answer our session, for questions that are about it."""
        return self._session.ensure(self._user, self._secret)

    def leave(self) -> None:
        """End our session, if there is one; the next call makes another."""
        self._session.leave()


class Pools:
    """All pools that this process speaks with, by their coordinators."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._transports: dict[tuple[str, int, frozenset[str]], PinnedTransport] = {}
        self._pools: dict[tuple[str, int, str, str, frozenset[str]], Pool] = {}
        self._leaders: dict[str, tuple[float, str]] = {}

    def reach(self, endpoint: Endpoint) -> Pool:
        """Ask a host itself who leads, and answer its pool; raise HostUnreachableError if the host is silent."""
        if self._pid != os.getpid():
            self._begin()  # a connection does not outlive a fork: both processes would read the other's answers
        each = parts(endpoint.uri)
        try:
            leader = self._leader(each)
        except HostUnreachableError as error:
            raise _named(error, endpoint) from error
        with self._lock:
            self._leaders[endpoint.uri] = (time.monotonic(), leader)
        return self._pool(each, leader, endpoint.secret)

    def known(self, endpoint: Endpoint) -> Pool:
        """Answer a host's pool by what the host said last; ask it if it was never asked."""
        with self._lock:
            known = self._leaders.get(endpoint.uri)
        if known is None or self._pid != os.getpid():
            return self.reach(endpoint)
        return self._pool(parts(endpoint.uri), known[1], endpoint.secret)

    def with_known(self, endpoint: Endpoint, ask: Callable[[Pool], Record]) -> tuple[Pool, Record]:
        """Ask the pool by what is known of it; where that has changed, find it again and ask once more."""
        pool = self.known(endpoint)
        try:
            return pool, ask(pool)
        except HostUnreachableError:
            pass
        except RefusedError as error:
            if error.code != "HOST_IS_SLAVE":
                raise
        pool = self.reach(endpoint)
        return pool, ask(pool)

    def _leader(self, each: Parts) -> str:
        """Follow from a host to the coordinator. Nothing secret is said: a session that is none is refused alike."""
        host = each.host
        for _ in range(MOST_REDIRECTS):
            try:
                Session(self._transport(each, host)).call("session.get_uuid", (NULL,), PING_WITHIN)
            except RefusedError as error:
                if error.code == "HOST_IS_SLAVE" and error.params:
                    host = host_named(error.params[0])
                    continue
                if error.code in NOT_READY:
                    msg = f"{host} is not ready ({error.code})."
                    raise HostUnreachableError(msg, host=host, code=error.code) from None
            return host
        msg = f"{each.host} names a coordinator that is none, again and again."
        raise HostUnreachableError(msg, host=each.host)

    def _transport(self, each: Parts, host: str) -> PinnedTransport:
        key = (host, each.port, each.pins)
        with self._lock:
            return self._transports.setdefault(key, PinnedTransport(*key))

    def _pool(self, each: Parts, leader: str, secret: str) -> Pool:
        transport = self._transport(each, leader)
        key = (leader, each.port, each.user, secret, each.pins)
        with self._lock:
            if key not in self._pools:
                self._pools[key] = Pool(transport, each.user, secret)
            return self._pools[key]


def _named(error: HostUnreachableError, endpoint: Endpoint) -> HostUnreachableError:
    """Tell the same trouble of the host by the name that it has here."""
    host = parts(endpoint.uri).host
    sentence = error.sentence.replace(host, endpoint.name) if host in error.sentence else error.sentence
    return type(error)(sentence, **(error.facts | {"host": endpoint.name}))
