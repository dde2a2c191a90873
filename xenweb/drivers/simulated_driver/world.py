"""The world: one JSON file under a lock, so that every process sees the same hosts.

Nothing runs in it. What becomes of a move follows from the facts written down
and from the time alone; whoever looks after its end writes the outcome down. So
a process that dies takes nothing with it.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from xenweb.core.quantities import MIB
from xenweb.drivers.contract import HostUnreachableError
from xenweb.drivers.simulated_driver.precopy import START, Course, Moment, end_of, moment, start_of

Ending = Literal["", "moved", "cancelled", "broken"]
Clock = Callable[[], float]

DISK = 32 * MIB
LINK = 24.0 * MIB
DOWNTIME_LIMIT = 0.3
DEFINING_TAKES = 0.1
"""Seconds until a halted VM's definition is at the target."""

CANCEL_TAKES = 0.15
"""Seconds until a move that was asked to end has ended."""


@dataclass(slots=True)
class SimulatedVm:
    """A VM of the world. Sizes are bytes, rates bytes per second, ``load`` a share of one CPU."""

    uuid: str
    name: str
    host: str
    memory: int
    content: int
    working_set: int = 4 * MIB
    dirty_rate: float = 0.0
    disk: str = ""
    state: str = "running"
    load: float = 0.01
    started: float = 0.0

    def cpu_time(self, now: float) -> int | None:
        """Say how many nanoseconds of CPU it has used; None while it does not run."""
        return round((now - self.started) * self.load * 1e9) if self.state == "running" else None


@dataclass(slots=True)
class SimulatedMove:
    """A move of the world; it is over when ``ending`` says how. Moments are seconds since 1970.

    ``leg_*`` say where it stood when its facts were last changed. ``disk_content``
    bytes of the disk at ``disk_path`` are copied before memory is.
    """

    vm: str
    source: str
    target: str
    began: float
    bandwidth: float
    downtime_limit: float
    dirty_rate: float
    throttle: int | None = None
    kind: str = "live"
    disk_content: int = 0
    disk_path: str = ""
    stalled: float = 0.0
    cancel_at: float | None = None
    ending: Ending = ""
    ended: float = 0.0
    leg_began: float | None = None
    leg_content: int = 0
    leg_pass: int = 1
    leg_copied: int = 0
    leg_starts: list[float] = field(default_factory=list)


@dataclass(slots=True)
class SimulatedHost:
    """A host of the world, and what is wrong with it by a test's will.

    ``busy`` are the CPU seconds it had worked by ``busy_at``; one that ``is_disabled`` takes no VMs.
    """

    name: str
    uuid: str
    memory: int
    storage: dict[str, str]
    busy: float = 0.0
    busy_at: float = 0.0
    is_silent: bool = False
    frozen_at: float | None = None
    keeps_guards: bool = False
    is_disabled: bool = False


@dataclass(slots=True)
class SimulatedGuard:
    """A guard of the world: ``pause`` seconds of standing still from ``began`` on, then ``size`` bytes to copy.

    A roll-back began at ``back_at``; ``vm`` is a UUID.
    """

    vm: str
    host: str
    size: int
    began: float
    pause: float
    with_memory: bool = False
    is_taken: bool = False
    back_at: float | None = None


