"""Can this host take this VM? Every reason, its weight, its remedy, the headroom after.

Facts in, verdict out: nothing here asks a host anything. What only a hypervisor
can say (CPU features, say) the driver adds as findings of the same shape.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from xenweb.core.facts import (
    Ability,
    DiskFacts,
    HostFacts,
    HostState,
    Hypervisor,
    Kind,
    Maps,
    RepositoryFacts,
    StorageKind,
    VmFacts,
    kind_for,
)
from xenweb.core.findings import (
    CPU_FEATURES_LACKING,
    FOUND_BY_HOSTS,
    OVERRIDABLE,
    Fact,
    Finding,
    Severity,
    blocker,
    network_missing,
    note,
    warning,
)
from xenweb.core.maps import cards_findings, crossing_findings, disks_findings, is_mapped
from xenweb.core.quantities import MIB, Bytes, human_size
from xenweb.core.storage import (
    SAFE_CACHES,
    SLOW_FILES,
    Placed,
    Way,
    copies,
    is_block,
    needs_word,
    placed,
    rooms,
)
from xenweb.core.storage_costs import in_words, is_slow

__all__ = [
    "CPU_FEATURES_LACKING",
    "FOUND_BY_HOSTS",
    "MEMORY_RESERVE",
    "OVERRIDABLE",
    "STALE_AFTER",
    "Answer",
    "Fact",
    "Finding",
    "Severity",
    "Verdict",
    "blocker",
    "hypervisor_older",
    "judge",
    "memory_after",
    "memory_needed",
    "network_missing",
    "note",
    "warning",
]

STALE_AFTER = 30.0
"""Seconds after which facts of a host are too old to place a VM by."""

MEMORY_RESERVE = Bytes(64 * MIB)
"""What stays with the host itself, whatever comes in."""


class Answer(StrEnum):
    """The three answers a host column shows."""

    CAN_GO = "can_go"
    CAN_GO_BUT = "can_go_but"
    CANNOT_GO = "cannot_go"


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings for one host; the answer follows from the heaviest."""

    host: int
    findings: tuple[Finding, ...]
    memory_free_after: Bytes | None
    memory_total: Bytes = field(default=Bytes(0))
    facts_age: float | None = None

    @property
    def answer(self) -> Answer:
        """Say the answer that the findings add up to."""
        weights = {finding.severity for finding in self.findings}
        if Severity.BLOCKER in weights:
            return Answer.CANNOT_GO
        return Answer.CAN_GO_BUT if Severity.WARNING in weights else Answer.CAN_GO

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """List the findings that forbid the move."""
        return tuple(f for f in self.findings if f.severity is Severity.BLOCKER)

    def blockers_beside(self, overridden: Collection[str]) -> tuple[Finding, ...]:
        """List the blockers that stand although these codes are overridden."""
        return tuple(f for f in self.blockers if not (f.is_overridable and f.code in overridden))


def _of_the_vm(vm: VmFacts, host: HostFacts) -> Iterator[Finding]:
    if vm.moving_as:
        yield blocker(
            "vm_already_moving",
            f"{vm.name} is already moving.",
            "Wait for that move to end, or cancel it.",
            migration=vm.moving_as,
        )
    if vm.conflict:
        yield blocker(
            "vm_runs_twice",
            f"Two hosts say that they run {vm.name}.",
            "Find out which copy is the right one before anything is moved.",
        )
    else:
        yield from _of_the_kind(vm, host)


def _of_the_kind(vm: VmFacts, host: HostFacts) -> Iterator[Finding]:
    match kind_for(vm.state):
        case Kind.LIVE:
            return
        case Kind.COLD if Ability.COLD_MOVE in host.abilities:
            copied = "its disks are copied along" if copies(vm, host) else "nothing is copied but its definition"
            yield note(
                "moves_halted",
                f"{vm.name} moves {vm.state}; {copied}.",
                "It is not started at the target.",
            )
        case Kind.COLD:
            yield blocker(
                "vm_halted", f"{vm.name} is {vm.state}, and this hypervisor only moves running VMs.", "Start it first."
            )
        case Kind.PAUSED if Ability.PAUSED_MOVE in host.abilities:
            yield note("moves_paused", f"{vm.name} moves paused, and stays paused.", "Resume it where it has arrived.")
        case _:
            yield blocker(
                "vm_not_running",
                f"{vm.name} is {vm.state}, and a live migration needs a running VM.",
                "Bring it back to running first.",
                state=vm.state.value,
            )


