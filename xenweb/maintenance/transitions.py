"""The one place where a maintenance's state is written, and the lease of whoever cares for it.

As with moves: a state is changed only from the state that was seen, and by the process whose fence is current.
The record, the event and the mark on the host belong to the same transaction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from xenweb.audit.services import record
from xenweb.core.findings import OwnWords
from xenweb.core.maintenance import ENDED, MaintenanceState, advance
from xenweb.core.placement import Fact
from xenweb.inventory.services import host_mark_maintenance
from xenweb.maintenance.models import Maintenance
from xenweb.maintenance.wiring import digest, maintenance_wire
from xenweb.realtime.events import MaintenanceChanged
from xenweb.realtime.publish import publish, writing
from xenweb.realtime.wire_base import own_words_stored

Value = str | int | bool | datetime | dict[str, object] | None

LEASE = timedelta(seconds=20)
"""A process that does not renew its lease for so long is taken to be dead."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The right to care for one maintenance until another process raises the fence."""

    maintenance: str
    fence: int


@dataclass(frozen=True, slots=True)
class Doubt:
    """What went wrong, or is not known."""

    code: str
    sentence: str
    remedy: str
    own_words: OwnWords | None = None


NO_DOUBT = Doubt("", "", "")


class MaintenanceLostError(Exception):
    """Another process cares for this maintenance now, or its state is not what was seen."""


def hold_take(maintenance_id: str, owner: str) -> Hold | None:
    """Take the lease if nobody holds it; answer None if somebody does."""
    with writing():
        now = timezone.now()
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        taken = Maintenance.objects.filter(free, pk=maintenance_id).update(
            lease_owner=owner, lease_until=now + LEASE, fence=F("fence") + 1
        )
        if not taken:
            return None
        fence = Maintenance.objects.values_list("fence", flat=True).get(pk=maintenance_id)
    return Hold(maintenance_id, fence)


def hold_renew(hold: Hold, seen: MaintenanceState) -> None:
    """Keep the lease, and prove that the state is still what was seen; call it right before a side effect.

    Raises MaintenanceLostError if either was lost.
    """
    rows = Maintenance.objects.filter(pk=hold.maintenance, fence=hold.fence, state=seen)
    if not rows.update(lease_until=timezone.now() + LEASE):
        raise MaintenanceLostError(hold.maintenance)


def hold_release(hold: Hold) -> None:
    """Give the lease back, and note when it was last cared for."""
    rows = Maintenance.objects.filter(pk=hold.maintenance, fence=hold.fence)
    rows.update(lease_until=None, lease_owner="", tried_at=timezone.now())


def holds_of_the_dead_release(is_proven_dead: Callable[[str], bool]) -> None:
    """Give back the leases whose owners are proven dead: nobody need wait for their end."""
    held = Maintenance.objects.exclude(lease_owner="").values_list("pk", "lease_owner", "fence")
    for pk, owner, fence in held:
        if is_proven_dead(owner):
            hold_release(Hold(pk, fence))


def maintenance_change(
    maintenance_id: str,
    seen: MaintenanceState,
    following: MaintenanceState,
    *,
    hold: Hold | None = None,
    by: str = "xenweb",
    doubt: Doubt = NO_DOUBT,
    values: Mapping[str, Value] | None = None,
    facts: Mapping[str, Fact] | None = None,
    request_id: str = "",
) -> Maintenance:
    """Bring a maintenance from the state that was seen to the next one.

    Raises ForbiddenMaintenanceError if the table does not lead there, and MaintenanceLostError if the row is
    not as it was seen.
    """
    advance(seen, following)
    now = timezone.now()
    written: dict[str, Value] = {"state": following, "settled": False, **(values or {}), **_columns(doubt)}
    if following in ENDED:
        written["ended_at"] = now
    fenced = {} if hold is None else {"fence": hold.fence}
    with writing():
        if not Maintenance.objects.filter(pk=maintenance_id, state=seen, **fenced).update(**written):
            raise MaintenanceLostError(maintenance_id)
        row = maintenance_row(maintenance_id)
        _mark(row, following)
        action, outcome = _RECORDED[following]
        maintenance_record(
            row, actor=by, action=action, outcome=outcome, reason=doubt.sentence, facts=facts, request_id=request_id
        )
        maintenance_tell(row)
    return row


def doubt_change(row: Maintenance, doubt: Doubt, hold: Hold) -> None:
    """Tell what is wrong, or that nothing is any more, without a change of the state; raise MaintenanceLostError."""
    if (row.failure_code, row.failure_sentence) == (doubt.code, doubt.sentence):
        return
    with writing():
        rows = Maintenance.objects.filter(pk=row.pk, state=row.state, fence=hold.fence)
        if not rows.update(**_columns(doubt)):
            raise MaintenanceLostError(row.pk)
        maintenance_tell(maintenance_row(row.pk))


def _columns(doubt: Doubt) -> dict[str, Value]:
    return {
        "failure_code": doubt.code,
        "failure_sentence": doubt.sentence,
        "failure_remedy": doubt.remedy,
        "failure_own_words": own_words_stored(doubt.own_words),
    }


def maintenance_row(maintenance_id: str) -> Maintenance:
    """Load a maintenance with all that its wire shape needs."""
    return Maintenance.objects.with_all().get(pk=maintenance_id)


def maintenance_tell(row: Maintenance) -> None:
    """Publish a maintenance if it is not as it was told last, to those who see every VM."""
    wire = maintenance_wire(row)
    news = digest(wire)
    with writing():
        if Maintenance.objects.filter(pk=row.pk).exclude(told=news).update(told=news):
            publish(MaintenanceChanged(maintenance=wire))


def _mark(row: Maintenance, following: MaintenanceState) -> None:
    """Write on the host what holds for it from now on."""
    if following in ENDED:
        is_open = True if following is MaintenanceState.ENDED and row.held_by_hypervisor else None
        host_mark_maintenance(row.host_id, "", takes_vms=is_open)
    elif following is MaintenanceState.MOVING and row.held_by_hypervisor:
        host_mark_maintenance(row.host_id, row.pk, takes_vms=False)


_RECORDED = {
    MaintenanceState.CLOSING: ("host_close", "allowed"),
    MaintenanceState.MOVING: ("host_close", "done"),
    MaintenanceState.READY: ("host_empty", "done"),
    MaintenanceState.UNCERTAIN: ("maintenance_outcome", "uncertain"),
    MaintenanceState.OPENING: ("maintenance_end", "allowed"),
    MaintenanceState.ENDED: ("maintenance_outcome", "done"),
    MaintenanceState.FAILED: ("maintenance_outcome", "failed"),
}
"""What the history calls each step: its action and its outcome."""


def maintenance_record(
    row: Maintenance,
    *,
    actor: str,
    action: str,
    outcome: str,
    reason: str = "",
    facts: Mapping[str, Fact] | None = None,
    request_id: str = "",
) -> None:
    """Record what was done to a maintenance; call it inside the transaction of the write it tells of."""
    record(
        actor=actor,
        action=action,
        outcome=outcome,
        subject_kind="maintenance",
        subject_id=row.pk,
        subject_name=row.host_name,
        reason=reason,
        facts={"host": row.host_name, **(facts or {})},
        request_id=request_id,
    )
