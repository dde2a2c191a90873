"""Guards of simulated VMs: what becomes of one follows from when it began, and from the time alone."""

from xenweb.core.guard import GuardPhase
from xenweb.core.quantities import GIB, MIB, Bytes, Milliseconds
from xenweb.drivers.contract import Endpoint, MoveRefusedError
from xenweb.drivers.guards import GuardForeseen, GuardPlan, GuardSeen
from xenweb.drivers.simulated_driver.reaching import host_at, vm_on
from xenweb.drivers.simulated_driver.world import DISK, Clock, SimulatedGuard, World, disk_path

SNAPSHOT_TAKES = 0.8
"""Seconds for which a VM stands still while the snapshot of its disk is taken."""

MEMORY_IS_KEPT_AT = 100.0 * MIB
COPIED_AT = 6.0 * MIB


class KeepsGuards:
    """The verbs of ``GuardKeeper`` over a simulated world."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def guard_foresee(self, host: Endpoint, vm_uuid: str, *, with_memory: bool = False) -> GuardForeseen:
        """Say whether a guard of a VM can be made: only of what has a disk, where the host keeps guards."""
        del with_memory  # there is room for it
        with host_at(host, self._clock) as (world, seen):
            vm = vm_on(world, seen, vm_uuid)
            if not seen.keeps_guards:
                return GuardForeseen(False, f"{seen.name} keeps no guards.")
            if not vm.disk:
                return GuardForeseen(False, "It has no disk that could change.")
            return GuardForeseen(True, "", (disk_path(vm),), Bytes(2 * DISK), Bytes(60 * GIB))

    def guard_begin(self, plan: GuardPlan) -> None:
        """Begin to make a guard."""
        with host_at(plan.host, self._clock) as (world, host):
            vm = vm_on(world, host, plan.vm_uuid)
            if plan.guard in world.guards:
                return
            if vm.state != "running":
                raise MoveRefusedError("This VM does not run: only a VM that runs needs a guard before it moves.")
            pause = SNAPSHOT_TAKES + (vm.memory / MEMORY_IS_KEPT_AT if plan.with_memory else 0.0)
            size, now = DISK * len(plan.paths), self._clock()
            world.guards[plan.guard] = SimulatedGuard(vm.uuid, host.name, size, now, pause, plan.with_memory)
            world.version += 1

    def guard_look(self, plan: GuardPlan) -> GuardSeen:
        """Look how far a guard is."""
        with host_at(plan.host, self._clock) as (world, _):
            guard = world.guards.get(plan.guard)
            return GuardSeen(GuardPhase.NONE) if guard is None else _seen(world, guard, self._clock())

    def guard_remove(self, plan: GuardPlan) -> None:
        """Remove all of a guard."""
        with host_at(plan.host, self._clock) as (world, _):
            if world.guards.pop(plan.guard, None) is not None:
                world.version += 1

    def guard_roll_back(self, plan: GuardPlan) -> None:
        """Begin to lay a guard over the disks that it is of."""
        with host_at(plan.host, self._clock) as (world, _):
            guard = _whole(world, plan, self._clock())
            if world.vms[guard.vm].state != "halted":
                raise MoveRefusedError("The VM is here and is not halted: nothing is laid over its disks.")
            guard.back_at = self._clock()
            world.version += 1

    def guard_make_ready(self, plan: GuardPlan, home: Endpoint) -> None:
        """Do nothing: a simulated disk needs no activation."""

    def guard_restore_memory(self, plan: GuardPlan) -> None:
        """Let the VM go on at the guard's host."""
        with host_at(plan.host, self._clock) as (world, host):
            guard = _whole(world, plan, self._clock())
            vm = world.vms[guard.vm]
            if vm.state != "halted" or not guard.with_memory:
                raise MoveRefusedError("Its memory was not kept, or it is not halted.")
            vm.host, vm.state, vm.started = host.name, "running", self._clock()
            world.version += 1


def _whole(world: World, plan: GuardPlan, now: float) -> SimulatedGuard:
    guard = world.guards.get(plan.guard)
    if guard is None or _seen(world, guard, now).phase not in {GuardPhase.WHOLE, GuardPhase.ROLLED_BACK}:
        raise MoveRefusedError("This guard is not whole: nothing is laid over the disks.")
    return guard


def _seen(world: World, guard: SimulatedGuard, now: float) -> GuardSeen:
    total, works = Bytes(guard.size), world.guard_works(guard, now)
    is_made = guard.back_at is None
    if is_made and works < guard.pause:
        return GuardSeen(GuardPhase.TAKING, Bytes(0), total)
    done = Bytes(min(guard.size, round((works - (guard.pause if is_made else 0.0)) * COPIED_AT)))
    busy, over = (
        (GuardPhase.COPYING, GuardPhase.WHOLE) if is_made else (GuardPhase.ROLLING_BACK, GuardPhase.ROLLED_BACK)
    )
    return GuardSeen(busy if done < guard.size else over, done, total, Milliseconds(round(guard.pause * 1000)))
