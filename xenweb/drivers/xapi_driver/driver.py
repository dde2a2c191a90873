"""The eight verbs, for XenServer and XCP-ng."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from xenweb.core.disk_move import DiskSeen
from xenweb.core.findings import Finding
from xenweb.core.migration import Copy, Unclear
from xenweb.core.queueing import Sending
from xenweb.drivers.contract import (
    Capability,
    CompletedStats,
    CopyAction,
    DiskMissingError,
    DriverError,
    Endpoint,
    HostEvent,
    HostSnapshot,
    Lever,
    MigrationPlan,
    MoveRefusedError,
    NotSupportedError,
    Permit,
    Preflight,
    Progress,
    VmSighting,
    freely,
)
from xenweb.drivers.xapi_driver import obstacles, preflight
from xenweb.drivers.xapi_driver.disk_moves import DiskMoves
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.homes import ACTIVE, Tables, is_moving, reaches, waits_on
from xenweb.drivers.xapi_driver.inventory import host_of, refuse_dead, snapshot_of
from xenweb.drivers.xapi_driver.maps import disk_uuid
from xenweb.drivers.xapi_driver.moving import Moves
from xenweb.drivers.xapi_driver.pools import Pool, Pools
from xenweb.drivers.xapi_driver.records import Record
from xenweb.drivers.xapi_driver.translating import in_our_words
from xenweb.drivers.xapi_driver.transport import whole
from xenweb.drivers.xapi_driver.watching import PoolWatch
from xenweb.drivers.xapi_driver.words import Names


class XapiDriver:
    """One object a process; it keeps that process's sessions, one a pool."""

    name = "xapi"
    simulated = False
    capabilities = frozenset(
        {
            Capability.CANCEL,
            Capability.NON_SHARED_DISKS,
            Capability.COLD_MOVE,
            Capability.TIDIES_DISKS,
            Capability.CHOSEN_PLACES,
        }
    )
    sending = Sending(moves=10, copying=3)
    """XAPI refuses a fourth copy of disks from one host, and itself empties a host by ten VMs at a time."""

    def __init__(self) -> None:
        self._pools = Pools()
        self.moves = Moves(self._pools)
        self.disks = DiskMoves(self._pools)

    def inventory(self, endpoint: Endpoint) -> HostSnapshot:
        """Describe a host and all that is on it."""
        with in_our_words(endpoint):
            pool = self._pools.reach(endpoint)
            tables = pool.view.look()
            host = host_of(tables, endpoint)
            refuse_dead(tables, host, endpoint.name)
            return snapshot_of(tables, host, _memory_free(pool, host))

    def watch(self, endpoint: Endpoint, sink: Callable[[HostEvent], None]) -> PoolWatch:
        """Call ``sink`` whenever something changes in a host's pool."""
        with in_our_words(endpoint):
            return PoolWatch(self._pools.reach(endpoint), endpoint, sink)

    def preflight(self, plan: MigrationPlan) -> Preflight:
        """Ask the pool, host by host, what only it can say about this move."""
        return preflight.preflight_of(plan, self._pools)

    def migrate(self, plan: MigrationPlan, permit: Permit = freely) -> CompletedStats:
        """Make the call and block until the VM has proven to have arrived.

        XAPI measures nothing of a move but whole seconds: no figure is answered.
        """
        self.moves.migrate(plan, permit)
        return CompletedStats()

    def progress(self, plan: MigrationPlan) -> Progress:
        """Look at the move from the source."""
        return self.moves.progress(plan)

    def ending(self, plan: MigrationPlan) -> Unclear | None:
        """Say why a move that shows nowhere may go on all the same: what the pool knew of it may be lost."""
        return self.moves.ending(plan)

    def change(self, plan: MigrationPlan, lever: Lever, value: int | None) -> None:
        """Give a move up; XAPI can change nothing else about one that runs."""
        del value
        if lever is not Lever.CANCEL:
            msg = "XAPI changes nothing about a move that is under way."
            raise NotSupportedError(msg)
        with in_our_words(plan.source):
            self.moves.cancel(plan)

    def repair(self, endpoint: Endpoint, vm_uuid: str, action: CopyAction, path: str = "") -> None:
        """Resume or pause a VM, or remove a disk that a move left; a pool has no second copy of a VM to remove."""
        with in_our_words(endpoint):
            pool = self._pools.reach(endpoint)
            tables = pool.view.look()
            if action is CopyAction.REMOVE_DISK:
                _remove_disk(pool, tables, endpoint, path)
                return
            if action in {CopyAction.REMOVE, CopyAction.REMOVE_PAUSED, CopyAction.BREAK_OFF}:
                msg = f"The VM on {endpoint.name} is the only one that its pool has: it is not removed."
                raise MoveRefusedError(msg, host=endpoint.name)
            vm = pool.by_uuid("VM", vm_uuid)
            pool.call("VM.unpause" if action is CopyAction.RESUME else "VM.pause", vm)

    def host_enable(self, endpoint: Endpoint, *, is_enabled: bool) -> None:
        """Take a host into service or out of it; its VMs stay where they are."""
        with in_our_words(endpoint):
            pool = self._pools.reach(endpoint)
            tables = pool.view.look()
            with in_our_words(endpoint, Names(tables)):
                pool.call("host.enable" if is_enabled else "host.disable", host_of(tables, endpoint).ref)

    def staying(self, endpoint: Endpoint) -> Mapping[str, Finding]:
        """Ask the pool which VMs of a host it would move nowhere, and why."""
        with in_our_words(endpoint):
            pool = self._pools.reach(endpoint)
            tables = pool.view.look()
            host = host_of(tables, endpoint)
            return obstacles.staying(tables, pool.call("host.get_vms_which_prevent_evacuation", host.ref))

    def disk_foresee(self, plan: MigrationPlan) -> Preflight:
        """Ask the pool what only it can say of a disk's move."""
        return self.disks.foresee(plan)

    def disk_begin(self, plan: MigrationPlan) -> None:
        """Begin to move a disk to another repository of the pool."""
        self.disks.begin(plan)

    def disk_look(self, plan: MigrationPlan) -> DiskSeen:
        """Look how far a disk's move is, and where the disk is."""
        return self.disks.look(plan)

    def disk_give_up(self, plan: MigrationPlan) -> None:
        """Ask for the end of a disk's move."""
        self.disks.give_up(plan)

    def locate(self, endpoint: Endpoint, vm_uuid: str) -> VmSighting:
        """Ask one host, and then its pool, what they know of a VM; NO_ANSWER if either is silent, or cannot tell."""
        try:
            with in_our_words(endpoint):
                return self._sighting(endpoint, vm_uuid)
        except DriverError:
            return VmSighting(Copy.NO_ANSWER)

    def _sighting(self, endpoint: Endpoint, vm_uuid: str) -> VmSighting:
        pool = self._pools.reach(endpoint)
        tables = pool.view.look()
        host = host_of(tables, endpoint)
        refuse_dead(tables, host, endpoint.name)
        try:
            vm = pool.record("VM", pool.by_uuid("VM", vm_uuid))
        except RefusedError as error:
            if error.code in {"UUID_INVALID", "HANDLE_INVALID"}:
                return VmSighting(Copy.ABSENT)
            raise
        copy = _copy(tables, vm, host.ref)
        is_here = copy not in {Copy.ABSENT, Copy.INCOMING}
        is_busy = is_here and (is_moving(vm) or self.moves.is_followed(vm_uuid))
        elsewhere, is_halted = _elsewhere(tables, vm, host.ref), vm.text("power_state") == "Halted"
        return VmSighting(copy, is_busy, record=vm.ref, elsewhere=elsewhere, halted=is_halted)


