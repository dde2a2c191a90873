"""Describe a host and all that is on it, in a few bulk calls."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import libvirt

from xenweb.core.facts import PowerState
from xenweb.core.quantities import Bytes
from xenweb.drivers.contract import Capability, DiskSnapshot, HostSnapshot, RepositorySnapshot, VmSnapshot
from xenweb.drivers.libvirt_driver import description
from xenweb.drivers.libvirt_driver.description import DiskDescription, DomainDescription, PoolDescription
from xenweb.drivers.libvirt_driver.dialects import Dialect, capabilities_at, dialect_of
from xenweb.drivers.libvirt_driver.dirty_rates import DirtyRate
from xenweb.drivers.libvirt_driver.xen import looks

STATS = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
AT_ONCE = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
"""A domain that something works on is told of without what only QEMU knows: a copy that is being
received would otherwise hold up the look at its whole host, for up to 30 s each time."""

BUSY_COUNTERS = ("kernel", "user")

_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_SHUTOFF: PowerState.HALTED,
    libvirt.VIR_DOMAIN_CRASHED: PowerState.CRASHED,
}
INCOMING_REASONS = frozenset({libvirt.VIR_DOMAIN_PAUSED_MIGRATION, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP})

READ_AGAIN_AFTER = 20.0
"""Seconds after which XML is read again: whoever does not listen to events hears of no other change."""

Repositories = dict[str, RepositorySnapshot]
Sizes = dict[str, Bytes]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a host has around its guests."""

    name: str
    version: str
    cpu_count: int
    networks: tuple[str, ...]
    repositories: Repositories


def power_state(state: int) -> PowerState:
    """Answer the contract's state for one of libvirt's."""
    return _STATES.get(state, PowerState.UNKNOWN)


def is_incoming(domain: libvirt.virDomain, state: int, reason: int) -> bool:
    """Say whether a paused domain is a copy that is still being received.

    Both ends of a move can be paused "for migration"; only the receiving end
    works on an incoming one.
    """
    if state != libvirt.VIR_DOMAIN_PAUSED or reason not in INCOMING_REASONS:
        return False
    try:
        return operation_of(domain) != libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
    except libvirt.libvirtError:
        return True


def operation_of(domain: libvirt.virDomain) -> int:
    """Answer what the hypervisor works on for a domain; 0 for nothing."""
    stats = domain.jobStats()
    return int(stats.get("operation", 0)) if stats.get("type") else 0


