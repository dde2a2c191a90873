"""Forecasts of moves: from past moves to what is known, and how far earlier forecasts were off."""

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from django.db.models import Q, QuerySet

from xenweb.core.facts import Kind
from xenweb.core.migration import State
from xenweb.core.precopy.forecast import (
    Basis,
    Change,
    Forecast,
    Knowledge,
    Parts,
    Range,
    Seen,
    forecast,
    learned,
    limited,
    measured_now,
    narrowed,
    relative_error,
    widened,
)
from xenweb.core.precopy.passes import Track
from xenweb.core.precopy.rules import Rule
from xenweb.core.precopy.storage import copying
from xenweb.core.quantities import MIB, Bytes, BytesPerSecond, Milliseconds
from xenweb.drivers.contract import MoveOptions
from xenweb.livemigration.models import Migration, MigrationPass
from xenweb.realtime.wire import ForecastErrorWire, ForecastPartsWire, ForecastWire, RangeWire

PAST = 12
"""So many past moves of a VM are looked at."""

PAST_OF_HOST = 100
"""So many past moves from and to its host, which show the ways from there."""

JUDGED = 200
"""So many past forecasts make up the published error."""

XEN_OF_FIVE_PASSES = (4, 6)
"""From this version on Xen makes five live passes at most."""

# What a move may be like of which nothing is known: a gigabit link, and a guest that may be quiet or busy.
ASSUMED_SPEED = Range(50.0 * MIB, 112.0 * MIB, 1200.0 * MIB)
ASSUMED_START = Range(0.2, 0.5, 1.5)
ASSUMED_HAND_OVER = Range(0.01, 0.05, 0.3)
ASSUMED_DIRTY_RATE = Range(0.0, 1.0 * MIB, 50.0 * MIB)
DOWNTIME_LIMIT = 0.3

NO_DISK = Bytes(0)

LIMIT_STEP = MIB
"""libvirt takes a speed limit in whole MiB/s, rounded up."""

LIMIT_REACHED = 0.85
"""A move that copied at this share of its limit was held back by it, not by the link."""

RATE_TAKEN_OVER = 1.0
"""Seconds that a pass must last for QEMU to say a new change rate after it."""

UNSEEN = 0.05
"""Seconds of passes too short for any look that do not spoil a sum of what was sent."""

LEFT_OVER = 0.2
"""A smaller share of a pass is not told from the doubt in its numbers."""

TELLING = 0.05
"""Passes that sent a smaller share of what the first did tell what a pass costs besides its pages, not their speed."""

MEASUREMENT_HOLDS = timedelta(minutes=15)
"""So old may a sampled change rate be before it says nothing about now."""


def rule_of(hypervisor: str, version: str = "") -> Rule:
    """Answer whose rule ends pre-copy there; a Xen that does not say its version is taken for a new one."""
    if hypervisor.lower() == "xapi":
        return Rule.XEN  # its version is that of the product: those that are still sold have a Xen of five passes
    if hypervisor.lower() != "xen":
        return Rule.QEMU
    found = re.search(r"(\d+)\.(\d+)", version)
    is_old = found is not None and (int(found[1]), int(found[2])) < XEN_OF_FIVE_PASSES
    return Rule.OLD_XEN if is_old else Rule.XEN


def seen_in(row: Migration) -> Seen:
    """Read what a finished move taught; its passes must be loaded with it.

    The last pass is the one in which the VM stood still: an event tells of it, too.
    """
    passes = list(row.passes.all())
    if row.fence > 1 or any(choice.applied_at for choice in row.choices.all()):
        return Seen()  # not seen whole by one process, or changed on the way
    if len(passes) < 2 or row.total is None or row.downtime is None:  # noqa: PLR2004 - one that copied, one that ended
        return Seen()
    first, last = passes[0], passes[-1]
    is_xen = row.hypervisor.lower().startswith("xen")
    speed, limit = first.transfer_rate, row.bandwidth_limit
    if not speed or _seconds(first) <= 0:
        return Seen(start=first.started / 1000)
    is_held_back = limit is not None and speed >= LIMIT_REACHED * limit
    changes = tuple(_changes_on_xen(passes) if is_xen else _changes(passes))
    tail = 0.0 if is_xen else _tail(passes, changes)
    # Xen counts the pages of the last pass before it sends them.
    rest = float(last.remaining_at_start or 0) if is_xen else _rest(row, passes)
    return Seen(
        speed=None if is_held_back else speed,
        limit_share=speed / limit if limit is not None and is_held_back else None,
        again=_again(passes, speed) if is_xen else None,
        content=float(first.remaining_at_start) if is_xen and first.remaining_at_start else _sent(first) + tail,
        tail=tail,
        changes=() if row.throttle else changes,
        start=first.started / 1000,
        hand_over=None if is_held_back else max(0.0, row.downtime / 1000 - rest / speed),
        finish=max(0, row.total - last.started - row.downtime) / 1000,
    )