def _of_the_host(host: HostFacts) -> Iterator[Finding]:
    if host.state is HostState.DISABLED:
        yield blocker("host_disabled", f"{host.name} is disabled.", "Enable it, or choose another host.")
    elif host.state is HostState.UNREACHABLE:
        yield blocker(
            "host_unreachable",
            f"{host.name} does not answer.",
            "Bring its daemon and its network back; the board follows by itself.",
            reason=host.state_reason,
        )
    elif host.age is None or host.age > STALE_AFTER:
        yield blocker(
            "facts_stale",
            f"What is known of {host.name} is too old to place a VM by.",
            "Wait until the board has heard from it again.",
            age_s=None if host.age is None else round(host.age),
        )
    if host.in_maintenance:
        yield blocker("host_in_maintenance", f"{host.name} is in maintenance.", "End that, or choose another host.")
    elif not host.takes_vms:
        yield blocker("host_disabled", f"{host.name} is disabled in its own pool.", "Enable it there first.")
    if host.incoming:
        moves = "1 move is" if host.incoming == 1 else f"{host.incoming} moves are"
        yield warning(
            "moves_coming_in",
            f"{moves} already coming in.",
            "Both will take longer while they share the link.",
            incoming=host.incoming,
        )
    yield from _of_its_limit(host)


def _of_its_limit(host: HostFacts) -> Iterator[Finding]:
    if host.moves_allowed is None or host.moves < host.moves_allowed:
        return
    moves = "1 move" if host.moves == 1 else f"{host.moves} moves"
    yield note(
        "host_limit_reached",
        f"{host.name} has {moves} under way or waiting, and takes {host.moves_allowed} at once: "
        "this one would wait for its turn.",
        "Nothing to do: it begins by itself.",
        host=host.name,
        moves=host.moves,
        allowed=host.moves_allowed,
    )


def _of_the_pair(vm: VmFacts, host: HostFacts, source: HostFacts | None) -> Iterator[Finding]:
    if vm.resident_on == host.id:
        yield blocker("same_host", f"{vm.name} already runs on {host.name}.", "Choose another host.")
        return
    if vm.hypervisor != host.hypervisor:
        yield blocker(
            "hypervisor_differs",
            f"A VM of {vm.hypervisor} cannot run on {host.hypervisor}.",
            f"Choose a host that runs {vm.hypervisor}.",
            vm=vm.hypervisor,
            host=host.hypervisor,
        )
    if source is None:
        yield blocker(
            "source_unknown",
            f"No host is known to run {vm.name}.",
            "Wait until the board has heard from its host again.",
        )
    elif source.state is not HostState.CONNECTED:
        yield blocker(
            "source_unreachable",
            f"{source.name}, where {vm.name} runs, does not answer.",
            "Bring it back first: nobody can prove a move from a silent host.",
        )
    else:
        if source.pool != host.pool:
            yield from crossing_findings(vm, host, source)
        yield from hypervisor_older(source.name, source.version, host.name, host.version)
        yield from _of_its_limit(source)


def _numbers(version: str) -> tuple[str, tuple[int, ...]] | None:
    """Read ``QEMU 7.2.22`` as a name and numbers that compare; None if there are none."""
    name, _, dotted = version.strip().rpartition(" ")
    parts = dotted.split(".")
    return (name, tuple(int(part) for part in parts)) if all(part.isdecimal() for part in parts) else None


def hypervisor_older(source: str, source_version: str, target: str, target_version: str) -> Iterator[Finding]:
    """Warn of a move to an older version of the same program; versions that cannot be compared say nothing.

    An older Xen is no target at all: it need not be able to read what a newer one saves.
    """
    here, there = _numbers(source_version), _numbers(target_version)
    if here is None or there is None or here[0] != there[0] or there[1] >= here[1]:
        return
    is_xen = here[0].lower() == "xen"
    weigh = blocker if is_xen else warning
    yield weigh(
        "xen_older" if is_xen else "hypervisor_older",
        f"{target} runs {target_version}, which is older than {source_version} on {source}.",
        "Choose a host with the same Xen or a newer one, or update this one."
        if is_xen
        else "Moving back in time is seldom tested: update the target first if you can.",
        source_version=source_version,
        target_version=target_version,
    )


def memory_after(vm: VmFacts, host: HostFacts) -> Bytes | None:
    """Say what stays free on the host once the VM and all moves under way are there, in bytes.

    A halted VM takes nothing until somebody starts it.
    """
    if host.memory_free is None:
        return None
    return Bytes(host.memory_free - host.memory_promised - memory_needed(vm))


