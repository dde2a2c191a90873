"""Memory that a guard keeps: saved by xl while the guest stands still, and made into what libvirt reads."""

import json
import struct
import threading
import time
from pathlib import Path

import pytest

from tests.probe.test_guards import GUARD, VM, WEB, Rig, until
from xenweb.probe.guards import Guards, State
from xenweb.probe.memories import Memory
from xenweb.probe.remedies import RemedyRefusedError
from xenweb.probe.volumes import Volumes

XML = "<domain type='xen'><name>web01</name></domain>"
STREAM = b"LibxlFmt" + b"\0\0\0\2" + b"what the guest had in its memory" * 400_000
STATE = State(XML, 16)


def saved(stream: bytes = STREAM, *, flags: int = 3, config: bytes = b"{}", order: int = 0x01020304) -> bytes:
    """What xl writes: its head, a description of its own, and libxl's stream."""
    magic = b"Xen saved domain, xl format\n \0 \r"
    return struct.pack("=32sIIII", magic, order, flags, 0, len(config)) + config + stream


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr("xenweb.probe.guards.WRITES_OUT_FOR", 0.01)
    return playing(Rig(tmp_path), saved())


def playing(rig: Rig, image: bytes) -> Rig:
    """Have xl save what a test says, and leave the guest paused as ``-p`` does."""
    original = rig.host.run

    def run(*words: str, within: float = 0) -> str:
        said = original(*words, within=within)
        if words[:2] == ("xl", "save"):
            Path(words[-1]).write_bytes(image)
            rig.xen.paused = True
        return said

    rig.host.run = run  # type: ignore[method-assign]
    return rig


def phase(rig: Rig, wanted: str) -> None:
    until(lambda: found if (found := rig.guards.look(GUARD, (WEB,), with_memory=True))["phase"] == wanted else None)


def test_memory_is_saved_before_the_snapshots_and_the_guest_stands_still_for_both(rig: Rig) -> None:
    rig.guards.begin(GUARD, VM, (WEB,), STATE)
    phase(rig, "whole")
    told = [each.split()[0] + (" -s" if "--snapshot" in each else "") for each in rig.host.changes()]
    assert told[:3] == ["lvcreate", "xl", "lvcreate -s"]
    assert f"xl save -p 3 {rig.folder / 'states' / GUARD}.xl" in rig.host.changes()
    assert rig.xen.told == ["sysrq 3 s", "unpause 3"]
    assert not rig.xen.paused


def test_what_is_kept_is_the_same_stream_behind_the_head_that_libvirt_reads(rig: Rig) -> None:
    rig.guards.begin(GUARD, VM, (WEB,), STATE)
    phase(rig, "whole")
    rig.xen.here = False
    kept = Path(rig.guards.memory(GUARD, VM))
    data = kept.read_bytes()
    magic, version, length = struct.unpack("=16sII40x", data[:64])
    assert (magic, version) == (b"libvirt-xml\n \0 \r", 2)
    assert data[64 : 64 + length] == XML.encode() + b"\0"
    assert data[64 + length :] == STREAM
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in kept.parent.iterdir()] == [GUARD]


@pytest.mark.parametrize(
    "image",
    [saved(flags=7), saved(flags=1), saved(order=0x04030201), saved(b"LibxcFmt"), b"Xen saved", b"x" * 100],
    ids=["unknown flag", "first stream", "other order", "other stream", "cut short", "no head"],
)
def test_memory_in_a_form_that_is_not_known_makes_no_guard_and_the_guest_goes_on(tmp_path: Path, image: bytes) -> None:
    rig = playing(Rig(tmp_path), image)
    rig.guards.begin(GUARD, VM, (WEB,), STATE)
    phase(rig, "none")
    assert "form that is not known" in rig.guards.look(GUARD, (WEB,))["error"]
    assert not rig.xen.paused
    assert list((tmp_path / "states").iterdir()) == []


def test_disks_without_the_memory_that_belongs_to_them_are_no_whole_guard(rig: Rig) -> None:
    rig.guards.begin(GUARD, VM, (WEB,), STATE)
    phase(rig, "whole")
    (rig.folder / "states" / GUARD).unlink()
    seen = rig.guards.look(GUARD, (WEB,), with_memory=True)
    assert (seen["phase"], "memory" in seen["error"]) == ("broken", True)
    with pytest.raises(RemedyRefusedError, match="not there"):
        rig.guards.memory(GUARD, VM)


def test_memory_is_not_given_out_while_the_vm_is_here(rig: Rig) -> None:
    rig.guards.begin(GUARD, VM, (WEB,), STATE)
    phase(rig, "whole")
    with pytest.raises(RemedyRefusedError, match="has this VM here"):
        rig.guards.memory(GUARD, VM)


def test_memory_goes_with_its_guard(rig: Rig) -> None:
    rig.guards.begin(GUARD, VM, (WEB,), STATE)
    phase(rig, "whole")
    rig.guards.remove(GUARD, (WEB,))
    assert not Memory(rig.folder / "states", GUARD).stands()


def test_memory_that_has_no_room_here_is_refused_before_the_guest_is_touched(rig: Rig) -> None:
    said = rig.guards.foresee((WEB,), 2**60)
    assert (said["possible"], "bytes free for its memory" in said["why"]) == (False, True)
    assert rig.guards.foresee((WEB,), 16)["possible"]
    with pytest.raises(RemedyRefusedError, match="for its memory"):
        rig.guards.begin(GUARD, VM, (WEB,), State(XML, 2**60))
    assert rig.xen.told == []


def test_a_guest_whose_saving_outlives_the_daemon_is_let_go_on_when_that_ends(rig: Rig) -> None:
    notes, process = rig.folder / "run" / "paused", rig.folder / "proc" / "77"
    for each in (notes, process):
        each.mkdir(parents=True)
    (notes / GUARD).write_text(json.dumps({"number": 3, "uuid": VM, "saving": True}))
    (process / "cmdline").write_bytes(f"xl\0save\0-p\x003\0{rig.folder / 'states' / GUARD}.xl\0".encode())
    again = Guards(
        Volumes(rig.host, rig.host.kind),
        rig.xen,
        rig.folder / "run",
        rig.folder / "states",
        mounts=rig.mounts,
        place=rig.host.place,
        processes=rig.folder / "proc",
    )
    again.recover()
    assert rig.xen.told == []
    rig.xen.paused = True
    (process / "cmdline").unlink()
    until(lambda: None if rig.xen.paused else {})
    assert rig.xen.told == ["unpause 3"]
    until(lambda: None if any(notes.iterdir()) else {})


def test_a_guard_that_is_given_up_while_memory_is_put_in_order_leaves_none(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = threading.Event()

    def slow(self: Memory, _description: str, _told: object, go_on: object) -> None:
        del self
        going.set()
        while True:
            go_on()  # type: ignore[operator]
            time.sleep(0.01)

    monkeypatch.setattr(Memory, "finish", slow)
    rig.guards.begin(GUARD, VM, (WEB,), STATE)
    assert going.wait(5)
    rig.guards.remove(GUARD, (WEB,))
    assert rig.guards.look(GUARD, (WEB,))["phase"] == "none"
    assert list((rig.folder / "states").iterdir()) == []
