"""What the contract suite needs of a driver's world: hosts, names, and a hand from outside."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import libvirt

from xenweb.core.quantities import MIB, BytesPerSecond
from xenweb.drivers.contract import Endpoint, HypervisorDriver, MigrationPlan, MoveOptions
from xenweb.drivers.registry import check_address, driver_for
from xenweb.drivers.simulated_driver import faults
from xenweb.drivers.simulated_driver.demo import demo_world
from xenweb.drivers.simulated_driver.world import opened
from xenweb.lab.qemu.lab import Lab

DEFAULTS = MoveOptions()
SLOW = MoveOptions(bandwidth_limit=BytesPerSecond(4.0 * MIB))


class Rig(ABC):
    """One driver with a world below it."""

    kind: str
    endpoints: dict[str, Endpoint]
    moves = 0

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

    def plan(self, vm: str, options: MoveOptions = DEFAULTS, *, target: str = "", trust: bool = False) -> MigrationPlan:
        """Plan a move of a VM to another host."""
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
        )

    @abstractmethod
    def change_outside(self, vm: str) -> None:
        """Pause and resume a VM without the driver."""

    @abstractmethod
    def silence(self, host: str) -> AbstractContextManager[None]:
        """Make a host silent for a while."""

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

    @contextmanager
    def silence(self, host: str) -> Iterator[None]:
        faults.set_silent(self.path, host, is_silent=True)
        yield
        faults.set_silent(self.path, host, is_silent=False)


class LabRig(Rig):
    """Real libvirt, real QEMU."""

    kind = "libvirt"

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.endpoints = {
            host.name: Endpoint(number, host.name, check_address("libvirt", host.uri), host.migration_address)
            for number, host in enumerate(lab.hosts)
        }

    def change_outside(self, vm: str) -> None:
        domain = libvirt.open(self.endpoints[self.where(vm)].uri).lookupByName(vm)
        domain.suspend()
        domain.resume()

    @contextmanager
    def silence(self, host: str) -> Iterator[None]:
        self.lab.daemon(host, "kill")
        yield
        self.lab.daemon(host, "start")