def _seconds(each: MigrationPass) -> float:
    return max(0, (each.ended or each.started) - each.started) / 1000


def _sent(each: MigrationPass) -> float:
    return (each.transfer_rate or 0.0) * _seconds(each)


def _rest(row: Migration, passes: Sequence[MigrationPass]) -> float:
    """Say how many bytes came across while the VM stood still."""
    unseen = sum(_seconds(each) for each in passes[:-1] if each.transfer_rate is None)
    if row.transferred is not None and unseen <= UNSEEN:
        return max(0.0, row.transferred - sum(_sent(each) for each in passes[:-1]))
    return float(passes[-1].remaining_at_start or 0)


def _again(passes: Sequence[MigrationPass], speed: float) -> float | None:
    """Say how many times as fast as the first the live passes after it went; None where they had little to send."""
    later = [(each.remaining_at_start, _seconds(each)) for each in passes[1:-1] if each.remaining_at_start is not None]
    pages, seconds = sum(pages for pages, _ in later), sum(took for _, took in later)
    is_telling = seconds > 0 and pages >= TELLING * (passes[0].remaining_at_start or math.inf)
    return pages / seconds / speed if is_telling else None


def _changes(passes: Sequence[MigrationPass]) -> Iterable[Change]:
    """Tell what each pass showed of the guest's changes.

    The hypervisor says the rate of a pass after it, if it was long enough; of a short one the change
    is what the next had to send, without what the short one had left over.
    """
    for each, following in pairwise(passes):
        seconds, left = _seconds(each), following.remaining_at_start
        if seconds >= RATE_TAKEN_OVER:
            rate = _rate_after(passes, each)
            if rate is not None:
                yield Change(seconds, rate * seconds)
        elif (
            seconds > 0 and left is not None and each.remaining_at_start is not None and each.transfer_rate is not None
        ):
            over = 0.0 if each.pass_number == 1 else max(0.0, each.remaining_at_start - _sent(each))
            yield Change(seconds, max(0.0, left - over))


def _changes_on_xen(passes: Sequence[MigrationPass]) -> Iterable[Change]:
    """Tell what each pass showed of the guest's changes: on Xen the next one begins with exactly those."""
    for each, following in pairwise(passes):
        if _seconds(each) > 0 and following.remaining_at_start is not None:
            yield Change(_seconds(each), float(following.remaining_at_start), counted=True)


def _rate_after(passes: Sequence[MigrationPass], each: MigrationPass) -> float | None:
    """Find the change rate that was said after a pass and before the next one that brought a new rate."""
    for other in passes:
        if other.pass_number <= each.pass_number:
            continue
        if other.dirty_rate is not None:
            return other.dirty_rate
        if _seconds(other) >= RATE_TAKEN_OVER:
            return None
    return None


