"""Watch a move that has been called: look, decide, write down, and prove its end.

The blocking call sits in a thread of its own and tells only that it is over;
where the VM is, the hosts say. A process that did not make the call watches the
same way, by asking the source whether it still works on the move.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.utils import timezone

from xenweb.core.facts import Kind
from xenweb.core.migration import TRANSITIONS, Conclusion, Proof, Repair, State, Unclear, conclude
from xenweb.core.precopy.passes import Look, PassStats, Track, finish, mark_pass, observe
from xenweb.core.precopy.storage import DiskLook, DiskTrack, memory_share_in, observe_disks
from xenweb.core.quantities import Bytes, BytesPerSecond, Milliseconds
from xenweb.drivers.contract import (
    Capability,
    CompletedStats,
    DriverError,
    HostUnreachableError,
    HypervisorDriver,
    Lever,
    MigrationPlan,
    Phase,
    Progress,
)
from xenweb.drivers.endings import teller_of
from xenweb.drivers.failures import MoveLostError
from xenweb.livemigration.desk import Desk
from xenweb.livemigration.foretelling import foretell_on
from xenweb.livemigration.models import Migration
from xenweb.livemigration.progress import DisksSeen, Said, track_store
from xenweb.livemigration.proving import Hosts, settle
from xenweb.livemigration.transitions import (
    Failure,
    Lease,
    LeaseLostError,
    lease_renew,
    migration_row,
    state_change,
    tell,
)
from xenweb.realtime.publish import writing
from xenweb.realtime.wire import ForecastWire

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

LOOK_EVERY = 0.125
"""Seconds between two looks at what people ask of a running move, and at the move unless its driver asks for a rest."""

TELL_EVERY = 0.25
"""Seconds between two stored figures; a new pass and a new state are stored at once."""

RENEW_EVERY = 1.0
ASK_HOSTS_EVERY = 0.5
PROVE_EVERY = 0.2
CANCEL_EVERY = 1.0
"""Seconds until a hypervisor that goes on is asked again: what had not begun could not be given up."""

PATIENCE = 1.0
PROVE_FOR = 5.0
"""Seconds in which the hosts may settle after the call, before the move is called uncertain."""

NOT_CALLED = Failure(
    "not_started",
    "Right before the call the right to make it could not be proven, so it was not made.",
    "Move again: nothing has changed.",
)

RUNNING = frozenset(
    {
        State.PREPARING,
        State.COPYING_STORAGE,
        State.PRE_COPY,
        State.STOP_AND_COPY,
        State.POST_COPY,
        State.CANCELLING,
    }
)
MENDINGS = 2
STALLED_AFTER = 12.0
"""Seconds in which nothing more of a VM that stands still comes across, before the hosts are made to give that up.

libvirt's Xen driver sets its sockets no limit: TCP alone would try for a quarter of an hour. And its two daemons give
up their talk after 25 to 30 s, each by its own clock: a link that came back in between could start both copies.
"""

UNSEEN_FOR = 600.0
"""Seconds for which a source may be said to be at work although nothing of the move itself shows any more.

