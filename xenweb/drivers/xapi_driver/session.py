"""The XenAPI package's session over our own transport: one for all threads of a process.

The package logs in anew by itself where a session is no more. Here only one of the threads that notice it does.
"""

import threading
import xmlrpc.client
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import cast

import XenAPI

from xenweb.drivers.xapi_driver.bulk import Request, answer_of, records
from xenweb.drivers.xapi_driver.errors import AnswerUnreadableError, DriverError, LoginRefusedError, RefusedError
from xenweb.drivers.xapi_driver.records import NULL
from xenweb.drivers.xapi_driver.transport import ANSWER_WITHIN, JSON, PinnedTransport, Value

ORIGINATOR = "xenweb"
API_VERSION = "1.0"
ALL_WITHIN = 120.0
"""Seconds within which all records of a class are read."""

NOT_LOGGED_IN = 401
"""How the package tells that a session was refused which it cannot make anew."""

Marshallable = bool | float | str | xmlrpc.client.DateTime | dict[str, "Marshallable"] | list["Marshallable"]


def wired(value: object) -> Marshallable:
    """Answer a parameter as the XenAPI takes it: an ``int`` goes out as a decimal string."""
    if isinstance(value, bool | float | str | xmlrpc.client.DateTime):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return {str(key): wired(each) for key, each in value.items()}
    return [wired(each) for each in cast("Sequence[object]", value)]


class _Handed(threading.local):
    """The session that a thread was handed last."""

    session = NULL


class Session(XenAPI.Session):
    """A session at one host. As long as nobody logs in, it says nothing secret, and is none that a pool knows."""

    def __init__(self, transport: PinnedTransport, renewed: Callable[[], None] = lambda: None) -> None:
        self._login_lock, self._handed, self._held = threading.RLock(), _Handed(), NULL
        self._renewed, self._speaks_json = renewed, True
        bracketed = f"[{transport.host}]" if ":" in transport.host else transport.host
        super().__init__(f"https://{bracketed}:{transport.port}/", transport=transport)

    @property
    def _session(self) -> str:
        """Hand the session out, and remember to which thread."""
        self._handed.session = self._held
        return self._held

    @_session.setter
    def _session(self, session: object) -> None:
        self._held = session if isinstance(session, str) else NULL

    def _login(self, method: str, params: tuple[str, ...]) -> None:
        """Log in, unless another thread has done so since this one was handed its session."""
        with self._login_lock:
            if self._held != self._handed.session:
                return
            is_first = self._held == NULL
            try:
                super()._login(method, params)
            except XenAPI.Failure as failure:
                if failure.details[0] != "SESSION_AUTHENTICATION_FAILED":
                    raise
                msg = f"{self.transport.host} takes neither {params[0]} nor the password."
                raise LoginRefusedError(msg, host=self.transport.host, code=failure.details[0]) from None
            if self._held == NULL:
                msg = f"{self.transport.host} answered a login with what is no session."
                raise AnswerUnreadableError(msg, host=self.transport.host)
        if not is_first:
            self._renewed()

    def ensure(self, user: str, secret: str) -> str:
        """Answer the session; log in if nobody has."""
        if self._held == NULL:
            with self._login_lock:
                if self._session == NULL:
                    self._asked(self.login_with_password, user, secret, API_VERSION, ORIGINATOR)
        return self._held

    def leave(self) -> None:
        """End the session; one that the host does not end, or does not know any more, ends there by itself."""
        if self._held == NULL:
            return
        with suppress(RefusedError, DriverError), self.transport.bounded(ANSWER_WITHIN):
            self._asked(getattr(self, "session.logout"), self._held)
        self._session = NULL

    def call(
        self, method: str, params: Sequence[object], within: float = ANSWER_WITHIN, *, once: bool = False
    ) -> Value:
        """Make a call in this session; raise RefusedError, or a HostUnreachableError.

        A lost session was refused before anything began: saying the call again in a new one says it once.
        """
        with self.transport.bounded(within, once=once):
            return self._asked(self.xenapi_request, method, tuple(map(wired, params)))

    def told(self, method: str, params: Sequence[object], within: float = ANSWER_WITHIN) -> Value:
        """Make a call whose answer may be large, in JSON, which is read many times faster than XML."""
        return self._in_json(
            lambda request: answer_of(self.transport.host, self.transport.carried(JSON, request.body())),
            method,
            params,
            within,
        )

    def records(self, kind: str, fields: Collection[str]) -> dict[str, dict[str, Value]]:
        """Read all records of a class, of each the fields that are asked for."""
        said = self._in_json(
            lambda request: records(self.transport.host, self.transport.pieces(JSON, request.body()), fields),
            f"{kind}.get_all_records",
            (),
            ALL_WITHIN,
        )
        if not isinstance(said, dict):
            msg = f"The pool answered for all of class {kind} with what are no records."
            raise AnswerUnreadableError(msg, record=kind)
        return cast("dict[str, dict[str, Value]]", said)

    def _in_json(self, ask: Callable[[Request], object], method: str, params: Sequence[object], within: float) -> Value:
        """Ask in JSON; where a host does not speak it, in the language of the package."""
        if not self._speaks_json:
            return self.call(method, params, within)
        wired_params = tuple(map(wired, params))
        with self.transport.bounded(within):
            try:
                try:
                    return cast("Value", ask(Request(method, (self._session, *wired_params))))
                except RefusedError as error:
                    if error.code != "SESSION_INVALID" or not self.last_login_method:
                        raise
                self._asked(self._login, self.last_login_method, self.last_login_params)
                return cast("Value", ask(Request(method, (self._session, *wired_params))))
            except AnswerUnreadableError as error:
                if "status" not in error.facts:
                    raise
        said = self.call(method, params, within)
        self._speaks_json = False
        return said

    def methods(self) -> frozenset[str]:
        """List the calls that the host knows; it alone answers without a status, which the package does not take."""
        listed = self._asked(getattr(self, "system.listMethods"))
        return frozenset(map(str, listed)) if isinstance(listed, list) else frozenset()

    def _asked(self, ask: Callable[..., object], *params: object) -> Value:
        """Ask through the package; let what it raises leave in our terms."""
        host = self.transport.host
        try:
            return cast("Value", ask(*params))
        except XenAPI.Failure as failure:
            code, *rest = map(str, failure.details)
            raise RefusedError(code, tuple(rest)) from None
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == NOT_LOGGED_IN:
                raise RefusedError("SESSION_INVALID", (NULL,)) from None
            msg = f"{host} answered neither with a value nor with an error."
            raise AnswerUnreadableError(msg, host=host) from fault
        except (TypeError, LookupError) as error:
            # The package takes for granted that what it reads has the form of an answer.
            msg = f"{host} answered neither with a value nor with an error."
            raise AnswerUnreadableError(msg, host=host) from error
