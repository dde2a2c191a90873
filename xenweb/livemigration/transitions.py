"""The one place where a move's state is written, and the lease that allows it.

A state is changed only from the state that was seen (compare-and-set), and only
by the process whose fence is current, so a process that slept through the loss
of its lease can do no harm when it wakes. The record, the event and the end of
the VM's move belong to the same transaction.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from xenweb.core.facts import PowerState
from xenweb.core.findings import OwnWords
from xenweb.core.migration import ACTIVE, ENDED, NOT_CALLED, State, advance
from xenweb.core.placement import Fact
from xenweb.inventory.services import vm_settle
from xenweb.livemigration.models import HeldVolume, LeftoverDisk, Migration, MigrationChoice
from xenweb.livemigration.recording import move_record
from xenweb.livemigration.wiring import migration_wire
from xenweb.realtime.events import MigrationChanged
from xenweb.realtime.publish import publish, writing
from xenweb.realtime.wire import PreflightWire
from xenweb.realtime.wire_base import own_words_stored

Figure = str | float | datetime | dict[str, object] | list[dict[str, object]] | None

HAD_ENDED = "The move had ended."

LEASE = timedelta(seconds=6)
"""A process that does not renew its lease for so long is taken to be dead."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drive one move until another process raises the fence."""

    migration: str
    owner: str
    fence: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a move ended otherwise than it was meant to."""

    code: str
    sentence: str
    remedy: str
    own_words: OwnWords | None = field(default=None, kw_only=True)

    @property
    def columns(self) -> dict[str, Figure]:
        """Answer what a row keeps of it."""
        return {
            "failure_code": self.code,
            "failure_sentence": self.sentence,
            "failure_remedy": self.remedy,
            "failure_own_words": own_words_stored(self.own_words),
        }


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proof found the VM and in which state: on one host, and provably not on the other."""

    resident_on: int
    not_on: int
    state: PowerState = PowerState.RUNNING


@dataclass(frozen=True, slots=True)
class LeftDisk:
    """A disk that a move leaves on a host, whole or in part; ``asked_by`` says who wants it gone at once."""

    host: int
    path: str
    size: int
    partial: bool
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class LeftVolume:
    """A logical volume that a move leaves active on a host where its VM is not."""

    host: int
    path: str


class LeaseLostError(Exception):
    """Another process drives this move now, or its state is not what was seen."""


def lease_take(migration_id: str, owner: str) -> Lease | None:
    """Take the lease of an active move if nobody holds it; answer None if somebody does."""
    # In one transaction: whoever stood still between the two statements would read its successor's fence.
    with writing():
        now = timezone.now()
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        taken = Migration.objects.filter(free, pk=migration_id, state__in=sorted(ACTIVE)).update(
            lease_owner=owner, lease_until=now + LEASE, fence=F("fence") + 1
        )
        if not taken:
            return None
        fence = Migration.objects.values_list("fence", flat=True).get(pk=migration_id)
    return Lease(migration_id, owner, fence)


def lease_renew(lease: Lease) -> None:
    """Keep the lease; raise LeaseLostError if it was lost. Call it before every side effect."""
    kept = Migration.objects.filter(pk=lease.migration, fence=lease.fence, state__in=sorted(ACTIVE)).update(
        lease_until=timezone.now() + LEASE
    )
    if not kept:
        raise LeaseLostError(lease.migration)


def lease_release(lease: Lease) -> None:
    """Give the lease back, so that the next look need not wait for its end."""
    Migration.objects.filter(pk=lease.migration, fence=lease.fence).update(lease_until=None, lease_owner="")


def state_change(
    migration_id: str,
    seen: State,
    following: State,
    *,
    lease: Lease | None = None,
    failure: Failure | None = None,
    place: Place | None = None,
    by: str = "xenweb",
    figures: Mapping[str, Figure] | None = None,
    facts: Mapping[str, Fact] | None = None,
    left: Iterable[LeftDisk] = (),
    held: Iterable[LeftVolume] = (),
) -> Migration:
    """Bring a move from the state that was seen to the next one.

    Writes the row, the audit record (with ``facts``), the event and, at an end, where the VM is,
    which disks it has left behind, which volumes active, and that what was still chosen comes too late.
    Raises ForbiddenTransitionError if the table does not lead there, and
    LeaseLostError if the row is not as it was seen.
    """
    advance(seen, following)
    now = timezone.now()
    values: dict[str, Figure] = {"state": following, "as_of": now, **(figures or {})}
    if failure is not None:
        values |= failure.columns
    if following in ENDED:
        values |= {"ended_at": now, "lease_until": None, "lease_owner": ""}
    fenced = {} if lease is None else {"fence": lease.fence}
    with writing():
        if not Migration.objects.filter(pk=migration_id, state=seen, **fenced).update(**values):
            raise LeaseLostError(migration_id)
        for disk in left:
            _note_left(migration_id, disk, now)
        for volume in held:
            HeldVolume.objects.update_or_create(
                host_id=volume.host,
                path=volume.path,
                released_at=None,
                defaults={"migration_id": migration_id, "since": now, "tried_at": None, "refusal": ""},
            )
        if following in ENDED:
            # Nobody looks at the choices of a move that has ended: what waits is answered now.
            MigrationChoice.objects.filter(migration_id=migration_id, applied_at=None, refusal="").update(
                refusal=HAD_ENDED
            )
        row = migration_row(migration_id)
        _settle(row, following, place)
        _record(row, following, by, facts or {})
        tell(row)
    return row


