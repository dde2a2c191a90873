"""Guards on a host: taken while the guest stands still, copied off, and laid back only over disks that nobody has."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.probe.lvm import EXTENT, PlayedHost
from xenweb.probe import guards as guarding
from xenweb.probe import snapshots
from xenweb.probe.commands import CommandError
from xenweb.probe.guards import Guards
from xenweb.probe.guests import Guest, Xen, XenError
from xenweb.probe.remedies import RemedyRefusedError
from xenweb.probe.volumes import Volumes

VM = "7d2a1c1e-0000-4000-8000-000000000001"
WEB, DATA = "/dev/sr1/web01", "/dev/sr1/data"
GUARD = "7F3K2QXZ"


class PlayedXen(Xen):
    """A Xen with one guest, which notes what it is told."""

    def __init__(self) -> None:
        super().__init__("xl", use_binding=False)
        self.here = True
        self.paused = False
        self.told: list[str] = []
        self.deaf = 0
        self.is_mute = False

    def guests(self) -> list[Guest]:
        return [Guest(3, VM, not self.paused, self.paused, False, False, False, None, 1, 7)] if self.here else []

    def run(self, *words: str) -> str:
        self.told.append(" ".join(words))
        if words[0] == "sysrq" and self.is_mute:
            raise XenError("xl sysrq failed: libxl: error")
        if words[0] == "unpause" and self.deaf:
            self.deaf -= 1
            raise CommandError("xl unpause did not answer")
        self.paused = words[0] == "pause"
        return ""


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host, self.xen = PlayedHost(folder), PlayedXen()
        self.host.add("web01", b"before" * 1000, active=True).opened = 1
        self.host.add("data", b"data" * EXTENT, active=True).opened = 1
        mounts = folder / "mounts"
        mounts.write_text("22 1 254:1 / / rw - ext4 /dev/vda1 rw\n")
        self.mounts = mounts
        self.guards = self.again()

    def again(self) -> Guards:
        """The same host's guards, after its probe was started anew."""
        volumes = Volumes(self.host, self.host.kind)
        return Guards(
            volumes, self.xen, self.folder / "run", self.folder / "states", mounts=self.mounts, place=self.host.place
        )

    def content(self, name: str) -> bytes:
        return self.host.volumes[f"sr1/{name}"].file.read_bytes()

    def halt(self) -> None:
        self.xen.here = False
        for each in self.host.volumes.values():
            each.opened = 0

    def until(self, phase: str, paths: tuple[str, ...] = (WEB, DATA)) -> dict[str, Any]:
        return until(lambda: found if (found := self.guards.look(GUARD, paths))["phase"] == phase else None)


def until(found: Callable[[], dict[str, Any] | None], seconds: float = 5.0) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while (said := found()) is None:
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
    return said


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr("xenweb.probe.guards.WRITES_OUT_FOR", 0.01)
    return Rig(tmp_path)


def test_a_guard_is_taken_while_the_guest_stands_still_and_copied_off_while_it_runs(rig: Rig) -> None:
    rig.guards.begin(GUARD, VM, (WEB, DATA))
    seen = rig.until("whole")
    order = [each.split()[0] + (" -s" if "--snapshot" in each else "") for each in rig.host.changes()]
    assert order == [
        "lvcreate",
        "lvcreate",
        "lvcreate -s",
        "lvcreate -s",
        "lvremove",
        "lvchange",
        "lvchange",
        "lvremove",
        "lvchange",
        "lvchange",
    ]
    assert rig.xen.told == ["sysrq 3 s", "pause 3", "unpause 3"]
    assert not rig.xen.paused
    assert seen["done"] == seen["total"] == rig.host.volumes["sr1/web01"].size + rig.host.volumes["sr1/data"].size
    assert isinstance(seen["pause_ms"], int)


