"""Activating and deactivating a VM's volumes: exactly those, and never one that two hosts would spoil."""

from pathlib import Path

import pytest

from tests.probe.lvm import PlayedHost
from xenweb.probe import volumes
from xenweb.probe.commands import CommandError
from xenweb.probe.remedies import RemedyRefusedError
from xenweb.probe.volumes import Volumes, named_by

WEB = "/dev/sr1/web01"


@pytest.fixture
def host(tmp_path: Path) -> PlayedHost:
    played = PlayedHost(tmp_path)
    played.add("web01", b"disk")
    played.add("web02", b"another")
    return played


@pytest.fixture
def of_host(host: PlayedHost) -> Volumes:
    return Volumes(host, host.kind)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/dev/sr1/web01", ("sr1", "web01")),
        ("/dev/mapper/sr1-web01", ("sr1", "web01")),
        ("/dev/mapper/my--sr-web--01", ("my-sr", "web-01")),
        ("/dev/mapper/control", None),
        ("/dev/sda", None),
        ("/srv/web01.img", None),
        ("/dev/sr1/--force", None),
        ("/dev/../etc", None),
    ],
)
def test_a_path_names_a_volume_in_either_form_and_nothing_else_does(path: str, named: tuple[str, str] | None) -> None:
    assert named_by(path) == named


def test_exactly_the_named_volumes_are_activated_and_proven_to_stand_there(host: PlayedHost, of_host: Volumes) -> None:
    seen = of_host.activate([WEB])
    assert host.changes() == ["lvchange --activate y sr1/web01"]
    assert (seen[WEB]["active"], seen[WEB]["stands"]) == (True, "block")
    assert seen[WEB]["identity"] == "LVM-VGsr1web01_abcd0005"


def test_a_volume_that_was_active_is_left_as_it_is(host: PlayedHost, of_host: Volumes) -> None:
    host.volumes["sr1/web01"].active = True
    of_host.activate([WEB])
    assert host.changes() == []


def test_a_plain_file_in_a_device_s_place_is_refused(host: PlayedHost, of_host: Volumes) -> None:
    host.replies[f"kind {WEB}"] = "file"
    with pytest.raises(RemedyRefusedError, match="plain file"):
        of_host.activate([WEB])
    assert host.changes() == []


def test_a_volume_with_a_snapshot_is_not_activated_on_a_second_host(host: PlayedHost, of_host: Volumes) -> None:
    host.add("old", b"x").origin = "web01"
    with pytest.raises(RemedyRefusedError, match="has a snapshot"):
        of_host.activate([WEB])
    assert host.changes() == []


def test_a_thin_volume_is_not_activated_on_a_second_host(host: PlayedHost, of_host: Volumes) -> None:
    host.volumes["sr1/web01"].layout = "thin,sparse"
    with pytest.raises(RemedyRefusedError, match="only plain volumes"):
        of_host.activate([WEB])


def test_what_was_begun_is_taken_back_when_another_volume_cannot_be_activated(
    host: PlayedHost, of_host: Volumes
) -> None:
    host.failing["--activate y sr1/web02"] = "the storage is gone"
    with pytest.raises(CommandError, match="storage is gone"):
        of_host.activate([WEB, "/dev/sr1/web02"])
    assert not host.volumes["sr1/web01"].active


def test_a_volume_that_is_missing_is_refused(of_host: Volumes) -> None:
    with pytest.raises(RemedyRefusedError, match="No logical volume"):
        of_host.activate(["/dev/sr1/nobody"])


def test_volumes_are_deactivated_once_nothing_has_them(host: PlayedHost, of_host: Volumes) -> None:
    host.volumes["sr1/web01"].active = True
    of_host.deactivate([WEB], lambda: False)
    assert host.changes() == ["lvchange --activate n sr1/web01"]
    of_host.deactivate([WEB], lambda: False)
    assert len(host.changes()) == 1


def test_volumes_of_a_vm_that_xen_has_here_stay_active(host: PlayedHost, of_host: Volumes) -> None:
    host.volumes["sr1/web01"].active = True
    with pytest.raises(RemedyRefusedError, match="Xen has the VM"):
        of_host.deactivate([WEB], lambda: True)
    assert host.changes() == []


def test_an_open_volume_stays_active(host: PlayedHost, of_host: Volumes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "CLOSED_WITHIN", 0.2)
    host.volumes["sr1/web01"].active, host.volumes["sr1/web01"].opened = True, 1
    with pytest.raises(RemedyRefusedError, match="is open here"):
        of_host.deactivate([WEB], lambda: False)
    assert host.changes() == []
