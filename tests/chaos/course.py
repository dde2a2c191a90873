"""One interleaving: a simulated world of two hosts, one VM, one move, and what breaks on its way.

A process of ours is a thread whose every statement and every question to a
hypervisor is a step: it can die, sleep or lose its database at any of them. The
world's clock can be held, so that a fault meets a move exactly at a named phase.
"""

import random
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.db import OperationalError, connection, connections
from django.utils import timezone

from xenweb.accounts.policy import Actor
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import ENDED, State
from xenweb.core.quantities import GIB, MIB
from xenweb.drivers.contract import DriverError, MoveOptions
from xenweb.drivers.simulated_driver import SimulatedDriver, faults
from xenweb.drivers.simulated_driver.precopy import end_of, stretches
from xenweb.drivers.simulated_driver.world import SimulatedHost, SimulatedVm, World, opened, write
from xenweb.inventory.models import Host, Pool, VirtualMachine
from xenweb.inventory.selectors import endpoint_of
from xenweb.inventory.sync import HostReading, reading_apply
from xenweb.livemigration import drive as driving
from xenweb.livemigration import reconciling, services
from xenweb.livemigration.models import Migration
from xenweb.livemigration.watching import Call

FASTER = 40.0
"""So many times faster than the wall clock the simulated world goes."""

VERBS = frozenset({"preflight", "migrate", "progress", "change", "locate", "repair"})
ENDS_WITHIN = 20.0
MENDED_AFTER = 0.5
MOST_THREADS = 6


class Point(StrEnum):
    """The named phases of a move at which faults are put."""

    PREFLIGHT = "preflight"
    INTENT = "intent"
    CALL = "call"
    EARLY = "5 %"
    LATE = "95 %"
    SWITCH = "switch-over"
    POST = "post"


IN_COPY = {Point.EARLY: 0.05, Point.LATE: 0.95}


class Killed(BaseException):
    """The process is dead: nothing that it does from here on has any effect."""


class Clock:
    """The world's clock: fast, and held whenever somebody wants to look at one moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now, self._since = 1e9, time.monotonic()
        self._stop: float | None = None

    def __call__(self) -> float:
        """Answer the world's time in seconds."""
        with self._lock:
            return self._read()

    def _read(self) -> float:
        now = self._now + (time.monotonic() - self._since) * FASTER
        return now if self._stop is None else min(now, self._stop)

    def hold(self, at: float | None = None) -> None:
        """Let the time not go beyond a moment, by default this one."""
        with self._lock:
            self._now, self._since = self._read(), time.monotonic()
            self._stop = self._now if at is None else max(self._now, at)

    def let_go(self) -> None:
        """Let the time go on from where it stands."""
        with self._lock:
            self._now, self._since, self._stop = self._read(), time.monotonic(), None

    @property
    def is_held(self) -> bool:
        """Say whether the moment that was asked for has come."""
        with self._lock:
            return self._stop is not None and self._read() >= self._stop


