"""Reads what a guest's witness says on its console, on every host it has been on. Nothing here asks libvirt or Xen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

WORDS_OF_A_BEAT: Final = 7


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat: its number, three clocks of the guest in microseconds, newest safe record, MiB changed so far."""

    number: int
    realtime: int
    boottime: int
    monotonic: int
    disk: int
    changed: int


def parse(line: str) -> Beat | None:
    """Return the beat a console line holds, or None: for other words and for a line that is not whole."""
    words = line.strip().split(" ")
    if len(words) != WORDS_OF_A_BEAT or words[0] != "beat" or not line.endswith("\n"):
        return None
    try:
        return Beat(*(int(word) for word in words[1:]))
    except ValueError:
        return None


def beats(console: str) -> list[Beat]:
    """Return the beats in the text of a console."""
    return [beat for line in console.splitlines(keepends=True) if (beat := parse(line))]


def newest(ends: str) -> dict[str, Beat]:
    """Return each guest's newest beat in the ends of many consoles, each headed by ``== guest-NAME.log``."""
    found: dict[str, Beat] = {}
    guest = ""
    for line in ends.splitlines(keepends=True):
        if line.startswith("== guest-"):
            guest = line.strip().removeprefix("== guest-").removesuffix(".log")
        elif beat := parse(line):
            found[guest] = beat
    return found


def last_start(heard: Iterable[Beat]) -> list[Beat]:
    """Return the beats of a guest's last start in their order, from the consoles of all hosts it has been on."""
    result: list[Beat] = []
    for beat in sorted(heard, key=lambda beat: (beat.realtime, beat.number)):
        if beat.number == 1:
            result.clear()
        result.append(beat)
    return result


def is_gap_free(heard: Sequence[Beat]) -> bool:
    """Return whether the numbers go up by one and nothing counted ever goes back."""
    return all(
        after.number == before.number + 1
        and after.monotonic > before.monotonic
        and after.disk >= before.disk
        and after.changed >= before.changed
        for before, after in pairwise(heard)
    )


def widest_gap(heard: Sequence[Beat]) -> float | None:
    """Return the longest time between two beats in seconds by the guest's own wall clock; None with fewer than two."""
    gaps = [after.realtime - before.realtime for before, after in pairwise(heard)]
    return max(gaps) / 1e6 if gaps else None
