"""Care for guards that nobody drives: clear away what is half-made, lay back what was asked for, let expire the rest.

A host that is silent proves nothing, and nothing is done then; it is tried again.
"""

import logging
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from xenweb.core.guard import BEING_MADE, GuardPhase, GuardState, cleared_from
from xenweb.core.migration import ENDED, Copy, State
from xenweb.drivers.contract import DriverError, MoveRefusedError
from xenweb.drivers.guards import GuardKeeper, GuardPlan
from xenweb.drivers.registry import driver_for
from xenweb.inventory.credentials import CredentialLostError
from xenweb.livemigration.errors import GuardRefusedError, GuardUnprovenError
from xenweb.livemigration.guard_proving import NOT_RUNNING, prove_halted
from xenweb.livemigration.guards import (
    AnotherAtWorkError,
    GuardChangedError,
    guard_change,
    guard_plan,
    guard_progress,
    guard_row,
    home_of,
    keeper_for,
    keeping,
)
from xenweb.livemigration.models import Guard
from xenweb.livemigration.plan import driver_kind
from xenweb.livemigration.transitions import migration_row, tell

log = logging.getLogger(__name__)

TRY_AGAIN_AFTER = timedelta(seconds=30)
REFUSED_FOR = timedelta(seconds=5)
LEFT = "The process that made it was lost, or gave up."
_UNFINISHED = (GuardState.CLEARING, GuardState.ROLLING_BACK, GuardState.RESTORING, GuardState.REMOVING)
READ_WITHIN = timedelta(minutes=15)
"""For so long after its disks were laid back a VM may stand still while its memory is read."""


def guards_due(now: datetime) -> list[str]:
    """List the guards that need care: what a dead process left, what was asked for, and what has expired."""
    ended = Q(migration__state__in=sorted(ENDED))
    left = Q(state__in=sorted((*BEING_MADE, GuardState.ASKED))) & ended
    again = Q(state=GuardState.FLAGGED) & (Q(tried_at=None) | Q(tried_at__lt=now - TRY_AGAIN_AFTER))
    kept = Q(state=GuardState.KEPT) & ended & (Q(expires_at=None) | Q(expires_at__lt=now))
    is_patient = Q(tried_at=None) | Q(tried_at__lt=now - REFUSED_FOR)
    due = left | again | kept | (Q(state__in=sorted(_UNFINISHED)) & is_patient)
    return list(Guard.objects.filter(due).values_list("pk", flat=True))


def guard_settle(guard: str) -> None:
    """Bring one guard a step on, as far as its host says that it may go."""
    row = guard_row(guard)
    keeper = None if row is None else keeper_for(row)
    if row is None or keeper is None:
        return
    try:
        _settle(row, keeper)
    except (AnotherAtWorkError, GuardChangedError):
        log.info("guard %s waits, or is cared for elsewhere", guard)
    except (DriverError, CredentialLostError) as error:
        log.warning("guard %s: %s", guard, error)
        Guard.objects.filter(pk=guard).update(sentence=str(error), tried_at=timezone.now())


def _settle(row: Guard, keeper: GuardKeeper) -> None:
    match GuardState(row.state):
        case GuardState.ASKED:
            guard_change(row, GuardState.FAILED, sentence=LEFT)
        case GuardState.TAKING | GuardState.COPYING:
            guard_change(row, GuardState.CLEARING, sentence=LEFT)
            _clear(row, keeper)
        case GuardState.FLAGGED:
            guard_change(row, GuardState.CLEARING, sentence=row.sentence)
            _clear(row, keeper)
        case GuardState.CLEARING:
            _clear(row, keeper)
        case GuardState.KEPT:
            _expire(row, keeper)
        case GuardState.REMOVING:
            _remove(row, keeper)
        case GuardState.ROLLING_BACK:
            _roll_back(row, keeper)
        case GuardState.RESTORING:
            _restore(row, keeper)
        case _:
            return


def _clear(row: Guard, keeper: GuardKeeper) -> None:
    """Remove what stands of a guard; what does not go is flagged, so that somebody sees it."""
    why = row.sentence
    try:
        keeper.guard_remove(guard_plan(row))
        following = cleared_from(keeper.guard_look(guard_plan(row)).phase)
    except DriverError as error:
        following, why = GuardState.FLAGGED, f"{why} What stands of it could not be removed: {error.sentence}".strip()
    guard_change(row, following, sentence=why)
    if following is GuardState.FLAGGED:
        Guard.objects.filter(pk=row.pk).update(tried_at=timezone.now())


