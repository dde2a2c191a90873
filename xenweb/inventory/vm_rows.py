"""Write what a look at a host says of VMs: all of its changes in few statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from xenweb.core.facts import HostState, PowerState, Sighting
from xenweb.core.residence import residence
from xenweb.drivers.contract import DiskSnapshot, VmSnapshot
from xenweb.inventory import wiring
from xenweb.inventory.comparing import Compared, HostReading, cards_of, heard, identities_of, obstacles_of
from xenweb.inventory.models import Host, VirtualDisk, VirtualMachine, VmSighting
from xenweb.inventory.outside import outside_record, stand_of
from xenweb.realtime.events import VmChanged, VmRemoved
from xenweb.realtime.publish import News, publish_all

STORED_AT_ONCE = 200
EXACT_TO = timedelta(seconds=1)
"""How exactly a row says when a host last said the same of a VM as before."""

WRITTEN = (
    "name", "resident_on_id", "state", "conflict", "gone", "memory", "vcpus", "cpu_load", "dirty_rate", "dirty_rate_at",
    "networks", "cards", "obstacles", "pool_id",
)  # fmt: skip


def _rows(uuids: Iterable[str]) -> dict[str, VirtualMachine]:
    rows = (
        VirtualMachine.objects.filter(uuid__in=list(uuids))
        .select_related("team", "resident_on")
        .prefetch_related("disks__repository__attachments", "sightings__host")
    )
    return {row.uuid: row for row in rows}


def vms_confirm(host_id: int, vms: Sequence[int], at: datetime) -> None:
    """Note that a host says the same of VMs as before. Whoever else writes to one of these rows is not waited for."""
    stale = VmSighting.objects.filter(host=host_id, vm_id__in=vms, at__lt=at - EXACT_TO)
    free = stale.select_for_update(skip_locked=True) if connection.features.has_select_for_update_skip_locked else stale
    with transaction.atomic():
        VmSighting.objects.filter(pk__in=list(free.values_list("pk", flat=True))).update(at=at)


@dataclass(frozen=True, slots=True)
class Said:
    """What one host said, and what of it is otherwise than the rows."""

    host: Host
    reading: HostReading
    found: Compared


def vms_apply(looks: Sequence[Said]) -> None:
    """Write what was found to be otherwise, and tell it. Call it in a transaction that may publish."""
    wanted = {uuid for each in looks for uuid in each.found.differing | each.found.unknown | each.found.left}
    laid = {uuid: Laid(row) for uuid, row in _rows(wanted).items()} if wanted else {}
    for each in looks:
        said = {vm.uuid: vm for vm in each.reading.snapshot.vms if vm.uuid in each.found.differing | each.found.unknown}
        newcomers = _newcomers(each, [vm for uuid, vm in said.items() if uuid not in laid])
        for uuid, vm in said.items():
            if uuid in laid:
                laid[uuid].say(each, vm)
        for uuid in each.found.left & laid.keys():
            laid[uuid].leave(each.host, each.reading.taken_at)
        laid |= {uuid: Laid(row) for uuid, row in newcomers.items()}
    _store(list(laid.values()))


def _store(laid: Sequence["Laid"]) -> None:
    news = [told for each in laid for told in each.settled()]
    VmSighting.objects.filter(pk__in=[pk for each in laid for pk in each.taken_back]).delete()
    VmSighting.objects.bulk_create(
        [sighting for each in laid for sighting in each.sightings],
        batch_size=STORED_AT_ONCE,
        update_conflicts=True,
        unique_fields=["vm", "host"],
        update_fields=["state", "active", "incoming", "at"],
    )
    changed = [each.row for each in laid if each.is_changed]
    # Written as if new, for what is known already: that costs a tenth of an update of each row in one statement.
    VirtualMachine.objects.bulk_create(
        changed,
        batch_size=STORED_AT_ONCE,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[name.removesuffix("_id") for name in WRITTEN],
    )
    publish_all(news)


def _newcomers(look: Said, said: Sequence[VmSnapshot]) -> dict[str, VirtualMachine]:
    """Make the rows of VMs that no host has told of yet, in few statements however many there are."""
    if not said:
        return {}
    host, identities = look.host, identities_of(look.host)
    rows = [_newcomer(host, vm, look.reading) for vm in said]
    VirtualMachine.objects.bulk_create(rows, batch_size=STORED_AT_ONCE)
    VmSighting.objects.bulk_create(
        [_sighting(row, host, vm, look.reading.taken_at) for row, vm in zip(rows, said, strict=True)],
        batch_size=STORED_AT_ONCE,
    )
    VirtualDisk.objects.bulk_create(
        [
            VirtualDisk(vm=row, device=disk.device, **_described(disk, identities))
            for row, vm in zip(rows, said, strict=True)
            for disk in vm.disks
            if row.resident_on_id == host.pk
        ],
        batch_size=STORED_AT_ONCE,
    )
    told = _rows(row.uuid for row in rows)
    publish_all([News(VmChanged(vm=wiring.vm_wire(told[row.uuid]))) for row in rows])
    return told


def _sighting(row: VirtualMachine, host: Host, said: VmSnapshot, at: datetime) -> VmSighting:
    return VmSighting(vm=row, host=host, state=said.state, active=said.active, incoming=said.incoming, at=at)


def _newcomer(host: Host, said: VmSnapshot, reading: HostReading) -> VirtualMachine:
    judged = residence([Sighting(host.pk, said.state, said.active, said.incoming)], None)
    load = reading.vm_cpu_loads.get(said.uuid)
    row = VirtualMachine(
        uuid=said.uuid,
        name=said.name,
        pool=host.pool,
        hypervisor=reading.snapshot.hypervisor,
        resident_on_id=judged.host,
        state=judged.state,
        memory=said.memory,
        vcpus=said.vcpus,
        networks=list(said.networks),
        cards=cards_of(said),
        obstacles=obstacles_of(said),
        cpu_load=None if load is None else round(load, 2),
    )
    _dirty_rate_apply(row, said)
    return row


class Laid:
    """One VM's row while looks are laid over it; nothing is stored yet but its disks."""

    def __init__(self, row: VirtualMachine) -> None:
        self.row = row
        self.taken_back: list[int] = []
        self._seen = {sighting.host_id: sighting for sighting in row.sightings.all()}
        self._said: dict[int, tuple[Said, VmSnapshot]] = {}
        self._is_touched = False
        self._before, self._stood, self._stored = wiring.vm_wire(row), stand_of(row), self._values()

    def _values(self) -> list[object]:
        return [getattr(self.row, name) for name in WRITTEN]

    @property
    def is_changed(self) -> bool:
        """Say whether the row is to be stored."""
        return self._values() != self._stored

    @property
    def sightings(self) -> list[VmSighting]:
        """List what hosts have said."""
        return [self._seen[host] for host in self._said if host in self._seen]

    def say(self, look: Said, said: VmSnapshot) -> None:
        """Note what a host says, unless something newer is known."""
        known = self._seen.get(look.host.pk)
        if known is None or known.at <= look.reading.taken_at:
            self._seen[look.host.pk] = _sighting(self.row, look.host, said, look.reading.taken_at)
            self._said[look.host.pk] = look, said
            self._is_touched = True

    def leave(self, host: Host, at: datetime) -> None:
        """Note that a host no longer knows the VM."""
        known = self._seen.get(host.pk)
        if known is not None and known.at <= at:
            del self._seen[host.pk]
            if known.pk is not None:
                self.taken_back.append(known.pk)
            self._is_touched = True

    def settled(self) -> Iterator[News]:
        """Judge where the VM is after all that was said; yield what is to be told of it."""
        row = self.row
        if not self._is_touched:
            return
        if not self._seen and not row.moving_as:
            row.gone, row.resident_on, row.state = True, None, PowerState.UNKNOWN
            outside_record(row, self._stood)
            yield News(VmRemoved(vm_id=row.pk), row.team_id)
            return
        _residence_apply(row, self._seen.values())
        outside_record(row, self._stood)
        if row.resident_on_id in self._said:
            self._describe(*self._said[row.resident_on_id])
        row.gone = row.gone and not self._said
        after = wiring.vm_wire(row)
        if after.model_copy(update={"as_of": self._before.as_of}) != self._before:
            yield News(VmChanged(vm=after), row.team_id)

    def _describe(self, look: Said, said: VmSnapshot) -> None:
        row, load = self.row, look.reading.vm_cpu_loads.get(said.uuid)
        row.name, row.memory, row.vcpus = said.name, said.memory, said.vcpus
        row.networks, row.cards, row.obstacles = list(said.networks), cards_of(said), obstacles_of(said)
        row.cpu_load = None if load is None else round(load, 2)
        _dirty_rate_apply(row, said)
        if _disks_apply(row, said.disks, identities_of(look.host)):
            row._prefetched_objects_cache.pop("disks")  # type: ignore[attr-defined]  # noqa: SLF001 - Django's own name