class Inventory:
    """Look at one host; XML is read again when the domain's state has changed, and now and then.

    On Xen, what is around the guests is kept as long: to ask for it takes ten times what a look at the guests takes,
    and of the same processors of Xen's own domain that copy the memory of those that move.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[object, float, DomainDescription, Sizes]] = {}
        self._hosts: dict[str, tuple[str, str, str]] = {}
        self._around: dict[str, tuple[float, Surroundings]] = {}
        self._changes: Counter[str] = Counter()

    def look(
        self,
        connection: libvirt.virConnect,
        uri: str,
        rates: Mapping[str, DirtyRate],
        capabilities: frozenset[Capability] | None = None,
    ) -> HostSnapshot:
        """Describe a host, with what was measured of its VMs' changes; raises libvirtError.

        ``capabilities`` are what it can at this moment, where that is more than its hypervisor alone can.
        """
        around = self._surroundings(connection, uri)
        uuid, architecture, model = self._host(connection, uri)
        busy, total = cpu_of(connection, uri)
        total_memory, free_memory = memory_of(connection, uri)
        return HostSnapshot(
            uuid=uuid,
            name=around.name,
            hypervisor=connection.getType().lower(),
            version=around.version,
            architecture=architecture,
            cpu_model=model,
            cpu_count=around.cpu_count,
            cpu_busy=busy,
            cpu_total=total,
            memory_total=total_memory,
            memory_free=free_memory,
            repositories=tuple(around.repositories.values()),
            networks=around.networks,
            vms=tuple(self._vms(connection, uri, around.repositories, rates)),
            capabilities=capabilities_at(uri) if capabilities is None else capabilities,
        )

    def forget(self, uri: str, vm_uuid: str) -> None:
        """Read a domain's XML again at the next look."""
        with self._lock:
            self._kept.pop((uri, vm_uuid), None)

    def forget_surroundings(self, uri: str) -> None:
        """Ask again at the next look what a host has around its guests."""
        with self._lock:
            self._around.pop(uri, None)
            self._changes[uri] += 1

    def _surroundings(self, connection: libvirt.virConnect, uri: str) -> Surroundings:
        now = time.monotonic()
        with self._lock:
            at, kept = self._around.get(uri, (now, None))
            changes = self._changes[uri]
        if kept is not None and now - at < READ_AGAIN_AFTER:
            return kept
        found = surroundings_of(connection)
        with self._lock:
            # What changed while it was asked for is asked for again.
            if dialect_of(uri) is Dialect.XEN and self._changes[uri] == changes:
                self._around[uri] = now, found
        return found

    def _host(self, connection: libvirt.virConnect, uri: str) -> tuple[str, str, str]:
        if uri not in self._hosts:
            uuid, architecture, model = description.host(connection.getCapabilities())
            if not uuid and dialect_of(uri) is Dialect.XEN:
                uuid = looks.host_uuid(connection)
            self._hosts[uri] = uuid, architecture, model
        return self._hosts[uri]

    def _vms(
        self, connection: libvirt.virConnect, uri: str, repositories: Repositories, rates: Mapping[str, DirtyRate]
    ) -> list[VmSnapshot]:
        found = []
        for domain, stats in _statistics(connection, uri):
            try:
                vm = self._vm(connection, uri, domain, stats, repositories)
                rate = rates.get(vm.uuid)
                found.append(vm if rate is None else replace(vm, dirty_rate=rate.rate, dirty_rate_at=rate.at))
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise  # a domain that vanished meanwhile is simply not there
        return found

    def _vm(
        self,
        connection: libvirt.virConnect,
        uri: str,
        domain: libvirt.virDomain,
        stats: dict[str, int],
        repositories: Repositories,
    ) -> VmSnapshot:
        state, reason = stats.get("state.state", 0), stats.get("state.reason", 0)
        is_xen = dialect_of(uri) is Dialect.XEN
        incoming = looks.is_incoming(domain, state) if is_xen else is_incoming(domain, state, reason)
        described, sizes = self._described(connection, uri, domain, (state, reason, domain.ID(), incoming))
        return VmSnapshot(
            uuid=domain.UUIDString(),
            name=domain.name(),
            state=power_state(state),
            active=domain.ID() > 0,
            incoming=incoming,
            memory=described.memory,
            vcpus=described.vcpus,
            cpu_time=stats.get("cpu.time"),
            disks=tuple(_disk(disk, sizes.get(disk.device), repositories) for disk in described.disks),
            networks=described.networks,
            guest_type=looks.guest_type(described) if is_xen else "",
        )

    def _described(
        self, connection: libvirt.virConnect, uri: str, domain: libvirt.virDomain, mark: tuple[int, int, int, bool]
    ) -> tuple[DomainDescription, Sizes]:
        key = (uri, domain.UUIDString())
        with self._lock:
            kept = self._kept.get(key)
        now = time.monotonic()
        if kept is not None and kept[0] == mark and now - kept[1] < READ_AGAIN_AFTER:
            return kept[2:]
        described = description.domain(domain.XMLDesc(0))
        # A copy that is being received does not answer about its disks before it is whole.
        sizes = {} if mark[3] else _sizes_of(connection, uri, domain, described)
        if len(sizes) == len(described.disks):
            with self._lock:
                self._kept[key] = (mark, now, described, sizes)
        return described, sizes


def _statistics(connection: libvirt.virConnect, uri: str) -> Iterable[tuple[libvirt.virDomain, dict[str, int]]]:
    if dialect_of(uri) is Dialect.XEN:
        return looks.statistics(connection)
    return connection.getAllDomainStats(STATS, AT_ONCE)


def surroundings_of(connection: libvirt.virConnect) -> Surroundings:
    """Ask what a host has around its guests; raises libvirtError."""
    return Surroundings(
        name=connection.getHostname().split(".")[0],
        version=version_of(connection),
        cpu_count=int(connection.getInfo()[2]),
        networks=networks_of(connection),
        repositories=_repositories(connection),
    )


