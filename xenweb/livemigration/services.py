"""What people ask of moves: begin one, give one up. Each asks, judges, stores, records and tells."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from xenweb.accounts.policy import Action, Actor, decide
from xenweb.audit.services import record, refusals_recorded
from xenweb.core.facts import CardFacts, Kind, Maps, kind_for
from xenweb.core.maps import arriving, needs_of, suggested
from xenweb.core.migration import ACTIVE, CANCELLABLE, State
from xenweb.core.placement import Fact, Verdict
from xenweb.core.refusal import RefusalError
from xenweb.core.storage import Placed, copies
from xenweb.drivers.contract import MoveOptions
from xenweb.inventory.models import Host, VirtualMachine
from xenweb.inventory.selectors import host_row, obstacles_of, vm_row
from xenweb.inventory.services import vm_mark_moving
from xenweb.livemigration.doorbell import enqueue
from xenweb.livemigration.errors import (
    IdempotencyConflictError,
    MoveForbiddenError,
    NotCancellableError,
    NotPlaceableError,
    VmAlreadyMovingError,
)
from xenweb.livemigration.mapping import card_stored, disk_stored, maps_facts, maps_stored
from xenweb.livemigration.models import Migration
from xenweb.livemigration.offers import can_be_given_up
from xenweb.livemigration.options import options_check
from xenweb.livemigration.overriding import NO_OVERRIDE, Override, override_right_check, verdict_check
from xenweb.livemigration.queueing import tell_places
from xenweb.livemigration.recording import move_record
from xenweb.livemigration.remembering import remembered
from xenweb.livemigration.selectors import capabilities_for, facts_for_move, judged, migration_row_for, source_of
from xenweb.livemigration.transitions import LeaseLostError, is_before_call, migration_row, state_change, tell
from xenweb.livemigration.wiring import migration_wire
from xenweb.realtime.publish import writing
from xenweb.realtime.wire import MigrationWire

DEADLINE = "deadline"
"""Who gives a move up when nobody does: the requester's own wish, made beforehand."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to move a VM, as it was made."""

    actor: Actor
    vm: VirtualMachine
    target: Host
    options: MoveOptions
    deadline_s: int | None
    override: Override
    idempotency_key: str
    request_id: str
    maps: Maps | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found of a request: the verdict, what kind of move it is, what it copies and reconnects."""

    verdict: Verdict
    kind: Kind
    copied: tuple[Placed, ...]
    cards: tuple[tuple[CardFacts, str], ...]

    @property
    def is_vouched(self) -> bool:
        """Say whether the move rests on an administrator's word that storage is shared."""
        return any(finding.code == "sharing_vouched" for finding in self.verdict.findings)


def migration_request(
    actor: Actor,
    *,
    vm: str,
    target: str,
    options: MoveOptions,
    deadline_s: int | None = None,
    override: Override = NO_OVERRIDE,
    maps: Maps | None = None,
    idempotency_key: str = "",
    request_id: str = "",
) -> MigrationWire:
    """Judge a move again, store the intent and ring for a worker.

    ``maps`` say where disks and network cards go that cannot stay; they must be complete. None takes
    whatever is suggested, which is stored, so that nothing of it changes any more.

    A move that has not ended ``deadline_s`` seconds from now is given up.
    ``override`` sets aside the findings that it names, here and before the call.

    Raises VmNotFoundError or HostNotFoundError, MoveForbiddenError,
    OverrideForbiddenError, OverrideRefusedError, OptionRefusedError,
    VmAlreadyMovingError, NotPlaceableError or IdempotencyConflictError; a
    refusal is recorded and changes nothing else.
    """
    with refusals_recorded(actor.username, "migration_request", "vm", vm, request_id, target=target):
        row, host = vm_row(actor, vm), host_row(target)
    request = Request(actor, row, host, options, deadline_s, override, idempotency_key, request_id, maps)
    try:
        return _answered(request)
    except RefusalError as refusal:
        _record_request(request, "refused", "", refusal)
        raise


def _answered(request: Request) -> MigrationWire:
    earlier = _same_request(request)
    if earlier is None:
        try:
            return _store_request(request, _judge_request(request))
        except RefusalError:
            # The same key may have been stored by another hand since we looked.
            earlier = _same_request(request)
            if earlier is None:
                raise
    return migration_wire(earlier)


