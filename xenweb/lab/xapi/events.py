"""``event.from``: what has changed since a token, one event a record, with its latest state."""

import re
import time
from typing import cast

from xenweb.lab.xapi.model import Value
from xenweb.lab.xapi.store import Store
from xenweb.lab.xapi.wire import Int32, XapiError

BEFORE = BETWEEN = 0.05
"""Seconds that a batch gathers for; a subscription to tasks alone is told at once."""

_TOKEN = re.compile(r"(\d{20}),(\d{20})")
Told = dict[str, Value]
NEVER_TOLD = frozenset({"session"})


def token(generation: int) -> str:
    """Write the token of a moment: it sorts as text."""
    return f"{generation:020d},{generation:020d}"


def _since(said: str) -> int:
    if not said:
        return 0
    found = _TOKEN.fullmatch(said)
    if found is None:
        raise XapiError("EVENT_FROM_TOKEN_PARSE_FAILURE", said)
    return int(found[1])


class _Wanted:
    """The classes and single records that a caller subscribes to."""

    def __init__(self, store: Store, classes: list[str]) -> None:
        lowered = [each.lower() for each in classes]
        told = [kind for kind in store.tables if kind not in NEVER_TOLD]
        known = {kind.lower(): kind for kind in told}
        single = [each.split("/", 1) for each in lowered if "/" in each]
        self.single = {(known[kind], ref) for kind, ref in single if kind in known}
        self.whole = set(told) if "*" in lowered else {known[each] for each in lowered if each in known}
        self.classes = self.whole | {kind for kind, _ in self.single}
        self.is_task_only = self.classes == {"task"}

    def takes(self, kind: str, ref: str) -> bool:
        return kind in self.whole or (kind, ref.lower()) in self.single


def _event(number: int, kind: str, operation: str, ref: str, record: dict[str, Value] | None) -> dict[str, Value]:
    told: dict[str, Value] = {
        "id": str(number),
        "timestamp": "0.0",
        "class": kind.lower(),
        "operation": operation,
        "ref": ref,
    }
    return told if record is None else told | {"snapshot": dict(record)}


def _gathered(store: Store, wanted: _Wanted, since: int) -> list[Told]:
    added, changed, gone = list[Told](), list[Told](), list[Told]()
    for kind, ref, row in store.changed_since(since):
        if wanted.takes(kind, ref):
            is_new = row.made > since
            event = _event(row.changed, kind, "add" if is_new else "mod", ref, row.record)
            (added if is_new else changed).append(event)
    for kind in wanted.classes:
        # An object that came and went in between was never told of, and is not now.
        for number, ref in store.deletions[kind]:
            if number > since and wanted.takes(kind, ref):
                gone.append(_event(number, kind, "del", ref, None))
    added.sort(key=lambda event: event["class"] != "message")  # messages come first
    return [*added, *changed, *(gone if since else [])]


def events_from(store: Store, classes: list[str], said: str, timeout: float) -> dict[str, Value]:
    """Wait for changes up to ``timeout`` seconds; answer the batch, empty if there were none."""
    since, wanted = _since(said), _Wanted(store, classes)
    deadline = time.monotonic() + max(0.0, timeout)
    if not wanted.is_task_only:
        time.sleep(min(BEFORE, max(0.0, timeout)))
    with store.news:
        while not (found := _gathered(store, wanted, since)):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            store.news.wait(left)
            if not wanted.is_task_only:
                store.news.wait(BETWEEN)
        counts: dict[str, Value] = {kind.lower(): Int32(len(rows)) for kind, rows in store.tables.items()}
        return {
            "events": cast("list[Value]", found),
            "valid_ref_counts": counts,
            "token": token(store.generation),
        }
