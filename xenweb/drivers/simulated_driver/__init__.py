"""A scripted world of several hosts, for tests and for machines without a hypervisor. It never claims to be real."""

from xenweb.drivers.contract import HypervisorDriver
from xenweb.drivers.simulated_driver.driver import SimulatedDriver


def create() -> HypervisorDriver:
    """Make the driver."""
    return SimulatedDriver()
