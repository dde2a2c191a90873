"""Overriding what forbids a move, over REST: who may, what may be, and what everybody else learns."""

import json

import pytest

from tests.web.world import World
from xenweb.audit.models import AuditRecord
from xenweb.core.quantities import MIB
from xenweb.inventory.models import Host
from xenweb.livemigration.models import Migration

REASON = "Its memory is mostly unused."


@pytest.fixture
def world(world: World) -> World:
    """A world whose target has too little memory for Shop's VM."""
    Host.objects.filter(pk=world.board.target.pk).update(memory_free=64 * MIB)
    return world


def post(world: World, who: str, override: object):  # type: ignore[no-untyped-def]
    body = {"vm": world.board.vm.pk, "target": world.board.target.pk, "override": override}
    return world.program(who).post("/api/v1/migrations", json.dumps(body), content_type="application/json")


def because(*codes: str, reason: str = REASON) -> dict[str, object]:
    return {"codes": list(codes), "reason": reason}


@pytest.mark.parametrize(
    ("who", "status"),
    [("", 401), ("nobody", 403), ("admin", 202), ("lead", 403), ("stranger", 404), ("auditor", 403)],
)
def test_each_role_may_override_or_not(world: World, who: str, status: int) -> None:
    answer = post(world, who, because("memory_short"))
    assert answer.status_code == status, answer.content
    assert Migration.objects.exists() is (status == 202)
    if who == "lead":
        assert answer.json()["code"] == "override_forbidden"
        assert "Only administrators" in answer.json()["detail"]


@pytest.mark.fault("F29", oracle="the history: which finding was overridden, by whom and why")
def test_the_migration_and_the_history_say_what_was_overridden_and_why(world: World) -> None:
    wire = post(world, "admin", because("memory_short", "memory_short")).json()
    assert wire["override"] == {"codes": ["memory_short"], "reason": REASON, "by": "admin"}
    seen = world.program("lead").get(f"/api/v1/migrations/{wire['id']}").json()
    assert seen["override"] == wire["override"]
    facts = world.program("auditor").get("/api/v1/audit?action=migration_request").json()["items"][0]["facts"]
    assert (facts["overridden"], facts["override_reason"]) == (["memory_short"], REASON)


def test_without_an_override_the_refusal_says_which_finding_can_be_overridden(world: World) -> None:
    answer = post(world, "admin", None)
    assert answer.status_code == 422
    assert [(each["code"], each["overridable"]) for each in answer.json()["findings"]] == [("memory_short", True)]


@pytest.mark.parametrize("code", ["facts_stale", "cpu_incompatible", "no_such_code"])
def test_what_was_not_found_is_refused_and_recorded(world: World, code: str) -> None:
    answer = post(world, "admin", because("memory_short", code))
    assert (answer.status_code, answer.json()["code"]) == (422, "override_refused")
    assert code in answer.json()["detail"]
    assert not Migration.objects.exists()
    assert AuditRecord.objects.filter(action="migration_request", outcome="refused").exists()


def test_what_cannot_be_overridden_is_refused_with_its_own_sentence(world: World) -> None:
    type(world.board.vm).objects.filter(pk=world.board.vm.pk).update(networks=["lan"])
    answer = post(world, "admin", because("network_missing"))
    assert (answer.status_code, answer.json()["code"]) == (422, "override_refused")
    assert "no network lan" in answer.json()["detail"]


@pytest.mark.parametrize(
    "override",
    [
        {},
        {"codes": ["memory_short"]},
        {"codes": [], "reason": REASON},
        {"codes": ["memory_short"], "reason": ""},
        {"codes": ["memory_short"], "reason": " \t "},
        {"codes": ["memory_short"], "reason": "x" * 501},
        {"codes": ["memory_short"], "reason": "nul \x00"},
        {"codes": ["Memory Short"], "reason": REASON},
        {"codes": ["a"] * 21, "reason": REASON},
        {"codes": ["memory_short"], "reason": REASON, "force": True},
        "memory_short",
    ],
)
def test_a_badly_formed_override_is_invalid(world: World, override: object) -> None:
    answer = post(world, "admin", override)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert not Migration.objects.exists()


@pytest.mark.parametrize(("who", "may"), [("admin", True), ("lead", False), ("auditor", False)])
def test_verdicts_say_whether_this_person_may_override(world: World, who: str, *, may: bool) -> None:
    verdicts = world.program(who).get(f"/api/v1/vms/{world.board.vm.pk}/verdicts").json()
    assert verdicts["may_override"] is may
    target = next(each for each in verdicts["verdicts"] if each["host"] == world.board.target.pk)
    assert target["answer"] == "cannot_go"
    assert target["facts_age_ms"] >= 0


def test_a_stranger_learns_nothing_of_an_overridden_move(world: World) -> None:
    wire = post(world, "admin", because("memory_short")).json()
    stranger = world.program("stranger")
    for path in ("/api/v1/board", "/api/v1/migrations", "/api/v1/audit"):
        assert REASON not in stranger.get(path).content.decode()
    assert stranger.get(f"/api/v1/migrations/{wire['id']}").status_code == 404
