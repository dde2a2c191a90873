"""What a driver can do beside its eight verbs if its hypervisor may forget a move that goes on.

Where a move belongs to the process that makes it, a source that shows no work on it has ended it. Where it belongs to
a pool whose memory of it is lost with its coordinator, that proves nothing: such a driver says so itself.
"""

from typing import Protocol, runtime_checkable

from xenweb.core.migration import Unclear
from xenweb.drivers.contract import HypervisorDriver, MigrationPlan


@runtime_checkable
class EndTeller(Protocol):
    """A driver that can say whether its hypervisor has told a move's end. It may raise a DriverError alone."""

    def ending(self, plan: MigrationPlan) -> Unclear | None:
        """Say why a move that shows nowhere may go on all the same; None if it shows, or is told to have ended."""


def teller_of(driver: HypervisorDriver) -> EndTeller | None:
    """Answer the driver as one that tells ends; None where what shows no work has ended."""
    return driver if isinstance(driver, EndTeller) else None
