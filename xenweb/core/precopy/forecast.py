"""How long a move will take and how long the VM will stand still: an interval, never a bare number.

What is known of a guest and of a pair of hosts are ranges. The likely course plays
the hypervisor's own rule with the likely values; the ends of the interval play it
with the kindest and with the harshest ones. Seconds, bytes, bytes per second.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from xenweb.core.precopy.rules import Course, Guest, Habit, Path, Rule, play
from xenweb.core.quantities import Bytes, BytesPerSecond

SLACK = 0.1
"""How far a single observation may be off, as a share of it."""

FEWEST = 1.0
"""Bytes per second below which no speed is believed: nothing is divided by zero."""


class Basis(StrEnum):
    """Where a forecast's knowledge comes from."""

    PAST_MOVES = "past_moves"
    MEASURED = "measured"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Range:
    """A value that is not known exactly."""

    low: float
    likely: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.likely <= self.high:
            msg = f"{self.low} <= {self.likely} <= {self.high} does not hold"
            raise ValueError(msg)


def around(value: float, share: float = SLACK) -> Range:
    """Make a range of one observation; ``share`` is how far it may be off."""
    return Range(max(0.0, value * (1 - share)), value, value * (1 + share))


def spanning(values: Sequence[float], share: float = SLACK) -> Range:
    """Make a range of several observations; the newest comes last and weighs like the others."""
    likely = statistics.median(values)
    least, most = around(min(values), share).low, around(max(values), share).high
    return Range(min(least, likely), likely, max(most, likely))


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known before or during a move.

    ``start`` is the time until copying begins, ``hand_over`` the pause besides
    the copying of the rest, ``finish`` what comes after the pause.
    """

    content: Range
    dirty_rate: Range
    working_set: Range
    speed: Range
    start: Range
    hand_over: Range
    finish: Range
    pause_speed: float | None = None
    downtime_limit: float = 0.3
    habit: Habit = Habit.CYCLIC


class Ending(StrEnum):
    """Whether pre-copy ends by itself."""

    WILL = "will"
    MAY_NOT = "may_not"
    WILL_NOT = "will_not"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected; the ranges are None where the move will not end by itself.

    ``high`` of a move that may not end is how long it takes in the likely case.
    """

    ending: Ending
    total: Range | None
    downtime: Range | None
    passes: int
    sent: Bytes


def forecast(rule: Rule, known: Knowledge, *, elapsed: float = 0.0) -> Forecast:
    """Forecast a move from what is known; ``elapsed`` seconds are behind it already."""
    kind, likely, harsh = (_course(rule, known, each) for each in ("low", "likely", "high"))
    if likely.total is None or likely.downtime is None:
        ending = Ending.WILL_NOT if kind.total is None else Ending.MAY_NOT
        return Forecast(ending, None, None, len(likely.passes), Bytes(round(likely.sent)))
    ending = Ending.WILL if harsh.total is not None else Ending.MAY_NOT
    totals = [elapsed + each.total for each in (kind, likely, harsh) if each.total is not None]
    return Forecast(
        ending=ending,
        total=Range(
            min(totals) + known.finish.low,
            elapsed + likely.total + known.finish.likely,
            max(totals) + known.finish.high,
        ),
        downtime=_downtime(rule, known, [each for each in (kind, likely, harsh) if each.total is not None], likely),
        passes=len(likely.passes),
        sent=Bytes(round(likely.sent)),
    )


def _course(rule: Rule, known: Knowledge, end: str) -> Course:
    """Play the rule at one end of what is known: fast copying is kind, fast changing is harsh."""
    opposite = {"low": "high", "likely": "likely", "high": "low"}[end]
    speed = max(FEWEST, getattr(known.speed, opposite))
    guest = Guest(
        content=Bytes(round(getattr(known.content, end))),
        dirty_rate=BytesPerSecond(getattr(known.dirty_rate, end)),
        working_set=Bytes(round(getattr(known.working_set, end))),
        habit=known.habit,
    )
    path = Path(
        speed=BytesPerSecond(speed),
        pause_speed=BytesPerSecond(max(speed, known.pause_speed or 0.0)),
        downtime_limit=known.downtime_limit,
        start=getattr(known.start, end),
        hand_over=getattr(known.hand_over, end),
    )
    return play(rule, guest, path)


def _downtime(rule: Rule, known: Knowledge, courses: Iterable[Course], likely: Course) -> Range:
    pauses = [each.downtime for each in courses if each.downtime is not None]
    middle = likely.downtime if likely.downtime is not None else pauses[0]
    high = max(pauses)
    if rule is Rule.QEMU:
        # Whatever is left, QEMU stops only when it fits the limit at the speed of the live passes.
        share = known.speed.likely / max(known.speed.likely, known.pause_speed or 0.0, FEWEST)
        high = max(middle, known.downtime_limit * share + known.hand_over.high)
    return Range(min(known.hand_over.low, middle), middle, high)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a finished move, or the passes of a running one, taught. None where it taught nothing."""

    speed: float | None = None
    pause_speed: float | None = None
    content: float | None = None
    dirty_rate: float | None = None
    working_set: float | None = None
    start: float | None = None
    hand_over: float | None = None
    finish: float | None = None


KEPT = 5
"""So many past moves are learned from: what a VM did last year says little."""


def learned(known: Knowledge, of_vm: Sequence[Seen], of_pair: Sequence[Seen]) -> Knowledge:
    """Narrow what is known by past moves, oldest first: the VM's own and those between the two hosts."""
    changes: dict[str, Range] = {}
    for name, source in (
        ("content", of_vm),
        ("dirty_rate", of_vm),
        ("working_set", of_vm),
        ("speed", of_pair),
        ("start", of_pair),
        ("hand_over", of_pair),
        ("finish", of_pair),
    ):
        values = [value for each in source if (value := getattr(each, name)) is not None][-KEPT:]
        if values:
            changes[name] = spanning(values)
    pauses = [each.pause_speed for each in of_pair if each.pause_speed is not None][-KEPT:]
    pause_speed = statistics.median(pauses) if pauses else known.pause_speed
    return replace(known, **changes, pause_speed=pause_speed)  # type: ignore[arg-type]


def limited(known: Knowledge, limit: float | None) -> Knowledge:
    """Apply a chosen speed limit: the live passes go no faster, the pause still may."""
    if limit is None:
        return known
    fastest = known.speed.likely
    capped = Range(*(min(each, limit) for each in (known.speed.low, known.speed.likely, known.speed.high)))
    return replace(known, speed=capped, pause_speed=max(known.pause_speed or 0.0, fastest))


def narrowed(known: Knowledge, *, remaining: float, speed: float | None, dirty_rate: float | None) -> Knowledge:
    """Bring in what a running move showed: what is left is counted, not guessed."""
    return replace(
        known,
        content=Range(remaining, remaining, remaining),
        speed=known.speed if speed is None else around(max(FEWEST, speed)),
        dirty_rate=known.dirty_rate if dirty_rate is None else around(dirty_rate),
        start=Range(0, 0, 0),
    )


def relative_error(forecast_value: float, measured: float) -> float:
    """Say how far a forecast was off, as a share of what was measured."""
    return abs(forecast_value - measured) / measured if measured > 0 else 0.0
