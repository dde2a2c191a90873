"""The published data model of the XenAPI, as a file that whoever runs this has, and the facts we keep of it."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypedDict

SERVED = (
    "session", "task", "event", "pool", "VM", "VM_metrics", "VM_guest_metrics", "host", "host_metrics", "host_cpu",
    "network", "VIF", "PIF", "PIF_metrics", "SR", "VDI", "VBD", "PBD", "message",
)  # fmt: skip
LETTERS = {
    "pool-admin": "a",
    "pool-operator": "o",
    "vm-power-admin": "p",
    "vm-admin": "m",
    "vm-operator": "v",
    "client-cert": "c",
    "read-only": "r",
}
EVERYBODY = "aopmvcr"


class Named(TypedDict):
    """A value of an enumeration, or a parameter."""

    name: str
    type: str


class Message(TypedDict):
    """A call of a class."""

    name: str
    result: list[str]
    params: list[Named]
    roles: list[str]
    implicit: bool
    lifecycle: Mapping[str, str]


class Field(TypedDict):
    """A field of a class."""

    name: str
    type: str
    qualifier: str
    lifecycle: Mapping[str, str]


class Enumeration(TypedDict):
    """The values that a field may have."""

    name: str
    values: list[Named]


class Published(TypedDict):
    """A class."""

    name: str
    fields: list[Field]
    messages: list[Message]
    enums: list[Enumeration]


def path_given() -> Path | None:
    """Answer where XENAPI_JSON says that the data model is; None if it says nothing, or nothing is there."""
    said = os.environ.get("XENAPI_JSON", "")
    return Path(said) if said and Path(said).is_file() else None


def read(path: Path) -> dict[str, Published]:
    """Read the data model's classes by name."""
    return {each["name"]: each for each in json.loads(path.read_text())}


def letters(roles: list[str]) -> str:
    """Write roles as letters."""
    return "".join(letter for role, letter in LETTERS.items() if role in roles)


def state(each: Field | Message) -> str:
    """Answer the first letter of a lifecycle's state: Published, Deprecated, Removed, prototYped."""
    said = each["lifecycle"]["state"]
    return "Y" if said.startswith("Proto") else said[0]


def is_plain_getter(each: Message, fields: set[str]) -> bool:
    """Say whether a call only reads one field, and everybody may: the facts do not list it."""
    reads = each["implicit"] and each["name"].startswith("get_") and each["name"][4:] in fields
    return reads and letters(each["roles"]) == EVERYBODY and state(each) != "R"


def lines(classes: Mapping[str, Published]) -> Iterator[str]:
    """Write the facts of the classes that the simulated pool serves, one a line."""
    for name in SERVED:
        each = classes[name]
        yield f"@{name}"
        for enum in sorted(each["enums"], key=lambda enum: enum["name"]):
            yield f"e {enum['name']} {' '.join(value['name'] for value in enum['values'])}"
        for field in sorted(each["fields"], key=lambda field: field["name"]):
            yield f"f {field['name']}|{field['type']}|{field['qualifier']}|{state(field)}"
        known = {field["name"] for field in each["fields"]}
        for message in sorted(each["messages"], key=lambda message: message["name"]):
            if is_plain_getter(message, known):
                continue
            params = ",".join(f"{p['type']} {p['name']}" for p in message["params"])
            kind = "i" if message["implicit"] else "m"
            roles = letters(message["roles"])
            yield f"{kind} {message['name']}|{message['result'][0]}|{params}|{roles}|{state(message)}"


KINDS = {
    "@": "our classes",
    "e": "our enumerations",
    "f": "our fields with their types",
    "m": "our calls with their parameters' types",
    "i": "our calls that every class has",
}
"""What each line of the facts is about, by its first letter."""


def placed(facts: Iterable[str]) -> Counter[tuple[str, str]]:
    """Put each line of the facts to its class."""
    found, name = Counter[tuple[str, str]](), ""
    for line in facts:
        if line.startswith("@"):
            name = line[1:]
        found[name, line] += 1
    return found


def facts_compared(ours: Iterable[str], classes: Mapping[str, Published]) -> tuple[Counter[str], list[str]]:
    """Compare the facts that we keep with the data model: how many of each kind were compared, and each difference."""
    kept, published = placed(ours), placed(lines(classes))
    counts = Counter(KINDS[line[0]] for _, line in kept.elements())
    surplus = [f"{name}: ours alone: {line}" for name, line in (kept - published).elements()]
    missing = [f"{name}: the data model's alone: {line}" for name, line in (published - kept).elements()]
    return counts, surplus + missing
