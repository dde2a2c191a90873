"""Lay what a probe tells of its host's storage over what libvirt tells: what kind it is, and what it is the same as.

libvirt sees a folder where OCFS2 is, and a volume group without what it lies on. Where a probe answers, a volume
group is named by its UUID, NFS by its server and place, OCFS2 by its file system's UUID: those are the same on
every host that reaches them. Storage that VMs use and that libvirt has no pool for is on the board as well.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from xenweb.core.facts import StorageKind
from xenweb.core.quantities import Bytes
from xenweb.drivers.contract import DiskSnapshot, HostSnapshot, RepositorySnapshot, VmSnapshot

SHARED: frozenset[StorageKind] = frozenset({StorageKind.SAN_BLOCK, StorageKind.NFS, StorageKind.OCFS2})


@dataclass(frozen=True, slots=True)
class Group:
    """A volume group; ``targets`` are the iSCSI targets that it lies on, if it does."""

    uuid: str
    name: str
    size: Bytes
    free: Bytes
    kind: StorageKind
    targets: tuple[str, ...]

    @property
    def identity(self) -> str:
        """Answer what is the same on every host that reaches it."""
        return f"lvm:{self.uuid}"


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system where it is mounted; ``identity`` is empty where it is one host's own."""

    path: str
    kind: StorageKind
    identity: str
    size: Bytes | None
    free: Bytes | None


@dataclass(frozen=True, slots=True)
class StorageSeen:
    """What a probe tells of its host's storage; ``sizes`` are of every logical volume, by group and name."""

    groups: tuple[Group, ...]
    mounts: tuple[Mount, ...]
    sizes: Mapping[tuple[str, str], Bytes]


def laid_over(snapshot: HostSnapshot, seen: StorageSeen) -> HostSnapshot:
    """Answer a look at a host with its storage as its probe knows it."""
    told = [_named(each, seen) for each in snapshot.repositories]
    known = {each.identity for each in told}
    used = [disk.path for vm in snapshot.vms for disk in vm.disks]
    repositories = (*told, *(each for each in _without_pool(seen, used) if each.identity not in known))
    vms = tuple(_with_disks(vm, repositories, seen) for vm in snapshot.vms)
    return replace(snapshot, repositories=repositories, vms=vms)


def _named(pool: RepositorySnapshot, seen: StorageSeen) -> RepositorySnapshot:
    if pool.kind == "logical":
        group = next((each for each in seen.groups if pool.path.rstrip("/") == f"/dev/{each.name}"), None)
        return pool if group is None else replace(pool, identity=group.identity, storage=group.kind)
    mount = _mount_of(pool.path, seen.mounts)
    if mount is None:
        return pool
    if not mount.identity or pool.kind == "netfs":
        return replace(pool, storage=mount.kind)
    return replace(pool, identity=_identity(mount, pool.path), storage=mount.kind)


def _identity(mount: Mount, path: str) -> str:
    """Name a folder of a shared file system as libvirt names an NFS pool, or by the file system and the folder."""
    below = path.rstrip("/").removeprefix(mount.path.rstrip("/"))
    if mount.kind is StorageKind.NFS:
        return f"netfs:{mount.identity.rstrip('/')}{below}" if below else f"netfs:{mount.identity}"
    return f"{mount.kind}:{mount.identity}:{below}"


def _mount_of(path: str, mounts: Iterable[Mount]) -> Mount | None:
    """Find the file system that a path lies in: the one that is mounted deepest above it."""
    place = PurePosixPath(path)
    above = {place, *place.parents}
    holding = [each for each in mounts if path and PurePosixPath(each.path) in above]
    return max(holding, key=lambda each: len(each.path), default=None)


def _without_pool(seen: StorageSeen, used: Iterable[str]) -> Iterable[RepositorySnapshot]:
    """List the storage that libvirt has no pool for: what a SAN or a server has, and what VMs lie on."""
    named = {named[0] for path in used if (named := volume_named(path)) is not None}
    for group in seen.groups:
        if group.kind is StorageKind.SAN_BLOCK or group.name in named:
            yield RepositorySnapshot(
                group.identity, group.name, "logical", f"/dev/{group.name}", group.size, group.free, group.kind
            )
    for mount in seen.mounts:
        if mount.kind in SHARED and mount.identity:
            name = PurePosixPath(mount.path).name or mount.path
            kind = "netfs" if mount.kind is StorageKind.NFS else "dir"
            identity = _identity(mount, mount.path)
            yield RepositorySnapshot(identity, name, kind, mount.path, mount.size, mount.free, mount.kind)


def _with_disks(vm: VmSnapshot, repositories: Iterable[RepositorySnapshot], seen: StorageSeen) -> VmSnapshot:
    return replace(vm, disks=tuple(_placed(disk, tuple(repositories), seen) for disk in vm.disks))


def _placed(disk: DiskSnapshot, repositories: tuple[RepositorySnapshot, ...], seen: StorageSeen) -> DiskSnapshot:
    named = volume_named(disk.path)
    path = disk.path if named is None else f"/dev/{named[0]}/{named[1]}"
    parents = PurePosixPath(path).parents
    holding = [each for each in repositories if each.path and PurePosixPath(each.path) in parents]
    if not holding:
        return disk
    found = max(holding, key=lambda each: len(each.path))
    capacity = disk.capacity if named is None or disk.capacity is not None else seen.sizes.get(named)
    return replace(disk, repository=found.identity, capacity=capacity)


def volume_named(path: str) -> tuple[str, str] | None:
    """Read the group and the name of the logical volume that a path may name; None if it is of no such form."""
    parts = path.split("/")
    if len(parts) != 4 or parts[:2] != ["", "dev"]:  # noqa: PLR2004 - /dev/GROUP/NAME
        return None
    if parts[2] != "mapper":
        return parts[2], parts[3]
    return _from_mapper(parts[3])


def _from_mapper(name: str) -> tuple[str, str] | None:
    """Take a name of the device mapper's apart: one dash parts, two are one of the name's own."""
    group, dash, volume = name.replace("--", "\0").partition("-")
    return (group.replace("\0", "-"), volume.replace("\0", "-")) if dash else None
