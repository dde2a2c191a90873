"""How what is asked of a maintenance is refused."""

from typing import ClassVar

from xenweb.core.refusal import RefusalError, RefusalKind


class MaintenanceError(RefusalError):
    """Root of this package's refusals."""

    code: ClassVar[str] = "maintenance_refused"


class MaintenanceForbiddenError(MaintenanceError):
    """The person may not take hosts out of service."""

    code = "maintenance_forbidden"
    kind = RefusalKind.FORBIDDEN
    remedy = "Ask an administrator."


class MaintenanceNotFoundError(MaintenanceError):
    """There is no such maintenance, or none that this person may see."""

    code = "maintenance_not_found"
    kind = RefusalKind.NOT_FOUND
    remedy = "Look at the board: a host in maintenance says so."

    def __init__(self) -> None:
        super().__init__("There is no such maintenance.")


class AlreadyInMaintenanceError(MaintenanceError):
    """The host is in maintenance; ``facts.maintenance`` names it."""

    code = "already_in_maintenance"
    kind = RefusalKind.CONFLICT
    remedy = "Go on with that one, or end it first."


class MaintenanceStateError(MaintenanceError):
    """The maintenance is not where this can be done."""

    code = "maintenance_state"
    kind = RefusalKind.CONFLICT
    remedy = "Look at the maintenance again: its page says how far it is."


class PlanRefusedError(MaintenanceError):
    """A chosen move cannot be made; ``findings`` say why, and nothing was begun."""

    code = "plan_refused"
    kind = RefusalKind.UNPLACEABLE
    remedy = "Plan again: choose other hosts, or leave those VMs where they are."
