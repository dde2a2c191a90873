"""Make a move, follow its task to its end, and believe the VM's own records rather than the task."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from xenweb.core.facts import Kind, kind_for
from xenweb.core.migration import Unclear
from xenweb.core.placement import CPU_FEATURES_LACKING
from xenweb.drivers.contract import (
    DriverError,
    HostUnreachableError,
    MigrationPlan,
    MoveBrokenError,
    MoveCancelledError,
    MoveOptions,
    MoveRefusedError,
    NotSupportedError,
    Permit,
    Phase,
    Progress,
    VmMissingError,
)
from xenweb.drivers.failures import MoveLostError
from xenweb.drivers.xapi_driver import errands
from xenweb.drivers.xapi_driver.errands import Track
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.homes import home_of, is_moving, stands_on
from xenweb.drivers.xapi_driver.inventory import host_of, state_of
from xenweb.drivers.xapi_driver.maps import End, disk_map, migration_network, network_map, stays
from xenweb.drivers.xapi_driver.pools import Pool, Pools
from xenweb.drivers.xapi_driver.records import Record
from xenweb.drivers.xapi_driver.translating import in_our_words, translated
from xenweb.drivers.xapi_driver.words import Names

SETTLE_FOR = 60.0
"""Seconds for which a VM whose task is lost may still arrive, once nothing shows that it moves."""

SETTLE_MOST = 600.0
"""Seconds after which that ends whatever shows: room that is reserved for a VM may stay so for ever."""

FOUND_WITHIN = 60.0
SHOWN_WITHIN = 10.0
"""Seconds within which a move whose call's answer was lost shows in the pool's records, if it was begun."""

SETTLE_EVERY = 0.5
LOST = {
    Unclear.LOST: "The pool has lost sight of the move: it tells neither that it goes on nor how it ended, and "
    "the VM has not arrived since.",
    Unclear.UNASKED: "The pool calls the move cancelled, although nobody had asked for that: it does so when a host's "
    "toolstack starts anew, and the move itself may go on.",
}
"""Why nobody knows how a move ended, or whether it did."""

ACTIVE_MOVE = frozenset({"Running"})


@dataclass(slots=True)
class Running:
    """One move that this process follows. ``is_ours``: its task is known to be this move's, and no other hand's."""

    pool: Pool
    vm_uuid: str
    ref: str
    track: Track
    asked_to_cancel: threading.Event = field(default_factory=threading.Event)
    is_asked: bool = False
    is_ours: bool = True


class Moves:
    """The moves of this process, by their ids; safe to use from several threads."""

    def __init__(self, pools: Pools, settle_for: float = SETTLE_FOR) -> None:
        self._pools, self.settle_for = pools, settle_for
        self._lock = threading.Lock()
        self._running: dict[str, Running] = {}
        self._adoptions: dict[str, Running] = {}

    def is_followed(self, vm_uuid: str) -> bool:
        """Say whether this process waits for the end of a VM's move: as long as it does, nothing is decided."""
        with self._lock:
            return any(each.vm_uuid == vm_uuid for each in self._running.values() if each.is_asked)

    def migrate(self, plan: MigrationPlan, permit: Permit) -> None:
        """Make the call and come back when the VM has proven to have arrived; raise a DriverError otherwise."""
        refuse_options(plan.options)
        if plan.kind is Kind.PAUSED:
            msg = "XAPI does not move a paused VM."
            raise NotSupportedError(msg)
        source, target = self.ends(plan)
        names = Names(source.tables)
        with in_our_words(plan.source, names):
            vm = self._vm(source, plan)
            refuse_state(vm, source, plan)
            if is_only_a_home(plan, vm, source, target):
                permit()
                source.pool.call("VM.set_affinity", vm.ref, target.host.ref, once=True)
                self._prove(plan)
                return
            method, params = self._call(plan, vm, source, target)
            running = Running(source.pool, plan.vm_uuid, "", Track(bool(plan.copied_disks), from_start=True))
            with self._lock:
                self._running[plan.migration] = running
            try:
                permit()
                ref = self._begun(plan, running, method, params)
                with self._lock:
                    running.ref, was_given_up = ref, running.asked_to_cancel.is_set()
                if was_given_up:
                    with suppress(DriverError, RefusedError):  # too late to end it is no reason not to wait for it
                        self.cancel(plan)
                self._finish(plan, running, names)
            finally:
                with self._lock:
                    self._running.pop(plan.migration, None)

    def ends(self, plan: MigrationPlan) -> tuple[End, End]:
        """Reach both hosts and read their pools' records."""
        with in_our_words(plan.source):
            pool = self._pools.reach(plan.source)
            tables = pool.view.look()
            source = End(pool, tables, host_of(tables, plan.source))
        with in_our_words(plan.target):
            there = self._pools.reach(plan.target)
            tables = tables if there is pool else there.view.look()
            return source, End(there, tables, host_of(tables, plan.target))

    def _vm(self, source: End, plan: MigrationPlan) -> Record:
        return source.pool.record("VM", source.pool.by_uuid("VM", plan.vm_uuid))

    def _call(self, plan: MigrationPlan, vm: Record, source: End, target: End) -> tuple[str, tuple[object, ...]]:
        """Choose the call: only where a disk or the pool changes is it the one that can copy disks."""
        address = plan.target.migration_address
        if source.pool is target.pool and not plan.copied_disks and plan.kind is Kind.LIVE:
            options = {"network": migration_network(target, address)} if address else {}
            return "Async.VM.pool_migrate", (vm.ref, target.host.ref, options | forced(plan))
        network = migration_network(target, address)
        disks, nics = disk_map(plan, vm, source, target), network_map(plan, vm, source, target)
        # What it answers holds a session of the target's pool: it goes into the call, and nowhere else.
        told = target.pool.call("host.migrate_receive", target.host.ref, network, {})
        return "Async.VM.migrate_send", (vm.ref, told, True, disks, nics, forced(plan))

    def _begun(self, plan: MigrationPlan, running: Running, method: str, params: tuple[object, ...]) -> str:
        """Make the call; answer its task. Where the answer is lost nothing is said again: the task is looked for."""
        running.is_asked = True
        try:
            ref = str(running.pool.call(method, *params, once=True))
        except HostUnreachableError:
            found = self._looked_for(plan)
            if not found:
                raise
            # It is followed as ours, but somebody else may have begun it: it gets no mark, and is not given up.
            running.pool, ref = found
            running.is_ours = False
            return ref
        errands.tag(running.pool, ref, plan)
        return ref

    def _looked_for(self, plan: MigrationPlan) -> tuple[Pool, str] | None:
        """Look for a task that may have been begun for a while: a pool may be slow to show it; None if none is seen."""
        deadline = time.monotonic() + SHOWN_WITHIN
        while time.monotonic() < deadline:
            try:
                self._pools.reach(plan.source)
                pool, vm = self._found(plan)
                record = errands.under_way(pool, vm, plan) if vm is not None else None
            except (DriverError, RefusedError):
                record = None
            if record is not None:
                return pool, record.ref
            time.sleep(SETTLE_EVERY)
        return None

    def _finish(self, plan: MigrationPlan, running: Running, names: Names) -> None:
        record = self._followed(plan, running)
        unclear = Unclear.LOST if record is None else _unclear(record, was_asked=running.asked_to_cancel.is_set())
        if record is None or unclear is not None:
            self._settle(plan, running, unclear or Unclear.LOST)
            return
        status = record.text_or("status")
        if status == "success":
            if plan.kind is Kind.COLD:
                self._settle_home(plan)
            self._prove(plan)
        elif status == "cancelled":
            msg = "The pool gave the move up, as it was asked to."
            raise MoveCancelledError(msg)
        else:
            code, *params = record.many("error_info") or ("INTERNAL_ERROR", f"the task ended as {status or 'nothing'}")
            raise translated(RefusedError(code, tuple(params)), plan.source.name, names)

    def _followed(self, plan: MigrationPlan, running: Running) -> Record | None:
        """Wait for the task's end; None if the pool has lost it."""
        token, heard_at = "", time.monotonic()
        while True:
            try:
                record = errands.read(running.pool, running.ref)
                if record is None or record.text("status") in errands.ENDED:
                    return record
                look(running, record)
                heard_at = time.monotonic()
                token = errands.wait_for_news(running.pool, running.ref, token)
            except (HostUnreachableError, RefusedError) as error:
                if isinstance(error, RefusedError) and error.code != "HOST_IS_SLAVE":
                    raise
                if time.monotonic() - heard_at > FOUND_WITHIN:
                    raise MoveLostError(Unclear.LOST, LOST[Unclear.LOST], host=plan.source.name) from error
                time.sleep(SETTLE_EVERY)
                running.pool, token = self._found_again(plan), ""

    def _found_again(self, plan: MigrationPlan) -> Pool:
        """Find who leads the source's pool now; raise MoveLostError if nobody says so for long."""
        deadline = time.monotonic() + FOUND_WITHIN
        while True:
            for endpoint in (plan.source, plan.target):
                try:
                    pool = self._pools.reach(endpoint)
                    host_of(pool.view.look(), plan.source)
                except (HostUnreachableError, RefusedError) as error:
                    failed = error
                else:
                    return pool
            if time.monotonic() > deadline:
                msg = "The pool did not answer any more while the move was under way."
                raise MoveLostError(Unclear.LOST, msg, host=plan.source.name) from failed
            time.sleep(SETTLE_EVERY)

    def _settle(self, plan: MigrationPlan, running: Running, unclear: Unclear) -> None:
        """Watch the VM itself after the pool has lost the task: that is no failure, and what it does goes on.

        Raises MoveLostError if the VM does not arrive: that it never will is more than anybody knows.
        """
        latest = time.monotonic() + SETTLE_MOST
        deadline = time.monotonic() + self.settle_for
        while True:
            try:
                if self.has_arrived(plan):
                    return
                if self._shows_movement(plan, running):
                    deadline = time.monotonic() + self.settle_for
            except (DriverError, RefusedError):
                pass  # a pool that changes its coordinator answers late; the time for it is bounded all the same
            if time.monotonic() > min(deadline, latest):
                raise MoveLostError(unclear, LOST[unclear], host=plan.source.name)
            time.sleep(SETTLE_EVERY)

    def _shows_movement(self, plan: MigrationPlan, running: Running) -> bool:
        running.pool = self._pools.reach(plan.source)
        return is_moving(running.pool.record("VM", running.pool.by_uuid("VM", plan.vm_uuid)))

    def _settle_home(self, plan: MigrationPlan) -> None:
        """Make the target the home of a halted VM that has just been sent there: XAPI itself leaves that open."""
        _, target = self.ends(plan)
        target.pool.call("VM.set_affinity", target.pool.by_uuid("VM", plan.vm_uuid), target.host.ref)

    def _prove(self, plan: MigrationPlan) -> None:
        if not self.has_arrived(plan):
            msg = f"The pool says that the move succeeded, but {plan.vm_name} is not on {plan.target.name}."
            raise MoveBrokenError(msg, host=plan.target.name)

    def has_arrived(self, plan: MigrationPlan) -> bool:
        """Say whether the VM is where it was to go, by its own record, and no longer where it was."""
        source, target = self.ends(plan)
        try:
            vm = target.pool.record("VM", target.pool.by_uuid("VM", plan.vm_uuid))
        except RefusedError:
            return False
        if source.pool is not target.pool:
            try:
                source.pool.by_uuid("VM", plan.vm_uuid)
            except RefusedError as error:
                if error.code != "UUID_INVALID":
                    raise
            else:
                return False
        if plan.kind is Kind.COLD:
            return vm.text("power_state") in {"Halted", "Suspended"} and home_of(target.tables, vm) == target.host.ref
        return vm.text("power_state") in ACTIVE_MOVE and vm.text("resident_on") == target.host.ref

    def progress(self, plan: MigrationPlan) -> Progress:
        """Look at a move: one that this process made, or one that is found by its VM."""
        with self._lock:
            running = self._running.get(plan.migration)
        if running is not None and not running.ref:
            # Its task is about to be told: found by another way it would be taken for one that began earlier.
            return Progress(Phase.STARTING if running.is_asked else Phase.NONE)
        with in_our_words(plan.source):
            if running is None:
                running = self._adopted(plan)
            if running is None:
                return Progress(Phase.NONE)
            try:
                record = errands.read(running.pool, running.ref)
            except (HostUnreachableError, RefusedError):
                self._forget(plan)  # who leads may have changed: at the next look it is found anew
                raise
            if record is None or record.text("status") in errands.ENDED:
                self._forget(plan)
                return Progress(Phase.NONE)
            look(running, record)
            return errands.progress_of(plan, running.track, is_cancelling=_is_cancelling(running))

    def ending(self, plan: MigrationPlan) -> Unclear | None:
        """Say why a move that shows nowhere may go on all the same; None if it shows, or is told to have ended.

        A task that bears our tag and has ended is the pool's word; if there is none at all, its word may be lost.
        """
        with in_our_words(plan.source):
            pool, vm = self._found(plan)
            record = errands.seen(pool, vm, plan)
            if record is not None:
                return _unclear(record, was_asked=False)
            is_told_at_once = vm is not None and is_only_a_home(plan, vm, *self.ends(plan))
            return None if is_told_at_once else Unclear.LOST

    def _forget(self, plan: MigrationPlan) -> None:
        with self._lock:
            self._adoptions.pop(plan.migration, None)

    def _adopted(self, plan: MigrationPlan) -> Running | None:
        """Find a move that another process began; its track is kept for the next look."""
        with self._lock:
            kept = self._adoptions.get(plan.migration)
        if kept is not None:
            return kept
        pool, vm = self._found(plan)
        record = errands.under_way(pool, vm, plan) if vm is not None else None
        if record is None:
            return None
        track = Track(bool(plan.copied_disks), from_start=False)
        running = Running(pool, plan.vm_uuid, record.ref, track, is_ours=errands.bears_tag(record, plan))
        with self._lock:
            return self._adoptions.setdefault(plan.migration, running)

    def _found(self, plan: MigrationPlan) -> tuple[Pool, Record | None]:
        try:
            return self._pools.with_known(plan.source, lambda pool: pool.record("VM", pool.by_uuid("VM", plan.vm_uuid)))
        except RefusedError as error:
            if error.code not in {"UUID_INVALID", "HANDLE_INVALID"}:
                raise
            return self._pools.known(plan.source), None

    def cancel(self, plan: MigrationPlan) -> None:
        """Ask for the end of a move while it still can be ended; where none is under way there is nothing to do."""
        with self._lock:
            running = self._running.get(plan.migration)
            if running is not None and running.is_asked and not running.ref:
                running.asked_to_cancel.set()  # whoever waits for the task's name ends it as soon as it is told
                return
        if running is None or not running.ref:
            running = self._adopted(plan)
        record = errands.read(running.pool, running.ref) if running is not None else None
        if running is None or record is None or record.text("status") in errands.ENDED:
            return
        errands.refuse_foreign(plan, is_ours=running.is_ours)
        if not is_cancellable(record):
            msg = f"It is too late: {plan.vm_name} is being switched over to {plan.target.name}."
            raise MoveRefusedError(msg)
        running.asked_to_cancel.set()
        try:
            running.pool.call("task.cancel", running.ref)
        except RefusedError as error:
            if error.code == "HANDLE_INVALID":
                return
            if error.code == "OPERATION_NOT_ALLOWED":
                msg = f"It is too late: {plan.vm_name} is being switched over to {plan.target.name}."
                raise MoveRefusedError(msg) from None
            raise


