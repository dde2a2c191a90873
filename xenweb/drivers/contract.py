"""What every driver can do, and how it says that it could not.

Eight verbs, all blocking, all safe to call from several threads. What a driver
cannot do is data (``capabilities``), not an exception. No handle of a
hypervisor leaves a driver: only the frozen shapes below.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from xenweb.core.facts import Ability, Kind, PowerState, StorageKind
from xenweb.core.placement import Finding
from xenweb.core.quantities import Bytes, BytesPerSecond, Milliseconds
from xenweb.core.queueing import Sending
from xenweb.drivers.failures import (
    AddressRefusedError,
    DiskExistsError,
    DiskMissingError,
    DriverError,
    DriverUnavailableError,
    HostUnreachableError,
    MoveBrokenError,
    MoveCancelledError,
    MoveRefusedError,
    NotSupportedError,
    VmMissingError,
)
from xenweb.drivers.sightings import CompletedStats, PassMark, VmSighting

__all__ = [
    "LEVERS",
    "AddressRefusedError",
    "Capability",
    "CardSnapshot",
    "CompletedStats",
    "CopiedDisk",
    "CopyAction",
    "DiskExistsError",
    "DiskMissingError",
    "DiskSnapshot",
    "DriverError",
    "DriverUnavailableError",
    "Endpoint",
    "HostEvent",
    "HostSnapshot",
    "HostUnreachableError",
    "HypervisorDriver",
    "Lever",
    "MigrationPlan",
    "MoveBrokenError",
    "MoveCancelledError",
    "MoveOptions",
    "MoveRefusedError",
    "MovedCard",
    "MovedVolume",
    "NotSupportedError",
    "PassMark",
    "Permit",
    "Phase",
    "Preflight",
    "Progress",
    "RepositorySnapshot",
    "VmMissingError",
    "VmSighting",
    "VmSnapshot",
    "Watch",
    "freely",
]


class Capability(StrEnum):
    """What a driver can do beyond a plain live migration of a running VM on shared storage."""

    PASSES = "passes"
    CANCEL = "cancel"
    BANDWIDTH_LIMIT = "bandwidth_limit"
    DOWNTIME_LIMIT = "downtime_limit"
    AUTO_CONVERGE = "auto_converge"
    MEASURED_DOWNTIME = "measured_downtime"
    CHANGE_BANDWIDTH = "change_bandwidth"
    CHANGE_DOWNTIME = "change_downtime"
    PAUSE_AND_FINISH = "pause_and_finish"
    POST_COPY = "post_copy"
    GUARD = "guard"
    NON_SHARED_DISKS = Ability.NON_SHARED_DISKS.value
    COLD_MOVE = Ability.COLD_MOVE.value
    PAUSED_MOVE = Ability.PAUSED_MOVE.value
    TIDIES_DISKS = Ability.TIDIES_DISKS.value
    CHOSEN_PLACES = Ability.CHOSEN_PLACES.value


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach one host; ``secret`` and ``probe_key`` never appear in a repr.

    ``probe`` is HOST:PORT of the host's own probe; empty where it has none.
    """

    host: int
    name: str
    uri: str
    migration_address: str = ""
    secret: str = ""
    probe: str = ""
    probe_key: str = ""

    def __repr__(self) -> str:
        return f"Endpoint(host={self.host}, name={self.name!r})"


@dataclass(frozen=True, slots=True)
class DiskSnapshot:
    """One disk as a host describes it; ``repository`` is the identity of its repository."""

    device: str
    path: str
    format: str
    capacity: Bytes | None
    cache: str
    read_only: bool
    repository: str | None


@dataclass(frozen=True, slots=True)
class CardSnapshot:
    """One network card as a host describes it, by the name of its network and of its bridge."""

    device: str
    address: str
    network: str
    bridge: str


@dataclass(frozen=True, slots=True)
class VmSnapshot:
    """One VM as a host describes it. ``cpu_time`` is nanoseconds since its start.

    ``dirty_rate`` was measured from samples at ``dirty_rate_at``, while the VM was not moving: at least
    so much memory changes in a second. Both are None where nothing was measured.
    """

    uuid: str
    name: str
    state: PowerState
    active: bool
    incoming: bool
    memory: Bytes
    vcpus: int
    cpu_time: int | None
    disks: tuple[DiskSnapshot, ...]
    networks: tuple[str, ...]
    dirty_rate: BytesPerSecond | None = None
    dirty_rate_at: datetime | None = None
    cards: tuple[CardSnapshot, ...] = ()
    """Its network cards, where the hypervisor lets them be moved to another network."""

    guest_type: str = ""
    """How Xen runs it: PV, PVH or HVM; empty on other hypervisors, and where the host does not say."""

    obstacles: tuple[Finding, ...] = ()
    """What the hypervisor has noted that stands in the way of moving it, wherever to."""


