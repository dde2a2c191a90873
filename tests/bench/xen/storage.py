"""What each kind of shared storage costs: reads and writes, and how long a guest's disk stands still in a move.

One store and one disk of this machine lie below all three kinds, so only the ratios to block storage on the SAN say
something, and only of this lab. The kinds take turns, so that whatever else happens on the machine meets all alike.
"""

import statistics
from datetime import UTC, datetime
from typing import Final

from tests.bench.figures import Figures
from tests.bench.xen.moves import moved
from xenweb.core.facts import Cost, StorageKind
from xenweb.lab.stage import Stage, passing_stage
from xenweb.lab.xen.descriptions import NFS, OCFS2, VOLUME_GROUP, disk_path
from xenweb.lab.xen.guests import GUESTS
from xenweb.lab.xen.lab import Lab

HOST: Final = "xen-1"
ROUNDS: Final = 6
TIMES: Final = 64
KINDS: Final = {
    "san": ("san-1", f"/dev/{VOLUME_GROUP}/scratch"),
    "nfs": ("nfs-1", f"{NFS}/scratch"),
    "ocfs2": ("ocfs-1", f"{OCFS2}/scratch"),
}
"""Each kind, a guest whose disk lies there, and a place for reads and writes of our own."""

TOLD_AS: Final = {"san": StorageKind.SAN_BLOCK, "nfs": StorageKind.NFS, "ocfs2": StorageKind.OCFS2}

MAKE: Final = f"""
lvcreate -q -y -Zn -Wn -L 8M -n scratch {VOLUME_GROUP} && udevadm settle
for file in {NFS}/scratch {OCFS2}/scratch; do dd if=/dev/zero of=$file bs=1M count=8 conv=fsync status=none; done
"""

TOUCH: Final = f"""
import mmap, os, sys, time
page = mmap.mmap(-1, 4096)
page.write(b"x" * 4096)
handle = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
writes, reads = [], []
for number in range({TIMES}):
    began = time.monotonic()
    os.pwrite(handle, page, 4096 * (number * 37 % 2048))
    os.fdatasync(handle)
    between = time.monotonic()
    os.preadv(handle, [page], 4096 * (number * 53 % 2048))
    writes.append(between - began)
    reads.append(time.monotonic() - between)
print(sorted(writes)[{TIMES} // 2] * 1000, sorted(reads)[{TIMES} // 2] * 1000)
"""

GAP: Final = """
import sys
sys.path.insert(0, "/lab")
from records import blocks_of, record
found = [each for block in blocks_of(sys.argv[1]) if (each := record(block))]
run = max(each.run for each in found)
ours = sorted((each.number, each.realtime) for each in found if each.run == run and each.number >= int(sys.argv[2]))
print(max(after[1] - before[1] for before, after in zip(ours, ours[1:])) / 1e6)
"""


def measure(figures: Figures) -> None:
    """Measure on a stage of their own, and add the table."""
    writes: dict[str, list[float]] = {kind: [] for kind in KINDS}
    reads: dict[str, list[float]] = {kind: [] for kind in KINDS}
    gaps: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with passing_stage("s", workers=1, kind="xen") as stage:
        lab = Lab(stage.lab)
        lab.run(HOST, MAKE)
        for _ in range(ROUNDS):
            for kind, (guest, place) in KINDS.items():
                write, read = (float(word) for word in _python(lab, HOST, TOUCH, place).split())
                gap = _gap(stage, lab, guest)
                writes[kind].append(write)
                reads[kind].append(read)
                gaps[kind].append(gap)
                print(f"{kind:<6} write {write:.1f} ms  read {read:.1f} ms  hand-over {gap:.2f} s", flush=True)
    for name, unit, samples, what in (
        ("write", "ms", writes, "4 KiB written and flushed by a host"),
        ("read", "ms", reads, "4 KiB read by a host, past its cache"),
        ("hand_over", "s", gaps, "widest gap between two records that a guest wrote while it was moved"),
    ):
        _add(figures, name, unit, samples, what)
    figures.apart["storage_costs"] = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "samples": {
            Cost.HAND_OVER: {TOLD_AS[kind]: [round(each * 1000) for each in taken] for kind, taken in gaps.items()},
            Cost.WRITE: {TOLD_AS[kind]: [round(each, 3) for each in taken] for kind, taken in writes.items()},
            Cost.READ: {TOLD_AS[kind]: [round(each, 3) for each in taken] for kind, taken in reads.items()},
        },
    }


def _add(figures: Figures, name: str, unit: str, samples: dict[str, list[float]], what: str) -> None:
    block = statistics.median(samples["san"])
    for kind, taken in samples.items():
        middle = statistics.median(taken)
        figures.add(f"storage_{kind}_{name}_{unit}", middle, taken, what=f"{kind}: {what}, middle of all")
        if kind != "san":
            ratios = [each / block for each in taken]
            figures.add(f"storage_{kind}_{name}_ratio", middle / block, ratios, what="the same, to block storage")


def _gap(stage: Stage, lab: Lab, guest: str) -> float:
    """Move a guest and answer for how many seconds its disk stood still."""
    [source] = lab.where(guest)
    before = lab.records(guest, source).newest
    moved(stage, guest)
    [target] = lab.where(guest)
    verdict = lab.records(guest, target)
    assert verdict.is_complete, verdict
    spec = next(each for each in GUESTS if each.name == guest)
    return float(_python(lab, target, GAP, str(disk_path(spec)), str(before)))


def _python(lab: Lab, host: str, text: str, *words: str) -> str:
    return lab.run(host, " ".join(("python3", "-", *words)), text.encode())
