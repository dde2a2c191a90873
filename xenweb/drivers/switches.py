"""What a driver can do beside its eight verbs if its hypervisor itself can be told that a host takes no VMs.

Where it cannot, that a host is in maintenance is held by us alone; ``switch_of`` says which it is.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from xenweb.core.findings import Finding
from xenweb.drivers.contract import Endpoint, HypervisorDriver


@runtime_checkable
class HostSwitch(Protocol):
    """A driver that can take hosts out of service and back. The verb may raise a DriverError, and nothing else."""

    def host_enable(self, endpoint: Endpoint, *, is_enabled: bool) -> None:
        """Tell the hypervisor whether a host takes VMs; those that it has stay where they are.

        Said again it changes nothing. Raises MoveRefusedError where the hypervisor said no and nothing has
        changed; after any other error only ``inventory`` tells what holds.
        """


@runtime_checkable
class StayTeller(Protocol):
    """A driver whose hypervisor can be asked which VMs of a host it would move nowhere."""

    def staying(self, endpoint: Endpoint) -> Mapping[str, Finding]:
        """Answer why VMs cannot leave a host, by their UUIDs; changes nothing. It may raise a DriverError alone."""


def switch_of(driver: HypervisorDriver) -> HostSwitch | None:
    """Answer the driver as one that can take hosts out of service; None if it cannot."""
    return driver if isinstance(driver, HostSwitch) else None


def stay_teller_of(driver: HypervisorDriver) -> StayTeller | None:
    """Answer the driver as one that says which VMs cannot leave; None if it cannot."""
    return driver if isinstance(driver, StayTeller) else None
