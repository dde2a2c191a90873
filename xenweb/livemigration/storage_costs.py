"""What was measured of kinds of storage: on this installation's moves, by a benchmark run here, and on the Xen lab.

A benchmark's file is ``bench-xen.json`` as ``make bench-xen`` writes it, in the folder of the installation's data; what
was measured on the lab stands beside this module, in the same form.
"""

import json
import logging
from datetime import date
from pathlib import Path
from typing import Final, Literal, cast

from django.conf import settings
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xenweb.accounts.policy import Actor
from xenweb.core.facts import Cost, Hypervisor, Kind, Origin, StorageCost, StorageKind
from xenweb.core.migration import State
from xenweb.core.storage_costs import COMPARED, compared, nearest
from xenweb.inventory.models import VirtualMachine
from xenweb.livemigration.models import Migration
from xenweb.realtime.wire import Figure, StorageCostWire

LAB: Final = Path(__file__).with_name("storage_costs.json")
OWN: Final = "bench-xen.json"

LOOKED_AT: Final = 200
"""So many newest moves are looked at."""

FEWEST_MOVES: Final = 5
"""So many moves must have been made on a kind of storage before they say more than a benchmark."""

_Kind = Literal["san_block", "nfs", "ocfs2"]

log = logging.getLogger(__name__)


class Samples(BaseModel):
    """What a benchmark measured of kinds of storage, in ms, all in one run."""

    model_config = ConfigDict(frozen=True)

    measured_on: date
    samples: dict[Cost, dict[StorageKind, list[float]]] = Field(default_factory=dict)


def storage_costs() -> list[StorageCost]:
    """Answer what is known of each kind, from as near to this installation as it was measured."""
    own = Path(settings.XENWEB_DATA) / OWN
    return nearest([*_of_moves(), *_of_file(own, Origin.OWN_BENCH), *_of_file(LAB, Origin.LAB)])


def costs_by_kind() -> dict[StorageKind, tuple[StorageCost, ...]]:
    """Answer the same for the verdicts, by kind."""
    found = storage_costs()
    return {kind: tuple(each for each in found if each.storage is kind) for kind in COMPARED}


def _of_file(path: Path, origin: Origin) -> list[StorageCost]:
    try:
        said = Samples.model_validate(json.loads(path.read_text(encoding="utf-8"))["storage_costs"])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        log.warning("what %s says of storage cannot be read: %s", path, error)
        return []
    on = said.measured_on.isoformat()
    return [each for cost, taken in said.samples.items() for each in compared(taken, cost, origin, on)]


def _of_moves() -> list[StorageCost]:
    """Compare the pauses of moves on Xen, by where the disks of their VMs lie."""
    rows = Migration.objects.filter(state=State.DONE, kind=Kind.LIVE, copied_bytes=0, vm__hypervisor=Hypervisor.XEN)
    rows = rows.filter(downtime__gt=0).select_related("vm").prefetch_related("vm__disks__repository")
    newest = list(rows.order_by("-ended_at")[:LOOKED_AT])
    taken: dict[StorageKind, list[float]] = {}
    for row in newest:
        kind = _kind_of(row.vm)
        if kind is not None:
            taken.setdefault(kind, []).append(float(row.downtime or 0))
    enough = {kind: pauses for kind, pauses in taken.items() if len(pauses) >= FEWEST_MOVES}
    ended = next((row.ended_at for row in newest if row.ended_at), None)
    return compared(enough, Cost.HAND_OVER, Origin.OWN_MOVES, ended.date().isoformat()) if ended else []


def _kind_of(vm: VirtualMachine) -> StorageKind | None:
    """Answer the one kind of storage that all of a VM's writable disks lie on; None if there are several, or none."""
    kinds = {each.repository.storage if each.repository else "" for each in vm.disks.all() if not each.read_only}
    [kind] = kinds if len(kinds) == 1 else [""]
    return StorageKind(kind) if kind else None


def storage_costs_for(actor: Actor) -> list[StorageCostWire]:
    """Say of each kind and cost what was measured, or that nothing was; everybody signed in may know."""
    del actor
    known = {(each.storage, each.cost): each for each in storage_costs()}
    asked = [(kind, cost) for kind in COMPARED for cost in Cost]
    return [_told(known[each]) if each in known else _not_available(*each) for each in asked]


def _told(found: StorageCost) -> StorageCostWire:
    return StorageCostWire(
        storage=cast("_Kind", found.storage.value),
        cost=found.cost.value,
        ratio=Figure(value=found.ratio, provenance="measured"),
        low=found.low,
        high=found.high,
        middle_ms=Figure(value=found.middle, provenance="measured"),
        samples=found.samples,
        origin=found.origin.value,
        measured_on=date.fromisoformat(found.measured_on),
    )


def _not_available(kind: StorageKind, cost: Cost) -> StorageCostWire:
    nothing = Figure(value=None, provenance="not_available")
    return StorageCostWire(
        storage=cast("_Kind", kind.value),
        cost=cost.value,
        ratio=nothing,
        low=None,
        high=None,
        middle_ms=nothing,
        samples=0,
        origin=None,
        measured_on=None,
    )
