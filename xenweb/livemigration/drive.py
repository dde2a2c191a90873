"""Drive one move: poll, decide, record. Runs in a worker, and as well without one.

If the driving process dies, the hypervisor goes on by itself, and whoever takes
the lease next goes on watching with ``adopt``.
"""

import logging
from dataclasses import replace

from django.utils import timezone

from xenweb.core.facts import Kind
from xenweb.core.migration import State
from xenweb.drivers.contract import MigrationPlan
from xenweb.drivers.registry import driver_for
from xenweb.inventory.credentials import CredentialLostError
from xenweb.livemigration.checking import checked
from xenweb.livemigration.doorbell import enqueue
from xenweb.livemigration.foretelling import foretell, past_for, subject_of
from xenweb.livemigration.guarding import guarded
from xenweb.livemigration.keeping import kept
from xenweb.livemigration.models import Migration
from xenweb.livemigration.plan import driver_kind, plan_of
from xenweb.livemigration.queueing import due, take_turn
from xenweb.livemigration.transitions import (
    Failure,
    Figure,
    Lease,
    LeaseLostError,
    doubt_change,
    lease_release,
    lease_renew,
    lease_take,
    state_change,
)
from xenweb.livemigration.watching import Call, Watching

log = logging.getLogger(__name__)

LOST = Failure("not_started", "The worker was lost before the move began.", "Move again: nothing has changed.")


def drive(migration_id: str, owner: str) -> None:
    """Bring a queued move to its end, or to where only the hosts' next answer helps.

    The move that is driven need not be the one that was rung for: it is whose turn it is.
    """
    lease = take_turn(migration_id, owner)
    if lease is None:
        log.info("move %s: not its turn, or no longer waiting", migration_id)
        return
    try:
        _from_the_queue(lease, _row(lease.migration))
    except LeaseLostError:
        log.warning("move %s: the lease went to another process, this one stops", lease.migration)
    finally:
        lease_release(lease)
        ring_for_due()


def adopt(migration_id: str, owner: str) -> None:
    """Take over a move whose driver was lost: ask the hosts, watch it on, prove its end."""
    lease = lease_take(migration_id, owner)
    if lease is None:
        return
    try:
        row = _row(migration_id)
        if row.call_intended_at is not None:
            _watch_on(lease, row)
        elif row.state == State.CHECKING:
            following = State.CANCELLED if row.cancel_requested_at else State.FAILED
            state_change(row.pk, State.CHECKING, following, lease=lease, failure=LOST)
    except LeaseLostError:
        log.warning("move %s: the lease went to another process, this one stops", migration_id)
    finally:
        lease_release(lease)


def _watch_on(lease: Lease, row: Migration) -> None:
    try:
        plan = plan_of(row)
    except CredentialLostError as error:
        # Without it a host cannot be asked. The next adoption tries again: the key may come back.
        _doubt(lease, row, _failure_of(error))
    else:
        Watching(lease, row, driver_for(driver_kind(row)), plan).follow(None)


def _failure_of(error: CredentialLostError) -> Failure:
    return Failure(error.code, error.sentence, error.remedy)


def _doubt(lease: Lease, row: Migration, why: Failure) -> None:
    if row.state == State.UNCERTAIN:
        doubt_change(row.pk, why, lease=lease)
    else:
        state_change(row.pk, State(row.state), State.UNCERTAIN, lease=lease, failure=why)


def ring_for_due() -> None:
    """Ring for those whose turn has come because a move has ended."""
    for migration in due(timezone.now()):
        enqueue(migration)


def _row(migration_id: str) -> Migration:
    return Migration.objects.with_all().get(pk=migration_id)


def _foretold(row: Migration, plan: MigrationPlan) -> dict[str, object] | None:
    """Forecast the move as it is about to begin; a definition alone takes no time worth a forecast."""
    if plan.kind is Kind.COLD:
        return None
    past = past_for(row.vm_id, row.source_id)
    return foretell(subject_of(row), plan.options, past, timezone.now()).model_dump()


def _is_given_up(row: Migration) -> bool:
    return Migration.objects.filter(pk=row.pk, cancel_requested_at__isnull=False).exists()


def _from_the_queue(lease: Lease, row: Migration) -> None:
    try:
        plan = plan_of(row)
    except CredentialLostError as error:
        state_change(row.pk, State.CHECKING, State.FAILED, lease=lease, failure=_failure_of(error))
        return
    driver = driver_for(driver_kind(row))
    # The hosts may take their time to answer: long enough for others to think that this worker was lost.
    with kept(lease):
        check = checked(row, driver, plan)
        if check.refusal is None and not _is_given_up(row):
            check = guarded(row, driver, plan, check, permit=lambda: lease_renew(lease))
    found: dict[str, Figure] = {
        "preflight": None if check.preflight is None else check.preflight.model_dump(mode="json")
    }
    asked = Migration.objects.values_list("cancel_requested_by", flat=True).get(pk=row.pk)
    if asked:
        state_change(row.pk, State.CHECKING, State.CANCELLED, lease=lease, by=asked, figures=found)
        return
    if check.refusal is not None:
        state_change(row.pk, State.CHECKING, State.FAILED, lease=lease, failure=check.refusal, figures=found)
        return
    # The intent is stored before the call; the renewal proves that the fence is still ours.
    intended: dict[str, Figure] = {
        "call_intended_at": timezone.now(),
        "command": check.command,
        "volumes": [{"path": each.path, "was_active": each.was_active} for each in check.volumes],
        "forecast": _foretold(row, plan),
        **found,
    }
    state_change(row.pk, State.CHECKING, State.PREPARING, lease=lease, figures=intended)
    row = _row(row.pk)
    plan = replace(plan, volumes=tuple(each.path for each in check.volumes))
    watching = Watching(lease, row, driver, plan)
    call = Call(driver, plan, permit=lambda: lease_renew(lease))
    call.begin()
    watching.follow(call)
