"""What people ask of maintenances: begin one, send more VMs away, end it, bring VMs back.

Each judges, stores, records and tells; what is stored is carried out by ``care``, whoever dies meanwhile.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import IntegrityError
from django.utils import timezone

from xenweb.accounts.policy import Actor
from xenweb.audit.services import refusals_recorded
from xenweb.core.evacuation import Placing, Staying
from xenweb.core.maintenance import ENDABLE, MaintenanceState
from xenweb.core.placement import Finding
from xenweb.inventory.models import Host
from xenweb.inventory.selectors import host_row
from xenweb.inventory.services import host_mark_maintenance
from xenweb.maintenance.errors import AlreadyInMaintenanceError, MaintenanceStateError, PlanRefusedError
from xenweb.maintenance.models import Maintenance, MaintenanceMove
from xenweb.maintenance.selectors import (
    OPEN_STAGES,
    Planned,
    maintenance_row_for,
    plan_for,
    return_planned,
    right_check,
    wishes_of,
)
from xenweb.maintenance.transitions import (
    MaintenanceLostError,
    maintenance_change,
    maintenance_record,
    maintenance_row,
    maintenance_tell,
)
from xenweb.maintenance.wiring import maintenance_wire, newest, stage
from xenweb.realtime.maintenance_wire import MaintenanceWire
from xenweb.realtime.publish import writing
from xenweb.realtime.wire import finding_wire

TRIES = 5
"""So often a state that changes at this very moment is looked at again."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asks, and as which request."""

    actor: Actor
    request_id: str


def maintenance_begin(
    actor: Actor, key: str, *, moves: Mapping[str, str], reason: str = "", request_id: str = ""
) -> MaintenanceWire:
    """Take a host out of service and send these VMs to these hosts, by their keys; all others stay where they are.

    Every move is judged again, all together. Raises HostNotFoundError, VmNotFoundError, MaintenanceForbiddenError,
    AlreadyInMaintenanceError or PlanRefusedError; a refusal is recorded and changes nothing else.
    """
    with refusals_recorded(actor.username, "maintenance_begin", "host", key, request_id):
        right_check(actor)
        host = host_row(key)
        _refuse_second(host)
        wishes = wishes_of(actor, moves)
        made = plan_for(host, wishes, rest_stays=True)
        _refuse_unplaceable(host.name, wishes, made)
        return _begun(_Asked(actor, request_id), host, made, reason.strip())


def _refuse_second(host: Host) -> None:
    if host.maintenance:
        msg = f"{host.name} is in maintenance already."
        raise AlreadyInMaintenanceError(msg, maintenance=host.maintenance)


def _refuse_unplaceable(host: str, wishes: Mapping[int, int | None], made: Planned) -> None:
    """Refuse a choice that cannot be made, with every reason."""
    if set(wishes) - set(made.vms):
        msg = f"A chosen VM is not on {host} any more."
        raise PlanRefusedError(msg)
    refused = [stay for stay in made.plan.stays if wishes.get(stay.vm.id) is not None]
    if refused:
        names = ", ".join(stay.vm.name for stay in refused)
        msg = f"Not every VM can go where it was to go: {names}."
        raise PlanRefusedError(msg, findings=_findings(refused))


def _findings(stays: Iterable[Staying]) -> tuple[Finding, ...]:
    return tuple({each.sentence: each for stay in stays for each in stay.findings}.values())


def _begun(asked: _Asked, host: Host, made: Planned, reason: str) -> MaintenanceWire:
    actor = asked.actor
    try:
        with writing():
            row = Maintenance.objects.create(
                host=host,
                host_name=host.name,
                reason=reason,
                requested_by_id=actor.user_id,
                requested_by_name=actor.username,
                requested_at=timezone.now(),
                stays=[_stay(each) for each in made.plan.stays],
            )
            _moves_store(row, actor, made.plan.moves, made)
            maintenance_record(
                row,
                actor=actor.username,
                action="maintenance_begin",
                outcome="allowed",
                reason=reason,
                facts=_plan_facts(made),
                request_id=asked.request_id,
            )
            host_mark_maintenance(host.pk, row.pk)
            row = maintenance_row(row.pk)
            maintenance_tell(row)
    except IntegrityError:
        # Somebody was faster: the database keeps one maintenance per host, we only explain it.
        msg = f"{host.name} is being taken out of service by somebody else at this moment."
        raise AlreadyInMaintenanceError(msg) from None
    return maintenance_wire(row)


def _plan_facts(made: Planned) -> dict[str, tuple[str, ...]]:
    return {
        "moves": tuple(f"{move.vm.name} to {made.hosts[move.target].name}" for move in made.plan.moves),
        "stays": tuple(f"{stay.vm.name}: {stay.findings[0].sentence}" for stay in made.plan.stays),
    }


def _stay(stay: Staying) -> dict[str, object]:
    findings = [finding_wire(each).model_dump(mode="json") for each in stay.findings]
    return {"vm": stay.vm.id, "vm_name": stay.vm.name, "left": stay.is_left, "findings": findings}


