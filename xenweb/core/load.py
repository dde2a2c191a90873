"""CPU load from counters: pure arithmetic on two looks at the same thing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counter:
    """A busy-time counter in nanoseconds, and the moment of the look in seconds."""

    busy: int
    at: float


def load_between(before: Counter | None, now: Counter, cpus: int) -> float | None:
    """Answer the load of ``cpus`` CPUs between two looks, 0..1; None if it cannot be said.

    A counter that ran backwards belongs to a thing that was started anew.
    """
    if before is None or cpus <= 0:
        return None
    elapsed = now.at - before.at
    if elapsed <= 0 or now.busy < before.busy:
        return None
    return min(1.0, (now.busy - before.busy) / (elapsed * 1e9 * cpus))
