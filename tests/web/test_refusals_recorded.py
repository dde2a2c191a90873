"""Every refusal leaves a record: of what is unknown, foreign, badly formed, or asked for a second time otherwise."""

import json
from typing import Any

import pytest

from tests.web.world import World
from xenweb.audit.chain import verify
from xenweb.audit.models import AuditRecord
from xenweb.livemigration.models import Migration

JSON = "application/json"


def refused(action: str) -> list[tuple[str, str, int | None]]:
    rows = AuditRecord.objects.filter(action=action, outcome="refused").order_by("sequence")
    return [(row.actor, json.loads(row.facts).get("code"), row.team) for row in rows]


def post(world: World, who: str, path: str, body: object = None, **headers: str) -> Any:
    program = world.program(who)
    return program.post(f"/api/v1/{path}", json.dumps(body) if body else "", content_type=JSON, headers=headers)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"pool": "nowhere", "uri": "scripted:x"}, 422, "address_refused"),
        ({"pool": "rack", "uri": "qemu+ssh://-oProxyCommand=x/system"}, 422, "address_refused"),
        ({"pool": "rack", "uri": "qemu+ssh://kvm-01/system"}, 409, "host_exists"),
    ],
)
def test_a_host_that_is_not_added(world: World, body: dict[str, str], status: int, code: str) -> None:
    world.board.source.pool.__class__.objects.create(name="rack", driver="libvirt")
    post(world, "admin", "hosts", {"pool": "rack", "uri": "qemu+ssh://kvm-01/system"})
    assert post(world, "admin", "hosts", body).status_code == status
    assert refused("host_add") == [("admin", code, None)]
    assert verify() is None


def test_a_password_that_was_typed_into_an_address_is_not_kept(world: World) -> None:
    world.board.source.pool.__class__.objects.create(name="rack", driver="libvirt")
    post(world, "admin", "hosts", {"pool": "rack", "uri": "qemu+ssh://root:hunter:2@/@kvm-01/system"})
    said = AuditRecord.objects.get(action="host_add", outcome="refused")
    assert said.subject_name == "qemu+ssh://root:…@kvm-01/system"
    assert "hunter" not in f"{said.subject_id} {said.reason} {said.facts}"


def test_a_host_that_is_not_removed(world: World) -> None:
    world.move()
    assert world.program("admin").delete(f"/api/v1/hosts/{world.board.source.pk}").status_code == 409
    assert world.program("admin").delete("/api/v1/hosts/99").status_code == 404
    assert refused("host_remove") == [("admin", "host_busy", None), ("admin", "host_not_found", None)]


@pytest.mark.parametrize(
    ("path", "body", "action", "code"),
    [
        ("migrations/{migration}/cancel", None, "migration_cancel", "migration_not_found"),
        ("migrations/{migration}/choices", {"kind": "pause"}, "migration_choice", "migration_not_found"),
        ("migrations/{migration}/close", {"reason": "gone"}, "migration_close", "migration_not_found"),
        ("leftover-disks/{disk}/remove", None, "leftover_disk_remove", "leftover_disk_not_found"),
    ],
)
def test_what_is_foreign_or_unknown(world: World, path: str, body: object, action: str, code: str) -> None:
    migration = world.move().id
    foreign = path.format(migration=migration, disk=world.leave_disk(migration))
    assert post(world, "stranger", foreign, body).status_code == 404
    assert post(world, "admin", path.format(migration="0000-0000", disk=99), body).status_code == 404
    # Of no team: the lead of the other team must not read what a stranger guessed.
    assert refused(action) == [("lead-data", code, None), ("admin", code, None)]


@pytest.mark.parametrize(
    "change",
    [
        {"options": {"bandwidth_limit": 8_000_000}},
        {"options": {"auto_converge": True}},
        {"options": {"deadline_s": 60}},
        {"override": {"codes": ["memory_short"], "reason": "It fits."}},
    ],
)
def test_a_key_that_is_used_again_for_something_else(world: World, change: dict[str, object]) -> None:
    body = {"vm": world.board.vm.pk, "target": world.board.target.pk, "options": {"downtime_limit_ms": 300}}
    key = {"Idempotency-Key": "one"}
    first = post(world, "admin", "migrations", body, **key)
    assert first.status_code == 202, first.content
    assert post(world, "admin", "migrations", body, **key).json()["id"] == first.json()["id"]
    other = post(world, "admin", "migrations", body | change, **key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert refused("migration_request") == [("admin", "idempotency_conflict", world.board.vm.team_id)]
    assert Migration.objects.count() == 1
