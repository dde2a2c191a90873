"""KVM or not: tried, not assumed."""

import os
import platform
from pathlib import Path

import pytest

from xenweb.lab.errors import LabError, LabUnavailableError
from xenweb.lab.qemu import acceleration
from xenweb.lab.qemu.acceleration import choose, guest_survives_move
from xenweb.lab.qemu.guest_build import build
from xenweb.lab.qemu.layout import LabLayout
from xenweb.lab.qemu.requirements import check


@pytest.fixture
def kvm_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: True)
    monkeypatch.setattr(acceleration, "qemu_version", lambda: "7.2.22")


@pytest.mark.parametrize("wish", ["kvm", "tcg"])
def test_a_wish_is_granted(tmp_path: Path, wish: str) -> None:
    assert choose(LabLayout(tmp_path), {"XENWEB_LAB_ACCEL": wish}) == wish


def test_an_unknown_wish_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="auto, kvm or tcg"):
        choose(LabLayout(tmp_path), {"XENWEB_LAB_ACCEL": "magic"})


def test_without_the_device_there_is_no_kvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert choose(LabLayout(tmp_path), {}) == "tcg"


@pytest.mark.usefixtures("kvm_opens")
@pytest.mark.parametrize(("survives", "expected"), [(True, "kvm"), (False, "tcg")])
def test_kvm_is_chosen_only_when_a_guest_survives_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, survives: bool, expected: str
) -> None:
    tries: list[str] = []

    def try_it(_: Path, kind: str) -> bool:
        tries.append(kind)
        return survives

    monkeypatch.setattr(acceleration, "guest_survives_move", try_it)
    assert choose(LabLayout(tmp_path), {}) == expected
    assert choose(LabLayout(tmp_path), {}) == expected
    assert tries == ["kvm"], "the answer is remembered"
    monkeypatch.setattr(platform, "release", lambda: "another kernel")
    assert choose(LabLayout(tmp_path), {}) == expected
    assert tries == ["kvm", "kvm"], "a new kernel is tried anew"


@pytest.mark.lab
def test_the_trial_itself_tells_a_guest_that_survives_from_one_that_does_not(tmp_path: Path) -> None:
    try:
        check()
    except LabUnavailableError as missing:
        pytest.skip(str(missing))
    program = tmp_path / "pulse.elf"
    build(program)
    assert guest_survives_move(program, "tcg")
    program.write_bytes(b"not a guest")
    assert not guest_survives_move(program, "tcg")
