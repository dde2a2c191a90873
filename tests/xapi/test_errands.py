"""XAPI's tasks as the simulated pools keep them: not for ever, and not beyond the toolstack's own life."""

import pytest

from tests.xapi.moving import until
from xenweb.lab.xapi import errands
from xenweb.lab.xapi.errands import Errand, Errands
from xenweb.lab.xapi.pool import Faults, Pool
from xenweb.lab.xapi.world import build


@pytest.fixture
def pool() -> Pool:
    return build("127.0.0", Faults())["green"]


def ended(kept: Errands, number: int) -> list[str]:
    refs = [kept.begin("Async.test", "", lambda _errand: "", str) for _ in range(number)]
    until(lambda: not kept._running)
    return refs


def test_the_oldest_ends_are_forgotten_when_there_are_too_many(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "MOST_KEPT", 5)
    kept = Errands(pool)
    refs = ended(kept, 9)
    (newest,) = ended(kept, 1)
    left = pool.store.refs("task")
    assert newest in left
    assert len(left) <= 7
    assert refs[0] not in left


def test_an_end_is_forgotten_after_its_time(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Errands(pool)
    (old,) = ended(kept, 1)
    monkeypatch.setattr(errands, "KEPT_FOR", -1.0)
    ended(kept, 1)
    assert not pool.store.has("task", old)


def test_what_goes_on_when_its_record_is_lost_ends_without_one(pool: Pool) -> None:
    kept, done = Errands(pool), list[bool]()

    def work(errand: Errand) -> str:
        until(lambda: not errand.is_known)
        errand.progress(0.5)
        done.append(True)
        return ""

    ref = kept.begin("Async.test", "", work, str)
    kept.forget_all()
    until(lambda: done == [True])
    assert not pool.store.has("task", ref)
