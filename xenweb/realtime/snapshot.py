"""The snapshot of the board, whole."""

from xenweb.realtime.maintenance_wire import MaintenanceWire
from xenweb.realtime.wire import ActorWire, HostWire, MigrationWire, StorageRepositoryWire, VmWire, Wire
from xenweb.realtime.wire_places import DiskMoveWire


class BoardWire(Wire):
    """The snapshot that events with a higher sequence are laid over."""

    sequence: int
    actor: ActorWire
    simulated: bool
    hosts: list[HostWire]
    vms: list[VmWire]
    storage_repositories: list[StorageRepositoryWire]
    migrations: list[MigrationWire]
    disk_moves: list[DiskMoveWire]
    maintenances: list[MaintenanceWire]
