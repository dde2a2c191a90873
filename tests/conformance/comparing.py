"""Compare the running simulated pools, over the wire, with the published data model: each difference is one line."""

import re
import xmlrpc.client
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.plain import Plain
from tests.conformance.published import LETTERS, SERVED, Message, Published, letters, state
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.lab.xapi.model import NULL, OPTIONAL, ROLES

EXPLAINED = {
    "client-cert": "a role of certificates, which the simulated pools let nobody in with: it is not tried",
    "Async": "the data model does not say which calls have an Async form: not compared",
    "values": "what a call does beside refusing is not in the data model: the tests of the driver hold it to the facts",
}
_REF = re.compile(r"OpaqueRef:(NULL|[0-9a-f-]{36})")
_WHOLE = re.compile(r"-?\d+")
NOT_TRIED = frozenset({"session.logout", "session.local_logout"})
LOGIN_CLASSES = frozenset({"session.login_with_password", "session.slave_local_login_with_password"})


@dataclass(slots=True)
class Comparison:
    """What was compared, and what differs."""

    classes: Mapping[str, Published]
    wire: Plain
    sessions: Mapping[str, str]
    counts: Counter[str] = field(default_factory=Counter)
    enums: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in self.classes.values():
            for enum in each["enums"]:
                self.enums[enum["name"]] = {value["name"] for value in enum["values"]}

    def differences(self) -> Iterator[str]:
        """Make all comparisons."""
        listed = self.wire.call("system.listMethods", ())
        names = set(listed) if isinstance(listed, list) else set()
        for name in SERVED:
            published = self.classes[name]
            if name != "event":
                yield from self._records(published)
            for message in published["messages"]:
                yield from self._message(name, message, names)

    def _admin(self, method: str, *params: object) -> Any:
        return self.wire.call(method, (self.sessions["pool-admin"], *params))

    def _records(self, published: Published) -> Iterator[str]:
        name = published["name"]
        if name == "session":
            own = self.sessions["pool-admin"]
            records = {own: self._admin("session.get_record", own)}
        else:
            records = self._admin(f"{name}.get_all_records")
        if not records:
            yield f"{name}: there is no record to compare"
        wanted = {each["name"]: each["type"] for each in published["fields"]}
        for record in records.values():
            yield from (f"{name}.{missing}: not in the record" for missing in set(wanted) - set(record))
            yield from (f"{name}.{surplus}: not in the data model" for surplus in set(record) - set(wanted))
            for field_name, kind in wanted.items():
                self.counts["values"] += 1
                if field_name in record and not self._fits(kind, record[field_name]):
                    yield f"{name}.{field_name}: {record[field_name]!r} is no {kind}"
        self.counts["fields"] += len(wanted)

    def _fits(self, kind: str, value: Any) -> bool:
        if kind.endswith(" set"):
            return isinstance(value, list) and all(self._fits(kind.removesuffix(" set"), each) for each in value)
        if kind.endswith(" map"):
            key, of = kind.removesuffix(" map").strip("()").split(" -> ")
            return isinstance(value, dict) and all(self._fits(key, k) and self._fits(of, v) for k, v in value.items())
        if kind.endswith(" ref"):
            return isinstance(value, str) and _REF.fullmatch(value) is not None
        if kind.startswith("enum "):
            self.counts["enumerated values"] += 1
            return value in self.enums[kind.removeprefix("enum ")]
        if kind == "int":
            return isinstance(value, str) and _WHOLE.fullmatch(value) is not None
        if kind == "datetime":
            return isinstance(value, xmlrpc.client.DateTime)
        return type(value) is {"float": float, "bool": bool}.get(kind, str)

    def _message(self, kind: str, message: Message, names: set[str]) -> Iterator[str]:
        method = f"{kind}.{message['name']}"
        self.counts["calls"] += 1
        if method not in names:
            yield f"{method}: not listed by system.listMethods"
        if state(message) == "R":
            if self._code(method, []) != "MESSAGE_REMOVED":
                yield f"{method}: is removed, but does not say so"
            return
        yield from self._arity(method, message)
        if method not in NOT_TRIED and method not in LOGIN_CLASSES:
            yield from self._roles(method, message)

    def _code(self, method: str, params: list[Any]) -> str:
        try:
            self.wire.call(method, params)
        except RefusedError as error:
            return error.code
        return ""

    def _arity(self, method: str, message: Message) -> Iterator[str]:
        most = len(message["params"])
        least = most - OPTIONAL.get(method, 0)
        for count in {least - 1, most + 1} - {-1}:
            self.counts["arities"] += 1
            try:
                self.wire.call(method, ["x"] * count)
                told = "nothing"
            except RefusedError as error:
                told = error.code if error.code != "MESSAGE_PARAMETER_COUNT_MISMATCH" else ",".join(error.params)
            if told != f"{method},{most},{count}":
                yield f"{method}: with {count} parameters it says {told}"

    def _roles(self, method: str, message: Message) -> Iterator[str]:
        may = letters(message["roles"])
        for role, session in self.sessions.items():
            self.counts["roles"] += 1
            params = [_dummy(each["type"]) for each in message["params"]]
            if message["params"] and message["params"][0]["name"] == "session_id":
                params[0] = session
            is_refused = self._code(method, params) == "RBAC_PERMISSION_DENIED"
            if is_refused is (LETTERS[role] in may):
                yield f"{method}: {role} {'may not' if is_refused else 'may'}"


def _dummy(kind: str) -> Any:
    """Answer a value of a type that means nothing to anybody."""
    if kind.endswith(" set"):
        return []
    if kind.endswith((" map", " record")):
        return {}
    plain: dict[str, Any] = {"int": "0", "float": 0.0, "bool": False, "datetime": xmlrpc.client.DateTime(0)}
    return plain.get(kind, f"{NULL}-nothing" if kind.endswith(" ref") else "nothing")


def roles_tried() -> list[str]:
    """List the roles that are tried."""
    return list(ROLES)
