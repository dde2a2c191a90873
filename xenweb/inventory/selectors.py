"""Read the inventory, as one person may see it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from xenweb.accounts.policy import Action, Actor, decide, visible_teams
from xenweb.core.facts import (
    Ability,
    CardFacts,
    DiskFacts,
    HostFacts,
    HostState,
    PowerState,
    RepositoryFacts,
    StorageCost,
    StorageKind,
    VmFacts,
)
from xenweb.core.placement import Finding, Severity
from xenweb.core.quantities import Bytes
from xenweb.drivers.contract import Capability, DriverUnavailableError, Endpoint
from xenweb.drivers.registry import driver_for
from xenweb.inventory import wiring
from xenweb.inventory.credentials import CredentialLostError, opened
from xenweb.inventory.errors import HostNotFoundError, RepositoryNotFoundError, VmNotFoundError
from xenweb.inventory.models import Host, Pool, StorageRepository, VirtualMachine, VmSighting
from xenweb.realtime.wire import FindingWire, HostWire, StorageRepositoryWire, VmWire

LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Promise:
    """What moves under way will still take from a host, how many come in, and how many there are in all."""

    memory: Bytes
    incoming: int
    moves: int
    disk: Bytes

    def with_leaving(self) -> "Promise":
        """Count one more move from the host."""
        return replace(self, moves=self.moves + 1)

    def with_coming(self, memory: int, disk: int) -> "Promise":
        """Count one more move to the host, of a VM that takes so many bytes of memory and of storage there."""
        return Promise(Bytes(self.memory + memory), self.incoming + 1, self.moves + 1, Bytes(self.disk + disk))


NO_PROMISE = Promise(Bytes(0), 0, 0, Bytes(0))


def _key(key: str) -> Q | None:
    if key.isascii() and key.isdigit():
        return Q(pk=int(key)) if int(key) <= LARGEST_ID else None
    try:
        return Q(uuid=str(UUID(key))) if len(key) == len(str(UUID(int=0))) else None
    except ValueError:
        return None


def _hosts() -> QuerySet[Host]:
    return Host.objects.filter(removed=False).select_related("pool").prefetch_related("attachments__repository")


def _vms() -> QuerySet[VirtualMachine]:
    return (
        VirtualMachine.objects.filter(gone=False)
        .select_related("team", "pool", "resident_on__pool")
        .prefetch_related("disks__repository__attachments")
    )


def _repository_rows() -> QuerySet[StorageRepository]:
    return StorageRepository.objects.select_related("pool").prefetch_related("attachments__host")


def visible_vms(actor: Actor) -> QuerySet[VirtualMachine]:
    """Narrow the VMs to those that ``actor`` may see."""
    teams = visible_teams(actor)
    return _vms() if teams is None else _vms().filter(team_id__in=teams)


def is_simulated() -> bool:
    """Say whether any host on the board is simulated."""
    return Host.objects.filter(removed=False, pool__driver="simulated").exists()


def hosts_for(actor: Actor) -> list[HostWire]:
    """List the hosts; everybody signed in may see them, without the VMs of others."""
    del actor
    return [wiring.host_wire(host) for host in _hosts()]


def host_for(actor: Actor, key: str) -> HostWire:
    """Answer one host by id or UUID; raise HostNotFoundError."""
    del actor
    return wiring.host_wire(host_row(key))


def host_names(ids: Iterable[int]) -> dict[int, str]:
    """Answer what hosts are called."""
    return dict(Host.objects.filter(pk__in=set(ids)).values_list("pk", "name"))


def host_row(key: str) -> Host:
    """Answer one host's row by id or UUID; raise HostNotFoundError."""
    by = _key(key)
    host = _hosts().filter(by).first() if by is not None else None
    if host is None:
        raise HostNotFoundError
    return host


def vm_row(actor: Actor, key: str) -> VirtualMachine:
    """Answer one visible VM's row by id or UUID; raise VmNotFoundError."""
    by = _key(key)
    vm = visible_vms(actor).filter(by).first() if by is not None else None
    if vm is None:
        raise VmNotFoundError
    return vm


