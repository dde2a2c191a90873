"""How moves are refused."""

from typing import ClassVar

from xenweb.core.refusal import RefusalError, RefusalKind


class LiveMigrationError(RefusalError):
    """Root of this package's refusals."""

    code: ClassVar[str] = "migration_refused"


class MigrationNotFoundError(LiveMigrationError):
    """There is no such migration, or none that this person may see."""

    code = "migration_not_found"
    kind = RefusalKind.NOT_FOUND
    remedy = "Look at the list of migrations."

    def __init__(self) -> None:
        super().__init__("There is no such migration.")


class MoveForbiddenError(LiveMigrationError):
    """The person sees the VM, but may not move it."""

    code = "move_forbidden"
    kind = RefusalKind.FORBIDDEN
    remedy = "Ask the lead of the VM's team, or an administrator."


class VmAlreadyMovingError(LiveMigrationError):
    """Another move of this VM is under way; ``facts.migration`` names it."""

    code = "vm_already_moving"
    kind = RefusalKind.CONFLICT
    remedy = "Wait for that move to end, or cancel it."


class NotPlaceableError(LiveMigrationError):
    """The target cannot take the VM; ``findings`` say why."""

    code = "not_placeable"
    kind = RefusalKind.UNPLACEABLE
    remedy = "Mend what the findings name, or choose another host."


class GuardNotFoundError(LiveMigrationError):
    """The move has no guard, or belongs to a VM that the actor may not see."""

    code = "guard_not_found"
    kind = RefusalKind.NOT_FOUND
    remedy = "Look at the migration's page."

    def __init__(self) -> None:
        super().__init__("This migration has no guard.")


class GuardRefusedError(LiveMigrationError):
    """What was asked of a guard cannot be done, or it is not proven that it may be."""

    code = "guard_refused"
    kind = RefusalKind.CONFLICT
    remedy = "Mend what the sentence names, then ask again."


class GuardUnprovenError(GuardRefusedError):
    """A host does not prove at this moment that it does not have the guard's VM: it may do so later."""


class LeftoverDiskNotFoundError(LiveMigrationError):
    """The disk does not exist, or belongs to a VM that the actor may not see."""

    code = "leftover_disk_not_found"
    kind = RefusalKind.NOT_FOUND
    remedy = "Look at the storage page."

    def __init__(self) -> None:
        super().__init__("No move has left such a disk behind.")


class LeftoverDiskRefusedError(LiveMigrationError):
    """The disk is gone, or on its way out."""

    code = "leftover_disk_refused"
    kind = RefusalKind.CONFLICT
    remedy = "Look at the storage page again."


class NotCancellableError(LiveMigrationError):
    """The move has ended, or is where there is no way back."""

    code = "not_cancellable"
    kind = RefusalKind.CONFLICT
    remedy = "Nothing to do: the migration's page says how it ends."


class CloseRefusedError(LiveMigrationError):
    """The move is not uncertain, so the hosts will say how it ends; or no reason was given."""

    code = "close_refused"
    kind = RefusalKind.CONFLICT
    remedy = "Look at the migration again: only one that is being checked can be closed, and only with a reason."


class IdempotencyConflictError(LiveMigrationError):
    """The same key was used for a different move."""

    code = "idempotency_conflict"
    kind = RefusalKind.CONFLICT
    remedy = "Use a new Idempotency-Key for a new move."


class ChoiceRefusedError(LiveMigrationError):
    """The choice is not on offer for this move now, or its value is out of bounds."""

    code = "choice_refused"
    kind = RefusalKind.CONFLICT
    remedy = "Choose one of the offers that the migration lists."


class DiskMoveNotFoundError(LiveMigrationError):
    """There is no such disk, or no such move of one, or none that this person may see."""

    code = "disk_move_not_found"
    kind = RefusalKind.NOT_FOUND
    remedy = "Look at the VM's disks."

    def __init__(self) -> None:
        super().__init__("There is no such disk, or no such move of one.")


class DiskNotPlaceableError(LiveMigrationError):
    """The disk cannot go there; ``findings`` say why."""

    code = "disk_not_placeable"
    kind = RefusalKind.UNPLACEABLE
    remedy = "Mend what the findings name, or choose other storage."


class DiskMoveNotCancellableError(LiveMigrationError):
    """The disk's move has ended."""

    code = "disk_move_not_cancellable"
    kind = RefusalKind.CONFLICT
    remedy = "Nothing to do: the move says how it ended."


class OptionRefusedError(LiveMigrationError):
    """An option is out of its bounds, or the driver does not offer it."""

    code = "option_refused"
    kind = RefusalKind.INVALID
    remedy = "Use the options and bounds that the verdicts offer."


class OverrideForbiddenError(LiveMigrationError):
    """The person may not override what forbids a move."""

    code = "override_forbidden"
    kind = RefusalKind.FORBIDDEN
    remedy = "Mend what the findings name, or ask an administrator."


class OverrideRefusedError(LiveMigrationError):
    """The override names what cannot be overridden or was not found, or gives no reason."""

    code = "override_refused"
    kind = RefusalKind.INVALID
    remedy = "Override only codes of findings that say they are overridable, and give a reason."
