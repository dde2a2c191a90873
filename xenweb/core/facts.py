"""What is known of the things on the board, from whom, and as of when.

Facts are frozen: a decision is a pure function of them, and a test writes them
down as literals. Sizes are bytes; ages are seconds.
"""

from dataclasses import dataclass
from enum import StrEnum

from xenweb.core.quantities import Bytes


class PowerState(StrEnum):
    """What a hypervisor says a VM is doing."""

    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"
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


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """One disk of a VM and the repository it lies in, if one is known."""

    device: str
    path: str
    repository: int | None
    repository_name: str
    cache: str
    read_only: bool


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


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """A storage repository as one host reaches it."""

    id: int
    name: str
    kind: str
    vouched_shared: bool


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What placement needs to know of a host.

    ``memory_free`` is what the host itself reports; ``memory_promised`` is what
    moves under way will still take from it. ``age`` is how old these facts are.
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
