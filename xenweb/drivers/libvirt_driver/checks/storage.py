"""Each disk on the target: at the same path, and the same disk.

A path proves nothing, and neither does the UUID of a pool: two folders may bear
one. So a volume is compared by its key where that is more than a path, by its
size, and by the moment of its last change, which the same file has on both
hosts to the nanosecond. A busy disk changes between two looks: the target's
moment must then lie between two of the source's. Where a server named by both
hosts keeps the disk, its place there is the proof.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import libvirt

from xenweb.core.placement import Finding, blocker, note, warning
from xenweb.core.quantities import Bytes, human_size
from xenweb.drivers.libvirt_driver import description
from xenweb.drivers.libvirt_driver.checks.asked import Asked, guarded
from xenweb.drivers.libvirt_driver.description import DiskDescription
from xenweb.drivers.libvirt_driver.disks import copy_findings, volume

LOOKS = 3
"""So often the moments of change are compared before they are said to differ."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """One disk of the VM, as a volume of both hosts."""

    asked: Asked
    disk: DiskDescription
    here: libvirt.virStorageVol
    there: libvirt.virStorageVol

    def words(self) -> str:
        return f"Disk {self.disk.device} of {self.asked.plan.vm_name}"


def disks(asked: Asked) -> Iterator[Finding]:
    """Check each disk by itself, save those that the move copies."""
    copied = {disk.path for disk in asked.plan.copied_disks}
    for disk in asked.described.disks:
        if disk.path in copied:
            continue
        yield from guarded(f"disk {disk.device}", partial(one_disk, asked, disk))


def copies(asked: Asked) -> Iterator[Finding]:
    """Look for a place, and room, for each disk that the move copies."""
    yield from copy_findings(asked.plan, asked.target)


def one_disk(asked: Asked, disk: DiskDescription) -> Iterator[Finding]:
    """Look for one disk on the target, and compare it with what the source has."""
    target = asked.plan.target.name
    if not disk.pool and not disk.path.startswith("/"):
        yield note(
            "disk_not_checked",
            f"Not checked: whether {target} reaches disk {disk.device} ({disk.path}), which comes over the network.",
            "Make sure that both hosts may use it.",
            device=disk.device,
        )
        return
    there = _volume(asked.target, disk)
    if there is None:
        yield blocker(
            "disk_not_there",
            f"Disk {disk.device} ({disk.path}) is in no storage repository of {target}.",
            "Attach the storage there at the same path, or choose another host.",
            device=disk.device,
            path=disk.path,
        )
        return
    here = None if asked.source is None else _volume(asked.source, disk)
    if here is None:
        yield _not_comparable(asked, disk, f"it is in no storage repository of {asked.plan.source.name}")
    else:
        yield from _compared(_Pair(asked, disk, here, there))


def _volume(host: libvirt.virConnect, disk: DiskDescription) -> libvirt.virStorageVol | None:
    """Find a disk in a host's pools, by its path or by its name in the pool that its VM names."""
    if not disk.pool:
        return volume(host, disk.path)
    try:
        return host.storagePoolLookupByName(disk.pool).storageVolLookupByName(disk.path)
    except libvirt.libvirtError as error:
        if error.get_error_code() not in {libvirt.VIR_ERR_NO_STORAGE_VOL, libvirt.VIR_ERR_NO_STORAGE_POOL}:
            raise
    return None


def _compared(pair: _Pair) -> Iterator[Finding]:
    plan = pair.asked.plan
    sizes = Bytes(pair.here.info()[1]), Bytes(pair.there.info()[1])
    keys = pair.here.key(), pair.there.key()
    has_key = keys[0] != pair.here.path()
    if sizes[0] != sizes[1]:
        yield _differs(
            pair, f"has {human_size(sizes[0])} on {plan.source.name} and {human_size(sizes[1])} on {plan.target.name}"
        )
    elif has_key and keys[0] != keys[1]:
        yield _differs(pair, f"is another volume on {plan.target.name}")
    elif has_key:
        yield _same(pair, ("path", "size", "volume key"))
    elif _is_one_served(pair):
        # Not compared: a client of NFS tells moments from its own memory, up to a minute old, and a busy disk
        # would seem to be another file.
        yield _same(pair, ("path", "size", "place on the server of its storage"))
    else:
        yield from _by_last_change(pair)


def _is_one_served(pair: _Pair) -> bool:
    """Say whether both hosts have the disk by the same name from the same place on the same server."""
    places = set()
    for each in (pair.here, pair.there):
        try:
            pool = description.pool(each.storagePoolLookupByVolume().XMLDesc(0))
        except libvirt.libvirtError:
            return False  # it vanished, or the host cannot say: the last change is still to be compared
        places.add((pool.identity, each.name()) if pool.is_served else None)
    return len(places) == 1 and None not in places


def _by_last_change(pair: _Pair) -> Iterator[Finding]:
    plan = pair.asked.plan
    for _ in range(LOOKS):
        first, there, second = (description.last_change(each.XMLDesc(0)) for each in (pair.here, pair.there, pair.here))
        if first is None or there is None or second is None:
            yield _not_comparable(pair.asked, pair.disk, "the hosts do not say when it last changed")
            return
        if first <= there <= second:
            yield _same(pair, ("path", "size", "moment of its last change"))
            return
    yield blocker(
        "disk_identity_unproven",
        f"{pair.words()} last changed at different moments as {plan.source.name} and {plan.target.name} see it, "
        f"so it may be two different files at {pair.disk.path}.",
        "Find out whether both hosts use the same storage: moved to another file, the VM loses its data.",
        device=pair.disk.device,
        path=pair.disk.path,
    )


def _same(pair: _Pair, proven: tuple[str, ...]) -> Finding:
    return note(
        "disk_same",
        f"{pair.words()} is the same on both hosts by its {', '.join(proven[:-1])} and {proven[-1]}.",
        "Nothing to do.",
        device=pair.disk.device,
        proven=proven,
    )


def _differs(pair: _Pair, how: str) -> Finding:
    return blocker(
        "disk_differs",
        f"{pair.words()} {how}: it is not the same disk.",
        "Attach the same storage at the same path there, or choose another host.",
        device=pair.disk.device,
        path=pair.disk.path,
    )


def _not_comparable(asked: Asked, disk: DiskDescription, why: str) -> Finding:
    return warning(
        "disk_identity_unproven",
        f"That disk {disk.device} of {asked.plan.vm_name} is the same on both hosts is not proven: {why}.",
        "Find out whether both hosts use the same storage.",
        device=disk.device,
        path=disk.path,
    )
