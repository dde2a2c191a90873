"""Each disk of a Xen guest on the target: there, of the right kind, and the same disk.

A logical volume that is not active there is the usual cause of a move that fails without one; worse, a tool
that writes to its path makes a plain file of it, and a guest then starts on that. Two hosts with probes compare
the volumes' own names; without them it is what libvirt's storage pools tell.
"""

from collections.abc import Iterator
from functools import partial

import libvirt

from xenweb.core.placement import Finding, blocker, note, warning
from xenweb.core.quantities import human_size
from xenweb.drivers.libvirt_driver.checks import storage, xen_volumes
from xenweb.drivers.libvirt_driver.checks.asked import Asked, guarded
from xenweb.drivers.libvirt_driver.description import DiskDescription
from xenweb.drivers.libvirt_driver.xen.probing import PathSeen

BLOCK_VOLUME = libvirt.VIR_STORAGE_VOL_BLOCK


def disks(asked: Asked) -> Iterator[Finding]:
    """Check each disk by itself, with the probes where they answer."""
    wanted = [disk for disk in asked.described.disks if disk.path.startswith("/")]
    paths = [disk.path for disk in wanted]
    there = asked.probes.paths(asked.plan.target, paths) if paths else None
    if there is None:
        for disk in asked.described.disks:
            yield from guarded(f"disk {disk.device}", partial(_by_pools, asked, disk))
        return
    here = asked.probes.paths(asked.plan.source, paths) or {}
    there = xen_volumes.as_if_active(asked, there)
    for disk in wanted:
        yield from _compared(asked, disk, here.get(disk.path), there.get(disk.path, PathSeen("missing", None, "")))


def _by_pools(asked: Asked, disk: DiskDescription) -> Iterator[Finding]:
    try:
        volume = asked.target.storageVolLookupByPath(disk.path)
    except libvirt.libvirtError:
        volume = None
    if volume is not None and disk.is_block and volume.info()[0] != BLOCK_VOLUME:
        yield _no_device(asked, disk)
        return
    if volume is None and disk.path.startswith("/"):
        yield _not_seen(asked, disk)
        return
    yield from storage.one_disk(asked, disk)


def _compared(asked: Asked, disk: DiskDescription, here: PathSeen | None, there: PathSeen) -> Iterator[Finding]:
    plan, words = asked.plan, f"Disk {disk.device} of {asked.plan.vm_name}"
    if there.kind == "missing":
        yield blocker(
            "disk_not_there",
            f"{words} is not at {disk.path} on {plan.target.name}.",
            "If it is a logical volume, activate it there (lvchange -ay); else attach its storage at the same path.",
            device=disk.device,
            path=disk.path,
        )
    elif disk.is_block and there.kind != "block":
        yield _no_device(asked, disk)
    elif here is None:
        yield _unproven(asked, disk, f"the probe of {plan.source.name} does not answer")
    elif here.kind != there.kind:
        yield _differs(asked, disk, f"is a {here.kind} on {plan.source.name} and a {there.kind} on {plan.target.name}")
    elif here.size != there.size and here.size is not None and there.size is not None:
        sizes = f"has {human_size(here.size)} on {plan.source.name} and {human_size(there.size)} on {plan.target.name}"
        yield _differs(asked, disk, sizes)
    elif not here.identity or not there.identity:
        yield _unproven(asked, disk, "it bears no name that would be the same on both")
    elif here.identity != there.identity:
        yield _differs(asked, disk, f"is another one on {plan.target.name}")
    else:
        yield note(
            "disk_same",
            f"{words} is the same on both hosts by its path, size and own name.",
            "Nothing to do.",
            device=disk.device,
            proven=("path", "size", "own name"),
        )


def _no_device(asked: Asked, disk: DiskDescription) -> Finding:
    return blocker(
        "disk_not_a_device",
        f"{disk.path} is no block device on {asked.plan.target.name}: {asked.plan.vm_name} would run on a plain file.",
        "Remove that file there, and activate the volume that belongs in its place.",
        device=disk.device,
        path=disk.path,
    )


def _not_seen(asked: Asked, disk: DiskDescription) -> Finding:
    target = asked.plan.target.name
    return blocker(
        "disk_not_there",
        f"Nobody tells whether {target} has disk {disk.device} of {asked.plan.vm_name} ({disk.path}): its probe does "
        "not answer, and no storage pool of its libvirt holds it.",
        f"See on {target} why the probe does not answer, or install it: manage.py probe install {target}.",
        device=disk.device,
        path=disk.path,
    )


def _differs(asked: Asked, disk: DiskDescription, how: str) -> Finding:
    return blocker(
        "disk_differs",
        f"Disk {disk.device} of {asked.plan.vm_name} {how}: it is not the same disk.",
        "Attach the same storage at the same path there, or choose another host.",
        device=disk.device,
        path=disk.path,
    )


def _unproven(asked: Asked, disk: DiskDescription, why: str) -> Finding:
    return warning(
        "disk_identity_unproven",
        f"That disk {disk.device} of {asked.plan.vm_name} is the same on both hosts is not proven: {why}.",
        "Find out whether both hosts use the same storage.",
        device=disk.device,
        path=disk.path,
    )
