"""Run all benchmarks on a stage of their own; print a table, write build/bench.json."""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench import freshness, overhead
from tests.bench.figures import Figures
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.smoke import rest
from xenweb.lab.stage import Stage, free_port

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Answer 0 if every figure is within its bound."""
    folder = Path(tempfile.mkdtemp(prefix="xn-", dir="/tmp"))
    stage = Stage(data=folder / "d", lab=folder / "l", port=free_port(), workers=2)
    figures = Figures()
    try:
        stage.start()
        lab = Lab(stage.lab)
        version = rest(stage, "GET", "/hosts")["items"][0]["version"]
        freshness.measure(stage, lab, figures)
        overhead.measure(stage, lab, figures)
    finally:
        stage.stop()
        shutil.rmtree(folder, ignore_errors=True)
    figures.write(ROOT / "build" / "bench.json", hypervisor=version)
    print(figures.table())
    for key in figures.missed:
        print(f"{key} is over its bound", file=sys.stderr)
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