def _residence_apply(row: VirtualMachine, sightings: Iterable[VmSighting]) -> None:
    """Judge where the VM runs; during a move only the proof of that move may say so."""
    if row.moving_as:
        return
    known = list(sightings)
    told = (
        (Sighting(s.host_id, PowerState(s.state), s.active, s.incoming), s.host.state == HostState.CONNECTED)
        for s in known
    )
    judged = residence(heard(told), row.resident_on_id)
    if row.resident_on_id != judged.host:
        row.resident_on = next((s.host for s in known if s.host_id == judged.host), None)
        row.pool_id = row.pool_id if row.resident_on is None else row.resident_on.pool_id
        row.cpu_load = None
    row.state, row.conflict = judged.state, judged.conflict


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
        wanted = _described(snapshot, identities)
        if disk.pk is None or any(getattr(disk, name) != value for name, value in wanted.items()):
            for name, value in wanted.items():
                setattr(disk, name, value)
            disk.save()
            changed = True
    for disk in known.values():
        disk.delete()
        changed = True
    return changed


def _described(disk: DiskSnapshot, identities: Mapping[str, int]) -> dict[str, str | int | bool | None]:
    return {
        "path": disk.path,
        "format": disk.format,
        "capacity": disk.capacity,
        "cache": disk.cache,
        "read_only": disk.read_only,
        "repository_id": identities.get(disk.repository or ""),
    }