def _expire(row: Guard, keeper: GuardKeeper) -> None:
    """Note how long a guard is kept when its move has ended, and remove it when that is over."""
    if row.expires_at is None:
        kept = keeping().for_end(State(row.migration.state))
        ended = row.migration.ended_at or timezone.now()
        Guard.objects.filter(pk=row.pk, state=GuardState.KEPT).update(expires_at=ended + kept)
        return
    guard_change(row, GuardState.REMOVING)
    _remove(row, keeper)


def _remove(row: Guard, keeper: GuardKeeper) -> None:
    try:
        keeper.guard_remove(guard_plan(row))
    except DriverError as error:
        later = timezone.now() + TRY_AGAIN_AFTER
        guard_change(row, GuardState.KEPT, sentence=error.sentence, figures={"expires_at": later})
        return
    guard_change(row, GuardState.REMOVED)


def _roll_back(row: Guard, keeper: GuardKeeper) -> None:
    """Have the guard laid over the disks, or look how far that is; a roll-back that broke off is begun again."""
    plan = guard_plan(row)
    seen = keeper.guard_look(plan)
    match seen.phase:
        case GuardPhase.ROLLED_BACK:
            keeper.guard_make_ready(plan, plan.host if row.with_memory else home_of(row))
            figures = {"rolled_back_at": timezone.now(), "expires_at": timezone.now() + keeping().after_failure}
            facts = {"rolled_back": True, "bytes": seen.total}
            following = GuardState.RESTORING if row.with_memory else GuardState.KEPT
            guard_change(row, following, by=row.roll_back_by or "xenweb", figures=figures, facts=facts)
            if following is GuardState.RESTORING:
                _restore(row, keeper)
        case GuardPhase.ROLLING_BACK:
            guard_progress(row, seen.done, seen.total)
        case GuardPhase.WHOLE:
            _begin_rolling_back(row, keeper, plan, has_begun=bool(seen.sentence) or row.done > 0)
        case _:
            guard_change(row, GuardState.FLAGGED, sentence="Its host has no whole guard any more.")


def _begin_rolling_back(row: Guard, keeper: GuardKeeper, plan: GuardPlan, *, has_begun: bool) -> None:
    """Prove once more that the VM runs nowhere, and begin.

    Refused before anything was written, the guard is kept as it was; afterwards it is tried until it is done.
    """
    try:
        prove_halted(row)
        keeper.guard_roll_back(plan)
    except (GuardRefusedError, MoveRefusedError) as refusal:
        if not has_begun:
            guard_change(row, GuardState.KEPT, sentence=refusal.sentence, facts={"rolled_back": False})
            return
        msg = f"The disks are half-way back, do not start the VM: {refusal.sentence}"
        Guard.objects.filter(pk=row.pk).update(sentence=msg, tried_at=timezone.now())
        tell(migration_row(row.migration_id))


def _restore(row: Guard, keeper: GuardKeeper) -> None:
    """Have the VM go on with its memory of the guard's moment, and believe only that it was seen running.

    The intent is the state of the row, so a process that dies here leaves nothing to guess: the host is asked first.
    """
    plan = guard_plan(row)
    if (copy := _copy_of(row, plan)) in NOT_RUNNING:
        try:
            prove_halted(row)
            keeper.guard_restore_memory(plan)
        except GuardUnprovenError:
            log.info("guard %s: the hosts do not prove yet that its memory may be read", row.pk)
        except (GuardRefusedError, MoveRefusedError) as refusal:
            _go_without(row, refusal.sentence)
            return
        copy = _copy_of(row, plan)
    if copy is Copy.RUNNING:
        figures = {"memory_back_at": timezone.now()}
        facts = {"memory_back": True}
        guard_change(row, GuardState.KEPT, by=row.roll_back_by or "xenweb", figures=figures, facts=facts)
        return
    if row.rolled_back_at is not None and timezone.now() > row.rolled_back_at + READ_WITHIN:
        _go_without(row, f"It is {copy} on {plan.host.name}, and did not begin to run.")
        return
    Guard.objects.filter(pk=row.pk).update(tried_at=timezone.now())


def _copy_of(row: Guard, plan: GuardPlan) -> Copy:
    return driver_for(driver_kind(row.migration)).locate(plan.host, row.migration.vm_uuid).copy


def _go_without(row: Guard, why: str) -> None:
    msg = f"The disks are what they were, the memory is not: {why}"
    guard_change(row, GuardState.KEPT, sentence=msg, facts={"memory_back": False})
