"""The storage verbs of a probe, as a daemon answers them: nothing is done for a VM that is being moved."""

from pathlib import Path
from typing import Any

import pytest

from tests.probe.lvm import PlayedHost
from tests.probe.test_guards import VM, PlayedXen
from xenweb.probe.configuration import Configuration
from xenweb.probe.guards import Guards
from xenweb.probe.keeping import StorageVerbs
from xenweb.probe.packing import packed
from xenweb.probe.remedies import RemedyRefusedError

WEB = "/dev/sr1/web01"


class Rig:
    def __init__(self, folder: Path) -> None:
        self.host, self.xen, self.moves = PlayedHost(folder), PlayedXen(), list[dict[str, Any]]()
        self.host.add("web01", b"disk", active=True)
        configuration = Configuration(run=folder / "run", states=folder / "states")
        verbs = StorageVerbs(configuration, self.xen, self.host, lambda: self.moves)
        verbs.volumes.kind = self.host.kind
        verbs.guards = Guards(
            verbs.volumes, self.xen, folder / "run", folder / "states", place=self.host.place
        )  # fmt: skip
        self.verbs, self.keeping = verbs.verbs(), verbs

    def ask(self, verb: str, **more: object) -> Any:
        return self.verbs[verb]({"verb": verb, **more})

    def moving(self, **more: object) -> None:
        self.moves[:] = [{"alive": True, "vm": VM, "suspend_asked": None, "results": None, **more}]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr("xenweb.probe.guards.WRITES_OUT_FOR", 0.01)
    return Rig(tmp_path)


def test_volumes_are_told_activated_and_deactivated(rig: Rig) -> None:
    rig.xen.here = False
    assert rig.ask("volumes", paths=[WEB, "/srv/x.img"])[WEB]["active"] is True
    rig.ask("deactivate", vm=VM, paths=[WEB])
    assert rig.ask("volumes", paths=[WEB])[WEB]["active"] is False
    assert rig.ask("activate", vm=VM, paths=[WEB])[WEB]["stands"] == "block"


def test_nothing_is_deactivated_while_the_vm_is_here_or_comes(rig: Rig) -> None:
    with pytest.raises(RemedyRefusedError, match="Xen has the VM"):
        rig.ask("deactivate", vm=VM, paths=[WEB])
    rig.xen.here = False
    rig.moving()
    with pytest.raises(RemedyRefusedError, match="Xen has the VM"):
        rig.ask("deactivate", vm=VM, paths=[WEB])
    with pytest.raises(RemedyRefusedError, match="whose"):
        rig.ask("deactivate", vm="", paths=[WEB])
    assert rig.host.changes() == []


@pytest.mark.parametrize("verb", ["guard_begin", "guard_roll_back"])
def test_no_guard_is_touched_while_its_vm_is_being_moved(rig: Rig, verb: str) -> None:
    rig.moving()
    with pytest.raises(RemedyRefusedError, match="being moved"):
        rig.ask(verb, guard="7F3K2QXZ", vm=VM, paths=[WEB])
    assert rig.host.changes() == []


@pytest.mark.parametrize(
    ("moving", "busy"),
    [
        ({}, False),
        ({"suspend_asked": 1.0}, True),
        ({"results": 1.0}, True),
        ({"suspend_asked": 1.0, "alive": False}, False),
    ],
)
def test_a_hand_over_is_seen_by_what_the_relays_told(rig: Rig, moving: dict[str, object], busy: bool) -> None:
    rig.moving(**moving)
    assert rig.keeping.is_handing_over() is busy


@pytest.mark.parametrize("paths", [WEB, None, 7])
def test_paths_that_are_no_list_are_no_question(rig: Rig, paths: object) -> None:
    with pytest.raises((TypeError, KeyError)):
        rig.ask("activate", vm=VM, paths=paths)


@pytest.mark.parametrize("guard", ["", "../../etc", "a b", "x" * 17, "ID;reboot"])
def test_a_guard_has_an_id_that_is_safe_in_a_name(rig: Rig, guard: str) -> None:
    with pytest.raises(RemedyRefusedError, match="no guard"):
        rig.ask("guard_begin", guard=guard, vm=VM, paths=[WEB])


def test_all_of_it_is_in_the_one_file() -> None:
    for module in ("commands", "storage", "volumes", "snapshots", "guards", "keeping"):
        assert f"xenweb_probe/{module}.py".encode() in packed()
