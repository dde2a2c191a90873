"""Look at a Xen host: libxl answers none of the bulk questions, and these calls wait for no work on a guest.

``state``, ``info``, ``XMLDesc``, ``jobStats`` and the lists take no lock of libvirt's; whatever else is asked
of a guest that moves is kept for 30 s and then refused.
"""

from collections.abc import Iterator

import libvirt

from xenweb.core.quantities import Bytes
from xenweb.drivers.libvirt_driver import description
from xenweb.drivers.libvirt_driver.description import DomainDescription
from xenweb.drivers.libvirt_driver.errors import NO_JOB_CODES

GUEST_TYPES = {"xenpv": "PV", "xenpvh": "PVH", "xenfv": "HVM"}
"""Machine types of libxl, in Xen's own words."""

STATE, CPU_TIME = 0, 4
"""Where ``info`` has the state, and the CPU time in ns; libxl asks Xen for it at that moment."""


def statistics(connection: libvirt.virConnect) -> Iterator[tuple[libvirt.virDomain, dict[str, int]]]:
    """Yield every guest with what QEMU's bulk statistics would say of it, at one question each.

    Xen's own domain is the host.
    """
    for domain in connection.listAllDomains(0):
        if domain.ID() == 0:
            continue
        try:
            said = domain.info()
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
            continue
        stats = {"state.state": int(said[STATE])}
        if domain.ID() > 0:
            stats["cpu.time"] = int(said[CPU_TIME])
        yield domain, stats


def host_uuid(connection: libvirt.virConnect) -> str:
    """Answer the UUID that the machine itself bears, for libxl's capabilities name none; empty if it has none."""
    try:
        return description.system_uuid(connection.getSysinfo(0))
    except (libvirt.libvirtError, description.DescriptionError):
        return ""


def memory_of(connection: libvirt.virConnect) -> tuple[Bytes, Bytes]:
    """Answer all the memory of a host and what Xen has free of it: nothing there is a cache that it could give up."""
    return Bytes(int(connection.getInfo()[1]) * 1024**2), Bytes(int(connection.getFreeMemory()))


def sizes(connection: libvirt.virConnect, described: DomainDescription) -> dict[str, Bytes]:
    """Answer how large each disk is, as far as it lies in a storage pool: libxl itself does not tell."""
    found = {}
    for disk in described.disks:
        try:
            volume = (
                connection.storagePoolLookupByName(disk.pool).storageVolLookupByName(disk.path)
                if disk.pool
                else connection.storageVolLookupByPath(disk.path)
            )
            found[disk.device] = Bytes(volume.info()[1])
        except libvirt.libvirtError:
            continue
    return found


def is_worked_on(domain: libvirt.virDomain) -> bool:
    """Say whether libvirt works on a guest: a move's two ends show it, and so does anything else that takes time."""
    try:
        return bool(domain.jobStats().get("type"))
    except libvirt.libvirtError as error:
        if error.get_error_code() in NO_JOB_CODES:
            return False
        raise


def is_incoming(domain: libvirt.virDomain, state: int) -> bool:
    """Say whether a guest is a copy that is being received: to libxl it is shut off, or paused, and worked on."""
    stands_still = state in {libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_PAUSED}
    return stands_still and is_worked_on(domain)


def guest_type(described: DomainDescription) -> str:
    """Say whether a guest is PV, PVH or HVM; empty where its description does not say."""
    return GUEST_TYPES.get(described.machine, "")
