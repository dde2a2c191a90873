"""One stage for all faults: ask for moves, break things, and hear what the guests and hypervisors say."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from tests.bounce.witness import Witness, running_on
from tests.chaos.postgres import Postgres
from tests.stage_processes import processes_of, send, workers_are_found
from xenweb.lab.qemu.guests import GUESTS
from xenweb.lab.qemu.heartbeat import disk_counters
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.smoke import named, rest
from xenweb.lab.stage import Stage, StageError

MIB = 1024 * 1024
SLOW = 6 * MIB
ENDED = frozenset({"done", "failed", "cancelled"})
GUEST = "shop-db"
"""Its disk lies on shared storage, and it counts its writes there."""

FRAGILE = "mail-2"
"""The guest for faults that cost a guest its life: its beats begin anew afterwards."""

FRAGILE_HOST = "host-c"
"""The host whose power is cut: no guest with a disk lives there."""

UUIDS = {guest.name: guest.uuid for guest in GUESTS}


def until(condition: Callable[[], Any], seconds: float = 30.0, what: str = "it") -> Any:
    """Wait for something true, and answer it; the stage may be away meanwhile."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(StageError, OSError, ValueError):
            found = condition()
            if found:
                return found
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


@dataclass
class Scene:
    """The stage, its lab, and everything a fault needs a hand on."""

    stage: Stage
    lab: Lab
    witness: Witness
    database: Postgres | None = None
    hear: Callable[[str], None] = lambda word: None

    def where(self, vm: str = GUEST) -> str:
        """Ask the daemons which one host runs a VM."""
        hosts = running_on(self.lab, UUIDS[vm])
        assert len(hosts) == 1, f"{vm} runs on {hosts}"
        return hosts[0]

    def elsewhere(self, vm: str = GUEST) -> str:
        """Name another host of the two large ones."""
        return self.elsewhere_than(self.where(vm))

    def elsewhere_than(self, host: str) -> str:
        """Name the other one of the two large hosts."""
        return "host-b" if host == "host-a" else "host-a"

    def ask(self, vm: str = GUEST, target: str = "", **options: int | bool | None) -> dict[str, Any]:
        """Ask for a move by REST; slow unless told otherwise, so that there is time to break something."""
        options.setdefault("bandwidth_limit", SLOW)
        hosts = rest(self.stage, "GET", "/hosts")["items"]
        place = named(hosts, target or self.elsewhere(vm))
        body = {"vm": UUIDS[vm], "target": str(place["id"]), "options": options}
        return dict(rest(self.stage, "POST", "/migrations", body))

    def move(self, migration: dict[str, Any]) -> dict[str, Any]:
        """Read a move as it is now."""
        return dict(rest(self.stage, "GET", f"/migrations/{migration['id']}"))

    def until_state(self, migration: dict[str, Any], *states: str, within: float = 40.0) -> dict[str, Any]:
        """Wait until a move is in one of some states; answer it."""

        seen: dict[str, Any] = {}

        def reached() -> dict[str, Any] | None:
            seen.update(self.move(migration))
            return seen if seen["state"] in states else None

        try:
            return dict(until(reached, within, f"{migration['id']}: one of {states}"))
        except AssertionError as error:
            said = {key: seen.get(key) for key in ("state", "failure_code", "as_of", "progress")}
            raise AssertionError(f"{error}; it is {said}") from None

    def until_ended(self, migration: dict[str, Any], within: float = 60.0) -> dict[str, Any]:
        """Wait for the end of a move."""
        return self.until_state(migration, *ENDED, within=within)

    def copying(self, vm: str = GUEST, **options: int | bool | None) -> dict[str, Any]:
        """Ask for a move and wait until memory is being copied."""
        return self.until_state(self.ask(vm, **options), "pre_copy")

    def choose(self, migration: dict[str, Any], kind: str) -> None:
        """Choose something at the desk."""
        rest(self.stage, "POST", f"/migrations/{migration['id']}/choices", {"kind": kind})

    def expect_on(self, host: str, vm: str = GUEST, within: float = 15.0) -> None:
        """Hold all witnesses together: both daemons, the guest's heartbeat and disk, and the board."""
        until(lambda: running_on(self.lab, UUIDS[vm]) == [host], within, f"{vm} on {host} alone")
        diary = self.witness.diaries[vm]
        before = diary.heard
        until(lambda: diary.heard > before + 2, 10, f"a heartbeat of {vm}")
        assert diary.faults == [], diary.faults
        word = f"daemons: {vm} on {host} alone; its beats to {diary.last and diary.last.number} without gap or double"
        disk = next(guest for guest in GUESTS if guest.name == vm)
        if disk.disk == "shared":
            counters = disk_counters(self.lab.disk(vm, disk.host))
            assert not counters.missing, counters
            word += f"; its disk counter at {counters.newest}, none missing"
        until(lambda: self.board_place(vm) == host, within, f"the board to show {vm} on {host}")
        self.hear(word)

    def expect_nowhere(self, vm: str, *cleared: str) -> None:
        """Hold the daemons and the process tables together: nobody runs a VM, and nothing is left of it there."""
        assert running_on(self.lab, UUIDS[vm]) == []
        assert [pid for host in cleared for pid in self.qemu_of(host, vm)] == []
        self.hear(f"daemons: {vm} on no host; no process of it on {' and '.join(cleared)}")

    def bring(self, vm: str, host: str) -> None:
        """Have a VM on one host."""
        if self.where(vm) != host:
            assert self.until_ended(self.ask(vm, host, bandwidth_limit=None))["state"] == "done"
            self.expect_on(host, vm)

    def board_place(self, vm: str = GUEST) -> str:
        """Answer where the board shows a VM that nothing moves."""
        shown = named(rest(self.stage, "GET", "/vms")["items"], vm)
        hosts = {host["id"]: host["name"] for host in rest(self.stage, "GET", "/hosts")["items"]}
        return "" if shown["migration"] else str(hosts.get(shown["resident_on"], ""))

    def records(self, migration: dict[str, Any], action: str) -> list[str]:
        """List the outcomes that the history holds for a move and an action."""
        found = rest(self.stage, "GET", f"/audit?subject={migration['id']}&action={action}")["items"]
        return [str(each["outcome"]) for each in found]

    def until_history_tells(self, vm: str, **wanted: str) -> None:
        """Wait until the history tells of a change to a VM that nobody asked xenweb for."""

        def is_told() -> bool:
            found = rest(self.stage, "GET", f"/audit?subject={UUIDS[vm]}&action=vm_outside_change")["items"]
            return any(wanted.items() <= each["facts"].items() for each in found)

        until(is_told, 15, f"a record that {vm} came to {wanted}")

    def expect_one_call_and_outcome(self, migration: dict[str, Any], outcome: str) -> None:
        """Hold the history to one call and one outcome; UNCERTAIN on the way is no outcome."""
        assert self.records(migration, "migration_start") == ["allowed"]
        assert [each for each in self.records(migration, "migration_outcome") if each != "uncertain"] == [outcome]
        assert "holds" in self.stage.manage("audit_verify")

    # --- hands on processes

    def kill(self, word: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to all of the stage's processes of a kind; there must be some."""
        assert send(self.stage, word, number), f"there is no process {word}"

    def parents(self) -> list[int]:
        """List the RQ workers without their work horses."""
        workers = processes_of(self.stage, "work")
        return [pid for pid in workers if _parent(pid) not in workers]

    @contextmanager
    def stopped(self, pids: list[int]) -> Iterator[None]:
        """Let processes stand still for a while."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def daemon_of(self, host: str) -> list[int]:
        """Find a host's libvirt daemon."""
        return _with_words(f"{self.lab.layout.folder}/{host}/libvirtd.conf")

    def qemu_of(self, host: str, vm: str = GUEST) -> list[int]:
        """Find a guest's QEMU on one host."""
        return [pid for pid in _with_words(f"guest={vm},") if f"{self.lab.layout.folder}/{host}/" in _words(pid)]

    def redis(self) -> "redis.Redis":
        """Speak to the stage's own Redis."""
        return redis.Redis(unix_socket_path=str(self.stage.data / "redis.sock"))

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """Take the database away: end PostgreSQL as a crash would, or keep all others from the file."""
        self.hear(f"the database: {self.database.version if self.database else 'SQLite, for want of PostgreSQL'}")
        if self.database is None:
            with self._file_locked():
                yield
            return
        self.database.stop()
        try:
            yield
        finally:
            self.database.start()

    @contextmanager
    def database_takes_no_writes(self) -> Iterator[None]:
        """Let the database answer, and store nothing."""
        self.hear(f"the database: {self.database.version if self.database else 'SQLite, for want of PostgreSQL'}")
        if self.database is None:
            with self._file_locked():
                yield
            return
        self.database.set_read_only(is_read_only=True)
        try:
            yield
        finally:
            self.database.set_read_only(is_read_only=False)

    @contextmanager
    def _file_locked(self) -> Iterator[None]:
        connection = sqlite3.connect(self.stage.data / "db.sqlite3", timeout=30, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    @contextmanager
    def parted_from(self, *hosts: str) -> Iterator[None]:
        """Part xenweb from hosts, which still hear each other: their doors are gone, and so are those inside."""
        doors = [Path(self.lab.uri(host).partition("socket=")[2]) for host in hosts]
        for door in doors:
            door.rename(door.with_suffix(".away"))
        for word in ("work", "watch", "reconcile"):
            self.kill(word)
        try:
            yield
        finally:
            for door in doors:
                door.with_suffix(".away").rename(door)

    def settle(self) -> None:
        """Leave everything whole for the next fault."""
        for host in ("host-a", "host-b", "host-c"):
            self.lab.power(host, "on")
            self.lab.link(host, "up")
            self.lab.daemon(host, "start")
        until(lambda: not rest(self.stage, "GET", "/migrations?active=true")["items"], 60, "the end of every move")
        until(self._is_connected, 30, "every host to be connected")
        until(lambda: workers_are_found(self.stage), 20, "every worker to be up")

    def _is_connected(self) -> bool:
        return all(host["state"] == "connected" for host in rest(self.stage, "GET", "/hosts")["items"])


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _with_words(text: str) -> list[int]:
    found = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return [pid for pid in found if text in _words(pid) and "unshare" not in _words(pid)]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
