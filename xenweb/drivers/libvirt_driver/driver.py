"""The eight verbs, for QEMU/KVM and Xen through libvirt."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial

import libvirt

from xenweb.core.facts import Kind
from xenweb.core.migration import Copy, copy_of
from xenweb.core.queueing import UNLIMITED
from xenweb.drivers.contract import (
    Capability,
    CompletedStats,
    CopyAction,
    DriverError,
    Endpoint,
    HostEvent,
    HostSnapshot,
    Lever,
    MigrationPlan,
    Permit,
    Phase,
    Preflight,
    Progress,
    VmMissingError,
    VmSighting,
    freely,
)
from xenweb.drivers.guards import GuardForeseen, GuardPlan, GuardSeen
from xenweb.drivers.libvirt_driver import disks, levers, moving, preflight
from xenweb.drivers.libvirt_driver.connections import Connections
from xenweb.drivers.libvirt_driver.dialects import Dialect, dialect_of
from xenweb.drivers.libvirt_driver.dirty_rates import DirtyRates
from xenweb.drivers.libvirt_driver.errors import NO_JOB_CODES
from xenweb.drivers.libvirt_driver.inventory import Inventory, is_incoming, operation_of, power_state
from xenweb.drivers.libvirt_driver.watching import HostWatch
from xenweb.drivers.libvirt_driver.xen.hosts import XenHosts

LOOKING, ASKING, MOVING, READING = "looking", "asking", "moving", "reading"
"""Purposes of connections: a call that blocks must not hold up the looks at it."""

LISTENER_KEPT = 60.0
"""Seconds after which a move that nobody looks at any more is no longer listened to."""

ENDED_JOB_CODES = frozenset(
    {libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_UNSUPPORTED}
)

COMPLETED = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED


class LibvirtDriver:
    """One object a process; it keeps that process's connections."""

    name = "libvirt"
    simulated = False
    capabilities = frozenset(Capability) - {Capability.TIDIES_DISKS, Capability.CHOSEN_PLACES}
    sending = UNLIMITED

    def __init__(self) -> None:
        self._connections = Connections()
        self._inventory = Inventory()
        self._dirty_rates = DirtyRates(self._connections)
        self._xen = XenHosts(self._connections)
        self._lock = threading.Lock()
        self._listeners: dict[str, moving.PassListener] = {}

    def inventory(self, endpoint: Endpoint) -> HostSnapshot:
        """Describe a host and all that is on it in one bulk look."""
        with self._connections.use(endpoint, READING) as connection:
            rates = self._xen.change_rates if _is_xen(endpoint) else self._dirty_rates
            snapshot = self._inventory.look(connection, endpoint.uri, rates.of(endpoint.uri))
        if _is_xen(endpoint):
            self._xen.change_rates.next_turn(self._xen.probes, endpoint, snapshot.vms)
            return self._xen.corrected(endpoint, self._xen.with_storage(endpoint, snapshot))
        self._dirty_rates.next_turn(endpoint, snapshot.vms)
        return snapshot

    def watch(self, endpoint: Endpoint, sink: Callable[[HostEvent], None]) -> HostWatch:
        """Call ``sink`` whenever something changes on a host."""

        def heard(event: HostEvent) -> None:
            if event.vm_uuid:
                self._inventory.forget(endpoint.uri, event.vm_uuid)
            else:
                self._inventory.forget_surroundings(endpoint.uri)
            sink(event)

        return HostWatch(endpoint, heard)

    def preflight(self, plan: MigrationPlan) -> Preflight:
        """Ask both hosts what only they can say about this move."""
        with ExitStack() as held:
            return preflight.preflight_of(plan, partial(self._hold, held), self._xen.probes)

    def _hold(self, held: ExitStack, endpoint: Endpoint) -> libvirt.virConnect:
        return held.enter_context(self._connections.use(endpoint, ASKING))

    def migrate(self, plan: MigrationPlan, permit: Permit = freely) -> CompletedStats:
        """Make the call and block until libvirt answers."""
        if _is_xen(plan.source):
            return self._xen.migrate(plan, permit)
        over = threading.Event()
        if plan.copied_disks:
            with self._connections.use(plan.target, ASKING) as target:
                disks.refuse_existing(plan, target)
        with self._connections.use(plan.source, MOVING) as connection:
            domain = connection.lookupByUUIDString(plan.vm_uuid)
            if plan.kind is Kind.COLD:
                permit()
                moving.move_definition(domain, plan)
                return CompletedStats()
            completion = moving.Completion(connection, domain)
            flags, parameters = (
                moving.flags_for(plan, is_persistent=bool(domain.isPersistent())),
                moving.parameters_for(plan),
            )
            self._begin_setting_downtime(plan, over)
            try:
                permit()
                domain.migrateToURI3(plan.target.uri, parameters, flags)
                return completion.stats()
            finally:
                over.set()
                completion.close()

    def _begin_setting_downtime(self, plan: MigrationPlan, over: threading.Event) -> None:
        limit = plan.options.downtime_limit
        if limit is None:
            return

        def work() -> None:
            with suppress(DriverError), self._connections.use(plan.source, LOOKING) as connection:
                domain = connection.lookupByUUIDString(plan.vm_uuid)
                moving.keep_setting_downtime(domain, limit, over.is_set)

        threading.Thread(target=work, name=f"pause {plan.migration}", daemon=True).start()

    def progress(self, plan: MigrationPlan) -> Progress:
        """Look at the move from the source."""
        if _is_xen(plan.source):
            return self._xen.progress(plan)
        with self._connections.use(plan.source, LOOKING) as connection:
            marks = self._listener(plan, connection)
            try:
                domain = connection.lookupByUUIDString(plan.vm_uuid)
                return moving.progress_of(domain, marks.marks() if marks else ())
            except libvirt.libvirtError as error:
                # At its end a move's domain and its figures vanish at their own pace.
                if error.get_error_code() not in ENDED_JOB_CODES:
                    raise
                return Progress(Phase.NONE, passes=marks.marks() if marks else ())

    def _listener(self, plan: MigrationPlan, connection: libvirt.virConnect) -> moving.PassListener | None:
        now, unheard = time.monotonic(), []
        with self._lock:
            listener = self._listeners.get(plan.migration)
            if listener is None or listener.connection is not connection:
                try:
                    domain = connection.lookupByUUIDString(plan.vm_uuid)
                    listener = moving.PassListener(connection, domain)
                except libvirt.libvirtError:
                    return None
                unheard = self._forget_unasked(now)
                self._listeners[plan.migration] = listener
            listener.asked_at = now
        for each in unheard:
            each.close()
        return listener

    def _forget_unasked(self, now: float) -> list[moving.PassListener]:
        """Take out the listeners of moves that are over; a reconciler lives for months, and drives them all."""
        over = [key for key, each in self._listeners.items() if now - each.asked_at > LISTENER_KEPT]
        return [self._listeners.pop(key) for key in over]

    def change(self, plan: MigrationPlan, lever: Lever, value: int | None) -> None:
        """Change a running move from the source; nothing to give up is no error."""
        if _is_xen(plan.source):
            self._xen.change(plan, lever)
            return
        with self._connections.use(plan.source, LOOKING) as connection:
            if lever is Lever.CANCEL:
                _give_up(connection, plan.vm_uuid)
            else:
                levers.change(connection.lookupByUUIDString(plan.vm_uuid), lever, value)

    def repair(self, endpoint: Endpoint, vm_uuid: str, action: CopyAction, path: str = "") -> None:
        """Resume, pause or remove one host's copy, or remove a disk that was left behind."""
        if _is_xen(endpoint) and action is not CopyAction.REMOVE_DISK:
            self._xen.repair(endpoint, vm_uuid, action, path)
            return
        with self._connections.use(endpoint, ASKING) as connection:
            if action is CopyAction.REMOVE_DISK:
                disks.remove(connection, path, endpoint.name)
                return
            levers.repair(connection.lookupByUUIDString(vm_uuid), action, endpoint.name)

    def locate(self, endpoint: Endpoint, vm_uuid: str) -> VmSighting:
        """Ask one host what it knows of a VM; NO_ANSWER if the host is silent, or cannot tell."""
        if _is_xen(endpoint):
            return self._xen.locate(endpoint, vm_uuid)
        try:
            with self._connections.use(endpoint, ASKING) as connection:
                return _sighting(connection.lookupByUUIDString(vm_uuid))
        except VmMissingError:
            return VmSighting(Copy.ABSENT)
        except DriverError:
            return VmSighting(Copy.NO_ANSWER)

    def guard_foresee(self, host: Endpoint, vm_uuid: str, *, with_memory: bool = False) -> GuardForeseen:
        """Say whether a guard of a VM can be made: libvirt's QEMU driver makes none."""
        if _is_xen(host):
            return self._xen.guard_foresee(host, vm_uuid, with_memory=with_memory)
        return GuardForeseen(False, "Guards are made on Xen hosts alone.")

    def guard_begin(self, plan: GuardPlan) -> None:
        """Begin to make a guard."""
        self._xen.guard_begin(plan)

    def guard_look(self, plan: GuardPlan) -> GuardSeen:
        """Look how far a guard is."""
        return self._xen.guards.look(plan)

    def guard_remove(self, plan: GuardPlan) -> None:
        """Remove all of a guard."""
        self._xen.guards.remove(plan)

    def guard_roll_back(self, plan: GuardPlan) -> None:
        """Begin to lay a guard over the disks that it is of."""
        self._xen.guards.roll_back(plan)

    def guard_make_ready(self, plan: GuardPlan, home: Endpoint) -> None:
        """Have the VM's disks usable again on the host that has its definition."""
        self._xen.guards.make_ready(plan, home)

    def guard_restore_memory(self, plan: GuardPlan) -> None:
        """Have the VM go on with the memory that was kept."""
        self._xen.guard_restore_memory(plan)


