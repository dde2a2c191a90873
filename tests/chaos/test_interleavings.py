"""Hundreds of random interleavings on the simulated hypervisor, each from a seed that is printed.

A process is killed at its n-th statement or its n-th question to a hypervisor, before or
after that took effect; hosts fall silent, targets freeze, streams break, replies are lost,
databases go away, people give up, and a second worker and a second reconciler are always
about. The world itself is the oracle: it knows where the VM is, and how often it was moved.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.board import person
from tests.chaos.course import FASTER, HERE, Course, Point, Process, run_call
from xenweb.accounts.policy import Actor, Role
from xenweb.audit.chain import verify
from xenweb.drivers import registry
from xenweb.drivers.simulated_driver import faults
from xenweb.livemigration import drive as driving
from xenweb.livemigration import queueing, reconciling, services, transitions, watching

SEEDS = int(os.environ.get("XENWEB_CHAOS_SEEDS", "1"))
FIRST = int(os.environ.get("XENWEB_CHAOS_SEED", "0"))
UNPLANNED = 25
"""So many interleavings without a plan for each one at a named point."""

LEASES_LAST = 10
"""So many times shorter than in life."""

TRIES = 5
"""On a loaded machine a move may end before it comes to the point: it is judged, and another one asked for."""


@pytest.fixture
def actor(transactional_db: None) -> Actor:
    """Somebody who may move everything."""
    del transactional_db
    return person("admin", Role.ADMINISTRATOR)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENWEB_SIMULATED", "1")
    registry.driver_for.cache_clear()
    monkeypatch.setattr(services, "enqueue", lambda _: None)
    monkeypatch.setattr(driving, "enqueue", lambda _: None)
    monkeypatch.setattr(transitions, "LEASE", transitions.LEASE / LEASES_LAST)
    monkeypatch.setattr(reconciling, "RING_AGAIN_AFTER", reconciling.RING_AGAIN_AFTER / FASTER)
    monkeypatch.setattr(driving, "driver_for", lambda _: HERE.process)
    monkeypatch.setattr(queueing, "limits", lambda: queueing.Limits(1000, 1000, 1000))
    monkeypatch.setattr(watching.Call, "_run", run_call)
    paces = {"LOOK_EVERY": 0.005, "TELL_EVERY": 0.01, "RENEW_EVERY": 0.05, "ASK_HOSTS_EVERY": 0.01}
    proofs = {"PROVE_EVERY": 0.01, "PROVE_FOR": 0.1, "PATIENCE": 0.05, "HELD_UP_AFTER": 0.1, "CANCEL_EVERY": 0.05}
    for name, seconds in {**paces, **proofs}.items():
        monkeypatch.setattr(watching, name, seconds)


@contextmanager
def _told(seed: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        msg = f"seed {seed}: {error!r}"
        raise AssertionError(msg) from error


def killed(course: Course, process: Process) -> None:
    process.is_dead = True


def ended(course: Course, process: Process) -> None:
    """A deployment: what goes on for longer than its grace is killed then."""
    process.wakes_at = time.monotonic() + 0.02
    process.is_dead = True


def outlived(course: Course, process: Process) -> None:
    course.lose_lease()


def stopped(course: Course, process: Process) -> None:
    process.wakes_at = time.monotonic() + 1.5 * transitions.LEASE.total_seconds()


def redis_gone(course: Course, process: Process) -> None:
    course.redis_away_until = time.monotonic() + 0.3
    process.is_dead = course.dice.random() < 0.5  # what was in it is only missed if a worker dies as well


def database_gone(course: Course, process: Process) -> None:
    course.database_away_until = time.monotonic() + course.dice.uniform(0.1, 0.5)


def asked_again(course: Course, process: Process) -> None:
    assert course.ask() == course.migration


def source_restarts(course: Course, process: Process) -> None:
    course.break_stream()
    course.silence_source()


def target_restarts(course: Course, process: Process) -> None:
    course.break_stream()
    course.silence_target()


def parted(course: Course, process: Process) -> None:
    course.freeze()


def reply_lost(course: Course, process: Process) -> None:
    faults.lose_replies(course.path)
    course.freeze()


def source_unheard(course: Course, process: Process) -> None:
    course.silence_source()


def forgotten(course: Course, process: Process) -> None:
    faults.forget_moves(course.path, course.clock)


Strike = Callable[[Course, Process], None]


def _struck(seed: int, folder: Path, actor: Actor, point: Point, strike: Strike) -> str:
    """Run one interleaving in which the fault struck; answer the state at its end."""
    for _ in range(TRIES):
        course = Course(seed, folder, actor, point, strike)
        course.run()
        state = course.judge()
        if course.has_struck:
            return state
    raise AssertionError(f"in {TRIES} moves none came to {point}")


STRIKES: dict[str, tuple[Strike, tuple[str, ...]]] = {
    "killed": (killed, ("F1", "F2", "F3", "F4", "F5", "F6")),
    "outlived": (outlived, ("F7", "F54")),
    "ended": (ended, ("F8",)),
    "stopped": (stopped, ("F9",)),
    "redis gone": (redis_gone, ("F11", "F12", "F13")),
    "database gone": (database_gone, ("F14", "F15", "F16")),
    "asked again": (asked_again, ("F17", "F18")),
    "source restarts": (source_restarts, ("F19",)),
    "target restarts": (target_restarts, ("F20",)),
    "parted": (parted, ("F24",)),
    "reply lost": (reply_lost, ("F25",)),
    "source unheard": (source_unheard, ("F26",)),
    "forgotten": (forgotten, ("F52",)),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.fault(*numbers)) for name, (_, numbers) in STRIKES.items()]
)
def test_at_every_named_phase_the_end_is_the_truth(
    name: str, actor: Actor, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    states: Counter[str] = Counter()
    for point in Point:
        for seed in range(FIRST, FIRST + SEEDS):
            with _told(seed):
                states[_struck(seed, tmp_path, actor, point, STRIKES[name][0])] += 1
    assert verify() is None
    said = f"{name} at {', '.join(Point)}; seeds {FIRST} to {FIRST + SEEDS - 1}: {dict(states)}"
    print(said)
    record_property("interleavings", states.total())
    record_property("oracle", f"{said}: the simulated world has the VM where the move says, moved at most once")


@pytest.mark.timeout(900)
@pytest.mark.fault("F54")
def test_whatever_happens_in_whatever_order_the_end_is_the_truth(
    actor: Actor, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    states: Counter[str] = Counter()
    deaths: Counter[str] = Counter()
    seeds = range(FIRST, FIRST + SEEDS * UNPLANNED)
    for seed in seeds:
        with _told(seed):
            course = Course(seed, tmp_path, actor)
            if course.dice.random() < 0.15:
                faults.break_in_pass(course.path, course.dice.choice([1, 2]))
            if course.dice.random() < 0.15:
                faults.lose_replies(course.path)
            possible = ["silence_source", "silence_target", "freeze", "cancel", "cancel"]
            events = tuple(course.dice.sample(possible, course.dice.choice([0, 0, 1, 2])))
            course.run(events, deaths=course.dice.choice([0, 1, 1, 1, 2]))
            states[course.judge()] += 1
            deaths.update(course.deaths)
    assert verify() is None
    said = f"anything at any step, seeds {seeds[0]} to {seeds[-1]}: {dict(states)}; killed at {dict(deaths)}"
    print(said)
    record_property("interleavings", states.total())
    record_property("oracle", f"{said}: the simulated world has the VM where the move says, moved at most once")
    assert set(states) == {"done", "failed", "cancelled"}
