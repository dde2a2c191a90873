"""Say where a VM is, on a Xen host: libvirt's word alone is no proof here.

Seen on real hosts: a guest that was suspended for a move that failed is still ``running`` to libvirt; one that
runs may be ``paused`` to it; and for about a second after a move both hosts' daemons say ``running``. So a VM
runs here when Xen itself says so (by the probe), or, without a probe, when its CPU time grows while one looks.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import libvirt

from xenweb.core.migration import Copy
from xenweb.drivers.contract import VmSighting
from xenweb.drivers.libvirt_driver.xen.looks import CPU_TIME, is_worked_on
from xenweb.drivers.libvirt_driver.xen.probing import SeenMove, XenCopy

GROWS_WITHIN: Final = 1.5
"""Seconds in which the CPU time of a guest that runs must grow; an idle one wakes up a few times in that time."""

LOOK_EVERY: Final = 0.1
RAN_LATELY: Final = 300.0
"""Seconds for which it matters that a copy, gone by now, had been let go here: it may have written to its disks."""


@dataclass(frozen=True, slots=True)
class Told:
    """What libvirt says of a VM on one host."""

    known: bool
    active: bool = False
    state: int = libvirt.VIR_DOMAIN_NOSTATE
    reason: int = 0
    worked_on: bool = False

    @property
    def is_paused_by_a_move(self) -> bool:
        """Say whether libvirt takes it for paused because of a move."""
        return self.state == libvirt.VIR_DOMAIN_PAUSED and self.reason == libvirt.VIR_DOMAIN_PAUSED_MIGRATION


def told_by(domain: libvirt.virDomain) -> Told:
    """Read what libvirt says of a guest; raises libvirtError."""
    state, reason = domain.state()
    return Told(True, bool(domain.isActive()), state, reason, is_worked_on(domain))


def by_xen(told: Told | None, copies: tuple[XenCopy, ...], moves: tuple[SeenMove, ...]) -> VmSighting:
    """Judge by what Xen has; ``told`` is None where libvirt does not answer. Anything odd is no answer."""
    living = [each for each in copies if not each.dying]
    busy = any(each.alive and each.saves for each in moves) or (told is not None and told.active and told.worked_on)
    if len(living) > 1:
        return VmSighting(Copy.RUNNING if any(each.runs for each in living) else Copy.NO_ANSWER, busy)
    if not living:
        return VmSighting(_gone(told, moves), busy)
    [one] = living
    return VmSighting(
        _standing(told, one),
        busy,
        one.cpu_time,
        misread=one.runs and told is not None and told.state == libvirt.VIR_DOMAIN_PAUSED and not told.worked_on,
    )


def _gone(told: Told | None, moves: tuple[SeenMove, ...]) -> Copy:
    if told is not None and told.active:
        return Copy.NO_ANSWER  # libvirt has not noticed yet
    last = moves[-1] if moves else None
    if last is not None and not last.saves and last.ran is not None and last.now - last.ran < RAN_LATELY:
        return Copy.NO_ANSWER  # it was let go here: what became of it since, and of its disks, nobody knows
    if told is None:
        return Copy.ABSENT
    if told.worked_on:
        return Copy.NEVER_RAN  # what a lost move left in libvirt: no copy, but in the way of every later one
    return Copy.INACTIVE if told.known else Copy.ABSENT


def _standing(told: Told | None, one: XenCopy) -> Copy:
    if one.runs:
        return Copy.RUNNING
    if told is None:
        return Copy.NO_ANSWER  # why it stands still only libvirt knows
    if one.shutdown:
        return Copy.INCOMING if one.is_suspended else Copy.NO_ANSWER
    if one.cpu_time == 0:
        return Copy.NEVER_RAN
    is_by_a_move = told.worked_on or not told.active or told.is_paused_by_a_move
    return Copy.INCOMING if is_by_a_move else Copy.PAUSED


def by_libvirt(told: Told, cpu_time: Callable[[], int], wait: Callable[[float], None] = time.sleep) -> VmSighting:
    """Judge without a probe: what libvirt says, and for a VM that runs that its CPU time grows; raises libvirtError.

    None of it is proven: libvirt may not know of a copy that Xen has, or take one that runs for something else.
    """
    return replace(_told_alone(told, cpu_time, wait), proven=False)


def _told_alone(told: Told, cpu_time: Callable[[], int], wait: Callable[[float], None]) -> VmSighting:
    if not told.known:
        return VmSighting(Copy.ABSENT)
    if not told.active:
        return VmSighting(Copy.INCOMING if told.worked_on else Copy.INACTIVE)
    is_paused = told.state == libvirt.VIR_DOMAIN_PAUSED
    if told.worked_on:
        return VmSighting(Copy.INCOMING if is_paused else Copy.RUNNING, busy=True)
    if is_paused and not told.is_paused_by_a_move:
        return VmSighting(Copy.PAUSED, cpu_time=cpu_time())
    first = last = cpu_time()
    for _ in range(round(GROWS_WITHIN / LOOK_EVERY)):
        wait(LOOK_EVERY)
        last = cpu_time()
        if last > first:
            return VmSighting(Copy.RUNNING, cpu_time=last)
    return VmSighting(Copy.NO_ANSWER, cpu_time=last)


def cpu_time_of(domain: libvirt.virDomain) -> int:
    """Ask how long a guest has used CPUs, in ns; libxl asks Xen at that moment. Raises libvirtError."""
    return int(domain.info()[CPU_TIME])