def is_only_a_home(plan: MigrationPlan, vm: Record, source: End, target: End) -> bool:
    """Say whether a halted VM moves by another home server alone: all that it is made of stays where it is.

    Raises MoveRefusedError where a disk would be out of reach.
    """
    if source.pool is not target.pool or plan.kind is not Kind.COLD:
        return False
    return stays(disk_map(plan, vm, source, target), source)


def look(running: Running, record: Record) -> None:
    """Lay what a task says of itself over its track; note whether somebody has asked for its end."""
    if errands.is_asked_to_end(record):
        running.asked_to_cancel.set()
    running.track.look(record.share("progress"), may_cancel=is_cancellable(record))


def is_cancellable(record: Record) -> bool:
    """Say whether the work that a record tells of can still be ended."""
    return "cancel" in record.many("allowed_operations")


def _is_cancelling(running: Running) -> bool:
    return running.asked_to_cancel.is_set() and running.track.phase is not Phase.SWITCHING


def _unclear(record: Record, *, was_asked: bool) -> Unclear | None:
    """Say whether a task that is called cancelled was so by itself: then what it did may go on."""
    is_unasked = record.text_or("status") == "cancelled" and not (was_asked or errands.is_asked_to_end(record))
    return Unclear.UNASKED if is_unasked else None


