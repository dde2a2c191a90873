"""One stage for all faults: ask for moves, break things, and hear what the guests and hypervisors say."""

import os
import signal
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from tests.bounce.witness import Witness, running_on
from tests.stage_processes import processes_of, send
from xenweb.lab.qemu.guests import GUESTS
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.smoke import named, rest
from xenweb.lab.stage import Stage, StageError

MIB = 1024 * 1024
SLOW = 6 * MIB
ENDED = frozenset({"done", "failed", "cancelled"})
GUEST = "web-2"
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

    def where(self, vm: str = GUEST) -> str:
        """Ask the daemons which one host runs a VM."""
        hosts = running_on(self.lab, UUIDS[vm])
        assert len(hosts) == 1, f"{vm} runs on {hosts}"
        return hosts[0]

    def elsewhere(self, vm: str = GUEST) -> str:
        """Name another host of the two large ones."""
        return "host-b" if self.where(vm) == "host-a" else "host-a"

    def ask(self, vm: str = GUEST, target: str = "", *, key: str = "", **options: int | bool | None) -> dict[str, Any]:
        """Ask for a move by REST; slow unless told otherwise, so that there is time to break something."""
        del key
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

        def reached() -> dict[str, Any] | None:
            now = self.move(migration)
            return now if now["state"] in states else None

        return dict(until(reached, within, f"{migration['id']}: one of {states}"))

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
        """Hold all witnesses together: both daemons, the guest's heartbeat, and the board."""
        until(lambda: running_on(self.lab, UUIDS[vm]) == [host], within, f"{vm} on {host} alone")
        diary = self.witness.diaries[vm]
        before = diary.heard
        until(lambda: diary.heard > before + 2, 10, f"a heartbeat of {vm}")
        assert diary.faults == [], diary.faults
        until(lambda: self.board_place(vm) == host, within, f"the board to show {vm} on {host}")

    def board_place(self, vm: str = GUEST) -> str:
        """Answer where the board shows a VM that nothing moves."""
        shown = named(rest(self.stage, "GET", "/vms")["items"], vm)
        hosts = {host["id"]: host["name"] for host in rest(self.stage, "GET", "/hosts")["items"]}
        return "" if shown["migration"] else str(hosts.get(shown["resident_on"], ""))

    def records(self, migration: dict[str, Any], action: str) -> list[str]:
        """List the outcomes that the history holds for a move and an action."""
        found = rest(self.stage, "GET", f"/audit?subject={migration['id']}&action={action}")["items"]
        return [str(each["outcome"]) for each in found]

    def expect_one_call_and_outcome(self, migration: dict[str, Any], outcome: str) -> None:
        """Hold the history to one call and one outcome; UNCERTAIN on the way is no outcome."""
        assert self.records(migration, "migration_start") == ["allowed"]
        assert [each for each in self.records(migration, "migration_outcome") if each != "uncertain"] == [outcome]
        assert "holds" in self.stage.manage("audit_verify")

    # --- hands on processes

    def kill(self, word: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to all of the stage's processes of a kind."""
        send(self.stage, word, number)

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
        return [pid for pid in _with_words(f"guest={vm},") if f"/{host}/" in _words(pid)]

    def redis(self) -> "redis.Redis":
        """Speak to the stage's own Redis."""
        return redis.Redis(unix_socket_path=str(self.stage.data / "redis.sock"))

    @contextmanager
    def database_locked(self) -> Iterator[None]:
        """Keep everybody else from writing to the database."""
        connection = sqlite3.connect(self.stage.data / "db.sqlite3", timeout=30, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    def settle(self) -> None:
        """Leave everything whole for the next fault."""
        for host in ("host-a", "host-b", "host-c"):
            self.lab.power(host, "on")
            self.lab.link(host, "up")
            self.lab.daemon(host, "start")
        until(lambda: not rest(self.stage, "GET", "/migrations?active=true")["items"], 60, "the end of every move")
        until(self._is_connected, 20, "every host to be connected")

    def _is_connected(self) -> bool:
        return all(host["state"] == "connected" for host in rest(self.stage, "GET", "/hosts")["items"])


def fresh_key() -> str:
    """Draw an idempotency key."""
    return uuid.uuid4().hex


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