def _memory_free(pool: Pool, host: Record) -> int | None:
    with suppress(RefusedError):
        return whole(pool.call("host.compute_free_memory", host.ref))
    return None


def _copy(tables: Tables, vm: Record, host: str) -> Copy:
    """Read where a VM is. A pool has one record of it: what is not on this host is on another, or on none."""
    power, resident = vm.text("power_state"), vm.text("resident_on")
    if power in ACTIVE:
        if resident == host:
            return Copy.RUNNING if power == "Running" else Copy.PAUSED
        is_coming = vm.ref_or_null("scheduled_to_be_resident_on") == host
        return Copy.INCOMING if is_coming else Copy.ABSENT
    if power not in {"Halted", "Suspended"}:
        return Copy.NO_ANSWER  # a state that we do not know proves nothing
    return Copy.INACTIVE if waits_on(tables, vm) == host else Copy.ABSENT


def _elsewhere(tables: Tables, vm: Record, host: str) -> str:
    """Answer the name of the host that a VM's own record names, if that is another one; empty if not."""
    there = vm.ref_or_null("resident_on") if vm.text("power_state") in ACTIVE else waits_on(tables, vm)
    record = tables["host"].get(there)
    return record.text_or("name_label") if record is not None and there != host else ""


def _remove_disk(pool: Pool, tables: Tables, endpoint: Endpoint, path: str) -> None:
    host = host_of(tables, endpoint)
    try:
        vdi = pool.record("VDI", pool.by_uuid("VDI", disk_uuid(path)))
    except RefusedError:
        vdi = None
    if vdi is None or not reaches(tables, host.ref, vdi.ref_or_null("SR")):
        msg = f"{endpoint.name} has no disk at {path}."
        raise DiskMissingError(msg, host=endpoint.name)
    users = [vbd for vbd in tables["VBD"].values() if vbd.ref_or_null("VDI") == vdi.ref]
    if users:
        name = Names(tables).first("VM", [vbd.ref_or_null("VM") for vbd in users])
        msg = f"{name} uses the disk at {path}."
        raise MoveRefusedError(msg, host=endpoint.name)
    pool.call("VDI.destroy", vdi.ref)
