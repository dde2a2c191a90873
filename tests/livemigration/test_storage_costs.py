"""Where measurements of storage come from: own moves first, then an own benchmark, then the lab's."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.board import Board
from tests.livemigration.test_foretelling import past
from xenweb.core.facts import Cost, Origin, StorageKind
from xenweb.inventory.models import StorageRepository, VirtualDisk, VirtualMachine
from xenweb.livemigration import storage_costs as costs
from xenweb.livemigration.models import Migration
from xenweb.livemigration.selectors import verdicts_for

SAMPLES = {
    "hand_over": {"san_block": [3000, 3000, 3000], "nfs": [6000, 6000, 6000]},
    "write": {"san_block": [10, 10, 10], "nfs": [11, 11, 11], "ocfs2": [20, 20, 20]},
}


def file(path: Path, **more: Any) -> Path:
    path.write_text(json.dumps({"storage_costs": {"measured_on": "2026-11-27", "samples": SAMPLES, **more}}))
    return path


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation without a benchmark of its own, and a lab of which this is known; the folder of its data."""
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setattr(settings, "XENWEB_DATA", data)
    monkeypatch.setattr(costs, "LAB", file(tmp_path / "lab.json"))
    return data


def moves_on(board: Board, storage: StorageKind, pause: int, count: int = 5) -> None:
    """Move a VM whose disk lies on this kind of storage so often, each with this pause."""
    pool = board.vm.pool
    repository = StorageRepository.objects.create(pool=pool, identity=storage, name=storage, kind="x", storage=storage)
    vm = VirtualMachine.objects.create(uuid=f"vm-{storage}", name=storage, pool=pool, hypervisor="xen")
    VirtualDisk.objects.create(vm=vm, device="xvda", repository=repository)
    for _ in range(count):
        past(board, Migration.objects.count(), vm=vm, downtime=pause)


def known() -> dict[tuple[str, str], tuple[str, float]]:
    return {(each.storage.value, each.cost.value): (each.origin.value, each.ratio) for each in costs.storage_costs()}


def test_what_stands_beside_the_module_is_sound_and_says_when_it_was_measured() -> None:
    found = costs._of_file(costs.LAB, Origin.LAB)
    assert {each.storage for each in found} == {StorageKind.SAN_BLOCK, StorageKind.NFS, StorageKind.OCFS2}
    assert {each.cost for each in found} == set(Cost)
    assert {each.ratio for each in found if each.storage is StorageKind.SAN_BLOCK} == {1.0}


def test_without_anything_of_its_own_an_installation_shows_the_labs(lab: Path, board: Board) -> None:
    assert known()["nfs", "hand_over"] == ("lab", 2.0)
    assert known()["ocfs2", "write"] == ("lab", 2.0)


def test_a_benchmark_of_its_own_comes_before_the_labs(lab: Path, board: Board) -> None:
    file(lab / "bench-xen.json", samples={"write": {"san_block": [1, 1, 1], "nfs": [3, 3, 3]}})
    assert known()["nfs", "write"] == ("own_bench", 3.0)
    assert known()["ocfs2", "write"] == ("lab", 2.0)


def test_pauses_of_its_own_moves_come_before_both(lab: Path, board: Board) -> None:
    moves_on(board, StorageKind.SAN_BLOCK, 200)
    moves_on(board, StorageKind.NFS, 260)
    assert known()["nfs", "hand_over"] == ("own_moves", 1.3)
    assert known()["nfs", "write"] == ("lab", 1.1)


def test_a_few_moves_say_nothing(lab: Path, board: Board) -> None:
    moves_on(board, StorageKind.SAN_BLOCK, 200)
    moves_on(board, StorageKind.NFS, 260, count=4)
    assert known()["nfs", "hand_over"] == ("lab", 2.0)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"storage_costs": {"samples": {}}}', '{"storage_costs": 3}'])
def test_a_file_that_cannot_be_read_is_none_and_the_log_says_so(
    lab: Path, board: Board, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (lab / "bench-xen.json").write_text(text)
    assert known()["nfs", "write"] == ("lab", 1.1)
    assert "cannot be read" in caplog.text


def test_what_was_never_measured_is_told_to_be_not_available(lab: Path, board: Board) -> None:
    told = {(each.storage, each.cost): each for each in costs.storage_costs_for(board.admin)}
    assert len(told) == 9
    assert told["ocfs2", "hand_over"].ratio.provenance == "not_available"
    assert told["ocfs2", "hand_over"].origin is None
    assert (told["nfs", "write"].ratio.value, told["nfs", "write"].ratio.provenance) == (1.1, "measured")
    assert told["nfs", "write"].middle_ms.value == 11


def test_the_verdict_of_a_vm_on_xen_tells_them(lab: Path, board: Board) -> None:
    moves_on(board, StorageKind.NFS, 200)
    vm = VirtualMachine.objects.get(uuid="vm-nfs")
    VirtualMachine.objects.filter(pk=vm.pk).update(resident_on=board.source, state="running")
    for host in (board.source, board.target):
        host.attachments.create(repository=StorageRepository.objects.get(), path="/sr/nfs")
    said = verdicts_for(board.admin, str(vm.pk))
    [target] = [each for each in said.verdicts if each.host == board.target.pk]
    [finding] = [each for each in target.findings if each.code == "storage_slower"]
    assert finding.severity == "warning"
    assert "Measured on the Xen lab, 2026-11-27, as ratios to block storage: hand-over 2, flushed write 1.1." in (
        finding.sentence
    )