def memory_needed(vm: VmFacts) -> Bytes:
    """Say what a VM takes from its host from the moment it arrives."""
    return Bytes(0) if kind_for(vm.state) is Kind.COLD else vm.memory


def _of_memory(vm: VmFacts, host: HostFacts) -> Iterator[Finding]:
    after = memory_after(vm, host)
    if vm.resident_on == host.id or host.state is not HostState.CONNECTED:
        return
    if after is None:
        yield blocker(
            "memory_unknown",
            f"{host.name} does not say how much memory it has free.",
            "Wait until the board has heard from it again.",
        )
    elif memory_needed(vm) and after < MEMORY_RESERVE:
        free = Bytes(after + vm.memory)
        yield blocker(
            "memory_short",
            f"{vm.name} needs {human_size(vm.memory)}, and {host.name} has {human_size(max(free, 0))} free.",
            f"Free {human_size(MEMORY_RESERVE - after)} on {host.name}, or choose another host.",
            needed=vm.memory,
            free=free,
            total=host.memory_total,
            promised=host.memory_promised,
        )


def _of_storage(vm: VmFacts, host: HostFacts, maps: Maps | None) -> Iterator[Finding]:
    if Ability.CHOSEN_PLACES in host.abilities and vm.hypervisor != host.hypervisor:
        return  # where the disks of a VM could go that cannot run there is no question
    disks = placed(vm, host, maps)
    if Ability.CHOSEN_PLACES in host.abilities:
        yield from disks_findings(vm, host, maps)
    for each in disks:
        match each.way:
            case Way.SHARED:
                yield from _of_shared(vm, each)
            case Way.COPIED:
                yield from _of_copied(vm, host, each)
            case Way.UNREACHED if Ability.CHOSEN_PLACES not in host.abilities:
                yield _unreached(host, each.disk)
    for room in rooms(host, disks):
        if not room.is_enough:
            said = "does not say what it has free" if room.free is None else f"has {human_size(room.free)} free"
            yield blocker(
                "storage_full",
                f"{human_size(room.needed)} of disk must be copied, and {room.repository.name} on {host.name} {said}.",
                "Free space there, or choose another host.",
                needed=room.needed,
                free=room.free,
                storage=room.repository.name,
            )


def _unreached(host: HostFacts, disk: DiskFacts) -> Finding:
    where = disk.repository_name or disk.path
    return blocker(
        "storage_not_reached",
        f"Disk {disk.device} is on {where}, which {host.name} does not reach.",
        "Attach that storage to the host, or choose a host that has it.",
        device=disk.device,
        storage=where,
    )


def _of_shared(vm: VmFacts, each: Placed) -> Iterator[Finding]:
    disk, repository = each.disk, each.repository
    if repository is None or disk.read_only:
        return
    if repository.vouched_shared:
        yield warning(
            "sharing_vouched",
            f"That {repository.name} is the same storage on both hosts is an administrator's word; "
            "the hypervisor cannot see it.",
            "Nothing to do if it is true.",
            device=disk.device,
            storage=repository.name,
        )
    elif needs_word(repository.kind, repository.storage):
        yield blocker(
            "sharing_unproven",
            f"{repository.name} is of a kind ({repository.kind}) that may be another place on each host: "
            "nobody has proven that it is shared.",
            "An administrator can vouch that it is shared; network storage needs no word.",
            device=disk.device,
            storage=repository.name,
            kind=repository.kind,
        )
    yield from _of_kind(vm, each.disk, repository)
    yield from _of_cache(vm, each.disk, repository)


def _of_kind(vm: VmFacts, disk: DiskFacts, repository: RepositoryFacts) -> Iterator[Finding]:
    """Say what the field knows of a kind of storage on Xen, and what was measured of it."""
    if vm.hypervisor != Hypervisor.XEN:
        return
    if repository.storage is StorageKind.SAN_BLOCK:
        yield note(
            "storage_on_san",
            f"Disk {disk.device} is block storage on a SAN ({repository.name}), by one name on both hosts.",
            "Nothing to do.",
            device=disk.device,
            storage=repository.name,
            kind=repository.storage.value,
        )
    elif repository.storage in SLOW_FILES:
        yield _of_files(disk, repository)