def memory_of(connection: libvirt.virConnect, uri: str) -> tuple[Bytes, Bytes | None]:
    """Ask how much memory a host has, and how much of it is free at this moment."""
    if dialect_of(uri) is Dialect.XEN:
        return looks.memory_of(connection)
    memory = connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)
    return Bytes(memory.get("total", 0) * 1024), _free(memory)


def _sizes_of(
    connection: libvirt.virConnect, uri: str, domain: libvirt.virDomain, described: DomainDescription
) -> Sizes:
    if dialect_of(uri) is Dialect.XEN:
        return looks.sizes(connection, described)
    return _sizes(domain, described)


def _sizes(domain: libvirt.virDomain, described: DomainDescription) -> Sizes:
    """Ask for the size of each disk as the guest sees it; a disk that cannot be read has none."""
    sizes: Sizes = {}
    for disk in described.disks:
        with suppress(libvirt.libvirtError):
            sizes[disk.device] = Bytes(domain.blockInfo(disk.device)[0])
    return sizes


def _repositories(connection: libvirt.virConnect) -> Repositories:
    try:
        pools = connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return {}
        raise
    found = {}
    for pool in pools:
        described = description.pool(pool.XMLDesc(0))
        _, capacity, _, available = pool.info()
        found[described.name] = _repository(described, capacity, available)
    return found


def _repository(described: PoolDescription, capacity: int, available: int) -> RepositorySnapshot:
    return RepositorySnapshot(
        identity=described.identity,
        name=described.name,
        kind=described.kind,
        path=described.path,
        capacity=Bytes(capacity),
        available=Bytes(available),
    )


def _disk(disk: DiskDescription, capacity: Bytes | None, repositories: Repositories) -> DiskSnapshot:
    repository = repositories.get(disk.pool) or _holding(disk.path, repositories)
    return DiskSnapshot(
        device=disk.device,
        path=disk.path,
        format=disk.format,
        capacity=capacity,
        cache=disk.cache,
        read_only=disk.read_only,
        repository=repository.identity if repository else None,
    )


def _holding(path: str, repositories: Repositories) -> RepositorySnapshot | None:
    """Find the repository whose folder holds a path; the deepest one, where several do."""
    parents = PurePosixPath(path).parents
    holding = [each for each in repositories.values() if each.path and PurePosixPath(each.path) in parents]
    return max(holding, key=lambda each: len(each.path), default=None)


def cpu_of(connection: libvirt.virConnect, uri: str) -> tuple[int | None, int | None]:
    """Answer how long a host's processors were busy, and how long they were there; None where nobody counts it."""
    if dialect_of(uri) is Dialect.XEN:
        return None, None  # the driver of libxl counts neither
    try:
        stats = connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS)
    except libvirt.libvirtError:
        return None, None
    busy = sum(stats.get(name, 0) for name in BUSY_COUNTERS)
    return busy, busy + stats.get("idle", 0) + stats.get("iowait", 0)


def _free(memory: dict[str, int]) -> Bytes | None:
    if "free" not in memory:
        return None
    return Bytes((memory["free"] + memory.get("buffers", 0) + memory.get("cached", 0)) * 1024)


def version_of(connection: libvirt.virConnect) -> str:
    """Say the hypervisor and its version, such as ``QEMU 7.2.22``."""
    kind = {"qemu": "QEMU", "xen": "Xen"}.get(connection.getType().lower(), connection.getType())
    return f"{kind} {dotted(connection.getVersion())}"


def dotted(number: int) -> str:
    """Write one of libvirt's version numbers with dots."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def networks_of(connection: libvirt.virConnect) -> tuple[str, ...]:
    """Name what a VM can be attached to: active networks, and the host's own bridges and devices."""
    return (*_listed(connection.listNetworks), *bridges_of(connection))


def bridges_of(connection: libvirt.virConnect) -> list[str]:
    """Name the host's own bridges and devices; none where its daemon cannot tell."""
    return _listed(connection.listInterfaces)


def _listed(names: Callable[[], list[str]]) -> list[str]:
    """Ask a part of the daemon that may not be there, or not run: the look at the host goes on without it."""
    try:
        return names()
    except libvirt.libvirtError:
        return []
