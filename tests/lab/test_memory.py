"""The memory a lab host claims to have."""

from pathlib import Path

import pytest

from xenweb.lab.qemu.layout import MIB
from xenweb.lab.qemu.memory import guest_memory, meminfo, promised_memory

QEMU = "/usr/bin/qemu-system-x86_64"


@pytest.mark.parametrize(
    ("size", "expected"),
    [("64", 64 * MIB), ("size=65536k", 64 * MIB), ("1G", 1024 * MIB), ("size=128M,slots=2", 128 * MIB)],
)
def test_the_promise_is_read_from_the_command_line(size: str, expected: int) -> None:
    assert guest_memory([QEMU, "-name", "guest=dns-1", "-m", size]) == expected


@pytest.mark.parametrize("command", [["libvirtd"], [""], [QEMU, "-m", "64"], [QEMU, "-name", "x"]])
def test_other_programs_promise_nothing(command: list[str]) -> None:
    assert guest_memory(command) == 0


def test_promises_add_up_over_processes(tmp_path: Path) -> None:
    for pid, size in (("7", "64"), ("8", "128")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_bytes(f"{QEMU}\0-name\0g\0-m\0{size}".encode())
    (tmp_path / "9").mkdir()  # it ended while we looked
    assert promised_memory(tmp_path) == 192 * MIB


def test_what_is_promised_is_not_free() -> None:
    def free(promised: int) -> int:
        lines = dict(line.split(":") for line in meminfo(1024 * MIB, promised).splitlines())
        return int(lines["MemFree"].split()[0]) * 1024

    assert free(0) - free(256 * MIB) == 256 * MIB
    assert free(4096 * MIB) == 0


def test_the_text_never_changes_its_length() -> None:
    assert len({len(meminfo(4096 * MIB, n * MIB)) for n in (0, 1, 100, 5000)}) == 1
