"""Reads what a guest says about itself: its heartbeat, and the counters on its disk.

These are the witnesses of a move. Nothing here asks libvirt or QEMU.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

SECTOR: Final = 512
RING: Final = 1024
SECTOR_MARK: Final = b"PULS"
WORDS_OF_A_BEAT: Final = 6
ALL_BITS: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat: its number, the guest's own ticks, pages changed, newest disk counter, pages found damaged."""

    number: int
    ticks: int
    changed: int
    disk: int
    damaged: int


def parse(line: str) -> Beat | None:
    """Return the beat a console line holds, or None: for other words and for a line not yet complete."""
    words = line.split(" ")
    if len(words) != WORDS_OF_A_BEAT or words[0] != "beat" or not line.endswith("\n"):
        return None
    try:
        return Beat(*(int(word) for word in words[1:]))
    except ValueError:
        return None


def beats(console: Path, since: int = 0) -> list[Beat]:
    """Return the beats of the guest's last start in a console file, from byte ``since`` on."""
    with console.open("rb") as file:
        file.seek(since)
        lines = file.read().decode("ascii", errors="replace").splitlines(keepends=True)
    return of_last_start(beat for line in lines if (beat := parse(line)))


def of_last_start(all_beats: Iterable[Beat]) -> list[Beat]:
    """Return the beats from the last beat number 1 on: a guest started again counts anew."""
    result: list[Beat] = []
    for beat in all_beats:
        if beat.number == 1:
            result.clear()
        result.append(beat)
    return result


def beats_after(all_beats: Sequence[Beat], number: int) -> list[Beat]:
    """Return the beats with a higher number."""
    return [beat for beat in all_beats if beat.number > number]


def is_gap_free(all_beats: Sequence[Beat]) -> bool:
    """Return whether the numbers go up by one and nothing counted ever goes back.

    A guest that woke up with old memory repeats numbers; one that lost a line jumps over one.
    """
    return all(
        after.number == before.number + 1
        and after.ticks > before.ticks
        and after.changed >= before.changed
        and after.disk >= before.disk
        for before, after in pairwise(all_beats)
    )


def is_undamaged(all_beats: Sequence[Beat]) -> bool:
    """Return whether the guest never found a page of its memory in a state it had not written."""
    return all(beat.damaged == 0 for beat in all_beats)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A beat, and when it was seen: seconds on a monotonic clock."""

    beat: Beat
    at: float


def largest_gap_ms(arrivals: Sequence[Arrival]) -> float | None:
    """Return the longest silence between two beats in ms, or None with fewer than two."""
    gaps = [after.at - before.at for before, after in pairwise(arrivals)]
    return max(gaps) * 1000 if gaps else None


def longest_pause_ms(arrivals: Sequence[Arrival], period_ms: float) -> float | None:
    """Return how long the guest stood still at most: the longest silence less the normal one, in ms."""
    gap = largest_gap_ms(arrivals)
    return None if gap is None else max(gap - period_ms, 0.0)


@dataclass(frozen=True, slots=True)
class DiskCounters:
    """What a guest's disk holds: the newest counter, and those missing among the newest 1024."""

    newest: int
    missing: tuple[int, ...]


def disk_counters(image: Path) -> DiskCounters:
    """Read the counters a guest wrote on its raw disk; a missing one is a lost write."""
    with image.open("rb") as file:
        file.seek(SECTOR)
        ring = file.read(RING * SECTOR)
    written = {counter for n in range(len(ring) // SECTOR) if (counter := _counter(ring, n)) is not None}
    newest = max(written, default=0)
    oldest = max(newest - RING, 0)
    return DiskCounters(newest, tuple(n for n in range(oldest + 1, newest + 1) if n not in written))


def _counter(ring: bytes, place: int) -> int | None:
    sector = ring[place * SECTOR : (place + 1) * SECTOR]
    counter = int.from_bytes(sector[4:8], "little")
    inverse = int.from_bytes(sector[12:16], "little")
    right_place = counter % RING == place and counter ^ inverse == ALL_BITS
    return counter if sector[:4] == SECTOR_MARK and right_place else None
