"""Lay what a host says over the rows, and tell the board what changed.

One transaction per look, in which no hypervisor is waited for. A look that is
older than what a row already knows changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from xenweb.core.facts import HostState, PowerState, Sighting, StorageKind
from xenweb.core.residence import residence
from xenweb.drivers.contract import DiskSnapshot, HostSnapshot, RepositorySnapshot, VmSnapshot
from xenweb.inventory import wiring
from xenweb.inventory.models import (
    Host,
    Network,
    StorageAttachment,
    StorageRepository,
    VirtualDisk,
    VirtualMachine,
    VmSighting,
)
from xenweb.inventory.outside import outside_record, stand_of
from xenweb.realtime.events import HostChanged, StorageRepositoryChanged, VmChanged, VmRemoved
from xenweb.realtime.publish import publish, writing

SAY_AGAIN_AFTER = timedelta(seconds=5)
"""A host with nothing new is told this often: a board that hears of no host for longer knows that it hears nothing."""


@dataclass(frozen=True, slots=True)
class HostReading:
    """One look at a host, with the loads that two looks give. Loads are 0..1."""

    snapshot: HostSnapshot
    taken_at: datetime
    cpu_load: float | None = None
    vm_cpu_loads: Mapping[str, float] = field(default_factory=dict)


@writing()
def reading_apply(host_id: int, reading: HostReading) -> None:
    """Lay one look at a host over the rows and publish what changed."""
    host = _host(host_id)
    if host is None or (host.as_of is not None and reading.taken_at < host.as_of):
        return
    _host_apply(host, reading)
    identities = _repositories_apply(host, reading.snapshot.repositories)
    _networks_apply(host, reading.snapshot.networks, dict(reading.snapshot.bridges))
    _vms_apply(host, reading, identities)


@writing()
def host_unreachable(host_id: int, reason: str) -> None:
    """Note that a host does not answer; what it last said stays, with its age."""
    host = _host(host_id)
    if host is None or (host.state == HostState.UNREACHABLE and host.state_reason == reason):
        return
    host.state = HostState.UNREACHABLE
    host.state_reason = reason[:500]
    host.cpu_load = None
    host.save()
    publish(HostChanged(host=wiring.host_wire(host)), public=True)


def _host(host_id: int) -> Host | None:
    rows = Host.objects.filter(removed=False).select_related("pool")
    return rows.prefetch_related("attachments__repository").filter(pk=host_id).first()


def _host_apply(host: Host, reading: HostReading) -> None:
    before = wiring.host_wire(host)
    said = reading.snapshot
    host.uuid, host.name = said.uuid, said.name
    host.hypervisor, host.version = said.hypervisor, said.version
    host.architecture, host.cpu_model, host.cpu_count = said.architecture, said.cpu_model, said.cpu_count
    host.memory_total, host.memory_free = said.memory_total, _memory_free(said)
    host.cpu_load = None if reading.cpu_load is None else round(reading.cpu_load, 2)
    host.capabilities = None if said.capabilities is None else sorted(each.value for each in said.capabilities)
    host.state, host.state_reason = HostState.CONNECTED, ""
    host.as_of = reading.taken_at
    host.save()
    after = wiring.host_wire(host)
    is_news = after.model_copy(update={"as_of": before.as_of}) != before
    is_old = before.as_of is None or int(before.as_of.timestamp() / SAY_AGAIN_AFTER.total_seconds()) != int(
        reading.taken_at.timestamp() / SAY_AGAIN_AFTER.total_seconds(),
    )
    if is_news or is_old:
        publish(HostChanged(host=after), public=True)


def _memory_free(said: HostSnapshot) -> int | None:
    """Say what may still be promised: hypervisors let themselves be overbooked, we do not."""
    if said.memory_free is None:
        return None
    claimed = sum(vm.memory for vm in said.vms if vm.active and not vm.incoming)
    return max(0, min(said.memory_free, said.memory_total - claimed))


def _repositories_apply(host: Host, said: Iterable[RepositorySnapshot]) -> dict[str, int]:
    known = {attachment.repository.identity: attachment for attachment in host.attachments.all()}
    identities = {}
    for snapshot in said:
        row, is_new = StorageRepository.objects.get_or_create(
            pool=host.pool,
            identity=snapshot.identity,
            defaults={"name": snapshot.name, "kind": snapshot.kind, "storage": snapshot.storage},
        )
        identities[snapshot.identity] = row.pk
        # Free space drifts all the time; a step of 1 % is news, a sector is not.
        drift = abs((row.available or 0) - (snapshot.available or 0))
        is_news = drift * 100 > (snapshot.capacity or 1) or row.capacity != snapshot.capacity
        is_named_anew = (row.name, row.kind) != (snapshot.name, snapshot.kind)
        # A host without a probe does not know: what another has told stays.
        storage = row.storage if snapshot.storage is StorageKind.UNKNOWN else snapshot.storage.value
        is_news |= storage != row.storage
        if is_news or is_new or is_named_anew:
            row.name, row.kind, row.storage = snapshot.name, snapshot.kind, storage
            row.capacity, row.available = snapshot.capacity, snapshot.available
            row.save()
        attachment = known.pop(snapshot.identity, None)
        if attachment is None:
            StorageAttachment.objects.create(host=host, repository=row, path=snapshot.path)
        if attachment is None or is_news or is_new:
            _publish_repository(row.pk)
    for attachment in known.values():
        attachment.delete()
        _publish_repository(attachment.repository_id)
    return identities


def _publish_repository(repository_id: int) -> None:
    rows = StorageRepository.objects.select_related("pool").prefetch_related("attachments__host")
    publish(
        StorageRepositoryChanged(storage_repository=wiring.repository_wire(rows.get(pk=repository_id))),
        public=True,
    )


def _networks_apply(host: Host, names: Iterable[str], bridges: Mapping[str, str]) -> None:
    wanted, known = set(names), {network.name: network for network in host.networks.all()}
    for name in wanted - set(known):
        known[name] = Network.objects.get_or_create(pool=host.pool, name=name)[0]
        known[name].hosts.add(host)
    for name, network in known.items():
        if name not in wanted:
            network.hosts.remove(host)
        elif network.bridge != bridges.get(name, network.bridge):
            network.bridge = bridges[name]
            network.save()


def _rows(uuids: Iterable[str]) -> dict[str, VirtualMachine]:
    rows = (
        VirtualMachine.objects.filter(uuid__in=list(uuids))
        .select_related("team", "resident_on")
        .prefetch_related("disks__repository__attachments", "sightings__host")
    )
    return {row.uuid: row for row in rows}


def _vms_apply(host: Host, reading: HostReading, identities: Mapping[str, int]) -> None:
    said = {vm.uuid: vm for vm in reading.snapshot.vms}
    seen_here = VirtualMachine.objects.filter(sightings__host=host).values_list("uuid", flat=True)
    rows = _rows({*said, *seen_here})
    for uuid, snapshot in said.items():
        row = rows.get(uuid) or VirtualMachine(
            uuid=uuid, name=snapshot.name, pool=host.pool, hypervisor=reading.snapshot.hypervisor
        )
        _vm_apply(row, host, snapshot, reading, identities)
    for uuid, row in rows.items():
        if uuid not in said:
            _vm_left(row, host, reading.taken_at)


def _vm_apply(
    row: VirtualMachine,
    host: Host,
    said: VmSnapshot,
    reading: HostReading,
    identities: Mapping[str, int],
) -> None:
    is_new = row.pk is None
    before = None if is_new else wiring.vm_wire(row)
    stood = None if is_new else stand_of(row)
    if is_new:
        row.save()
    if not _sighting_apply(row, host, said, reading.taken_at):
        return
    _residence_apply(row)
    if stood is not None:
        outside_record(row, stood)
    disks_changed = is_wired_anew = False
    if row.resident_on_id == host.pk:
        row.name, row.memory, row.vcpus = said.name, said.memory, said.vcpus
        is_wired_anew = _cards_apply(row, said)
        load = reading.vm_cpu_loads.get(row.uuid)
        row.cpu_load = None if load is None else round(load, 2)
        _dirty_rate_apply(row, said)
        disks_changed = _disks_apply(row, said.disks, identities)
    row.gone = False
    if is_new or disks_changed or is_wired_anew:
        row.save()
        row = _rows([row.uuid])[row.uuid]
    after = wiring.vm_wire(row)
    is_news = before is None or after.model_copy(update={"as_of": before.as_of}) != before
    if is_news:
        row.save()
        publish(VmChanged(vm=after), team=row.team_id)


def _sighting_apply(row: VirtualMachine, host: Host, said: VmSnapshot, at: datetime) -> bool:
    """Note what the host says; answer whether it is newer than what we know."""
    known = next((sighting for sighting in row.sightings.all() if sighting.host_id == host.pk), None)
    if known is not None and known.at > at:
        return False
    VmSighting.objects.update_or_create(
        vm=row,
        host=host,
        defaults={"state": said.state, "active": said.active, "incoming": said.incoming, "at": at},
    )
    return True


def _residence_apply(row: VirtualMachine) -> None:
    """Judge where the VM runs; during a move only the proof of that move may say so."""
    if row.moving_as:
        return
    rows = list(VmSighting.objects.filter(vm=row).select_related("host"))
    heard = [sighting for sighting in rows if sighting.host.state == HostState.CONNECTED]
    # A silent host's last word counts only while no host that answers has the VM active.
    trusted = heard if any(s.active and not s.incoming for s in heard) else rows
    judged = residence(
        (Sighting(s.host_id, PowerState(s.state), s.active, s.incoming) for s in trusted),
        row.resident_on_id,
    )
    if row.resident_on_id != judged.host:
        row.resident_on = None if judged.host is None else Host.objects.get(pk=judged.host)
        row.pool_id = row.pool_id if row.resident_on is None else row.resident_on.pool_id
        row.cpu_load = None
    row.state, row.conflict = judged.state, judged.conflict


def _cards_apply(row: VirtualMachine, said: VmSnapshot) -> bool:
    """Note which networks a VM is on, and by which cards; answer whether that is news: no shape of a VM tells it."""
    before = row.networks, row.cards
    row.networks, row.cards = list(said.networks), [asdict(card) for card in said.cards]
    return before != (row.networks, row.cards)


def _dirty_rate_apply(row: VirtualMachine, said: VmSnapshot) -> None:
    """Keep the newest measurement, wherever it was made; a VM that does not run changes nothing to measure."""
    if not said.active:
        row.dirty_rate = row.dirty_rate_at = None
    elif said.dirty_rate_at is not None and (row.dirty_rate_at is None or said.dirty_rate_at > row.dirty_rate_at):
        row.dirty_rate, row.dirty_rate_at = said.dirty_rate, said.dirty_rate_at


def _disks_apply(row: VirtualMachine, said: Iterable[DiskSnapshot], identities: Mapping[str, int]) -> bool:
    known = {disk.device: disk for disk in row.disks.all()} if row.pk else {}
    changed = False
    for snapshot in said:
        disk = known.pop(snapshot.device, None) or VirtualDisk(vm=row, device=snapshot.device)
        wanted = {
            "path": snapshot.path,
            "format": snapshot.format,
            "capacity": snapshot.capacity,
            "cache": snapshot.cache,
            "read_only": snapshot.read_only,
            "repository_id": identities.get(snapshot.repository or ""),
        }
        if disk.pk is None or any(getattr(disk, name) != value for name, value in wanted.items()):
            for name, value in wanted.items():
                setattr(disk, name, value)
            disk.save()
            changed = True
    for disk in known.values():
        disk.delete()
        changed = True
    return changed


def _vm_left(row: VirtualMachine, host: Host, at: datetime) -> None:
    """Note that a host no longer knows a VM; a VM that no host knows leaves the board."""
    deleted, _ = VmSighting.objects.filter(vm=row, host=host, at__lte=at).delete()
    if not deleted or row.moving_as:
        return
    before, stood = wiring.vm_wire(row), stand_of(row)
    if not VmSighting.objects.filter(vm=row).exists():
        row.gone, row.resident_on, row.state = True, None, PowerState.UNKNOWN
        row.save()
        outside_record(row, stood)
        publish(VmRemoved(vm_id=row.pk), team=row.team_id)
        return
    _residence_apply(row)
    outside_record(row, stood)
    after = wiring.vm_wire(row)
    if after.model_copy(update={"as_of": before.as_of}) != before:
        row.save()
        publish(VmChanged(vm=after), team=row.team_id)