@dataclass(slots=True)
class World:
    """Everything there is. ``version`` rises with each change that a host would tell.

    Hosts that have forgotten their moves carry them on, and know nothing of them when asked.
    ``volumes`` are the disks on storage of one host, by ``host:path``, and their sizes in bytes; ``guards`` are by id,
    and stand where ``guards_stand`` seconds of their work bring them, if a test says so.
    """

    hosts: dict[str, SimulatedHost] = field(default_factory=dict)
    vms: dict[str, SimulatedVm] = field(default_factory=dict)
    moves: dict[str, SimulatedMove] = field(default_factory=dict)
    volumes: dict[str, int] = field(default_factory=dict)
    guards: dict[str, SimulatedGuard] = field(default_factory=dict)
    guards_stand: float | None = None
    break_in_pass: int | None = None
    loses_replies: bool = False
    forgets_moves: bool = False
    version: int = 0

    def moment(self, move: SimulatedMove, now: float) -> Moment:
        """Say where a move stands now, or stood at its end."""
        at = move.ended if move.ending else self._reached(move, now)
        stands = moment(self._course(move), at - self._leg(move))
        if move.leg_began is None:
            return stands
        since = move.leg_began - move.began
        starts = (*move.leg_starts, *(since + start for start in stands.pass_started[1:]))
        return replace(stands, pass_started=starts)

    def disk_copied(self, move: SimulatedMove, now: float) -> int:
        """Say how many bytes of its disk a move has copied."""
        at = move.ended if move.ending else self._reached(move, now)
        copied = max(0.0, at - move.began - move.stalled - START) * move.bandwidth
        return move.disk_content if move.leg_began is not None else min(move.disk_content, round(copied))

    def turn(self, move: SimulatedMove, now: float) -> None:
        """Begin a new leg where the move stands: what is changed next counts from now on."""
        stands = self.moment(move, now)
        move.leg_content, move.leg_pass, move.leg_copied = stands.remaining, stands.pass_number, stands.processed
        move.leg_starts, move.leg_began, move.stalled = list(stands.pass_started), now, 0.0

    def move_of(self, vm_uuid: str) -> SimulatedMove | None:
        """Find the move that a VM is in."""
        return next((move for move in self.moves.values() if move.vm == vm_uuid and not move.ending), None)

    def is_held(self, vm_uuid: str, now: float) -> bool:
        """Say whether a VM stands still at this moment because a guard of it is taken."""
        taking = (each for each in self.guards.values() if self.guard_works(each, now) < each.pause)
        return any(each.vm == vm_uuid and each.back_at is None for each in taking)

    def guard_works(self, guard: SimulatedGuard, now: float) -> float:
        """Say for how many seconds a guard has been made, or rolled back to."""
        began = guard.began if guard.back_at is None else guard.back_at
        return now - began if self.guards_stand is None else self.guards_stand

    def resident(self, host: str) -> list[SimulatedVm]:
        """List the VMs that a host has, running or not."""
        return [vm for vm in self.vms.values() if vm.host == host]

    def incoming(self, host: str) -> list[SimulatedVm]:
        """List the VMs that a host is receiving."""
        return [self.vms[move.vm] for move in self.moves.values() if not move.ending and move.target == host]

    def memory_free(self, host: SimulatedHost) -> int:
        """Say how much of a host's memory is promised to nobody."""
        taken = sum(vm.memory for vm in self.resident(host.name) if vm.state == "running")
        return max(0, host.memory - taken - sum(vm.memory for vm in self.incoming(host.name)))

    def busy(self, host: SimulatedHost, now: float) -> float:
        """Say how many seconds of CPU a host has worked: a counter that never goes back."""
        load = sum(vm.load for vm in self.resident(host.name) if vm.state == "running")
        return host.busy + load * max(0.0, now - host.busy_at)

    def catch_up(self, now: float) -> None:
        """Let happen what has happened by now, in its order."""
        due = [(self._outcome(move), move) for move in self.moves.values() if not move.ending]
        for (ended, ending), move in sorted(due, key=lambda each: each[0][0]):
            if ended <= now:
                self._end(move, ending, ended)
        for guard in self.guards.values():
            if not guard.is_taken and self.guard_works(guard, now) >= guard.pause:
                guard.is_taken = True
                self.version += 1

    def _course(self, move: SimulatedMove) -> Course:
        vm = self.vms[move.vm]
        course = Course(vm.content, vm.working_set, move.dirty_rate, move.bandwidth, move.downtime_limit)
        if move.leg_began is None:
            return replace(course, start=course.start + move.disk_content / move.bandwidth)
        copied = float(move.leg_copied)
        return replace(course, start=0.0, content=move.leg_content, first_pass=move.leg_pass, copied_before=copied)

    def _leg(self, move: SimulatedMove) -> float:
        """Say when the course of now began, the times left out in which nothing was copied."""
        return (move.began if move.leg_began is None else move.leg_began) + move.stalled

    def _reached(self, move: SimulatedMove, now: float) -> float:
        frozen_at = self.hosts[move.target].frozen_at
        return now if frozen_at is None else min(now, max(frozen_at, move.began))

    def _outcome(self, move: SimulatedMove) -> tuple[float, Ending]:
        """Say when and how a move ends, as things stand; infinity for never."""
        if move.kind == "cold":
            return move.began + DEFINING_TAKES, "moved"
        course, began = self._course(move), self._leg(move)
        ends: list[tuple[float | None, Ending]] = [(end_of(course), "moved")]
        if self.break_in_pass is not None:
            ends.append((start_of(course, self.break_in_pass), "broken"))
        if move.cancel_at is not None:
            ends.append((move.cancel_at + CANCEL_TAKES - began, "cancelled"))
        after, ending = min((float("inf") if at is None else at, ending) for at, ending in ends)
        # A frozen target neither receives nor lets go: nothing ends until it thaws.
        is_stuck = self._reached(move, began + after) < began + after
        return (float("inf") if is_stuck else began + after), ending

    def _end(self, move: SimulatedMove, ending: Ending, at: float) -> None:
        if ending == "moved":
            for name in (move.source, move.target):
                host = self.hosts[name]
                host.busy, host.busy_at = self.busy(host, at), at
            self.vms[move.vm].host = move.target
        if move.disk_path and at >= move.began + START:
            # Whole or not: the target's disk is there from the moment copying began, and stays.
            self.volumes.setdefault(f"{move.target}:{move.disk_path}", move.disk_content)
        move.ending, move.ended = ending, at
        self.version += 1


def disk_path(vm: SimulatedVm) -> str:
    """Answer where a VM's hosts see its disk; empty if it has none."""
    return f"/srv/{vm.disk}/{vm.name}.img" if vm.disk else ""


def _read(path: Path) -> World:
    try:
        said = json.loads(path.read_text())
        return World(
            hosts={key: SimulatedHost(**each) for key, each in said["hosts"].items()},
            vms={key: SimulatedVm(**each) for key, each in said["vms"].items()},
            moves={key: SimulatedMove(**each) for key, each in said["moves"].items()},
            volumes=said["volumes"],
            guards={key: SimulatedGuard(**each) for key, each in said["guards"].items()},
            guards_stand=said["guards_stand"],
            break_in_pass=said["break_in_pass"],
            loses_replies=said["loses_replies"],
            forgets_moves=said["forgets_moves"],
            version=said["version"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = "The simulated world cannot be read: its hosts do not answer."
        raise HostUnreachableError(msg) from error


@contextmanager
def opened(path: Path, clock: Clock = time.time) -> Iterator[World]:
    """Lend the world as it is now, and keep what was changed in it; raise HostUnreachableError if it is gone."""
    if not path.parent.is_dir():
        msg = "The simulated world is gone: its hosts do not answer."
        raise HostUnreachableError(msg)
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        world = _read(path)
        before = json.dumps(asdict(world))
        world.catch_up(clock())
        yield world
        if json.dumps(asdict(world)) != before:
            write(path, world)


def write(path: Path, world: World) -> None:
    """Write the world in one step: a reader sees the old one or the new one."""
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(world)))
    draft.replace(path)
