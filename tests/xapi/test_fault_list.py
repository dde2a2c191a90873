"""Every fault of the list is shown on XAPI pools, or it is written down why not."""

import ast
from pathlib import Path

from tests.chaos.faults import FAULTS, NOT_ON_XAPI

TESTS = Path(__file__).resolve().parents[1]
ON_POOLS = (
    *sorted((TESTS / "xapi").glob("test_*.py")),
    TESTS / "livemigration" / "test_xapi.py",
    TESTS / "maintenance" / "test_xapi.py",
)


def marked(*files: Path) -> set[str]:
    """Answer which faults the tests of some files say that they show."""
    calls = [node for path in files for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    marks = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "fault"]
    return {word.value for mark in marks for word in mark.args if isinstance(word, ast.Constant)}


def test_every_fault_is_shown_on_pools_or_has_a_reason_why_it_is_not() -> None:
    shown = marked(*ON_POOLS)
    listed = {fault.number for fault in FAULTS}
    assert shown | set(NOT_ON_XAPI) == listed
    assert shown & set(NOT_ON_XAPI) == set(), "what is shown needs no reason"
    assert all(NOT_ON_XAPI.values())


def test_what_is_not_shown_on_pools_is_shown_elsewhere() -> None:
    assert set(NOT_ON_XAPI) <= marked(*(path for path in TESTS.rglob("test_*.py") if path not in ON_POOLS))
