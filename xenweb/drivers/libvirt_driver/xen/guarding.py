"""Guards of VMs on Xen hosts: their probes make and keep them, libvirt only says which disks a VM has."""

import time
from collections.abc import Callable, Mapping
from typing import Final

import libvirt

from xenweb.core.guard import GuardPhase
from xenweb.core.quantities import Bytes, BytesPerSecond, Milliseconds
from xenweb.drivers.contract import Endpoint, MoveRefusedError
from xenweb.drivers.guards import GuardForeseen, GuardPlan, GuardSeen
from xenweb.drivers.libvirt_driver import description
from xenweb.drivers.libvirt_driver.description import DomainDescription
from xenweb.drivers.libvirt_driver.xen.probing import Probes
from xenweb.drivers.libvirt_driver.xen.volumes import VmVolumes

REMOVED_WITHIN: Final = 180.0
BEGUN_WITHIN: Final = 60.0
LOOKED_WITHIN: Final = 20.0
WRITES_FOR: Final = 1.0
"""Seconds for which a VM's writes are counted."""

WRITTEN: Final = 3
"""Where ``blockStats`` has the bytes that were written."""


class XenGuards:
    """The guards of all Xen hosts of this process."""

    def __init__(self, probes: Callable[[], Probes], volumes: VmVolumes) -> None:
        self._probes, self._volumes = probes, volumes

    def foresee(self, host: Endpoint, domain: libvirt.virDomain, *, with_memory: bool) -> GuardForeseen:
        """Say whether a guard can be made of a VM's disks; raises libvirtError, or a DriverError."""
        described = description.domain(domain.XMLDesc(0))
        paths = tuple(disk.path for disk in described.disks if not disk.read_only)
        if not paths:
            return GuardForeseen(False, "It has no disk that could change.")
        more = {"memory": memory_of(domain)} if with_memory else {}
        said = _mapped(self._probes().tell(host, "guard_foresee", BEGUN_WITHIN, paths=list(paths), **more))
        return GuardForeseen(
            possible=said.get("possible") is True,
            why=str(said.get("why", "")),
            paths=paths,
            needed=_size(said.get("needed")),
            free=_size(said.get("free")),
            write_rate=_write_rate(domain, described),
        )

    def begin(self, plan: GuardPlan, domain: libvirt.virDomain | None = None) -> None:
        """Begin to make a guard; of the memory of ``domain`` as well, if that is given. Raises libvirtError."""
        if domain is None:
            self._tell(plan, "guard_begin", BEGUN_WITHIN)
            return
        description = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE)
        self._tell(plan, "guard_begin", BEGUN_WITHIN, memory=memory_of(domain), description=description)

    def look(self, plan: GuardPlan) -> GuardSeen:
        """Look how far a guard is."""
        more = {"with_memory": True} if plan.with_memory else {}
        said = _mapped(self._tell(plan, "guard_look", LOOKED_WITHIN, **more))
        pause = said.get("pause_ms")
        return GuardSeen(
            phase=_phase(said.get("phase")),
            done=_size(said.get("done")),
            total=_size(said.get("total")),
            pause=Milliseconds(int(pause)) if isinstance(pause, int | float) else None,
            sentence=str(said.get("error", "")),
        )

    def remove(self, plan: GuardPlan) -> None:
        """Stop what is being done about a guard, and remove all of it."""
        self._tell(plan, "guard_remove", REMOVED_WITHIN)

    def roll_back(self, plan: GuardPlan) -> None:
        """Have no other host keep the disks active, then begin to lay the guard over them."""
        for other in plan.others:
            seen = self._volumes.seen(other, plan.paths)
            if seen is None:
                msg = f"The probe of {other.name} does not say whether it has the VM's disks open."
                raise MoveRefusedError(msg, host=other.name)
            for path, volume in seen.items():
                if volume.active:
                    self._volumes.release(other, plan.vm_uuid, path)
        self._tell(plan, "guard_roll_back", BEGUN_WITHIN)

    def make_ready(self, plan: GuardPlan, home: Endpoint) -> None:
        """Activate the VM's volumes on the host that has its definition; files need nothing."""
        volumes = [path for path, each in (self._volumes.seen(home, plan.paths) or {}).items() if not each.active]
        if volumes:
            self._probes().tell(home, "activate", REMOVED_WITHIN, vm=plan.vm_uuid, paths=volumes)

    def memory(self, plan: GuardPlan) -> str:
        """Answer where on its host the memory of a guard lies, for libvirt to read."""
        return str(self._tell(plan, "guard_memory", LOOKED_WITHIN))

    def _tell(self, plan: GuardPlan, verb: str, within: float, **more: object) -> object:
        fixed: dict[str, object] = {"guard": plan.guard, "vm": plan.vm_uuid, "paths": list(plan.paths)}
        return self._probes().tell(plan.host, verb, within, **fixed, **more)


MOST_MEMORY: Final = 1
"""Where ``info`` has the memory that a VM may have, in KiB."""


def memory_of(domain: libvirt.virDomain) -> int:
    """Answer how many bytes of memory a VM has at most; raises libvirtError."""
    return int(domain.info()[MOST_MEMORY]) * 1024


def _write_rate(domain: libvirt.virDomain, described: DomainDescription) -> BytesPerSecond | None:
    """Count what a VM writes for a moment; libxl knows it of block devices alone."""
    before, began = _written(domain, described), time.monotonic()
    if before is None:
        return None
    time.sleep(WRITES_FOR)
    after = _written(domain, described)
    return None if after is None else BytesPerSecond(max(0, after - before) / (time.monotonic() - began))


def _written(domain: libvirt.virDomain, described: DomainDescription) -> int | None:
    try:
        return sum(int(domain.blockStats(disk.device)[WRITTEN]) for disk in described.disks if not disk.read_only)
    except libvirt.libvirtError:
        return None


def _mapped(said: object) -> Mapping[str, object]:
    return said if isinstance(said, Mapping) else {}


def _size(said: object) -> Bytes:
    return Bytes(int(said)) if isinstance(said, int | float) and not isinstance(said, bool) else Bytes(0)


def _phase(said: object) -> GuardPhase:
    try:
        return GuardPhase(str(said))
    except ValueError:
        return GuardPhase.BROKEN
