"""Where a lab may live."""

import json
import os
from pathlib import Path

import pytest

from xenweb.lab.errors import LabError, LabUnavailableError
from xenweb.lab.qemu import control
from xenweb.lab.qemu.descriptions import groups, people
from xenweb.lab.qemu.guests import GUESTS
from xenweb.lab.qemu.layout import HOSTS, LabLayout, check_path, claim, default_folder, host_spec
from xenweb.lab.qemu.namespaces import ORDINARY_ID


def test_the_folder_comes_from_the_environment_or_is_short() -> None:
    assert default_folder({"XENWEB_LAB": "/srv/lab"}) == Path("/srv/lab")
    assert default_folder({}) == Path(f"/tmp/xw-{os.getuid()}")


def test_a_path_too_long_for_sockets_is_refused_in_one_sentence() -> None:
    with pytest.raises(LabUnavailableError, match=r"is too long for QEMU's sockets: choose one of at most \d+ char"):
        check_path(Path("/") / ("long-" * 8))


def test_a_claimed_folder_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xenweb.lab.qemu.layout.check_path", lambda _: None)
    layout = claim(tmp_path / "lab")
    assert layout.folder.stat().st_mode & 0o777 == 0o700
    assert claim(tmp_path / "lab") == layout


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xenweb.lab.qemu.layout.check_path", lambda _: None)
    (tmp_path / "thesis.txt").write_text("four years")
    mode = tmp_path.stat().st_mode
    with pytest.raises(LabError, match="not a lab"):
        claim(tmp_path)
    assert (tmp_path / "thesis.txt").exists()
    assert tmp_path.stat().st_mode == mode


def test_a_link_is_not_our_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xenweb.lab.qemu.layout.check_path", lambda _: None)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(LabError, match="a link"):
        claim(tmp_path / "link")


def test_an_unknown_host_is_answered_with_the_known_ones() -> None:
    with pytest.raises(LabError, match="its hosts are host-a, host-b, host-c"):
        host_spec("host-z")


def test_the_company_has_every_kind_of_guest() -> None:
    assert len(GUESTS) >= 12
    assert {guest.host for guest in GUESTS} == {host.name for host in HOSTS}
    assert {guest.disk for guest in GUESTS} == {"none", "shared", "local"}
    assert [guest.name for guest in GUESTS if not guest.running] == ["old-wiki"]
    assert len({guest.uuid for guest in GUESTS}) == len(GUESTS)
    assert all(guest.span + guest.fill + 8 <= guest.memory for guest in GUESTS)


def test_only_the_very_process_we_started_is_ours(tmp_path: Path) -> None:
    layout = LabLayout(tmp_path)
    assert control.running_process(layout) is None
    control.remember_process(layout, os.getpid())
    assert control.running_process(layout) == os.getpid()
    known = json.loads(layout.process.read_text())
    layout.process.write_text(json.dumps(known | {"identity": "another boot 1"}))
    assert control.running_process(layout) is None
    assert not control.end_process(layout)


def test_a_lab_that_is_not_running_says_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="start it with `lab up`"):
        control.ask(LabLayout(tmp_path), "status")


def test_whoever_runs_libvirt_on_a_host_is_known_there_by_name() -> None:
    accounts = {line.split(":")[2]: line.split(":")[0] for line in people().splitlines()}
    assert accounts[str(ORDINARY_ID)] == "lab"
    assert f":{ORDINARY_ID}:" in groups()
