"""Ask the probe of a Xen host. Everything here may be silent: then a host can less, and says so."""

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from xenweb.core.quantities import Bytes
from xenweb.drivers.contract import DriverError, Endpoint, MoveRefusedError
from xenweb.probe import wire

CONNECT_WITHIN: Final = 1.0
ANSWER_WITHIN: Final = 3.0
MEND_WITHIN: Final = 90.0
"""Seconds that a remedy may take: a daemon may have to be started anew."""

SILENT_FOR: Final = 5.0
"""Seconds in which a probe that did not answer is not asked again in passing."""

PAGE: Final = 4096
SUSPENDED: Final = 2
"""Xen's reason of a shutdown that was a suspension."""


class ProbeSilentError(DriverError):
    """The host has no probe, or it does not answer."""

    code = "probe_silent"
    remedy = "Install the probe on this host, or see there why it does not answer."


@dataclass(frozen=True, slots=True)
class XenCopy:
    """One copy of a VM as Xen itself has it on one host; ``cpu_time`` in ns."""

    number: int
    uuid: str
    paused: bool
    shutdown: bool
    dying: bool
    reason: int | None
    cpu_time: int

    @property
    def is_suspended(self) -> bool:
        """Say whether it was stopped for a move and not let go on."""
        return self.shutdown and self.reason == SUSPENDED

    @property
    def runs(self) -> bool:
        """Say whether its CPUs may be used at this moment."""
        return not (self.paused or self.shutdown or self.dying)


@dataclass(frozen=True, slots=True)
class SeenPass:
    """One pass as the helper told it; moments are ours, seconds of the monotonic clock."""

    began: float
    ended: float | None
    live: bool
    total: Bytes
    done: Bytes


@dataclass(frozen=True, slots=True)
class SeenMove:
    """What a probe has seen of one helper's work; moments are ours, seconds of the monotonic clock."""

    saves: bool
    alive: bool
    began: float
    passes: tuple[SeenPass, ...]
    suspend_asked: float | None
    results: float | None
    completed: float | None
    ran: float | None
    value: int | None
    errors: tuple[str, ...]
    cancel: str
    now: float


@dataclass(frozen=True, slots=True)
class PathSeen:
    """What stands at one path of a host; ``identity`` is the same on every host that has it, or empty.

    ``kind`` is block, file, other or missing.
    """

    kind: str
    size: Bytes | None
    identity: str


class Probes:
    """The lines of this process to the probes of all hosts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[wire.Line]] = {}
        self._silent: dict[str, float] = {}

    def answers(self, endpoint: Endpoint) -> bool:
        """Say whether a host's probe answers, and stands in its helper's place."""
        with suppress(DriverError):
            said = self._asked(endpoint, "hello")
            return isinstance(said, Mapping) and said.get("relays") is True
        return False

    def copies(self, endpoint: Endpoint, vm_uuid: str) -> tuple[XenCopy, ...] | None:
        """Answer every copy that Xen has of a VM on a host; None where nobody says."""
        return self._copies(endpoint, "where", vm=vm_uuid)

    def guests(self, endpoint: Endpoint) -> tuple[XenCopy, ...] | None:
        """Answer every guest of a host; None where nobody says."""
        return self._copies(endpoint, "guests")

    def _copies(self, endpoint: Endpoint, verb: str, **more: object) -> tuple[XenCopy, ...] | None:
        with suppress(DriverError):
            return tuple(_copy(each) for each in _listed(self._asked(endpoint, verb, ANSWER_WITHIN, **more)))
        return None

    def moves(self, endpoint: Endpoint, vm_uuid: str) -> tuple[SeenMove, ...]:
        """Answer what was seen of a VM's moves on a host, oldest first; nothing where nobody says."""
        before = time.monotonic()
        with suppress(DriverError):
            said = _listed(self._asked(endpoint, "moves", vm=vm_uuid))
            now = (before + time.monotonic()) / 2
            return tuple(_move(each, now) for each in said)
        return ()

    def paths(self, endpoint: Endpoint, paths: Sequence[str]) -> dict[str, PathSeen] | None:
        """Answer what stands at some paths of a host; None where nobody says."""
        with suppress(DriverError):
            said = self._asked(endpoint, "paths", paths=list(paths))
            if isinstance(said, Mapping):
                return {str(path): _path(each) for path, each in said.items()}
        return None

    def bridges(self, endpoint: Endpoint) -> list[str] | None:
        """Name the bridges of a host; None where nobody says."""
        with suppress(DriverError):
            return [str(each) for each in _listed(self._asked(endpoint, "bridges"))]
        return None

    def do(self, endpoint: Endpoint, verb: str, vm_uuid: str = "") -> None:
        """Have a probe do something; raise MoveRefusedError with its reason, or ProbeSilentError."""
        self._ask(endpoint, verb, MEND_WITHIN, vm=vm_uuid)

    def tell(self, endpoint: Endpoint, verb: str, within: float = MEND_WITHIN, **more: object) -> object:
        """Have a probe do something and answer what it says of it; raise MoveRefusedError or ProbeSilentError."""
        return self._ask(endpoint, verb, within, **more)

    def look(self, endpoint: Endpoint, verb: str, within: float = ANSWER_WITHIN, **more: object) -> object:
        """Ask a probe in passing; None where nobody says."""
        with suppress(DriverError):
            return self._asked(endpoint, verb, within, **more)
        return None

    def _asked(self, endpoint: Endpoint, verb: str, within: float = ANSWER_WITHIN, **more: object) -> object:
        """Ask in passing: a probe that was silent a moment ago is not waited for again."""
        with self._lock:
            is_silent = time.monotonic() - self._silent.get(endpoint.probe, float("-inf")) < SILENT_FOR
        if is_silent:
            raise _silent(endpoint)
        return self._ask(endpoint, verb, within, **more)

    def _ask(self, endpoint: Endpoint, verb: str, within: float, **more: object) -> object:
        if not endpoint.probe or not endpoint.probe_key:
            raise _silent(endpoint)
        for is_first in (True, False):
            line, is_old = self._line(endpoint, within, may_be_old=is_first)
            try:
                line.send({"verb": verb, **more})
                answer = line.receive()
            except (OSError, wire.WireError) as error:
                line.close()
                if is_old:
                    continue  # it was kept too long: the probe has ended it, or was started anew
                self._note_silence(endpoint)
                raise _silent(endpoint) from error
            with self._lock:
                self._idle.setdefault(endpoint.probe, []).append(line)
            return _read(answer, endpoint)
        raise _silent(endpoint)

    def _line(self, endpoint: Endpoint, within: float, *, may_be_old: bool) -> tuple[wire.Line, bool]:
        with self._lock:
            idle = self._idle.get(endpoint.probe, [])
            kept = idle.pop() if idle and may_be_old else None
        if kept is not None:
            kept.within(within)
            return kept, True
        host, _, port = endpoint.probe.rpartition(":")
        try:
            connection = socket.create_connection((host.strip("[]"), int(port)), CONNECT_WITHIN)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = wire.called(connection, bytes.fromhex(endpoint.probe_key))
        except (OSError, ValueError, wire.WireError) as error:
            self._note_silence(endpoint)
            raise _silent(endpoint) from error
        line.within(within)
        return line, False

    def _note_silence(self, endpoint: Endpoint) -> None:
        with self._lock:
            self._silent[endpoint.probe] = time.monotonic()


