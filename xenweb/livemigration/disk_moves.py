"""Move one disk of a running VM to other storage: asked for, judged, begun once, watched, and proven by its own record.

Whoever cares for orphans looks at each until it has ended: a process that dies meanwhile costs nothing but time.
"""

import logging
from dataclasses import replace
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from xenweb.accounts.policy import Action, Actor, decide, visible_teams
from xenweb.audit.services import record, refusals_recorded
from xenweb.core.disk_move import (
    AT_WORK,
    ENDED,
    TRANSITIONS,
    DiskAt,
    DiskMoveState,
    DiskSeen,
    conclude_disk,
    judge_disk,
    other_places,
)
from xenweb.core.facts import DiskFacts
from xenweb.core.findings import Fact, OwnWords, own_words
from xenweb.core.quantities import Bytes
from xenweb.core.storage import free_for_copies
from xenweb.drivers.contract import CopiedDisk, DriverError, MigrationPlan, MoveOptions
from xenweb.drivers.disk_moves import DiskMover, mover_of
from xenweb.drivers.registry import driver_for
from xenweb.inventory.credentials import CredentialLostError
from xenweb.inventory.selectors import endpoint_of, vm_row
from xenweb.inventory.services import vm_let_go, vm_mark_moving
from xenweb.livemigration.errors import (
    DiskMoveNotCancellableError,
    DiskMoveNotFoundError,
    DiskNotPlaceableError,
    MoveForbiddenError,
    VmAlreadyMovingError,
)
from xenweb.livemigration.models import DiskMove
from xenweb.livemigration.queueing import disk_move_waits, tell_places
from xenweb.livemigration.selectors import facts_for_move, source_of
from xenweb.realtime.events import DiskMoveChanged
from xenweb.realtime.publish import publish, writing
from xenweb.realtime.wire import Figure, OwnWordsWire, finding_wire
from xenweb.realtime.wire_base import own_words_stored
from xenweb.realtime.wire_places import DiskMoveWire, PlaceWire, VmDiskWire

log = logging.getLogger(__name__)

KEPT_ON_BOARD = 12
UNPROVEN = "The host does not prove yet where the disk is."
LOST = (
    "The hypervisor has lost sight of this move: the disk is where it was, and may yet be moved. "
    "Cancel it only once the hypervisor is seen to do nothing about the disk any more."
)
GIVEN_UP_LOST = "It was given up although the hypervisor had lost sight of it: nobody proves that nothing goes on."
NOT_BEGUN = "The hypervisor does not know of this move: it was not begun, and the disk is where it was."


def disk_move_wire(row: DiskMove) -> DiskMoveWire:
    """Shape the move of a disk; ``cancellable`` says what its state allows."""
    is_active = row.state in AT_WORK
    return DiskMoveWire(
        id=row.pk,
        vm=row.vm_id,
        vm_name=row.vm_name,
        device=row.device,
        capacity=row.capacity,
        source_storage=row.source_name,
        target_storage=row.target_name,
        state=DiskMoveState(row.state).value,
        active=is_active,
        share=Figure(value=row.share, provenance="not_available" if row.share is None else "measured"),
        requested_by=row.requested_by_name,
        requested_at=row.requested_at,
        ended_at=row.ended_at,
        cancel_requested=row.cancel_requested_at is not None,
        cancellable=is_active and row.cancel_requested_at is None,
        sentence=row.sentence or None,
        own_words=row.own_words and OwnWordsWire.model_validate(row.own_words),
    )


def _visible(actor: Actor) -> QuerySet[DiskMove]:
    rows = DiskMove.objects.select_related("vm__team")
    teams = visible_teams(actor)
    return rows if teams is None else rows.filter(vm__team_id__in=teams)


def _personal(actor: Actor, row: DiskMove) -> DiskMoveWire:
    may = decide(actor, Action.MOVE_VM, row.vm.team_id).allowed
    wire = disk_move_wire(row)
    return wire if may else wire.model_copy(update={"cancellable": False})


