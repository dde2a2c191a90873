"""Verifies what a guest's witness wrote on its disk: which records are missing or torn, and where it stood still.

Standard library only and of one piece: the same file runs on the lab's hosts as ``python3 records.py DEVICE``, and
prints the verdict as JSON.
"""

import json
import mmap
import os
import struct
import sys
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise

BLOCK = 4096
MARK = b"WITNESS1"
HEAD = struct.Struct("<8s5Q")
SUM = struct.Struct("<Q")
CHUNK = 256  # blocks read at once


@dataclass(frozen=True, slots=True)
class Record:
    """One whole record: the start of the witness that wrote it, its number, and three clocks in microseconds."""

    run: int
    number: int
    realtime: int
    boottime: int
    monotonic: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the disk holds of the witness's last start.

    ``missing`` and ``torn`` are the numbers among those the disk must still hold whose block holds another record, or
    something that is no record at all. ``widest_gap`` is in seconds between two records, and ``gap_after`` the number
    of the first of them; None with fewer than two records.
    """

    run: int
    newest: int
    whole: int
    missing: tuple[int, ...]
    torn: tuple[int, ...]
    widest_gap: float | None
    gap_after: int | None

    @property
    def is_complete(self) -> bool:
        """Whether nothing that was said to be safe is lost."""
        return not self.missing and not self.torn


def record(block: bytes) -> Record | None:
    """Return the record a block holds, or None when it holds none that is whole."""
    if len(block) != BLOCK or block[: len(MARK)] != MARK:
        return None
    if SUM.unpack_from(block, BLOCK - SUM.size)[0] != zlib.crc32(block[: -SUM.size]):
        return None
    return Record(*HEAD.unpack_from(block)[1:])


def verify(blocks: Iterable[bytes]) -> Verdict:
    """Judge a whole disk, given block by block."""
    held = [(record(block), block[: len(MARK)].strip(b"\0") != b"") for block in blocks]
    run = max((found.run for found, _ in held if found), default=0)
    ours = {found.number: found for found, _ in held if found and found.run == run}
    newest = max(ours, default=0)
    expected = range(max(newest - len(held), 0) + 1, newest + 1)
    lost = [number for number in expected if number not in ours]
    torn = tuple(number for number in lost if _is_torn(held[(number - 1) % len(held)]))
    gaps = [
        (after.realtime - before.realtime, before.number)
        for before, after in pairwise(ours[number] for number in expected if number in ours)
    ]
    widest, after = max(gaps, default=(None, None))
    return Verdict(
        run=run,
        newest=newest,
        whole=len(ours),
        missing=tuple(number for number in lost if number not in torn),
        torn=torn,
        widest_gap=None if widest is None else widest / 1e6,
        gap_after=after,
    )


def _is_torn(place: tuple[Record | None, bool]) -> bool:
    found, is_written = place
    return found is None and is_written


def blocks_of(device: str) -> Iterable[bytes]:
    """Read a device or file block by block, past the cache of this machine."""
    handle = os.open(device, os.O_RDONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, CHUNK * BLOCK) as buffer:  # O_DIRECT wants memory that begins with a page
            while size := os.readv(handle, [buffer]):
                for start in range(0, size, BLOCK):
                    yield buffer[start : start + BLOCK]
    finally:
        os.close(handle)


if __name__ == "__main__":
    print(json.dumps(asdict(verify(blocks_of(sys.argv[1])))))
