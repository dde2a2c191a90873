"""Read maintenances, and plan them; nothing here writes."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from xenweb.accounts.policy import Action, Actor, decide, visible_teams
from xenweb.core.evacuation import Leaver, Plan, planned
from xenweb.core.facts import HostFacts
from xenweb.core.findings import Finding
from xenweb.core.maintenance import ACTIVE, MaintenanceState, Stage
from xenweb.drivers.contract import DriverError, DriverUnavailableError
from xenweb.drivers.registry import driver_for
from xenweb.drivers.switches import stay_teller_of, switch_of
from xenweb.inventory.credentials import CredentialLostError
from xenweb.inventory.models import Host, VirtualMachine
from xenweb.inventory.selectors import endpoint_of, host_row, hosts_facts, obstacles_of, vm_facts, vm_ids_of, vm_rows_on
from xenweb.livemigration.remembering import remembered_of
from xenweb.livemigration.selectors import arriving_on, promises
from xenweb.maintenance.errors import MaintenanceForbiddenError, MaintenanceNotFoundError, MaintenanceStateError
from xenweb.maintenance.models import Maintenance, MaintenanceMove
from xenweb.maintenance.wiring import maintenance_wire, newest, plan_hosts_wire, planned_move_wire, stage, staying_wire
from xenweb.realtime.maintenance_wire import MaintenancePlanWire, MaintenanceWire, ReturnPlanWire

KEPT_ON_BOARD = 6
"""So many ended maintenances stay in the snapshot of the board."""

OPEN_STAGES = frozenset({Stage.TO_ASK, Stage.WAITING, Stage.MOVING, Stage.UNCERTAIN})


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, the facts that it rests on, and the VMs that it is of."""

    plan: Plan
    hosts: dict[int, HostFacts]
    vms: dict[int, VirtualMachine]


def right_check(actor: Actor) -> None:
    """Raise MaintenanceForbiddenError if a person may not take hosts out of service."""
    right = decide(actor, Action.MANAGE_HOSTS)
    if not right.allowed:
        raise MaintenanceForbiddenError(right.reason)


def _visible(actor: Actor) -> QuerySet[Maintenance]:
    """Show them to who sees every VM: a maintenance names all that its host has."""
    rows = Maintenance.objects.with_all()
    return rows if visible_teams(actor) is None else rows.none()


def _personal(actor: Actor, row: Maintenance) -> MaintenanceWire:
    wire = maintenance_wire(row)
    may = decide(actor, Action.MANAGE_HOSTS).allowed
    return wire if may else wire.model_copy(update={"endable": False})


def maintenance_row_for(actor: Actor, maintenance_id: str) -> Maintenance:
    """Answer one visible maintenance's row; raise MaintenanceNotFoundError."""
    row = _visible(actor).filter(pk=maintenance_id.replace("-", "").upper()).first()
    if row is None:
        raise MaintenanceNotFoundError
    return row


def maintenance_for(actor: Actor, maintenance_id: str) -> MaintenanceWire:
    """Answer one maintenance; raise MaintenanceNotFoundError for foreign and unknown alike."""
    return _personal(actor, maintenance_row_for(actor, maintenance_id))


def maintenances_for(
    actor: Actor, *, cursor: str | None = None, limit: int = 50
) -> tuple[list[MaintenanceWire], str | None]:
    """List maintenances, newest first, and the cursor of the next page (None at the end)."""
    rows = _visible(actor)
    if cursor is not None:
        after = maintenance_row_for(actor, cursor)
        rows = rows.filter(Q(requested_at__lt=after.requested_at) | Q(requested_at=after.requested_at, pk__lt=after.pk))
    page = list(rows[: limit + 1])
    following = page[limit - 1].pk if len(page) > limit else None
    return [_personal(actor, row) for row in page[:limit]], following


def board_maintenances_for(actor: Actor) -> list[MaintenanceWire]:
    """List the maintenances that have not ended and the newest ended ones."""
    if visible_teams(actor) is not None:
        return []
    ended = Maintenance.objects.exclude(state__in=ACTIVE).values_list("pk", flat=True)[:KEPT_ON_BOARD]
    rows = _visible(actor).filter(Q(state__in=ACTIVE) | Q(pk__in=list(ended)))
    return [_personal(actor, row) for row in rows]


def _leavers(
    vms: Iterable[VirtualMachine], hosts: Mapping[int, HostFacts], staying: Mapping[str, Finding] | None = None
) -> list[Leaver]:
    rows = list(vms)
    known = remembered_of([vm.pk for vm in rows], timezone.now())
    return [
        Leaver(vm_facts(vm), hosts[vm.resident_on_id], _obstacles(vm, staying or {}), known[vm.pk])
        for vm in rows
        if vm.resident_on_id is not None and vm.resident_on_id in hosts
    ]


def _obstacles(vm: VirtualMachine, staying: Mapping[str, Finding]) -> tuple[Finding, ...]:
    noted, asked = obstacles_of(vm), staying.get(vm.uuid)
    return noted if asked is None or asked.code in {each.code for each in noted} else (asked, *noted)


