"""Whether a copy that is said to run does anything: the CPU time that it has used must grow.

That it does not grow within a second is a note and never a proof: an idle guest
may sleep as long, and a host may count late.
"""

from dataclasses import dataclass, replace

LONG_ENOUGH = 1.0
"""Seconds of looking after which a CPU time that has not grown is worth a note."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """The CPU time of one copy in ns, as first and as last seen; moments are seconds on any one clock."""

    since: float
    first: int
    until: float
    last: int


def felt(pulse: Pulse | None, at: float, cpu_time: int | None) -> Pulse | None:
    """Take one more look into account; a copy that was started anew counts anew."""
    if cpu_time is None:
        return None
    if pulse is None or cpu_time < pulse.last:
        return Pulse(at, cpu_time, at, cpu_time)
    return replace(pulse, until=at, last=cpu_time)


def is_beating(pulse: Pulse | None) -> bool | None:
    """Say whether the CPU time grows; None if it was not looked at for long enough to say that it does not."""
    if pulse is None:
        return None
    if pulse.last > pulse.first:
        return True
    return False if pulse.until - pulse.since >= LONG_ENOUGH else None