def forced(plan: MigrationPlan) -> dict[str, str]:
    """Answer the option that lets XAPI skip its check of the CPU: only where an administrator set that aside."""
    return {"force": "true"} if CPU_FEATURES_LACKING in plan.overridden else {}


def refuse_options(options: MoveOptions) -> None:
    """Raise NotSupportedError for what XAPI takes no wish about."""
    wishes = {
        "the speed": options.bandwidth_limit is not None,
        "the pause": options.downtime_limit is not None,
        "the speed of the guest": options.auto_converge,
        "post-copy": options.post_copy,
    }
    for wish, is_there in wishes.items():
        if is_there:
            msg = f"XAPI takes no wish about {wish} of a move."
            raise NotSupportedError(msg)


def refuse_state(vm: Record, source: End, plan: MigrationPlan) -> None:
    """Raise an error unless a VM is at its source and in the state that the move was asked for."""
    state = state_of(vm)
    if kind_for(state) is not plan.kind:
        msg = f"{plan.vm_name} is {state} on {plan.source.name} by now."
        raise MoveRefusedError(msg)
    if stands_on(source.tables, vm) != source.host.ref:
        msg = f"{plan.source.name} does not know the VM."
        raise VmMissingError(msg, host=plan.source.name)
    if plan.source.uri == plan.target.uri:
        msg = "The source and the target are the same host."
        raise MoveRefusedError(msg)
    if is_moving(vm):
        msg = f"{plan.vm_name} is being moved already."
        raise MoveRefusedError(msg)