def doubt_change(migration_id: str, failure: Failure, *, lease: Lease) -> None:
    """Tell and record that an uncertain move is uncertain for another reason than before.

    Raises LeaseLostError if another process drives it now.
    """
    with writing():
        rows = Migration.objects.filter(pk=migration_id, state=State.UNCERTAIN, fence=lease.fence)
        row = rows.first()
        if row is None:
            raise LeaseLostError(migration_id)
        if (row.failure_code, row.failure_sentence) == (failure.code, failure.sentence):
            return
        rows.update(as_of=timezone.now(), **failure.columns)
        row = migration_row(migration_id)
        _record(row, State.UNCERTAIN, "xenweb", {})
        tell(row)


def migration_row(migration_id: str) -> Migration:
    """Load a move with all that its wire shape needs."""
    return Migration.objects.with_all().get(pk=migration_id)


def tell(row: Migration) -> None:
    """Publish a move as it is now, to those who may see its VM."""
    publish(MigrationChanged(migration=migration_wire(row)), team=row.vm.team_id)


def _note_left(migration_id: str, disk: LeftDisk, now: datetime) -> None:
    """List a disk as left behind; one that an earlier move has left at the same place is the same disk."""
    LeftoverDisk.objects.update_or_create(
        host_id=disk.host,
        path=disk.path,
        removed_at=None,
        defaults={
            "migration_id": migration_id,
            "size": disk.size,
            "partial": disk.partial,
            "since": now,
            "refusal": "",
            "asked_at": now if disk.asked_by else None,
            "asked_by": disk.asked_by,
        },
    )


def _settle(row: Migration, following: State, place: Place | None) -> None:
    if following not in ENDED:
        return
    if place is None:
        vm_settle(row.vm_id, None, None)
    else:
        vm_settle(row.vm_id, place.resident_on, place.not_on, place.state)


def _record(row: Migration, following: State, by: str, more: Mapping[str, Fact]) -> None:
    action = "migration_outcome"
    if following is State.PREPARING:
        action = "migration_start"
    elif following not in ENDED and following is not State.UNCERTAIN:
        return
    facts: dict[str, Fact] = {
        "vm": row.vm_name,
        "vm_uuid": row.vm_uuid,
        "kind": row.kind,
        "copied_bytes": row.copied_bytes,
        "source": row.source_name,
        "target": row.target_name,
        "downtime_ms": row.downtime,
        "total_ms": row.total,
        **more,
    }
    if row.failure_own_words is not None:
        facts |= {"pool_code": row.failure_own_words["code"], "pool_params": tuple(row.failure_own_words["params"])}
    if following is State.PREPARING or row.call_intended_at is None:
        facts |= _preflight_facts(row)
    move_record(
        row,
        actor=by,
        action=action,
        outcome="allowed" if following is State.PREPARING else following.value,
        reason=row.failure_sentence,
        facts=facts,
    )


def _preflight_facts(row: Migration) -> dict[str, Fact]:
    """Say what was found before the call, how long before it, and what of that was overridden."""
    if row.preflight is None:
        return {}
    said = PreflightWire.model_validate(row.preflight)
    age = None if row.call_intended_at is None else row.call_intended_at - said.taken_at
    facts: dict[str, Fact] = {"checked_ms_before_call": None if age is None else round(age.total_seconds() * 1000)}
    facts["findings"] = tuple(f"{each.severity} {each.code}: {each.sentence}" for each in said.findings)
    if row.override_codes:
        facts |= {"overridden": tuple(row.override_codes), "override_reason": row.override_reason}
    return facts


def is_before_call(row: Migration) -> bool:
    """Say whether a move has provably not reached the hypervisor."""
    return State(row.state) in NOT_CALLED and row.call_intended_at is None