def _staying_on(host: Host) -> Mapping[str, Finding]:
    """Ask the hypervisor which VMs of a host it would move nowhere; of one that does not answer nothing is known."""
    with suppress(DriverError, CredentialLostError):
        teller = stay_teller_of(driver_for(host.pool.driver))
        if teller is not None:
            return teller.staying(endpoint_of(host))
    return {}


def _facts() -> dict[int, HostFacts]:
    return hosts_facts(timezone.now(), promises(), settings.XENWEB_MOVES[0])


def plan_for(
    host: Host, wishes: Mapping[int, int | None], *, rest_stays: bool = False, only: Iterable[int] | None = None
) -> Planned:
    """Plan where the VMs of a host go; ``only`` some of them, where not all.

    Of VMs that nobody wished anything for we choose where they go, or with ``rest_stays`` leave them. The hypervisor
    itself is asked, where it can be, which of them it would move nowhere.
    """
    hosts = _facts()
    wanted = None if only is None else set(only)
    rows = [vm for vm in vm_rows_on(host.pk) if wanted is None or vm.pk in wanted]
    wished = {**dict.fromkeys((vm.pk for vm in rows), None), **wishes} if rest_stays else wishes
    plan = planned(_leavers(rows, hosts, _staying_on(host)), hosts.values(), wished)
    return Planned(plan, hosts, {vm.pk: vm for vm in rows})


def wishes_of(actor: Actor, choices: Mapping[str, str | None]) -> dict[int, int | None]:
    """Read a person's choices, by keys; raise VmNotFoundError or HostNotFoundError."""
    hosts = {key: host_row(key).pk for key in {each for each in choices.values() if each is not None}}
    vms = vm_ids_of(actor, choices)
    return {vms[vm]: None if target is None else hosts[target] for vm, target in choices.items()}


def maintenance_plan_for(actor: Actor, key: str, choices: Mapping[str, str | None]) -> MaintenancePlanWire:
    """Plan how a host would be emptied, with a person's choices, and store nothing.

    Raises MaintenanceForbiddenError, HostNotFoundError or VmNotFoundError.
    """
    right_check(actor)
    host = host_row(key)
    made = plan_for(host, wishes_of(actor, choices))
    others = [each for each in made.hosts.values() if each.pool == host.pool_id and each.id != host.pk]
    return MaintenancePlanWire(
        host=host.pk,
        host_name=host.name,
        held_by="hypervisor" if _has_switch(host) else "xenweb",
        disabled=host.takes_vms is False and not host.maintenance,
        arriving=arriving_on(host.pk),
        moves=[planned_move_wire(each, made.hosts) for each in made.plan.moves],
        stays=[staying_wire(each, made.hosts) for each in made.plan.stays],
        hosts=plan_hosts_wire(made.plan, others),
    )


def _has_switch(host: Host) -> bool:
    try:
        return switch_of(driver_for(host.pool.driver)) is not None
    except DriverUnavailableError:
        return False


def away_from(row: Maintenance) -> list[MaintenanceMove]:
    """List the moves of an ended maintenance whose VM could be brought back: it arrived, and nobody brings it yet."""
    latest = newest(row.moves.all())
    coming = {each.vm_id for each in latest if each.back and stage(each) in OPEN_STAGES | {Stage.DONE}}
    return [each for each in latest if not each.back and stage(each) is Stage.DONE and each.vm_id not in coming]


def return_planned(row: Maintenance, only: Iterable[int] | None = None) -> Planned:
    """Plan how the VMs that a maintenance sent away come home; raise MaintenanceStateError before it has ended."""
    if row.state != MaintenanceState.ENDED:
        msg = f"{row.host_name} is still in maintenance: nothing is moved there before that has ended."
        raise MaintenanceStateError(msg, state=row.state)
    wanted = {each.vm_id: each.target_id for each in away_from(row)}
    if only is not None:
        wanted = {vm: target for vm, target in wanted.items() if vm in set(only)}
    hosts = _facts()
    # Whatever was moved on by somebody since then has a new home, and is left there.
    rows = [vm for host in set(wanted.values()) for vm in vm_rows_on(host) if wanted.get(vm.pk) == host]
    home = {row.host_id: hosts[row.host_id]} if row.host_id in hosts else {}
    plan = planned(_leavers(rows, hosts), home.values(), {vm.pk: row.host_id for vm in rows})
    return Planned(plan, hosts, {vm.pk: vm for vm in rows})


def return_plan_for(actor: Actor, maintenance_id: str) -> ReturnPlanWire:
    """Plan how the VMs come home, and store nothing.

    Raises MaintenanceForbiddenError, MaintenanceNotFoundError or MaintenanceStateError.
    """
    right_check(actor)
    row = maintenance_row_for(actor, maintenance_id)
    made = return_planned(row)
    return ReturnPlanWire(
        host=row.host_id,
        host_name=row.host_name,
        moves=[planned_move_wire(each, made.hosts) for each in made.plan.moves],
        stays=[staying_wire(each, made.hosts) for each in made.plan.stays],
    )
