"""The call that moves a domain, and the looks at it while it runs.

Always peer to peer: the source's daemon then finishes the move alone, whatever
happens to us. What libvirt reports while it runs is not taken at its word where
its numbers are known to be stale (``memory_bps``) or to be a limit rather than
an estimate (``downtime`` before the first synchronisation).
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import libvirt

from xenweb.core.facts import Kind
from xenweb.core.quantities import MIB, Bytes, BytesPerSecond, Milliseconds
from xenweb.drivers.contract import CompletedStats, MigrationPlan, MoveRefusedError, PassMark, Phase, Progress

COMPLETED_WITHIN = 1.0
"""Seconds to wait, after the call, for the event that carries what was measured."""

SET_DOWNTIME_EVERY = 0.05
FIRST_SYNCHRONISED_PASS = 2

COLD_FLAGS = (
    libvirt.VIR_MIGRATE_OFFLINE
    | libvirt.VIR_MIGRATE_PEER2PEER
    | libvirt.VIR_MIGRATE_PERSIST_DEST
    | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
)

Stats = dict[str, int]


def flags_for(plan: MigrationPlan, *, is_persistent: bool) -> int:
    """Build the flags of the call."""
    flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
    if is_persistent:
        flags |= libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    if plan.options.auto_converge:
        flags |= libvirt.VIR_MIGRATE_AUTO_CONVERGE
    if plan.kind is Kind.PAUSED:
        flags |= libvirt.VIR_MIGRATE_PAUSED
    if plan.copied_disks:
        flags |= libvirt.VIR_MIGRATE_NON_SHARED_DISK
    if plan.options.post_copy:
        flags |= libvirt.VIR_MIGRATE_POSTCOPY
    if plan.trust_shared_storage:
        flags |= libvirt.VIR_MIGRATE_UNSAFE
    return int(flags)


def parameters_for(plan: MigrationPlan) -> dict[str, str | int | list[str]]:
    """Build the parameters of the call; libvirt takes the bandwidth in whole MiB/s.

    Without the list libvirt would copy every disk, the shared ones over themselves.
    """
    parameters: dict[str, str | int | list[str]] = {}
    if plan.copied_disks:
        parameters[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS] = [disk.device for disk in plan.copied_disks]
    address = plan.target.migration_address
    if address:
        parameters[libvirt.VIR_MIGRATE_PARAM_URI] = f"tcp://{address}"
        parameters[libvirt.VIR_MIGRATE_PARAM_LISTEN_ADDRESS] = address
    if plan.options.bandwidth_limit is not None:
        parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = max(1, -(-int(plan.options.bandwidth_limit) // MIB))
    return parameters


def move_definition(domain: libvirt.virDomain, plan: MigrationPlan) -> None:
    """Move a halted domain's definition; raise MoveRefusedError if it runs.

    libvirt does not look itself: it would leave a running domain without a definition.
    """
    if domain.isActive():
        msg = f"{plan.vm_name} was started meanwhile."
        raise MoveRefusedError(msg, host=plan.source.name)
    domain.migrateToURI3(plan.target.uri, {}, COLD_FLAGS)


class Completion:
    """Catches the event that carries what the hypervisor measured of one move."""

    def __init__(self, connection: libvirt.virConnect, domain: libvirt.virDomain) -> None:
        self._connection = connection
        self._came = threading.Event()
        self._stats: Stats = {}
        self._callback = connection.domainEventRegisterAny(
            domain, libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, self._on_completed, None
        )

    def _on_completed(self, _connection: object, _domain: object, stats: Stats, _context: object) -> None:
        self._stats = dict(stats)
        self._came.set()

    def stats(self) -> CompletedStats:
        """Wait a moment for the event; answer what it carried."""
        self._came.wait(COMPLETED_WITHIN)
        return completed_stats(self._stats)

    def close(self) -> None:
        """Stop listening."""
        with suppress(libvirt.libvirtError):
            self._connection.domainEventDeregisterAny(self._callback)


def completed_stats(stats: Stats) -> CompletedStats:
    """Read libvirt's figures of a finished job; what it does not say is None."""

    def milliseconds(name: str) -> Milliseconds | None:
        return Milliseconds(stats[name]) if name in stats else None

    return CompletedStats(
        total=milliseconds("time_elapsed"),
        downtime=milliseconds("downtime"),
        transferred=Bytes(stats["data_processed"]) if "data_processed" in stats else None,
        passes=stats.get("memory_iteration"),
    )


