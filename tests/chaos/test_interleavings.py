"""Hundreds of random interleavings on the simulated hypervisor, each from a seed that is told on failure.

A process is killed at its n-th statement or its n-th question to a hypervisor, before or
after that took effect; hosts fall silent, targets freeze, streams break, replies are lost,
people give up, and a second worker and a second reconciler are always about.
"""

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from tests.board import person
from xenweb.accounts.policy import Actor, Role
from xenweb.audit.chain import verify
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import ENDED, State
from xenweb.core.quantities import GIB, MIB
from xenweb.drivers import registry
from xenweb.drivers.contract import DriverError, MoveOptions
from xenweb.drivers.simulated_driver import SimulatedDriver, faults
from xenweb.drivers.simulated_driver.world import SimulatedHost, SimulatedVm, World, opened, write
from xenweb.inventory.models import Host, Pool, VirtualMachine
from xenweb.inventory.selectors import endpoint_of
from xenweb.inventory.sync import HostReading, reading_apply
from xenweb.livemigration import drive as driving
from xenweb.livemigration import queueing, reconciling, services, transitions, watching
from xenweb.livemigration.models import Migration

SEEDS = 200
FASTER = 40.0
"""So many times faster than the wall clock the simulated world goes."""

VERBS = frozenset({"preflight", "migrate", "progress", "locate", "change", "repair"})
ENDS_WITHIN = 20.0


class Killed(BaseException):
    """The process is dead: nothing that it does from here on has any effect."""


class Process:
    """A process of ours that dies at its n-th step; a step is a statement or a question to a hypervisor."""

    def __init__(self, driver: SimulatedDriver, dies_at: int | None, *, after: bool) -> None:
        self._driver, self._dies_at, self._after = driver, dies_at, after
        self._steps = 0
        self.is_dead = False
        self.last = ""

    def step(self, name: str, work: Callable[[], Any]) -> Any:
        """Do one step, or die before or after it."""
        if self.is_dead:
            raise Killed
        self._steps += 1
        if self._steps != self._dies_at:
            return work()
        self.last = name
        if self._after:
            with suppress(DriverError):
                work()
        self.is_dead = True
        raise Killed

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._driver, name)
        if name not in VERBS:
            return found
        return lambda *words: self.step(name, lambda: found(*words))

    def run(self, work: Callable[..., None], *words: str) -> None:
        """Run something as this process, in this thread."""
        HERE.process = self
        try:
            with connection.execute_wrapper(self._statement), suppress(Killed):
                work(*words)
        finally:
            connections.close_all()

    def _statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        return self.step(sql.split(" ", 1)[0], lambda: execute(sql, params, many, context))


HERE = threading.local()


@pytest.fixture
def actor(transactional_db: None) -> Actor:
    """Somebody who may move everything."""
    del transactional_db
    return person("admin", Role.ADMINISTRATOR)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENWEB_SIMULATED", "1")
    monkeypatch.setattr(services, "enqueue", lambda _: None)
    monkeypatch.setattr(driving, "enqueue", lambda _: None)
    monkeypatch.setattr(transitions, "LEASE", transitions.LEASE / 20)
    monkeypatch.setattr(reconciling, "RING_AGAIN_AFTER", reconciling.RING_AGAIN_AFTER / 40)
    monkeypatch.setattr(driving, "driver_for", lambda _: HERE.process)
    monkeypatch.setattr(queueing, "limits", lambda: queueing.Limits(1000, 1000, 1000))
    paces = {"LOOK_EVERY": 0.005, "TELL_EVERY": 0.01, "RENEW_EVERY": 0.05, "ASK_HOSTS_EVERY": 0.01}
    proofs = {"PROVE_EVERY": 0.01, "PROVE_FOR": 0.1, "PATIENCE": 0.05, "HELD_UP_AFTER": 0.1}
    for name, seconds in {**paces, **proofs}.items():
        monkeypatch.setattr(watching, name, seconds)


