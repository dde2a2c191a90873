"""How fast guests change, measured on real Xen before anybody moves them, and what that leaves behind: nothing.

    pytest -m xen tests/xen/test_dirtying.py

The oracle is what a guest was told to change, what Xen says of its own log, and the guest's heart.
"""

import pytest

from tests.xen.equipment import Probed, wait_until
from tests.xen.test_moves import Move
from xenweb.core.quantities import MIB
from xenweb.drivers.contract import MoveRefusedError
from xenweb.lab.xen.heartbeat import is_gap_free, widest_gap

pytestmark = [pytest.mark.xen, pytest.mark.timeout(600)]

BUSY, IDLE = "busy-1", "idle-1"
TURNS = 3
# Xen itself lists each guest's paging, and there whether its dirty pages are logged.
PAGING = "xl dmesg -c >/dev/null; xl debug-keys q; sleep 1; xl dmesg | grep -e 'domain ' -e 'paging assistance' || true"


def measured(xen: Probed, guest: str) -> float:
    """How many bytes a second a guest changes, as the probe of its host says."""
    plan = xen.plan(guest)
    said = xen.driver._xen.probes.tell(plan.source, "dirtying", 30, vm=plan.vm_uuid)
    assert isinstance(said, dict)
    rate = said["pages"] * said["page"] / said["seconds"]
    print(f"{guest} on {plan.source.name}: {said}, {rate / MIB:.2f} MiB/s")
    return float(rate)


def test_a_busy_guest_is_told_from_an_idle_one_and_no_log_stays_on(xen: Probed) -> None:
    before = len(xen.lab.beats(BUSY))
    busy = [measured(xen, BUSY) for _ in range(TURNS)]
    idle = [measured(xen, IDLE) for _ in range(TURNS)]
    assert 4 * max(idle) < min(busy)
    spec = xen.lab.guest(BUSY)
    # An emulated CPU may be late, and never changes more in a second than it was told to twice over.
    assert 0.25 * spec.rate * MIB < max(busy) < (2 * spec.rate + 4) * MIB
    for host in {xen.plan(guest).source.name for guest in (BUSY, IDLE)}:
        paging = xen.lab.run(host, PAGING)
        print(paging)
        assert "domain" in paging
        assert "log_dirty" not in paging
    for guest in (BUSY, IDLE):
        xen.runs_once_on(guest, xen.plan(guest).source.name)
    felt = xen.lab.beats(BUSY)[before - 1 :]
    assert is_gap_free(felt)
    print(f"widest gap between beats while it was measured: {widest_gap(felt)} s")


def test_nothing_is_measured_while_a_guest_moves_and_the_move_is_whole(xen: Probed) -> None:
    measured(xen, BUSY)
    plan = xen.plan(BUSY)
    move = Move(xen, plan)
    probes = xen.driver._xen.probes
    wait_until("it copies", lambda: any(each.passes for each in probes.moves(plan.source, plan.vm_uuid) if each.alive))
    with pytest.raises(MoveRefusedError, match=r"under way|being moved"):
        probes.tell(plan.source, "dirtying", 30, vm=plan.vm_uuid)
    move.end()
    assert move.error is None
    xen.runs_once_on(BUSY, plan.target.name)
    measured(xen, BUSY)
    xen.runs_once_on(BUSY, plan.target.name)
