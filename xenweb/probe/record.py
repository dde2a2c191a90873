"""What is seen of one move by one helper: small, complete, told anew at every step.

Moments are seconds of the host's monotonic clock. A record that got lost costs nothing: the next one says all.
"""

from dataclasses import dataclass, field
from typing import Final

MOST_PASSES: Final = 64
MOST_ERRORS: Final = 5
LONGEST_TEXT: Final = 300


@dataclass
class Pass:
    """One pass in pages; ``label`` is Xen's own number, which the last pass may share with the one before."""

    label: int
    live: bool
    began: float
    total: int
    done: int = 0
    ended: float | None = None


@dataclass
class Record:
    """One helper's work: on the source it saves, on the target it restores."""

    pid: int
    mode: str
    number: int
    began: float
    passes: list[Pass] = field(default_factory=list)
    suspend_asked: float | None = None
    suspended: float | None = None
    results: float | None = None
    completed: float | None = None
    value: int | None = None
    ended: float | None = None
    errors: list[str] = field(default_factory=list)
    understood: bool = True
    cancel: str = ""

    def pass_seen(self, label: int, done: int, total: int, at: float) -> bool:
        """Lay one progress frame over the record; answer whether a new pass has begun."""
        live = self.suspend_asked is None
        last = self.passes[-1] if self.passes else None
        is_new = last is None or (last.label, last.live) != (label, live)
        if last is None or is_new:
            self.pass_end(at)
            if len(self.passes) >= MOST_PASSES:
                del self.passes[0]
            last = Pass(label, live, at, total)
            self.passes.append(last)
        last.done, last.total = done, total
        if total and done >= total and last.ended is None:
            last.ended = at
        return is_new

    def pass_end(self, at: float) -> None:
        """Close the last pass, if it is open."""
        if self.passes and self.passes[-1].ended is None:
            self.passes[-1].ended = at

    def seconds_left(self, at: float) -> float:
        """Estimate how long the pass under way still takes, by how fast it went so far; 0 where nobody knows."""
        last = self.passes[-1] if self.passes else None
        if last is None or last.ended is not None or not last.done:
            return 0.0
        return (last.total - last.done) * (at - last.began) / last.done

    def error_seen(self, text: str) -> None:
        """Keep what the helper says went wrong; the newest few."""
        self.errors = [*self.errors, text[:LONGEST_TEXT]][-MOST_ERRORS:]

    def as_json(self) -> dict[str, object]:
        """Answer what is told of it; its parts are not copied, for it is told many times in a move."""
        return {**vars(self), "passes": [vars(each) for each in self.passes]}
