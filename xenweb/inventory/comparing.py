"""Find the VMs of a look that are otherwise than their rows, reading no more of the rows than that takes.

Most looks at most VMs show what was known: whoever is in their rows as it is costs a comparison, and no write.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

from xenweb.core.facts import HostState, PowerState, Sighting
from xenweb.core.residence import residence
from xenweb.drivers.contract import DiskSnapshot, HostSnapshot, VmSnapshot
from xenweb.inventory.models import Host, VirtualDisk, VirtualMachine, VmSighting
from xenweb.realtime.wire import finding_wire

Disk = tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class HostReading:
    """One look at a host, with the loads that two looks give. Loads are 0..1.

    ``only`` names the VMs that are otherwise than at the look before, those that have left included; None looks
    at all of them.
    """

    snapshot: HostSnapshot
    taken_at: datetime
    cpu_load: float | None = None
    vm_cpu_loads: Mapping[str, float] = field(default_factory=dict)
    only: frozenset[str] | None = None


@dataclass(slots=True)
class Compared:
    """The VMs whose rows are otherwise, those without a row, those that have left, and the ids of all others."""

    differing: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    same: list[int] = field(default_factory=list)

    @property
    def is_news(self) -> bool:
        """Say whether anything is to be written."""
        return bool(self.differing or self.unknown or self.left)


def identities_of(host: Host) -> dict[str, int]:
    """Answer the rows of the repositories that a host reaches, by what identifies them."""
    return {each.repository.identity: each.repository_id for each in host.attachments.all()}


def obstacles_of(said: VmSnapshot) -> list[dict[str, object]]:
    """Shape what a hypervisor has noted against moving a VM as its row keeps it."""
    return [finding_wire(each).model_dump(mode="json") for each in said.obstacles]


def cards_of(said: VmSnapshot) -> list[dict[str, str]]:
    """Shape a VM's network cards as its row keeps them."""
    return [asdict(card) for card in said.cards]


def heard(sightings: Iterable[tuple[Sighting, bool]]) -> list[Sighting]:
    """Choose whom to believe: a silent host's last word counts only while no host that answers has the VM active."""
    told = list(sightings)
    answering = [sighting for sighting, answers in told if answers]
    if any(sighting.active and not sighting.incoming for sighting in answering):
        return answering
    return [sighting for sighting, _ in told]


def compare(host: Host, reading: HostReading) -> Compared:
    """Compare what a host says of VMs with their rows."""
    only, loads = reading.only, reading.vm_cpu_loads
    said = {vm.uuid: vm for vm in reading.snapshot.vms if only is None or vm.uuid in only}
    found, uuids = Compared(), list(said)
    identities = identities_of(host)
    sightings, newest = _sightings(host, uuids, reading.taken_at)
    disks = _disks(uuids)
    rows = VirtualMachine.objects.filter(uuid__in=uuids).only(
        "uuid", "name", "resident_on_id", "state", "conflict", "gone", "memory", "vcpus", "cpu_load", "dirty_rate",
        "dirty_rate_at", "networks", "cards", "obstacles", "moving_as",
    )  # fmt: skip
    for row in rows:
        vm, seen = said[row.uuid], sightings[row.pk]
        if row.pk in newest:
            continue  # a proof is newer than this look
        is_seen_so = seen.get(host.pk, (None, True))[0] == Sighting(host.pk, vm.state, vm.active, vm.incoming)
        is_here = row.resident_on_id == host.pk
        if (
            is_seen_so
            and not row.gone
            and (row.moving_as or _is_judged_so(row, seen))
            and (not is_here or _is_described_so(row, vm, loads.get(row.uuid)))
            and (not is_here or disks[row.pk] == _wanted(vm.disks, identities))
        ):
            found.same.append(row.pk)
        else:
            found.differing.add(row.uuid)
    found.unknown = set(uuids) - {row.uuid for row in rows}
    seen_here = VirtualMachine.objects.filter(sightings__host=host)
    seen_here = seen_here if only is None else seen_here.filter(uuid__in=only)
    found.left = set(seen_here.values_list("uuid", flat=True)) - set(uuids)
    return found


def _sightings(
    host: Host, uuids: list[str], taken_at: datetime
) -> tuple[Mapping[int, dict[int, tuple[Sighting, bool]]], set[int]]:
    """Read what hosts said of VMs, and which of them this host has told something newer of."""
    found: defaultdict[int, dict[int, tuple[Sighting, bool]]] = defaultdict(dict)
    newest = set()
    rows = VmSighting.objects.filter(vm__uuid__in=uuids)
    facts = rows.values_list("vm_id", "host_id", "state", "active", "incoming", "at", "host__state")
    for vm, where, state, active, incoming, at, host_state in facts:
        sighting = Sighting(where, PowerState(state), active, incoming)
        # This host answers: its row says so only when this look is over.
        found[vm][where] = sighting, where == host.pk or host_state == HostState.CONNECTED
        if where == host.pk and at > taken_at:
            newest.add(vm)
    return found, newest


def _disks(uuids: list[str]) -> Mapping[int, dict[str, Disk]]:
    found: defaultdict[int, dict[str, Disk]] = defaultdict(dict)
    rows = VirtualDisk.objects.filter(vm__uuid__in=uuids)
    facts = rows.values_list("vm_id", "device", "path", "format", "capacity", "cache", "read_only", "repository_id")
    for vm, device, *described in facts:
        found[vm][device] = tuple(described)
    return found


def _wanted(disks: Iterable[DiskSnapshot], identities: Mapping[str, int]) -> dict[str, Disk]:
    return {
        each.device: (
            each.path,
            each.format,
            each.capacity,
            each.cache,
            each.read_only,
            identities.get(each.repository or ""),
        )
        for each in disks
    }


def _is_judged_so(row: VirtualMachine, seen: Mapping[int, tuple[Sighting, bool]]) -> bool:
    judged = residence(heard(seen.values()), row.resident_on_id)
    return (judged.host, judged.state, judged.conflict) == (row.resident_on_id, row.state, row.conflict)


def _is_described_so(row: VirtualMachine, vm: VmSnapshot, load: float | None) -> bool:
    is_measured_anew = vm.dirty_rate_at is not None and (
        row.dirty_rate_at is None or vm.dirty_rate_at > row.dirty_rate_at
    )
    return (
        (row.name, row.memory, row.vcpus, row.networks) == (vm.name, vm.memory, vm.vcpus, list(vm.networks))
        and (row.cards, row.obstacles) == (cards_of(vm), obstacles_of(vm))
        and row.cpu_load == (None if load is None else round(load, 2))
        and not (vm.active and is_measured_anew)
        and (vm.active or (row.dirty_rate is None and row.dirty_rate_at is None))
    )
