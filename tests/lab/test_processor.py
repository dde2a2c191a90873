"""The load a lab host claims to have."""

from pathlib import Path

from xenweb.lab.qemu.processor import LoadMeter, stat, used_ticks


def write_process(proc: Path, pid: int, own: str, buried: str = "0 0") -> None:
    (proc / str(pid)).mkdir(exist_ok=True)
    zeros = "0 " * 10
    text = f"{pid} (a (strange) name) S {zeros}{own} {buried} 20 0 1"
    (proc / str(pid) / "stat").write_text(text)


def busy(text: str, line: int = 0) -> int:
    return int(text.splitlines()[line].split()[1])


def idle(text: str) -> int:
    return int(text.splitlines()[0].split()[4])


def test_the_work_of_the_living_and_of_the_buried_counts(tmp_path: Path) -> None:
    write_process(tmp_path, 1, "3 4", "10 20")
    write_process(tmp_path, 7, "100 200")
    (tmp_path / "8").mkdir()  # it ended while we looked
    assert used_ticks(tmp_path) == 337


def test_what_is_not_work_is_idleness() -> None:
    text = stat(cpus=2, busy=30, elapsed=100)
    assert (busy(text), idle(text)) == (30, 170)
    assert [busy(text, cpu) for cpu in (1, 2)] == [15, 15]
    assert idle(stat(cpus=1, busy=101, elapsed=100)) == 0


def test_the_counters_never_go_back(tmp_path: Path) -> None:
    meter = LoadMeter(tmp_path)
    write_process(tmp_path, 7, "100 0")
    assert busy(meter.stat()) == 100
    write_process(tmp_path, 7, "40 0")
    assert busy(meter.stat()) == 100


def test_the_text_never_changes_its_length() -> None:
    assert len({len(stat(4, n, n)) for n in (0, 99, 10**9)}) == 1
