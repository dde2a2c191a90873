"""Say a refusal of the XenAPI in a sentence that names things, and keep its code and parameters as facts."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from xenweb.core.placement import Fact
from xenweb.core.quantities import human_size
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.records import Record
from xenweb.drivers.xapi_driver.word_table import WORDS

LONGEST = 300
ARTICLES = ("the ", "a ", "an ", "it ")
_PLACE = re.compile(r"\{(\w+)\}")
_CLASSES = {
    "VM": "the VM",
    "host": "the host",
    "SR": "a storage repository",
    "VDI": "a disk",
    "network": "a network",
    "PIF": "an interface",
    "pool": "the pool",
}
_REFERENCE = re.compile(r"OpaqueRef:[\w:-]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

LOG_HINT = "See the log of the host (/var/log/xensource.log) at that time."
OPERATIONS = {
    "pool_migrate": "being moved",
    "migrate_send": "being moved with its disks",
    "snapshot": "having a snapshot taken",
    "checkpoint": "having a snapshot taken",
    "clean_shutdown": "being shut down",
    "hard_shutdown": "being shut down",
    "clean_reboot": "being restarted",
    "hard_reboot": "being restarted",
    "start": "being started",
    "suspend": "being suspended",
    "resume": "being resumed",
    "export": "being exported",
    "metadata_export": "being exported",
    "copy": "being copied",
    "clone": "being cloned",
}


class Names:
    """The names of things by reference and by UUID."""

    def __init__(self, tables: Mapping[str, Mapping[str, Record]]) -> None:
        self._known: dict[str, tuple[str, str]] = {}
        for kind in _CLASSES:
            for ref, record in tables.get(kind, {}).items():
                name = record.text_or("name_label") or record.text_or("device") or record.text_or("bridge")
                for key in (ref, record.text_or("uuid")):
                    if key and name:
                        self._known[key] = (kind, name)

    def of(self, key: str) -> tuple[str, str] | None:
        """Answer the class and the name of what a reference or a UUID stands for."""
        return self._known.get(key)

    def first(self, kind: str, params: Iterable[str]) -> str:
        """Answer the name of the first parameter that is of a class."""
        for each in params:
            known = self._known.get(each)
            if known is not None and known[0] == kind:
                return known[1]
        return _CLASSES[kind]

    def instead(self, text: str) -> str:
        """Write names where references and UUIDs stand in a text."""
        return _REFERENCE.sub(lambda found: (self._known.get(found[0]) or ("", "something"))[1], text)


@dataclass(frozen=True, slots=True)
class Saying:
    """What a refusal means. ``is_known`` is False for a code that we have no words for."""

    code: str
    sentence: str
    remedy: str
    params: tuple[str, ...]
    is_known: bool = True

    @property
    def finding_code(self) -> str:
        """Answer the code as our findings write codes."""
        return self.code.lower()

    @property
    def facts(self) -> dict[str, Fact]:
        """Answer the pool's own words."""
        return {"xapi_code": self.code, "xapi_params": self.params}


def said(error: RefusedError, names: Names) -> Saying:
    """Say what a refusal means."""
    params = tuple(names.instead(each[:LONGEST]) for each in error.params)
    sentence, remedy, is_known = _said_of(error, names)
    return Saying(error.code, sentence, remedy, params, is_known)


def _said_of(error: RefusedError, names: Names) -> tuple[str, str, bool]:
    params = tuple(each[:LONGEST] for each in error.params)
    special = _SPECIAL.get(error.code)
    if special is not None:
        sentence, remedy = special(params, names)
        return (*_capital(names.instead(sentence), remedy), True)
    if error.code.startswith("SR_BACKEND_FAILURE"):
        return (*_storage_said_no(error.code, params, names), True)
    words = WORDS.get(error.code)
    if words is None:
        more = f" ({names.instead(', '.join(params))})" if any(params) else ""
        sentence = f"The pool refused with {error.code}{more}, for which we have no words."
        return names.instead(sentence), LOG_HINT, False
    return (*_capital(*(_filled(each, params, names) for each in words)), True)