def vm_ids_of(actor: Actor, keys: Iterable[str]) -> dict[str, int]:
    """Answer the ids of many visible VMs by their keys, in one query; raise VmNotFoundError if one is not there."""
    wanted = {key: _key(key) for key in keys}
    if None in wanted.values():
        raise VmNotFoundError
    ids = [int(key) for key in wanted if key.isdigit()]
    uuids = [key.lower() for key in wanted if not key.isdigit()]
    rows = visible_vms(actor).filter(Q(pk__in=ids) | Q(uuid__in=uuids)).prefetch_related(None)
    found: dict[str, int] = {}
    for pk, uuid in rows.values_list("pk", "uuid"):
        found[str(pk)] = found[uuid] = pk
    try:
        return {key: found[key.lower()] for key in wanted}
    except KeyError:
        raise VmNotFoundError from None


def _personal(actor: Actor, vm: VirtualMachine) -> VmWire:
    may_move = decide(actor, Action.MOVE_VM, vm.team_id).allowed
    return wiring.vm_wire(vm).model_copy(update={"may_move": may_move})


def vms_for(actor: Actor) -> list[VmWire]:
    """List the VMs that ``actor`` may see."""
    return [_personal(actor, vm) for vm in visible_vms(actor)]


def vm_for(actor: Actor, key: str) -> VmWire:
    """Answer one VM by id or UUID; raise VmNotFoundError for foreign and unknown alike."""
    return _personal(actor, vm_row(actor, key))


def vm_rows_on(host_id: int) -> list[VirtualMachine]:
    """Answer the rows of all VMs that a host has, whoever's they are."""
    return list(_vms().filter(resident_on=host_id))


def is_running_anything(host_id: int) -> bool:
    """Say whether a host, when it was last looked at, had a VM that runs or is coming in."""
    return VmSighting.objects.filter(host=host_id, active=True, vm__gone=False).exists()


def vm_ids_for(actor: Actor) -> set[int]:
    """Answer the ids of the VMs that ``actor`` may see."""
    return set(visible_vms(actor).values_list("pk", flat=True))


def storage_repositories_for(actor: Actor) -> list[StorageRepositoryWire]:
    """List the storage repositories and which hosts reach them."""
    del actor
    return [wiring.repository_wire(row) for row in _repository_rows()]


def repository_row(key: str) -> StorageRepository:
    """Answer one storage repository's row by id; raise RepositoryNotFoundError."""
    is_id = key.isascii() and key.isdigit() and int(key) <= LARGEST_ID
    row = _repository_rows().filter(pk=int(key)).first() if is_id else None
    if row is None:
        raise RepositoryNotFoundError
    return row


def endpoint_of(host: Host) -> Endpoint:
    """Answer how a driver reaches a host, its credential opened; raise CredentialLostError if no key fits."""
    secret, probe_key = (opened(each, host.name) for each in (host.credential, host.probe_key))
    return Endpoint(host.pk, host.name, host.uri, host.migration_address, secret, host.probe, probe_key)


def endpoints_reaching(host_id: int, path: str) -> list[Endpoint]:
    """Answer every host that reaches the storage in which a path of one host lies, that host first."""
    folder = path.rpartition("/")[0]
    rows = Host.objects.filter(removed=False)
    place = StorageRepository.objects.filter(attachments__host_id=host_id, attachments__path__in=(folder, f"{folder}/"))
    others = rows.filter(attachments__repository__in=place).exclude(pk=host_id).distinct()
    return [endpoint_of(host) for host in (*rows.filter(pk=host_id), *others)]


def endpoints_of_pool(pool_id: int) -> list[Endpoint]:
    """Answer every host of a pool, enabled or not; raise CredentialLostError if one's credential is lost."""
    return [endpoint_of(host) for host in Host.objects.filter(pool_id=pool_id, removed=False)]


@dataclass(frozen=True, slots=True)
class WatchedHosts:
    """The enabled hosts: those that can be reached with the kind of their driver, the others with what hinders it."""

    endpoints: dict[Endpoint, str]
    out_of_reach: dict[int, str]


def watched_hosts() -> WatchedHosts:
    """Answer every enabled host's endpoint; one whose credential cannot be opened hides no other."""
    watched = WatchedHosts({}, {})
    for host in Host.objects.filter(removed=False, enabled=True).select_related("pool"):
        try:
            watched.endpoints[endpoint_of(host)] = host.pool.driver
        except CredentialLostError as error:
            watched.out_of_reach[host.pk] = error.sentence
    return watched


