"""The world: one JSON file under a lock, so that every process sees the same hosts.

Nothing runs in it. Whoever looks computes what has become of it by now, and
writes that down; so a process that dies takes nothing with it.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from xenweb.core.quantities import GIB, MIB
from xenweb.drivers.simulated_driver.precopy import Course, Moment, moment

Ending = Literal["", "moved", "cancelled", "broken"]
LINK = 24.0 * MIB
DOWNTIME_LIMIT = 0.3


@dataclass
class SimulatedVm:
    """A VM of the world. ``content`` and ``working_set`` are bytes, ``dirty_rate`` bytes per second."""

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


@dataclass
class SimulatedMove:
    """A move of the world; it is over when ``ending`` says how."""

    vm: str
    source: str
    target: str
    began: float
    bandwidth: float
    downtime_limit: float
    dirty_rate: float
    cancel_at: float | None = None
    ending: Ending = ""
    ended: float = 0.0
    downtime: float = 0.0


@dataclass
class SimulatedHost:
    """A host of the world, and what is wrong with it by the test's will."""

    name: str
    uuid: str
    memory: int
    storage: dict[str, str]
    is_silent: bool = False
    is_frozen: bool = False


@dataclass
class World:
    """Everything there is. ``version`` rises with each change that a host would tell."""

    hosts: dict[str, SimulatedHost] = field(default_factory=dict)
    vms: dict[str, SimulatedVm] = field(default_factory=dict)
    moves: dict[str, SimulatedMove] = field(default_factory=dict)
    break_in_pass: int | None = None
    version: int = 0

    def course(self, move: SimulatedMove) -> Course:
        """Gather the facts that a move's course follows from."""
        vm = self.vms[move.vm]
        return Course(vm.content, vm.working_set, move.dirty_rate, move.bandwidth, move.downtime_limit)

    def moment(self, move: SimulatedMove, now: float) -> Moment:
        """Say where a move stands now, or stood at its end."""
        return moment(self.course(move), (move.ended or now) - move.began)

    def move_of(self, vm_uuid: str) -> SimulatedMove | None:
        """Find the move that a VM is in."""
        return next((move for move in self.moves.values() if move.vm == vm_uuid and not move.ending), None)

    def catch_up(self, now: float) -> None:
        """Let happen what has happened by now."""
        for move in self.moves.values():
            if not move.ending:
                self._catch_up_move(move, now)

    def _catch_up_move(self, move: SimulatedMove, now: float) -> None:
        if self.hosts[move.target].is_frozen:
            return  # neither copied nor given up: the source waits for the target
        stands = self.moment(move, now)
        if self.break_in_pass is not None and stands.pass_number >= self.break_in_pass:
            self._end(move, "broken", now)
        elif stands.is_over:
            move.downtime = stands.downtime
            self._end(move, "moved", now)
            self.vms[move.vm].host = move.target
        elif move.cancel_at is not None:
            self._end(move, "cancelled", now)

    def _end(self, move: SimulatedMove, ending: Ending, now: float) -> None:
        move.ending, move.ended = ending, now
        self.version += 1


def _loaded(text: str) -> World:
    said = json.loads(text)
    return World(
        hosts={key: SimulatedHost(**each) for key, each in said["hosts"].items()},
        vms={key: SimulatedVm(**each) for key, each in said["vms"].items()},
        moves={key: SimulatedMove(**each) for key, each in said["moves"].items()},
        break_in_pass=said["break_in_pass"],
        version=said["version"],
    )


@contextmanager
def opened(path: Path, clock: Callable[[], float] = time.time) -> Iterator[World]:
    """Lend the world as it is now, and keep what was changed in it."""
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = path.read_text()
        world = _loaded(before)
        world.catch_up(clock())
        yield world
        after = json.dumps(asdict(world))
        if after != before:
            write(path, world)


def write(path: Path, world: World) -> None:
    """Write the world in one step: a reader sees the old one or the new one."""
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(world)))
    draft.replace(path)


def demo_world(path: Path) -> list[str]:
    """Write the small company of the embedded lab as a simulated world; answer its hosts' names."""
    names = ("host-a", "host-b", "host-c")
    hosts = {
        name: SimulatedHost(
            name=name,
            uuid=f"51000000-0000-4000-8000-00000000000{number}",
            memory=(1 if name == "host-c" else 4) * GIB,
            storage={"shared": "shared", "local": f"local-{name}"},
        )
        for number, name in enumerate(names)
    }
    vms = {vm.uuid: vm for number, row in enumerate(_CAST) if (vm := _member(number, *row))}
    write(path, World(hosts, vms))
    return list(names)


def _member(number: int, name: str, host: str, memory: int, rate: float, disk: str) -> SimulatedVm:
    return SimulatedVm(
        uuid=f"51000000-0000-4000-8000-0000000001{number:02d}",
        name=name,
        host=host,
        memory=memory * MIB,
        content=memory * 3 // 4 * MIB,
        working_set=48 * MIB,
        dirty_rate=rate * MIB,
        disk=disk,
        state="halted" if name == "old-wiki" else "running",
        load=0.4 if rate > 1 else 0.01,
    )


_CAST = (
    ("dns-1", "host-a", 64, 0.0, ""),
    ("ldap-1", "host-a", 128, 0.1, ""),
    ("web-1", "host-a", 128, 0.1, ""),
    ("hot-db", "host-a", 256, 80.0, ""),
    ("shop-db", "host-a", 128, 0.4, "shared"),
    ("dns-2", "host-b", 64, 0.0, ""),
    ("web-2", "host-b", 128, 0.1, ""),
    ("mail-2", "host-b", 128, 0.1, ""),
    ("cache-1", "host-b", 192, 3.0, ""),
    ("ledger", "host-b", 128, 0.2, "local"),
    ("big-etl", "host-b", 1024, 0.0, ""),
    ("git-1", "host-c", 128, 0.1, ""),
    ("wiki", "host-c", 64, 0.0, ""),
    ("build-7", "host-c", 192, 2.0, ""),
    ("old-wiki", "host-c", 128, 0.0, ""),
)