def _of_files(disk: DiskFacts, repository: RepositoryFacts) -> Finding:
    """Weigh a kind of files by what was measured of it; what the field says of it alone is worth a note."""
    what = "OCFS2" if repository.storage is StorageKind.OCFS2 else "NFS"
    measured = in_words(repository.costs)
    weigh = warning if is_slow(repository.costs) else note
    return weigh(
        "storage_slower",
        f"Disk {disk.device} is a file on {what} ({repository.name}): in the field, block storage on a SAN was "
        f"far ahead of it for busy VMs. {measured or 'Own measurements are not available.'}",
        "Nothing to do for this move. A very busy VM is better off on block storage.",
        device=disk.device,
        storage=repository.name,
        kind=repository.storage.value,
        **{f"{each.cost.value}_ratio": round(each.ratio, 2) for each in repository.costs},
    )


def _of_cache(vm: VmFacts, disk: DiskFacts, repository: RepositoryFacts) -> Iterator[Finding]:
    if kind_for(vm.state) is Kind.COLD or disk.cache in SAFE_CACHES:
        return
    if vm.hypervisor != Hypervisor.XEN:
        yield blocker(
            "disk_cache_unsafe",
            f"Disk {disk.device} uses the host's cache ({disk.cache}), so writes could be lost on the way.",
            "Set the disk's cache mode to none.",
            device=disk.device,
            cache=disk.cache,
        )
    elif not is_block(repository):
        # Xen has no cache modes: a block device has no cache of the host's, a file always has.
        yield warning(
            "disk_cache_of_host",
            f"Disk {disk.device} is a file: what {vm.name} has not flushed lies in the memory of its host alone.",
            "Nothing to do for the move. If the source crashes, unflushed writes are lost, as by any write cache.",
            device=disk.device,
            storage=repository.name,
        )


def _of_copied(vm: VmFacts, host: HostFacts, each: Placed) -> Iterator[Finding]:
    disk, repository = each.disk, each.repository
    if repository is None:
        return
    if kind_for(vm.state) is Kind.COLD and Ability.CHOSEN_PLACES not in host.abilities:
        yield blocker(
            "cold_disk_not_shared",
            f"Disk {disk.device} is on storage of one host, and a halted VM's disks are not copied.",
            "Start the VM and move it live, or copy the disk by hand.",
            device=disk.device,
            storage=disk.repository_name or disk.path,
        )
    elif disk.capacity is None:
        yield blocker(
            "disk_size_unknown",
            f"Nobody says how large disk {disk.device} is, so {host.name} may not have the room for it.",
            "Wait until the board has heard from its host again.",
            device=disk.device,
        )
    else:
        is_tidied = Ability.TIDIES_DISKS in host.abilities
        old = (
            "is removed by the hypervisor once the VM has arrived"
            if is_tidied
            else "stays behind until somebody deletes it"
        )
        yield warning(
            "disk_copied",
            f"{human_size(disk.capacity)} of disk must be copied to {repository.name} on {host.name}.",
            f"The move takes longer, and the old copy {old}.",
            device=disk.device,
            bytes=disk.capacity,
            repository=repository.name,
        )


def _of_networks(vm: VmFacts, host: HostFacts, source: HostFacts | None, maps: Maps | None) -> Iterator[Finding]:
    if vm.cards and source is not None and is_mapped(host, source):
        yield from cards_findings(vm, host, source, maps)
        if source.pool != host.pool:
            return
    for network in vm.networks:
        if network not in host.networks:
            yield network_missing(network, host.name)


def judge(
    vm: VmFacts,
    host: HostFacts,
    source: HostFacts | None,
    extra: Iterable[Finding] = (),
    maps: Maps | None = None,
) -> Verdict:
    """Judge whether ``host`` can take ``vm`` from ``source``, with all reasons.

    ``maps`` say where disks and network cards go; None if that is still to be chosen. ``extra`` are
    findings that the driver got from the hypervisors themselves; what both say in the same words is said once.
    """
    findings = [*_of_the_pair(vm, host, source)]
    if vm.resident_on != host.id:
        findings += _of_the_vm(vm, host)
        findings += _of_the_host(host)
        findings += _of_memory(vm, host)
        findings += _of_storage(vm, host, maps)
        findings += _of_networks(vm, host, source, maps)
    findings = list({(each.code, each.sentence): each for each in (*findings, *extra)}.values())
    findings.sort(key=lambda finding: list(Severity).index(finding.severity))
    return Verdict(host.id, tuple(findings), memory_after(vm, host), host.memory_total, host.age)
