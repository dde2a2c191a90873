"""The one place where a guard's state is written, and what a driver is told of it.

As with moves, a state is changed only from the state that was seen, and the record and the event belong to the
same transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from xenweb.core.guard import AT_WORK, GUARD_ENDED, GuardState, Keeping, guard_advance
from xenweb.core.placement import Fact
from xenweb.drivers.contract import Endpoint
from xenweb.drivers.guards import GuardKeeper, GuardPlan, keeper_of
from xenweb.drivers.registry import driver_for
from xenweb.inventory.selectors import endpoint_of, endpoints_of_pool
from xenweb.livemigration.models import Guard
from xenweb.livemigration.plan import driver_kind
from xenweb.livemigration.recording import move_record
from xenweb.livemigration.transitions import migration_row, tell
from xenweb.realtime.publish import writing

Figure = str | int | datetime | None

RECORDED = frozenset({GuardState.KEPT, GuardState.FAILED, GuardState.FLAGGED, GuardState.REMOVED, GuardState.TAKING})
"""States that are written into the history; the others are steps on the way."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the history says of one change."""

    action: str
    outcome: str
    reason: str = ""
    request_id: str = ""


class GuardChangedError(Exception):
    """The guard is not as it was seen: somebody else cares for it."""


class AnotherAtWorkError(Exception):
    """Another guard of the pool is being worked on: one at a time changes its volume groups."""


def guard_row(guard: str) -> Guard | None:
    """Answer a guard with all that its plan needs."""
    rows = Guard.objects.select_related("host__pool", "migration__vm__team", "migration__vm__resident_on")
    return rows.select_related("migration__source__pool", "migration__target__pool").filter(pk=guard).first()


def guard_change(
    row: Guard,
    following: GuardState,
    *,
    by: str = "xenweb",
    sentence: str = "",
    told: Told | None = None,
    figures: Mapping[str, Figure] | None = None,
    facts: Mapping[str, Fact] | None = None,
) -> None:
    """Bring a guard from the state of ``row`` to the next one, and lay the change over ``row``.

    Raises GuardChangedError if it is not as it was seen, AnotherAtWorkError if its pool is taken, and
    ForbiddenGuardTransitionError if the table does not lead there.
    """
    seen = GuardState(row.state)
    guard_advance(seen, following)
    now = timezone.now()
    values: dict[str, Figure] = {"state": following, "sentence": sentence, **(figures or {})}
    if following in AT_WORK:
        values |= {"done": 0, "tried_at": None}
    if following in GUARD_ENDED:
        values["ended_at"] = now
    try:
        with writing():
            if not Guard.objects.filter(pk=row.pk, state=seen).update(**values):
                raise GuardChangedError(row.pk)
            if told is not None or following in RECORDED or facts:
                said = told or Told("guard_change", following.value, sentence)
                guard_record(row, by, said, {"from": seen.value, **(facts or {})})
            tell(migration_row(row.migration_id))
    except IntegrityError:
        raise AnotherAtWorkError(row.pk) from None
    for name, value in values.items():
        setattr(row, name, value)


def guard_record(row: Guard, by: str, told: Told, facts: Mapping[str, Fact]) -> None:
    """Record what was asked of a guard, or what it became."""
    move_record(
        row.migration,
        actor=by,
        action=told.action,
        outcome=told.outcome,
        reason=told.reason,
        facts={"guard": row.pk, "host": row.host.name, "disks": tuple(row.paths), **facts},
        request_id=told.request_id,
    )


def guard_progress(row: Guard, done: int, total: int) -> None:
    """Store how far a guard is, and tell it if that is news."""
    if (row.done, row.total) == (done, total):
        return
    row.done, row.total = done, total
    with writing():
        if Guard.objects.filter(pk=row.pk, state=row.state).update(done=done, total=total):
            tell(migration_row(row.migration_id))


def guard_plan(row: Guard) -> GuardPlan:
    """Build what a driver is told of a guard; raises CredentialLostError."""
    others = tuple(each for each in endpoints_of_pool(row.pool_id) if each.host != row.host_id)
    return GuardPlan(row.pk, row.migration.vm_uuid, endpoint_of(row.host), tuple(row.paths), others, row.with_memory)


def keeper_for(row: Guard) -> GuardKeeper | None:
    """Answer who keeps a guard."""
    return keeper_of(driver_for(driver_kind(row.migration)))


def keeping() -> Keeping:
    """Say how long guards are kept."""
    return Keeping(*settings.XENWEB_GUARDS_KEPT)


def home_of(row: Guard) -> Endpoint:
    """Answer the host that last had the guard's VM."""
    vm = row.migration.vm
    return endpoint_of(vm.resident_on if vm.resident_on is not None else row.host)
