"""More rows on the board cost no more queries."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.web.world import World
from xenweb.inventory.models import VirtualDisk, VirtualMachine
from xenweb.livemigration.models import Migration

BUDGET = {
    "board": 26,
    "vms": 9,
    "hosts": 9,
    "migrations": 10,
    "leftover-disks": 7,
    "audit": 8,
    "storage-costs": 9,
    "storage-repositories": 9,
    "me": 6,
}


def queries_of(world: World, path: str) -> int:
    program = world.program("admin")
    program.get(f"/api/v1/{path}")
    with CaptureQueriesContext(connection) as captured:
        assert program.get(f"/api/v1/{path}").status_code == 200
    return len(captured)


def add_vms(world: World, count: int) -> None:
    pool, host = world.board.vm.pool, world.board.source
    for number in range(count):
        vm = VirtualMachine.objects.create(
            uuid=str(uuid.uuid4()), name=f"vm {number}", pool=pool, resident_on=host, team=world.other.team
        )
        VirtualDisk.objects.create(vm=vm, device="vda")
        move = Migration.objects.create(
            vm=vm,
            source=host,
            target=world.board.target,
            state="done",
            requested_by_id=world.board.admin.user_id,
            requested_at=timezone.now(),
        )
        world.leave_disk(move.pk, f"/srv/local/{vm.uuid}.img")


@pytest.mark.parametrize("path", sorted(BUDGET))
def test_a_hundred_rows_cost_as_many_queries_as_ten(world: World, path: str) -> None:
    add_vms(world, 10)
    few = queries_of(world, path)
    add_vms(world, 90)
    assert queries_of(world, path) == few
    assert few <= BUDGET[path]
