"""Rows into wire shapes. Used by selectors and by events alike, so that both agree."""

from typing import Literal, cast

from xenweb.core.facts import HostState, Hypervisor, PowerState, StorageKind
from xenweb.core.storage import needs_word
from xenweb.drivers.registry import is_simulated
from xenweb.inventory.models import Host, StorageRepository, VirtualDisk, VirtualMachine
from xenweb.realtime.wire import DiskWire, Figure, HostWire, StorageRepositoryWire, VmWire

_HostState = Literal["connected", "unreachable", "disabled"]
_VmState = Literal["running", "paused", "halted", "suspended", "crashed", "unknown"]


MOVES_DISKS = frozenset({Hypervisor.XAPI.value})
"""Hypervisors that move single disks of a VM that runs."""


def host_wire(host: Host) -> HostWire:
    """Shape a host; expects pool and attachments to be loaded with it."""
    state = host.state if host.enabled else HostState.DISABLED
    return HostWire(
        id=host.pk,
        uuid=host.uuid,
        name=host.name,
        pool=host.pool.name,
        hypervisor=host.hypervisor,
        version=host.version,
        state=cast("_HostState", str(state)),
        state_reason=host.state_reason,
        cpu_count=host.cpu_count,
        cpu_load=host.cpu_load,
        memory_total=host.memory_total,
        memory_free=host.memory_free,
        as_of=host.as_of,
        simulated=is_simulated(host.pool.driver, host.uri),
        storage=sorted(attachment.repository.name for attachment in host.attachments.all()),
        takes_vms=host.takes_vms,
        maintenance=host.maintenance or None,
    )


def _is_shared(repository: StorageRepository | None) -> bool:
    return repository is not None and len(repository.attachments.all()) > 1


def _disk_wire(disk: VirtualDisk) -> DiskWire:
    return DiskWire(
        device=disk.device,
        path=disk.path,
        format=disk.format,
        capacity=disk.capacity,
        storage=disk.repository.name if disk.repository else None,
        shared=_is_shared(disk.repository),
    )


def _has_movable_disks(vm: VirtualMachine) -> bool:
    return vm.hypervisor in MOVES_DISKS and vm.state == PowerState.RUNNING and bool(vm.disks.all())


def vm_wire(vm: VirtualMachine) -> VmWire:
    """Shape a VM; ``may_move`` is personal and stays false until somebody asks."""
    return VmWire(
        id=vm.pk,
        uuid=vm.uuid,
        name=vm.name,
        state=cast("_VmState", vm.state),
        resident_on=vm.resident_on_id,
        conflict=vm.conflict,
        memory=vm.memory,
        vcpus=vm.vcpus,
        cpu_load=vm.cpu_load,
        dirty_rate=Figure(value=vm.dirty_rate, provenance="not_available" if vm.dirty_rate is None else "measured"),
        dirty_rate_at=vm.dirty_rate_at,
        team=vm.team.name if vm.team else None,
        disks=[_disk_wire(disk) for disk in vm.disks.all()],
        disks_movable=_has_movable_disks(vm),
        migration=vm.moving_as or None,
        may_move=False,
        as_of=vm.resident_on.as_of if vm.resident_on else None,
    )


def repository_wire(row: StorageRepository) -> StorageRepositoryWire:
    """Shape a storage repository; expects pool and attachments with their hosts."""
    hosts = sorted(attachment.host_id for attachment in row.attachments.all() if not attachment.host.removed)
    return StorageRepositoryWire(
        id=row.pk,
        pool=row.pool.name,
        name=row.name,
        kind=row.kind,
        storage=StorageKind(row.storage).value,
        shared=len(hosts) > 1,
        proven=not needs_word(row.kind, StorageKind(row.storage)),
        vouched=row.vouched_shared,
        capacity=row.capacity,
        available=row.available,
        hosts=hosts,
    )
