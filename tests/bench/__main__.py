"""Run the benchmarks, all or those named; print a table, write build/bench.json.

A part that is run alone replaces its own figures in the file and leaves the others.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench import crash, forecast, freshness, measuring, overhead, xapi
from tests.bench.figures import Figures
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.stage import Stage, passing_stage

ROOT = Path(__file__).resolve().parents[2]

ON_THE_STAGE: dict[str, Callable[[Stage, Lab, Figures], None]] = {
    "freshness": freshness.measure,
    "overhead": overhead.measure,
    "crash": crash.measure,
    "measuring": measuring.measure,
}
"""Parts that share one stage with the small company's guests."""

APART: dict[str, Callable[[Figures], None]] = {"forecast": forecast.measure, "xapi": xapi.measure}
"""Parts that bring a stage of their own."""


def on_the_stage(names: list[str], figures: Figures) -> None:
    """Run the parts that share a stage."""
    with passing_stage("n", workers=2) as stage:
        for name in names:
            ON_THE_STAGE[name](stage, Lab(stage.lab), figures)


def main() -> int:
    """Answer 0 if every figure is within its bound."""
    parts = [*ON_THE_STAGE, *APART]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(parts)}; all by default")
    chosen = parser.parse_args().part or parts
    if unknown := set(chosen) - set(parts):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    figures = Figures()
    shared = [name for name in ON_THE_STAGE if name in chosen]
    if shared:
        on_the_stage(shared, figures)
    for name, measure in APART.items():
        if name in chosen:
            measure(figures)
    figures.write(ROOT / "build" / "bench.json", others_stay=chosen != parts)
    print(figures.table())
    for key in figures.missed:
        print(f"{key} is over its bound", file=sys.stderr)
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
