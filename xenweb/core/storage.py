"""How a VM's disks come to be at a target: shared, copied there, or not at all; and the room that copies need."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from xenweb.core.facts import Ability, DiskFacts, HostFacts, Maps, RepositoryFacts, StorageKind, VmFacts
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


NOT_FOR_DISKS = frozenset({"udev", "iso"})
"""Kinds of repositories of XAPI's that hold drives and images, and take no disk of a VM."""


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


def placed(vm: VmFacts, host: HostFacts, maps: Maps | None = None) -> list[Placed]:
    """Say how each disk comes to be at the target.

    Where places can be chosen a disk goes where ``maps`` say; without maps, where it is suggested to go.
    Elsewhere it is copied to the same path, so the target must have a repository there, and
    a read-only disk is never copied: hypervisors leave it out.
    """
    if Ability.CHOSEN_PLACES in host.abilities:
        chosen = dict(suggested_disks(vm, host) if maps is None else maps.disks)
        return [_chosen(disk, host, chosen.get(disk.device)) for disk in vm.disks]
    return [_placed(disk, host) for disk in vm.disks]


def places_for_disks(host: HostFacts) -> tuple[RepositoryFacts, ...]:
    """List the repositories of a host that disks can be put on, the one with the most free space first."""
    taking = (each for each in host.repositories if each.kind not in NOT_FOR_DISKS)
    return tuple(sorted(taking, key=lambda each: (-(each.available or 0), each.name)))


def suggested_disks(vm: VmFacts, host: HostFacts) -> tuple[tuple[str, int], ...]:
    """Suggest for each disk that cannot stay the repository with the most free space, those before it counted in.

    Of several with the same space the one that is called as the disk's own is suggested.
    """
    places = places_for_disks(host)
    free = {each.id: each.available for each in places if each.available is not None}
    found = []
    for disk in vm.disks:
        if not free or _staying(disk, host) is not None:
            continue
        best = max(
            (each for each in places if each.id in free),
            key=lambda each: (free[each.id], each.name == disk.repository_name),
        )
        free[best.id] = Bytes(free[best.id] - (disk.capacity or 0))
        found.append((disk.device, best.id))
    return tuple(found)


def _staying(disk: DiskFacts, host: HostFacts) -> RepositoryFacts | None:
    """Find the repository that a disk can stay on, because the host reaches it."""
    return next(
        (each for each in host.repositories if disk.repository is not None and each.id == disk.repository), None
    )


def _chosen(disk: DiskFacts, host: HostFacts, chosen: int | None) -> Placed:
    staying = _staying(disk, host)
    if staying is not None:
        return Placed(disk, Way.SHARED, staying)
    there = next((each for each in places_for_disks(host) if each.id == chosen), None)
    return Placed(disk, Way.UNREACHED if there is None else Way.COPIED, there)


def _placed(disk: DiskFacts, host: HostFacts) -> Placed:
    staying = _staying(disk, host)
    if staying is not None:
        return Placed(disk, Way.SHARED, staying)
    holding = _holding(disk.path, host.repositories)
    if holding is None or disk.read_only or Ability.NON_SHARED_DISKS not in host.abilities:
        return Placed(disk, Way.UNREACHED, None)
    return Placed(disk, Way.COPIED, holding)


def _holding(path: str, repositories: Iterable[RepositoryFacts]) -> RepositoryFacts | None:
    """Find the repository whose folder a file lies in: not below it, because there nothing is created."""
    folder = path.rpartition("/")[0]
    return next((each for each in repositories if each.path and each.path.rstrip("/") == folder), None)


def copies(vm: VmFacts, host: HostFacts, maps: Maps | None = None) -> list[Placed]:
    """List the disks that a move to the host must copy, and where to."""
    return [each for each in placed(vm, host, maps) if each.way is Way.COPIED]


def copied_disks(vm: VmFacts, host: HostFacts, maps: Maps | None = None) -> list[DiskFacts]:
    """List the disks that a move to the host must copy."""
    return [each.disk for each in copies(vm, host, maps)]


def copied_bytes(vm: VmFacts, host: HostFacts, maps: Maps | None = None) -> Bytes:
    """Add up the disks that a move to the host must copy."""
    return Bytes(sum(disk.capacity or 0 for disk in copied_disks(vm, host, maps)))


def rooms(host: HostFacts, disks: Iterable[Placed]) -> list[Room]:
    """Add up what the copies need in each repository; what other moves bring there counts as taken."""
    needed: dict[RepositoryFacts, int] = defaultdict(int)
    for each in disks:
        if each.way is Way.COPIED and each.repository is not None:
            needed[each.repository] += each.disk.capacity or 0
    return [Room(repository, Bytes(size), free_for_copies(repository, host)) for repository, size in needed.items()]


def free_for_copies(repository: RepositoryFacts, host: HostFacts) -> Bytes | None:
    """Say what a repository has free beside what moves under way bring to its host; None if nobody says."""
    return None if repository.available is None else Bytes(max(0, repository.available - host.disk_promised))
