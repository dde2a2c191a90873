"""The calls that every class has: records, references, and fields to read and to set."""

import re
from typing import cast

from xenweb.lab.xapi.model import CallModel, FieldModel, Value, model
from xenweb.lab.xapi.store import Record, Store
from xenweb.lab.xapi.wire import XapiError

WHOLE = frozenset(
    {"get_record", "get_all", "get_all_records", "get_all_records_where", "get_by_uuid", "get_by_name_label"}
)
_VERB = re.compile(r"(get|set|add_to|remove_from|add|remove)_(.+)")
_EQUALS = re.compile(r'\s*field "([a-zA-Z_0-9]+)"\s*=\s*"?([^"]*)"?\s*')


def is_generic(name: str, call: CallModel) -> bool:
    """Say whether a call is one of those that every class has."""
    if call.name in WHOLE:
        return True
    verb, field = _parts(name)
    if field is None or not (call.is_implicit or verb == "get"):
        return False
    return verb == "get" or field.writable


def _parts(name: str) -> tuple[str, FieldModel | None]:
    kind, _, call = name.partition(".")
    found = _VERB.fullmatch(call)
    if found is None:
        return "", None
    return found[1], model().classes[kind].fields.get(found[2])


def answer_generic(store: Store, name: str, call: CallModel, params: list[Value]) -> Value:
    """Answer a call that every class has; the session is left out of ``params``."""
    kind = name.partition(".")[0]
    if call.name in WHOLE:
        return _whole(store, kind, call.name, params)
    verb, field = _parts(name)
    if field is None:
        raise XapiError("NOT_IMPLEMENTED", name)
    ref = str(params[0])
    with store.lock:
        if verb == "get":
            return store.record(kind, ref)[field.name]
        if verb == "set":
            store.set(kind, ref, **{field.name: params[1]})
        elif field.kind.endswith(" map"):
            _map_change(store, kind, ref, field.name, params[1:])
        else:
            said = set(store.listed(kind, ref, field.name))
            changed = said | {str(params[1])} if verb.startswith("add") else said - {str(params[1])}
            store.set(kind, ref, **{field.name: cast("Value", sorted(changed))})
    return ""


def _map_change(store: Store, kind: str, ref: str, field: str, params: list[Value]) -> None:
    key = str(params[0])
    if len(params) == 1:
        store.put(kind, ref, field, key, None)
        return
    known = store.mapped(kind, ref, field)
    if key in known:
        raise XapiError("MAP_DUPLICATE_KEY", kind, field, ref, key, known[key], str(params[1]))
    store.put(kind, ref, field, key, params[1])


def _whole(store: Store, kind: str, name: str, params: list[Value]) -> Value:
    with store.lock:
        rows = store.tables[kind]
        if name == "get_record":
            return dict(store.record(kind, str(params[0])))
        if name == "get_by_uuid":
            return store.by_uuid(kind, str(params[0]))
        if name == "get_all":
            return list(rows)
        if name == "get_by_name_label":
            return [ref for ref, row in rows.items() if row.record["name_label"] == params[0]]
        records: Record = {ref: dict(row.record) for ref, row in rows.items()}
        if name == "get_all_records":
            return records
        return {ref: record for ref, record in records.items() if _meets(cast("Record", record), str(params[0]))}


def _meets(record: Record, query: str) -> bool:
    """Judge a record by a query of the simplest form, or ``true``."""
    if query.strip() == "true":
        return True
    found = _EQUALS.fullmatch(query)
    if found is None:
        raise XapiError("INTERNAL_ERROR", f"the simulated pool reads no query like {query}")
    value = record.get(found[1])
    return str(value).lower() == found[2].lower() if isinstance(value, bool) else str(value) == found[2]
