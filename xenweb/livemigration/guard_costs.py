"""How long a guard keeps its VM standing still, foretold from what earlier guards of the same host took.

Never more than an estimate, and none without a guard to learn from: hosts differ, and so do their kinds of storage.
"""

import statistics

from xenweb.livemigration.models import Guard
from xenweb.realtime.wire import Figure, GuardCostWire

PAST = 5
"""So many of the last guards are learnt from."""


def expected_pause(host_id: int, disks: int, memory: int | None = None) -> int | None:
    """Estimate how many ms a guard of so many disks pauses its VM; with so many bytes of memory, if that is kept too.

    What saving memory takes goes with its size, and includes the snapshots. None if nothing alike was ever measured.
    """
    taken = Guard.objects.filter(host_id=host_id, pause__isnull=False, with_memory=memory is not None)
    each: list[float] = []
    for row in taken.select_related("migration").order_by("-asked_at")[:PAST]:
        pause = row.pause or 0
        if memory is None:
            each.append(pause / max(1, len(row.paths)) * disks)
        elif row.migration.vm_memory:
            each.append(pause / row.migration.vm_memory * memory)
    return round(statistics.median(each)) if each else None


def guard_cost(host_id: int, disks: int, memory: int) -> GuardCostWire:
    """Say beforehand what a guard of a VM costs, without its memory and with it."""
    return GuardCostWire(
        pause_ms=_estimated(expected_pause(host_id, disks)),
        pause_with_memory_ms=_estimated(expected_pause(host_id, disks, memory)),
    )


def _estimated(pause: int | None) -> Figure:
    return Figure(value=pause, provenance="not_available" if pause is None else "estimated")
