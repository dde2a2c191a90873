"""Results of tests into one row for each fault, and rows into a table."""

from collections.abc import Iterable
from typing import Any

from tests.chaos.collecting import LAB, Ran
from tests.chaos.faults import FAULTS, Fault


def row_of(fault: Fault, ran: Iterable[Ran]) -> dict[str, Any]:
    """Judge one fault: it must have been run wherever it must be shown, passed everywhere, and have an oracle."""
    mine = [each for each in ran if fault.number in each.faults]
    wanting = []
    if not mine:
        wanting.append("was not run")
    if fault.on_lab and not any(each.where == LAB for each in mine):
        wanting.append("was not run on the real lab")
    wanting += [f"{each.test}: {each.outcome}" for each in mine if each.outcome != "passed"]
    wanting += [f"{each.test}: no oracle" for each in mine if not each.oracle]
    places = sorted({each.where for each in mine})
    return {
        "fault": fault.number,
        "title": fault.title,
        "passed": not wanting,
        "where": " + ".join(places),
        "seconds": {place: round(sum(each.seconds for each in mine if each.where == place), 1) for place in places},
        "interleavings": sum(each.interleavings for each in mine),
        "oracle": list(dict.fromkeys(each.oracle for each in mine if each.oracle)),
        "wanting": wanting,
        "tests": sorted({each.test for each in mine}),
    }


def rows_of(ran: list[Ran]) -> list[dict[str, Any]]:
    """Judge the whole list."""
    return [row_of(fault, ran) for fault in FAULTS]


def drawn(rows: list[dict[str, Any]]) -> str:
    """Draw the rows for a person."""
    lines = [f"{'':<5}{'':<8}{'where':<24}{'seconds':>8}  fault, and the oracle's word"]
    for row in rows:
        seconds = f"{sum(row['seconds'].values()):.1f}"
        verdict = "passed" if row["passed"] else "FAILED"
        lines.append(f"{row['fault']:<5}{verdict:<8}{row['where']:<24}{seconds:>8}  {row['title']}")
        lines += [f"{'':<47}{word}" for word in row["oracle"]]
        lines += [f"{'':<47}! {why}" for why in row["wanting"]]
    return "\n".join(lines)
