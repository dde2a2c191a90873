"""What the contract suite needs of a driver's world: hosts, names, and a hand from outside."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import libvirt

from xenweb.core.facts import Kind
from xenweb.core.quantities import MIB, Bytes, BytesPerSecond
from xenweb.drivers.contract import (
    Capability,
    CopiedDisk,
    Endpoint,
    HypervisorDriver,
    MigrationPlan,
    MoveOptions,
    VmSnapshot,
)
from xenweb.drivers.registry import check_address, driver_for
from xenweb.drivers.simulated_driver import faults
from xenweb.drivers.simulated_driver.demo import demo_world
from xenweb.drivers.simulated_driver.world import opened
from xenweb.lab.qemu.heartbeat import disk_counters, is_gap_free, is_undamaged
from xenweb.lab.qemu.lab import Lab

DEFAULTS = MoveOptions()
SLOW = MoveOptions(bandwidth_limit=BytesPerSecond(4.0 * MIB))


class Rig(ABC):
    """One driver with a world below it."""

    kind: str
    can_post_copy = False
    proves_sharing = False
    """Whether the hypervisor itself knows which storage is shared, so that nobody's word is needed."""

    measures_changes = True
    """Whether the driver learns how fast a VM changes while it does not move."""

    target_remembers = True
    """Whether a target tells afterwards by itself what the move to it cost."""

    runs_commands = True
    """Whether the command that the preflight writes can be run on this machine."""

    endpoints: dict[str, Endpoint]
    moves = 0

    def can(self, capability: Capability) -> bool:
        """Say whether the driver can do what is not asked of all."""
        return capability in self.driver.capabilities

    @property
    def driver(self) -> HypervisorDriver:
        """The driver under test."""
        return driver_for(self.kind)

    def where(self, vm: str) -> str:
        """Find the host that a VM is on, by the hosts' own inventories."""
        for name, endpoint in self.endpoints.items():
            for each in self.driver.inventory(endpoint).vms:
                if each.name == vm and not each.incoming:
                    return name
        raise AssertionError(f"no host knows {vm}")

    def uuid(self, vm: str) -> str:
        """Find a VM's UUID."""
        for endpoint in self.endpoints.values():
            for each in self.driver.inventory(endpoint).vms:
                if each.name == vm:
                    return each.uuid
        raise AssertionError(f"no host knows {vm}")

    def snapshot(self, vm: str) -> VmSnapshot:
        """Describe a VM as the host does that it is on."""
        vms = self.driver.inventory(self.endpoints[self.where(vm)]).vms
        return next(each for each in vms if each.name == vm)

    def plan(
        self,
        vm: str,
        options: MoveOptions = DEFAULTS,
        *,
        target: str = "",
        trust: bool = False,
        kind: Kind = Kind.LIVE,
        copies: bool = False,
    ) -> MigrationPlan:
        """Plan a move of a VM to another host; ``copies`` takes all its disks along."""
        source = self.where(vm)
        target = target or next(name for name in ("host-a", "host-b") if name != source)
        Rig.moves += 1
        return MigrationPlan(
            migration=f"{self.kind}-{Rig.moves}",
            vm_uuid=self.uuid(vm),
            vm_name=vm,
            source=self.endpoints[source],
            target=self.endpoints[target],
            options=options,
            trust_shared_storage=trust,
            kind=kind,
            copied_disks=tuple(
                CopiedDisk(disk.device, disk.path, disk.capacity or Bytes(0))
                for disk in (self.snapshot(vm).disks if copies else ())
            ),
        )

    @abstractmethod
    def change_outside(self, vm: str) -> None:
        """Pause and resume a VM without the driver."""

    @abstractmethod
    def pause(self, vm: str, *, is_paused: bool) -> None:
        """Pause or resume a VM without the driver."""

    @abstractmethod
    def has_disk(self, vm: str, host: str) -> bool:
        """Say whether a host has a disk of a VM on its own storage, without asking the driver."""

    @abstractmethod
    def clear(self, vm: str, host: str) -> None:
        """Remove a VM's disk from a host's own storage, from outside."""

    @abstractmethod
    def witnessed(self, vm: str) -> AbstractContextManager[None]:
        """Hold a guest to its own word around a move: it lost no beat, and nothing that it wrote to its disk."""

    @abstractmethod
    def silence(self, host: str) -> AbstractContextManager[None]:
        """Make a host silent for a while."""

    def hurry(self) -> bool:
        """Let what is being moved slowly go on fast; say whether that can be done from outside."""
        return False

    def nowhere(self) -> Endpoint:
        """Answer an endpoint where no host is."""
        endpoint = self.endpoints["host-a"]
        return replace(endpoint, name="nowhere", uri=endpoint.uri.replace("host-a", "host-z"))


