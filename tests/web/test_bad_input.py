"""Bad input: a clear answer each time, and nothing changes."""

import json

import pytest
from django.test import Client

from tests.web.world import World
from xenweb.drivers.contract import Capability
from xenweb.inventory.models import Host, Pool, VirtualMachine
from xenweb.livemigration.models import Migration
from xenweb.realtime.selectors import head
from xenweb.web.api.shapes import HostBody

JSON = "application/json"
NO_KEYS = [
    "-1",
    "0",
    str(2**63),
    str(2**64),
    "9" * 5000,
    "1.0",
    "1e3",
    "٣",
    "null",
    "__proto__",
    "..",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "{11111111-1111-4111-8111-111111111111}",
    "%7B11111111-1111-4111-8111-111111111111%7D",
    "11111111111141118111111111111111",
    "urn:uuid:11111111-1111-4111-8111-111111111111",
    "<script>alert(1)</script>",
    "%00",
    "1%00",
    "%0d%0aX-Evil:1",
    "-oProxyCommand=x",
    "' OR 1=1 --",
    "OpaqueRef:NULL",
]


def state(world: World) -> object:
    del world
    return (
        list(Migration.objects.values()),
        list(VirtualMachine.objects.order_by("pk").values()),
        list(Host.objects.order_by("pk").values()),
        head(),
    )


@pytest.mark.parametrize("key", NO_KEYS)
@pytest.mark.parametrize(
    "path", ["/api/v1/vms/{}", "/api/v1/vms/{}/verdicts", "/api/v1/hosts/{}", "/api/v1/migrations/{}"]
)
def test_what_is_no_id_is_not_found(world: World, path: str, key: str) -> None:
    answer = world.program("admin").get(path.format(key))
    assert answer.status_code == 404
    assert answer.json()["status"] == 404
    assert b"<script>" not in answer.content


def test_vms_and_hosts_are_found_by_id_and_by_uuid_in_either_case(world: World) -> None:
    admin, vm, host = world.program("admin"), world.board.vm, world.board.source
    for key in (vm.pk, vm.uuid, vm.uuid.upper()):
        assert admin.get(f"/api/v1/vms/{key}").json()["id"] == vm.pk
    for key in (host.pk, host.uuid, host.uuid.upper()):
        assert admin.get(f"/api/v1/hosts/{key}").json()["id"] == host.pk


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"vm": 999_999}, 404, "vm_not_found"),
        ({"vm": -1}, 404, "vm_not_found"),
        ({"vm": 2**63}, 404, "vm_not_found"),
        ({"vm": "../../etc/passwd"}, 404, "vm_not_found"),
        ({"vm": "x" * 65}, 422, "invalid"),
        ({"target": 999_999}, 404, "host_not_found"),
        ({"target": "<script>alert(1)</script>"}, 404, "host_not_found"),
        ({"vm": [1]}, 422, "invalid"),
        ({"vm": {"id": 1}}, 422, "invalid"),
        ({"vm": True}, 422, "invalid"),
        ({"vm": 1.0}, 422, "invalid"),
        ({"vm": None}, 422, "invalid"),
        ({"vm": ""}, 422, "invalid"),
        ({"options": []}, 422, "invalid"),
        ({"options": {"bandwidth_limit": -1}}, 422, "invalid"),
        ({"options": {"bandwidth_limit": 2**70}}, 422, "invalid"),
        ({"options": {"bandwidth_limit": "1"}}, 422, "invalid"),
        ({"options": {"bandwidth_limit": 1}}, 422, "option_refused"),
        ({"options": {"auto_converge": "yes"}}, 422, "invalid"),
        ({"options": {"post_copy": 1}}, 422, "invalid"),
        ({"options": {"deadline_s": 1}}, 422, "option_refused"),
        ({"unsafe": True}, 422, "invalid"),
        ({"requested_by": 1}, 422, "invalid"),
        ({"__proto__": {}}, 422, "invalid"),
    ],
)
def test_a_wrong_move_is_refused_with_its_reason(
    world: World, change: dict[str, object], status: int, code: str
) -> None:
    before = state(world)
    body = {"vm": world.board.vm.pk, "target": world.board.target.pk} | change
    answer = world.program("admin").post("/api/v1/migrations", body, content_type=JSON)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["remedy"]
    assert state(world) == before


def test_a_move_to_where_the_vm_is_names_the_reason(world: World) -> None:
    body = {"vm": world.board.vm.uuid, "target": world.board.source.uuid}
    answer = world.program("admin").post("/api/v1/migrations", body, content_type=JSON)
    assert answer.status_code == 422
    assert answer.json()["code"] == "not_placeable"
    assert [finding["code"] for finding in answer.json()["findings"]] == ["same_host"]