def _silent(endpoint: Endpoint) -> ProbeSilentError:
    return ProbeSilentError(f"The probe of {endpoint.name} does not answer.", host=endpoint.name)


def _read(answer: Mapping[str, object], endpoint: Endpoint) -> object:
    if "error" not in answer:
        return answer.get("answer")
    raise MoveRefusedError(str(answer.get("sentence") or "The probe refused, and did not say why."), host=endpoint.name)


def _listed(said: object) -> list[object]:
    return said if isinstance(said, list) else []


def number_of(said: object) -> float | None:
    """Read a number that a probe said; None for anything else."""
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) else None


def _whole(said: object) -> int:
    return int(number_of(said) or 0)


def _mapped(said: object) -> Mapping[str, object]:
    return said if isinstance(said, Mapping) else {}


def _copy(said: object) -> XenCopy:
    told = _mapped(said)
    reason = number_of(told.get("reason"))
    return XenCopy(
        number=_whole(told.get("number")),
        uuid=str(told.get("uuid", "")),
        paused=bool(told.get("paused")),
        shutdown=bool(told.get("shutdown")),
        dying=bool(told.get("dying")),
        reason=None if reason is None else int(reason),
        cpu_time=_whole(told.get("cpu_time")),
    )


def _path(said: object) -> PathSeen:
    told = _mapped(said)
    size = number_of(told.get("size"))
    return PathSeen(
        str(told.get("kind", "")), None if size is None else Bytes(int(size)), str(told.get("identity", ""))
    )


def _move(said: object, now: float) -> SeenMove:
    told = _mapped(said)
    theirs = number_of(told.get("now")) or 0.0

    def moment(name: str, holder: Mapping[str, object] = told) -> float | None:
        at = number_of(holder.get(name))
        return None if at is None else now - (theirs - at)

    value = number_of(told.get("value"))
    passes = tuple(
        SeenPass(
            began=moment("began", each) or now,
            ended=moment("ended", each),
            live=bool(each.get("live")),
            total=Bytes(_whole(each.get("total")) * PAGE),
            done=Bytes(_whole(each.get("done")) * PAGE),
        )
        for each in map(_mapped, _listed(told.get("passes")))
    )
    return SeenMove(
        saves=told.get("mode") == "save",
        alive=bool(told.get("alive")),
        began=moment("began") or now,
        passes=passes,
        suspend_asked=moment("suspend_asked"),
        results=moment("results"),
        completed=moment("completed"),
        ran=moment("ran"),
        value=None if value is None else int(value),
        errors=tuple(str(each) for each in _listed(told.get("errors"))),
        cancel=str(told.get("cancel", "")),
        now=now,
    )