def _moves_store(
    row: Maintenance, actor: Actor, moves: Iterable[Placing], made: Planned, *, back: bool = False
) -> None:
    """Store moves in the order in which they are to be asked for."""
    now = timezone.now()
    for move in moves:
        source = made.vms[move.vm.id].resident_on
        if source is None:
            continue
        MaintenanceMove.objects.create(
            maintenance=row,
            vm_id=move.vm.id,
            vm_name=move.vm.name,
            source=source,
            source_name=source.name,
            target_id=move.target,
            target_name=made.hosts[move.target].name,
            back=back,
            why=move.why.sentence,
            requested_by_id=actor.user_id,
            requested_at=now,
        )
    Maintenance.objects.filter(pk=row.pk).update(settled=False)


def maintenance_moves_add(
    actor: Actor, maintenance_id: str, moves: Mapping[str, str], request_id: str = ""
) -> MaintenanceWire:
    """Send more VMs away, or try again those whose move did not come about.

    Raises MaintenanceNotFoundError, MaintenanceForbiddenError, VmNotFoundError, HostNotFoundError,
    MaintenanceStateError or PlanRefusedError; each is recorded.
    """
    with refusals_recorded(actor.username, "maintenance_moves", "maintenance", maintenance_id, request_id):
        right_check(actor)
        row = maintenance_row_for(actor, maintenance_id)
        wishes = wishes_of(actor, moves)
        made = plan_for(row.host, wishes, only=wishes)
        _refuse_unplaceable(row.host_name, wishes, made)
        with writing():
            row = maintenance_row(row.pk)
            if row.state not in ENDABLE:
                msg = f"The maintenance of {row.host_name} has ended, or is ending: nothing more is sent away."
                raise MaintenanceStateError(msg, state=row.state)
            _refuse_open(row, wishes, back=False)
            return _added(row, _Asked(actor, request_id), "maintenance_moves", made, back=False)


def _refuse_open(row: Maintenance, vms: Iterable[int], *, back: bool) -> None:
    """Refuse a second move of a VM whose first has not ended."""
    wanted = set(vms)
    for each in newest(row.moves.all()):
        if each.vm_id in wanted and each.back is back and stage(each) in OPEN_STAGES:
            msg = f"The move of {each.vm_name} has not ended yet."
            raise MaintenanceStateError(msg, vm=each.vm_name)


def _added(row: Maintenance, asked: _Asked, action: str, made: Planned, *, back: bool) -> MaintenanceWire:
    _moves_store(row, asked.actor, made.plan.moves, made, back=back)
    maintenance_record(
        row,
        actor=asked.actor.username,
        action=action,
        outcome="allowed",
        facts=_plan_facts(made),
        request_id=asked.request_id,
    )
    row = maintenance_row(row.pk)
    maintenance_tell(row)
    return maintenance_wire(row)


def maintenance_end(actor: Actor, maintenance_id: str, request_id: str = "") -> MaintenanceWire:
    """Put a host back into service; what has not been moved yet is not moved any more.

    Moves that can still be given up are. Raises MaintenanceNotFoundError, MaintenanceForbiddenError or
    MaintenanceStateError; each is recorded.
    """
    with refusals_recorded(actor.username, "maintenance_end", "maintenance", maintenance_id, request_id):
        right_check(actor)
        row = maintenance_row_for(actor, maintenance_id)
        for _ in range(TRIES):
            if row.state not in ENDABLE:
                break
            try:
                return maintenance_wire(_ending(row, _Asked(actor, request_id)))
            except MaintenanceLostError:
                row = maintenance_row(row.pk)  # it went on in this very moment
        msg = f"The maintenance of {row.host_name} has ended, or is ending."
        raise MaintenanceStateError(msg, state=row.state)


def _ending(row: Maintenance, asked: _Asked) -> Maintenance:
    with writing():
        # First what was not asked for: the row of the state that follows tells of it.
        MaintenanceMove.objects.filter(maintenance=row, migration=None, refusal_code="").update(
            refusal_code="maintenance_ended",
            refusal_sentence="The maintenance was ended before this move was asked for.",
            refusal_remedy="Nothing to do: the VM has stayed where it was.",
        )
        return maintenance_change(
            row.pk,
            MaintenanceState(row.state),
            MaintenanceState.OPENING,
            by=asked.actor.username,
            values={
                "opening_intended_at": timezone.now(),
                "ended_by_id": asked.actor.user_id,
                "ended_by_name": asked.actor.username,
            },
            facts={"was": row.state},
            request_id=asked.request_id,
        )


def maintenance_return(actor: Actor, maintenance_id: str, vms: Iterable[str], request_id: str = "") -> MaintenanceWire:
    """Bring VMs back to the host that an ended maintenance sent them away from.

    Raises MaintenanceNotFoundError, MaintenanceForbiddenError, VmNotFoundError, MaintenanceStateError or
    PlanRefusedError; each is recorded.
    """
    with refusals_recorded(actor.username, "maintenance_return", "maintenance", maintenance_id, request_id):
        right_check(actor)
        row = maintenance_row_for(actor, maintenance_id)
        wanted = wishes_of(actor, dict.fromkeys(vms))
        made = return_planned(row, wanted)
        _refuse_unplaceable(row.host_name, dict.fromkeys(wanted, row.host_id), made)
        with writing():
            row = maintenance_row(row.pk)
            _refuse_open(row, wanted, back=True)
            return _added(row, _Asked(actor, request_id), "maintenance_return", made, back=True)