def _same_request(request: Request) -> Migration | None:
    """Find what the same key asked for before; raise IdempotencyConflictError if it differs."""
    if not request.idempotency_key:
        return None
    same = {"requested_by_id": request.actor.user_id, "idempotency_key": request.idempotency_key}
    earlier = Migration.objects.with_all().filter(**same).first()
    if earlier is not None and not _is_same(earlier, request):
        msg = "This Idempotency-Key was used for a different move."
        raise IdempotencyConflictError(msg, migration=earlier.pk)
    return earlier


def _is_same(row: Migration, request: Request) -> bool:
    """Say whether a move is what is asked for: the same VM and target, with the same options and override."""
    options, override = request.options, request.override
    deadline = None if row.deadline is None else round((row.deadline - row.requested_at).total_seconds())
    return (
        (row.vm_id, row.target_id, deadline) == (request.vm.pk, request.target.pk, request.deadline_s)
        and (row.bandwidth_limit, row.downtime_limit) == (options.bandwidth_limit, options.downtime_limit)
        and (row.auto_converge, row.post_copy, row.guard_wanted, row.guard_memory)
        == (options.auto_converge, options.post_copy, options.guard, options.guard_memory)
        and (row.override_codes, row.override_reason) == (list(override.codes), override.reason.strip())
        and row.asked_maps == maps_stored(request.maps)
    )


def _judge_request(request: Request) -> Judged:
    right = decide(request.actor, Action.MOVE_VM, request.vm.team_id)
    if not right.allowed:
        raise MoveForbiddenError(right.reason)
    override_right_check(request.actor, request.vm.team_id, request.override)
    _refuse_second_move(request.vm)
    facts, hosts = facts_for_move(request.vm)
    kind = kind_for(facts.state) or Kind.LIVE
    options_check(capabilities_for(request.vm), kind, request.options, request.deadline_s)
    known = remembered(request.vm.pk, timezone.now()).get(request.target.pk, ())
    target, source = hosts[request.target.pk], source_of(facts, hosts)
    maps = suggested(needs_of(facts, target, source)) if request.maps is None else request.maps
    verdict = judged(facts, hosts, target.id, (*obstacles_of(request.vm), *known), maps)
    verdict_check(verdict, request.override)
    return Judged(verdict, kind, tuple(copies(facts, target, maps)), arriving(facts, target, source, maps))


def _refuse_second_move(vm: VirtualMachine) -> None:
    other = Migration.objects.filter(vm=vm, state__in=ACTIVE).first()
    if other is not None:
        msg = f"{vm.name} is already moving to {other.target_name}."
        raise VmAlreadyMovingError(msg, migration=other.pk, target=other.target_name, asked_by=other.requested_by_name)


def _store_request(request: Request, judged: Judged) -> MigrationWire:
    vm, target = request.vm, request.target
    source = vm.resident_on
    if source is None:
        msg = f"No host is known to run {vm.name}."
        raise NotPlaceableError(msg)
    now = timezone.now()
    try:
        with writing():
            row = Migration.objects.create(
                vm=vm,
                vm_name=vm.name,
                vm_uuid=vm.uuid,
                vm_memory=vm.memory,
                source=source,
                source_name=source.name,
                target=target,
                target_name=target.name,
                hypervisor=target.version,
                requested_by_id=request.actor.user_id,
                requested_by_name=request.actor.username,
                requested_at=now,
                deadline=None if request.deadline_s is None else now + timedelta(seconds=request.deadline_s),
                idempotency_key=request.idempotency_key,
                bandwidth_limit=request.options.bandwidth_limit,
                downtime_limit=request.options.downtime_limit,
                auto_converge=request.options.auto_converge,
                post_copy=request.options.post_copy,
                guard_wanted=request.options.guard,
                guard_memory=request.options.guard_memory,
                trust_shared_storage=judged.is_vouched,
                override_codes=list(request.override.codes),
                override_reason=request.override.reason.strip(),
                kind=judged.kind,
                copied_disks=[disk_stored(each) for each in judged.copied],
                copied_bytes=sum(each.disk.capacity or 0 for each in judged.copied),
                cards=[card_stored(card, network) for card, network in judged.cards],
                asked_maps=maps_stored(request.maps),
            )
            _record_request(request, "allowed", row.pk, None, maps_facts(row))
            if not vm_mark_moving(vm.pk, row.pk):
                msg = f"A disk of {vm.name} is being moved."
                raise VmAlreadyMovingError(msg)
            row = state_change(row.pk, State.REQUESTED, State.QUEUED)
            transaction.on_commit(lambda: enqueue(row.pk))
            transaction.on_commit(tell_places, robust=True)
    except IntegrityError:
        # Somebody was faster: the database keeps one active move per VM, we only explain it.
        _refuse_second_move(vm)
        msg = f"{vm.name} is being moved by somebody else at this moment."
        raise VmAlreadyMovingError(msg) from None
    return migration_wire(row)


