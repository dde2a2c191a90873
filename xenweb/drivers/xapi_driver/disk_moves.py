"""Move one disk of a running VM to another repository of its pool, and believe the disk's own record of where it is."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from xenweb.core.disk_move import DiskAt, DiskSeen
from xenweb.core.placement import Finding, blocker
from xenweb.drivers.contract import MigrationPlan, MoveRefusedError, Preflight, VmMissingError
from xenweb.drivers.xapi_driver import checks, errands
from xenweb.drivers.xapi_driver.errands import Track
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.homes import disks_of
from xenweb.drivers.xapi_driver.inventory import device_of, host_of
from xenweb.drivers.xapi_driver.maps import End, disk_uuid, repository_for
from xenweb.drivers.xapi_driver.moving import is_cancellable
from xenweb.drivers.xapi_driver.pools import Pool, Pools
from xenweb.drivers.xapi_driver.preflight import guarded
from xenweb.drivers.xapi_driver.records import NULL, Record
from xenweb.drivers.xapi_driver.translating import in_our_words, translated
from xenweb.drivers.xapi_driver.words import Names

OPERATION = "migrate_send"
"""What XAPI calls it at the VM that a disk of it moves."""


@dataclass(slots=True)
class Seen:
    """The task of a disk's move. ``is_ours``: this process began it, or it bears our mark."""

    ref: str
    track: Track
    is_ours: bool = True


