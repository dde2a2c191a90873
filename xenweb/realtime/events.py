"""Typed, numbered facts in the past tense: what the stream tells a browser.

An event carries the whole new shape of the thing it speaks of, so laying it
over a snapshot is an assignment, never arithmetic.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from xenweb.realtime.maintenance_wire import MaintenanceWire
from xenweb.realtime.wire import HostWire, MigrationWire, StorageRepositoryWire, VmWire, Wire
from xenweb.realtime.wire_places import DiskMoveWire


class HostChanged(Wire):
    """A host's facts changed; applies as an upsert by ``host.id``."""

    type: Literal["host_changed"] = "host_changed"
    host: HostWire


class HostRemoved(Wire):
    """A host left the inventory."""

    type: Literal["host_removed"] = "host_removed"
    host_id: int


class VmChanged(Wire):
    """A VM's facts changed; applies as an upsert by ``vm.id``."""

    type: Literal["vm_changed"] = "vm_changed"
    vm: VmWire


class VmRemoved(Wire):
    """A VM is gone, or is no longer visible to the reader."""

    type: Literal["vm_removed"] = "vm_removed"
    vm_id: int


class StorageRepositoryChanged(Wire):
    """A storage repository's facts changed; an upsert by ``storage_repository.id``."""

    type: Literal["storage_repository_changed"] = "storage_repository_changed"
    storage_repository: StorageRepositoryWire


class StorageRepositoryRemoved(Wire):
    """A storage repository that no host reached any more is gone."""

    type: Literal["storage_repository_removed"] = "storage_repository_removed"
    storage_repository_id: int


class MigrationChanged(Wire):
    """A migration changed state, started a pass or made progress; an upsert by id."""

    type: Literal["migration_changed"] = "migration_changed"
    migration: MigrationWire


class DiskMoveChanged(Wire):
    """The move of a disk changed state or made progress; an upsert by id."""

    type: Literal["disk_move_changed"] = "disk_move_changed"
    disk_move: DiskMoveWire


class MaintenanceChanged(Wire):
    """A host's maintenance went on; an upsert by id."""

    type: Literal["maintenance_changed"] = "maintenance_changed"
    maintenance: MaintenanceWire


Event = Annotated[
    HostChanged
    | HostRemoved
    | VmChanged
    | VmRemoved
    | StorageRepositoryChanged
    | StorageRepositoryRemoved
    | MigrationChanged
    | MaintenanceChanged
    | DiskMoveChanged,
    Field(discriminator="type"),
]
EVENT = TypeAdapter[Event](Event)


class EventFrame(Wire):
    """One event on the socket. ``previous`` is the sequence this reader got before it.

    A reader whose own last sequence is not ``previous`` has a gap and refetches.
    """

    kind: Literal["event"] = "event"
    sequence: int
    previous: int
    event: Event


class HelloFrame(Wire):
    """First frame of a socket: the sequence from which the feed goes on."""

    kind: Literal["hello"] = "hello"
    sequence: int


class ResyncFrame(Wire):
    """The feed cannot go on from where the reader stands: refetch the snapshot."""

    kind: Literal["resync"] = "resync"
    reason: str


Frame = Annotated[EventFrame | HelloFrame | ResyncFrame, Field(discriminator="kind")]
FRAME = TypeAdapter[Frame](Frame)
