"""A driver whose every answer a test decides, and a small board to use it on."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from xenweb.core.facts import PowerState
from xenweb.core.migration import Copy
from xenweb.core.placement import Finding
from xenweb.core.quantities import GIB, MIB, Bytes
from xenweb.core.queueing import UNLIMITED, Sending
from xenweb.drivers.contract import (
    Capability,
    CompletedStats,
    CopyAction,
    DiskSnapshot,
    DriverError,
    Endpoint,
    HostEvent,
    HostSnapshot,
    HostUnreachableError,
    Lever,
    MigrationPlan,
    MovedVolume,
    Permit,
    Phase,
    Preflight,
    Progress,
    RepositorySnapshot,
    VmSighting,
    VmSnapshot,
    freely,
)


@dataclass
class ScriptedDriver:
    """What the hosts say is what the test has put into ``copies``."""

    name: str = "scripted"
    simulated: bool = True
    capabilities: frozenset[Capability] = frozenset(Capability) - {
        Capability.TIDIES_DISKS,
        Capability.GUARD,
        Capability.CHOSEN_PLACES,
    }
    sending: Sending = UNLIMITED
    copies: dict[tuple[str, str], Copy] = field(default_factory=dict)
    busy: bool = False
    findings: tuple[Finding, ...] = ()
    progresses: list[Progress] = field(default_factory=list)
    error: DriverError | None = None
    calls: list[str] = field(default_factory=list)
    changes: list[tuple[str, Lever, int | None]] = field(default_factory=list)
    change_error: DriverError | None = None
    repairs: list[tuple[str, CopyAction]] = field(default_factory=list)
    repair_error: DriverError | None = None
    removed_disks: list[tuple[str, str]] = field(default_factory=list)
    volumes: tuple[MovedVolume, ...] = ()
    released: list[tuple[str, str]] = field(default_factory=list)
    release_error: DriverError | None = None
    disk_error: DriverError | None = None
    disks: dict[tuple[str, str], tuple[DiskSnapshot, ...]] = field(default_factory=dict)
    repositories: tuple[RepositorySnapshot, ...] = ()
    silent_hosts: set[str] = field(default_factory=set)
    let_go: threading.Event = field(default_factory=threading.Event)
    on_call: Callable[[MigrationPlan], None] = lambda plan: None
    on_cancel: Callable[[MigrationPlan], None] = lambda plan: None
    on_preflight: Callable[[MigrationPlan], None] = lambda plan: None
    stats: CompletedStats = field(default_factory=CompletedStats)
    cpu_time: Callable[[str], int | None] = lambda host: None
    unproven_hosts: set[str] = field(default_factory=set)
    """Hosts whose word is that of a daemon alone."""

    def inventory(self, endpoint: Endpoint) -> HostSnapshot:
        """Describe the host with the VMs that it has a copy of; a silent one raises."""
        if endpoint.name in self.silent_hosts:
            msg = f"{endpoint.name} does not answer."
            raise HostUnreachableError(msg)
        vms = tuple(
            replace(snapshot_vm(uuid, copy), disks=self.disks.get((host, uuid), ()))
            for (host, uuid), copy in self.copies.items()
            if host == endpoint.name and copy not in {Copy.ABSENT, Copy.NO_ANSWER}
        )
        own = tuple(
            replace(each, identity=f"{each.identity}-{endpoint.name}") if each.name == "local" else each
            for each in self.repositories
        )
        return replace(snapshot_host(endpoint.name, vms), repositories=own)

    def watch(self, endpoint: Endpoint, sink: Callable[[HostEvent], None]) -> "ScriptedDriver":
        """Promise events that never come."""
        del endpoint, sink
        return self

    def close(self) -> None:
        """End nothing."""

    def preflight(self, plan: MigrationPlan) -> Preflight:
        """Answer the findings of the script, and name the move."""
        self.on_preflight(plan)
        return Preflight(self.findings, f"move {plan.vm_name} to {plan.target.name}", self.volumes)

    def migrate(self, plan: MigrationPlan, permit: Permit = freely) -> CompletedStats:
        """Block until the test lets go, then do what the script says."""
        permit()
        self.calls.append(plan.migration)
        self.let_go.wait(20)
        self.on_call(plan)
        if self.error is not None:
            raise self.error
        return self.stats

    def progress(self, plan: MigrationPlan) -> Progress:
        """Answer the looks of the script, the last one for ever."""
        del plan
        if not self.progresses:
            return Progress(Phase.STARTING)
        return self.progresses.pop(0) if len(self.progresses) > 1 else self.progresses[0]

    def change(self, plan: MigrationPlan, lever: Lever, value: int | None) -> None:
        """Keep what was asked, or raise what the script says; give up as the script says."""
        if lever is Lever.CANCEL:
            self.on_cancel(plan)
            return
        if self.change_error is not None:
            raise self.change_error
        self.changes.append((plan.migration, lever, value))

    def repair(self, endpoint: Endpoint, vm_uuid: str, action: CopyAction, path: str = "") -> None:
        """Do it to the copies of the script, or raise what it says of disks."""
        if action is CopyAction.REMOVE_DISK:
            if self.disk_error is not None:
                raise self.disk_error
            self.removed_disks.append((endpoint.name, path))
            return
        if action is CopyAction.RELEASE_VOLUME:
            if self.release_error is not None:
                raise self.release_error
            self.released.append((endpoint.name, path))
            return
        if self.repair_error is not None:
            raise self.repair_error
        self.repairs.append((endpoint.name, action))
        if action is CopyAction.BREAK_OFF:
            return
        done = {CopyAction.RESUME: Copy.RUNNING, CopyAction.PAUSE: Copy.PAUSED}
        self.copies[(endpoint.name, vm_uuid)] = done.get(action, Copy.ABSENT)

    def locate(self, endpoint: Endpoint, vm_uuid: str) -> VmSighting:
        """Answer the copy of the script; a host that is silent raises."""
        copy = self.copies.get((endpoint.name, vm_uuid), Copy.ABSENT)
        if copy is Copy.NO_ANSWER:
            msg = f"{endpoint.name} does not answer."
            raise HostUnreachableError(msg)
        busy, cpu_time = self.busy and endpoint.name == "host-a", self.cpu_time(endpoint.name)
        proven = endpoint.name not in self.unproven_hosts
        return VmSighting(copy, busy=busy, cpu_time=cpu_time, completed=self.stats, proven=proven)

    def moves_to_target(self, plan: MigrationPlan) -> None:
        """Let the VM run on the target and be gone from the source."""
        self.copies[(plan.source.name, plan.vm_uuid)] = Copy.ABSENT
        self.copies[(plan.target.name, plan.vm_uuid)] = Copy.RUNNING


LOCAL_STORAGE = RepositorySnapshot("dir:local", "local", "dir", "/srv/local", Bytes(8 * GIB), Bytes(4 * GIB))
"""Each host has it for itself: a scripted host makes its identity its own."""

LOCAL_DISK = {
    host: DiskSnapshot("vda", "/srv/local/vm.img", "raw", Bytes(32 * MIB), "none", False, f"dir:local-{host}")
    for host in ("host-a", "host-b")
}


def snapshot_vm(uuid: str, copy: Copy = Copy.RUNNING, name: str = "", memory: int = 256 * MIB) -> VmSnapshot:
    """Describe a VM as a host would."""
    state = {Copy.RUNNING: PowerState.RUNNING, Copy.INACTIVE: PowerState.HALTED}.get(copy, PowerState.PAUSED)
    return VmSnapshot(
        uuid=uuid,
        name=name or f"vm-{uuid[:4]}",
        state=state,
        active=copy is not Copy.INACTIVE,
        incoming=copy is Copy.INCOMING,
        memory=Bytes(memory),
        vcpus=1,
        cpu_time=1,
        disks=(),
        networks=(),
    )


def snapshot_host(name: str, vms: tuple[VmSnapshot, ...] = (), uuid: str = "") -> HostSnapshot:
    """Describe a host as a driver would."""
    return HostSnapshot(
        uuid=uuid or f"00000000-0000-4000-8000-0000000000{ord(name[-1]):02x}",
        name=name,
        hypervisor="qemu",
        version="QEMU 7.2",
        architecture="x86_64",
        cpu_model="qemu64",
        cpu_count=2,
        cpu_busy=0,
        cpu_total=0,
        memory_total=Bytes(8 * GIB),
        memory_free=Bytes(8 * GIB),
        repositories=(),
        networks=(),
        vms=vms,
    )
