"""What is known of the things on the board, from whom, and as of when.

Facts are frozen: a decision is a pure function of them, and a test writes them
down as literals. Sizes are bytes; ages are seconds.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from xenweb.core.quantities import Bytes


class PowerState(StrEnum):
    """What a hypervisor says a VM is doing."""

    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"
    SUSPENDED = "suspended"
    """Not running, its memory kept on disk."""

    CRASHED = "crashed"
    UNKNOWN = "unknown"


class HostState(StrEnum):
    """Whether we can speak with a host, and whether an administrator wants us to."""

    CONNECTED = "connected"
    UNREACHABLE = "unreachable"
    DISABLED = "disabled"


class Hypervisor(StrEnum):
    """The kind of machine a VM runs on; a VM cannot cross from one to another."""

    QEMU = "qemu"
    XEN = "xen"
    XAPI = "xapi"


class Kind(StrEnum):
    """How a VM moves: as it runs, paused and staying so, or halted, its definition alone."""

    LIVE = "live"
    PAUSED = "paused"
    COLD = "cold"


_KINDS = {
    PowerState.RUNNING: Kind.LIVE,
    PowerState.PAUSED: Kind.PAUSED,
    PowerState.HALTED: Kind.COLD,
    PowerState.SUSPENDED: Kind.COLD,
}


def kind_for(state: PowerState) -> Kind | None:
    """Answer the kind of move that a VM in this state can make; None if it can make none."""
    return _KINDS.get(state)


class StorageKind(StrEnum):
    """What a storage repository is, whatever its hypervisor calls it."""

    SAN_BLOCK = "san_block"
    NFS = "nfs"
    OCFS2 = "ocfs2"
    LOCAL_BLOCK = "local_block"
    LOCAL_FILE = "local_file"
    UNKNOWN = "unknown"


class Cost(StrEnum):
    """What of a kind of storage is measured."""

    HAND_OVER = "hand_over"
    """How long a VM's disk stands still in a move."""

    WRITE = "write"
    """How long 4 KiB take to be written and flushed."""

    READ = "read"
    """How long 4 KiB take to be read past all caches of the host."""


class Origin(StrEnum):
    """Where a measurement of storage was made; the nearest to this installation first."""

    OWN_MOVES = "own_moves"
    OWN_BENCH = "own_bench"
    LAB = "lab"


@dataclass(frozen=True, slots=True)
class StorageCost:
    """One measured cost of a kind of storage, in ms and as a ratio to block storage on a SAN in the same run.

    ``low`` and ``high`` are the ratios of the smallest and the largest sample; ``measured_on`` is a date.
    """

    storage: StorageKind
    cost: Cost
    ratio: float
    low: float
    high: float
    middle: float
    samples: int
    origin: Origin
    measured_on: str


class Ability(StrEnum):
    """What moves a host's driver can make beyond that of a running VM whose disks both hosts reach."""

    NON_SHARED_DISKS = "non_shared_disks"
    COLD_MOVE = "cold_move"
    PAUSED_MOVE = "paused_move"
    TIDIES_DISKS = "tidies_disks"
    """Once a VM has arrived, the hypervisor itself removes the disks that it came from."""

    CHOSEN_PLACES = "chosen_places"
    """Disks go to the storage, and network cards to the networks, that are chosen for them: in another pool, too."""


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """One disk of a VM and the repository it lies in, if one is known. ``capacity`` is what the guest sees."""

    device: str
    path: str
    repository: int | None
    repository_name: str
    cache: str
    read_only: bool
    capacity: Bytes | None = None


@dataclass(frozen=True, slots=True)
class CardFacts:
    """One network card of a VM, by the name of its network and of its bridge; empty where nobody says."""

    device: str
    address: str
    network: str
    bridge: str = ""


@dataclass(frozen=True, slots=True)
class Maps:
    """Where a move puts what cannot stay where it is: disks on repositories (ids), network cards on networks (names).

    Both are told by their devices.
    """

    disks: tuple[tuple[str, int], ...] = ()
    cards: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VmFacts:
    """What placement needs to know of a VM; ``memory`` is its maximum."""

    id: int
    uuid: str
    name: str
    state: PowerState
    resident_on: int | None
    hypervisor: str
    memory: Bytes
    disks: tuple[DiskFacts, ...]
    networks: tuple[str, ...]
    moving_as: str | None
    conflict: bool = False
    cards: tuple[CardFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """A storage repository as one host reaches it, at ``path``."""

    id: int
    name: str
    kind: str
    vouched_shared: bool
    path: str = ""
    available: Bytes | None = None
    storage: StorageKind = StorageKind.UNKNOWN
    costs: tuple[StorageCost, ...] = ()
    """What was measured of its kind of storage, if anything was."""
    identity: str = ""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What placement needs to know of a host.

    ``memory_free`` is what the host itself reports; ``memory_promised`` and
    ``disk_promised`` are what moves under way will still take from it. ``age`` is
    how old these facts are. ``moves`` are all that have not ended, from it and to it.
    ``in_maintenance`` is our own word, ``takes_vms`` the hypervisor's.
    """

    id: int
    name: str
    pool: int
    state: HostState
    state_reason: str
    hypervisor: str
    memory_total: Bytes
    memory_free: Bytes | None
    memory_promised: Bytes
    repositories: tuple[RepositoryFacts, ...]
    networks: tuple[str, ...]
    age: float | None
    incoming: int = 0
    disk_promised: Bytes = field(default=Bytes(0))
    abilities: frozenset[Ability] = frozenset()
    version: str = ""
    moves: int = 0
    moves_allowed: int | None = None
    in_maintenance: bool = False
    takes_vms: bool = True
    bridges: tuple[tuple[str, str], ...] = ()
    """Networks by name, each with its bridge, where that is known."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one host says of one VM at one moment.

    ``incoming`` marks a copy that is still being received: it exists on the
    host, but does not run there.
    """

    host: int
    state: PowerState
    active: bool
    incoming: bool = False
