"""The blocking call beside a test, and what both hosts say of it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.contract.rig import Rig
from xenweb.core.migration import Proof
from xenweb.drivers.contract import CompletedStats, DriverError, Lever, MigrationPlan, Phase


class Calling(threading.Thread):
    """The blocking call in a thread of its own."""

    def __init__(self, rig: Rig, plan: MigrationPlan) -> None:
        super().__init__(daemon=True)
        self.rig, self.plan = rig, plan
        self.stats: CompletedStats | None = None
        self.error: DriverError | None = None

    def run(self) -> None:
        """Make the call; keep its answer."""
        try:
            self.stats = self.rig.driver.migrate(self.plan)
        except DriverError as error:
            self.error = error


@contextmanager
def calling(rig: Rig, plan: MigrationPlan) -> Iterator[Calling]:
    """Make the call; whatever happens, give the move up and wait for its end."""
    call = Calling(rig, plan)
    call.start()
    try:
        yield call
    finally:
        if call.is_alive():
            rig.driver.change(plan, Lever.CANCEL, None)
        call.join(30)
        assert not call.is_alive(), "the call did not come back"


def proof(rig: Rig, plan: MigrationPlan) -> Proof:
    """Ask both hosts."""
    source = rig.driver.locate(plan.source, plan.vm_uuid)
    return Proof(source.copy, rig.driver.locate(plan.target, plan.vm_uuid).copy, source.busy, plan.kind)


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(0.05)


def until_copying(rig: Rig, plan: MigrationPlan) -> None:
    """Wait until memory is being copied."""
    until(lambda: rig.driver.progress(plan).phase is Phase.COPYING)
