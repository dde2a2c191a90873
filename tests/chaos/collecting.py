"""What a run of pytest showed of each fault: where, how long, and what the oracle said."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

LAB, SIMULATED = "real lab", "simulated"


@dataclass(frozen=True, slots=True)
class Ran:
    """One test that shows one or several faults."""

    faults: tuple[str, ...]
    test: str
    where: str
    outcome: str
    seconds: float
    oracle: str
    interleavings: int = 0


@dataclass(eq=False)  # pytest keeps its plugins in sets, where only identity counts
class Collector:
    """A plugin of pytest: keeps what the tests with a ``fault`` mark came to."""

    ran: list[Ran] = field(default_factory=list)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep the report of a test's call, and of a set-up or an end that went wrong."""
        report = yield
        marks = list(item.iter_markers("fault"))
        if marks and (report.when == "call" or report.outcome != "passed"):
            self.ran.append(_ran(item, report, marks))
        return report


def _ran(item: pytest.Item, report: pytest.TestReport, marks: list[pytest.Mark]) -> Ran:
    said: dict[str, Any] = dict(report.user_properties)
    heard = dict.fromkeys(str(value) for key, value in report.user_properties if key == "oracle")
    written = [str(mark.kwargs["oracle"]) for mark in marks if "oracle" in mark.kwargs]
    return Ran(
        faults=tuple(str(number) for mark in marks for number in mark.args),
        test=item.nodeid,
        where=LAB if item.get_closest_marker("lab") else SIMULATED,
        outcome=report.outcome,
        seconds=report.duration,
        oracle="; ".join(heard) or "; ".join(written),
        interleavings=int(said.get("interleavings", 0)),
    )
