"""What a kind of storage costs against block storage on a SAN: whose measurement counts, when it is slow, in words."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from xenweb.core.facts import Cost, Origin, StorageCost, StorageKind

COMPARED: Final = (StorageKind.SAN_BLOCK, StorageKind.NFS, StorageKind.OCFS2)
"""The kinds that VMs can share, block storage first."""

SLOWER: Final = 1.5
"""From this ratio on a kind is called slow: smaller differences change from one run to the next."""

FEWEST: Final = 3
"""From so few samples of a kind nothing is said."""

_WHERE: Final = {
    Origin.OWN_MOVES: "Measured on this installation's moves",
    Origin.OWN_BENCH: "Measured on this installation",
    Origin.LAB: "Measured on the Xen lab",
}
_WHAT: Final = {Cost.HAND_OVER: "hand-over", Cost.WRITE: "flushed write", Cost.READ: "read"}


def compared(
    samples: Mapping[StorageKind, Sequence[float]], cost: Cost, origin: Origin, measured_on: str
) -> list[StorageCost]:
    """Compare samples of one run, in ms, with those of block storage; none where that was not measured itself."""
    sound = {kind: [each for each in samples.get(kind, ()) if math.isfinite(each) and each > 0] for kind in COMPARED}
    enough = {kind: taken for kind, taken in sound.items() if len(taken) >= FEWEST}
    if StorageKind.SAN_BLOCK not in enough:
        return []
    block = statistics.median(enough[StorageKind.SAN_BLOCK])
    return [
        StorageCost(
            kind,
            cost,
            ratio=statistics.median(taken) / block,
            low=min(taken) / block,
            high=max(taken) / block,
            middle=statistics.median(taken),
            samples=len(taken),
            origin=origin,
            measured_on=measured_on,
        )
        for kind, taken in enough.items()
    ]


def nearest(found: Iterable[StorageCost]) -> list[StorageCost]:
    """Keep of each kind and cost what was measured nearest to this installation, in the order of kinds and costs."""
    best: dict[tuple[StorageKind, Cost], StorageCost] = {}
    near = list(Origin)
    for each in found:
        known = best.get((each.storage, each.cost))
        if known is None or near.index(each.origin) < near.index(known.origin):
            best[each.storage, each.cost] = each
    return [best[key] for key in ((kind, cost) for kind in COMPARED for cost in Cost) if key in best]


def is_slow(costs: Iterable[StorageCost]) -> bool:
    """Say whether any cost was measured to be well above that of block storage."""
    return any(each.ratio >= SLOWER for each in costs)


def in_words(costs: Sequence[StorageCost]) -> str:
    """Tell ratios with where and when they were measured, a sentence for each place; empty where nothing was."""
    told = []
    for origin in Origin:
        of_one = [each for each in costs if each.origin is origin]
        if of_one:
            ratios = ", ".join(f"{_WHAT[each.cost]} {each.ratio:.2g}" for each in of_one)
            on = max(each.measured_on for each in of_one)
            told.append(f"{_WHERE[origin]}, {on}, as ratios to block storage: {ratios}.")
    return " ".join(told)
