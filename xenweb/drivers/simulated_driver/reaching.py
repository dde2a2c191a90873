"""From an address to a host of the world, as it is now."""

from collections.abc import Iterator
from contextlib import contextmanager

from xenweb.drivers.contract import Endpoint, HostUnreachableError, VmMissingError
from xenweb.drivers.simulated_driver import addresses
from xenweb.drivers.simulated_driver.world import Clock, SimulatedHost, SimulatedVm, World, opened


@contextmanager
def host_at(endpoint: Endpoint, clock: Clock) -> Iterator[tuple[World, SimulatedHost]]:
    """Lend a host of the world that an address names; raise HostUnreachableError if it is silent or not there."""
    path, name = addresses.parts(endpoint.uri)
    with opened(path, clock) as world:
        host = world.hosts.get(name)
        if host is None or host.is_silent:
            raise HostUnreachableError(f"{endpoint.name} does not answer.", host=endpoint.name)
        yield world, host


def vm_on(world: World, host: SimulatedHost, uuid: str) -> SimulatedVm:
    """Answer a VM that is on a host; raise VmMissingError."""
    vm = world.vms.get(uuid)
    if vm is None or vm.host != host.name:
        raise VmMissingError(f"{host.name} does not know the VM.", host=host.name)
    return vm