def test_what_is_kept_is_a_plain_inactive_volume_and_no_snapshot_is_left(rig: Rig) -> None:
    rig.guards.begin(GUARD, VM, (WEB,))
    rig.until("whole", (WEB,))
    assert set(rig.host.volumes) == {"sr1/web01", "sr1/data", f"sr1/web01.xwg-{GUARD}"}
    kept = rig.host.volumes[f"sr1/web01.xwg-{GUARD}"]
    assert (kept.origin, kept.active) == ("", False)
    assert Volumes(rig.host, rig.host.kind).of(WEB).hindrance == ""  # type: ignore[union-attr]


def test_a_guard_holds_what_the_disks_had_at_its_moment(rig: Rig) -> None:
    rig.guards.begin(GUARD, VM, (WEB,))
    rig.until("whole", (WEB,))
    rig.host.volumes["sr1/web01"].file.write_bytes(b"after" * 10)
    assert rig.content(f"web01.xwg-{GUARD}").startswith(b"before")


def test_a_snapshot_is_not_taken_for_gone_because_lvm_does_not_say(rig: Rig) -> None:
    original = rig.host.run

    def silent(*words: str, within: float = 0) -> str:
        removed = any(each.startswith("lvremove") for each in rig.host.calls)
        if words[0] == "lvs" and removed and not rig.host.failing:
            rig.host.failing["lvs"] = "it did not answer within 10 s"
        return original(*words, within=within)

    rig.host.run = silent  # type: ignore[method-assign]
    rig.guards.begin(GUARD, VM, (WEB,))
    until(lambda: {} if any(each.startswith("lvremove") for each in rig.host.calls) else None)
    time.sleep(0.1)
    assert not any("xenweb.guard.whole" in each.tags for each in rig.host.volumes.values())


def test_a_guard_is_still_whole_to_a_probe_that_was_started_anew(rig: Rig) -> None:
    rig.guards.begin(GUARD, VM, (WEB,))
    rig.until("whole", (WEB,))
    assert rig.again().look(GUARD, (WEB,))["phase"] == "whole"


def test_a_kernel_that_cannot_be_asked_to_write_out_is_paused_all_the_same(rig: Rig) -> None:
    rig.xen.is_mute = True
    rig.guards.begin(GUARD, VM, (WEB,))
    assert rig.until("whole", (WEB,))["error"] == ""
    assert rig.xen.told == ["sysrq 3 s", "pause 3", "unpause 3"]


