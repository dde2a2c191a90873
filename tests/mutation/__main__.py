"""Change the core in thousands of small ways, one at a time; write how many its tests notice.

``python -m tests.mutation``; a second run goes on where the first was cut off. Writes
build/mutation.json and answers 0 if the share of noticed changes reaches ``BOUND``. Why those
that nobody notices are left stands in tests/mutation/survivors.md.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "mutation"
BOUND = 0.85

CONFIGURATION = """
[tool.mutmut]
source_paths = ["xenweb"]
only_mutate = ["xenweb/core/*"]
pytest_add_cli_args_test_selection = ["tests/core"]

[tool.pytest.ini_options]
addopts = ["-p", "no:django", "-p", "no:asyncio", "-q"]
"""

CONFTEST = """
from hypothesis import settings

# The same examples for each change, and no clock: a slow machine must not look like a noticed change.
settings.register_profile("mutation", deadline=None, derandomize=True, database=None, max_examples=40)
settings.load_profile("mutation")
"""


def lay_out() -> None:
    """Copy the core and its tests to a place where they can be changed; what an earlier run of the same found stays."""
    digest = hashlib.sha256()
    for path in sorted([*ROOT.glob("xenweb/core/**/*.py"), *ROOT.glob("tests/core/*.py"), Path(__file__)]):
        digest.update(path.read_bytes())
    kept = FOLDER / "digest"
    if not kept.exists() or kept.read_text() != digest.hexdigest():
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        kept.write_text(digest.hexdigest())
    for part in ("xenweb/core", "tests/core"):
        shutil.rmtree(FOLDER / part, ignore_errors=True)
        shutil.copytree(ROOT / part, FOLDER / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "xenweb" / "__init__.py", FOLDER / "xenweb" / "__init__.py")
    (FOLDER / "pyproject.toml").write_text(CONFIGURATION)
    (FOLDER / "conftest.py").write_text(CONFTEST)
    (FOLDER / "tests" / "conftest.py").write_text(CONFTEST)


def verdicts() -> dict[str, list[str]]:
    """Read what became of each change: lists of their names by verdict."""
    ran = subprocess.run(
        [sys.executable, "-m", "mutmut", "results", "--all", "true"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[str]] = {}
    for line in ran.stdout.splitlines():
        name, colon, verdict = line.strip().rpartition(": ")
        if colon and name.startswith("xenweb."):
            found.setdefault(verdict, []).append(name)
    return found


def report(found: dict[str, list[str]]) -> dict[str, Any]:
    """Count. A change that makes a test hang is noticed; one that no test runs is not."""
    counts = {verdict: len(names) for verdict, names in sorted(found.items())}
    killed = counts.get("killed", 0) + counts.get("timeout", 0)
    survivors = [name for verdict, names in found.items() if verdict not in {"killed", "timeout"} for name in names]
    total = sum(counts.values())
    modules = Counter(name.partition(".x")[0] for name in survivors)
    return {
        "total": total,
        "killed": killed,
        "share": round(killed / total, 4) if total else 0.0,
        "bound": BOUND,
        "verdicts": counts,
        "survivors_by_module": dict(modules.most_common()),
        "survivors": sorted(survivors),
    }


def main() -> int:
    """Run, count, write."""
    lay_out()
    code = subprocess.run([sys.executable, "-m", "mutmut", "run", "--max-children", "2"], cwd=FOLDER, check=False)
    said = report(verdicts())
    (ROOT / "build" / "mutation.json").write_text(json.dumps(said, indent=1) + "\n")
    print({key: said[key] for key in ("total", "killed", "share", "verdicts", "survivors_by_module")})
    return 0 if code.returncode == 0 and said["share"] >= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
