"""Hosts taken out of service: planned, begun, followed, ended, and their VMs brought back."""

from collections.abc import Iterable

from django.http import HttpResponse
from ninja import Query, Router, Status

from xenweb.maintenance.selectors import maintenance_for, maintenance_plan_for, maintenances_for, return_plan_for
from xenweb.maintenance.services import maintenance_begin, maintenance_end, maintenance_moves_add, maintenance_return
from xenweb.realtime.maintenance_wire import MaintenancePlanWire, MaintenanceWire, ReturnPlanWire
from xenweb.web.api.authentication import ActorRequest
from xenweb.web.api.keys import key_of, migration_key_of
from xenweb.web.api.shapes import (
    MaintenanceBody,
    MaintenanceMovesBody,
    MaintenancePage,
    MaintenanceQuery,
    PlanBody,
    PlannedMoveBody,
    ReturnBody,
    problems,
)
from xenweb.web.requests import request_id_of

router = Router(tags=["maintenances"])


def _moves(body: Iterable[PlannedMoveBody]) -> dict[str, str]:
    return {key_of(each.vm): key_of(each.target) for each in body}


@router.post(
    "/hosts/{host}/maintenance-plan",
    response={200: MaintenancePlanWire, **problems(400, 404, 413, 415)},
    operation_id="maintenance_plan",
)
def plan_post(request: ActorRequest, host: str, body: PlanBody) -> MaintenancePlanWire:
    """Plan how a host would be emptied, with a person's choices. Nothing is stored, and nothing happens."""
    choices = {key_of(each.vm): None if each.target is None else key_of(each.target) for each in body.choices}
    return maintenance_plan_for(request.auth, key_of(host), choices)


@router.post(
    "/hosts/{host}/maintenance",
    response={202: MaintenanceWire, **problems(400, 404, 409, 413, 415)},
    operation_id="maintenance_begin",
)
def begin_post(
    request: ActorRequest, response: HttpResponse, host: str, body: MaintenanceBody
) -> Status[MaintenanceWire]:
    """Take a host out of service and send VMs away; every move is judged again first."""
    wire = maintenance_begin(
        request.auth,
        key_of(host),
        moves=_moves(body.moves),
        reason=body.reason,
        request_id=request_id_of(request),
    )
    response.headers["Location"] = f"/api/v1/maintenances/{wire.id}"
    return Status(202, wire)


@router.get("/maintenances", response={200: MaintenancePage, **problems(404)}, operation_id="maintenances_list")
def maintenances_list(request: ActorRequest, query: Query[MaintenanceQuery]) -> MaintenancePage:
    """List maintenances, newest first; only who sees every VM sees them."""
    items, following = maintenances_for(request.auth, cursor=query.cursor, limit=query.limit)
    return MaintenancePage(items=items, next=following)


@router.get(
    "/maintenances/{maintenance}", response={200: MaintenanceWire, **problems(404)}, operation_id="maintenance_read"
)
def maintenance_read(request: ActorRequest, maintenance: str) -> MaintenanceWire:
    """Answer one maintenance, with how far each of its moves is."""
    return maintenance_for(request.auth, migration_key_of(maintenance))


@router.post(
    "/maintenances/{maintenance}/moves",
    response={202: MaintenanceWire, **problems(400, 404, 409, 413, 415)},
    operation_id="maintenance_moves_add",
)
def moves_post(request: ActorRequest, maintenance: str, body: MaintenanceMovesBody) -> Status[MaintenanceWire]:
    """Send more VMs away, or try those once more whose move did not come about."""
    key = migration_key_of(maintenance)
    return Status(202, maintenance_moves_add(request.auth, key, _moves(body.moves), request_id_of(request)))


@router.post(
    "/maintenances/{maintenance}/end",
    response={202: MaintenanceWire, **problems(404, 409, 415)},
    operation_id="maintenance_end",
)
def end_post(request: ActorRequest, maintenance: str) -> Status[MaintenanceWire]:
    """Put the host back into service; moves that wait or can be given up are."""
    return Status(202, maintenance_end(request.auth, migration_key_of(maintenance), request_id_of(request)))


@router.get(
    "/maintenances/{maintenance}/return-plan",
    response={200: ReturnPlanWire, **problems(404, 409)},
    operation_id="return_plan_read",
)
def return_plan_read(request: ActorRequest, maintenance: str) -> ReturnPlanWire:
    """Plan how the VMs that were sent away come back. Nothing is stored, and nothing happens."""
    return return_plan_for(request.auth, migration_key_of(maintenance))


@router.post(
    "/maintenances/{maintenance}/return",
    response={202: MaintenanceWire, **problems(400, 404, 409, 413, 415)},
    operation_id="maintenance_return",
)
def return_post(request: ActorRequest, maintenance: str, body: ReturnBody) -> Status[MaintenanceWire]:
    """Bring VMs back to the host that they were sent away from."""
    vms = [key_of(each) for each in body.vms]
    return Status(202, maintenance_return(request.auth, migration_key_of(maintenance), vms, request_id_of(request)))
