"""Run the benchmarks, all or those named; print a table, write build/bench.json.

A part that is run alone replaces its own figures in the file and leaves the others.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import crash, forecast, freshness, measuring, overhead
from tests.bench.figures import Figures
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.stage import Stage, free_port

ROOT = Path(__file__).resolve().parents[2]

ON_THE_STAGE: dict[str, Callable[[Stage, Lab, Figures], None]] = {
    "freshness": freshness.measure,
    "overhead": overhead.measure,
    "crash": crash.measure,
    "measuring": measuring.measure,
}
"""Parts that share one stage with the small company's guests."""

APART: dict[str, Callable[[Path, Figures], None]] = {"forecast": forecast.measure}
"""Parts that bring a stage of their own, in a folder that they are given."""


def on_the_stage(names: list[str], folder: Path, figures: Figures) -> None:
    """Run the parts that share a stage."""
    stage = Stage(data=folder / "d", lab=folder / "l", port=free_port(), workers=2)
    try:
        stage.start()
        for name in names:
            ON_THE_STAGE[name](stage, Lab(stage.lab), figures)
    finally:
        stage.stop()


def main() -> int:
    """Answer 0 if every figure is within its bound."""
    parts = [*ON_THE_STAGE, *APART]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(parts)}; all by default")
    chosen = parser.parse_args().part or parts
    if unknown := set(chosen) - set(parts):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    folder = Path(tempfile.mkdtemp(prefix="xn-", dir="/tmp"))
    figures = Figures()
    try:
        shared = [name for name in ON_THE_STAGE if name in chosen]
        if shared:
            on_the_stage(shared, folder, figures)
        for name, measure in APART.items():
            if name in chosen:
                measure(folder, figures)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures.write(ROOT / "build" / "bench.json", others_stay=chosen != parts)
    print(figures.table())
    for key in figures.missed:
        print(f"{key} is over its bound", file=sys.stderr)
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
