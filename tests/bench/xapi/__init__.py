"""A pool of ten thousand VMs, a hundred of which change each second: how soon it is in the rows, and how old it is."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.figures import Figures, percentile
from tests.chaos.postgres import Postgres, binaries

ROOT = Path(__file__).resolve().parents[3]
LONGEST = 600


@contextmanager
def database(folder: Path) -> Iterator[tuple[str, str]]:
    """Lend an empty database: its name for people, and its address."""
    programs = binaries()
    if programs is None:
        yield "SQLite", f"sqlite:///{folder / 'db.sqlite3'}"
        return
    cluster = Postgres(programs)
    try:
        cluster.create()
        yield cluster.version, cluster.url
    finally:
        cluster.remove()


def measure(figures: Figures) -> None:
    """Run it once."""
    with tempfile.TemporaryDirectory(prefix="xb-", dir="/tmp") as name, database(Path(name)) as (said, url):
        environment = {**os.environ, "XENWEB_DATA": name, "DATABASE_URL": url, "XENWEB_XAPI_LAB": "1"}
        command = [sys.executable, "-m", "tests.bench.xapi.run", name]
        done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=LONGEST)
    told = json.loads(done.stdout)
    vms, hosts, changes, ages = told["vms"], told["hosts"], told["changes"], told["ages"]
    figures.add("xapi_start_s", told["start"], [told["start"]], what=f"{vms} VMs on {hosts} hosts in the rows ({said})")
    figures.add(
        "xapi_driver_start_s", told["driver_start"], [told["driver_start"]], what="the driver's part alone, cold"
    )
    ratio = told["driver_start"] / told["plain_start"]
    what = "the same, to a plain client of the XenAPI package that reads the same classes"
    figures.add("xapi_driver_start_ratio", ratio, [ratio], what=what)
    figures.add("xapi_change_age_p50_ms", percentile(ages, 0.5), ages, what="pool to row, half of the changes")
    figures.add(
        "xapi_change_age_p95_ms",
        percentile(ages, 0.95),
        ages,
        what=f"the same, 95 % of {changes} changes in {told['seconds']} s",
    )
    figures.add("xapi_change_age_max_ms", max(ages), ages, what="the same, the oldest")
    figures.add(
        "xapi_changes_lost", told["lost"], [told["lost"]], bound=0, what="changed VMs whose rows are not as last"
    )
    figures.add(
        "xapi_watcher_peak_mib", told["peak_mib"], [told["peak_mib"]], what="memory of the watcher at most, MiB"
    )
    figures.add("xapi_watcher_cpu", told["cpu"], [told["cpu"]], what="CPUs that the watcher takes during the changes")