def test_a_halted_vm_names_the_reason(world: World) -> None:
    world.board.driver.capabilities -= {Capability.COLD_MOVE}
    VirtualMachine.objects.filter(pk=world.board.vm.pk).update(state="halted")
    body = {"vm": world.board.vm.pk, "target": world.board.target.pk}
    answer = world.program("admin").post("/api/v1/migrations", body, content_type=JSON)
    assert answer.status_code == 422
    assert "vm_halted" in [finding["code"] for finding in answer.json()["findings"]]


def test_a_silent_target_names_the_reason(world: World) -> None:
    Host.objects.filter(pk=world.board.target.pk).update(state="unreachable", state_reason="no route")
    body = {"vm": world.board.vm.pk, "target": world.board.target.pk}
    answer = world.program("admin").post("/api/v1/migrations", body, content_type=JSON)
    assert answer.status_code == 422
    assert "host_unreachable" in [finding["code"] for finding in answer.json()["findings"]]


def test_a_vm_that_already_moves_names_the_other_move(world: World) -> None:
    other = world.move()
    body = {"vm": world.board.vm.pk, "target": world.board.target.pk}
    answer = world.program("lead").post("/api/v1/migrations", body, content_type=JSON)
    assert answer.status_code == 409
    assert answer.json()["code"] == "vm_already_moving"
    assert answer.json()["facts"]["migration"] == other.id


def test_the_same_key_gives_the_same_migration_and_another_body_a_conflict(world: World) -> None:
    admin, body = world.program("admin"), {"vm": world.board.vm.pk, "target": world.board.target.pk}
    first, again = (
        admin.post("/api/v1/migrations", body, content_type=JSON, headers={"Idempotency-Key": "k1"}) for _ in range(2)
    )
    assert first.json()["id"] == again.json()["id"]
    changed = body | {"vm": world.other.pk}
    answer = admin.post("/api/v1/migrations", changed, content_type=JSON, headers={"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
    assert Migration.objects.count() == 1


@pytest.mark.parametrize("key", ["x" * 201, "a b", "é"])
def test_a_key_that_is_no_key_is_refused(world: World, key: str) -> None:
    body = {"vm": world.board.vm.pk, "target": world.board.target.pk}
    answer = world.program("admin").post(
        "/api/v1/migrations", body, content_type=JSON, headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 422
    assert not Migration.objects.exists()


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        "null",
        "[]",
        '"x"',
        "1",
        "{'vm': 1}",
        '{"vm": 1, "vm": 2, "target": 3}',
        '{"vm": NaN, "target": 1}',
        '{"vm": ' + "9" * 5000 + ', "target": 1}',
        '{"vm": "\\ud800", "target": 1}',
        "[" * 20_000,
        '{"a":' * 8_000,
        "\x00",
    ],
)
def test_a_body_that_cannot_be_read_is_refused(world: World, raw: str) -> None:
    answer = world.program("admin").post("/api/v1/migrations", raw, content_type=JSON)
    assert answer.status_code in {400, 422}
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not Migration.objects.exists()


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"]
)
def test_only_json_is_taken(world: World, kind: str) -> None:
    body = json.dumps({"vm": world.board.vm.pk, "target": world.board.target.pk})
    answer = world.program("admin").post("/api/v1/migrations", body, content_type=kind)
    assert (answer.status_code, answer.json()["code"]) == (415, "not_json")
    assert not Migration.objects.exists()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("vms", "limit=0"),
        ("vms", "limit=201"),
        ("vms", "limit=1000000000"),
        ("vms", "limit=-1"),
        ("vms", "limit=x"),
        ("vms", "limit=1&limit=2"),
        ("vms", "cursor=x"),
        ("vms", "cursor=99999999999999999999"),
        ("vms", "order_by=team__secret"),
        ("vms", "user__password__startswith=a"),
        ("vms", "_connector=OR"),
        ("migrations", "&".join(["state=done"] * 60)),
        ("board", "x=1"),
        ("migrations", "state=flying"),
        ("migrations", "active=perhaps"),
        ("migrations", "cursor=%00"),
        ("audit", "_connector=OR 1=1"),
        ("audit", "since=yesterday"),
        ("audit", "since=2026-01-01T00:00:00"),
        ("audit", "since=0001-01-01T00:00:00%2B14:00"),
        ("audit", "q=%00"),
        ("audit", "q=" + "x" * 201),
    ],
)
def test_a_query_is_an_allow_list(world: World, path: str, query: str) -> None:
    answer = world.program("admin").get(f"/api/v1/{path}?{query}")
    assert answer.status_code == 422, answer.content
    assert answer.json()["status"] == 422