def board_disk_moves_for(actor: Actor) -> list[DiskMoveWire]:
    """List the newest moves of disks, those under way among them."""
    return [_personal(actor, row) for row in _visible(actor)[:KEPT_ON_BOARD]]


def disk_move_for(actor: Actor, key: str) -> DiskMoveWire:
    """Answer one visible move of a disk; raise DiskMoveNotFoundError."""
    return _personal(actor, _row_for(actor, key))


def _row_for(actor: Actor, key: str) -> DiskMove:
    row = _visible(actor).filter(pk=key.replace("-", "").upper()).first()
    if row is None:
        raise DiskMoveNotFoundError
    return row


def vm_disks_for(actor: Actor, vm_key: str) -> list[VmDiskWire]:
    """List a VM's disks, where each can go, and what stands against it now; raise VmNotFoundError."""
    facts, hosts = facts_for_move(vm_row(actor, vm_key))
    host = source_of(facts, hosts)
    found = []
    for disk in facts.disks:
        places = other_places(disk, host) if host is not None else ()
        found.append(
            VmDiskWire(
                device=disk.device,
                capacity=disk.capacity,
                storage=disk.repository_name or None,
                places=[
                    PlaceWire(storage=each.id, name=each.name, free=free_for_copies(each, host) if host else None)
                    for each in places
                ],
                findings=[finding_wire(each) for each in judge_disk(facts, host, disk, None)],
            )
        )
    return found


def disk_move_request(actor: Actor, vm_key: str, device: str, storage: int, request_id: str = "") -> DiskMoveWire:
    """Judge the move of a disk and store the intent; it begins by itself, and the row says what becomes of it.

    Raises VmNotFoundError, DiskMoveNotFoundError, MoveForbiddenError, DiskNotPlaceableError or VmAlreadyMovingError.
    """
    asked: dict[str, Fact] = {"device": device, "storage": storage}
    with refusals_recorded(actor.username, "disk_move_request", "vm", vm_key, request_id, **asked):
        vm = vm_row(actor, vm_key)
        right = decide(actor, Action.MOVE_VM, vm.team_id)
        if not right.allowed:
            raise MoveForbiddenError(right.reason)
        facts, hosts = facts_for_move(vm)
        host = source_of(facts, hosts)
        disk = next((each for each in facts.disks if each.device == device), None)
        if disk is None:
            raise DiskMoveNotFoundError
        findings = judge_disk(facts, host, disk, storage)
        if findings or host is None:
            raise DiskNotPlaceableError(findings[0].sentence, findings=findings)
        target = next(each for each in host.repositories if each.id == storage)
        row = DiskMove(
            vm=vm,
            vm_name=vm.name,
            vm_uuid=vm.uuid,
            host_id=host.id,
            device=disk.device,
            path=disk.path,
            capacity=disk.capacity or 0,
            source_name=disk.repository_name,
            target_id=target.id,
            target_name=target.name,
            requested_by_name=actor.username,
            requested_at=timezone.now(),
        )
        _store(row, disk, request_id)
    return disk_move_wire(row)


def _store(row: DiskMove, disk: DiskFacts, request_id: str) -> None:
    busy = VmAlreadyMovingError(f"{row.vm_name}, or one of its disks, is already moving.")
    try:
        with writing():
            row.save(force_insert=True)
            if not vm_mark_moving(row.vm_id, row.pk):
                raise busy
            facts: dict[str, Fact] = {"path": disk.path, "bytes": row.capacity}
            _record(row, row.requested_by_name, "disk_move_request", "allowed", "", facts, request_id)
            _tell(row)
    except IntegrityError:
        raise busy from None


