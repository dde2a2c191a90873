"""All records of a pool that an inventory needs, kept up by ``event.from``.

Events only wake us: what they name is read again, for their own copies may be old. Where a deletion was
lost, the pool's own count of records tells, and the class is read anew. A pool without events is read whole.
"""

import threading
from typing import Protocol

from xenweb.drivers.xapi_driver.errors import AnswerUnreadableError, RefusedError
from xenweb.drivers.xapi_driver.records import NULL, Record, record_of
from xenweb.drivers.xapi_driver.transport import Value

CLASSES = ("pool", "host", "host_metrics", "VM", "SR", "PBD", "VDI", "VBD", "VIF", "network", "PIF")
NO_EVENTS = frozenset({"MESSAGE_METHOD_UNKNOWN", "MESSAGE_REMOVED", "NOT_IMPLEMENTED", "MESSAGE_DEPRECATED"})
SINGLY = 20
"""So many changed records of a class are read one by one; where there are more, the whole class is."""

Table = dict[str, Record]


class Call(Protocol):
    """A call in a session."""

    def __call__(self, method: str, *params: object) -> Value:
        """Make the call."""


class Batch:
    """What one ``event.from`` told: which records to read again, and how many there are."""

    def __init__(self, said: Value) -> None:
        batch = record_of("event batch", "", said)
        self.token = batch.text("token")
        self.changed: dict[str, set[str]] = {}
        self.gone: dict[str, set[str]] = {}
        events, counts = batch.said.get("events"), batch.said.get("valid_ref_counts")
        for each in events if isinstance(events, list) else ():
            event = record_of("event", "", each)
            told = self.gone if event.text_or("operation") == "del" else self.changed
            told.setdefault(event.text_or("class").lower(), set()).add(event.text_or("ref"))
        self.counts = {
            key: count for key, count in (counts.items() if isinstance(counts, dict) else ()) if isinstance(count, int)
        }


class View:
    """The records, as of the last look."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._token = ""
        self._has_events = True
        self._is_stale = True
        self.tables: dict[str, Table] = {kind: {} for kind in CLASSES}

    def forget(self) -> None:
        """Read everything anew at the next look."""
        self._is_stale = True

    def look(self) -> dict[str, Table]:
        """Bring the records up to date; answer them by class and reference."""
        with self._lock:
            if not (self._is_stale or not self._has_events or not self._token):
                self._follow()
            if self._is_stale or not self._has_events or not self._token:
                self._read_all()
            return {kind: dict(table) for kind, table in self.tables.items()}

    def _read_all(self) -> None:
        self._is_stale = False  # whoever loses our session while we read says so again
        # The token is of the whole pool, whichever class it was got with: one that has a single record tells it fast.
        token = self._events("", ("pool",))[0] if self._has_events else ""
        for kind in CLASSES:
            self._read_class(kind)
        self._token = token

    def _events(self, token: str, classes: tuple[str, ...] = CLASSES) -> tuple[str, Batch | None]:
        """Ask what has changed; a token that means nothing any more asks for all."""
        try:
            batch = Batch(self._call("event.from", [kind.lower() for kind in classes], token, 0.0))
        except RefusedError as error:
            if error.code in NO_EVENTS:
                self._has_events = False
                return "", None
            if error.code in {"EVENT_FROM_TOKEN_PARSE_FAILURE", "EVENTS_LOST"} and token:
                return "", None
            raise
        return batch.token, batch

    def _follow(self) -> None:
        token, batch = self._events(self._token)
        if batch is None:
            self._token = ""
            return
        for kind in CLASSES:
            changed, gone = batch.changed.get(kind.lower(), set()), batch.gone.get(kind.lower(), set())
            table = self.tables[kind]
            for ref in gone:
                table.pop(ref, None)
            if len(changed) > SINGLY:
                self._read_class(kind)
            else:
                for ref in changed:
                    self._read_one(kind, ref)
            count = batch.counts.get(kind.lower())
            if count is not None and count != len(self.tables[kind]):
                self._read_class(kind)
        self._token = token

    def _read_one(self, kind: str, ref: str) -> None:
        try:
            self.tables[kind][ref] = record_of(kind, ref, self._call(f"{kind}.get_record", ref))
        except RefusedError as error:
            if error.code != "HANDLE_INVALID":
                raise
            self.tables[kind].pop(ref, None)

    def _read_class(self, kind: str) -> None:
        said = self._call(f"{kind}.get_all_records")
        if not isinstance(said, dict):
            msg = f"The pool answered for all of class {kind} with what are no records."
            raise AnswerUnreadableError(msg, record=kind)
        self.tables[kind] = {ref: record_of(kind, ref, each) for ref, each in said.items() if ref != NULL}
