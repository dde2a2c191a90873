"""The pool's records, each change numbered: what ``event.from`` tells follows from the numbers."""

import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from xenweb.lab.xapi.model import NULL, Value, blank, model
from xenweb.lab.xapi.wire import Moment, XapiError

KEPT_DELETIONS = 256
"""Deletions of one class that are remembered; who asks too late is not told of the older ones."""

USUAL: dict[str, dict[str, Value]] = {
    "VDI": {"on_boot": "persist", "type": "user"},
    "VM": {"actions_after_shutdown": "destroy", "actions_after_reboot": "restart", "actions_after_crash": "restart"},
    "network": {"default_locking_mode": "unlocked"},
    "VIF": {"locking_mode": "network_default"},
    "PIF": {"primary_address_type": "IPv4"},
}
"""Values of enumerations that a new record usually has, where those are not the first of their list."""

Record = dict[str, Value]


def moment(seconds: float | None = None) -> Moment:
    """Write a point in time; now, if none is given."""
    return Moment(time.strftime("%Y%m%dT%H:%M:%SZ", time.gmtime(seconds)))


@dataclass(slots=True)
class Row:
    """A record, and the numbers of its making and of its last change."""

    record: Record
    made: int
    changed: int


class Store:
    """All records of one pool, by class and reference; safe to use from several threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.generation = 1
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in model().classes if name != "event"}
        self.recent: dict[tuple[str, str], None] = {}
        """All records, those that were changed last at the end."""

        self.deletions: dict[str, deque[tuple[int, str]]] = defaultdict(lambda: deque(maxlen=KEPT_DELETIONS))

    def _next(self) -> int:
        self.generation += 1
        self.news.notify_all()
        return self.generation

    def add(self, kind: str, **values: Value) -> str:
        """Add a record, its fields blank where nothing is said; answer its reference."""
        fields = model().classes[kind].fields
        record = {name: blank(each.kind) for name, each in fields.items()}
        for name, each in fields.items():
            if each.kind == "datetime":
                record[name] = Moment(record[name])
        unknown = set(values) - set(fields)
        if unknown:
            msg = f"{kind} has no {', '.join(sorted(unknown))}"
            raise KeyError(msg)
        ref = f"OpaqueRef:{uuid.uuid4()}"
        with self.lock:
            number = self._next()
            self.tables[kind][ref] = Row(_identified(record) | USUAL.get(kind, {}) | values, number, number)
            self.recent[kind, ref] = None
        return ref

    def row(self, kind: str, ref: str) -> Row:
        """Find a record's row; refuse with HANDLE_INVALID."""
        found = self.tables[kind].get(ref)
        if found is None:
            raise XapiError("HANDLE_INVALID", kind, ref)
        return found

    def record(self, kind: str, ref: str) -> Record:
        """Find a record; refuse with HANDLE_INVALID."""
        return self.row(kind, ref).record

    def set(self, kind: str, ref: str, **values: Value) -> None:
        """Change fields of a record."""
        with self.lock:
            row = self.row(kind, ref)
            row.record.update(values)
            self._changed(kind, ref, row)

    def touch(self, kind: str, ref: str) -> int:
        """Tell of a record as if it had changed; answer the number."""
        with self.lock:
            row = self.row(kind, ref)
            self._changed(kind, ref, row)
            return row.changed

    def _changed(self, kind: str, ref: str, row: Row) -> None:
        row.changed = self._next()
        self.recent.pop((kind, ref), None)
        self.recent[kind, ref] = None

    def changed_since(self, number: int) -> Iterator[tuple[str, str, Row]]:
        """List what was changed after a number, the last first."""
        for kind, ref in reversed(self.recent):
            row = self.tables[kind][ref]
            if row.changed <= number:
                return
            yield kind, ref, row

    def put(self, kind: str, ref: str, field: str, key: str, value: Value | None) -> None:
        """Set one key of a map, or take it out with None."""
        with self.lock:
            said = dict(cast("Record", self.record(kind, ref)[field]))
            said.pop(key, None)
            if value is not None:
                said[key] = value
            self.set(kind, ref, **{field: said})

    def remove(self, kind: str, ref: str) -> None:
        """Remove a record; nothing to remove is no error."""
        with self.lock:
            if self.tables[kind].pop(ref, None) is not None:
                del self.recent[kind, ref]
                self.deletions[kind].append((self._next(), ref))

    def refs(self, kind: str) -> list[str]:
        """List the references of a class."""
        with self.lock:
            return list(self.tables[kind])

    def text(self, kind: str, ref: str, field: str) -> str:
        """Read a field that is text or a reference."""
        return str(self.record(kind, ref)[field])

    def number(self, kind: str, ref: str, field: str) -> int:
        """Read a field that is a number."""
        return int(cast("int", self.record(kind, ref)[field]))

    def flag(self, kind: str, ref: str, field: str) -> bool:
        """Read a field that is true or false."""
        return bool(self.record(kind, ref)[field])

    def listed(self, kind: str, ref: str, field: str) -> list[str]:
        """Read a field that is a set of text or references."""
        return [str(each) for each in cast("list[Value]", self.record(kind, ref)[field])]

    def mapped(self, kind: str, ref: str, field: str) -> dict[str, str]:
        """Read a field that is a map."""
        return {key: str(each) for key, each in cast("Record", self.record(kind, ref)[field]).items()}

    def named(self, kind: str, name: str) -> str:
        """Find a record by its name; refuse with HANDLE_INVALID."""
        with self.lock:
            for ref, row in self.tables[kind].items():
                if row.record["name_label"] == name:
                    return ref
        raise XapiError("HANDLE_INVALID", kind, name)

    def by_uuid(self, kind: str, wanted: str) -> str:
        """Find a record by its UUID; refuse with UUID_INVALID."""
        with self.lock:
            for ref, row in self.tables[kind].items():
                if row.record["uuid"] == wanted:
                    return ref
        raise XapiError("UUID_INVALID", kind, wanted)

    def has(self, kind: str, ref: str) -> bool:
        """Say whether there is such a record."""
        return ref != NULL and ref in self.tables[kind]


def _identified(record: Record) -> Record:
    """Give a new record a UUID of its own."""
    return record | ({"uuid": str(uuid.uuid4())} if "uuid" in record else {})