def test_pages_join_without_gap_or_overlap(world: World) -> None:
    admin = world.program("admin")
    first = admin.get("/api/v1/vms?limit=1").json()
    second = admin.get(f"/api/v1/vms?limit=1&cursor={first['next']}").json()
    assert [first["items"][0]["id"], second["items"][0]["id"]] == sorted((world.board.vm.pk, world.other.pk))
    assert second["next"] is None


def test_migrations_and_history_are_filtered(world: World) -> None:
    migration, admin = world.move(), world.program("admin")
    for query, expected in (
        ("active=true", [migration.id]),
        ("active=false", []),
        ("state=queued&state=done", [migration.id]),
        ("state=done", []),
        (f"vm={world.board.vm.uuid}", [migration.id]),
        (f"vm={world.other.pk}", []),
    ):
        items = admin.get(f"/api/v1/migrations?{query}").json()["items"]
        assert [item["id"] for item in items] == expected, query
    records = admin.get("/api/v1/audit?q=migration_request&outcome=allowed&limit=1").json()["items"]
    assert records[0]["actor"] == "admin"


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "qemu+ext://h/system",
        "qemu+ssh://h/system?command=id",
        "test:///default",
        "http://169.254.169.254/",
        "",
        "\r\nHost: x",
        "-oProxyCommand=id",
        "x" * 501,
    ],
)
def test_a_host_address_of_no_allowed_form_is_refused(world: World, uri: str) -> None:
    Pool.objects.create(name="real", driver="libvirt")
    before = Host.objects.count()
    answer = world.program("admin").post("/api/v1/hosts", {"pool": "real", "uri": uri}, content_type=JSON)
    assert answer.status_code == 422, answer.content
    assert Host.objects.count() == before


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("pool", {"pool": "nowhere"}),
        ("hypervisor", {"hypervisor": "vbox"}),
        ("transport", {"transport": "ext"}),
        ("address", {"address": "-oProxyCommand=id"}),
        ("address", {"address": "127.0.0.1"}),
        ("user", {"user": "-x"}),
        ("uri", {"uri": "qemu+ext:///system"}),
        ("body.body.port", {"port": 70_000}),
    ],
)
def test_a_host_that_is_refused_says_by_which_field(world: World, field: str, change: dict[str, object]) -> None:
    Pool.objects.create(name="real", driver="libvirt")
    form = {"pool": "real", "hypervisor": "qemu", "transport": "ssh", "address": "kvm-1", "user": "root", "port": 22}
    answer = world.program("admin").post("/api/v1/hosts", form | change, content_type=JSON)
    assert answer.status_code == 422, answer.content
    (fault,) = answer.json()["errors"]
    assert fault["field"] == field
    assert fault["sentence"]


def test_a_credential_is_never_read_back(world: World) -> None:
    assert HostBody.model_json_schema()["properties"]["credential"]["writeOnly"]
    assert "credential" not in world.program("admin").get("/api/v1/hosts").content.decode()


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "../../etc/passwd",
        "a\r\nb",
        "\u202egnp",
        "x" * 255,
        "=cmd|'/C calc'",
        "%s%n",
    ],
)
def test_hostile_names_pass_as_data_and_never_as_markup(world: World, name: str) -> None:
    VirtualMachine.objects.filter(pk=world.board.vm.pk).update(name=name)
    admin = world.program("admin")
    answer = admin.get(f"/api/v1/vms/{world.board.vm.pk}")
    assert answer.json()["name"] == name
    assert answer.headers["Content-Type"].startswith(JSON)
    moved = admin.post(
        "/api/v1/migrations", {"vm": world.board.vm.pk, "target": world.board.target.pk}, content_type=JSON
    )
    assert moved.status_code == 202
    assert admin.get("/api/v1/audit?action=migration_request").json()["items"][0]["subject_name"] == name


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_a_wrong_method_is_told_which_are_right(world: World, method: str) -> None:
    answer = world.program("admin").generic(method, "/api/v1/migrations")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1/", "/api/v2/vms", "/api/v1/vms/1/../../me", "/api/v1/docs"]
)
def test_an_address_where_nothing_is_answers_a_problem(world: World, path: str) -> None:
    answer = world.program("admin").get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_foreign_pages_get_no_permission_to_read(world: World) -> None:
    del world
    answer = Client().options(
        "/api/v1/board", headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "GET"}
    )
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
