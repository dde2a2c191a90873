"""Measure on the Xen lab, all parts or those named; print a table, write build/bench-xen.json.

A part that is run alone replaces its own figures in the file and leaves the others. Each part is written down as
soon as it is done; one that is ended before writes what it has, and ``n`` says how much that is.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import Figures
from tests.bench.xen import forecast, probe, storage

ROOT = Path(__file__).resolve().parents[3]
LAB = ROOT / "xenweb" / "livemigration" / "storage_costs.json"
XEN = "Xen 4.17 nested in QEMU without KVM"
PARTS: dict[str, Callable[[Figures], None]] = {
    "probe": probe.measure,
    "forecast": forecast.measure,
    "storage": storage.measure,
}


def main() -> int:
    """Answer 0 if every figure is within its bound."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.xen", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--publish", action="store_true", help="have the product show the storage table as the lab's")
    words = parser.parse_args()
    chosen = words.part or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before all was measured"))
    figures = Figures()
    is_partial = set(chosen) != set(PARTS)
    for name in chosen:
        try:
            PARTS[name](figures)
        finally:
            figures.write(
                ROOT / "build" / "bench-xen.json", others_stay=is_partial or name != chosen[0], hypervisor=XEN
            )
            print(figures.table(), flush=True)
    if words.publish and "storage_costs" in figures.apart:
        LAB.write_text(json.dumps({"storage_costs": figures.apart["storage_costs"]}, indent=1) + "\n")
    for key in figures.missed:
        print(f"{key} is over its bound", file=sys.stderr)
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
