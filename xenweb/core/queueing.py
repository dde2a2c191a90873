"""Whose turn it is: limits per host, per link and in all; fair between teams; nobody waits for ever.

Pure: what waits and what runs comes in, the moves to begin now come out, and for all others what they wait for.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Limits:
    """How many moves may be under way: on one host, over one pair of hosts, in all."""

    per_host: int = 2
    per_link: int = 2
    in_all: int = 8


@dataclass(frozen=True, slots=True)
class Sending:
    """How many VMs one host may send at once by its hypervisor's own rules; None: it has no such rule.

    ``copying`` counts those alone whose disks are copied along.
    """

    moves: int | None = None
    copying: int | None = None


UNLIMITED = Sending()


@dataclass(frozen=True, slots=True)
class Entry:
    """A move that waits or runs. ``since`` are seconds on any one clock; ``team`` None is everybody's.

    ``copies`` says that disks travel along, ``sending`` is what its source may send at once. ``stays`` says that
    the VM itself stays where it is, and a disk of it alone travels: of all limits only that of copies is about it.
    """

    migration: str
    team: int | None
    source: int
    target: int
    since: float
    copies: bool = False
    sending: Sending = UNLIMITED
    stays: bool = False

    @property
    def link(self) -> frozenset[int]:
        """Answer the pair of hosts, in whatever direction."""
        return frozenset({self.source, self.target})


class Hold(StrEnum):
    """What keeps a move from beginning."""

    ALL = "all"
    HOST = "host"
    LINK = "link"
    SENDS = "sends"
    COPIES = "copies"
    OLDER = "older"


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a move waits: what holds it, at which host, and how many there may be."""

    hold: Hold
    host: int
    most: int = 0


PATIENCE = 60.0
"""Seconds after which the oldest waiting move is served first, whatever it blocks meanwhile.

Without that a move between two busy hosts could wait for ever: each of them is
taken again before both are free. Only the oldest has it: if all that are overdue
had, one team's flood would take every turn of the others.
"""


class _Load:
    """What is taken of each limit."""

    def __init__(self, running: Iterable[Entry], limits: Limits) -> None:
        self._limits = limits
        self._hosts: Counter[int] = Counter()
        self._links: Counter[frozenset[int]] = Counter()
        self._sending: Counter[int] = Counter()
        self._copying: Counter[int] = Counter()
        self._all = 0
        self._reserved: frozenset[int] = frozenset()
        for entry in running:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        self._copying[entry.source] += entry.copies
        if entry.stays:
            return
        self._hosts.update(entry.link)
        self._links[entry.link] += 1
        self._sending[entry.source] += 1
        self._all += 1

    @property
    def is_full(self) -> bool:
        return self._all >= self._limits.in_all

    def wait_of(self, entry: Entry) -> Wait | None:
        """Say what holds a move; None if nothing does."""
        limits, source = self._limits, entry.source
        if self.is_full and not entry.stays:
            return Wait(Hold.ALL, source, limits.in_all)
        # What a hypervisor would refuse is told before what we hold back ourselves.
        copying, moves = entry.sending.copying, entry.sending.moves
        if entry.copies and copying is not None and self._copying[source] >= copying:
            return Wait(Hold.COPIES, source, copying)
        if entry.stays:
            return None
        if moves is not None and self._sending[source] >= moves:
            return Wait(Hold.SENDS, source, moves)
        full = next((host for host in (source, entry.target) if self._hosts[host] >= limits.per_host), None)
        if full is not None:
            return Wait(Hold.HOST, full, limits.per_host)
        if self._links[entry.link] >= limits.per_link:
            return Wait(Hold.LINK, source, limits.per_link)
        reserved = next((host for host in (source, entry.target) if host in self._reserved), None)
        return None if reserved is None else Wait(Hold.OLDER, reserved)

    def takes(self, entry: Entry) -> bool:
        return self.wait_of(entry) is None

    def reserve(self, entry: Entry) -> None:
        self._reserved = entry.link


def order(waiting: Iterable[Entry], running: Iterable[Entry]) -> list[Entry]:
    """Put what waits in the order of its turns: the team with the fewest moves first, then the oldest."""
    taken: Counter[int | None] = Counter(entry.team for entry in running)
    queues: dict[int | None, list[Entry]] = {}
    for entry in sorted(waiting, key=lambda entry: (entry.since, entry.migration)):
        queues.setdefault(entry.team, []).append(entry)
    ordered: list[Entry] = []
    while queues:
        team = min(queues, key=lambda team: (taken[team], queues[team][0].since, queues[team][0].migration))
        ordered.append(queues[team].pop(0))
        taken[team] += 1
        if not queues[team]:
            del queues[team]
    return ordered


def next_moves(waiting: Sequence[Entry], running: Sequence[Entry], limits: Limits, now: float) -> list[Entry]:
    """Answer the moves that may begin now, in the order of their turns."""
    return _chosen(waiting, running, limits, now)[0]


def waits(waiting: Sequence[Entry], running: Sequence[Entry], limits: Limits, now: float) -> dict[str, Wait]:
    """Say what every move waits for that may not begin now, counting those that may as under way."""
    chosen, load = _chosen(waiting, running, limits, now)
    beginning = {entry.migration for entry in chosen}
    told = {entry.migration: load.wait_of(entry) for entry in waiting if entry.migration not in beginning}
    return {migration: wait for migration, wait in told.items() if wait is not None}


def _chosen(
    waiting: Sequence[Entry], running: Sequence[Entry], limits: Limits, now: float
) -> tuple[list[Entry], _Load]:
    load = _Load(running, limits)
    oldest = min(
        (each for each in waiting if not each.stays), key=lambda entry: (entry.since, entry.migration), default=None
    )
    overdue = oldest if oldest is not None and now - oldest.since > PATIENCE else None
    chosen: list[Entry] = []
    # The sort is stable: the overdue one comes first, all others in their turns.
    for entry in sorted(order(waiting, running), key=lambda entry: entry is not overdue):
        if load.takes(entry):
            load.add(entry)
            chosen.append(entry)
        elif entry is overdue:
            load.reserve(entry)
    return chosen, load
