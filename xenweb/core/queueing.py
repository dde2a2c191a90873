"""Whose turn it is: limits per host, per link and in all; fair between teams; nobody waits for ever.

Pure: what waits and what runs comes in, the moves to begin now come out.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How many moves may be under way: on one host, over one pair of hosts, in all."""

    per_host: int = 2
    per_link: int = 2
    in_all: int = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """A move that waits or runs. ``since`` are seconds on any one clock; ``team`` None is everybody's."""

    migration: str
    team: int | None
    source: int
    target: int
    since: float

    @property
    def link(self) -> frozenset[int]:
        """Answer the pair of hosts, in whatever direction."""
        return frozenset({self.source, self.target})


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
        self._all = 0
        self._reserved: frozenset[int] = frozenset()
        for entry in running:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        self._hosts.update(entry.link)
        self._links[entry.link] += 1
        self._all += 1

    @property
    def is_full(self) -> bool:
        return self._all >= self._limits.in_all

    def takes(self, entry: Entry) -> bool:
        if self.is_full or self._links[entry.link] >= self._limits.per_link or entry.link & self._reserved:
            return False
        return all(self._hosts[host] < self._limits.per_host for host in entry.link)

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
    load = _Load(running, limits)
    oldest = min(waiting, key=lambda entry: (entry.since, entry.migration), default=None)
    overdue = oldest if oldest is not None and now - oldest.since > PATIENCE else None
    chosen: list[Entry] = []
    # The sort is stable: the overdue one comes first, all others in their turns.
    for entry in sorted(order(waiting, running), key=lambda entry: entry is not overdue):
        if load.is_full:
            break
        if load.takes(entry):
            load.add(entry)
            chosen.append(entry)
        elif entry is overdue:
            load.reserve(entry)
    return chosen
