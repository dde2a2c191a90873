"""From a call on the wire to its answer: names, arity, sessions, roles, types, then the call itself."""

import re
import threading
import uuid
from collections.abc import Callable
from typing import cast

from xenweb.lab.xapi.calls import HANDLERS, Context
from xenweb.lab.xapi.crowd import Crowd
from xenweb.lab.xapi.errands import CancelledError, Errand, Errands
from xenweb.lab.xapi.generic import answer_generic, is_generic
from xenweb.lab.xapi.model import NOT_ASYNC, NULL, OPTIONAL, ROLES, CallModel, Value, model
from xenweb.lab.xapi.pool import Faults, Place, Pool
from xenweb.lab.xapi.store import moment
from xenweb.lab.xapi.wire import Moment, XapiError
from xenweb.lab.xapi.world import NOBODY, build

LOGINS = frozenset({"session.login_with_password", "session.slave_local_login_with_password"})
MOST_SESSIONS = 500
_WHOLE = re.compile(r"-?\d+")


class Site:
    """Both pools, their users and sessions, and what is wrong with them by a test's will."""

    def __init__(self, prefix: str, users: dict[str, tuple[str, str]], label: str = "", crowd: Crowd = NOBODY) -> None:
        self.prefix, self.users, self.label, self.crowd = prefix, users, label, crowd
        self.faults = Faults()
        self.pools: dict[str, Pool] = {}
        self._errands: dict[str, Errands] = {}
        self._roles: dict[str, str] = {}
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Make the world anew: no session, task or reference of the old one means anything."""
        self.faults = Faults()
        self.pools = build(self.prefix, self.faults, self.label, self.crowd)
        self._errands = {name: Errands(pool) for name, pool in self.pools.items()}

    def errands(self, pool: Pool) -> Errands:
        """Answer the tasks of a pool."""
        return self._errands[pool.name]

    def at(self, address: str) -> tuple[Pool, Place]:
        """Find the host that listens at an address."""
        for pool in self.pools.values():
            for place in pool.places:
                if place.address == address:
                    return pool, place
        raise KeyError(address)

    def pool_of_session(self, session: str) -> Pool:
        """Find the pool that a session was made in; refuse with SESSION_INVALID."""
        for pool in self.pools.values():
            if pool.store.has("session", session):
                return pool
        raise XapiError("SESSION_INVALID", session)

    def role_of(self, session: str) -> str:
        """Answer the role that a session has."""
        if session not in self._roles:
            raise XapiError("HANDLE_INVALID", "session", session)
        return self._roles[session]

    def login_inside(self, pool: Pool) -> str:
        """Make the session that a migration from another pool is let in with."""
        return self._session(pool, "migrate_receive", "pool-admin", "host")

    def login(self, pool: Pool, params: list[Value]) -> str:
        """Let a user in; refuse with SESSION_AUTHENTICATION_FAILED."""
        name, password = str(params[0]), str(params[1])
        known = self.users.get(name)
        if known is None or known[0] != password:
            raise XapiError("SESSION_AUTHENTICATION_FAILED")
        return self._session(pool, name, known[1], str(params[3]) if len(params) > 3 else "")  # noqa: PLR2004

    def _session(self, pool: Pool, name: str, role: str, originator: str) -> str:
        with self._lock:
            store = pool.store
            mine = [ref for ref in store.refs("session") if store.text("session", ref, "auth_user_name") == name]
            for ref in mine[: max(0, len(mine) - MOST_SESSIONS + 1)]:
                store.remove("session", ref)
            ref = store.add(
                "session",
                this_host=pool.coordinator.ref,
                auth_user_name=name,
                pool=True,
                originator=originator,
                last_active=moment(),
                validation_time=moment(),
                is_local_superuser=role == "pool-admin",
            )
            self._roles[ref] = role
            return ref

    def answer(self, address: str, method: str, params: list[Value]) -> Value:
        """Answer a call that came in at an address; raise XapiError for a refusal."""
        pool, place = self.at(address)
        if method == "system.listMethods":
            return list(_methods())
        plain = method.removeprefix("Async.").removeprefix("Async_")
        if plain in self.faults.unknown or method in self.faults.unknown:
            raise XapiError("MESSAGE_METHOD_UNKNOWN", method)
        call = model().call(plain)
        is_async = plain != method
        if call is None:
            raise XapiError("MESSAGE_METHOD_UNKNOWN", method)
        if is_async and not _has_async(plain, call):
            raise XapiError("Fault", f"{plain} has no asynchronous form")
        if call.is_removed:
            raise XapiError("MESSAGE_REMOVED")
        name = f"{model().class_of(plain)}.{call.name}"
        _check_arity(name, call, params)
        if place is not pool.coordinator:
            raise XapiError("HOST_IS_SLAVE", pool.coordinator.address)
        if name in LOGINS:
            return self.login(pool, params)
        rest = self._admitted(pool, name, call, params)
        return self._made(pool, name, call, str(params[0]) if call.takes_session else "", rest, is_async=is_async)

    def _admitted(self, pool: Pool, name: str, call: CallModel, params: list[Value]) -> list[Value]:
        if not call.takes_session:
            return params
        session = str(params[0])
        if not pool.store.has("session", session):
            raise XapiError("SESSION_INVALID", session)
        role = self._roles[session]
        is_own = name == "task.cancel" and self.errands(pool).owner(str(params[1])) == session
        if ROLES[role] not in call.roles and not is_own:
            permission = f"{name.lower()}"
            raise XapiError("RBAC_PERMISSION_DENIED", permission, f"No permission in user session (role {role})")
        return [_typed(kind, label, value) for (kind, label), value in zip(call.params[1:], params[1:], strict=False)]

    def _made(
        self, pool: Pool, name: str, call: CallModel, session: str, params: list[Value], *, is_async: bool
    ) -> Value:
        handler = HANDLERS.get(name)
        if handler is None and not is_generic(name, call):
            raise XapiError("NOT_IMPLEMENTED", name)

        def work(errand: Errand) -> Value:
            if handler is not None:
                return handler(Context(self, pool, session, errand), params)
            return answer_generic(pool.store, name, call, params)

        if is_async:
            return self.errands(pool).begin(f"Async.{name}", session, work, _encoder(call.result))
        try:
            return self._stripped(work(Errand(pool, f"OpaqueRef:{uuid.uuid4()}", session, pool.epoch)))
        except CancelledError:
            raise XapiError("TASK_CANCELLED", NULL) from None

    def _stripped(self, value: Value) -> Value:
        """Leave out what a test wants to be missing, and pad what it wants to be huge."""
        if self.faults.padding and isinstance(value, dict):
            value = {**value, "padding": "x" * self.faults.padding}
        if self.faults.missing_fields and isinstance(value, dict):
            kept = {key: each for key, each in value.items() if key not in self.faults.missing_fields}
            return {key: self._stripped(each) for key, each in kept.items()}
        return value


def _check_arity(name: str, call: CallModel, params: list[Value]) -> None:
    most = len(call.params)
    if not most - OPTIONAL.get(name, 0) <= len(params) <= most:
        raise XapiError("MESSAGE_PARAMETER_COUNT_MISMATCH", name, str(most), str(len(params)))


def _has_async(name: str, call: CallModel) -> bool:
    return not call.is_implicit and model().class_of(name) not in NOT_ASYNC


def _methods() -> list[str]:
    names = []
    for kind in model().classes.values():
        for call in kind.calls.values():
            names.append(f"{kind.name}.{call.name}")
            if not call.is_implicit and kind.name not in NOT_ASYNC:
                names.append(f"Async.{kind.name}.{call.name}")
    return sorted(names)


def _typed(kind: str, label: str, value: Value) -> Value:
    """Take a parameter as its type says it travels; refuse what is of another type."""
    wanted: dict[str, Callable[[Value], bool]] = {
        "int": lambda said: isinstance(said, str) and _WHOLE.fullmatch(said) is not None,
        "float": lambda said: isinstance(said, float),
        "bool": lambda said: isinstance(said, bool),
        "datetime": lambda said: isinstance(said, str),
    }
    fits = wanted.get(kind)
    if fits is None:
        fits = _is_set if kind.endswith(" set") else _is_map if kind.endswith(" map") else _is_text
    if not fits(value):
        raise XapiError("FIELD_TYPE_ERROR", label)
    if kind == "int":
        return int(cast("str", value))
    return Moment(value) if kind == "datetime" else value


def _is_set(value: Value) -> bool:
    return isinstance(value, list)


def _is_map(value: Value) -> bool:
    return isinstance(value, dict)


def _is_text(value: Value) -> bool:
    return isinstance(value, str)


def _encoder(result: str) -> Callable[[Value], str]:
    """Write a result as a task carries it: nothing for void, one XML value for all else."""
    if result == "void":
        return lambda _value: ""
    return lambda value: f"<value>{value}</value>"
