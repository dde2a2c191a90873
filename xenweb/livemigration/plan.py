"""From a stored intent to the plan that a driver executes."""

from xenweb.core.facts import Kind, Maps
from xenweb.core.quantities import Bytes, BytesPerSecond, Milliseconds
from xenweb.drivers.contract import CopiedDisk, MigrationPlan, MovedCard, MoveOptions
from xenweb.inventory.selectors import endpoint_of
from xenweb.livemigration.models import Migration


def plan_of(row: Migration) -> MigrationPlan:
    """Build the driver's plan from a move's row, credentials opened."""
    limit, pause = row.bandwidth_limit, row.downtime_limit
    return MigrationPlan(
        migration=row.pk,
        vm_uuid=row.vm_uuid,
        vm_name=row.vm_name,
        source=endpoint_of(row.source),
        target=endpoint_of(row.target),
        options=MoveOptions(
            bandwidth_limit=None if limit is None else BytesPerSecond(limit),
            downtime_limit=None if pause is None else Milliseconds(pause),
            auto_converge=row.auto_converge,
            post_copy=row.post_copy,
            guard=row.guard_wanted,
            guard_memory=row.guard_memory,
        ),
        trust_shared_storage=row.trust_shared_storage,
        kind=Kind(row.kind),
        copied_disks=tuple(
            CopiedDisk(each["device"], each["path"], Bytes(each["capacity"]), each.get("repository", ""))
            for each in row.copied_disks
        ),
        volumes=tuple(each["path"] for each in row.volumes),
        overridden=frozenset(row.override_codes),
        cards=tuple(MovedCard(each["device"], each["address"], each["new_network"]) for each in row.cards),
    )


def maps_of(row: Migration) -> Maps:
    """Read from a move's row where its disks and network cards go."""
    chosen = [each for each in row.copied_disks if "repository_id" in each]
    return Maps(
        tuple((each["device"], each["repository_id"]) for each in chosen),
        tuple((each["device"], each["new_network"]) for each in row.cards),
    )


def driver_kind(row: Migration) -> str:
    """Name the driver of the move's pool."""
    return row.source.pool.driver