def test_while_it_is_made_the_volume_may_not_be_activated_elsewhere(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(snapshots, "move_bytes", lambda *_words: go.wait(5))
    rig.guards.begin(GUARD, VM, (WEB,))
    rig.until("copying", (WEB,))
    with pytest.raises(RemedyRefusedError, match="has a snapshot"):
        Volumes(rig.host, rig.host.kind).activate([WEB])
    go.set()
    rig.until("whole", (WEB,))


@pytest.mark.parametrize("fault", ["--snapshot", "--size 4194304b sr1", "lvremove --yes sr1/web01.xws"])
def test_a_guard_that_cannot_be_made_lets_the_guest_go_on_and_leaves_what_it_cannot_remove_in_sight(
    rig: Rig, fault: str
) -> None:
    rig.host.failing[fault] = "the group is full"
    rig.guards.begin(GUARD, VM, (WEB,))
    phase = "broken" if "lvremove" in fault else "none"
    seen = until(
        lambda: found if (found := rig.guards.look(GUARD, (WEB,)))["error"] and found["phase"] == phase else None
    )
    assert "the group is full" in seen["error"]
    assert not rig.xen.paused
    if phase == "broken":
        rig.host.failing.clear()
        rig.guards.remove(GUARD, (WEB,))
    assert set(rig.host.volumes) == {"sr1/web01", "sr1/data"}


def test_a_guest_that_xen_would_not_let_go_on_is_let_go_on_by_the_next_daemon(rig: Rig) -> None:
    rig.xen.deaf = 1
    rig.guards.begin(GUARD, VM, (WEB,))
    until(lambda: found if (found := rig.guards.look(GUARD, (WEB,)))["error"] else None)
    assert rig.xen.paused
    rig.again().recover()
    assert not rig.xen.paused
    assert list((rig.folder / "run" / "paused").iterdir()) == []


def test_a_daemon_that_died_while_the_guest_stood_still_lets_it_go_on_when_it_starts(rig: Rig) -> None:
    notes = rig.folder / "run" / "paused"
    notes.mkdir(parents=True)
    (notes / GUARD).write_text(json.dumps({"number": 3, "uuid": VM}))
    rig.xen.paused = True
    rig.again().recover()
    assert rig.xen.told == ["unpause 3"]


def test_snapshots_that_take_too_long_are_given_up_for_the_guests_sake(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarding, "PAUSED_AT_MOST", 0.05)
    original = rig.host.run

    def slow(*words: str, within: float = 0) -> str:
        if "--snapshot" in words:
            time.sleep(0.2)
            assert not rig.xen.paused
        return original(*words, within=within)

    rig.host.run = slow  # type: ignore[method-assign]
    rig.guards.begin(GUARD, VM, (WEB,))
    seen = until(lambda: found if (found := rig.guards.look(GUARD, (WEB,)))["error"] else None)
    assert "too long" in seen["error"]
    until(lambda: {} if set(rig.host.volumes) == {"sr1/web01", "sr1/data"} else None)


@pytest.mark.parametrize(
    ("layout", "why"), [("thin,sparse", "pool belongs to one host"), ("cache,raid", "pool belongs to one host")]
)
def test_other_volumes_are_refused_saying_why(rig: Rig, layout: str, why: str) -> None:
    rig.host.volumes["sr1/web01"].layout = layout
    said = rig.guards.foresee((WEB,))
    assert not said["possible"]
    assert why in said["why"]
    with pytest.raises(RemedyRefusedError, match=why):
        rig.guards.begin(GUARD, VM, (WEB,))
    assert rig.host.changes() == []


def test_a_group_without_the_room_is_refused_and_the_room_is_said(rig: Rig) -> None:
    rig.host.free["sr1"] = EXTENT
    said = rig.guards.foresee((WEB,))
    assert (said["possible"], said["needed"], said["free"]) == (False, 3 * EXTENT, EXTENT)


def test_a_file_that_is_not_on_ocfs2_is_refused(rig: Rig) -> None:
    image = rig.folder / "web.img"
    image.write_bytes(b"x")
    assert "only OCFS2" in rig.guards.foresee((str(image),))["why"]


def test_a_vm_that_does_not_run_gets_no_guard(rig: Rig) -> None:
    rig.xen.paused = True
    with pytest.raises(RemedyRefusedError, match="does not run"):
        rig.guards.begin(GUARD, VM, (WEB,))


def test_one_guard_at_a_time_changes_a_host(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(snapshots, "move_bytes", lambda *_words: go.wait(5))
    rig.guards.begin(GUARD, VM, (WEB,))
    rig.until("copying", (WEB,))
    rig.guards.begin(GUARD, VM, (WEB,))
    with pytest.raises(RemedyRefusedError, match="Another guard"):
        rig.guards.begin("ANOTHER1", VM, (DATA,))
    go.set()
    rig.until("whole", (WEB,))


def test_a_guard_that_is_being_made_is_given_up_when_it_is_removed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def for_ever(_source: str, _target: str, _size: int, _told: object, go_on: Callable[[], None]) -> None:
        while True:
            go_on()
            time.sleep(0.01)

    monkeypatch.setattr(snapshots, "move_bytes", for_ever)
    rig.guards.begin(GUARD, VM, (WEB,))
    rig.until("copying", (WEB,))
    rig.guards.remove(GUARD, (WEB,))
    assert rig.guards.look(GUARD, (WEB,))["phase"] == "none"
    assert set(rig.host.volumes) == {"sr1/web01", "sr1/data"}


def test_a_roll_back_gives_exactly_what_the_disks_had_and_leaves_their_activity_as_it_was(rig: Rig) -> None:
    before = rig.content("web01"), rig.content("data")
    rig.guards.begin(GUARD, VM, (WEB, DATA))
    rig.until("whole")
    for name in ("web01", "data"):
        rig.host.volumes[f"sr1/{name}"].file.write_bytes(b"after" * 999)
    rig.halt()
    rig.host.volumes["sr1/web01"].active = False
    rig.guards.roll_back(GUARD, VM, (WEB, DATA))
    rig.until("rolled_back")
    assert (rig.content("web01"), rig.content("data")) == before
    assert (rig.host.volumes["sr1/web01"].active, rig.host.volumes["sr1/data"].active) == (False, True)
    assert rig.again().look(GUARD, (WEB, DATA))["phase"] == "whole"


def test_nothing_is_laid_over_the_disks_of_a_vm_that_is_here(rig: Rig) -> None:
    rig.guards.begin(GUARD, VM, (WEB,))
    rig.until("whole", (WEB,))
    with pytest.raises(RemedyRefusedError, match="Xen has this VM"):
        rig.guards.roll_back(GUARD, VM, (WEB,))


def test_nothing_is_laid_over_a_disk_that_is_open(rig: Rig) -> None:
    rig.guards.begin(GUARD, VM, (WEB,))
    rig.until("whole", (WEB,))
    rig.halt()
    rig.host.volumes["sr1/web01"].opened = 1
    held = rig.content("web01")
    rig.guards.roll_back(GUARD, VM, (WEB,))
    seen = until(lambda: found if (found := rig.guards.look(GUARD, (WEB,)))["error"] else None)
    assert (seen["phase"], "is open" in seen["error"]) == ("whole", True)
    assert rig.content("web01") == held


def test_a_guard_that_is_not_whole_is_laid_over_nothing(rig: Rig) -> None:
    rig.halt()
    with pytest.raises(RemedyRefusedError, match="not whole"):
        rig.guards.roll_back(GUARD, VM, (WEB,))


def test_a_roll_back_stops_when_the_vm_is_started_meanwhile(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.guards.begin(GUARD, VM, (WEB,))
    rig.until("whole", (WEB,))
    rig.halt()
    monkeypatch.setattr(guarding, "LOOK_EVERY", 0.0)
    original = snapshots.move_bytes

    def started(*words: Any) -> None:
        rig.xen.here = True
        original(*words)

    monkeypatch.setattr(snapshots, "move_bytes", started)
    rig.guards.roll_back(GUARD, VM, (WEB,))
    seen = until(lambda: found if (found := rig.guards.look(GUARD, (WEB,)))["error"] else None)
    assert "was started" in seen["error"]


def test_a_file_on_ocfs2_is_kept_at_once_and_put_back_at_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    image = rig.folder / "sr" / "web.img"
    image.parent.mkdir()
    image.write_bytes(b"before")
    rig.mounts.write_text(f"31 22 8:32 / {image.parent} rw - ocfs2 /dev/sdc rw\n")

    def reflink(*words: str, within: float = 0) -> str:
        rig.host.calls.append(" ".join(words))
        Path(words[-1]).write_bytes(Path(words[-2]).read_bytes())
        return ""

    monkeypatch.setattr(rig.host, "run", reflink)
    monkeypatch.setattr(rig.host, "rows", lambda *_words: [])
    paths = (str(image),)
    rig.guards.begin(GUARD, VM, paths)
    rig.until("whole", paths)
    assert rig.host.calls[0].startswith("cp --reflink=always")
    image.write_bytes(b"after")
    rig.halt()
    rig.guards.roll_back(GUARD, VM, paths)
    rig.until("rolled_back", paths)
    assert image.read_bytes() == b"before"
    rig.guards.remove(GUARD, paths)
    assert [each.name for each in image.parent.iterdir()] == ["web.img"]
