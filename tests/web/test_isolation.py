"""What is another team's does not exist, and an auditor changes nothing."""

import json

import pytest

from tests.web.world import OTHER_UUID, SAME_ID, World
from xenweb.accounts.models import RoleBinding
from xenweb.audit.models import AuditRecord
from xenweb.inventory.models import VirtualMachine
from xenweb.livemigration.models import LeftoverDisk, Migration
from xenweb.livemigration.transitions import migration_row, tell
from xenweb.realtime.events import MigrationChanged
from xenweb.realtime.selectors import events_since
from xenweb.web.feed import personal


@pytest.mark.parametrize("path", ["/api/v1/vms/{}", "/api/v1/vms/{}/verdicts", "/api/v1/migrations?vm={}"])
def test_a_foreign_vm_and_an_unknown_one_get_the_same_bytes(world: World, path: str) -> None:
    stranger = world.program("stranger")
    for foreign, unknown in (
        (world.board.vm.pk, 999_999),
        (world.board.vm.uuid, "9" * 8 + "-0000-4000-8000-" + "0" * 12),
    ):
        first, second = stranger.get(path.format(foreign)), stranger.get(path.format(unknown))
        assert first.status_code == second.status_code == 404
        assert first.content == second.content
        assert set(first.headers) == set(second.headers)


def test_asking_to_move_a_foreign_vm_and_an_unknown_one_get_the_same_bytes(world: World) -> None:
    stranger = world.program("stranger")
    bodies = [
        stranger.post(
            "/api/v1/migrations",
            {"vm": vm, "target": world.board.target.pk},
            content_type="application/json",
            headers=SAME_ID,
        )
        for vm in (world.board.vm.pk, 999_999)
    ]
    assert bodies[0].status_code == bodies[1].status_code == 404
    assert bodies[0].content == bodies[1].content
    assert not Migration.objects.exists()


@pytest.mark.parametrize("path", ["/api/v1/migrations/{}", "/api/v1/migrations/{}/passes"])
def test_a_foreign_migration_and_an_unknown_one_get_the_same_bytes(world: World, path: str) -> None:
    migration, stranger = world.move(), world.program("stranger")
    first, second = stranger.get(path.format(migration.id)), stranger.get(path.format("ZZZZ-ZZZZ"))
    assert first.status_code == second.status_code == 404
    assert first.content == second.content


def test_the_snapshot_holds_nothing_of_another_team(world: World) -> None:
    migration = world.move()
    text = world.program("stranger").get("/api/v1/board").content.decode()
    board = json.loads(text)
    assert [vm["uuid"] for vm in board["vms"]] == [OTHER_UUID]
    assert board["migrations"] == []
    for secret in (world.board.vm.uuid, world.board.vm.name, migration.id, "Shop", "lead-shop"):
        assert secret not in text


def test_a_foreign_disk_and_an_unknown_one_get_the_same_bytes(world: World) -> None:
    disk, stranger = world.leave_disk(world.move().id), world.program("stranger")
    answers = [
        stranger.post(f"/api/v1/leftover-disks/{key}/remove", content_type="application/json", headers=SAME_ID)
        for key in (disk, 999_999, "9" * 19, "x")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers[:2]}) == 1
    assert not LeftoverDisk.objects.exclude(asked_at=None).exists()


@pytest.mark.parametrize("path", ["/api/v1/vms", "/api/v1/migrations", "/api/v1/leftover-disks", "/api/v1/audit"])
def test_lists_hold_nothing_of_another_team(world: World, path: str) -> None:
    migration = world.move()
    world.leave_disk(migration.id)
    text = world.program("stranger").get(path).content.decode()
    for secret in (world.board.vm.uuid, world.board.vm.name, migration.id, "Shop"):
        assert secret not in text


def test_a_lead_reads_the_history_of_the_own_team_only(world: World) -> None:
    world.move()
    records = world.program("lead").get("/api/v1/audit").json()["items"]
    assert {record["team"] for record in records} == {"Shop"}
    assert world.program("stranger").get("/api/v1/audit").json()["items"] == []


def test_an_auditor_reads_everything(world: World) -> None:
    migration = world.move()
    auditor = world.program("auditor")
    board = auditor.get("/api/v1/board").json()
    assert {vm["team"] for vm in board["vms"]} == {"Shop", "Data"}
    assert [item["id"] for item in board["migrations"]] == [migration.id]
    assert (
        auditor.get("/api/v1/audit?action=migration_request").json()["items"][0]["subject_name"] == world.board.vm.name
    )


def test_an_auditor_is_offered_no_change_and_can_make_none(world: World) -> None:
    migration = world.move()
    auditor = world.program("auditor")
    board = auditor.get("/api/v1/board").json()
    assert not any(vm["may_move"] for vm in board["vms"])
    assert not any(item["cancellable"] for item in board["migrations"])
    before = list(VirtualMachine.objects.values()), list(Migration.objects.values())
    for method, path in (
        ("post", "/api/v1/migrations"),
        ("post", f"/api/v1/migrations/{migration.id}/cancel"),
        ("delete", f"/api/v1/hosts/{world.board.source.pk}"),
        ("post", "/api/v1/hosts"),
    ):
        body = {"vm": world.other.pk, "target": world.board.target.pk} if "hosts" not in path else {"pool": "lab"}
        answer = getattr(auditor, method)(path, body, content_type="application/json")
        assert answer.status_code == 403, path
    assert (list(VirtualMachine.objects.values()), list(Migration.objects.values())) == before
    assert AuditRecord.objects.filter(actor="auditor", outcome="refused").count() == 4


def test_an_event_offers_the_deletion_of_a_disk_only_to_who_may(world: World) -> None:
    migration = world.move()
    world.leave_disk(migration.id)
    tell(migration_row(migration.id))
    stored = events_since(0, 10_000)[-1]
    for who, may in (("admin", True), ("lead", True), ("auditor", False)):
        shown = personal(world.people[who], stored)
        assert isinstance(shown, MigrationChanged)
        assert [disk.removable for disk in shown.migration.leftover_disks] == [may]


def test_a_right_that_was_taken_away_is_gone_at_the_next_request(world: World) -> None:
    lead = world.program("lead")
    assert lead.get(f"/api/v1/vms/{world.board.vm.pk}").status_code == 200
    RoleBinding.objects.filter(user_id=world.board.lead.user_id).delete()
    assert lead.get(f"/api/v1/vms/{world.board.vm.pk}").status_code == 403