def _is_xen(endpoint: Endpoint) -> bool:
    return dialect_of(endpoint.uri) is Dialect.XEN


def _give_up(connection: libvirt.virConnect, vm_uuid: str) -> None:
    try:
        connection.lookupByUUIDString(vm_uuid).abortJob()
    except libvirt.libvirtError as error:
        if error.get_error_code() not in ENDED_JOB_CODES:
            raise


def _sighting(domain: libvirt.virDomain) -> VmSighting:
    state, reason = domain.state()
    is_active = bool(domain.isActive())
    if not is_active:
        return VmSighting(Copy.INACTIVE)
    incoming = is_incoming(domain, state, reason)
    busy = _is_moving_away(domain)
    cpu_time = None
    with suppress(libvirt.libvirtError):
        cpu_time = int(domain.info()[4])
    completed = CompletedStats() if incoming or busy else _completed(domain)
    return VmSighting(copy_of(power_state(state), active=True, incoming=incoming), busy, cpu_time, completed)


def _is_moving_away(domain: libvirt.virDomain) -> bool:
    """Say whether the host works on moving a domain away; raises libvirtError where it cannot tell.

    A host that lets nobody ask works on it: while QEMU waits for a target that is
    gone, libvirt keeps a question for 30 s and then answers that it timed out.
    """
    try:
        return operation_of(domain) == libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
    except libvirt.libvirtError as error:
        if error.get_error_code() in NO_JOB_CODES:
            return False
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_TIMEOUT:
            return True
        raise


def _completed(domain: libvirt.virDomain) -> CompletedStats:
    """Answer what libvirt still knows of the move that brought a domain here; reading does not clear it."""
    try:
        stats = domain.jobStats(COMPLETED)
    except libvirt.libvirtError:
        return CompletedStats()  # a hypervisor that measured nothing: no reason to doubt where the VM is
    return moving.completed_stats(stats) if stats.get("type") else CompletedStats()
