"""The simulated pools are those of the published data model, where whoever runs this has it."""

from pathlib import Path

import pytest

from tests.conformance import published
from tests.conformance.published import lines, path_given, read
from tests.conformance.run import compared
from xenweb.lab.xapi.model import PATH

GIVEN = path_given()
needs_model = pytest.mark.skipif(GIVEN is None, reason="XENAPI_JSON names no file with the XenAPI's data model")


@needs_model
def test_nothing_differs_over_the_wire(tmp_path: Path) -> None:
    assert GIVEN is not None
    report = compared(tmp_path, read(GIVEN))
    assert report.differences == []
    assert report.counts["fields"] > 400
    assert report.counts["roles"] > 4000


@needs_model
def test_our_facts_are_those_of_the_data_model() -> None:
    assert GIVEN is not None
    assert PATH.read_text().splitlines() == list(lines(read(GIVEN)))


def test_a_difference_of_enumerations_or_of_parameters_is_told_with_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ["@VM", "e power Halted Running", "m start|void|VM ref vm|a|P"]
    theirs = ["@VM", "e power Halted Running Paused", "m start|void|VM ref vm,bool force|a|P"]
    monkeypatch.setattr(published, "lines", lambda _classes: iter(theirs))
    counts, told = published.facts_compared(ours, {})
    assert counts.total() == len(ours)
    assert told == [
        "VM: ours alone: e power Halted Running",
        "VM: ours alone: m start|void|VM ref vm|a|P",
        "VM: the data model's alone: e power Halted Running Paused",
        "VM: the data model's alone: m start|void|VM ref vm,bool force|a|P",
    ]


def test_a_difference_would_be_seen(tmp_path: Path) -> None:
    """The comparison itself can fail: one made-up class is compared with a pool that has another."""
    from tests.conformance.comparing import Comparison
    from tests.conformance.plain import Plain

    class Told(Plain):
        def call(self, method, params):
            return {"OpaqueRef:x": {"uuid": 5, "surplus": ""}}

    made_up = {
        "name": "VM",
        "fields": [
            {"name": "uuid", "type": "string", "qualifier": "RW", "lifecycle": {"state": "Published_s"}},
            {"name": "missing", "type": "int", "qualifier": "RW", "lifecycle": {"state": "Published_s"}},
        ],
        "messages": [],
        "enums": [],
    }
    found = list(Comparison({}, Told("x", 1, frozenset()), {"pool-admin": "s"})._records(made_up))  # type: ignore[arg-type]
    assert found == ["VM.missing: not in the record", "VM.surplus: not in the data model", "VM.uuid: 5 is no string"]
