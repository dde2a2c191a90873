"""How long a move will take and how long the VM will stand still: an interval, never a bare number.

What is known of a guest and of a pair of hosts are ranges. The likely course plays
the hypervisor's own rule with the likely values; the ends of the interval play it
with the kindest and with the harshest ones. Seconds, bytes, bytes per second.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeGuard

from xenweb.core.precopy.rules import Course, Guest, Habit, Path, Rule, play
from xenweb.core.quantities import MIB, Bytes, BytesPerSecond

SLACK = 0.1
"""How far a single observation may be off, as a share of it."""

ENOUGH = 3
"""Two hosts that have made fewer moves start and end them as all others do."""

STEP = 0.15
"""What is off by more than this share is no longer what it was: another link, more data."""

WOBBLE = 2.0
"""A step must also be so many times as large as what the values before it, or after it, are apart by themselves."""

FEWEST = 1.0
"""Bytes per second below which no speed is believed: nothing is divided by zero."""

LEAST_AGAIN = 0.01
"""No later pass is believed to be slower than this share of the first."""


class Basis(StrEnum):
    """Where a forecast's knowledge comes from."""

    PAST_MOVES = "past_moves"
    MEASURED = "measured"
    """The change rate was sampled; the rest is assumed."""
    PASSES = "passes"
    """The passes of the very move."""
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
    """Make a range of several observations: the likely one is the middle one, whatever a single one was."""
    return _about(values, statistics.median(values), share)


def following(values: Sequence[float], share: float = SLACK) -> Range:
    """Make a range of something that changes in steps, and wobbles: the likely one is the mean since the last step."""
    return _about(values, statistics.fmean(_since_last_step(values)), share)


def _since_last_step(values: Sequence[float]) -> Sequence[float]:
    """Leave out what came before the last step; a newest value that stands apart is a step of its own."""
    for place in range(len(values) - 1, 0, -1):
        before, after = values[:place], values[place:]
        was = statistics.fmean(before)
        wobble = max(max(each) - min(each) for each in (before, after))
        if abs(statistics.fmean(after) - was) > max(STEP * was, WOBBLE * wobble):
            return after
    return values


def _about(values: Sequence[float], likely: float, share: float) -> Range:
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
    tail: Range | None = None
    """How much of the content the first pass leaves to the second; None for as much as the rule allows."""
    limit_share: Range = Range(0.9, 1.0, 1.03)
    """How much of a chosen speed limit is reached."""
    again: Range = Range(1.0, 1.0, 1.0)
    """How many times as fast as the first pass the later ones go on Xen."""
    pause_speed: float | None = None
    downtime_limit: float = 0.3
    habit: Habit = Habit.CYCLIC


class Ending(StrEnum):
    """Whether pre-copy ends by itself."""

    WILL = "will"
    MAY_NOT = "may_not"
    WILL_NOT = "will_not"


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the time of a move goes, in seconds: the parts add up to its total."""

    start: float
    first_pass: float
    later_passes: float
    pause: float
    finish: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected; the ranges are None where the move will not end by itself.

    ``high`` of a move that may not end is that of the harshest case in which it does.
    ``parts`` are those of the likely course, without what is behind it already.
    """

    ending: Ending
    total: Range | None
    downtime: Range | None
    passes: int
    sent: Bytes
    parts: Parts | None = None


def forecast(rule: Rule, known: Knowledge, *, elapsed: float = 0.0) -> Forecast:
    """Forecast a move from what is known; ``elapsed`` seconds are behind it already."""
    kind, likely, harsh = (_course(rule, known, share) for share in (-1.0, 0.0, 1.0))
    if likely.total is None or likely.downtime is None:
        ending = Ending.WILL_NOT if kind.total is None else Ending.MAY_NOT
        return Forecast(ending, None, None, len(likely.passes), Bytes(round(likely.sent)))
    ending = Ending.WILL if harsh.total is not None else Ending.MAY_NOT
    courses = [each for each in (kind, likely, harsh) if each.total is not None]
    if ending is Ending.MAY_NOT:
        courses.append(_harshest(rule, known, likely))
        slow = _course(rule, known, 1.0, changes=0.0)
        courses += [slow] if slow.total is not None else []
    totals = [elapsed + each.total for each in courses if each.total is not None]
    return Forecast(
        ending=ending,
        total=Range(
            min(totals) + known.finish.low,
            elapsed + likely.total + known.finish.likely,
            max(totals) + known.finish.high,
        ),
        downtime=_downtime(rule, known, courses, likely),
        passes=len(likely.passes),
        sent=Bytes(round(likely.sent)),
        parts=Parts(
            start=known.start.likely,
            first_pass=likely.passes[0].seconds,
            later_passes=sum(each.seconds for each in likely.passes[1:]),
            pause=likely.downtime,
            finish=known.finish.likely,
        ),
    )