def _tail(passes: Sequence[MigrationPass], changes: Sequence[Change]) -> float:
    """Say how much of the content the first pass left over: what the second had to send besides the changes."""
    left = passes[1].remaining_at_start
    is_known = left is not None and changes and _seconds(passes[0]) >= RATE_TAKEN_OVER
    over = (left or 0.0) - changes[0].changed if is_known else 0.0
    return over if over > LEFT_OVER * (left or 0.0) else 0.0


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be moved by whose rule, and between which hosts. ``dirty_rate`` was sampled at ``dirty_rate_at``.

    ``disk`` is how much of its disks is copied before memory is.
    """

    rule: Rule
    vm_id: int
    memory: Bytes
    source_id: int
    target_id: int
    dirty_rate: float | None = None
    dirty_rate_at: datetime | None = None
    disk: Bytes = NO_DISK


@dataclass(frozen=True, slots=True)
class Past:
    """What finished moves taught, oldest first: those of a VM, those between its host and each other one, and all."""

    of_vm: Sequence[Seen]
    of_pair: Mapping[int, Sequence[Seen]]
    of_all: Sequence[Seen]


def past_for(vm_id: int, source_id: int) -> Past:
    """Read the past once, for every host that the VM may go to."""
    # A move that copied disks, or nothing but a definition, says nothing of how memory moves.
    done = Migration.objects.filter(state=State.DONE, total_is_measured=True, kind=Kind.LIVE, copied_bytes=0)
    done = done.prefetch_related("passes", "choices")
    here = done.filter(Q(source_id=source_id) | Q(target_id=source_id)).order_by("-ended_at")[:PAST_OF_HOST]
    of_pair: dict[int, list[Seen]] = {}
    for row in reversed(here):
        other = row.target_id if row.source_id == source_id else row.source_id
        of_pair.setdefault(other, []).append(seen_in(row))
    return Past(_newest(done.filter(vm_id=vm_id)), of_pair, _newest(done))


def _newest(rows: QuerySet[Migration]) -> list[Seen]:
    """Read the newest of some moves, the oldest of them first."""
    return [seen_in(row) for row in reversed(rows.order_by("-ended_at")[:PAST])]


def knowledge(subject: Subject, past: Past, now: datetime) -> tuple[Knowledge, Basis]:
    """Gather what past moves and measurements teach about the next move.

    Of the way what the two hosts have shown, else what their like have; of the guest what it
    showed itself.
    """
    known = assumed(subject.memory, subject.rule)
    of_pair = past.of_pair.get(subject.target_id, ())
    if not of_pair:
        known = widened(learned(known, (), past.of_all))
    known = learned(known, past.of_vm, of_pair, past.of_all)
    rate, at = subject.dirty_rate, subject.dirty_rate_at
    is_fresh = rate is not None and at is not None and now - at <= MEASUREMENT_HOLDS
    if rate is not None and is_fresh:
        known = measured_now(known, rate, has_moved=bool(past.of_vm))
    if past.of_vm:
        return known, Basis.PAST_MOVES
    return known, Basis.MEASURED if is_fresh else Basis.ASSUMED


def assumed(memory: Bytes, rule: Rule) -> Knowledge:
    """Answer what is taken for granted of a VM and two hosts of which nothing is known.

    Pages of zeros cost QEMU nothing; every other hypervisor sends all memory that there is.
    """
    least, likely = (0.05, 0.5) if rule is Rule.QEMU else (0.9, 1.0)
    return Knowledge(
        content=Range(least * memory, likely * memory, float(memory)),
        dirty_rate=ASSUMED_DIRTY_RATE,
        working_set=Range(0.0, 0.05 * memory, 0.5 * memory),
        speed=ASSUMED_SPEED,
        start=ASSUMED_START,
        hand_over=ASSUMED_HAND_OVER,
        finish=Range(0.0, 0.05, 0.5),
    )


def foretell(subject: Subject, options: MoveOptions, past: Past, now: datetime) -> ForecastWire:
    """Forecast a move that has not begun."""
    known, basis = knowledge(subject, past, now)
    known = _with(known, options)
    return with_disks(forecast_wire(forecast(subject.rule, known), basis), subject.disk, known.speed)


def with_disks(said: ForecastWire, disk: Bytes, speed: Range) -> ForecastWire:
    """Add to a forecast the disks that are copied before memory is."""
    if not disk:
        return said
    took = copying(disk, speed)
    total = said.total and RangeWire(
        low_ms=said.total.low_ms + round(took.low * 1000),
        likely_ms=said.total.likely_ms + round(took.likely * 1000),
        high_ms=said.total.high_ms + round(took.high * 1000),
    )
    parts = said.parts and said.parts.model_copy(update={"disks_ms": round(took.likely * 1000)})
    return said.model_copy(update={"total": total, "parts": parts, "sent": said.sent + disk})


def foretell_on(row: Migration, track: Track, elapsed_ms: int, now: datetime) -> ForecastWire | None:
    """Forecast the rest of a running move from what its passes show; None before anything is seen."""
    last = track.last
    if last is None or last.remaining is None or len(track.passes) < 2:  # noqa: PLR2004 - changes are seen from the second on
        return None
    subject = subject_of(row)
    known, _ = knowledge(subject, past_for(row.vm_id, row.source_id), now)
    known = narrowed(
        _with(known, options_of(row)), remaining=last.remaining, speed=track.transfer_rate, dirty_rate=last.dirty_rate
    )
    said = forecast(subject.rule, known, elapsed=elapsed_ms / 1000)
    return forecast_wire(said, Basis.PASSES)


def subject_of(row: Migration) -> Subject:
    """Read from a move's row what is moved and where; its VM and source must be loaded with it."""
    vm = row.vm
    memory = Bytes(row.vm_memory)
    rule = rule_of(vm.hypervisor, row.source.version)
    disk = Bytes(row.copied_bytes)
    return Subject(rule, row.vm_id, memory, row.source_id, row.target_id, vm.dirty_rate, vm.dirty_rate_at, disk)


