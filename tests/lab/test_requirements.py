"""What a machine may lack, and the one sentence that names it."""

import subprocess
from pathlib import Path

import pytest

from xenweb.lab.errors import LabUnavailableError
from xenweb.lab.qemu import guest_build, requirements
from xenweb.lab.qemu.requirements import KERNEL_STEPS, PROGRAMS, check


@pytest.mark.parametrize("absent", PROGRAMS)
def test_a_missing_program_is_named(absent: str) -> None:
    with pytest.raises(LabUnavailableError) as error:
        check(which=lambda program: None if program == absent else f"/usr/bin/{program}", run=lambda _: 0)
    assert PROGRAMS[absent] in str(error.value)
    assert str(error.value).endswith("is not on this machine.")


def test_a_missing_python_binding_is_named() -> None:
    with pytest.raises(LabUnavailableError, match="pip install libvirt-python"):
        check(which=lambda program: program, run=lambda _: 0, find_module=lambda _: None)


@pytest.mark.parametrize(("step", "words"), list(enumerate(words for _, words in KERNEL_STEPS)))
def test_a_kernel_that_lacks_one_thing_is_told_which(step: int, words: str) -> None:
    with pytest.raises(LabUnavailableError) as error:
        check(which=lambda program: program, run=lambda _: 40 + step)
    assert words in str(error.value)


@pytest.mark.parametrize("code", [1, 127])
def test_forbidden_user_namespaces_are_named(code: int) -> None:
    with pytest.raises(LabUnavailableError, match="needs user namespaces"):
        check(which=lambda program: program, run=lambda _: code)


def test_a_failing_step_is_found_by_really_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "KERNEL_STEPS", (("true", "nothing"), ("false", "the impossible")))
    monkeypatch.setattr(requirements, "LAB", ())
    with pytest.raises(LabUnavailableError, match="needs the impossible"):
        check(which=lambda program: program)


def test_a_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabUnavailableError, match="gcc is missing"):
        guest_build.build(tmp_path / "pulse.elf")


def test_what_the_compiler_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(command: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "no -m32 here\nmore words")

    monkeypatch.setattr(subprocess, "run", broken)
    with pytest.raises(LabUnavailableError, match=r"gcc says no -m32 here\."):
        guest_build.build(tmp_path / "pulse.elf")