def keep_setting_downtime(domain: libvirt.virDomain, limit: Milliseconds, is_over: Callable[[], bool]) -> None:
    """Set the allowed pause as soon as the move takes it: before it runs, libvirt refuses."""
    while not is_over():
        try:
            domain.migrateSetMaxDowntime(int(limit), 0)
        except libvirt.libvirtError:
            time.sleep(SET_DOWNTIME_EVERY)
        else:
            return


class PassListener:
    """Collects the starts of passes that events tell, by domain, on one connection."""

    def __init__(self, connection: libvirt.virConnect, domain: libvirt.virDomain) -> None:
        self.connection = connection
        self.asked_at = time.monotonic()
        self._lock = threading.Lock()
        self._marks: list[PassMark] = []
        self._callback = connection.domainEventRegisterAny(
            domain, libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, self._on_pass, None
        )

    def _on_pass(self, _connection: object, _domain: object, number: int, _context: object) -> None:
        with self._lock:
            self._marks.append(PassMark(number, time.monotonic()))

    def close(self) -> None:
        """Stop listening; a connection that is gone has stopped already."""
        with suppress(libvirt.libvirtError):
            self.connection.domainEventDeregisterAny(self._callback)

    def marks(self) -> tuple[PassMark, ...]:
        """Answer the starts of passes so far."""
        with self._lock:
            return tuple(self._marks)


def _storage_of(stats: Stats) -> Progress:
    """Read how far the disks are: they come first, and are kept alike until the VM is handed over."""
    if not stats.get("disk_total"):
        return Progress(Phase.STARTING)
    return Progress(
        phase=Phase.COPYING_STORAGE,
        elapsed=Milliseconds(stats.get("time_elapsed", 0)),
        disk_total=Bytes(stats["disk_total"]),
        disk_processed=Bytes(stats.get("disk_processed", 0)),
        disk_remaining=Bytes(stats.get("disk_remaining", 0)),
    )


def progress_of(domain: libvirt.virDomain, marks: tuple[PassMark, ...]) -> Progress:
    """Look at a running job; raises libvirtError."""
    stats = domain.jobStats()
    state, reason = domain.state()
    if not stats.get("type"):
        return Progress(Phase.NONE, passes=marks)
    is_paused = state == libvirt.VIR_DOMAIN_PAUSED and reason == libvirt.VIR_DOMAIN_PAUSED_MIGRATION
    is_post_copy = state == libvirt.VIR_DOMAIN_PAUSED and reason == libvirt.VIR_DOMAIN_PAUSED_POSTCOPY
    pass_number = stats.get("memory_iteration") or None
    if pass_number is None or not stats.get("memory_total"):
        return replace(_storage_of(stats), phase=Phase.SWITCHING) if is_paused else _storage_of(stats)
    # Before the first synchronisation nothing is known of changes: a 0 would be an invention.
    is_synchronised = pass_number >= FIRST_SYNCHRONISED_PASS
    said_downtime = stats.get("downtime") if is_synchronised else None
    dirty_rate = stats.get("memory_dirty_rate", 0) * stats.get("memory_page_size", 4096)
    phase = Phase.POST_COPY if is_post_copy else Phase.SWITCHING if is_paused else Phase.COPYING
    return replace(
        _storage_of(stats),
        phase=phase,
        elapsed=Milliseconds(stats.get("time_elapsed", 0)),
        pass_number=pass_number,
        remaining=Bytes(stats.get("memory_remaining", 0)),
        processed=Bytes(stats.get("memory_processed", 0)),
        total=Bytes(stats["memory_total"]),
        dirty_rate=BytesPerSecond(dirty_rate) if is_synchronised else None,
        expected_downtime=None if said_downtime is None or is_post_copy else Milliseconds(said_downtime),
        throttle=stats.get("auto_converge_throttle"),
        passes=marks,
    )
