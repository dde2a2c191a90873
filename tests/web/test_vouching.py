"""Vouching over REST: the remedy that a verdict names is there, for those who may, and in the history."""

import json
from dataclasses import replace

import pytest
from django.utils import timezone

from tests.board import VM_UUID
from tests.scripted import snapshot_host, snapshot_vm
from tests.web.world import World
from xenweb.audit.models import AuditRecord
from xenweb.core.quantities import GIB, MIB, Bytes
from xenweb.drivers.contract import DiskSnapshot, RepositorySnapshot
from xenweb.inventory.models import StorageRepository
from xenweb.inventory.sync import HostReading, reading_apply
from xenweb.realtime.selectors import events_since, head

FOLDER = RepositorySnapshot("dir:1", "images", "dir", "/srv/images", Bytes(10 * GIB), Bytes(5 * GIB))
DISK = DiskSnapshot("vda", "/srv/images/x", "raw", Bytes(MIB), "none", read_only=False, repository="dir:1")


@pytest.fixture
def folder(world: World) -> int:
    """A plain folder that both hosts say they reach, with the disk of Shop's VM in it; its id."""
    vm = replace(snapshot_vm(VM_UUID), disks=(DISK,))
    for host, vms in ((world.board.source, (vm,)), (world.board.target, ())):
        look = replace(snapshot_host(host.name, vms), repositories=(FOLDER,))
        reading_apply(host.pk, HostReading(look, timezone.now()))
    return StorageRepository.objects.get().pk


def codes(world: World) -> list[str]:
    verdicts = world.program("admin").get(f"/api/v1/vms/{world.board.vm.pk}/verdicts").json()["verdicts"]
    target = next(each for each in verdicts if each["host"] == world.board.target.pk)
    return [finding["code"] for finding in target["findings"]]


def told() -> list[tuple[str, str, str, bool]]:
    rows = AuditRecord.objects.filter(action="storage_vouch").order_by("sequence")
    return [(row.actor, row.outcome, row.subject_name, json.loads(row.facts)["is_shared"]) for row in rows]


def test_an_administrators_word_lets_the_vm_go_and_can_be_taken_back(world: World, folder: int) -> None:
    admin, path = world.program("admin"), f"/api/v1/storage-repositories/{folder}/vouch"
    assert "sharing_unproven" in codes(world)
    before = head()
    assert admin.post(path, content_type="application/json").json()["vouched"] is True
    assert "sharing_vouched" in codes(world)
    assert [stored.event.type for stored in events_since(before)] == ["storage_repository_changed"]
    admin.post(path, content_type="application/json")
    assert admin.delete(path).json()["vouched"] is False
    assert "sharing_unproven" in codes(world)
    assert told() == [("admin", "allowed", "images", True), ("admin", "allowed", "images", False)]


def test_nobody_else_may_and_the_attempt_is_recorded(world: World, folder: int) -> None:
    answer = world.program("lead").post(f"/api/v1/storage-repositories/{folder}/vouch", content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "vouch_forbidden")
    assert "sharing_unproven" in codes(world)
    assert told() == [("lead-shop", "refused", "", True)]


def test_an_unknown_repository_is_not_found_and_the_attempt_is_recorded(world: World) -> None:
    answer = world.program("admin").post("/api/v1/storage-repositories/99/vouch", content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (404, "storage_repository_not_found")
    assert told() == [("admin", "refused", "99", True)]


@pytest.mark.parametrize(("who", "may"), [("admin", True), ("lead", False), ("auditor", False)])
def test_each_learns_whether_vouching_is_theirs(world: World, who: str, *, may: bool) -> None:
    assert world.program(who).get("/api/v1/me").json()["may_vouch_storage"] is may