A pool that has lost a move may keep room for it for ever: that alone does not show that it goes on.
"""

BREAK_OFF_EVERY = 2.0
HELD_UP_AFTER = 3.0
"""Seconds after which a move that was given up and does not end is looked into."""


PROVEN = frozenset(
    {
        Conclusion.ON_SOURCE,
        Conclusion.ON_TARGET,
        Conclusion.BOTH_RUNNING,
        Conclusion.SOURCE_SET_ASIDE,
        Conclusion.TARGET_SET_ASIDE,
    }
)
"""What more waiting does not change; anything else may still settle by itself."""

TWICE_LOOKED_AT = frozenset({Conclusion.BOTH_RUNNING})
"""What is not said before a second look: the CPU times tell more, and one look may have met a hand-over."""


@dataclass
class Call:
    """The blocking call in its thread, and what came of it.

    ``permit`` proves, as the last thing before the call, that this process may still make it.
    """

    driver: HypervisorDriver
    plan: MigrationPlan
    permit: Callable[[], None]
    over: threading.Event = field(default_factory=threading.Event)
    stats: CompletedStats = field(default_factory=CompletedStats)
    error: DriverError | None = None
    was_made: bool = True

    def begin(self) -> None:
        """Start the call."""
        threading.Thread(target=self._run, name=f"move-{self.plan.migration}", daemon=True).start()

    def _run(self) -> None:
        try:
            self.stats = self.driver.migrate(self.plan, self.permit)
        except DriverError as error:
            self.error = error
        except (LeaseLostError, DatabaseError) as error:
            log.warning("move %s: the call is not made: %s", self.plan.migration, error)
            self.was_made = False
        finally:
            connections.close_all()
            self.over.set()

    @property
    def cause(self) -> Failure | None:
        """Say why the call ended with an error, if it did."""
        if not self.was_made:
            return NOT_CALLED
        error = self.error
        return None if error is None else Failure(error.code, error.sentence, error.remedy, own_words=error.own_words)


class Stall:
    """How long a move has shown nothing new."""

    def __init__(self) -> None:
        self._seen: tuple[object, ...] = ()
        self._since = self._tried = time.monotonic()
        self.is_broken_off = False

    def look(self, progress: Progress, now: float) -> None:
        """Compare a look with the one before."""
        seen = (progress.phase, progress.pass_number, progress.processed)
        if seen != self._seen:
            self._seen, self._since = seen, now

    def is_due(self, now: float) -> bool:
        """Say whether it is time to do something about it, for the first time or again."""
        if (
            self.is_broken_off
            or now - max(self._since + STALLED_AFTER - BREAK_OFF_EVERY, self._tried) < BREAK_OFF_EVERY
        ):
            return False
        self._tried = now
        return True


class Watching:
    """One process's watch over one move, under one lease."""

    def __init__(self, lease: Lease, row: Migration, driver: HypervisorDriver, plan: MigrationPlan) -> None:
        self.lease = lease
        self.driver = driver
        self.plan = plan
        self.state = State(row.state)
        self.track = _track_of(row)
        self.disks = DisksSeen(DiskTrack(), Bytes(row.copied_bytes), Bytes(row.vm_memory))
        # Moments count from the call; after an adoption from where the last look was.
        self.began = time.monotonic() - (row.elapsed or 0) / 1000
        self.said = Said()
        self.forecast: ForecastWire | None = None
        self.renewed = self.told = 0.0
        self.look_at = 0.0
        self.cancel_asked = float("-inf")
        self.asked_to_cancel = False
        self.cancelled_at = 0.0
        self.seen_at = time.monotonic()
        self.stalled = Stall()
        self.hosts = Hosts(driver, plan)
        self.desk = Desk(lease, driver, plan, self.hosts.ask)

    def follow(self, call: Call | None) -> None:
        """Watch until the move is over, then prove where the VM is."""
        while not self._is_over(call):
            try:
                self._keep_lease()
                self._cancel_if_asked()
                self.desk.pull_levers()
                self._get_unstuck()
                self._break_off()
                self._look()
            except DatabaseError as error:
                # The move goes on without us: keep watching, and write again later.
                log.warning("move %s: the database does not take what was seen: %s", self.plan.migration, error)
                connection.close()
        self._prove(call)

    def _is_over(self, call: Call | None) -> bool:
        if call is not None:
            return call.over.wait(LOOK_EVERY)
        time.sleep(ASK_HOSTS_EVERY)
        return not self.hosts.ask().busy or self._is_out_of_sight()

    def _is_out_of_sight(self) -> bool:
        """Say whether nothing of a move that others made has shown for long, whatever the source says."""
        if self._unclear(None) is None:
            self.seen_at = time.monotonic()
        return time.monotonic() - self.seen_at > UNSEEN_FOR

    def _unclear(self, call: Call | None) -> Unclear | None:
        """Say why a move that shows nowhere may go on all the same: by the call's own end, or by the driver's word."""
        if call is not None:
            return call.error.unclear if isinstance(call.error, MoveLostError) else None
        teller = teller_of(self.driver)
        try:
            found = teller.ending(self.plan) if teller is not None else None
        except DriverError as error:
            log.info("move %s: nobody tells its end just now: %s", self.plan.migration, error)
            return Unclear.LOST
        if found is Unclear.UNASKED and self._is_cancel_asked():
            return None
        return found

    def _is_cancel_asked(self) -> bool:
        return Migration.objects.filter(pk=self.plan.migration, cancel_requested_at__isnull=False).exists()

    def _keep_lease(self) -> None:
        if time.monotonic() - self.renewed >= RENEW_EVERY:
            lease_renew(self.lease)
            self.renewed = time.monotonic()

    def _cancel_if_asked(self) -> None:
        row = Migration.objects.values("cancel_requested_at", "cancel_requested_by").get(pk=self.plan.migration)
        if row["cancel_requested_at"] is None or time.monotonic() - self.cancel_asked < CANCEL_EVERY:
            return
        lease_renew(self.lease)
        self.cancel_asked = time.monotonic()
        try:
            self.driver.change(self.plan, Lever.CANCEL, None)
        except DriverError as error:
            log.warning("move %s could not be cancelled yet: %s", self.plan.migration, error)
            return
        if not self.asked_to_cancel:
            self.asked_to_cancel, self.cancelled_at = True, time.monotonic()
        if State.CANCELLING in TRANSITIONS[self.state]:
            self._change(State.CANCELLING, by=row["cancel_requested_by"])

    def _get_unstuck(self) -> None:
        """Offer a way out of a move that was given up and that a frozen target holds up."""
        if not self.asked_to_cancel or time.monotonic() - self.cancelled_at < HELD_UP_AFTER:
            return
        proof = self.hosts.ask()
        self.desk.offer(proof, cancelling=True)
        self.desk.mend(proof, cancelling=True)

    def _break_off(self) -> None:
        """Give up a hand-over of which nothing more comes across, while the target's copy cannot have run."""
        if self.state is not State.STOP_AND_COPY or not self.stalled.is_due(time.monotonic()):
            return
        if self.desk.mend(self.hosts.ask(), cancelling=self.asked_to_cancel, stalled=True):
            self.stalled.is_broken_off = True  # the daemons notice in their own time: their talk has its own limit

    def _look(self) -> None:
        if time.monotonic() < self.look_at:
            return
        try:
            progress = self.driver.progress(self.plan)
        except DriverError as error:
            log.info("move %s: no look at it just now: %s", self.plan.migration, error)
            return
        passes_before = len(self.track.passes)
        self.look_at = time.monotonic() + (progress.look_again_after or 0.0)
        self.stalled.look(progress, time.monotonic())
        self._observe(progress)
        if self.state in {State.PREPARING, State.UNCERTAIN} and progress.phase is Phase.COPYING_STORAGE:
            self._change(State.COPYING_STORAGE)
        elif self.state in {State.PREPARING, State.COPYING_STORAGE, State.UNCERTAIN} and self._copies_memory(progress):
            self._change(State.PRE_COPY)
        elif progress.phase is Phase.SWITCHING and self.state is State.PRE_COPY:
            self._change(State.STOP_AND_COPY)
        elif progress.phase is Phase.POST_COPY and self.state in {State.PRE_COPY, State.STOP_AND_COPY}:
            self._change(State.POST_COPY)
        if len(self.track.passes) > passes_before:
            self._foretell()
        if len(self.track.passes) > passes_before or time.monotonic() - self.told >= TELL_EVERY:
            self._tell()

    def _copies_memory(self, progress: Progress) -> bool:
        """Say whether memory is being copied: by its passes, or by the word of a hypervisor that tells none."""
        is_wordless = Capability.PASSES not in self.driver.capabilities and progress.phase is Phase.COPYING
        return bool(self.track.passes) or is_wordless or _tells_only_that_it_copies(progress)

    def _observe(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.disk_total:
            done, left = progress.disk_processed or Bytes(0), progress.disk_remaining or Bytes(0)
            seen = observe_disks(self.disks.track, DiskLook(self._since_call(now), progress.disk_total, done, left))
            self.disks = replace(self.disks, track=seen)
        for mark in progress.passes:
            self.track = mark_pass(self.track, mark.pass_number, self._since_call(mark.at), mark.left)
        # While the VM stands still memory is copied too, and that may take long if somebody paused it.
        if progress.total or _tells_only_that_it_copies(progress):
            look = Look(
                at=self._since_call(now),
                pass_number=progress.pass_number,
                remaining=progress.remaining,
                processed=progress.processed,
                total=progress.total,
                dirty_rate=progress.dirty_rate,
            )
            self.track = observe(self.track, look)
            throttle = self.said.throttle if progress.throttle is None else progress.throttle
            self.said = Said(progress.expected_downtime, throttle)
        elif progress.share is not None and progress.phase is Phase.COPYING:
            # A hypervisor that tells a share alone: no byte and no pass is made up from it.
            self.track = replace(self.track, total=max(self.track.total, progress.share))

    def _since_call(self, moment: float) -> Milliseconds:
        return Milliseconds(max(0, round((moment - self.began) * 1000)))

    def _foretell(self) -> None:
        """Narrow the forecast by what the passes showed so far."""
        row = Migration.objects.select_related("vm", "source").get(pk=self.plan.migration)
        elapsed = self._since_call(time.monotonic())
        self.forecast = foretell_on(row, self.track, elapsed, timezone.now()) or self.forecast

    def _tell(self) -> None:
        self.told = time.monotonic()
        with writing():
            self._store()
            tell(migration_row(self.plan.migration))

    def _store(self) -> None:
        disks = self.disks if self.disks.copied else None
        track_store(self.lease, self.track, self.said, self.forecast, disks)

    def _change(self, following: State, *, by: str = "xenweb") -> None:
        if following is not self.state:
            state_change(self.plan.migration, self.state, following, lease=self.lease, by=by)
            self.state = following

    def _prove(self, call: Call | None) -> None:
        """Ask both hosts until they prove a place, or the time for it is over."""
        for mark in call.stats.marks if call is not None else ():
            self.track = mark_pass(self.track, mark.pass_number, self._since_call(mark.at), mark.left)
        self.track = finish(self.track, self._since_call(time.monotonic()))
        self._with_patience(self._verifying if self.state in RUNNING else self._tell)
        proof = self._with_patience(lambda: self._settled(call))
        # One mending may let another follow: what was in the way is gone, and the VM is let go on.
        for _ in range(MENDINGS):
            own = self.desk.own_repairs(proof, cancelling=self.asked_to_cancel)
            if not self._with_patience(partial(self.desk.mend, proof, cancelling=self.asked_to_cancel)):
                break
            proof = self._with_patience(partial(self._settled, call, own))
        self._with_patience(lambda: self.desk.offer(proof, cancelling=self.asked_to_cancel))
        stats = self._stats(call) if conclude(proof) is Conclusion.ON_TARGET else CompletedStats()
        cause, beats = call.cause if call is not None else None, self.hosts.beats
        self._with_patience(
            lambda: settle(self.lease, Migration.objects.get(pk=self.plan.migration), proof, stats, cause, beats)
        )

    def _settled(self, call: Call | None, before: frozenset[Repair] | None = None) -> Proof:
        """Ask both hosts until they prove a place, somebody chose a repair, or the time is over.

        ``before`` are the repairs that could be done unasked before something was mended: one that can be done only
        since then is not waited for, because the VM may stand still for it.
        """
        deadline = time.monotonic() + PROVE_FOR
        while True:
            proof = self._told_of(call, self.desk.as_told(self.hosts.ask()))
            # Who did not make the call has only the hosts' words, and so looks whether the copy does anything.
            is_closer_look = call is None or conclude(proof) in TWICE_LOOKED_AT
            is_proven = conclude(proof) in PROVEN and not (is_closer_look and self.hosts.is_pulse_unclear)
            if self._may_still_come(call, proof):
                is_proven = False
            own = self.desk.own_repairs(proof, cancelling=self.asked_to_cancel)
            is_due = before is not None and bool(own - before)
            if is_proven or is_due or self.desk.is_repair_asked() or time.monotonic() >= deadline:
                return proof
            self._keep_lease()
            time.sleep(PROVE_EVERY)

    def _told_of(self, call: Call | None, proof: Proof) -> Proof:
        """Add to what the hosts say whether an end was told, where that is what is missing."""
        if conclude(proof) in {Conclusion.ON_SOURCE, Conclusion.STILL_MOVING}:
            return replace(proof, unclear=self._unclear(call))
        return proof

    def _may_still_come(self, call: Call | None, proof: Proof) -> bool:
        """Say whether a definition may be on its way: no host shows work on it, and only the answer ends it."""
        is_answered = call is not None and not isinstance(call.error, HostUnreachableError | MoveLostError)
        return self.plan.kind is Kind.COLD and not is_answered and conclude(proof) is not Conclusion.ON_TARGET

    def _verifying(self) -> None:
        """Tell the last figures and the new state at once: the VM is there, and somebody waits to see it."""
        with writing():
            self._store()
            state_change(self.plan.migration, self.state, State.VERIFYING, lease=self.lease)
        self.state = State.VERIFYING

    def _stats(self, call: Call | None) -> CompletedStats:
        if call is not None and call.stats.total is not None:
            return call.stats
        try:
            return self.driver.locate(self.plan.target, self.plan.vm_uuid).completed
        except DriverError:
            return CompletedStats()

    def _with_patience(self, write: Callable[[], Answer]) -> Answer:
        """Write what the hosts proved, however long the database is away: it must not be lost.

        Raises DatabaseError once the installation's folder is gone: nothing will ever come back to write to.
        """
        while True:
            try:
                return write()
            except DatabaseError as error:
                if not Path(settings.XENWEB_DATA).is_dir():
                    raise
                log.warning("move %s: the database does not take its outcome yet: %s", self.plan.migration, error)
                connection.close()
                time.sleep(PATIENCE)


def _tells_only_that_it_copies(progress: Progress) -> bool:
    """Say whether a hypervisor copies memory and counts nothing of it: then the time is all there is to see."""
    return progress.phase is Phase.COPYING and progress.total is None and progress.share is None


def _track_of(row: Migration) -> Track:
    """Rebuild what an earlier watch has seen, so that nothing shown runs backwards."""
    passes = tuple(
        PassStats(
            pass_number=each.pass_number,
            started=Milliseconds(each.started),
            ended=None if each.ended is None else Milliseconds(each.ended),
            remaining_at_start=None if each.remaining_at_start is None else Bytes(each.remaining_at_start),
            remaining_at_end=None if each.remaining_at_end is None else Bytes(each.remaining_at_end),
            processed_at_start=None,
            transfer_rate=None if each.transfer_rate is None else BytesPerSecond(each.transfer_rate),
            dirty_rate=None if each.dirty_rate is None else BytesPerSecond(each.dirty_rate),
        )
        for each in row.passes.all()
    )
    copied, memory = Bytes(row.copied_bytes), Bytes(row.vm_memory)
    return Track(passes=passes, total=memory_share_in(row.total_share, copied, memory))