def options_of(row: Migration) -> MoveOptions:
    """Read from a move's row the limits that hold for it now."""
    limit, pause = row.bandwidth_limit, row.downtime_limit
    return MoveOptions(
        bandwidth_limit=None if limit is None else BytesPerSecond(limit),
        downtime_limit=None if pause is None else Milliseconds(pause),
    )


def _with(known: Knowledge, options: MoveOptions) -> Knowledge:
    limit, pause = options.bandwidth_limit, options.downtime_limit
    known = limited(known, None if limit is None else math.ceil(limit / LIMIT_STEP) * LIMIT_STEP)
    return replace(known, downtime_limit=DOWNTIME_LIMIT if pause is None else pause / 1000)


def _range_wire(said: Range | None) -> RangeWire | None:
    if said is None:
        return None
    return RangeWire(
        low_ms=round(said.low * 1000), likely_ms=round(said.likely * 1000), high_ms=round(said.high * 1000)
    )


def forecast_wire(said: Forecast, basis: Basis) -> ForecastWire:
    """Shape a forecast."""
    return ForecastWire(
        ending=said.ending.value,
        basis=basis.value,
        total=_range_wire(said.total),
        downtime=_range_wire(said.downtime),
        passes=said.passes,
        sent=said.sent,
        parts=_parts_wire(said.parts),
    )


def _parts_wire(parts: Parts | None) -> ForecastPartsWire | None:
    if parts is None:
        return None
    return ForecastPartsWire(
        start_ms=round(parts.start * 1000),
        first_pass_ms=round(parts.first_pass * 1000),
        later_passes_ms=round(parts.later_passes * 1000),
        pause_ms=round(parts.pause * 1000),
        finish_ms=round(parts.finish * 1000),
        disks_ms=0,
    )


def published_error() -> ForecastErrorWire:
    """Say how far the forecasts of the newest finished moves were off, as shares of what was measured.

    Judged is what was stored before the call, of every move whose total the hypervisor said. A forecast
    that a move would never end, and it did, was off by the whole, and its interval missed.
    """
    done = Migration.objects.filter(state=State.DONE, total_is_measured=True, forecast__isnull=False)
    newest = done.order_by("-ended_at").values_list("forecast", "total")[:JUDGED]
    pairs = [(said or {}, total) for said, total in newest if total]
    errors = sorted(_error(said.get("total"), total) for said, total in pairs)
    hits = [_is_hit(said.get("total"), total) for said, total in pairs]
    return ForecastErrorWire(
        moves=len(errors),
        median=statistics.median(errors) if errors else None,
        p90=errors[math.ceil(0.9 * len(errors)) - 1] if errors else None,
        hit_share=sum(hits) / len(hits) if hits else None,
    )


def _error(said: Mapping[str, float] | None, total: int) -> float:
    return relative_error(said["likely_ms"] if said else 0.0, total)


def _is_hit(said: Mapping[str, float] | None, total: int) -> bool:
    return said is not None and said["low_ms"] <= total <= said["high_ms"]