@dataclass(frozen=True, slots=True)
class RepositorySnapshot:
    """A storage repository as one host reaches it.

    ``identity`` is equal on two hosts exactly when it is the same storage. ``kind`` is the hypervisor's word
    for it, ``storage`` what it is.
    """

    identity: str
    name: str
    kind: str
    path: str
    capacity: Bytes | None
    available: Bytes | None
    storage: StorageKind = StorageKind.UNKNOWN


@dataclass(frozen=True, slots=True)
class HostSnapshot:
    """Everything one bulk look at a host gives. ``cpu_busy`` and ``cpu_total`` are counters in ns.

    ``capabilities`` are what this host can at this moment; None where it is all that its driver can.
    ``enabled`` is the hypervisor's own word whether the host takes VMs; None where it knows no such thing.
    """

    uuid: str
    name: str
    hypervisor: str
    version: str
    architecture: str
    cpu_model: str
    cpu_count: int
    cpu_busy: int | None
    cpu_total: int | None
    memory_total: Bytes
    memory_free: Bytes | None
    repositories: tuple[RepositorySnapshot, ...]
    networks: tuple[str, ...]
    vms: tuple[VmSnapshot, ...]
    capabilities: frozenset[Capability] | None = None
    enabled: bool | None = None
    bridges: tuple[tuple[str, str], ...] = ()
    """Its networks by name, each with its bridge, where the hypervisor tells one."""


@dataclass(frozen=True, slots=True)
class MoveOptions:
    """What the person chose in the confirmation; None and False are the hypervisor's defaults."""

    bandwidth_limit: BytesPerSecond | None = None
    downtime_limit: Milliseconds | None = None
    auto_converge: bool = False
    post_copy: bool = False
    """Whether it may be chosen while the move runs; it never begins by itself."""

    guard: bool | None = None
    """Whether the VM's disks are kept as they were before the move; None: if it is measured to be very busy."""

    guard_memory: bool = False
    """Whether its memory is kept with them, so that a roll-back lets it go on from that moment."""


class Lever(StrEnum):
    """What can be changed about a running move. ``bandwidth`` takes bytes/s, ``downtime`` milliseconds.

    ``cancel`` gives the move up: it returns before that is done, and where nothing
    is under way there is nothing to do. The others are refused there.
    """

    BANDWIDTH = "bandwidth"
    DOWNTIME = "downtime"
    PAUSE = "pause"
    POST_COPY = "post_copy"
    CANCEL = "cancel"


LEVERS = {
    Lever.BANDWIDTH: Capability.CHANGE_BANDWIDTH,
    Lever.DOWNTIME: Capability.CHANGE_DOWNTIME,
    Lever.PAUSE: Capability.PAUSE_AND_FINISH,
    Lever.POST_COPY: Capability.POST_COPY,
    Lever.CANCEL: Capability.CANCEL,
}


class CopyAction(StrEnum):
    """What can be done to one host's copy of a VM that a move has left standing or doubled.

    REMOVE takes only a copy that stands still because of a move, REMOVE_PAUSED only a paused one.
    CORRECT lets the host's daemon see that a VM runs which it believes to be paused. RELEASE_VOLUME deactivates
    one logical volume of a VM that the host proves not to have. BREAK_OFF ends what the host itself still does for a
    move that stands still, sending or receiving, before the copy is whole; no copy is touched, and where nothing is
    sent or received, or the hypervisor ends that by itself, there is nothing to do.
    """

    RESUME = "resume"
    PAUSE = "pause"
    REMOVE = "remove"
    REMOVE_PAUSED = "remove_paused"
    REMOVE_DISK = "remove_disk"
    CORRECT = "correct"
    RELEASE_VOLUME = "release_volume"
    BREAK_OFF = "break_off"


@dataclass(frozen=True, slots=True)
class CopiedDisk:
    """One disk that a move copies: to the repository of this identity, or else to the same path at the target."""

    device: str
    path: str
    capacity: Bytes
    repository: str = ""


@dataclass(frozen=True, slots=True)
class MovedCard:
    """One network card that a move puts on another network, by that one's name at the target."""

    device: str
    address: str
    network: str


@dataclass(frozen=True, slots=True)
class MovedVolume:
    """One logical volume that a move needs active on the target; ``was_active`` says that it was, before the move."""

    path: str
    was_active: bool


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """One move, complete: whatever a driver needs to make the call and to watch it.

    ``trust_shared_storage`` says that our own facts prove the disks to be the
    same storage on both hosts, where the hypervisor itself cannot see it. The
    ``copied_disks`` are copied, all others must be there already. The logical
    ``volumes`` at these paths are activated on the target right before the call. The ``cards`` go to
    the networks that they name, all others to the network of the same name. The codes ``overridden`` are of
    findings that an administrator has set aside: only for these may a hypervisor be told to skip its own check.
    """

    migration: str
    vm_uuid: str
    vm_name: str
    source: Endpoint
    target: Endpoint
    options: MoveOptions
    trust_shared_storage: bool = False
    kind: Kind = Kind.LIVE
    copied_disks: tuple[CopiedDisk, ...] = ()
    volumes: tuple[str, ...] = ()
    overridden: frozenset[str] = frozenset()
    cards: tuple[MovedCard, ...] = ()


