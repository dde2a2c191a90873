"""The eight verbs over a simulated world. It keeps no state of its own."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from xenweb.core.facts import PowerState, kind_for
from xenweb.core.migration import Copy
from xenweb.core.placement import Finding, blocker
from xenweb.core.quantities import GIB, Bytes, BytesPerSecond, Milliseconds
from xenweb.core.queueing import UNLIMITED
from xenweb.drivers.contract import (
    Capability,
    CompletedStats,
    CopyAction,
    DiskExistsError,
    DiskMissingError,
    DiskSnapshot,
    DriverError,
    Endpoint,
    HostEvent,
    HostSnapshot,
    HostUnreachableError,
    Lever,
    MigrationPlan,
    MoveBrokenError,
    MoveCancelledError,
    MoveRefusedError,
    NotSupportedError,
    PassMark,
    Permit,
    Phase,
    Preflight,
    Progress,
    RepositorySnapshot,
    VmSighting,
    VmSnapshot,
    freely,
)
from xenweb.drivers.simulated_driver.guarding import KeepsGuards
from xenweb.drivers.simulated_driver.reaching import host_at, vm_on
from xenweb.drivers.simulated_driver.world import (
    DISK,
    DOWNTIME_LIMIT,
    LINK,
    Clock,
    SimulatedHost,
    SimulatedMove,
    SimulatedVm,
    World,
    disk_path,
)

LOOK_EVERY = 0.1
WAIT_EVERY = 0.05
CPUS = 2
MEASURED_EVERY = 60.0
"""Seconds between two measurements of how fast a VM changes."""

THROTTLE = 80
"""Percent of its time that auto-converge takes from a guest, in this world from the start."""


class SimulatedWatch:
    """Tells of each new version of the world, and of a host that falls silent."""

    def __init__(self, endpoint: Endpoint, sink: Callable[[HostEvent], None], clock: Clock) -> None:
        self._over = threading.Event()
        self._endpoint, self._sink, self._clock = endpoint, sink, clock
        self._seen: int | None = self._version()
        threading.Thread(target=self._look_on, name=f"simulated {endpoint.name}", daemon=True).start()

    def _version(self) -> int | None:
        try:
            with host_at(self._endpoint, self._clock) as (world, _):
                return world.version
        except HostUnreachableError:
            return None

    def look(self) -> None:
        """Tell what is new since the last look."""
        version = self._version()
        if version != self._seen:
            self._seen = version
            self._sink(HostEvent(self._endpoint.host, "", "disconnected" if version is None else "changed"))

    def _look_on(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            self.look()

    def close(self) -> None:
        """Stop telling."""
        self._over.set()


class SimulatedDriver(KeepsGuards):
    """Speaks the contract for a world in a file."""

    name = "simulated"
    simulated = True
    capabilities = frozenset(Capability) - {
        Capability.POST_COPY,
        Capability.TIDIES_DISKS,
        Capability.CHOSEN_PLACES,
    }
    sending = UNLIMITED

    def __init__(self, clock: Clock = time.time, wait: Callable[[float], None] = time.sleep) -> None:
        super().__init__(clock)
        self._wait = wait

    def inventory(self, endpoint: Endpoint) -> HostSnapshot:
        """Describe a host and all that is on it."""
        with host_at(endpoint, self._clock) as (world, host):
            now = self._clock()
            return HostSnapshot(
                uuid=host.uuid,
                name=host.name,
                hypervisor="qemu",
                version="simulated",
                architecture="x86_64",
                cpu_model="simulated",
                cpu_count=CPUS,
                cpu_busy=round(world.busy(host, now) * 1e9),
                cpu_total=round(now * CPUS * 1e9),
                memory_total=Bytes(host.memory),
                memory_free=Bytes(world.memory_free(host)),
                repositories=tuple(
                    RepositorySnapshot(identity, name, "dir", f"/srv/{name}", Bytes(100 * GIB), Bytes(60 * GIB))
                    for name, identity in host.storage.items()
                ),
                networks=("lan",),
                vms=(
                    *(_seen(world, vm, host, now) for vm in world.resident(host.name)),
                    *(_snapshot(vm, host, now, incoming=True) for vm in world.incoming(host.name)),
                ),
                capabilities=self.capabilities if host.keeps_guards else self.capabilities - {Capability.GUARD},
                enabled=not host.is_disabled,
            )

    def watch(self, endpoint: Endpoint, sink: Callable[[HostEvent], None]) -> SimulatedWatch:
        """Call ``sink`` whenever something changes in the world."""
        with host_at(endpoint, self._clock):
            pass
        return SimulatedWatch(endpoint, sink, self._clock)

    def preflight(self, plan: MigrationPlan) -> Preflight:
        """Ask both hosts what only they can say about this move; no command moves a simulated VM."""
        return Preflight(tuple(self._findings(plan)))

    def _findings(self, plan: MigrationPlan) -> Iterator[Finding]:
        vm: SimulatedVm | None = None
        disk: str | None = None
        try:
            with host_at(plan.source, self._clock) as (world, source):
                vm = vm_on(world, source, plan.vm_uuid)
                disk = source.storage.get(vm.disk)
                yield from _of_thevm_on(world, source, vm, plan)
        except DriverError as error:
            code = "source_unreachable" if isinstance(error, HostUnreachableError) else error.code
            yield blocker(code, error.sentence, error.remedy)
        try:
            with host_at(plan.target, self._clock) as (world, target):
                if target.is_disabled:
                    sentence = f"{plan.target.name} is in maintenance and takes no VMs."
                    yield blocker("host_disabled", sentence, "Enable it, or choose another host.")
                if vm is not None:
                    yield from _of_its_disk(world, target, vm, disk, plan)
        except HostUnreachableError as error:
            yield blocker(error.code, error.sentence, error.remedy)

    def migrate(self, plan: MigrationPlan, permit: Permit = freely) -> CompletedStats:
        """Begin the move, and wait until the world says how it ended."""
        permit()
        self._begin(plan)
        while True:
            with host_at(plan.source, self._clock) as (world, _):
                move = world.moves[plan.migration]
                if world.forgets_moves:
                    raise MoveBrokenError("The host no longer knows of the move.")
                if move.ending == "moved" and world.loses_replies:
                    raise HostUnreachableError("The connection was lost before the answer came.", host=move.source)
                if move.ending == "moved":
                    return _stats(world, move)
                if move.ending == "cancelled":
                    raise MoveCancelledError("The simulated hypervisor gave the move up, as it was asked to.")
                if move.ending == "broken":
                    raise MoveBrokenError("The simulated stream broke.")
            self._wait(WAIT_EVERY)

    def _begin(self, plan: MigrationPlan) -> None:
        if plan.options.post_copy:
            raise NotSupportedError("A simulated hypervisor knows no post-copy.")
        with host_at(plan.target, self._clock) as (_world, target):
            target_name = target.name
            if target.is_disabled:
                raise MoveRefusedError(f"{target_name} is disabled.")
        with host_at(plan.source, self._clock) as (world, source):
            vm = vm_on(world, source, plan.vm_uuid)
            if kind_for(PowerState(vm.state)) is not plan.kind:
                raise MoveRefusedError(f"{vm.name} is {vm.state}.")
            if plan.copied_disks and f"{target_name}:{disk_path(vm)}" in world.volumes:
                raise DiskExistsError(f"{target_name} already has a disk at {disk_path(vm)}.")
            if source.name == target_name:
                raise MoveRefusedError("The source and the target are the same host.")
            if world.move_of(vm.uuid) is not None:
                raise MoveRefusedError(f"{vm.name} is being moved already.")
            if vm.disk and not plan.copied_disks and not plan.trust_shared_storage:
                raise MoveRefusedError("Moving without storage that is known to be shared is unsafe.")
            options = plan.options
            limit, throttle = options.downtime_limit, THROTTLE if options.auto_converge else None
            world.moves[plan.migration] = SimulatedMove(
                vm=vm.uuid,
                source=source.name,
                target=target_name,
                began=self._clock(),
                bandwidth=float(options.bandwidth_limit or LINK),
                downtime_limit=DOWNTIME_LIMIT if limit is None else limit / 1000,
                dirty_rate=vm.dirty_rate * (1 - (throttle or 0) / 100) if vm.state == "running" else 0.0,
                throttle=throttle,
                kind=plan.kind.value,
                disk_content=sum(disk.capacity for disk in plan.copied_disks),
                disk_path=disk_path(vm) if plan.copied_disks else "",
            )
            world.version += 1

    def progress(self, plan: MigrationPlan) -> Progress:
        """Look at the move from the source."""
        with host_at(plan.source, self._clock) as (world, _):
            move = world.moves.get(plan.migration)
            if move is None or move.ending or world.forgets_moves:
                return Progress(Phase.NONE)
            wall, clock = self._clock(), time.monotonic()
            stands = world.moment(move, wall)
            began = clock - (wall - move.began) + move.stalled
            marks = tuple(PassMark(number, began + at) for number, at in enumerate(stands.pass_started, 1))
            disk = _disk_progress(move, world.disk_copied(move, wall))
            if not stands.processed:
                return replace(disk, phase=Phase.CANCELLING) if move.cancel_at else disk
            expected = round(stands.remaining * 1000 / move.bandwidth)
            phase = Phase.SWITCHING if stands.is_switching else Phase.COPYING
            return replace(
                disk,
                phase=Phase.CANCELLING if move.cancel_at else phase,
                elapsed=Milliseconds(round((wall - move.began) * 1000)),
                pass_number=stands.pass_number,
                remaining=Bytes(stands.remaining),
                processed=Bytes(stands.processed),
                total=Bytes(world.vms[move.vm].memory),
                dirty_rate=BytesPerSecond(move.dirty_rate) if stands.pass_number > 1 else None,
                expected_downtime=Milliseconds(expected) if stands.pass_number > 1 else None,
                throttle=move.throttle,
                passes=marks,
            )

    def change(self, plan: MigrationPlan, lever: Lever, value: int | None) -> None:
        """Change the facts that a running move follows from."""
        with host_at(plan.source, self._clock) as (world, _):
            move = world.moves.get(plan.migration)
            if move is None or move.ending:
                if lever is Lever.CANCEL:
                    return
                raise MoveRefusedError("No move is under way.")
            if lever is Lever.CANCEL:
                move.cancel_at = self._clock()
                return
            if world.disk_copied(move, self._clock()) < move.disk_content:
                raise MoveRefusedError("Its disk is still being copied.")
            world.turn(move, self._clock())
            match lever:
                case Lever.BANDWIDTH:
                    move.bandwidth = float(value or LINK)
                case Lever.DOWNTIME:
                    move.downtime_limit = (value or 0) / 1000
                case Lever.PAUSE:
                    move.dirty_rate = 0.0
                case Lever.POST_COPY:
                    raise NotSupportedError("The simulated hypervisor has no post-copy.")

    def repair(self, endpoint: Endpoint, vm_uuid: str, action: CopyAction, path: str = "") -> None:
        """Remove a disk that no VM of the host uses; in this world no move ever leaves a copy standing."""
        del vm_uuid
        if action is CopyAction.REMOVE_DISK:
            with host_at(endpoint, self._clock) as (world, host):
                _remove_disk(world, host, path)
            return
        raise MoveRefusedError(f"{endpoint.name} has no copy that stands still because of a move.")

    def host_enable(self, endpoint: Endpoint, *, is_enabled: bool) -> None:
        """Say whether a host takes VMs."""
        with host_at(endpoint, self._clock) as (world, host):
            if host.is_disabled is is_enabled:
                host.is_disabled = not is_enabled
                world.version += 1

    def locate(self, endpoint: Endpoint, vm_uuid: str) -> VmSighting:
        """Ask one host what it knows of a VM."""
        try:
            with host_at(endpoint, self._clock) as (world, host):
                move = world.move_of(vm_uuid)
                vm = world.vms.get(vm_uuid)
                if vm is not None and vm.host == host.name:
                    copy = {"running": Copy.RUNNING, "halted": Copy.INACTIVE}.get(vm.state, Copy.PAUSED)
                    is_leaving = move is not None and move.source == host.name and not world.forgets_moves
                    return VmSighting(copy, is_leaving, vm.cpu_time(self._clock()), _completed(world, host, vm_uuid))
                is_coming = move is not None and move.target == host.name and move.kind != "cold"
                return VmSighting(Copy.INCOMING if is_coming else Copy.ABSENT)
        except HostUnreachableError:
            return VmSighting(Copy.NO_ANSWER)


def _completed(world: World, host: SimulatedHost, vm_uuid: str) -> CompletedStats:
    """Answer what the world measured of the last move that brought a VM to a host."""
    moves = [each for each in world.moves.values() if each.vm == vm_uuid and each.ending == "moved"]
    last = max(moves, key=lambda each: each.ended, default=None)
    return _stats(world, last) if last is not None and last.target == host.name else CompletedStats()


def _disk_progress(move: SimulatedMove, copied: int) -> Progress:
    if not move.disk_content:
        return Progress(Phase.STARTING)
    return Progress(
        phase=Phase.COPYING_STORAGE if copied else Phase.STARTING,
        disk_total=Bytes(move.disk_content),
        disk_processed=Bytes(copied),
        disk_remaining=Bytes(move.disk_content - copied),
    )


def _remove_disk(world: World, host: SimulatedHost, path: str) -> None:
    resident = {vm.uuid for vm in world.resident(host.name)}
    coming = {move.vm for move in world.moves.values() if move.target == host.name and not move.ending}
    for uuid in resident | coming:
        if disk_path(world.vms[uuid]) == path:
            raise MoveRefusedError(f"{world.vms[uuid].name} on {host.name} uses the disk at {path}.")
    if world.volumes.pop(f"{host.name}:{path}", None) is None:
        raise DiskMissingError(f"{host.name} has no disk at {path}.")
    world.version += 1


def _stats(world: World, move: SimulatedMove) -> CompletedStats:
    if move.kind == "cold":
        return CompletedStats()
    stands = world.moment(move, move.ended)
    return CompletedStats(
        total=Milliseconds(round((move.ended - move.began) * 1000)),
        downtime=Milliseconds(round(stands.downtime * 1000)),
        transferred=Bytes(stands.processed),
        passes=stands.pass_number,
    )


def _of_thevm_on(world: World, source: SimulatedHost, vm: SimulatedVm, plan: MigrationPlan) -> Iterator[Finding]:
    if kind_for(PowerState(vm.state)) is not plan.kind:
        yield blocker(
            "vm_state_changed", f"{vm.name} is {vm.state} on {source.name} by now.", "Ask for the move again."
        )
    if world.move_of(vm.uuid) is not None:
        yield blocker("vm_busy", f"{vm.name} is being moved away by another hand.", "Wait for that to end, or end it.")


def _of_its_disk(
    world: World, target: SimulatedHost, vm: SimulatedVm, disk: str | None, plan: MigrationPlan
) -> Iterator[Finding]:
    if plan.copied_disks:
        if f"{target.name}:{disk_path(vm)}" in world.volumes:
            sentence = f"{target.name} already has a disk at {disk_path(vm)}, which is never reused."
            yield blocker("disk_exists", sentence, "Delete what an earlier move left behind.")
    elif disk is not None and disk not in target.storage.values():
        sentence = f"The disk of {vm.name} is in no storage repository of {target.name}."
        yield blocker("disk_not_there", sentence, "Choose a host that has the storage.")


def _seen(world: World, vm: SimulatedVm, host: SimulatedHost, now: float) -> VmSnapshot:
    said = _snapshot(vm, host, now)
    return replace(said, state=PowerState.PAUSED) if world.is_held(vm.uuid, now) else said


def _snapshot(vm: SimulatedVm, host: SimulatedHost, now: float, *, incoming: bool = False) -> VmSnapshot:
    state = PowerState.PAUSED if incoming else PowerState(vm.state)
    disks: tuple[DiskSnapshot, ...] = ()
    if vm.disk:
        size = None if incoming else Bytes(DISK)
        disks = (DiskSnapshot("vda", disk_path(vm), "raw", size, "none", False, host.storage.get(vm.disk)),)
    is_measured = state is PowerState.RUNNING and not incoming
    return VmSnapshot(
        uuid=vm.uuid,
        name=vm.name,
        state=state,
        active=vm.state != "halted",
        incoming=incoming,
        memory=Bytes(vm.memory),
        vcpus=1,
        cpu_time=None if incoming else vm.cpu_time(now),
        disks=disks,
        networks=("lan",),
        dirty_rate=BytesPerSecond(min(vm.dirty_rate, vm.working_set)) if is_measured else None,
        dirty_rate_at=datetime.fromtimestamp(now - now % MEASURED_EVERY, UTC) if is_measured else None,
    )
