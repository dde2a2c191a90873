"""How a VM's disks come to be at a target: shared, copied there, or not at all; and the room that copies need."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from xenweb.core.facts import Ability, DiskFacts, HostFacts, RepositoryFacts, StorageKind, VmFacts
from xenweb.core.quantities import Bytes

SAFE_CACHES = frozenset({"none", "directsync"})

LOCAL_KINDS = frozenset({"dir", "fs", "disk", "logical", "zfs"})
"""Kinds of storage that look the same on every host and may be another place on each."""

BLOCK_KINDS = frozenset({StorageKind.SAN_BLOCK, StorageKind.LOCAL_BLOCK})
BLOCK_POOLS = frozenset({"logical", "disk", "iscsi", "iscsi-direct", "scsi", "mpath", "rbd", "zfs"})
"""Kinds of storage pools of libvirt's whose volumes are devices."""

SLOW_FILES = frozenset({StorageKind.NFS, StorageKind.OCFS2})
"""Kinds that the field found far behind block storage on a SAN."""

SHARED_BY_ITSELF = frozenset({StorageKind.SAN_BLOCK, StorageKind.NFS, StorageKind.OCFS2})
"""Kinds that bear one name on every host that reaches them: who has the same name has the same storage."""


def is_block(repository: RepositoryFacts) -> bool:
    """Say whether what lies in a repository are block devices, by what it is, or else by its hypervisor's word."""
    if repository.storage is not StorageKind.UNKNOWN:
        return repository.storage in BLOCK_KINDS
    return repository.kind in BLOCK_POOLS


def needs_word(kind: str, storage: StorageKind) -> bool:
    """Say whether only somebody's word tells that two hosts which name a repository alike reach the same storage."""
    return kind in LOCAL_KINDS and storage not in SHARED_BY_ITSELF


class Way(StrEnum):
    """How a disk comes to be at the target."""

    SHARED = "shared"
    COPIED = "copied"
    UNREACHED = "unreached"


@dataclass(frozen=True, slots=True)
class Placed:
    """One disk, and the target's repository that holds it or will hold its copy; None if it is unreached."""

    disk: DiskFacts
    way: Way
    repository: RepositoryFacts | None


@dataclass(frozen=True, slots=True)
class Room:
    """What copies need in one repository, and what is free there. ``free`` None: nobody says."""

    repository: RepositoryFacts
    needed: Bytes
    free: Bytes | None

    @property
    def is_enough(self) -> bool:
        """Say whether the copies fit."""
        return self.free is not None and self.needed <= self.free


def placed(vm: VmFacts, host: HostFacts) -> list[Placed]:
    """Say how each disk comes to be at the target.

    A disk is copied to the same path, so the target must have a repository there.
    A read-only disk is never copied: hypervisors leave it out.
    """
    return [_placed(disk, host) for disk in vm.disks]


def _placed(disk: DiskFacts, host: HostFacts) -> Placed:
    for repository in host.repositories:
        if disk.repository is not None and repository.id == disk.repository:
            return Placed(disk, Way.SHARED, repository)
    holding = _holding(disk.path, host.repositories)
    if holding is None or disk.read_only or Ability.NON_SHARED_DISKS not in host.abilities:
        return Placed(disk, Way.UNREACHED, None)
    return Placed(disk, Way.COPIED, holding)


def _holding(path: str, repositories: Iterable[RepositoryFacts]) -> RepositoryFacts | None:
    """Find the repository whose folder a file lies in: not below it, because there nothing is created."""
    folder = path.rpartition("/")[0]
    return next((each for each in repositories if each.path and each.path.rstrip("/") == folder), None)


def copied_disks(vm: VmFacts, host: HostFacts) -> list[DiskFacts]:
    """List the disks that a move to the host must copy."""
    return [each.disk for each in placed(vm, host) if each.way is Way.COPIED]


def copied_bytes(vm: VmFacts, host: HostFacts) -> Bytes:
    """Add up the disks that a move to the host must copy."""
    return Bytes(sum(disk.capacity or 0 for disk in copied_disks(vm, host)))


def rooms(host: HostFacts, disks: Iterable[Placed]) -> list[Room]:
    """Add up what the copies need in each repository; what other moves bring there counts as taken."""
    needed: dict[RepositoryFacts, int] = defaultdict(int)
    for each in disks:
        if each.way is Way.COPIED and each.repository is not None:
            needed[each.repository] += each.disk.capacity or 0
    return [Room(repository, Bytes(size), _free(repository, host)) for repository, size in needed.items()]


def _free(repository: RepositoryFacts, host: HostFacts) -> Bytes | None:
    return None if repository.available is None else Bytes(max(0, repository.available - host.disk_promised))