class Phase(StrEnum):
    """Where the hypervisor's own work on a move stands."""

    NONE = "none"
    STARTING = "starting"
    COPYING_STORAGE = "copying_storage"
    COPYING = "copying"
    SWITCHING = "switching"
    POST_COPY = "post_copy"
    CANCELLING = "cancelling"


@dataclass(frozen=True, slots=True)
class Progress:
    """One look at a running move. None means that the hypervisor does not say.

    ``expected_downtime`` is the hypervisor's own estimate. ``passes`` are the
    starts of passes that events told since the move was first looked at. The
    ``disk_*`` are of the disks alone, all other sizes of memory alone. ``share`` is how
    much of the memory is across, from 0 to 1 and never falling, where the hypervisor tells no bytes.
    A look that comes sooner than ``look_again_after`` seconds shows nothing new, and costs the host.
    """

    phase: Phase
    elapsed: Milliseconds | None = None
    pass_number: int | None = None
    remaining: Bytes | None = None
    processed: Bytes | None = None
    total: Bytes | None = None
    dirty_rate: BytesPerSecond | None = None
    expected_downtime: Milliseconds | None = None
    throttle: int | None = None
    passes: tuple[PassMark, ...] = ()
    disk_total: Bytes | None = None
    disk_processed: Bytes | None = None
    disk_remaining: Bytes | None = None
    share: float | None = None
    look_again_after: float | None = None


@dataclass(frozen=True, slots=True)
class Preflight:
    """What both hosts say before a move; ``command`` makes the same call by hand, empty if nothing does.

    The logical ``volumes`` are those that the move needs active on the target.
    """

    findings: tuple[Finding, ...] = ()
    command: str = ""
    volumes: tuple[MovedVolume, ...] = ()


@dataclass(frozen=True, slots=True)
class CertificateSeen:
    """The certificate that a host shows, which nobody has confirmed yet; ``is_leader`` says that it leads its pool."""

    host: str
    sha256: str
    ends: datetime
    is_leader: bool


class Watch(Protocol):
    """A running subscription to one host's events."""

    def close(self) -> None:
        """End the subscription and its connection."""


@dataclass(frozen=True, slots=True)
class HostEvent:
    """Something changed on a host; ``vm_uuid`` is empty when it concerns the host."""

    host: int
    vm_uuid: str
    what: str


Permit = Callable[[], None]
"""Proves that a call may still be made, or raises."""


def freely() -> None:
    """Permit a call without a proof."""


class HypervisorDriver(Protocol):
    """One kind of hypervisor. Every verb may raise a DriverError, and nothing else.

    ``sending`` is what one host may send at once: the queue holds back what the hypervisor would refuse.
    """

    name: str
    simulated: bool
    capabilities: frozenset[Capability]
    sending: Sending

    def inventory(self, endpoint: Endpoint) -> HostSnapshot:
        """Describe a host and all that is on it in one bulk look."""

    def watch(self, endpoint: Endpoint, sink: Callable[[HostEvent], None]) -> Watch:
        """Call ``sink`` (from any thread) whenever something changes on a host.

        The loss of the connection is told as an event ``what="disconnected"``.
        """

    def preflight(self, plan: MigrationPlan) -> Preflight:
        """Ask both hosts what only they can say about this move."""

    def migrate(self, plan: MigrationPlan, permit: Permit = freely) -> CompletedStats:
        """Make the call and block until the hypervisor answers.

        ``permit`` is called as the last thing before the hypervisor is; what it raises
        leaves as it is, and then nothing was begun. Any other error says nothing
        about where the VM runs: ask ``locate``. A disk that
        is to be copied is proven not to be there right before: DiskExistsError.
        """

    def progress(self, plan: MigrationPlan) -> Progress:
        """Look at the move from the source, within a few milliseconds."""

    def change(self, plan: MigrationPlan, lever: Lever, value: int | None) -> None:
        """Change a running move; raise NotSupportedError or MoveRefusedError if it cannot be."""

    def locate(self, endpoint: Endpoint, vm_uuid: str) -> VmSighting:
        """Ask one host what it knows of a VM; NO_ANSWER if the host is silent."""

    def repair(self, endpoint: Endpoint, vm_uuid: str, action: CopyAction, path: str = "") -> None:
        """Resume, pause or remove one host's copy of a VM, or remove one disk that a move left at ``path``.

        Only a copy that stands still because of a move is ever removed, and only a disk that no VM of the host
        uses, running or not: anything else raises MoveRefusedError. A disk that is not there raises
        DiskMissingError. Whether the action is right is the caller's proof.
        """