def _record_request(
    request: Request, outcome: str, migration: str, refusal: RefusalError | None, maps: dict[str, Fact] | None = None
) -> None:
    record(
        actor=request.actor.username,
        action="migration_request",
        outcome=outcome,
        subject_kind="vm",
        subject_id=request.vm.uuid,
        subject_name=request.vm.name,
        team=request.vm.team_id,
        team_name=request.vm.team.name if request.vm.team else "",
        reason=refusal.sentence if refusal else "",
        facts={
            "target": request.target.name,
            "migration": migration,
            "code": refusal.code if refusal else None,
            **_override_facts(request.override),
            **(maps or {}),
        },
        request_id=request.request_id,
    )


def _override_facts(override: Override) -> dict[str, Fact]:
    return {"overridden": override.codes, "override_reason": override.reason} if override else {}


def migration_cancel(actor: Actor, migration_id: str, request_id: str = "") -> MigrationWire:
    """Ask for a move to be given up; whoever drives it asks the hypervisor and proves the result.

    A move that has not reached the hypervisor ends at once; asking twice is asking
    once. Raises MigrationNotFoundError, MoveForbiddenError or NotCancellableError.
    """
    with refusals_recorded(actor.username, "migration_cancel", "migration", migration_id, request_id):
        row = migration_row_for(actor, migration_id)
    right = decide(actor, Action.MOVE_VM, row.vm.team_id)
    if not right.allowed:
        _record_cancel(actor.username, row, "refused", right.reason, request_id)
        raise MoveForbiddenError(right.reason)
    if row.state in CANCELLABLE and not can_be_given_up(row):
        msg = f"{row.source_name} knows no way to give up a move that is under way: on Xen that takes a probe."
        _record_cancel(actor.username, row, "refused", msg, request_id)
        raise NotCancellableError(msg, state=row.state)
    with writing():
        asked = Migration.objects.filter(pk=row.pk, state__in=sorted(CANCELLABLE), cancel_requested_at=None).update(
            cancel_requested_at=timezone.now(), cancel_requested_by=actor.username
        )
        if asked:
            _record_cancel(actor.username, row, "allowed", "", request_id)
            tell(migration_row(row.pk))
    row = migration_row(row.pk)
    if row.state not in ACTIVE:
        _record_cancel(actor.username, row, "refused", "The move had ended.", request_id)
        msg = f"This move has ended: {row.state}."
        raise NotCancellableError(msg, state=row.state)
    if row.cancel_requested_at is None:
        msg = f"A move that is {row.state.replace('_', ' ')} cannot be given up."
        _record_cancel(actor.username, row, "refused", msg, request_id)
        raise NotCancellableError(msg, state=row.state)
    return migration_wire(_cancelled_before_call(row, actor.username))


def overdue_cancel(now: datetime) -> None:
    """Give up every move whose deadline has passed, as its requester asked for beforehand."""
    overdue = Migration.objects.with_all().filter(
        state__in=sorted(CANCELLABLE), deadline__lt=now, cancel_requested_at=None
    )
    for row in overdue:
        with writing():
            asked = Migration.objects.filter(pk=row.pk, state__in=sorted(CANCELLABLE), cancel_requested_at=None)
            if not asked.update(cancel_requested_at=now, cancel_requested_by=DEADLINE):
                continue
            _record_cancel(DEADLINE, row, "allowed", "The move had not ended by its deadline.", "")
            tell(migration_row(row.pk))
        _cancelled_before_call(migration_row(row.pk), DEADLINE)


def _cancelled_before_call(row: Migration, by: str) -> Migration:
    if not is_before_call(row) or row.state == State.CHECKING:
        return row
    try:
        return state_change(row.pk, State(row.state), State.CANCELLED, by=by)
    except LeaseLostError:
        # A worker took it up this moment; it sees the request before it calls.
        return migration_row(row.pk)


def _record_cancel(by: str, row: Migration, outcome: str, reason: str, request_id: str) -> None:
    move_record(
        row,
        actor=by,
        action="migration_cancel",
        outcome=outcome,
        reason=reason,
        request_id=request_id,
    )
