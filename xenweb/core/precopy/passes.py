"""The passes of a move, gathered from looks at it; how far it is; whether it converges.

A look comes from the hypervisor several times a second. Speeds are computed from
the change between looks, because hypervisors keep reporting a stale speed while
nothing moves. Moments are milliseconds since the call.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

from xenweb.core.quantities import Bytes, BytesPerSecond, Milliseconds

SHRINKS_ENOUGH = 0.9
"""A pass that leaves less than this share of the one before is getting somewhere."""

PAIRS_UNTIL_STUCK = 2
"""So many passes in a row must fail to shrink before a move is said not to converge."""

RATE_WINDOW = 1000
"""Milliseconds over which the speed of now is taken: hypervisors count in bursts."""

FIRST_PASS_SHARE = 0.8
LATER_PASSES_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a running move; None where the hypervisor does not say."""

    at: Milliseconds
    pass_number: int | None
    remaining: Bytes | None
    processed: Bytes | None
    total: Bytes | None
    dirty_rate: BytesPerSecond | None


@dataclass(frozen=True, slots=True)
class PassStats:
    """One pass so far. ``ended`` is None while it is being copied."""

    pass_number: int
    started: Milliseconds
    ended: Milliseconds | None
    remaining_at_start: Bytes | None
    remaining_at_end: Bytes | None
    processed_at_start: Bytes | None
    transfer_rate: BytesPerSecond | None
    dirty_rate: BytesPerSecond | None


@dataclass(frozen=True, slots=True)
class Track:
    """All that has been seen of one move, and how far it is (0..1, never backwards)."""

    passes: tuple[PassStats, ...] = ()
    last: Look | None = None
    recent: tuple[Look, ...] = ()
    transfer_rate: BytesPerSecond | None = None
    total: float = 0.0


def observe(track: Track, look: Look) -> Track:
    """Lay one more look over a track."""
    if look.pass_number is None or look.pass_number < 1:
        return replace(track, last=look)
    passes = track.passes
    current = passes[-1] if passes else None
    if current is None or look.pass_number > current.pass_number:
        opened = _opened(look, track.last)
        passes = (*_closed(passes, opened.started), opened)
    elif current.processed_at_start is None:
        passes = _begun(passes, track.last, look)
    else:
        passes = (*passes[:-1], _continued(current, look))
    recent = (*(each for each in track.recent if look.at - each.at <= RATE_WINDOW), look)
    rate = _rate(recent[0], look)
    rate = track.transfer_rate if rate is None else rate
    return Track(passes, look, recent, rate, max(track.total, _share(passes, look)))


def mark_pass(track: Track, pass_number: int, at: Milliseconds, left: Bytes | None = None) -> Track:
    """Note a pass that an event told of, although no look fell into it; ``left`` is what it begins with, if known."""
    if track.passes and track.passes[-1].pass_number >= pass_number:
        return track
    begun = PassStats(pass_number, at, None, left, None, None, None, None)
    passes = _closed(track.passes, at)
    if left is not None and passes:
        passes = (*passes[:-1], _counted(passes[-1], left))
    return replace(track, passes=(*passes, begun))


def _counted(before: PassStats, left: Bytes) -> PassStats:
    """Give a pass that is over the rates that the hypervisor's own counts prove: all it had was sent meanwhile."""
    took = (before.ended or before.started) - before.started
    if took <= 0:
        return before
    sent = before.transfer_rate
    if before.remaining_at_start is not None:
        sent = BytesPerSecond(before.remaining_at_start * 1000 / took)
    return replace(before, remaining_at_end=Bytes(0), transfer_rate=sent, dirty_rate=BytesPerSecond(left * 1000 / took))


def finish(track: Track, at: Milliseconds) -> Track:
    """Close the last pass: the memory is across, or the move was given up."""
    return replace(track, passes=_closed(track.passes, at))


def _closed(passes: tuple[PassStats, ...], at: Milliseconds) -> tuple[PassStats, ...]:
    if not passes or passes[-1].ended is not None:
        return passes
    return (*passes[:-1], replace(passes[-1], ended=max(at, passes[-1].started)))


def _opened(look: Look, last: Look | None) -> PassStats:
    # The first pass starts with everything there is; a later one with what its first look saw.
    at_start = look.total if look.pass_number == 1 and look.total else look.remaining
    started = last.at if last is not None and look.pass_number != 1 else look.at
    return PassStats(
        pass_number=look.pass_number or 1,
        started=Milliseconds(max(started, 0)),
        ended=None,
        remaining_at_start=at_start,
        remaining_at_end=look.remaining,
        processed_at_start=look.processed,
        transfer_rate=None,
        dirty_rate=look.dirty_rate,
    )


