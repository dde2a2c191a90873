"""Forecasts of moves: from past moves to what is known, and how far earlier forecasts were off."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace

from xenweb.core.facts import Kind
from xenweb.core.precopy.forecast import (
    Basis,
    Forecast,
    Knowledge,
    Range,
    Seen,
    forecast,
    learned,
    limited,
    narrowed,
    relative_error,
)
from xenweb.core.precopy.passes import Track
from xenweb.core.precopy.rules import Rule
from xenweb.core.precopy.storage import copying
from xenweb.core.quantities import MIB, Bytes
from xenweb.drivers.contract import MoveOptions
from xenweb.livemigration.models import Migration
from xenweb.realtime.wire import ForecastErrorWire, ForecastWire, RangeWire

PAST = 12
"""So many past moves of a VM, and as many of a pair of hosts, are looked at."""

JUDGED = 200
"""So many past forecasts make up the published error."""

RULES = {"qemu": Rule.QEMU, "xen": Rule.XEN}

# What a move may be like of which nothing is known: a gigabit link, and a guest that may be quiet or busy.
ASSUMED_SPEED = Range(50.0 * MIB, 112.0 * MIB, 1200.0 * MIB)
ASSUMED_START = Range(0.2, 0.5, 1.5)
ASSUMED_HAND_OVER = Range(0.01, 0.05, 0.3)
ASSUMED_DIRTY_RATE = Range(0.0, 1.0 * MIB, 50.0 * MIB)
DOWNTIME_LIMIT = 0.3

SETTLED = 300
"""Milliseconds that a pass must last for its speed to say something."""


def rule_of(hypervisor: str) -> Rule:
    """Answer whose rule ends pre-copy there."""
    return RULES.get(hypervisor.lower(), Rule.QEMU)


def seen_in(row: Migration) -> Seen:
    """Read what a finished move taught; its passes must be loaded with it."""
    passes = list(row.passes.all())
    if not passes or row.total is None or row.downtime is None or row.transferred is None:
        return Seen()
    later = passes[1:]
    first, last = passes[0], passes[-1]
    live = [each for each in passes if each.ended is not None and each.transfer_rate]
    speeds = sorted(each.transfer_rate or 0.0 for each in live if (each.ended or 0) - each.started >= SETTLED)
    rates = [each.dirty_rate for each in later if each.dirty_rate is not None]
    spans = [each.remaining_at_start for each in later if each.remaining_at_start is not None]
    content = max(0, row.transferred - sum(spans))
    return Seen(
        speed=statistics.median(speeds) if speeds else None,
        pause_speed=None,
        content=float(content),
        dirty_rate=max(rates) if rates else 0.0,
        working_set=float(max(spans)) if spans else 0.0,
        start=first.started / 1000,
        hand_over=row.downtime / 1000,
        finish=max(0, row.total - (last.ended or row.total)) / 1000,
    )


def knowledge(vm_id: int, memory: Bytes, source_id: int, target_id: int) -> tuple[Knowledge, Basis]:
    """Gather what past moves of the VM, and between the two hosts, teach about the next one."""
    assumed = Knowledge(
        content=Range(0.05 * memory, 0.5 * memory, float(memory)),
        dirty_rate=ASSUMED_DIRTY_RATE,
        working_set=Range(0.0, 0.05 * memory, 0.5 * memory),
        speed=ASSUMED_SPEED,
        start=ASSUMED_START,
        hand_over=ASSUMED_HAND_OVER,
        finish=Range(0.0, 0.05, 0.5),
    )
    # A move that copied disks, or nothing but a definition, says nothing of how memory moves.
    done = Migration.objects.filter(state="done", total_is_measured=True, kind=Kind.LIVE, copied_bytes=0)
    done = done.prefetch_related("passes")
    of_vm = [seen_in(row) for row in reversed(done.filter(vm_id=vm_id).order_by("-ended_at")[:PAST])]
    pair = done.filter(source_id__in=(source_id, target_id), target_id__in=(source_id, target_id))
    of_pair = [seen_in(row) for row in reversed(pair.filter(bandwidth_limit=None).order_by("-ended_at")[:PAST])]
    known = learned(assumed, of_vm, of_pair)
    return known, Basis.PAST_MOVES if of_vm else Basis.ASSUMED


def foretell(
    hypervisor: str, vm_id: int, memory: Bytes, source_id: int, target_id: int, options: MoveOptions
) -> ForecastWire:
    """Forecast a move that has not begun."""
    known, basis = knowledge(vm_id, memory, source_id, target_id)
    said = forecast(rule_of(hypervisor), _with(known, options))
    return forecast_wire(said, basis)


def with_disks(said: ForecastWire, source_id: int, target_id: int, disk: Bytes, options: MoveOptions) -> ForecastWire:
    """Add to a forecast the disks that are copied before memory is."""
    if not disk:
        return said
    speed = limited(knowledge(0, Bytes(0), source_id, target_id)[0], options.bandwidth_limit).speed
    took = copying(disk, speed)
    total = said.total and RangeWire(
        low_ms=said.total.low_ms + round(took.low * 1000),
        likely_ms=said.total.likely_ms + round(took.likely * 1000),
        high_ms=said.total.high_ms + round(took.high * 1000),
    )
    return said.model_copy(update={"total": total, "sent": said.sent + disk})


def foretell_on(row: Migration, hypervisor: str, track: Track, elapsed_ms: int) -> ForecastWire | None:
    """Forecast the rest of a running move from what its passes show; None before anything is seen."""
    last = track.last
    if last is None or last.remaining is None or len(track.passes) < 2:  # noqa: PLR2004 - changes are seen from the second on
        return None
    known, _ = knowledge(row.vm_id, Bytes(row.vm_memory), row.source_id, row.target_id)
    options = MoveOptions(downtime_limit=row.downtime_limit)  # type: ignore[arg-type]
    known = narrowed(
        _with(known, options), remaining=last.remaining, speed=track.transfer_rate, dirty_rate=last.dirty_rate
    )
    return forecast_wire(forecast(rule_of(hypervisor), known, elapsed=elapsed_ms / 1000), Basis.MEASURED)


def _with(known: Knowledge, options: MoveOptions) -> Knowledge:
    limit = options.downtime_limit
    known = limited(known, options.bandwidth_limit)
    return replace(known, downtime_limit=DOWNTIME_LIMIT if limit is None else limit / 1000)


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
    )


def published_error(rows: Sequence[Migration] | None = None) -> ForecastErrorWire:
    """Say how far the forecasts of past moves were off, as shares of what was measured."""
    if rows is None:
        done = Migration.objects.filter(state="done", total_is_measured=True, forecast__isnull=False)
        rows = list(done.order_by("-ended_at")[:JUDGED])
    errors = sorted(_errors(rows))
    return ForecastErrorWire(
        moves=len(errors),
        median=statistics.median(errors) if errors else None,
        p90=errors[min(len(errors) - 1, round(0.9 * len(errors)))] if errors else None,
    )


def _errors(rows: Iterable[Migration]) -> Iterable[float]:
    for row in rows:
        said = (row.forecast or {}).get("total")
        if said and row.total:
            yield relative_error(said["likely_ms"], row.total)
