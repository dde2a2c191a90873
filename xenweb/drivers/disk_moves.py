"""What a driver can do beside its eight verbs if it can move single disks of a running VM to other storage.

Not every hypervisor can, so it is a protocol of its own; ``mover_of`` says whether a driver speaks it. A plan names
the same host as source and target, and the one disk that goes. Nothing here blocks for longer than one question.
"""

from typing import Protocol, runtime_checkable

from xenweb.core.disk_move import DiskSeen
from xenweb.drivers.contract import HypervisorDriver, MigrationPlan, Preflight


@runtime_checkable
class DiskMover(Protocol):
    """A driver that can move single disks. Every verb may raise a DriverError, and nothing else."""

    def disk_foresee(self, plan: MigrationPlan) -> Preflight:
        """Ask the hypervisor what only it can say of this disk's move."""

    def disk_begin(self, plan: MigrationPlan) -> None:
        """Begin to move a disk; it is called once, whatever becomes of the answer."""

    def disk_look(self, plan: MigrationPlan) -> DiskSeen:
        """Look how far a disk's move is, and where the disk is by the records of its VM."""

    def disk_give_up(self, plan: MigrationPlan) -> None:
        """Ask for the end of a disk's move; raise MoveRefusedError if it is too late."""


def mover_of(driver: HypervisorDriver) -> DiskMover | None:
    """Answer the driver as a mover of disks; None if it is none."""
    return driver if isinstance(driver, DiskMover) else None
