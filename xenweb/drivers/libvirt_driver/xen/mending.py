"""Mend what a move has left standing on a Xen host; what only Xen can prove takes its probe.

An incoming copy is never destroyed through libvirt: that call waits for the end of the move, and then destroys
the guest that has just arrived.
"""

import time
from collections.abc import Callable
from typing import Final

import libvirt

from xenweb.drivers.contract import (
    CopyAction,
    DriverError,
    Endpoint,
    HostUnreachableError,
    MoveRefusedError,
    NotSupportedError,
    VmMissingError,
)
from xenweb.drivers.libvirt_driver.xen.probing import Probes, XenCopy
from xenweb.drivers.libvirt_driver.xen.sightings import Told, told_by

Reach = Callable[[], libvirt.virDomain]
"""Looks the VM up on its host; raises a DriverError, VmMissingError where libvirt does not know it."""

FORGOTTEN_WITHIN: Final = 30.0
LOOK_EVERY: Final = 0.25


def repair(probes: Probes, endpoint: Endpoint, vm_uuid: str, action: CopyAction, reach: Reach) -> None:
    """Do one thing to one copy; raise MoveRefusedError where Xen does not prove that it may be done."""
    if action is CopyAction.PAUSE:
        reach().suspend()
        return
    copies = probes.copies(endpoint, vm_uuid)
    if copies is None:
        _without_probe(endpoint, action, reach)
        return
    living = [each for each in copies if not each.dying]
    match action:
        case CopyAction.BREAK_OFF:
            probes.do(endpoint, "break_off", vm_uuid)
        case CopyAction.RESUME:
            _resume(probes, endpoint, vm_uuid, living, reach)
        case CopyAction.CORRECT:
            _correct(probes, endpoint, vm_uuid, living, reach)
        case CopyAction.REMOVE:
            _remove(probes, endpoint, vm_uuid, living, reach)
        case CopyAction.REMOVE_PAUSED:
            _remove_paused(endpoint, living, reach)
        case CopyAction.REMOVE_DISK | CopyAction.RELEASE_VOLUME:
            raise _refused(endpoint, "is not a disk")


def _refused(endpoint: Endpoint, why: str) -> MoveRefusedError:
    return MoveRefusedError(f"Nothing is done: the copy on {endpoint.name} {why}.", host=endpoint.name)


def _without_probe(endpoint: Endpoint, action: CopyAction, reach: Reach) -> None:
    domain = reach()
    told = told_by(domain)
    is_paused = told.state == libvirt.VIR_DOMAIN_PAUSED and not told.worked_on
    if action is CopyAction.RESUME and is_paused:
        domain.resume()
        return
    msg = (
        f"libvirt alone cannot do this safely on {endpoint.name}: it does not see what Xen has, and its own way "
        "could destroy a guest that runs. It takes the probe of that host."
    )
    raise NotSupportedError(msg, host=endpoint.name)


def _resume(probes: Probes, endpoint: Endpoint, vm_uuid: str, living: list[XenCopy], reach: Reach) -> None:
    if len(living) != 1:
        raise _refused(endpoint, "is not the only one there, or is gone")
    [one] = living
    if one.is_suspended:
        probes.do(endpoint, "resume", vm_uuid)
    elif one.runs:
        _correct(probes, endpoint, vm_uuid, living, reach)
    elif one.paused:
        reach().resume()
    else:
        raise _refused(endpoint, "was stopped for another reason than a move")


def _correct(probes: Probes, endpoint: Endpoint, vm_uuid: str, living: list[XenCopy], reach: Reach) -> None:
    """Let libvirt see that a guest runs: held by Xen for a moment, libvirt's own word to go on is true again."""
    domain = reach()
    if domain.state()[0] != libvirt.VIR_DOMAIN_PAUSED:
        return
    if len(living) != 1 or not living[0].runs:
        raise _refused(endpoint, "does not run, or is not the only one there")
    probes.do(endpoint, "hold", vm_uuid)
    domain.resume()


def _remove(probes: Probes, endpoint: Endpoint, vm_uuid: str, living: list[XenCopy], reach: Reach) -> None:
    if len(living) == 1 and living[0].is_suspended:
        told = told_by(reach())
        if told.worked_on:
            raise _refused(endpoint, "is still being worked on")
        _destroy(reach())
        return
    if any(each.runs or each.cpu_time for each in living):
        raise _refused(endpoint, "ran, or runs")
    probes.do(endpoint, "remove_half_built", vm_uuid)
    if _is_in_the_way(reach):
        # libvirt itself would wait for ever for the end of a move that is lost: it must forget.
        probes.do(endpoint, "restart_daemon")
        _wait_until_forgotten(endpoint, reach)


def _remove_paused(endpoint: Endpoint, living: list[XenCopy], reach: Reach) -> None:
    """Remove what was paused by choice; a copy that is just arriving is paused too, but has not run or is worked on."""
    if len(living) != 1 or not living[0].paused:
        raise _refused(endpoint, "is not paused, or is not the only one there")
    if living[0].cpu_time == 0:
        raise _refused(endpoint, "never ran, and may be arriving")
    domain = reach()
    if told_by(domain).worked_on:
        raise _refused(endpoint, "is still being worked on")
    _destroy(domain)


def _is_in_the_way(reach: Reach) -> bool:
    try:
        told = told_by(reach())
    except VmMissingError:
        return False
    return told.worked_on


def _wait_until_forgotten(endpoint: Endpoint, reach: Reach) -> None:
    until = time.monotonic() + FORGOTTEN_WITHIN
    while time.monotonic() < until:
        try:
            told = told_by(reach())
        except VmMissingError:
            return
        except (DriverError, libvirt.libvirtError):
            told = Told(known=True, worked_on=True)  # it is not back yet
        if not told.worked_on:
            return
        time.sleep(LOOK_EVERY)
    msg = f"The daemon of {endpoint.name} was started anew and does not answer yet, or still keeps the copy."
    raise HostUnreachableError(msg, host=endpoint.name)


def _destroy(domain: libvirt.virDomain) -> None:
    is_persistent = bool(domain.isPersistent())
    domain.destroy()
    if is_persistent:
        domain.undefine()
