"""When each hypervisor ends pre-copy: its own rule, played through pass by pass.

Sources: QEMU's migration.c (``migration_update_counters``, ``migration_completion``),
Xen's xg_sr_save.c (``SPP_MAX_ITERATIONS``, ``SPP_TARGET_DIRTY_COUNT``), Xen 4.5's
xc_domain_save.c. The textbook rule is that of administrators' reports: stop when the
rest is small, or when it no longer shrinks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from xenweb.core.quantities import Bytes, BytesPerSecond

PAGE = 4096
SMALL = 50 * PAGE
"""What Xen calls little enough to stop for."""

XEN_LIVE_PASSES = 5
OLD_XEN_LIVE_PASSES = 29
OLD_XEN_MOST_SENT = 3
"""Times the memory that Xen 4.5 sends at most before it stops the VM."""

TEXTBOOK_LIVE_PASSES = 30
SAME = 0.999
"""Two passes whose sizes differ by less are one after the other for ever."""

SEEN_AT = 0.9
"""QEMU looks after each round of sending whether little enough is left: by then it is about a tenth less."""

MOST_PASSES = 300


class Rule(StrEnum):
    """Whose rule ends pre-copy."""

    QEMU = "qemu"
    XEN = "xen"
    OLD_XEN = "old_xen"
    TEXTBOOK = "textbook"


class Habit(StrEnum):
    """How a guest goes through its working set: one page after the other, or any page at any time."""

    CYCLIC = "cyclic"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Guest:
    """What of a guest decides a move's length. ``content`` is what the first pass must send.

    ``tail`` is how much of it QEMU may leave to the second pass: it counts pages, so where memory
    ends in zero pages, which cost nothing, the first pass has sent all when little is left.
    """

    content: Bytes
    dirty_rate: BytesPerSecond
    working_set: Bytes
    habit: Habit = Habit.CYCLIC
    tail: Bytes | None = None

    def dirtied(self, seconds: float) -> float:
        """Say how many bytes of distinct pages are changed in a time: never more than the working set."""
        touched = self.dirty_rate * max(0.0, seconds)
        if self.working_set <= 0:
            return 0.0
        if self.habit is Habit.CYCLIC:
            return min(touched, float(self.working_set))
        return self.working_set * -math.expm1(-touched / self.working_set)


@dataclass(frozen=True, slots=True)
class Path:
    """What lies between the hosts. Seconds besides copying: before the first pass, and in the pause.

    ``speed`` is that of the live passes; in the pause QEMU lifts a limit that was
    set, so ``pause_speed`` may be higher. ``downtime_limit`` in seconds is QEMU's.
    ``again`` says how many times as fast as the first pass the later ones go on Xen, whose target makes room for
    each page as it comes for the first time.
    """

    speed: BytesPerSecond
    pause_speed: BytesPerSecond
    downtime_limit: float = 0.3
    start: float = 0.0
    hand_over: float = 0.0
    again: float = 1.0


@dataclass(frozen=True, slots=True)
class Pass:
    """One simulated pass: bytes sent, seconds taken."""

    number: int
    content: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Course:
    """How a move goes. ``total`` and ``downtime`` are seconds; None if it never ends by itself."""

    passes: tuple[Pass, ...]
    rest: float
    total: float | None
    downtime: float | None

    @property
    def sent(self) -> float:
        """Say how many bytes go across, the rest included."""
        return sum(each.content for each in self.passes) + (self.rest if self.total is not None else 0.0)


def play(rule: Rule, guest: Guest, path: Path) -> Course:
    """Play a move through; ``path.speed`` must be above zero."""
    return _PLAYS[rule](guest, path)


def _ended(passes: list[Pass], rest: float, path: Path) -> Course:
    downtime = rest / path.pause_speed + path.hand_over
    return Course(tuple(passes), rest, path.start + sum(each.seconds for each in passes) + downtime, downtime)


def _qemu(guest: Guest, path: Path) -> Course:
    # A pass ends when what is left would fit the pause; only then are changes counted anew, also
    # those to pages that this pass had still to send when they changed.
    enough = path.speed * path.downtime_limit
    left, passes = float(guest.content), list[Pass]()
    rest = min(enough * SEEN_AT, left, math.inf if guest.tail is None else guest.tail)
    while len(passes) < MOST_PASSES:
        sent = left - rest
        seconds = sent / path.speed
        passes.append(Pass(len(passes) + 1, sent, seconds))
        left = _left(guest, rest, sent, seconds, is_first=len(passes) == 1)
        if left <= enough + PAGE:
            return _ended(passes, left, path)
        rest = enough * SEEN_AT
        if len(passes) > 1 and sent * SAME <= left - rest:
            break
    return Course(tuple(passes), left, None, None)


def _left(guest: Guest, rest: float, sent: float, seconds: float, *, is_first: bool) -> float:
    """Say what QEMU has to send after a pass: what it left over, and what changed meanwhile."""
    changed = guest.dirtied(seconds)
    if is_first:
        return rest + changed
    # QEMU goes on where it stopped, so what a later pass leaves over lies in the working set. A guest that
    # goes in circles is writing elsewhere just then; one that writes anywhere hits some of it again.
    if guest.habit is Habit.RANDOM:
        changed *= sent / (sent + rest) if sent else 0.0
    return min(rest + changed, max(rest, float(guest.working_set)))


def _live_passes(guest: Guest, path: Path, is_over: Callable[[list[Pass], float], bool]) -> Course:
    left, passes = float(guest.content), list[Pass]()
    while True:
        seconds = left / (path.speed * (path.again if passes else 1.0))
        passes.append(Pass(len(passes) + 1, left, seconds))
        left = guest.dirtied(seconds)
        if is_over(passes, left):
            return _ended(passes, left, path)


def _xen(guest: Guest, path: Path) -> Course:
    # A set that is small enough is still sent live once; then the VM is suspended.
    return _live_passes(
        guest,
        path,
        lambda passes, _: len(passes) >= XEN_LIVE_PASSES or (len(passes) > 1 and passes[-1].content < SMALL),
    )


def _old_xen(guest: Guest, path: Path) -> Course:
    def is_over(passes: list[Pass], _left: float) -> bool:
        sent = sum(each.content for each in passes)
        return (
            len(passes) >= OLD_XEN_LIVE_PASSES or passes[-1].content < SMALL or sent > OLD_XEN_MOST_SENT * guest.content
        )

    return _live_passes(guest, path, is_over)


def _textbook(guest: Guest, path: Path) -> Course:
    return _live_passes(
        guest,
        path,
        lambda passes, left: left < SMALL or left >= passes[-1].content or len(passes) >= TEXTBOOK_LIVE_PASSES,
    )


_PLAYS: dict[Rule, Callable[[Guest, Path], Course]] = {
    Rule.QEMU: _qemu,
    Rule.XEN: _xen,
    Rule.OLD_XEN: _old_xen,
    Rule.TEXTBOOK: _textbook,
}
