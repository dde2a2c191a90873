"""What the XenAPI's classes are like: fields, calls, who may make them. Read from a facts file of our own.

A line of ``model.txt`` is ``@class``, ``e enumeration values``, ``f field|type|qualifier|state`` or
``m call|result|parameters|roles|state`` (``i`` for a call that every class has). A getter of one field
that everybody may call is not listed: it follows from the field.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PATH = Path(__file__).with_name("model.txt")
NULL = "OpaqueRef:NULL"
EPOCH = "19700101T00:00:00Z"
EVERYBODY = "aopmvcr"
SESSION = "session ref session_id"

ROLES = {
    "pool-admin": "a",
    "pool-operator": "o",
    "vm-power-admin": "p",
    "vm-admin": "m",
    "vm-operator": "v",
    "read-only": "r",
}

OPTIONAL = {
    "session.login_with_password": 2,
    "host.evacuate": 2,
    "VM.migrate_send": 1,
    "VM.assert_can_migrate": 1,
    "VM.snapshot": 1,
}
"""How many trailing parameters may be left out, because they came later than the call."""

NOT_ASYNC = frozenset({"session", "event"})


@dataclass(frozen=True, slots=True)
class FieldModel:
    """One field: its type as the data model writes it, and whether clients may set it."""

    name: str
    kind: str
    writable: bool


@dataclass(frozen=True, slots=True)
class CallModel:
    """One call: parameter types and names in their order, the session first where there is one."""

    name: str
    result: str
    params: tuple[tuple[str, str], ...]
    roles: str
    is_removed: bool
    is_implicit: bool

    @property
    def takes_session(self) -> bool:
        """Say whether the first parameter is the caller's session."""
        return bool(self.params) and self.params[0][1] == "session_id"


@dataclass(slots=True)
class ClassModel:
    """One class."""

    name: str
    fields: dict[str, FieldModel] = field(default_factory=dict)
    calls: dict[str, CallModel] = field(default_factory=dict)


@dataclass(slots=True)
class Model:
    """All classes, and the enumerations that they use."""

    classes: dict[str, ClassModel] = field(default_factory=dict)
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def call(self, name: str) -> CallModel | None:
        """Find a call by its name on the wire: ``VM.start``, or ``VM_start``."""
        for each in self.classes.values():
            for separator in (".", "_"):
                prefix = each.name + separator
                if name.startswith(prefix) and name[len(prefix) :] in each.calls:
                    return each.calls[name[len(prefix) :]]
        return None

    def class_of(self, name: str) -> str:
        """Answer the class that a call's name on the wire belongs to."""
        found = [each for each in self.classes if name.startswith((f"{each}.", f"{each}_"))]
        return max((each for each in found if name[len(each) + 1 :] in self.classes[each].calls), key=len)


def _params(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [each.rsplit(" ", 1) for each in text.split(",") if each]
    return tuple((kind, name) for kind, name in pairs)


def _field(current: ClassModel, rest: str) -> None:
    name, kind, qualifier, _ = rest.split("|")
    current.fields[name] = FieldModel(name, kind, qualifier == "RW")
    if current.name != "event":
        params = ((f"{current.name} ref", "self"),)
        getter = CallModel(f"get_{name}", kind, (*_params(SESSION), *params), EVERYBODY, False, True)
        current.calls[getter.name] = getter


@cache
def model() -> Model:
    """Read the facts file."""
    read = Model()
    current = ClassModel("")
    for line in PATH.read_text().splitlines():
        kind, rest = line[0], line[2:]
        if kind == "@":
            current = read.classes.setdefault(line[1:], ClassModel(line[1:]))
        elif kind == "e":
            name, *values = rest.split(" ")
            read.enums[name] = tuple(values)
        elif kind == "f":
            _field(current, rest)
        else:
            name, result, params, roles, state = rest.split("|")
            call = CallModel(name, result, _params(params), roles, state == "R", kind == "i")
            current.calls[name] = call
    return read


Value = str | int | float | bool | list["Value"] | dict[str, "Value"]


def blank(kind: str) -> Value:
    """Answer the empty value of a type: what a record has where nothing was said."""
    if kind.endswith(" set"):
        return []
    if kind.endswith(" map"):
        return {}
    if kind.endswith(" ref"):
        return NULL
    if kind.startswith("enum "):
        return model().enums[kind.removeprefix("enum ")][0]
    plain: dict[str, Value] = {"int": 0, "float": 0.0, "bool": False, "datetime": EPOCH}
    return plain.get(kind, "")