def disk_move_cancel(actor: Actor, key: str, request_id: str = "") -> DiskMoveWire:
    """Ask for a disk's move to be given up; asking twice is asking once.

    Raises DiskMoveNotFoundError, MoveForbiddenError or DiskMoveNotCancellableError.
    """
    with refusals_recorded(actor.username, "disk_move_cancel", "disk_move", key, request_id):
        row = _row_for(actor, key)
        right = decide(actor, Action.MOVE_VM, row.vm.team_id)
        if not right.allowed:
            raise MoveForbiddenError(right.reason)
        with writing():
            asked = DiskMove.objects.filter(pk=row.pk, state__in=sorted(AT_WORK), cancel_requested_at=None).update(
                cancel_requested_at=timezone.now(), cancel_requested_by=actor.username
            )
            row = _row_for(actor, key)
            if asked:
                _record(row, actor.username, "disk_move_cancel", "allowed", "", {}, request_id)
                _tell(row)
        if row.state not in AT_WORK:
            msg = f"This move has ended: {row.state}."
            raise DiskMoveNotCancellableError(msg, state=row.state)
    return disk_move_wire(row)


def disk_moves_due() -> list[str]:
    """List the moves of disks that have not ended."""
    return list(DiskMove.objects.filter(state__in=sorted(AT_WORK)).values_list("pk", flat=True))


def disk_move_settle(key: str) -> None:
    """Take a disk's move one step further: begin it, look at it, or end it with what is proven."""
    rows = DiskMove.objects.select_related("vm__team", "host__pool", "target")
    row = rows.filter(pk=key, state__in=sorted(AT_WORK)).first()
    if row is None:
        return
    mover = mover_of(driver_for(row.host.pool.driver))
    try:
        plan = _plan(row)
    except CredentialLostError as error:
        disk_move_change(
            row, DiskMoveState.FAILED if row.state == DiskMoveState.ASKED else DiskMoveState.UNCERTAIN, str(error)
        )
        return
    if mover is None:
        disk_move_change(row, DiskMoveState.FAILED, NOT_BEGUN)
    elif row.state == DiskMoveState.ASKED:
        _begin(row, mover, plan)
    else:
        _look(row, mover, plan)


def _plan(row: DiskMove) -> MigrationPlan:
    endpoint = endpoint_of(row.host)
    disk = CopiedDisk(row.device, row.path, Bytes(row.capacity), row.target.identity)
    return MigrationPlan(row.pk, row.vm_uuid, row.vm_name, endpoint, endpoint, MoveOptions(), copied_disks=(disk,))


def _begin(row: DiskMove, mover: DiskMover, plan: MigrationPlan) -> None:
    """Ask the hypervisor whether it would, store that it is about to be called, and only then call it."""
    if row.cancel_requested_at is not None:
        disk_move_change(row, DiskMoveState.CANCELLED, "")
        return
    if _waits(row):
        return
    try:
        findings = mover.disk_foresee(plan).findings
    except DriverError as error:
        disk_move_change(row, DiskMoveState.FAILED, error.sentence, words=error.own_words)
        return
    blockers = [each for each in findings if each.severity == "blocker"]
    if blockers:
        words = next((said for each in blockers if (said := own_words(dict(each.facts)))), None)
        disk_move_change(row, DiskMoveState.FAILED, " ".join(each.sentence for each in blockers), words=words)
    elif _take_turn(row):
        try:
            mover.disk_begin(plan)
        except DriverError as error:
            # What the answer does not say the disk's own record will: it is looked at from now on.
            log.warning("disk move %s: its call ended with: %s", row.pk, error.sentence)
            kept = own_words_stored(error.own_words)
            DiskMove.objects.filter(pk=row.pk).update(sentence=error.sentence, own_words=kept)


def _waits(row: DiskMove) -> bool:
    """Ask whether it is not this move's turn yet, and tell why not."""
    because = disk_move_waits(row.pk, timezone.now())
    if because != row.sentence:
        with writing():
            DiskMove.objects.filter(pk=row.pk, state=DiskMoveState.ASKED).update(sentence=because)
            _tell(DiskMove.objects.select_related("vm__team").get(pk=row.pk))
    return because != ""


def _take_turn(row: DiskMove) -> bool:
    """Store the intent if it still is this move's turn: asking and storing are one transaction, as with VMs."""
    with writing():
        now = timezone.now()
        return not disk_move_waits(row.pk, now) and disk_move_change(row, DiskMoveState.MOVING, "", at=now)


