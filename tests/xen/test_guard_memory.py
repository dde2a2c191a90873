"""A guard with memory on real Xen: saved by xl, read back by libvirt, and the guest goes on from that very moment.

    pytest -m xen tests/xen/test_guard_memory.py

The oracle is the guest: its beats and its records are numbered by what it has in its memory, and its disk must hold
exactly what its memory says that it wrote.
"""

import time
from itertools import pairwise

import pytest

from tests.xen.equipment import Probed, wait_until
from tests.xen.test_storage import checked, moved, release, settled
from xenweb.core.guard import GuardPhase
from xenweb.core.migration import Copy
from xenweb.drivers.guards import GuardPlan
from xenweb.lab.xen import heartbeat

pytestmark = [pytest.mark.xen, pytest.mark.timeout(900)]

GUEST = "san-1"
GUARD = "8G4K2QXZ"
CONSOLE = f"cat /var/log/xen/guest-{GUEST}.log 2>/dev/null || true"


def numbers(xen: Probed, host: str) -> list[int]:
    """The beats on a host's console of the guest, in the order in which they came."""
    return [beat.number for beat in heartbeat.beats(xen.lab.run(host, CONSOLE))]


def listed(xen: Probed, host: str) -> str:
    """What libvirt itself says of the guest on a host."""
    return xen.lab.run(host, f"virsh dominfo {GUEST} 2>/dev/null || true")


def test_a_guest_goes_on_from_the_moment_of_its_guard_and_libvirt_knows_it(xen: Probed) -> None:
    plan = checked(xen, GUEST)
    source, target = plan.source.name, plan.target.name
    foreseen = xen.driver.guard_foresee(plan.source, plan.vm_uuid, with_memory=True)
    assert foreseen.possible, foreseen.why
    guard = GuardPlan(GUARD, plan.vm_uuid, plan.source, foreseen.paths, (plan.target,), with_memory=True)
    run = xen.lab.records(GUEST, source).run
    began = numbers(xen, source)[-1]
    xen.driver.guard_begin(guard)
    wait_until("it is taken", lambda: xen.driver.guard_look(guard).pause is not None, 120)
    held = numbers(xen, source)[-1]
    seen = settled(xen, guard, GuardPhase.WHOLE)
    print(f"it stood still for {seen.pause} ms between beats {began} and {held}")
    assert "running" in listed(xen, source)
    xen.runs_once_on(GUEST, source)
    moved(xen, checked(xen, GUEST))
    release(xen, plan)
    wait_until("it goes on", lambda: xen.newest_beat(GUEST, target) > held + 10, 120)
    xen.lab.run(target, f"xl destroy {GUEST}")
    wait_until("it is halted", lambda: not xen.lab.where(GUEST))
    try:
        xen.driver.guard_roll_back(guard)
        settled(xen, guard, GuardPhase.ROLLED_BACK)
        xen.driver.guard_make_ready(guard, plan.source)
        began_at = time.monotonic()
        xen.driver.guard_restore_memory(guard)
        print(f"its memory was read in {time.monotonic() - began_at:.1f} s")
        assert xen.driver.locate(plan.source, plan.vm_uuid).copy is Copy.RUNNING
        told = listed(xen, source)
        print(told)
        assert "running" in told
        assert "Persistent:     yes" in told
        assert listed(xen, target).strip() == ""
        xen.runs_once_on(GUEST, source)
        went_on = _first_after_the_guard(numbers(xen, source))
        print(f"it went on with beat {went_on}")
        assert began < went_on <= held + 2
        records = xen.lab.records(GUEST, source)
        wait_until("it writes on", lambda: xen.newest_record(GUEST, source) > records.newest + 10, 120)
        after = xen.lab.records(GUEST, source)
        assert (after.run, after.is_complete) == (run, True)
        xen.driver.guard_remove(guard)
        assert xen.driver.guard_look(guard).phase is GuardPhase.NONE
        assert GUARD not in xen.lab.run(source, "ls /var/lib/xenweb-probe/states")
        again = checked(xen, GUEST)
        moved(xen, again)
        release(xen, again)
    finally:
        xen.lab.up(print)


def _first_after_the_guard(beats: list[int]) -> int:
    """Answer with which beat a guest went on after it went back in time; a guest that starts anew begins at 1."""
    back = [after for before, after in pairwise(beats) if after <= before]
    assert back, "it never went back in time"
    return back[-1]
