"""Run every fault of the list; print a table, write build/chaos.json; answer 0 if each was run and passed.

``python -m tests.chaos [SEED]``
"""

import json
import os
import random
import sys
import time
from pathlib import Path

import pytest

from tests.chaos.collecting import Collector
from tests.chaos.table import drawn, rows_of

ROOT = Path(__file__).resolve().parents[2]
SEEDS = "3"
"""So many interleavings for each fault at each phase, and fifty times as many without a plan."""


def main() -> int:
    """Run, judge, print, write."""
    seed = sys.argv[1] if len(sys.argv) > 1 else str(random.SystemRandom().randrange(10**6))
    os.environ |= {"XENWEB_CHAOS_SEEDS": SEEDS, "XENWEB_CHAOS_SEED": seed}
    print(f"chaos: the seeds begin at {seed}; the same again: python -m tests.chaos {seed}", flush=True)
    collector, began = Collector(), time.monotonic()
    code = pytest.main(["-q", "-m", "fault", "-p", "no:cacheprovider", str(ROOT / "tests")], plugins=[collector])
    rows = rows_of(collector.ran)
    failed = [row for row in rows if not row["passed"]]
    seconds = round(time.monotonic() - began)
    (ROOT / "build").mkdir(exist_ok=True)
    said = {"seed": int(seed), "seconds": seconds, "passed": len(rows) - len(failed), "failed": len(failed)}
    (ROOT / "build" / "chaos.json").write_text(json.dumps({**said, "rows": rows}, indent=1) + "\n")
    print(f"\n{drawn(rows)}\n\n{seconds} s in all, seeds from {seed}")
    print(f"{len(rows) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or code != pytest.ExitCode.OK else 0


if __name__ == "__main__":
    sys.exit(main())