def _capital(sentence: str, remedy: str) -> tuple[str, str]:
    if sentence.startswith(ARTICLES):  # a name is written as it is, wherever it stands
        sentence = sentence[:1].upper() + sentence[1:]
    return (sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."), remedy


def _filled(template: str, params: tuple[str, ...], names: Names) -> str:
    def fill(found: re.Match[str]) -> str:
        key = found[1]
        if not key.isdigit():
            return names.first(key, params)
        value = params[int(key)] if int(key) < len(params) else "it does not say what"
        return names.instead(value).rstrip(".") if value else "it does not say what"

    return _PLACE.sub(fill, template)


def _power(params: tuple[str, ...], names: Names) -> tuple[str, str]:
    vm = names.first("VM", params)
    expected = params[1] if len(params) > 1 else "in another state"
    actual = params[2] if len(params) > 2 else "not that"  # noqa: PLR2004
    return f"{vm} is {actual}, and this needs it to be {expected.replace(', ', ' or ')}.", "Look at the board again."


def _busy(params: tuple[str, ...], names: Names) -> tuple[str, str]:
    thing = next((known[1] for each in params if (known := names.of(each))), "it")
    words = params[2] if len(params) > 2 else ""  # noqa: PLR2004
    under_way = [OPERATIONS.get(each, f"busy with {each}") for each in words.strip("{}").split(",") if each]
    doing = " and ".join(dict.fromkeys(under_way)) or "busy with something else"
    return f"{thing} is {doing} by another hand.", "Wait for that to end, or end it."


def _blocked(params: tuple[str, ...], names: Names) -> tuple[str, str]:
    reason = params[1] if len(params) > 1 and params[1].lower() not in {"", "true", "1", "yes"} else ""
    why = f": {reason}" if reason else ", and gave no reason"
    return (
        f"Somebody forbade this for {names.first('VM', params)}{why}.",
        "Ask whoever did, or lift the block in the pool.",
    )


def _memory(params: tuple[str, ...], names: Names) -> tuple[str, str]:
    """Two numbers of bytes; or one VM, from an evacuation, whose cause may be another than memory."""
    remedy = "Free memory there, or choose another host."
    match params:
        case (needed, free) if needed.isdigit() and free.isdigit():
            return (
                f"{human_size(int(needed))} of memory are needed, and the host has {human_size(int(free))} free.",
                remedy,
            )
        case (vm,) if names.of(vm):
            vm_name = names.first("VM", params)
            return (
                f"No other host can take {vm_name}: memory, its storage or high availability may be the cause.",
                remedy,
            )
        case _:
            return "The host has too little free memory.", remedy


def _evacuation(params: tuple[str, ...], names: Names) -> tuple[str, str]:
    told = []
    for group in (params[0] if params else "").split("|"):
        code, *rest = group.split(",")
        if code:
            told.append(said(RefusedError(code, tuple(rest)), names).sentence)
    return "The host cannot be emptied. " + " ".join(told), "Mend what each sentence names, or move those VMs by hand."


def _storage_said_no(code: str, params: tuple[str, ...], names: Names) -> tuple[str, str]:
    text = next((each for each in reversed(params) if each.strip()), "it does not say why")
    number = code.rpartition("_")[2]
    return (
        f"The storage driver said no (failure {number}): {names.instead(text).rstrip('.')}.",
        "See the storage itself, and /var/log/SMlog of the host.",
    )


def _internal(params: tuple[str, ...], names: Names) -> tuple[str, str]:
    text = names.instead(" ".join(params))[:LONGEST].rstrip(".")
    return f"The pool's own software failed: {text or 'it does not say how'}.", LOG_HINT


def _broke(params: tuple[str, ...], names: Names) -> tuple[str, str]:
    """Its parameters are UUIDs: VM, source, target, and a text."""
    text = names.instead(params[3]).rstrip(".") if len(params) > 3 else "it does not say why"  # noqa: PLR2004
    return f"The move of {names.first('VM', params)} failed on the way: {text}.", LOG_HINT


_SPECIAL: dict[str, Callable[[tuple[str, ...], Names], tuple[str, str]]] = {
    "VM_BAD_POWER_STATE": _power,
    "OTHER_OPERATION_IN_PROGRESS": _busy,
    "OPERATION_BLOCKED": _blocked,
    "HOST_NOT_ENOUGH_FREE_MEMORY": _memory,
    "CANNOT_EVACUATE_HOST": _evacuation,
    "INTERNAL_ERROR": _internal,
    "VM_MIGRATE_FAILED": _broke,
}
HAVE_WORDS = frozenset(WORDS) | frozenset(_SPECIAL)