class Course:
    """One interleaving: a world of two hosts, one VM, one move, and what the dice make of it."""

    def __init__(self, seed: int, folder: Path, actor: Actor) -> None:
        self.seed, self.actor = seed, actor
        self.dice = random.Random(seed)
        self.path = folder / f"{seed}" / "world.json"
        self.path.parent.mkdir()
        began = time.monotonic()
        self.clock = lambda: 1e9 + (time.monotonic() - began) * FASTER
        self.driver = SimulatedDriver(self.clock, lambda seconds: time.sleep(seconds / FASTER))
        self.deaths: list[str] = []
        self._threads: list[threading.Thread] = []
        self._fill()

    def _fill(self) -> None:
        names = (f"a-{self.seed}", f"b-{self.seed}")
        storage = {"shared": f"dir:{self.seed}"}
        hosts = {name: SimulatedHost(name, str(uuid.uuid4()), 4 * GIB, storage, busy_at=self.clock()) for name in names}
        dirty = self.dice.choice([0.0, 2.0 * MIB, 12.0 * MIB])
        self.uuid = str(uuid.uuid4())
        vm = SimulatedVm(self.uuid, f"vm-{self.seed}", names[0], 128 * MIB, 32 * MIB, 8 * MIB, dirty)
        write(self.path, World(hosts, {vm.uuid: vm}))
        pool = Pool.objects.create(name=f"pool-{self.seed}", driver="simulated")
        uri = f"simulated://{self.path}?host="
        self.rows = [Host.objects.create(pool=pool, name=name, uri=uri + name) for name in names]
        for row in self.rows:
            reading_apply(row.pk, HostReading(self.driver.inventory(endpoint_of(row)), timezone.now()))
        for row in self.rows:
            row.refresh_from_db()

    def run(self) -> None:
        """Ask for the move, let things break, mend everything, and let the survivors finish."""
        self._world_goes_wrong()
        vm = VirtualMachine.objects.get(uuid=self.uuid)
        wire = services.migration_request(
            self.actor, vm=str(vm.pk), target=str(self.rows[1].pk), options=MoveOptions(), deadline_s=600
        )
        self.migration = wire.id
        deaths_left = self.dice.choice([0, 1, 1, 1, 2])
        self._start(driving.drive, deaths_left > 0)
        if self.dice.random() < 0.3:
            self._start(driving.drive, False)
        events = sorted((self.dice.uniform(0, 0.4), event) for event in self._events())
        began = time.monotonic()
        mended = False
        while time.monotonic() - began < ENDS_WITHIN:
            while events and time.monotonic() - began >= events[0][0]:
                getattr(self, events.pop(0)[1])()
            if not mended and time.monotonic() - began > 0.8:
                self._mend()
                mended = True
            if self._state() in ENDED and not any(thread.is_alive() for thread in self._threads):
                return
            self._reconcile(deaths_left)
            time.sleep(0.01)

    def _world_goes_wrong(self) -> None:
        if self.dice.random() < 0.15:
            faults.break_in_pass(self.path, self.dice.choice([1, 2]))
        if self.dice.random() < 0.15:
            faults.lose_replies(self.path)

    def _events(self) -> list[str]:
        possible = ["_silence_source", "_silence_target", "_freeze", "_cancel", "_cancel"]
        return self.dice.sample(possible, self.dice.choice([0, 0, 1, 2]))

    def _silence_source(self) -> None:
        faults.set_silent(self.path, self.rows[0].name, is_silent=True)

    def _silence_target(self) -> None:
        faults.set_silent(self.path, self.rows[1].name, is_silent=True)

    def _freeze(self) -> None:
        faults.freeze(self.path, self.rows[1].name, self.clock)

    def _cancel(self) -> None:
        with suppress(services.NotCancellableError):
            services.migration_cancel(self.actor, self.migration)

    def _mend(self) -> None:
        for row in self.rows:
            faults.set_silent(self.path, row.name, is_silent=False)
            faults.thaw(self.path, row.name, self.clock)

    def _reconcile(self, deaths_left: int) -> None:
        now = timezone.now()
        row = Migration.objects.get(pk=self.migration)
        if row.state in ENDED:
            return
        care = reconciling.care_for(row, now)
        dies = len(self.deaths) < deaths_left
        if care is reconciling.Care.RING:
            self._start(driving.drive, dies)
        elif care is reconciling.Care.ADOPT:
            # Two reconcilers: the lease lets one of them act.
            self._start(driving.adopt, dies)
            self._start(driving.adopt, False)

    def _start(self, work: Callable[..., None], dies: bool) -> None:
        alive = [thread for thread in self._threads if thread.is_alive()]
        if len(alive) > 6:
            return
        dies_at = self.dice.randrange(1, 120) if dies else None
        process = Process(self.driver, dies_at, after=self.dice.random() < 0.5)

        def live() -> None:
            process.run(work, self.migration, f"process {len(self._threads)}")
            if process.is_dead:
                self.deaths.append(process.last)

        thread = threading.Thread(target=live, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _state(self) -> State:
        return State(Migration.objects.values_list("state", flat=True).get(pk=self.migration))

    def judge(self) -> str:
        """Hold what the product says against the world itself; answer the state."""
        row = Migration.objects.get(pk=self.migration)
        with opened(self.path, self.clock) as world:
            place, moves = world.vms[self.uuid].host, len(world.moves)
        hint = f"seed {self.seed}: {row.state} {row.failure_code}, on {place}, deaths {self.deaths}"
        assert row.state in ENDED, hint
        assert place == self.rows[1 if row.state == State.DONE else 0].name, hint
        assert moves <= 1, hint
        records = AuditRecord.objects.filter(subject_id=self.migration)
        outcomes = records.filter(action="migration_outcome").exclude(outcome="uncertain")
        assert [each.outcome for each in outcomes] == [row.state], hint
        assert records.filter(action="migration_start").count() >= moves, hint
        vm = VirtualMachine.objects.get(uuid=self.uuid)
        assert vm.moving_as == "", hint
        if row.call_intended_at is not None:
            assert vm.resident_on_id == self.rows[1 if row.state == State.DONE else 0].pk, hint
        return row.state


@contextmanager
def _told(seed: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        msg = f"seed {seed}: {error!r}"
        raise AssertionError(msg) from error


@pytest.mark.timeout(900)
def test_whatever_happens_in_whatever_order_the_end_is_the_truth(actor: Actor, tmp_path: Path) -> None:
    registry.driver_for.cache_clear()
    states: Counter[str] = Counter()
    deaths: Counter[str] = Counter()
    for seed in range(SEEDS):
        with _told(seed):
            course = Course(seed, tmp_path, actor)
            course.run()
            states[course.judge()] += 1
            deaths.update(course.deaths)
    assert verify() is None
    print(f"seeds 0 to {SEEDS - 1}: {dict(states)}; killed at {dict(deaths)}")
    assert set(states) == {"done", "failed", "cancelled"}