def _look(row: DiskMove, mover: DiskMover, plan: MigrationPlan) -> None:
    try:
        if row.cancel_requested_at is not None:
            mover.disk_give_up(plan)
    except DriverError as error:
        log.info("disk move %s goes on: %s", row.pk, error.sentence)
    try:
        seen = mover.disk_look(plan)
    except DriverError:
        seen = DiskSeen(DiskAt.NO_ANSWER)
    if row.share is not None and not (seen.busy or seen.has_ended):
        seen = replace(seen, is_lost=True)  # another process has seen it copy
    called = row.call_intended_at or row.requested_at
    following = conclude_disk(
        seen,
        cancel_asked=row.cancel_requested_at is not None,
        since_call=(timezone.now() - called).total_seconds(),
    )
    said = {
        DiskMoveState.UNCERTAIN: LOST if seen.is_lost and seen.at is DiskAt.SOURCE else UNPROVEN,
        DiskMoveState.FAILED: seen.cause or row.sentence or NOT_BEGUN,
        DiskMoveState.CANCELLED: GIVEN_UP_LOST if seen.is_lost else "",
    }
    if following == row.state:
        _note_share(row, seen)
        _note_doubt(row, said.get(following, ""))
        return
    disk_move_change(row, following, said.get(following, ""), words=seen.words)


def _note_doubt(row: DiskMove, sentence: str) -> None:
    """Tell that an uncertain move is uncertain for another reason than before."""
    if row.state != DiskMoveState.UNCERTAIN or row.sentence == sentence:
        return
    with writing():
        if DiskMove.objects.filter(pk=row.pk, state=row.state).update(sentence=sentence):
            row.sentence = sentence
            _tell(row)


def _note_share(row: DiskMove, seen: DiskSeen) -> None:
    share = None if seen.share is None else max(row.share or 0.0, round(seen.share, 2))
    if share is not None and share != row.share:
        with writing():
            if DiskMove.objects.filter(pk=row.pk, state=row.state).update(share=share):
                row.share = share
                _tell(row)


def disk_move_change(
    row: DiskMove,
    following: DiskMoveState,
    sentence: str,
    at: datetime | None = None,
    words: OwnWords | None = None,
) -> bool:
    """Change a state only from the one that was seen; answer whether it was. The VM is let go with the end."""
    seen = DiskMoveState(row.state)
    if following not in TRANSITIONS[seen]:
        return False
    values: dict[str, object] = {"state": following, "sentence": sentence}
    if sentence != row.sentence or words is not None:  # a pool's own words stay with the sentence that they explain
        values["own_words"] = own_words_stored(words)
    if at is not None:
        values["call_intended_at"] = at
    if following in ENDED:
        values["ended_at"] = timezone.now()
    if following is DiskMoveState.DONE:
        values["share"] = 1.0
    with writing():
        if not DiskMove.objects.filter(pk=row.pk, state=seen).update(**values):
            return False
        row = DiskMove.objects.select_related("vm__team").get(pk=row.pk)
        if following in ENDED:
            vm_let_go(row.vm_id, row.pk)
        action = "disk_move_start" if following is DiskMoveState.MOVING else "disk_move_outcome"
        outcome = "allowed" if following is DiskMoveState.MOVING else following.value
        _record(row, "xenweb", action, outcome, sentence, {"proven_by": "the disk's own record"}, "")
        _tell(row)
        transaction.on_commit(tell_places, robust=True)
    return True


def _tell(row: DiskMove) -> None:
    publish(DiskMoveChanged(disk_move=disk_move_wire(row)), team=row.vm.team_id)


def _record(
    row: DiskMove, by: str, action: str, outcome: str, reason: str, more: dict[str, Fact], request_id: str
) -> None:
    record(
        actor=by,
        action=action,
        outcome=outcome,
        subject_kind="vm",
        subject_id=row.vm_uuid,
        subject_name=row.vm_name,
        team=row.vm.team_id,
        team_name=row.vm.team.name if row.vm.team else "",
        reason=reason,
        facts={"disk_move": row.pk, "device": row.device, "from": row.source_name, "to": row.target_name, **more},
        request_id=request_id,
    )
