"""Where a VM runs, judged from what every host says of it.

A host that merely keeps the definition of a halted VM, or receives a copy that
does not run yet, does not have the VM. Two hosts that both run it are a
conflict, which nobody here resolves: it is shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from xenweb.core.facts import PowerState, Sighting


@dataclass(frozen=True, slots=True)
class Residence:
    """The judged place and state of a VM; ``host`` is None when no host knows it."""

    host: int | None
    state: PowerState
    conflict: bool


def _rank(sighting: Sighting) -> int:
    if sighting.incoming:
        return 3
    if not sighting.active:
        return 2
    return 0 if sighting.state is PowerState.RUNNING else 1


def residence(sightings: Iterable[Sighting], believed: int | None) -> Residence:
    """Judge where a VM runs; ``believed`` (a host id) decides between equals."""
    ranked = sorted(sightings, key=lambda s: (_rank(s), s.host != believed, s.host))
    if not ranked:
        return Residence(None, PowerState.UNKNOWN, conflict=False)
    best = ranked[0]
    running = [s for s in ranked if _rank(s) == 0]
    state = PowerState.UNKNOWN if best.incoming else best.state
    return Residence(best.host, state, conflict=len(running) > 1)
