"""Every role at every operation of the document: a new operation without a row here fails."""

import json

import pytest

from tests.web.world import World, filled, operations

# What each person gets for a well-formed request about Shop's VM, in this order.
PEOPLE = ("", "nobody", "admin", "lead", "stranger", "auditor")
ANYBODY = (401, 403, 200, 200, 200, 200)
WHO_SEES_THE_VM = (401, 403, 200, 200, 404, 200)
EXPECTED = {
    ("GET", "/api/v1/board"): ANYBODY,
    ("GET", "/api/v1/me"): ANYBODY,
    ("GET", "/api/v1/hosts"): ANYBODY,
    ("GET", "/api/v1/hosts/{host}"): ANYBODY,
    ("POST", "/api/v1/hosts"): (401, 403, 422, 403, 403, 403),
    ("POST", "/api/v1/hosts/certificates"): (401, 403, 422, 403, 403, 403),
    ("DELETE", "/api/v1/hosts/{host}"): (401, 403, 409, 403, 403, 403),
    ("GET", "/api/v1/vms"): ANYBODY,
    ("GET", "/api/v1/vms/{vm}"): WHO_SEES_THE_VM,
    ("GET", "/api/v1/vms/{vm}/verdicts"): WHO_SEES_THE_VM,
    ("POST", "/api/v1/vms/{vm}/verdicts"): WHO_SEES_THE_VM,
    ("GET", "/api/v1/vms/{vm}/disks"): WHO_SEES_THE_VM,
    # Its hypervisor moves no single disks; that it is told so is an answer to those who might.
    ("POST", "/api/v1/vms/{vm}/disks/{device}/moves"): (401, 403, 404, 404, 404, 403),
    # There is none; who may ask something of one stands in test_disk_moves.
    ("GET", "/api/v1/disk-moves/{move}"): (401, 403, 404, 404, 404, 404),
    ("POST", "/api/v1/disk-moves/{move}/cancel"): (401, 403, 404, 404, 404, 404),
    ("GET", "/api/v1/storage-repositories"): ANYBODY,
    ("GET", "/api/v1/storage-costs"): ANYBODY,
    ("POST", "/api/v1/storage-repositories/{repository}/vouch"): (401, 403, 404, 403, 403, 403),
    ("DELETE", "/api/v1/storage-repositories/{repository}/vouch"): (401, 403, 404, 403, 403, 403),
    ("GET", "/api/v1/migrations"): ANYBODY,
    ("POST", "/api/v1/migrations"): (401, 403, 409, 409, 404, 403),
    ("GET", "/api/v1/migrations/{migration}"): WHO_SEES_THE_VM,
    ("GET", "/api/v1/migrations/{migration}/passes"): WHO_SEES_THE_VM,
    ("POST", "/api/v1/migrations/{migration}/cancel"): (401, 403, 202, 202, 404, 403),
    # The move is still queued: there is nothing to close, and nothing to choose.
    ("POST", "/api/v1/migrations/{migration}/close"): (401, 403, 409, 403, 404, 403),
    ("POST", "/api/v1/migrations/{migration}/choices"): (401, 403, 409, 409, 404, 403),
    # It has no guard; who may ask something of one stands in test_guards.
    ("POST", "/api/v1/migrations/{migration}/guard/roll-back"): (401, 403, 404, 404, 404, 404),
    ("POST", "/api/v1/migrations/{migration}/guard/remove"): (401, 403, 404, 404, 404, 404),
    ("GET", "/api/v1/leftover-disks"): ANYBODY,
    ("POST", "/api/v1/leftover-disks/{disk}/remove"): (401, 403, 202, 202, 404, 403),
    # It has ended: there is nothing to send away or to end, and nothing went that could come back.
    ("POST", "/api/v1/hosts/{host}/maintenance-plan"): (401, 403, 200, 403, 403, 403),
    ("POST", "/api/v1/hosts/{host}/maintenance"): (401, 403, 202, 403, 403, 403),
    ("GET", "/api/v1/maintenances"): ANYBODY,
    ("GET", "/api/v1/maintenances/{maintenance}"): (401, 403, 200, 404, 404, 200),
    ("POST", "/api/v1/maintenances/{maintenance}/moves"): (401, 403, 422, 403, 403, 403),
    ("POST", "/api/v1/maintenances/{maintenance}/end"): (401, 403, 409, 403, 403, 403),
    ("GET", "/api/v1/maintenances/{maintenance}/return-plan"): (401, 403, 200, 403, 403, 403),
    ("POST", "/api/v1/maintenances/{maintenance}/return"): (401, 403, 422, 403, 403, 403),
    ("GET", "/api/v1/audit"): ANYBODY,
}
BODIES = {
    "/api/v1/hosts": {"pool": "nowhere", "uri": "scripted:x"},
    "/api/v1/hosts/{host}/maintenance-plan": {},
    "/api/v1/hosts/{host}/maintenance": {},
    "/api/v1/maintenances/{maintenance}/moves": {"moves": [{"vm": 1, "target": 1}]},
    "/api/v1/maintenances/{maintenance}/return": {"vms": [1]},
    "/api/v1/hosts/certificates": {"pool": "nowhere", "address": "10.0.0.2"},
    "/api/v1/migrations/{migration}/choices": {"kind": "pause"},
    "/api/v1/migrations/{migration}/close": {"reason": "The host burnt."},
    "/api/v1/vms/{vm}/verdicts": {"target": 1},
    "/api/v1/vms/{vm}/disks/{device}/moves": {"storage": 1},
    "/api/v1/migrations/{migration}/guard/roll-back": {"reason": "The upgrade broke it."},
}


def test_every_operation_has_its_row() -> None:
    assert set(operations()) == set(EXPECTED)


@pytest.mark.parametrize("method, path", sorted(EXPECTED))
@pytest.mark.parametrize("who", PEOPLE)
def test_each_role_gets_what_it_should(world: World, who: str, method: str, path: str) -> None:
    migration = world.move()
    disk = world.leave_disk(migration.id)
    ended = world.ended_maintenance()
    body = BODIES.get(path, {"vm": world.board.vm.pk, "target": world.board.target.pk})
    answer = world.program(who).generic(
        method,
        filled(
            path, host=world.board.source.pk, vm=world.board.vm.pk, migration=migration.id, disk=disk, maintenance=ended
        ),
        data=json.dumps(body) if method == "POST" else "",
        content_type="application/json",
    )
    assert answer.status_code == EXPECTED[method, path][PEOPLE.index(who)], answer.content
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
    assert answer.headers["Cache-Control"] == "no-store"