class Process:
    """A process of ours that dies at its n-th step; a step is a statement or a question to a hypervisor."""

    def __init__(self, course: "Course", dies_at: int | None, *, after: bool) -> None:
        self._course, self._dies_at, self._after = course, dies_at, after
        self._steps = 0
        self.is_dead = False
        self.wakes_at = 0.0
        self.last = ""

    def step(self, name: str, work: Callable[[], Any], words: str = "") -> Any:
        """Do one step, or die before or after it."""
        if self.is_dead:
            raise Killed
        self._steps += 1
        self.last = name
        self._course.on_step(self, name, words)
        if self._steps == self._dies_at:
            return self._die(work)
        while time.monotonic() < self.wakes_at:
            time.sleep(0.01)
        if self.is_dead:
            return self._die(work)
        if name not in VERBS and time.monotonic() < self._course.database_away_until:
            raise OperationalError("the database is away")
        return work()

    def _die(self, work: Callable[[], Any]) -> Any:
        if self._after:
            with suppress(DriverError):
                work()
        self.is_dead = True
        raise Killed

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._course.driver, name)
        if name not in VERBS:
            return found
        return lambda *words: self.step(name, lambda: found(*words))

    def run(self, work: Callable[..., None], *words: str) -> None:
        """Run something as this process, in this thread."""
        HERE.process = self
        try:
            with connection.execute_wrapper(self.statement), suppress(Killed, OperationalError):
                work(*words)
        finally:
            connections.close_all()

    def statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Make a step of a statement."""
        word = sql.split(" ", 1)[0]
        return self.step(word, lambda: execute(sql, params, many, context), sql)


HERE = threading.local()
_CALLS = Call._run


def run_call(call: Call) -> None:
    """Run the thread of a call as a part of the process that makes it."""
    process: Any = call.driver
    with connection.execute_wrapper(process.statement), suppress(Killed):
        _CALLS(call)


class Course:
    """One interleaving. With a ``point``, ``strike`` is called once, when the move is there."""

    def __init__(
        self,
        seed: int,
        folder: Path,
        actor: Actor,
        point: Point | None = None,
        strike: "Callable[[Course, Process], None] | None" = None,
    ) -> None:
        self.seed, self.actor, self.point, self.strike = seed, actor, point, strike
        self.dice = random.Random(f"{seed} {point}")
        self.path = folder / f"{seed}-{uuid.uuid4().hex[:6]}" / "world.json"
        self.path.parent.mkdir()
        self.clock = Clock()
        self.driver = SimulatedDriver(self.clock, lambda seconds: time.sleep(seconds / FASTER))
        self.deaths: list[str] = []
        self.has_struck, self._struck_at = False, float("inf")
        self.database_away_until = self.redis_away_until = 0.0
        self.key = uuid.uuid4().hex
        self._driving: Process | None = None
        self._threads: list[threading.Thread] = []
        self._fill()

    def _fill(self) -> None:
        mark = uuid.uuid4().hex[:8]
        names = (f"a-{mark}", f"b-{mark}")
        storage = {"shared": f"dir:{mark}"}
        hosts = {name: SimulatedHost(name, str(uuid.uuid4()), 4 * GIB, storage, busy_at=self.clock()) for name in names}
        dirty = self.dice.choice([0.0, 2.0 * MIB, 12.0 * MIB])
        self.uuid = str(uuid.uuid4())
        vm = SimulatedVm(self.uuid, f"vm-{mark}", names[0], 128 * MIB, 32 * MIB, 8 * MIB, dirty)
        write(self.path, World(hosts, {vm.uuid: vm}))
        pool = Pool.objects.create(name=f"pool-{mark}", driver="simulated")
        uri = f"simulated://{self.path}?host="
        self.rows = [Host.objects.create(pool=pool, name=name, uri=uri + name) for name in names]
        for row in self.rows:
            reading_apply(row.pk, HostReading(self.driver.inventory(endpoint_of(row)), timezone.now()))
        for row in self.rows:
            row.refresh_from_db()

    def ask(self) -> str:
        """Ask for the move; asked again with the same key it is the same one."""
        wire = services.migration_request(
            self.actor,
            vm=str(VirtualMachine.objects.get(uuid=self.uuid).pk),
            target=str(self.rows[1].pk),
            options=MoveOptions(),
            deadline_s=600,
            idempotency_key=self.key,
        )
        return wire.id

    def run(self, events: tuple[str, ...] = (), *, deaths: int = 0) -> None:
        """Ask for the move, let things break, mend everything, and let the survivors finish."""
        self.migration = self.ask()
        self._start(driving.drive, deaths > 0)
        if self.dice.random() < 0.3:
            self._start(driving.drive, False)
        planned = sorted((self.dice.uniform(0, 0.4), event) for event in events)
        began, mended = time.monotonic(), False
        while time.monotonic() - began < ENDS_WITHIN:
            while planned and time.monotonic() - began >= planned[0][0]:
                getattr(self, planned.pop(0)[1])()
            self._look_for_the_point()
            broken_since = began if self.point is None else self._struck_at
            if not mended and time.monotonic() - broken_since > MENDED_AFTER:
                self.mend()
                mended = True
            if self._state() in ENDED and not any(thread.is_alive() for thread in self._threads):
                return
            self._reconcile(deaths)
            time.sleep(0.01)

    # --- the point

    def on_step(self, process: Process, name: str, words: str) -> None:
        """Strike if this step is the point; hold the clock when the move begins, if it is on the way."""
        if name == "preflight":
            self._driving = process  # whose turn it was
        if self.has_struck or process is not self._driving or self.point is None:
            return
        is_there = {
            Point.PREFLIGHT: name == "preflight",
            Point.INTENT: name == "UPDATE" and "call_intended_at" in words,
            Point.CALL: name == "migrate",
            Point.POST: name == "locate",
        }
        if is_there.get(self.point, False):
            self._strike()
        elif name == "migrate" and self.point in {*IN_COPY, Point.SWITCH}:
            self.clock.hold()

    def _look_for_the_point(self) -> None:
        if self.has_struck or self.point not in {*IN_COPY, Point.SWITCH} or not self.clock.is_held:
            return
        with opened(self.path, self.clock) as world:
            move = world.moves.get(self.migration)
            if move is None:
                return
            at, now = self._moment_of_point(world), self.clock()
        if now < at:
            self.clock.hold(at)
            return
        time.sleep(0.03)  # so that whoever looks sees this moment
        self._strike()
        time.sleep(0.02)
        self.clock.let_go()

    def _moment_of_point(self, world: World) -> float:
        move = world.moves[self.migration]
        course = world._course(move)
        parts = list(stretches(course))
        if self.point is Point.SWITCH and parts[-1].is_last:
            return move.began + parts[-1].begins + parts[-1].length / 2
        share = IN_COPY.get(self.point or Point.LATE, 0.95)
        return move.began + min(parts[0].begins + share * parts[0].length, end_of(course) or float("inf"))

    def _strike(self) -> None:
        self.has_struck, self._struck_at = True, time.monotonic()
        assert self._driving is not None
        assert self.strike is not None
        self.strike(self, self._driving)

    # --- what can break

    def silence_source(self) -> None:
        faults.set_silent(self.path, self.rows[0].name, is_silent=True)

    def silence_target(self) -> None:
        faults.set_silent(self.path, self.rows[1].name, is_silent=True)

    def freeze(self) -> None:
        faults.freeze(self.path, self.rows[1].name, self.clock)

    def break_stream(self) -> None:
        """Let the move break where it stands, as when a daemon that carries it ends."""
        with opened(self.path, self.clock) as world:
            move = world.moves.get(self.migration)
            if move is not None and not move.ending:
                world.break_in_pass = world.moment(move, self.clock()).pass_number

    def lose_lease(self) -> None:
        """Let the lease end although its owner lives, and another process come."""
        Migration.objects.filter(pk=self.migration).update(lease_until=timezone.now() - reconciling.RING_AGAIN_AFTER)
        self._start(driving.adopt, False)

    def cancel(self) -> None:
        with suppress(services.NotCancellableError):
            services.migration_cancel(self.actor, self.migration)

    def mend(self) -> None:
        self.clock.let_go()
        for row in self.rows:
            faults.set_silent(self.path, row.name, is_silent=False)
            faults.thaw(self.path, row.name, self.clock)

    # --- who cares for the move

    def _reconcile(self, deaths: int) -> None:
        row = Migration.objects.get(pk=self.migration)
        if row.state in ENDED:
            return
        care, dies = reconciling.care_for(row, timezone.now()), len(self.deaths) < deaths
        if care is reconciling.Care.RING and time.monotonic() >= self.redis_away_until:
            self._start(driving.drive, dies)
        elif care is reconciling.Care.ADOPT:
            # Two reconcilers: the lease lets one of them act.
            self._start(driving.adopt, dies)
            self._start(driving.adopt, False)

    def _start(self, work: Callable[..., None], dies: bool) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if len(self._threads) > MOST_THREADS:
            return
        dies_at = self.dice.randrange(1, 120) if dies else None
        process = Process(self, dies_at, after=self.dice.random() < 0.5)

        def live() -> None:
            process.run(work, self.migration, f"process {uuid.uuid4().hex[:6]}")
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
        hint = f"seed {self.seed} at {self.point}: {row.state} {row.failure_code}, on {place}, deaths {self.deaths}"
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