def _begun(passes: tuple[PassStats, ...], last: Look | None, look: Look) -> tuple[PassStats, ...]:
    """Give a pass that an event told of its first numbers, and the one before its last.

    Both are counters of the hypervisor; what they were when the pass began lies between the looks
    before and after that moment.
    """
    current = passes[-1]
    processed = _processed_at(current, last, look)
    if processed is None or look.processed is None:
        return (*passes[:-1], _continued(current, look))
    left = current.remaining_at_start
    if left is None and look.remaining is not None:
        left = look.total if current.pass_number == 1 else Bytes(look.remaining + look.processed - processed)
    current = _continued(replace(current, remaining_at_start=left, processed_at_start=processed), look)
    return (*(_ended_with(each, current, processed) for each in passes[:-1]), current)


def _processed_at(current: PassStats, last: Look | None, look: Look) -> Bytes | None:
    """Say how much had been copied when a pass began; None where the looks around that moment do not say."""
    if current.pass_number == 1:
        return Bytes(0)
    if last is None or last.processed is None or look.processed is None:
        return None
    if not last.at <= current.started <= look.at > last.at:
        return None
    share = (current.started - last.at) / (look.at - last.at)
    return Bytes(round(last.processed + share * (look.processed - last.processed)))


def _ended_with(each: PassStats, following: PassStats, processed: Bytes) -> PassStats:
    """Take a pass's speed over its whole length, if ``following`` came right after it."""
    if each.pass_number != following.pass_number - 1 or each.ended is None or each.processed_at_start is None:
        return each
    if each.ended <= each.started:
        return each
    rate = max(0, processed - each.processed_at_start) * 1000 / (each.ended - each.started)
    return replace(each, transfer_rate=BytesPerSecond(rate))


def _continued(current: PassStats, look: Look) -> PassStats:
    started_with = current.processed_at_start if current.processed_at_start is not None else look.processed
    elapsed = look.at - current.started
    rate = current.transfer_rate
    if look.processed is not None and started_with is not None and elapsed > 0:
        rate = BytesPerSecond((look.processed - started_with) * 1000 / elapsed)
    return replace(
        current,
        remaining_at_start=current.remaining_at_start if current.remaining_at_start is not None else look.remaining,
        remaining_at_end=look.remaining,
        processed_at_start=started_with,
        transfer_rate=rate,
        dirty_rate=look.dirty_rate if look.dirty_rate is not None else current.dirty_rate,
    )


def _rate(before: Look, look: Look) -> BytesPerSecond | None:
    if before.processed is None or look.processed is None or look.at <= before.at:
        return None
    return BytesPerSecond(max(0, look.processed - before.processed) * 1000 / (look.at - before.at))


def _share(passes: tuple[PassStats, ...], look: Look) -> float:
    """Estimate how much of the work is behind us: the first pass carries most of it."""
    current = passes[-1]
    if look.remaining is None or not current.remaining_at_start:
        return 0.0
    within = min(1.0, max(0.0, 1 - look.remaining / current.remaining_at_start))
    if current.pass_number == 1:
        return FIRST_PASS_SHARE * within
    # Each later pass closes half of what is left of the later passes' share.
    behind = 1 - math.pow(0.5, current.pass_number - 2 + within)
    return FIRST_PASS_SHARE + LATER_PASSES_SHARE * behind


def is_converging(track: Track) -> bool | None:
    """Say whether the passes shrink; None before there is anything to compare."""
    starts = [p.remaining_at_start for p in track.passes if p.remaining_at_start]
    if len(starts) < 2:  # noqa: PLR2004 - a comparison needs two
        return None
    pairs = list(pairwise(starts[1:]))[-PAIRS_UNTIL_STUCK:]
    stuck = [after > SHRINKS_ENOUGH * before for before, after in pairs]
    return not (len(stuck) >= PAIRS_UNTIL_STUCK and all(stuck))


def expected_downtime(track: Track, said: Milliseconds | None) -> Milliseconds | None:
    """Estimate the pause if it began now: what the hypervisor says, else what is left over its speed."""
    if said is not None:
        return said
    last = track.last
    if last is None or last.remaining is None or not track.transfer_rate:
        return None
    return Milliseconds(round(last.remaining * 1000 / track.transfer_rate))
