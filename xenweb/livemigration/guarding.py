"""Make a guard before a move: while the move is being checked, and before the hypervisor is called.

If this process dies, the move has not begun and ends as such; what stands of the guard is then cleared away by
whoever cares for orphans.
"""

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from django.db import DatabaseError, connection

from xenweb.core.facts import Kind, PowerState
from xenweb.core.guard import BEING_MADE, Business, GuardPhase, GuardState, made_from, why_very_busy
from xenweb.core.migration import State
from xenweb.core.placement import Fact, Finding, note
from xenweb.core.quantities import BytesPerSecond
from xenweb.drivers.contract import Capability, DriverError, HypervisorDriver, MigrationPlan, Permit, freely
from xenweb.drivers.guards import GuardForeseen, GuardKeeper, keeper_of
from xenweb.inventory.selectors import capabilities_of
from xenweb.livemigration.checking import Checked, checked
from xenweb.livemigration.guard_care import guard_settle
from xenweb.livemigration.guard_costs import expected_pause
from xenweb.livemigration.guards import AnotherAtWorkError, GuardChangedError, guard_change, guard_plan, guard_progress
from xenweb.livemigration.models import Guard, Migration, MigrationPass
from xenweb.livemigration.transitions import Failure
from xenweb.realtime.wire import finding_wire

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5
WAITS_FOR_OTHERS = 600.0
"""Seconds that a guard waits for another of its pool."""

SILENT_FOR = 30.0
"""Seconds in which a host that does not say how far a guard is may come back."""

SEEN_WITHIN = 10.0
"""Seconds in which the board sees that a VM which stood still for its guard runs again."""

GONE = Failure("guard_not_made", "Another process took the guard over while it was made.", "Move again.")
REMEDY = "Mend what the sentence names, or move without a guard."


@dataclass(frozen=True, slots=True)
class Wish:
    """Whether a move is to have a guard: as it was asked for, or because its VM was measured to be very busy."""

    foreseen: GuardForeseen
    automatic: bool
    reason: str
    with_memory: bool = False


def wished(row: Migration, driver: HypervisorDriver, plan: MigrationPlan) -> tuple[Wish | None, Failure | None]:
    """Say whether a move is to have a guard, or why one that was asked for cannot be made.

    An automatic one that cannot be made is no reason to stay.
    """
    keeper, asked = keeper_of(driver), plan.options.guard
    able = keeper is not None and Capability.GUARD in capabilities_of(row.source)
    if asked is False or plan.kind is not Kind.LIVE or keeper is None or not able:
        return None, _impossible("Its host cannot make one.") if asked else None
    with_memory = asked is True and plan.options.guard_memory
    try:
        foreseen = keeper.guard_foresee(plan.source, plan.vm_uuid, with_memory=with_memory)
    except DriverError as error:
        return None, _impossible(error.sentence) if asked else None
    reason = "It was asked for." if asked else why_very_busy(business_of(row, foreseen))
    if not reason:
        return None, None
    if not foreseen.possible:
        return None, _impossible(foreseen.why) if asked else None
    return Wish(foreseen, automatic=not asked, reason=reason, with_memory=with_memory), None


def _impossible(why: str) -> Failure:
    return Failure("guard_impossible", f"No guard can be made of this VM: {why}", REMEDY)


def business_of(row: Migration, foreseen: GuardForeseen) -> Business:
    """Gather what was measured of a VM: now, where its hypervisor samples; else in its last move."""
    passes = MigrationPass.objects.filter(migration__vm=row.vm_id, migration__state=State.DONE)
    last = passes.order_by("-migration__ended_at").values_list("migration_id", flat=True).first()
    rates = list(passes.filter(migration_id=last).values_list("dirty_rate", "transfer_rate"))
    dirty = [each for each, _ in rates if each]
    speeds = [each for _, each in rates if each]
    rate = row.vm.dirty_rate if row.vm.dirty_rate is not None else max(dirty, default=None)
    return Business(
        dirty_rate=None if rate is None else BytesPerSecond(rate),
        copy_speed=BytesPerSecond(max(speeds)) if speeds else None,
        write_rate=foreseen.write_rate,
    )


def _expected_pause(row: Migration, wish: Wish) -> int | None:
    memory = row.vm_memory if wish.with_memory else None
    return expected_pause(row.source_id, len(wish.foreseen.paths), memory)


def announced(row: Migration, wish: Wish) -> Finding:
    """Say beforehand what a guard costs."""
    pause = _expected_pause(row, wish)
    how_long = (
        "for how long is not known yet on this host" if pause is None else f"about {pause / 1000:.1f} s, estimated"
    )
    return note(
        "guard_before_move",
        f"A guard of {row.vm_name} is made before it moves: {wish.reason} The VM stands still while its "
        f"{'memory is saved and its snapshots' if wish.with_memory else 'snapshots'} are taken ({how_long}), then they "
        "are copied off. Right before, its kernel is asked to write out what it holds for them, as far as it listens.",
        "Nothing to do. Choose no guard if that pause is too much.",
        automatic=wish.automatic,
        with_memory=wish.with_memory,
        expected_pause_ms=pause,
        needed=wish.foreseen.needed,
    )