def watched_endpoints() -> dict[Endpoint, str]:
    """Answer the endpoint of every enabled host that can be reached, and the kind of its driver."""
    return watched_hosts().endpoints


def pools() -> list[Pool]:
    """List the pools."""
    return list(Pool.objects.order_by("name"))


def vm_facts(vm: VirtualMachine) -> VmFacts:
    """Gather what placement needs to know of a VM."""
    disks = tuple(
        DiskFacts(
            disk.device,
            disk.path,
            disk.repository_id,
            disk.repository.name if disk.repository else "",
            disk.cache,
            disk.read_only,
            None if disk.capacity is None else Bytes(disk.capacity),
        )
        for disk in vm.disks.all()
    )
    return VmFacts(
        id=vm.pk,
        uuid=vm.uuid,
        name=vm.name,
        state=PowerState(vm.state),
        resident_on=vm.resident_on_id,
        hypervisor=vm.hypervisor,
        memory=Bytes(vm.memory),
        disks=disks,
        networks=tuple(vm.networks),
        moving_as=vm.moving_as or None,
        conflict=vm.conflict,
        cards=tuple(CardFacts(each["device"], each["address"], each["network"], each["bridge"]) for each in vm.cards),
    )


Costs = Mapping[StorageKind, tuple[StorageCost, ...]]
NO_COSTS: Costs = {}


def obstacles_of(vm: VirtualMachine) -> tuple[Finding, ...]:
    """Answer what a VM's hypervisor has noted against moving it, as of the last look at its host."""
    said = (FindingWire.model_validate(each) for each in vm.obstacles)
    return tuple(
        Finding(each.code, Severity(each.severity), each.sentence, each.remedy, tuple(each.facts.items()))
        for each in said
    )


def _repositories(host: Host, costs: Costs) -> Iterable[RepositoryFacts]:
    for attachment in host.attachments.all():
        row = attachment.repository
        storage = StorageKind(row.storage)
        yield RepositoryFacts(
            row.pk,
            row.name,
            row.kind,
            row.vouched_shared,
            attachment.path,
            None if row.available is None else Bytes(row.available),
            storage,
            costs.get(storage, ()),
            row.identity,
        )


def capabilities_of(host: Host) -> frozenset[Capability]:
    """Say what can be done on a host: what its driver can, as far as the host itself can; its pool must be loaded.

    A driver that is not installed can do nothing.
    """
    try:
        able = driver_for(host.pool.driver).capabilities
    except DriverUnavailableError:
        return frozenset()
    said = host.capabilities
    return able if said is None else frozenset(each for each in able if each.value in said)


def _abilities(host: Host) -> frozenset[Ability]:
    """Say what moves can be made on a host."""
    able = capabilities_of(host)
    return frozenset(ability for ability in Ability if Capability(ability.value) in able)


def hosts_facts(
    now: datetime, promises: Mapping[int, Promise], allowed: int | None = None, costs: Costs = NO_COSTS
) -> dict[int, HostFacts]:
    """Gather what placement needs to know of every host, by host id; ``allowed`` are moves at once on a host.

    ``costs`` are what was measured of kinds of storage.
    """
    facts = {}
    for host in _hosts().prefetch_related("networks"):
        promise = promises.get(host.pk, NO_PROMISE)
        facts[host.pk] = HostFacts(
            id=host.pk,
            name=host.name,
            pool=host.pool_id,
            state=HostState(host.state) if host.enabled else HostState.DISABLED,
            state_reason=host.state_reason,
            hypervisor=host.hypervisor,
            memory_total=Bytes(host.memory_total),
            memory_free=None if host.memory_free is None else Bytes(host.memory_free),
            memory_promised=promise.memory,
            repositories=tuple(_repositories(host, costs)),
            networks=tuple(network.name for network in host.networks.all()),
            bridges=tuple((network.name, network.bridge) for network in host.networks.all() if network.bridge),
            age=None if host.as_of is None else max(0.0, (now - host.as_of).total_seconds()),
            incoming=promise.incoming,
            version=host.version,
            moves=promise.moves,
            moves_allowed=allowed,
            disk_promised=promise.disk,
            abilities=_abilities(host),
            in_maintenance=bool(host.maintenance),
            takes_vms=host.takes_vms is not False,
        )
    return facts