class DiskMoves:
    """The moves of disks that this process has seen, by their ids; safe to use from several threads."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}

    def foresee(self, plan: MigrationPlan) -> Preflight:
        """Make every check that can be made before the call."""
        with in_our_words(plan.source):
            end, vm = self._end(plan)
            findings = [
                *guarded("the VM's state", partial(_state, plan, vm)),
                *guarded("other work on the VM", partial(checks.work, plan, vm)),
                *guarded("what is forbidden", partial(checks.blocked, plan, vm, OPERATION)),
                *guarded("the guest tools", partial(checks.guest, plan, vm, end)),
                *guarded("the disk", partial(checks.disks, plan, vm, end, end)),
            ]
        return Preflight(tuple(each for each in findings if each.code != "disk_same"))

    def begin(self, plan: MigrationPlan) -> None:
        """Make the call and leave our mark on its task."""
        with in_our_words(plan.source):
            end, vm = self._end(plan)
            disk = plan.copied_disks[0]
            vdi = next(
                (each for _, each in disks_of(end.tables, vm) if each.text_or("uuid") == disk_uuid(disk.path)), None
            )
            there = repository_for(end.tables, end.host.ref, disk)
            if vdi is None or there is None:
                msg = (
                    f"Disk {disk.device} of {plan.vm_name}, or the storage that it is to go to, is not there any more."
                )
                raise MoveRefusedError(msg)
            ref = str(end.pool.call("Async.VDI.pool_migrate", vdi.ref, there.ref, {}, once=True))
            errands.tag(end.pool, ref, plan)
        with self._lock:
            self._seen[plan.migration] = Seen(ref, Track(has_disks=True, from_start=True))

    def look(self, plan: MigrationPlan) -> DiskSeen:
        """Look at the task, if it is known, and at the disk's record."""
        with in_our_words(plan.source):
            pool = self._pools.reach(plan.source)
            vm = pool.record("VM", pool.by_uuid("VM", plan.vm_uuid))
            seen = self._known(pool, vm, plan)
            record = self._read(pool, vm, plan, seen) if seen is not None else None
            # Only now: a task that ends after this look at the disk would seem to have left it where it was.
            at = _place(pool, vm, plan)
            if seen is None or record is None:
                return DiskSeen(at, is_lost=seen is not None)
            if record.text("status") not in errands.ENDED:
                seen.track.look(record.share("progress"), may_cancel=is_cancellable(record))
                told = errands.progress_of(plan, seen.track, is_cancelling=False)
                total, done = told.disk_total, told.disk_processed
                return DiskSeen(at, busy=True, share=done / total if total and done is not None else None)
            if record.text("status") == "cancelled" and not errands.is_asked_to_end(record):
                return DiskSeen(at, is_lost=True)  # as a toolstack that starts anew calls what may go on
            code, *params = record.many("error_info") or ("",)
            if not code:
                return DiskSeen(at, has_ended=True)
            cause = translated(RefusedError(code, tuple(params)), plan.source.name, Names(pool.view.look()))
            return DiskSeen(at, has_ended=True, cause=cause.sentence, words=cause.own_words)

    def give_up(self, plan: MigrationPlan) -> None:
        """Ask for the end of the task while it still can be ended."""
        with in_our_words(plan.source):
            pool = self._pools.reach(plan.source)
            seen = self._known(pool, pool.record("VM", pool.by_uuid("VM", plan.vm_uuid)), plan)
            record = errands.read(pool, seen.ref) if seen is not None else None
            if seen is None or record is None or record.text("status") in errands.ENDED:
                return
            errands.refuse_foreign(plan, is_ours=seen.is_ours)
            if not is_cancellable(record):
                msg = f"It is too late: {plan.vm_name} is being switched over to the copy of its disk."
                raise MoveRefusedError(msg)
            pool.call("task.cancel", seen.ref)

    def _read(self, pool: Pool, vm: Record, plan: MigrationPlan, seen: Seen) -> Record | None:
        """Read the task; where its name means nothing any more it is looked for again. None if it is lost."""
        record = errands.read(pool, seen.ref)
        if record is None:
            record = errands.seen(pool, vm, plan)
            if record is not None:
                seen.ref, seen.is_ours = record.ref, errands.bears_tag(record, plan)
        return record

    def _known(self, pool: Pool, vm: Record, plan: MigrationPlan) -> Seen | None:
        """Find the task: the one that this process began, else the one that the VM or our mark tells of."""
        with self._lock:
            kept = self._seen.get(plan.migration)
        if kept is not None:
            return kept
        record = errands.under_way(pool, vm, plan)
        if record is None:
            return None
        found = Seen(record.ref, Track(has_disks=True, from_start=False), errands.bears_tag(record, plan))
        with self._lock:
            return self._seen.setdefault(plan.migration, found)

    def _end(self, plan: MigrationPlan) -> tuple[End, Record]:
        pool = self._pools.reach(plan.source)
        tables = pool.view.look()
        host = host_of(tables, plan.source)
        vm = pool.record("VM", pool.by_uuid("VM", plan.vm_uuid))
        if vm.ref_or_null("resident_on") != host.ref:
            msg = f"{plan.vm_name} does not run on {plan.source.name}."
            raise VmMissingError(msg, host=plan.source.name)
        return End(pool, tables, host), vm


def _state(plan: MigrationPlan, vm: Record) -> Iterator[Finding]:
    if vm.text_or("power_state") != "Running":
        sentence = f"{plan.vm_name} does not run any more, and its disks are moved while it runs."
        yield blocker("vm_state_changed", sentence, "Start it, or move the VM with its disks.")


def _place(pool: Pool, vm: Record, plan: MigrationPlan) -> DiskAt:
    """Read from the VM's own records where the disk at its device is. Each is read anew: it is the proof."""
    disk = plan.copied_disks[0]
    for ref in vm.many("VBDs"):
        vbd = pool.record("VBD", ref)
        if device_of(vbd) != disk.device or vbd.ref_or_null("VDI") == NULL:
            continue
        vdi = pool.record("VDI", vbd.ref_or_null("VDI"))
        sr = pool.record("SR", vdi.ref_or_null("SR"))
        if sr.text("uuid") == disk.repository:
            return DiskAt.TARGET
        return DiskAt.SOURCE if vdi.text_or("uuid") == disk_uuid(disk.path) else DiskAt.ELSEWHERE
    return DiskAt.ELSEWHERE