HALVINGS = 6


def _harshest(rule: Rule, known: Knowledge, likely: Course) -> Course:
    """Find the harshest course that still ends, where the harshest of all does not."""
    best, ends, fails = likely, 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (ends + fails) / 2
        course = _course(rule, known, middle)
        if course.total is None:
            fails = middle
        else:
            best, ends = course, middle
    return best


def _at(known: Range, share: float) -> float:
    """Go from the likely value towards one end: -1 is the low end, 1 the high one."""
    end = known.low if share < 0 else known.high
    return known.likely + abs(share) * (end - known.likely)


def _course(rule: Rule, known: Knowledge, harshness: float, changes: float | None = None) -> Course:
    """Play the rule between the kindest values (-1) and the harshest (1): fast copying is kind, fast changing is not.

    ``changes`` is the harshness of the guest's changes, if it is another one.
    """
    changes = harshness if changes is None else changes
    speed = max(FEWEST, _at(known.speed, -harshness))
    guest = Guest(
        content=Bytes(round(_at(known.content, harshness))),
        dirty_rate=BytesPerSecond(_at(known.dirty_rate, changes)),
        working_set=Bytes(round(_at(known.working_set, changes))),
        habit=known.habit,
        tail=None if known.tail is None else Bytes(round(_at(known.tail, harshness))),
    )
    path = Path(
        speed=BytesPerSecond(speed),
        pause_speed=BytesPerSecond(max(speed, known.pause_speed or 0.0)),
        again=max(LEAST_AGAIN, _at(known.again, -harshness)),
        downtime_limit=known.downtime_limit,
        start=_at(known.start, harshness),
        hand_over=_at(known.hand_over, harshness),
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
class Change:
    """So many bytes of distinct pages were changed while one pass took ``seconds``.

    ``counted`` says that the hypervisor counted them, and did not tell a rate.
    """

    seconds: float
    changed: float
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What a finished move taught. None where it taught nothing."""

    speed: float | None = None
    limit_share: float | None = None
    again: float | None = None
    content: float | None = None
    tail: float | None = None
    changes: tuple[Change, ...] = ()
    start: float | None = None
    hand_over: float | None = None
    finish: float | None = None


KEPT = 5
"""So many past moves are learned from: what a VM did last year says little."""

BRIEF = 0.2
"""Seconds below which a pass says little about how fast a guest changes."""

FILLED = 0.8
"""A pass that changed this share of the most that was ever seen may have changed all of the working set."""

STILL_GROWING = 0.8
"""Where the longest pass changed memory at this share of the highest speed seen, its set has not been seen whole."""


def learned(known: Knowledge, of_vm: Sequence[Seen], of_pair: Sequence[Seen], of_all: Sequence[Seen] = ()) -> Knowledge:
    """Narrow what is known by past moves, oldest first: the VM's own, those between the two hosts, and all.

    How a move starts and ends differs little between hosts: all count as long as the two have made few.
    """
    of_any = of_pair if len(of_pair) >= ENOUGH or not of_all else of_all
    changes: dict[str, Range] = {}
    for name, source, range_of in (
        ("content", of_vm, following),
        ("tail", of_vm, spanning),
        ("again", of_vm or of_any, spanning),
        ("speed", of_pair, following),
        ("limit_share", of_any, spanning),
        ("start", of_any, spanning),
        ("hand_over", of_any, spanning),
        ("finish", of_any, spanning),
    ):
        values = [value for each in source if _is_sound(value := getattr(each, name))][-KEPT:]
        if values:
            changes[name] = range_of(values)
    seen = [
        each for move in of_vm[-KEPT:] for each in move.changes if _is_sound(each.seconds) and _is_sound(each.changed)
    ]
    known = replace(known, **changes)  # type: ignore[arg-type]
    return changing(known, seen) if any(each.changes for each in of_vm) else known


def _is_sound(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value) and value >= 0


def changing(known: Knowledge, seen: Sequence[Change]) -> Knowledge:
    """Work out the change rate and the working set from what single passes showed.

    A pass cannot change more than the working set, so the fastest pass tells the rate best and the
    fullest one the set; as long as longer passes still change more, the set may be as large as the content.
    """
    telling = [each for each in seen if each.seconds >= BRIEF]
    if not telling:
        return known
    rates = [each.changed / each.seconds for each in telling]
    most = max(each.changed for each in telling)
    longest = max(telling, key=lambda each: each.seconds)
    rate = _rate_of(telling, most)
    is_growing = longest.changed >= STILL_GROWING * rate * longest.seconds
    largest = max(most, known.content.high) if is_growing else most * (1 + SLACK)
    # Any size in between is possible, small ones as well as large ones: half of them lie below the geometric mean.
    likely = min(max(most, math.sqrt(most * max(most, known.content.likely))), largest) if is_growing else most
    return replace(
        known,
        dirty_rate=Range(rate * (1 - SLACK), rate, max(rates) * (1 + SLACK)),
        working_set=Range(most * (1 - SLACK), likely, largest),
    )


def _rate_of(telling: Sequence[Change], most: float) -> float:
    """Work out the change rate: the fastest pass tells it best.

    Where changes were counted, all passes that did not fill the working set tell it together, for the fastest of many
    short ones is mostly the one with the greatest error; one that filled the set only says that it is not slower.
    """
    partial = [each for each in telling if each.counted and each.changed < FILLED * most]
    least = max((each.changed / each.seconds for each in telling if each not in partial), default=0.0)
    if not partial:
        return least
    return max(least, sum(each.changed for each in partial) / sum(each.seconds for each in partial))


DEVIATIONS = 3
"""So many standard deviations of chance are allowed for."""

SAMPLE = 2.0 * MIB
"""What one page that was drawn stands for, in bytes a second: 512 are drawn of each GiB, over a second."""


def sampled(rate: float) -> Range:
    """Make a range of a change rate that was measured from samples.

    How many of the pages drawn have changed is a matter of chance, and pages that change again and again
    count once: the rate may be a little lower and much higher. Nothing found still allows three (the rule
    of three: 95 %).
    """
    hits = rate / SAMPLE
    doubt = DEVIATIONS * math.sqrt(hits)
    return Range(max(0.0, hits - doubt) * SAMPLE, rate, (hits + doubt + 3) * SAMPLE)


def measured_now(known: Knowledge, rate: float, *, has_moved: bool) -> Knowledge:
    """Bring in a change rate that was sampled from the resting VM: alone, or as a hint that the VM is busier now.

    It under-reports, so it never takes away from what past moves showed.
    """
    said = sampled(rate)
    if has_moved:
        past = known.dirty_rate
        if said.low <= past.high:
            return known
        return replace(
            known,
            dirty_rate=Range(past.low, said.likely, max(said.high, said.likely)),
            working_set=replace(known.working_set, high=max(known.working_set.high, known.content.high)),
        )
    span = known.working_set
    likely = max(span.likely, rate)
    return replace(known, dirty_rate=said, working_set=Range(span.low, likely, max(span.high, likely)))


DOUBT = 0.3
"""How far off may be what others' moves showed."""


def widened(known: Knowledge) -> Knowledge:
    """Doubt what is known of a link because others have shown it."""
    speed = known.speed
    return replace(known, speed=Range(speed.low * (1 - DOUBT), speed.likely, speed.high * (1 + DOUBT)))


def limited(known: Knowledge, limit: float | None) -> Knowledge:
    """Apply a chosen speed limit: the live passes go no faster, the pause still may."""
    if limit is None:
        return known
    fastest, share = known.speed, known.limit_share
    capped = Range(
        min(fastest.low, limit * share.low),
        min(fastest.likely, limit * share.likely),
        min(fastest.high, limit * share.high),
    )
    return replace(known, speed=capped, pause_speed=max(known.pause_speed or 0.0, fastest.likely))


def narrowed(known: Knowledge, *, remaining: float, speed: float | None, dirty_rate: float | None) -> Knowledge:
    """Bring in what a running move showed: what is left is counted, not guessed."""
    return replace(
        known,
        content=Range(remaining, remaining, remaining),
        speed=known.speed if speed is None else _within(known.speed, max(FEWEST, speed)),
        dirty_rate=known.dirty_rate if dirty_rate is None else _within(known.dirty_rate, dirty_rate),
        start=Range(0, 0, 0),
        again=Range(1.0, 1.0, 1.0),  # the speed is that of a later pass already
    )


def _within(known: Range, seen: float) -> Range:
    """Believe what is seen now, and of what was known only as much as agrees with it."""
    now = around(seen)
    return Range(min(seen, max(now.low, known.low)), seen, max(seen, min(now.high, known.high)))


def relative_error(forecast_value: float, measured: float) -> float:
    """Say how far a forecast was off, as a share of what was measured."""
    return abs(forecast_value - measured) / measured if measured > 0 else 0.0
