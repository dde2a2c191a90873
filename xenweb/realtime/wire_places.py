"""Shapes of where disks and network cards go, and of the moves of single disks."""

from datetime import datetime
from typing import Literal

from xenweb.realtime.wire_base import Figure, FindingWire, OwnWordsWire, Wire


class PlaceWire(Wire):
    """A storage repository that a disk can be put on; ``free`` is what is left beside moves under way."""

    storage: int
    name: str
    free: int | None


class DiskNeedWire(Wire):
    """A disk that the host does not reach where it is, and where it can go; ``storage`` is where it is."""

    device: str
    capacity: int | None
    storage: str | None
    places: list[PlaceWire]
    suggested: int | None


class CardNeedWire(Wire):
    """A network card that leaves its network, and where it can go; ``network`` is where it is."""

    device: str
    address: str
    network: str
    networks: list[str]
    suggested: str | None


class NeedsWire(Wire):
    """What must be chosen before a VM can move to a host, each with a suggestion where there is one."""

    disks: list[DiskNeedWire]
    cards: list[CardNeedWire]


class MovedDiskWire(Wire):
    """A disk that a move copies, and the storage that it goes to; None where the move does not say."""

    device: str
    capacity: int
    storage: str | None


class MovedCardWire(Wire):
    """A network card that a move takes from ``network`` to ``new_network``."""

    device: str
    address: str
    network: str
    new_network: str


class DiskMoveWire(Wire):
    """One disk of a running VM on its way to other storage. ``cancellable`` is personal.

    ``share`` is how much is copied; ``sentence`` says why it ended otherwise, or why nobody knows, ``own_words`` are
    the raw code and parameters of the pool that refused it.
    """

    id: str
    vm: int
    vm_name: str
    device: str
    capacity: int
    source_storage: str
    target_storage: str
    state: Literal["asked", "moving", "uncertain", "done", "failed", "cancelled"]
    active: bool
    share: Figure
    requested_by: str
    requested_at: datetime
    ended_at: datetime | None
    cancel_requested: bool
    cancellable: bool
    sentence: str | None
    own_words: OwnWordsWire | None


class VmDiskWire(Wire):
    """A disk of a VM, where it can go, and why it cannot be moved now; ``storage`` is where it is."""

    device: str
    capacity: int | None
    storage: str | None
    places: list[PlaceWire]
    findings: list[FindingWire]
