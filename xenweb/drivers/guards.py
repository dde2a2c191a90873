"""What a driver can do beside its eight verbs if it can guard VMs: keep their disks of one moment, and lay them back.

Not every hypervisor can, so it is a protocol of its own; ``keeper_of`` says whether a driver speaks it, and
``Capability.GUARD`` whether a host can at this moment. Nothing here blocks for longer than one question, save
removing, the activation of volumes and reading memory back: how far a guard is, ``guard_look`` tells.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from xenweb.core.guard import GuardPhase
from xenweb.core.quantities import Bytes, BytesPerSecond, Milliseconds
from xenweb.drivers.contract import Endpoint, HypervisorDriver


@dataclass(frozen=True, slots=True)
class GuardPlan:
    """One guard: of the disks at ``paths`` of a VM, on the host that had it. ``others`` may reach the same disks.

    ``with_memory``: what the VM had in its memory at that moment is kept as well.
    """

    guard: str
    vm_uuid: str
    host: Endpoint
    paths: tuple[str, ...]
    others: tuple[Endpoint, ...] = ()
    with_memory: bool = False


@dataclass(frozen=True, slots=True)
class GuardForeseen:
    """Whether a guard can be made, and ``why`` not; what room it needs, and what the VM writes meanwhile."""

    possible: bool
    why: str = ""
    paths: tuple[str, ...] = ()
    needed: Bytes = field(default=Bytes(0))
    free: Bytes = field(default=Bytes(0))
    write_rate: BytesPerSecond | None = None


@dataclass(frozen=True, slots=True)
class GuardSeen:
    """How far a guard is; ``pause`` is how long the VM stood still for it, ``sentence`` what went wrong."""

    phase: GuardPhase
    done: Bytes = field(default=Bytes(0))
    total: Bytes = field(default=Bytes(0))
    pause: Milliseconds | None = None
    sentence: str = ""


@runtime_checkable
class GuardKeeper(Protocol):
    """A driver that can guard VMs. Every verb may raise a DriverError, and nothing else."""

    def guard_foresee(self, host: Endpoint, vm_uuid: str, *, with_memory: bool = False) -> GuardForeseen:
        """Say whether a guard of a VM that runs on a host can be made, and of which disks."""

    def guard_begin(self, plan: GuardPlan) -> None:
        """Begin to make a guard; nothing is begun twice. Raises MoveRefusedError if it cannot be made."""

    def guard_look(self, plan: GuardPlan) -> GuardSeen:
        """Look how far a guard is."""

    def guard_remove(self, plan: GuardPlan) -> None:
        """Stop what is being done about a guard and remove all of it; raise MoveRefusedError if it does not go."""

    def guard_roll_back(self, plan: GuardPlan) -> None:
        """Begin to lay a guard over the disks that it is of.

        The host proves that it has no copy of the VM, and ``others`` that they have neither a copy nor a disk
        open: MoveRefusedError where one does not. That the VM runs nowhere else is the caller's proof.
        """

    def guard_make_ready(self, plan: GuardPlan, home: Endpoint) -> None:
        """Have the VM's disks usable again on the host that has its definition, or is to have it."""

    def guard_restore_memory(self, plan: GuardPlan) -> None:
        """Have the VM go on, on the guard's host, with the memory that was kept; its disks are laid back already.

        Once it runs there, no other host keeps a definition of it. Raises MoveRefusedError if nothing was begun,
        or if what was begun is gone again. That the VM runs nowhere is the caller's proof.
        """


def keeper_of(driver: HypervisorDriver) -> GuardKeeper | None:
    """Answer the driver as a keeper of guards; None if it is none."""
    return driver if isinstance(driver, GuardKeeper) else None
