"""Disks that a move copies before memory: how far they are, how fast, and how long it will take."""

from dataclasses import dataclass

from xenweb.core.precopy.forecast import FEWEST, Range
from xenweb.core.quantities import Bytes, BytesPerSecond, Milliseconds

RATE_WINDOW = 10_000
"""Milliseconds over which the speed of now is taken: disks are counted in large steps."""

FEWEST_DATA = 0.05
"""The share of a disk that holds data, at least: what holds nothing is not sent."""


@dataclass(frozen=True, slots=True)
class DiskLook:
    """One look at the disks of a running move."""

    at: Milliseconds
    total: Bytes
    processed: Bytes
    remaining: Bytes


@dataclass(frozen=True, slots=True)
class DiskTrack:
    """All that has been seen of a move's disks."""

    last: DiskLook | None = None
    recent: tuple[DiskLook, ...] = ()

    @property
    def rate(self) -> BytesPerSecond | None:
        """Say how fast the disks are copied; None before they are seen to move on.

        Counted in steps, a copy stands still between two looks: only after a whole
        window is that a speed of 0.
        """
        if len(self.recent) < 2:  # noqa: PLR2004 - a comparison needs two
            return None
        first, last = self.recent[0], self.recent[-1]
        if last.at <= first.at or (last.processed <= first.processed and last.at - first.at < RATE_WINDOW):
            return None
        return BytesPerSecond(max(0, last.processed - first.processed) * 1000 / (last.at - first.at))


def observe_disks(track: DiskTrack, look: DiskLook) -> DiskTrack:
    """Lay one more look over a track."""
    kept = tuple(each for each in track.recent if look.at - each.at <= RATE_WINDOW)
    return DiskTrack(look, (*kept, look))


def share_of(disks: DiskLook | None, memory_share: float, copied: Bytes, memory: Bytes) -> float:
    """Estimate how much of a whole move is behind us; disks and memory weigh by their size (0..1)."""
    if not copied:
        return memory_share
    weight = copied / (copied + max(memory, 1))
    behind = 1.0 if memory_share else min(1.0, disks.processed / disks.total) if disks and disks.total else 0.0
    return weight * behind + (1 - weight) * memory_share


def memory_share_in(total_share: float, copied: Bytes, memory: Bytes) -> float:
    """Answer memory's own share again from that of a whole move."""
    if not copied:
        return total_share
    weight = copied / (copied + max(memory, 1))
    return max(0.0, (total_share - weight) / (1 - weight))


def copying(content: Bytes, speed: Range) -> Range:
    """Estimate how many seconds disks take; one that is nearly empty takes next to nothing."""
    return Range(
        FEWEST_DATA * content / max(FEWEST, speed.high),
        content / max(FEWEST, speed.likely),
        content / max(FEWEST, speed.low),
    )
