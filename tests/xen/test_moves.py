"""The driver's verbs on real Xen hosts, where what they show is not seen through the product (test_product.py).

    pytest -m xen tests/xen/test_moves.py

The oracle is never our own code: one running copy by ``xl list`` on both hosts, and a heart that goes on beating.
"""

import threading
import time
from collections.abc import Callable

import libvirt
import pytest

from tests.xen.equipment import PROBE_PID, Probed, wait_until
from xenweb.core.migration import Conclusion, Copy, conclude
from xenweb.drivers.contract import (
    Capability,
    CompletedStats,
    CopyAction,
    DriverError,
    Lever,
    MigrationPlan,
    MoveRefusedError,
    NotSupportedError,
    Phase,
    Progress,
)
from xenweb.lab.connections import connected

pytestmark = [pytest.mark.xen, pytest.mark.timeout(600)]

GUEST = "busy-1"
LOOK_EVERY = 0.5
"""Seconds between two looks, as the driver asks of whoever looks."""


class Move:
    """One call of the driver in a thread, looked at as the product looks."""

    def __init__(self, xen: Probed, plan: MigrationPlan) -> None:
        self.xen, self.plan = xen, plan
        self.looks: list[Progress] = []
        self.stats: CompletedStats | None = None
        self.error: DriverError | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.stats = self.xen.driver.migrate(self.plan)
        except DriverError as error:
            self.error = error

    def look(self) -> Progress | None:
        try:
            self.looks.append(self.xen.driver.progress(self.plan))
        except DriverError:
            return None
        return self.looks[-1]

    def until(self, condition: Callable[[Progress], bool], patience: float = 60.0) -> None:
        """Look until a look shows something."""
        deadline = time.monotonic() + patience
        while not ((seen := self.look()) is not None and condition(seen)):
            assert self._thread.is_alive(), f"the move ended before: {self.error}"
            assert time.monotonic() < deadline
            self._thread.join(LOOK_EVERY)

    def in_first_pass(self) -> None:
        self.until(lambda seen: seen.pass_number == 1 and bool(seen.processed))

    def end(self, patience: float = 240.0) -> None:
        deadline = time.monotonic() + patience
        while self._thread.is_alive():
            assert time.monotonic() < deadline, "the call did not end"
            self.look()
            self._thread.join(LOOK_EVERY)


def test_without_probes_the_time_is_all_that_is_seen_and_the_place_is_proven_all_the_same(xen: Probed) -> None:
    plan = xen.plan(GUEST, probed=False)
    assert xen.driver.inventory(plan.source).capabilities == frozenset()
    move = Move(xen, plan)
    move.until(lambda seen: seen.phase is Phase.COPYING and bool(seen.elapsed))
    with pytest.raises(NotSupportedError):
        xen.driver.change(plan, Lever.CANCEL, None)
    move.end()
    assert move.error is None
    assert {seen.pass_number for seen in move.looks} == {None}
    assert conclude(xen.settled(plan)) is Conclusion.ON_TARGET
    xen.runs_once_on(GUEST, plan.target.name)


def described_quickly(xen: Probed, plan: MigrationPlan) -> None:
    """Hold the looks at both hosts of a move under way to their time: what waits for it libvirt keeps for 30 s."""
    slowest = 0.0
    for endpoint in (plan.source, plan.target):
        began = time.monotonic()
        said = xen.driver.inventory(endpoint)
        slowest = max(slowest, time.monotonic() - began)
        assert Capability.CANCEL in (said.capabilities or ())
        [vm] = [each for each in said.vms if each.uuid == plan.vm_uuid]
        assert vm.incoming is (endpoint is plan.target)
    print(f"slowest look at a host during a move: {slowest:.2f} s")
    assert slowest < 10


def test_a_probe_that_is_killed_under_way_costs_the_passes_and_not_the_move(xen: Probed) -> None:
    plan = xen.plan(GUEST)
    move = Move(xen, plan)
    move.in_first_pass()
    described_quickly(xen, plan)
    xen.lab.run(plan.source.name, f"kill -9 $({PROBE_PID})")
    move.end()
    assert move.error is None
    xen.runs_once_on(GUEST, plan.target.name)
    wait_until("the probe answers again", lambda: xen.answers(plan.source.name))


def libvirt_state(xen: Probed, plan: MigrationPlan) -> int:
    with connected(plan.source.uri, plan.source.name) as connection:
        return int(connection.lookupByUUIDString(plan.vm_uuid).state()[0])


def test_a_source_daemon_that_is_killed_leaves_a_copy_that_one_repair_takes_away(xen: Probed) -> None:
    plan = xen.plan(GUEST)
    move = Move(xen, plan)
    move.in_first_pass()
    xen.lab.daemon(plan.source.name, "kill")
    move.end()
    assert move.error is not None
    wait_until("Xen says that it runs at the source", lambda: xen.locate(plan.source, plan).copy is Copy.RUNNING)
    xen.lab.daemon(plan.source.name, "start")
    proof = xen.settled(plan)
    assert conclude(proof) is Conclusion.HALF_RECEIVED
    assert any(each.code == "move_left_over" for each in xen.driver.preflight(plan).findings)
    # Whoever moves it all the same is refused, and the source's daemon then takes the guest for paused.
    with pytest.raises(MoveRefusedError):
        xen.driver.migrate(plan)
    if libvirt_state(xen, plan) == libvirt.VIR_DOMAIN_PAUSED:
        assert xen.settled(plan).misread
        xen.driver.repair(plan.source, plan.vm_uuid, CopyAction.CORRECT)
        assert libvirt_state(xen, plan) == libvirt.VIR_DOMAIN_RUNNING
        assert not xen.settled(plan).misread
    xen.driver.repair(plan.target, plan.vm_uuid, CopyAction.REMOVE)
    assert conclude(xen.settled(plan)) is Conclusion.ON_SOURCE
    xen.runs_once_on(GUEST, plan.source.name)
    again = Move(xen, plan)
    again.end()
    assert again.error is None
    xen.runs_once_on(GUEST, plan.target.name)
