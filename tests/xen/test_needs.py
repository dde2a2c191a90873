"""What the Xen lab needs of this machine, each thing missing in one sentence."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from xenweb.lab.errors import LabError, LabUnavailableError
from xenweb.lab.xen import image, needs
from xenweb.lab.xen.archive import file, folder, pack, program
from xenweb.lab.xen.needs import DebianSource, available_memory, check_for_build, check_for_lab, chosen_source


def test_too_little_memory_is_said_with_both_figures(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 2097152 kB\n")
    with pytest.raises(LabUnavailableError, match=r"needs 7 GiB of memory, and 2\.0 are free here"):
        check_for_lab(tmp_path, 2048, tmp_path / "meminfo")
    assert available_memory("") == 0


@pytest.mark.parametrize(("free", "ended", "said"), [(1, needs.LACKING, "needs 7 GiB of memory, and 1.0"), (9, 0, "")])
def test_who_asks_only_whether_the_memory_is_there_gets_a_sentence_or_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], free: int, ended: int, said: str
) -> None:
    monkeypatch.setattr(needs, "available_memory", lambda _: free * needs.GIB)
    assert needs.main() == ended
    printed = capsys.readouterr().out
    assert said in printed
    assert bool(printed) is bool(said)


def test_too_little_disk_is_said_with_both_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1024**3})())
    with pytest.raises(LabUnavailableError, match=r"needs 4 GiB in .* for building its image, and 1\.0 are free"):
        check_for_build(tmp_path)


def test_an_image_is_built_by_root_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabUnavailableError, match="needs root"):
        check_for_build(tmp_path)


def test_missing_packages_are_named_when_apt_cannot_fetch_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(LabUnavailableError, match="qemu-system-x86, qemu-utils"):
        needs.install_missing(needs.LAB_PROGRAMS)


def test_nothing_is_installed_when_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: "/usr/bin/it")
    monkeypatch.setattr(needs, "_apt", lambda *_: pytest.fail("apt was called"))
    needs.install_missing(needs.LAB_PROGRAMS)


def test_debian_comes_from_where_this_machine_has_it() -> None:
    listed = (
        "http://mirror.example/debian-security/\tbookworm-security\tDebian\tmain\n"
        "http://other.example/\tbookworm\tElsewhere\tmain\n"
        "http://mirror.example/debian/\tbookworm\tDebian\tmain\n"
    )
    assert chosen_source(listed) == DebianSource("bookworm", "http://mirror.example/debian/")
    assert chosen_source("http://mirror.example/debian/\ttrixie\tDebian\tmain\n") is None


def test_a_finished_image_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "_build", lambda *_: pytest.fail("it was built again"))
    finished = tmp_path / f"xen-{image.digest()}"
    finished.mkdir()
    assert image.ensure(print, tmp_path).folder == finished


def test_a_build_that_fails_leaves_nothing_and_says_the_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: image.Image) -> None:
        image._run("sh", "-c", "echo no such suite; exit 3")

    monkeypatch.setattr(image, "_install", fail)
    monkeypatch.setattr(image.needs, "check_for_build", lambda _: None)
    with pytest.raises(LabError, match="sh ended with 3: no such suite"):
        image.ensure(lambda _: None, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["xen.lock"]


def test_an_archive_is_what_cpio_reads_and_the_same_each_time(tmp_path: Path) -> None:
    entries = [folder("bin"), program("bin/a", b"12345"), file("b", b"")]
    packed = pack(entries)
    assert packed == pack(entries)
    assert _names(packed) == ["bin", "bin/a", "b"]


def _names(packed: bytes) -> Sequence[str]:
    """Read an archive by the written form of cpio, not by our writer's."""
    plain = subprocess.run(["gzip", "-dc"], input=packed, check=True, capture_output=True).stdout
    names, at = [], 0
    while True:
        assert plain[at : at + 6] == b"070701"
        size, length = int(plain[at + 54 : at + 62], 16), int(plain[at + 94 : at + 102], 16)
        name = plain[at + 110 : at + 110 + length - 1].decode()
        if name == "TRAILER!!!":
            return names
        names.append(name)
        at += (110 + length + 3) // 4 * 4 + (size + 3) // 4 * 4
