"""All records of a pool that an inventory needs, kept up by ``event.from``.

Events only wake us: what they name is read again, for their own copies may be old. Where a deletion was
lost, the pool's own count of records tells, and the class is read anew. A pool without events is read whole.
"""

import threading
from collections.abc import Collection
from typing import Protocol

from xenweb.drivers.xapi_driver.errors import AnswerUnreadableError, RefusedError
from xenweb.drivers.xapi_driver.reading import CLASSES, READ
from xenweb.drivers.xapi_driver.records import NULL, Record, record_of
from xenweb.drivers.xapi_driver.transport import Value

NO_EVENTS = frozenset({"MESSAGE_METHOD_UNKNOWN", "MESSAGE_REMOVED", "NOT_IMPLEMENTED", "MESSAGE_DEPRECATED"})
SINGLY = 20
"""So many changed records of a class are read one by one; where there are more, the whole class may be."""

AS_WHOLE = 10
"""The share of a class, as its divisor, from which on reading all of it costs less than reading one by one."""

KEPT = 8
"""So much may be kept for each VM; where more is, VMs have gone, and it is worked out anew."""

Table = dict[str, Record]


class Tables(dict[str, Table]):
    """The records of one moment, which never change; ``memo`` keeps what is worked out from them.

    ``kept`` keeps what is worked out of single VMs, each with the record that it holds for. It is handed on from moment
    to moment while all that lies around VMs is as it was: in a large pool few VMs change between two moments.
    """

    def __init__(self, tables: dict[str, Table], before: "Tables | None" = None) -> None:
        super().__init__(tables)
        self.memo: dict[str, object] = {}
        self.kept: dict[object, tuple[Record, object]] = {}
        if before is not None and _is_around_same(self, before) and len(before.kept) <= KEPT * len(self["VM"]):
            self.kept = before.kept


def _is_around_same(now: Tables, before: Tables) -> bool:
    """Say whether all that tells where VMs may be, and what their disks and networks are called, is as it was."""
    return (
        all(now[kind] is before[kind] for kind in ("VBD", "VDI", "VIF"))
        and all(now[kind] == before[kind] for kind in ("pool", "PBD", "network", "PIF"))
        and now["host"].keys() == before["host"].keys()
        and _named(now["SR"]) == _named(before["SR"])
    )


def _named(repositories: Table) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    return {
        ref: (each.text_or("name_label"), each.text_or("uuid"), each.many("PBDs")) for ref, each in repositories.items()
    }


class Asking(Protocol):
    """What a view asks a pool."""

    def call(self, method: str, *params: object) -> Value:
        """Make a call."""

    def told(self, method: str, *params: object) -> Value:
        """Make a call whose answer may be large."""

    def records(self, kind: str, fields: Collection[str]) -> dict[str, dict[str, Value]]:
        """Read all records of a class."""


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

    def __init__(self, pool: Asking) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._queue = threading.Lock()
        self._asked = self._served = 0
        self._token = ""
        self._has_events = True
        self._is_stale = True
        self._tables: dict[str, Table] = {kind: {} for kind in CLASSES}
        self._told = Tables(self._tables)

    def forget(self) -> None:
        """Read everything anew at the next look."""
        self._is_stale = True

    def look(self) -> Tables:
        """Bring the records up to date; answer them by class and reference.

        Whoever asks while another looks is served by one look that begins after it has ended.
        """
        with self._queue:
            self._asked += 1
            ticket = self._asked
        with self._lock:
            if self._served < ticket:
                with self._queue:
                    serves = self._asked
                self._look()
                self._served = serves
            return self._told

    def _look(self) -> None:
        if not (self._is_stale or not self._has_events or not self._token):
            self._follow()
        if self._is_stale or not self._has_events or not self._token:
            self._read_all()
        if any(self._tables[kind] is not self._told[kind] for kind in CLASSES):
            self._told = Tables(self._tables, self._told)

    def _read_all(self) -> None:
        self._is_stale = False  # whoever loses our session while we read says so again
        try:
            # The token is of the whole pool, whatever class it was got with: one that has a single record is fast.
            token = self._events("", ("pool",))[0] if self._has_events else ""
            for kind in CLASSES:
                self._read_class(kind)
        except BaseException:
            self._is_stale = True
            raise
        self._token = token

    def _events(self, token: str, classes: tuple[str, ...] = CLASSES) -> tuple[str, Batch | None]:
        """Ask what has changed; a token that means nothing any more asks for all."""
        try:
            batch = Batch(self._pool.told("event.from", [kind.lower() for kind in classes], token, 0.0))
        except RefusedError as error:
            if error.code in NO_EVENTS:
                self._has_events = False
                return "", None
            if error.code in {"EVENT_FROM_TOKEN_PARSE_FAILURE", "EVENTS_LOST"} and token:
                return "", None
            raise
        return batch.token, batch

    def _follow(self) -> None:
        try:
            token, batch = self._events(self._token)
        except AnswerUnreadableError:
            # After a long silence a batch may be more than is read at once: then all is read in pieces.
            self._is_stale = True
            return
        if batch is None:
            self._token = ""
            return
        for kind in CLASSES:
            self._follow_class(
                kind,
                batch.changed.get(kind.lower(), set()),
                batch.gone.get(kind.lower(), set()),
                batch.counts.get(kind.lower()),
            )
        self._token = token

    def _follow_class(self, kind: str, changed: set[str], gone: set[str], count: int | None) -> None:
        if changed or gone:
            # What was told before is somebody's: it stays as it was.
            table = {ref: record for ref, record in self._tables[kind].items() if ref not in gone}
            if len(changed) > max(SINGLY, len(table) // AS_WHOLE):
                self._read_class(kind)
            else:
                for ref in changed:
                    self._read_one(table, kind, ref)
                self._put(kind, table)
        if count is not None and count != len(self._tables[kind]):
            self._read_class(kind)

    def _put(self, kind: str, table: Table) -> None:
        """Put a table in the place of the one before, unless nothing in it is otherwise."""
        before = self._tables[kind]
        if len(table) != len(before) or any(before.get(ref) is not each for ref, each in table.items()):
            self._tables[kind] = table

    def _read_one(self, table: Table, kind: str, ref: str) -> None:
        try:
            said = record_of(kind, ref, self._pool.told(f"{kind}.get_record", ref)).said
        except RefusedError as error:
            if error.code != "HANDLE_INVALID":
                raise
            table.pop(ref, None)
            return
        fields = READ.get(kind)
        read = Record(kind, ref, {name: said[name] for name in fields if name in said} if fields else said)
        table[ref] = _same_or(table.get(ref), read)

    def _read_class(self, kind: str) -> None:
        said, before = self._pool.records(kind, READ.get(kind, frozenset())), self._tables[kind]
        read = {ref: record_of(kind, ref, each) for ref, each in said.items() if ref != NULL}
        self._put(kind, {ref: _same_or(before.get(ref), each) for ref, each in read.items()})


def _same_or(before: Record | None, read: Record) -> Record:
    """Answer the record of the moment before where nothing in it has changed: what is worked out from it stays."""
    return before if before is not None and before.said == read.said else read
