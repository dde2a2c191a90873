"""A Xen guest's logical volumes: which a move activates on the target, and what would harm them."""

from collections.abc import Iterator

import libvirt

from xenweb.core.placement import Finding, blocker, note, warning
from xenweb.drivers.contract import Endpoint, MovedVolume
from xenweb.drivers.libvirt_driver import description
from xenweb.drivers.libvirt_driver.checks.asked import Asked
from xenweb.drivers.libvirt_driver.description import DiskDescription
from xenweb.drivers.libvirt_driver.xen.probing import PathSeen
from xenweb.drivers.libvirt_driver.xen.storing import volume_named
from xenweb.drivers.libvirt_driver.xen.volumes import VmVolumes, VolumeSeen

Volumes = dict[str, VolumeSeen]


def _wanted(asked: Asked) -> list[DiskDescription]:
    return [disk for disk in asked.described.disks if volume_named(disk.path) is not None]


def _at(asked: Asked, endpoint: Endpoint) -> Volumes:
    paths = tuple(disk.path for disk in _wanted(asked))
    return (VmVolumes(lambda: asked.probes).seen(endpoint, paths) or {}) if paths else {}


def moved(asked: Asked) -> tuple[MovedVolume, ...]:
    """List the volumes that both hosts know by one name, and whether each is active on the target already."""
    here, there = _at(asked, asked.plan.source), _at(asked, asked.plan.target)
    return tuple(
        MovedVolume(path, was_active=there[path].active)
        for path, each in here.items()
        if path in there and there[path].identity == each.identity and not there[path].hindrance
    )


def as_if_active(asked: Asked, there: dict[str, PathSeen]) -> dict[str, PathSeen]:
    """Say what will stand on the target once the move has activated the VM's volumes there."""
    known = _at(asked, asked.plan.target)
    return {
        path: PathSeen("block", each.size, each.identity)
        if (each := known.get(path)) is not None and seen.kind == "missing" and not each.active
        else seen
        for path, seen in {**dict.fromkeys(known, PathSeen("missing", None, "")), **there}.items()
    }


def volumes(asked: Asked) -> Iterator[Finding]:
    """Check each volume of the VM: nothing may hinder two hosts from having it active, and no file be in its place."""
    target, known = asked.plan.target, _at(asked, asked.plan.target)
    for disk in _wanted(asked):
        each = known.get(disk.path)
        if each is None:
            continue
        if each.hindrance:
            yield blocker(
                "volume_not_movable",
                f"Disk {disk.device} of {asked.plan.vm_name} cannot be activated on {target.name}: {each.hindrance}",
                "Copy the snapshot to a volume of its own and remove it, or move the disk to a plain volume.",
                device=disk.device,
                path=disk.path,
            )
        elif each.stands not in {"missing", "block"}:
            yield blocker(
                "disk_not_a_device",
                f"{disk.path} is no block device on {target.name}: {asked.plan.vm_name} would run on a plain file.",
                "Remove that file there, and activate the volume that belongs in its place.",
                device=disk.device,
                path=disk.path,
            )
        elif not each.active:
            yield note(
                "volume_activated",
                f"Disk {disk.device} ({disk.path}) is not active on {target.name} yet; the move activates it there "
                f"right before it begins, and deactivates it where {asked.plan.vm_name} is not in the end.",
                "Nothing to do.",
                device=disk.device,
                path=disk.path,
            )


def sessions(asked: Asked) -> Iterator[Finding]:
    """Look for a libvirt pool that would log a host out of the very target that the VM's volumes lie on."""
    groups = {named[0] for disk in _wanted(asked) if (named := volume_named(disk.path)) is not None}
    if not groups:
        return
    for endpoint, host in ((asked.plan.source, asked.source), (asked.plan.target, asked.target)):
        seen = VmVolumes(lambda: asked.probes).storage(endpoint)
        if seen is None or host is None:
            continue
        lying = {target for each in seen.groups if each.name in groups for target in each.targets}
        for pool, target in _iscsi_pools(host):
            if target in lying:
                yield warning(
                    "pool_owns_session",
                    f"On {endpoint.name} libvirt's pool {pool} holds the iSCSI session to {target}, on which disks of "
                    f"{asked.plan.vm_name} lie: whoever stops that pool logs the host out under them.",
                    f"Never stop {pool} there. Take its definition away (virsh pool-undefine) so that only the "
                    "host's own open-iscsi cares for the session.",
                    host=endpoint.name,
                    pool=pool,
                    target=target,
                )


def _iscsi_pools(host: libvirt.virConnect) -> Iterator[tuple[str, str]]:
    try:
        pools = host.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return
        raise
    for pool in pools:
        xml = pool.XMLDesc(0)
        if description.pool(xml).kind == "iscsi":
            yield pool.name(), description.pool_device(xml)
