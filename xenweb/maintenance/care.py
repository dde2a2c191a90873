"""Carry a maintenance on from wherever it stands: one step at a time, each of which may be the last of its process.

What is to be done follows from the rows alone, and what was done is believed only from the host's own inventory.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from xenweb.accounts.selectors import actor_for
from xenweb.core.maintenance import ENDED, MaintenanceState, Stage
from xenweb.core.migration import ACTIVE as MOVE_ACTIVE
from xenweb.core.refusal import RefusalError
from xenweb.drivers.contract import DriverError, HostSnapshot, MoveOptions, MoveRefusedError, NotSupportedError
from xenweb.drivers.registry import driver_for
from xenweb.drivers.switches import HostSwitch, switch_of
from xenweb.inventory.credentials import CredentialLostError
from xenweb.inventory.selectors import endpoint_of, is_running_anything
from xenweb.livemigration.selectors import migration_asked_as, takes_part
from xenweb.livemigration.services import migration_cancel, migration_request
from xenweb.maintenance.models import Maintenance, MaintenanceMove
from xenweb.maintenance.selectors import OPEN_STAGES
from xenweb.maintenance.transitions import (
    NO_DOUBT,
    Doubt,
    Hold,
    MaintenanceLostError,
    doubt_change,
    hold_release,
    hold_renew,
    hold_take,
    maintenance_change,
    maintenance_row,
    maintenance_tell,
)
from xenweb.maintenance.wiring import newest, stage

log = logging.getLogger(__name__)

S = MaintenanceState

LOOK_AFTER = timedelta(seconds=1)
"""A maintenance that was cared for is left alone for so long."""


def maintenances_due(now: datetime) -> list[str]:
    """List the maintenances that may go on and for which nobody cares at this moment."""
    is_free = Q(lease_until=None) | Q(lease_until__lt=now)
    is_time = Q(tried_at=None) | Q(tried_at__lt=now - LOOK_AFTER)
    return list(Maintenance.objects.filter(is_free, is_time, settled=False).values_list("pk", flat=True))


def maintenance_settle(maintenance_id: str, owner: str) -> None:
    """Carry one maintenance on by a step, if nobody else does."""
    hold = hold_take(maintenance_id, owner)
    if hold is None:
        return
    try:
        _go_on(maintenance_row(maintenance_id), hold)
    except MaintenanceLostError:
        log.info("maintenance %s went on by another hand", maintenance_id)
    finally:
        hold_release(hold)


def _go_on(row: Maintenance, hold: Hold) -> None:
    step = _STEPS.get(S(row.state))
    if row.host.removed and step is not None:
        maintenance_change(row.pk, S(row.state), S.FAILED, hold=hold, doubt=_host_gone(row))
    elif step is not None:
        step(row, hold)
    row = maintenance_row(row.pk)
    for move in row.moves.all():
        if stage(move) is Stage.TO_ASK and (move.back or row.state == S.MOVING):
            _ask_for(move, row, hold)
    row = maintenance_row(row.pk)
    maintenance_tell(row)
    if row.state in ENDED and not any(stage(move) in OPEN_STAGES for move in row.moves.all()):
        # What somebody asks for meanwhile says that it is not settled, after this.
        Maintenance.objects.filter(pk=row.pk, fence=hold.fence, told=row.told or "").update(settled=True)


def _host_gone(row: Maintenance) -> Doubt:
    return Doubt(
        "host_removed",
        f"{row.host_name} was taken off the board: nobody asks it any more whether it takes VMs.",
        "If it comes back, look in its pool whether it is enabled.",
    )


def _asked(row: Maintenance, hold: Hold) -> None:
    """Store that the hypervisor is about to be told, and whether another hand had done so before."""
    try:
        was_disabled = _look(row).enabled is False
    except (DriverError, CredentialLostError):
        was_disabled = False  # a silent host is met again, and told of, in the next step
    maintenance_change(
        row.pk,
        S.ASKED,
        S.CLOSING,
        hold=hold,
        values={"closing_intended_at": timezone.now(), "was_disabled": was_disabled},
    )


def _closing(row: Maintenance, hold: Hold) -> None:
    """Have the hypervisor take no more VMs, or where it knows no such thing hold to it alone."""
    seen = S(row.state)
    try:
        held, doubt = _told(row, hold, is_enabled=False)
    except (MoveRefusedError, NotSupportedError) as error:
        maintenance_change(row.pk, seen, S.FAILED, hold=hold, doubt=_doubt_of(error))
        return
    if doubt is None:
        maintenance_change(
            row.pk, seen, S.MOVING, hold=hold, values={"held_by_hypervisor": held, "closed_at": timezone.now()}
        )
    else:
        _in_doubt(row, doubt, hold)


def _opening(row: Maintenance, hold: Hold) -> None:
    """Give up what has not arrived, then have the hypervisor take VMs again."""
    _cancel_moves(row)
    seen = S(row.state)
    try:
        held, doubt = _told(row, hold, is_enabled=True)
    except (MoveRefusedError, NotSupportedError) as error:
        # It stays closed, and says why: whoever asked for the end wants it open, so it is tried again.
        doubt_change(row, _doubt_of(error), hold)
        return
    if doubt is None:
        maintenance_change(row.pk, seen, S.ENDED, hold=hold, values={"held_by_hypervisor": held})
    else:
        _in_doubt(row, doubt, hold)


def _uncertain(row: Maintenance, hold: Hold) -> None:
    (_closing if row.opening_intended_at is None else _opening)(row, hold)


def _in_doubt(row: Maintenance, doubt: Doubt, hold: Hold) -> None:
    if row.state == S.UNCERTAIN:
        doubt_change(row, doubt, hold)
    else:
        maintenance_change(row.pk, S(row.state), S.UNCERTAIN, hold=hold, doubt=doubt)


def _told(row: Maintenance, hold: Hold, *, is_enabled: bool) -> tuple[bool, Doubt | None]:
    """Tell the hypervisor what is to hold, unless it does, and believe only its own inventory.

    Answers whether it holds to it itself, and what is in doubt. Raises MoveRefusedError or NotSupportedError
    where it was refused and nothing has changed.
    """
    try:
        switch = switch_of(driver_for(row.host.pool.driver))
        if switch is None:
            return False, None
        if _look(row).enabled is not is_enabled:
            _switch(row, hold, switch, is_enabled=is_enabled)
            if _look(row).enabled is not is_enabled:
                return True, _unheeded(row, is_enabled=is_enabled)
    except (MoveRefusedError, NotSupportedError):
        raise
    except (DriverError, CredentialLostError) as error:
        return True, _doubt_of(error)
    return True, None


def _switch(row: Maintenance, hold: Hold, switch: HostSwitch, *, is_enabled: bool) -> None:
    endpoint = endpoint_of(row.host)
    # Last of all: whoever ended the maintenance meanwhile must not find the host closed behind its back.
    hold_renew(hold, S(row.state))
    switch.host_enable(endpoint, is_enabled=is_enabled)


def _unheeded(row: Maintenance, *, is_enabled: bool) -> Doubt:
    wish, fact = ("take VMs again", "does not") if is_enabled else ("take no more VMs", "still does")
    return Doubt(
        "not_heeded",
        f"{row.host_name} was told to {wish}, and its pool says that it {fact}.",
        "It is told again by itself. Look in the pool for who does the opposite.",
    )


def _doubt_of(error: DriverError | CredentialLostError) -> Doubt:
    words = error.own_words if isinstance(error, DriverError) else None
    return Doubt(error.code, error.sentence, error.remedy, words)


def _look(row: Maintenance) -> HostSnapshot:
    return driver_for(row.host.pool.driver).inventory(endpoint_of(row.host))


def _is_occupied(row: Maintenance) -> bool:
    """Say whether something runs on the host as far as the board knows, or is on its way from it or to it."""
    is_going = any(stage(move) in OPEN_STAGES for move in newest(row.moves.all()) if not move.back)
    return is_going or takes_part(row.host_id) or is_running_anything(row.host_id)


def _moving(row: Maintenance, hold: Hold) -> None:
    """Say that the host is empty once it says so itself."""
    if _is_occupied(row):
        return
    try:
        said = _look(row)
    except (DriverError, CredentialLostError) as error:
        doubt_change(row, _doubt_of(error), hold)
        return
    if not any(vm.active or vm.incoming for vm in said.vms):
        at_rest = tuple(vm.name for vm in said.vms)
        facts = {"at_rest": at_rest} if at_rest else {}
        maintenance_change(row.pk, S.MOVING, S.READY, hold=hold, values={"ready_at": timezone.now()}, facts=facts)
    elif row.failure_code:
        doubt_change(row, NO_DOUBT, hold)


def _ready(row: Maintenance, hold: Hold) -> None:
    """Take back that the host is empty when something runs there again, or more is to be sent away."""
    if _is_occupied(row):
        maintenance_change(row.pk, S.READY, S.MOVING, hold=hold, values={"ready_at": None})


_STEPS: dict[MaintenanceState, Callable[[Maintenance, Hold], None]] = {
    S.ASKED: _asked,
    S.CLOSING: _closing,
    S.MOVING: _moving,
    S.READY: _ready,
    S.OPENING: _opening,
    S.UNCERTAIN: _uncertain,
}


def _cancel_moves(row: Maintenance) -> None:
    """Give up, as whoever ended the maintenance, what can be given up; what cannot goes on to its own end."""
    actor = None if row.ended_by_id is None else actor_for(row.ended_by_id)
    for move in row.moves.all():
        asked = move.migration
        if actor is None or asked is None or move.back or asked.state not in MOVE_ACTIVE or asked.cancel_requested_at:
            continue
        try:
            migration_cancel(actor, asked.pk)
        except RefusalError as refusal:
            log.info("the move of %s goes on: %s", move.vm_name, refusal.sentence)


def _ask_for(move: MaintenanceMove, row: Maintenance, hold: Hold) -> None:
    """Ask for one move, as the person who wants it; asking again after a crash finds the same move by its key."""
    hold_renew(hold, S(row.state))
    rows, key = MaintenanceMove.objects.filter(pk=move.pk), f"maintenance-{move.pk}"
    asked_before = migration_asked_as(move.requested_by_id, key)
    if asked_before is not None:
        rows.update(migration_id=asked_before)
        return
    try:
        _refuse_stranger(move)
        actor = actor_for(move.requested_by_id)
        if actor is None:
            rows.update(refusal_code="requester_gone", refusal_sentence="Whoever asked for it has no account any more.")
            return
        wire = migration_request(
            actor,
            vm=str(move.vm_id),
            target=str(move.target_id),
            options=MoveOptions(),
            idempotency_key=key,
        )
    except RefusalError as refusal:
        rows.update(refusal_code=refusal.code, refusal_sentence=_in_full(refusal), refusal_remedy=refusal.remedy)
    else:
        rows.update(migration_id=wire.id)


def _in_full(refusal: RefusalError) -> str:
    """Say why, with what was found."""
    return " ".join([refusal.sentence, *(each.sentence for each in refusal.findings)])


class VmElsewhereError(RefusalError):
    """The VM is not where the plan found it: somebody has moved it meanwhile."""

    code = "vm_elsewhere"
    remedy = "Nothing to do, or plan again."


def _refuse_stranger(move: MaintenanceMove) -> None:
    """Refuse to move a VM from where it was not when the plan was made."""
    vm = move.vm
    if vm.resident_on_id != move.source_id:
        msg = f"{vm.name} is not on {move.source_name} any more."
        raise VmElsewhereError(msg)
