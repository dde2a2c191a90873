"""Logical volumes of a host: switched on and off by LVM's own tools, and never where a snapshot would be spoiled."""

import json
import sys
from pathlib import Path

import pytest

from xenweb.probe.volumes import VolumeRefusedError, Volumes

PATH = "/dev/san/web01"


class Lvm:
    """LVM's tools, that list what a test wants and note what they are told."""

    def __init__(self, folder: Path, *, attributes: str = "-wi-------", active: str = "", origin: str = "") -> None:
        self.calls = folder / "calls"
        volume = {
            "vg_name": "san", "lv_name": "web01", "lv_path": PATH, "lv_uuid": "l",
            "lv_active": active, "origin": origin, "lv_attr": attributes,
        }  # fmt: skip
        group = {"vg_name": "san", "vg_uuid": "u-1", "vg_size": "1073741824", "vg_free": "1000"}
        self.tools = {}
        for tool, kind, row in (("vgs", "vg", group), ("lvs", "lv", volume), ("lvchange", "", {}), ("udevadm", "", {})):
            place = folder / tool
            said = json.dumps({"report": [{kind: [row]}]}) if kind else ""
            place.write_text(
                f"#!{sys.executable}\nimport sys\n"
                f"open({str(self.calls)!r}, 'a').write({tool!r} + ' ' + ' '.join(sys.argv[1:]) + '\\n')\n"
                f"print({said!r})\n"
            )
            place.chmod(0o755)
            self.tools[tool] = str(place)
        self.volumes = Volumes(self.tools)

    def changes(self) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if line.startswith("lvchange")]


def test_a_group_is_told_with_the_uuid_that_every_host_gives_it(tmp_path: Path) -> None:
    lvm = Lvm(tmp_path)
    [group] = lvm.volumes.groups()
    assert group == {"name": "san", "uuid": "u-1", "size": 1024**3, "free": 1000}
    lvm.volumes.groups()
    assert lvm.calls.read_text().count("vgs ") == 1


def test_a_host_without_lvm_has_no_groups(tmp_path: Path) -> None:
    assert Volumes({"vgs": str(tmp_path / "none")}).groups() == []


def test_a_volume_is_switched_on_once(tmp_path: Path) -> None:
    lvm = Lvm(tmp_path)
    assert lvm.volumes.may_be_switched_on(PATH)
    lvm.volumes.switch_on(PATH)
    assert lvm.changes() == ["lvchange -ay san/web01"]


def test_one_that_is_on_stays_as_it_is(tmp_path: Path) -> None:
    lvm = Lvm(tmp_path, active="active", attributes="-wi-a-----")
    lvm.volumes.switch_on(PATH)
    assert lvm.changes() == []


@pytest.mark.parametrize(("attributes", "origin"), [("owi-------", ""), ("Owi-------", ""), ("swi-------", "web00")])
def test_nothing_is_switched_on_that_a_snapshot_hangs_on(tmp_path: Path, attributes: str, origin: str) -> None:
    lvm = Lvm(tmp_path, attributes=attributes, origin=origin)
    assert not lvm.volumes.may_be_switched_on(PATH)
    with pytest.raises(VolumeRefusedError, match="snapshot"):
        lvm.volumes.switch_on(PATH)
    assert lvm.changes() == []


def test_a_volume_in_use_is_not_switched_off(tmp_path: Path) -> None:
    lvm = Lvm(tmp_path, active="active", attributes="-wi-ao----")
    with pytest.raises(VolumeRefusedError, match="in use"):
        lvm.volumes.switch_off(PATH)
    assert lvm.changes() == []


def test_one_that_nobody_uses_is(tmp_path: Path) -> None:
    lvm = Lvm(tmp_path, active="active", attributes="-wi-a-----")
    lvm.volumes.switch_off(PATH)
    assert lvm.changes() == ["lvchange -an san/web01"]


@pytest.mark.parametrize("path", ["/dev/san/other", "/etc/passwd", "san/web01", "/dev/san/web01;reboot"])
def test_what_is_no_volume_is_left_alone(tmp_path: Path, path: str) -> None:
    lvm = Lvm(tmp_path)
    for switch in (lvm.volumes.switch_on, lvm.volumes.switch_off):
        with pytest.raises(VolumeRefusedError, match="no logical volume"):
            switch(path)
    assert lvm.changes() == []
