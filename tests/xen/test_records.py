"""What a guest's disk proves: nothing missing, nothing torn, and where it stood still."""

import subprocess
from pathlib import Path
from zlib import crc32

import pytest

from xenweb.lab.xen.records import BLOCK, HEAD, MARK, SUM, blocks_of, record, verify

RUN = 1_000_000
EMPTY = b"\0" * BLOCK


def block(number: int, run: int = RUN, late: int = 0) -> bytes:
    """Return a whole record, written every 50 ms, ``late`` microseconds after its turn."""
    clocks = [base + number * 50_000 + late for base in (run, 10, 10)]
    head = HEAD.pack(MARK, run, number, *clocks)
    body = head + bytes([number % 251]) * (BLOCK - len(head) - SUM.size)
    return body + SUM.pack(crc32(body))


def test_a_disk_that_was_never_full_holds_all_records_from_the_first() -> None:
    verdict = verify([block(1), block(2), block(3), EMPTY, EMPTY])
    assert verdict.is_complete
    assert (verdict.newest, verdict.whole) == (3, 3)


def test_a_disk_written_round_holds_the_newest_as_many_as_it_has_blocks() -> None:
    verdict = verify([block(5), block(6), block(3), block(4)])
    assert verdict.is_complete
    assert (verdict.newest, verdict.whole) == (6, 4)


def test_a_write_that_was_lost_is_missing_whether_its_block_is_empty_or_old() -> None:
    assert verify([block(1), EMPTY, block(3)]).missing == (2,)
    assert verify([block(4), block(2), block(3), block(1)]).missing == ()
    assert verify([block(5), block(2), block(7), block(4)]).missing == (6,)


def test_half_a_record_is_torn_and_not_missing() -> None:
    half = block(2)[: BLOCK // 2] + EMPTY[BLOCK // 2 :]
    verdict = verify([block(1), half, block(3)])
    assert (verdict.missing, verdict.torn) == ((), (2,))
    assert not verdict.is_complete


def test_the_record_being_written_is_no_loss() -> None:
    half = block(3)[: BLOCK // 2] + EMPTY[BLOCK // 2 :]
    assert verify([block(1), block(2), half, EMPTY]).is_complete


def test_only_the_last_start_counts() -> None:
    verdict = verify([block(1, run=RUN * 2), block(2, run=RUN * 2), block(3), block(4)])
    assert verdict.is_complete
    assert (verdict.run, verdict.newest) == (RUN * 2, 2)


def test_the_widest_gap_is_found_and_said_where() -> None:
    verdict = verify([block(1), block(2), block(3, late=2_000_000), block(4, late=2_000_000)])
    assert verdict.widest_gap == pytest.approx(2.05)
    assert verdict.gap_after == 2


def test_an_empty_disk_has_nothing_to_lose_and_nothing_to_show() -> None:
    verdict = verify([EMPTY, EMPTY])
    assert (verdict.newest, verdict.whole, verdict.widest_gap, verdict.gap_after) == (0, 0, None, None)
    assert verify([]).newest == 0


def test_a_changed_byte_is_seen() -> None:
    good = block(1)
    assert record(good) is not None
    assert record(good[:2000] + b"x" + good[2001:]) is None
    assert record(good[:100]) is None


def test_the_real_witness_writes_what_the_verifier_reads(tmp_path: Path) -> None:
    """Run the C program's own layout against the reader: both know the same record."""
    source = Path("xenweb/lab/xen/image/witness.c").resolve()
    # A file in the place of the device: its size is asked for in another way.
    text = source.read_text().replace(
        "ioctl(file, BLKGETSIZE64, &size)", "!(size = (uint64_t)lseek(file, 0, SEEK_END))"
    )
    (tmp_path / "witness.c").write_text(text)
    program, disk = tmp_path / "witness", tmp_path / "disk"
    subprocess.run(["gcc", "-O1", str(tmp_path / "witness.c"), "-o", str(program)], check=True)
    disk.write_bytes(EMPTY * 8)
    witness = subprocess.Popen(
        [program, "100", "1", "1", disk, "50"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert witness.stdout is not None
        newest = 0
        while newest < 12:
            newest = int(witness.stdout.readline().split()[5])
    finally:
        subprocess.run(["kill", "-9", "--", f"-{witness.pid}"], check=True)
        witness.wait()
    verdict = verify(blocks_of(str(disk)))
    assert verdict.is_complete
    assert verdict.newest >= 12
    assert verdict.whole == 8
