"""Single disks of running VMs: where they can go, and their moves."""

from django.http import HttpResponse
from ninja import Router, Status

from xenweb.livemigration.disk_moves import disk_move_cancel, disk_move_for, disk_move_request, vm_disks_for
from xenweb.realtime.wire_places import DiskMoveWire
from xenweb.web.api.authentication import ActorRequest
from xenweb.web.api.keys import key_of, migration_key_of
from xenweb.web.api.shapes import DiskMoveBody, VmDiskPage, problems
from xenweb.web.requests import request_id_of

router = Router(tags=["disk moves"])


@router.get("/vms/{vm}/disks", response={200: VmDiskPage, **problems(404)}, operation_id="vm_disks_list")
def vm_disks_list(request: ActorRequest, vm: str) -> VmDiskPage:
    """List a VM's disks, where each can go while the VM runs, and what stands against it."""
    return VmDiskPage(items=vm_disks_for(request.auth, key_of(vm)), next=None)


@router.post(
    "/vms/{vm}/disks/{device}/moves",
    response={202: DiskMoveWire, **problems(400, 404, 409, 413, 415)},
    operation_id="disk_move_request",
)
def disk_move_post(
    request: ActorRequest, response: HttpResponse, vm: str, device: str, body: DiskMoveBody
) -> Status[DiskMoveWire]:
    """Judge the move of one disk to other storage of its pool and begin it; its VM runs on."""
    wire = disk_move_request(request.auth, key_of(vm), device[:40], body.storage, request_id=request_id_of(request))
    response.headers["Location"] = f"/api/v1/disk-moves/{wire.id}"
    return Status(202, wire)


@router.get("/disk-moves/{move}", response={200: DiskMoveWire, **problems(404)}, operation_id="disk_move_read")
def disk_move_read(request: ActorRequest, move: str) -> DiskMoveWire:
    """Answer the move of one disk."""
    return disk_move_for(request.auth, migration_key_of(move))


@router.post(
    "/disk-moves/{move}/cancel",
    response={202: DiskMoveWire, **problems(404, 409, 415)},
    operation_id="disk_move_cancel",
)
def disk_cancel_post(request: ActorRequest, move: str) -> Status[DiskMoveWire]:
    """Ask for the move of one disk to be given up."""
    return Status(202, disk_move_cancel(request.auth, migration_key_of(move), request_id=request_id_of(request)))
