"""From a stored intent to the plan that a driver executes."""

from xenweb.core.quantities import BytesPerSecond, Milliseconds
from xenweb.drivers.contract import MigrationPlan, MoveOptions
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
        ),
        trust_shared_storage=row.trust_shared_storage,
    )


def driver_kind(row: Migration) -> str:
    """Name the driver of the move's pool."""
    return row.source.pool.driver
