"""Plans between simulated XAPI hosts, and the call in a thread beside a test."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.xapi.process import Pools
from xenweb.core.facts import Kind
from xenweb.core.migration import Proof
from xenweb.core.quantities import MIB
from xenweb.drivers.contract import CopiedDisk, DriverError, Lever, MigrationPlan, MoveOptions
from xenweb.drivers.xapi_driver.driver import XapiDriver
from xenweb.lab.xapi.world import identity

SLOW = 12.0 * MIB


def plan(
    pools: Pools, vm: str, source: str, target: str, *, kind: Kind = Kind.LIVE, disks: bool = False, user: str = "root"
) -> MigrationPlan:
    """Plan a move; with ``disks`` all of them travel."""
    ends = pools.endpoint(source, 1, user=user), pools.endpoint(target, 2, user=user)
    copied: tuple[CopiedDisk, ...] = ()
    if disks:
        here = next(each for each in XapiDriver().inventory(ends[0]).vms if each.name == vm)
        copied = tuple(CopiedDisk(disk.device, disk.path, disk.capacity or 0) for disk in here.disks)  # type: ignore[arg-type]
    return MigrationPlan(
        f"m-{vm}-{time.monotonic_ns()}", identity(vm), vm, *ends, MoveOptions(), kind=kind, copied_disks=copied
    )


class Call(threading.Thread):
    """The blocking call."""

    def __init__(self, driver: XapiDriver, planned: MigrationPlan) -> None:
        super().__init__(daemon=True)
        self.driver, self.planned = driver, planned
        self.error: DriverError | None = None
        self.is_done = False

    def run(self) -> None:
        try:
            self.driver.migrate(self.planned)
            self.is_done = True
        except DriverError as error:
            self.error = error


@contextmanager
def calling(driver: XapiDriver, planned: MigrationPlan) -> Iterator[Call]:
    """Make the call beside a test, and wait for its end."""
    call = Call(driver, planned)
    call.start()
    yield call
    call.join(40)
    assert not call.is_alive(), "the call did not come back"


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(0.05)


def until_moving(driver: XapiDriver, planned: MigrationPlan) -> None:
    """Wait until the pool works on a move."""
    until(lambda: driver.progress(planned).phase.value in {"copying", "copying_storage"})


def proof(driver: XapiDriver, planned: MigrationPlan) -> Proof:
    """Ask both hosts."""
    source, target = (driver.locate(each, planned.vm_uuid) for each in (planned.source, planned.target))
    halted = source.halted or target.halted
    return Proof(source.copy, target.copy, source.busy, planned.kind, halted=halted)


def give_up(driver: XapiDriver, planned: MigrationPlan) -> None:
    """Ask for the end of a move."""
    driver.change(planned, Lever.CANCEL, None)
