"""What happened when, so that a surprise can be explained from the printed report alone."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

BEFORE, AFTER = timedelta(seconds=15), timedelta(seconds=5)
MOST = 40


@dataclass(frozen=True, order=True)
class Entry:
    """One thing that happened."""

    at: datetime
    what: str

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S}.{self.at.microsecond // 1000:03} {self.what}"

    __repr__ = __str__


class Chronicle:
    """Written by many threads at once."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def tell(self, what: str) -> None:
        """Write down what happens right now."""
        with self._lock:
            self._entries.append(Entry(datetime.now(UTC), what))

    def entries(self) -> list[Entry]:
        """Return everything so far."""
        with self._lock:
            return list(self._entries)


def told_by(moves: Iterable[dict[str, Any]]) -> list[Entry]:
    """Write down when each move was asked for and when it ended, as the product tells it."""
    found = []
    for move in moves:
        way = f"{move['id']}: {move['vm_name']} from {move['source_name']} to {move['target_name']}"
        found.append(Entry(datetime.fromisoformat(move["requested_at"]), f"{way} asked for"))
        if move["ended_at"]:
            word = f"{way} {move['state']} {move['failure_code'] or ''}".rstrip()
            found.append(Entry(datetime.fromisoformat(move["ended_at"]), word))
        else:
            found.append(Entry(datetime.now(UTC), f"{way} still {move['state']} {move['failure_code'] or ''}".rstrip()))
    return found


def around(entries: Iterable[Entry], moments: Iterable[datetime]) -> list[str]:
    """Pick what happened shortly before and after some moments, in its order and at most so much of it."""
    wanted = list(moments)
    near = sorted(entry for entry in entries if any(-BEFORE <= entry.at - moment <= AFTER for moment in wanted))
    said = [str(entry) for entry in near[:MOST]]
    return said if len(near) <= MOST else [*said, f"... and {len(near) - MOST} more"]