def guarded(row: Migration, driver: HypervisorDriver, plan: MigrationPlan, check: Checked, permit: Permit) -> Checked:
    """Make the guard that a move is to have, and judge the move once more: making it took its time.

    Call it with the move's lease kept. ``permit`` proves, right before the host is told to make it, that this
    process may still do so.
    """
    wish, failure = wished(row, driver, plan)
    if wish is not None:
        before = announced(row, wish)
        with suppress(GuardChangedError):
            failure = GONE
            failure = guard_make(row, driver, wish, permit)
    if failure is not None:
        return replace(check, refusal=failure)
    if wish is None:
        return check
    again = checked(_fresh(row), driver, plan)
    if again.preflight is None:
        return again
    findings = [*again.preflight.findings, finding_wire(before)]
    return replace(again, preflight=again.preflight.model_copy(update={"findings": findings}))


def _fresh(row: Migration) -> Migration:
    """Load the move anew, once the board has seen that its VM runs again."""
    until = time.monotonic() + SEEN_WITHIN
    while True:
        fresh = Migration.objects.with_all().get(pk=row.pk)
        if fresh.vm.state != PowerState.PAUSED or time.monotonic() > until:
            return fresh
        time.sleep(LOOK_EVERY)


def guard_make(row: Migration, driver: HypervisorDriver, wish: Wish, permit: Permit = freely) -> Failure | None:
    """Make a guard and answer None once it stands; else why the move must not begin. It is given up with the move."""
    keeper = keeper_of(driver)
    if keeper is None:
        return _impossible("Its driver keeps none.")
    guard = _store(row, wish)
    failure = _begun(guard, keeper, permit)
    if failure is None:
        failure = _followed(guard, keeper)
    if failure is None:
        return None
    if guard.state in BEING_MADE:
        guard_change(guard, GuardState.CLEARING, sentence=failure.sentence)
        guard_settle(guard.pk)
    guard.refresh_from_db()
    is_clean = guard.state == GuardState.FAILED
    return None if wish.automatic and is_clean and not _is_given_up(guard) else failure


def _store(row: Migration, wish: Wish) -> Guard:
    return Guard.objects.create(
        migration=row,
        pool=row.source.pool,
        host=row.source,
        paths=list(wish.foreseen.paths),
        automatic=wish.automatic,
        with_memory=wish.with_memory,
        reason=wish.reason,
        expected_pause=_expected_pause(row, wish),
        asked_at=row.requested_at,
    )


def _is_given_up(guard: Guard) -> bool:
    return Migration.objects.filter(pk=guard.migration_id, cancel_requested_at__isnull=False).exists()


def _begun(guard: Guard, keeper: GuardKeeper, permit: Permit) -> Failure | None:
    """Wait for the guard's turn, store the intent, and only then tell the host."""
    until = time.monotonic() + WAITS_FOR_OTHERS
    facts: dict[str, Fact] = {"automatic": guard.automatic, "with_memory": guard.with_memory, "why": guard.reason}
    while True:
        try:
            guard_change(guard, GuardState.TAKING, facts=facts)
            break
        except AnotherAtWorkError:
            if time.monotonic() > until or _is_given_up(guard):
                why = "Another guard was being worked on all the while."
                guard_change(guard, GuardState.FAILED, sentence=why)
                return Failure("guard_not_made", why, "Move again later.")
            time.sleep(LOOK_EVERY)
    permit()
    try:
        keeper.guard_begin(guard_plan(guard))
    except DriverError as error:
        return Failure("guard_not_made", f"The guard could not be made: {error.sentence}", REMEDY)
    return None


def _followed(guard: Guard, keeper: GuardKeeper) -> Failure | None:
    """Watch a guard being made; answer None once it is kept."""
    heard = time.monotonic()
    while True:
        if _is_given_up(guard):
            return Failure("guard_not_made", "The move was given up while its guard was made.", "Nothing to do.")
        try:
            seen = keeper.guard_look(guard_plan(guard))
        except DriverError as error:
            if time.monotonic() - heard > SILENT_FOR:
                return Failure("guard_not_made", f"How far the guard is nobody says: {error.sentence}", REMEDY)
            time.sleep(LOOK_EVERY)
            continue
        heard = time.monotonic()
        following = made_from(GuardState(guard.state), seen.phase)
        if following is GuardState.CLEARING:
            if seen.phase is GuardPhase.CLEARING:
                time.sleep(LOOK_EVERY)
                continue  # the host itself clears it away; what is left then is looked at again
            why = seen.sentence or "Its host has no whole guard, and works on none."
            return Failure("guard_not_made", f"The guard could not be made: {why}", REMEDY)
        _noted(guard, following, seen.done, seen.total, seen.pause)
        if following is GuardState.KEPT:
            return None
        time.sleep(LOOK_EVERY)


def _noted(guard: Guard, following: GuardState, done: int, total: int, pause: int | None) -> None:
    try:
        if following != guard.state:
            guard_change(guard, following, figures={"pause": pause})
        guard_progress(guard, done, total)
    except DatabaseError as error:
        # The host goes on without us: what is known is written with the next look.
        log.warning("guard %s: the database does not take what was seen: %s", guard.pk, error)
        connection.close()