class SimulatedRig(Rig):
    """A world in a file."""

    kind = "simulated"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "world.json"
        names = demo_world(self.path)
        self.endpoints = {
            name: Endpoint(number, name, check_address("simulated", f"simulated://{self.path}?host={name}"))
            for number, name in enumerate(names)
        }

    def change_outside(self, vm: str) -> None:
        with opened(self.path) as here:
            next(each for each in here.vms.values() if each.name == vm).load = 0.9
            here.version += 1

    def pause(self, vm: str, *, is_paused: bool) -> None:
        with opened(self.path) as here:
            next(each for each in here.vms.values() if each.name == vm).state = "paused" if is_paused else "running"
            here.version += 1

    def has_disk(self, vm: str, host: str) -> bool:
        with opened(self.path) as here:
            return f"{host}:/srv/local/{vm}.img" in here.volumes

    def clear(self, vm: str, host: str) -> None:
        with opened(self.path) as here:
            here.volumes.pop(f"{host}:/srv/local/{vm}.img", None)

    @contextmanager
    def witnessed(self, vm: str) -> Iterator[None]:
        before = self.snapshot(vm).cpu_time or 0
        yield
        assert (self.snapshot(vm).cpu_time or 0) >= before, "a simulated guest has no beat: its clock goes on"

    @contextmanager
    def silence(self, host: str) -> Iterator[None]:
        faults.set_silent(self.path, host, is_silent=True)
        try:
            yield
        finally:
            faults.set_silent(self.path, host, is_silent=False)


class LabRig(Rig):
    """Real libvirt, real QEMU."""

    kind = "libvirt"

    def __init__(self, lab: Lab) -> None:
        # QEMU in the lab is an ordinary user's: it may not catch page faults where the machine forbids it.
        self.can_post_copy = Path("/proc/sys/vm/unprivileged_userfaultfd").read_text().strip() == "1"
        self.lab = lab
        self.endpoints = {
            host.name: Endpoint(number, host.name, check_address("libvirt", host.uri), host.migration_address)
            for number, host in enumerate(lab.hosts)
        }

    def change_outside(self, vm: str) -> None:
        domain = libvirt.open(self.endpoints[self.where(vm)].uri).lookupByName(vm)
        domain.suspend()
        domain.resume()

    def pause(self, vm: str, *, is_paused: bool) -> None:
        domain = libvirt.open(self.endpoints[self.where(vm)].uri).lookupByName(vm)
        domain.suspend() if is_paused else domain.resume()

    def has_disk(self, vm: str, host: str) -> bool:
        return self.lab.disk(vm, host).exists()

    def clear(self, vm: str, host: str) -> None:
        self.lab.disk(vm, host).unlink(missing_ok=True)

    @contextmanager
    def witnessed(self, vm: str) -> Iterator[None]:
        with self.lab.watch(vm) as heartbeat:
            assert heartbeat.wait_for(5, 10), f"{vm} is not heard before the move"
            before = disk_counters(self.lab.disk(vm, self.where(vm)))
            yield
            assert heartbeat.wait_for(30, 20), f"{vm} is not heard after the move"
            said = [arrival.beat for arrival in heartbeat.arrivals()]
        assert is_gap_free(said)
        assert is_undamaged(said)
        after = disk_counters(self.lab.disk(vm, self.where(vm)))
        assert after.newest > before.newest, f"{vm} writes nothing at the target"
        assert after.missing == before.missing == ()

    @contextmanager
    def silence(self, host: str) -> Iterator[None]:
        self.lab.daemon(host, "kill")
        try:
            yield
        finally:
            self.lab.daemon(host, "start")
