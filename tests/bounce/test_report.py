"""The judgement of a bounce: each thing that must not be is looked at, the history included."""

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.bounce.__main__ import INTACT, NOTHING, Bounce, is_clean, written
from tests.bounce.grounds import Ground
from xenweb.lab.xen import probes
from xenweb.probe.recipe import PROGRAM


def good(**changes: Any) -> dict[str, Any]:
    shown = {"moves": 50, "states": {"done": 40, "failed": 10}, "fault_count": 20, "audit_chain": INTACT}
    return {**shown, **{key: [] for key in NOTHING}, **changes}


def test_a_run_in_which_nothing_was_lost_is_clean() -> None:
    assert is_clean(good(), 50)


@pytest.mark.parametrize("key", NOTHING)
def test_a_run_in_which_something_was_lost_is_not(key: str) -> None:
    assert not is_clean(good(**{key: ["web-1"]}), 50)


def test_a_broken_history_or_too_few_moves_is_not_clean() -> None:
    assert not is_clean(good(audit_chain="Record 7 was changed."), 50)
    assert not is_clean(good(moves=49), 50)


@pytest.mark.parametrize("hardly", [{"states": {"failed": 40, "done": 10}}, {"fault_count": 4}])
def test_a_run_in_which_hardly_anything_moved_or_broke_shows_nothing(hardly: dict[str, Any]) -> None:
    assert not is_clean(good(**hardly), 50)


def test_the_fault_that_kills_a_probe_leaves_what_starts_it_again() -> None:
    assert re.search(probes.DAEMON, f"/usr/bin/python3 -I {PROGRAM} daemon")
    assert not re.search(probes.DAEMON, f"sh -c {probes.LOOP}")


class Luck(Bounce):
    """A run without a lab: of so many moves that are asked for, one is done."""

    def __init__(self, one_in: int) -> None:
        self.one_in, self.accepted = one_in, 0
        self.ground = cast("Ground", SimpleNamespace(seconds_a_move=1.0))

    def _active(self) -> list[dict[str, Any]]:
        return []

    def _ask(self) -> None:
        self.accepted += 1

    def _all(self, what: str) -> list[dict[str, Any]]:
        return [{"state": what.partition("=")[2]}] * (self.accepted // self.one_in)


@pytest.mark.parametrize(("one_in", "asked"), [(1, 10), (2, 10), (4, 20)])
def test_a_run_of_bad_luck_goes_on_until_enough_was_done(
    monkeypatch: pytest.MonkeyPatch, one_in: int, asked: int
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    run = Luck(one_in)
    run.run(10)
    assert run.accepted == asked


def test_each_lab_has_a_report_of_its_own() -> None:
    assert (written("qemu").name, written("xen").name) == ("bounce.json", "bounce-xen.json")
