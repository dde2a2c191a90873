"""Keep what the relays tell, and answer whoever proves to hold the key."""

import contextlib
import json
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from . import places, remedies, wire
from .commands import Commands
from .configuration import Configuration
from .dirtying import Dirtying, LibraryLog
from .guests import Guest, Xen, XenError, waited
from .keeping import StorageVerbs

MOST_RECORDS: Final = 256
MOST_CALLERS: Final = 32
PATIENCE: Final = 10.0
"""Seconds in which a caller must prove who it is, all in all."""

IDLE: Final = 120.0
CANCELLED_WITHIN: Final = 2.0
BROKEN_OFF_WITHIN: Final = 5.0
LONGEST_REPORT: Final = 65536
UNUSED_FOR: Final = 5.0
"""Seconds in which a host whose libvirt starts no relays is not searched for one that does: each search looks at every
process, and takes the CPU that copying needs."""

SEEN_WITHIN: Final = 30.0
UNPAUSED_WITHIN: Final = 30.0
LOST_AFTER: Final = 5.0
"""Seconds after which it is looked whether a helper that tells nothing still works."""

LOOK_EVERY: Final = 0.1
"""Seconds between two looks at a guest."""


class Moves:
    """What the relays have told, newest last; bounded, and safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._kept: dict[tuple[int, float], dict[str, Any]] = {}
        self._uuids: dict[tuple[int, float], str] = {}
        self._ran: dict[tuple[int, float], float] = {}

    def heard(self, said: dict[str, Any]) -> tuple[int, float] | None:
        """Take one report; answer its key if it is of a helper that was not known."""
        key = (int(said["pid"]), float(said["began"]))
        with self._lock:
            is_new = key not in self._kept
            self._kept[key] = said
            while len(self._kept) > MOST_RECORDS:
                oldest = next(iter(self._kept))
                for each in (self._kept, self._uuids, self._ran):
                    each.pop(oldest, None)
            self._lock.notify_all()
        return key if is_new else None

    def is_received(self, key: tuple[int, float]) -> bool:
        """Wait until a helper tells that the memory it receives is whole; False if it ended without."""
        with self._lock:
            while (said := self._kept.get(key)) is not None and said["results"] is None:
                if not is_alive(said):
                    return False
                self._lock.wait(LOST_AFTER)
        return said is not None

    def is_about(self, key: tuple[int, float], vm: str) -> None:
        """Note which VM a helper works on."""
        with self._lock:
            self._uuids[key] = vm

    def runs(self, key: tuple[int, float], at: float) -> None:
        """Note when a received guest was let go."""
        with self._lock:
            self._ran[key] = at

    def all(self, vm: str = "") -> list[dict[str, Any]]:
        """Answer all that is known, of one VM or of all; ages are seconds before now."""
        now = time.monotonic()
        with self._lock:
            found = [(key, dict(said)) for key, said in self._kept.items() if vm in {"", self._uuids.get(key)}]
            uuids, ran = dict(self._uuids), dict(self._ran)
        for key, said in found:
            said.update(vm=uuids.get(key, ""), ran=ran.get(key), now=now, alive=is_alive(said))
        return [said for _, said in found]


def is_alive(said: dict[str, Any]) -> bool:
    """Say whether a helper still works: it has not told of its end, and its process is there."""
    if said.get("ended") is not None:
        return False
    try:
        os.kill(int(said["pid"]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class Daemon:
    """One host's probe."""

    def __init__(self, configuration: Configuration, xen: Xen | None = None) -> None:
        self.configuration = configuration
        self.key = read_key(configuration)
        self.xen = xen or Xen(configuration.xl)
        self.moves = Moves()
        self.storage = StorageVerbs(configuration, self.xen, Commands(), self.moves.all)
        self.dirtying = Dirtying(
            self.xen,
            configuration.run,
            lambda: LibraryLog(configuration.xen),
            is_known=configuration.measures_changes and configuration.is_made_for_this_xen(),
        )
        self._user: Path | None = None
        self._searched = float("-inf")
        self._callers = threading.Semaphore(MOST_CALLERS)
        self._changing = threading.Lock()
        self._verbs: dict[str, Callable[[dict[str, Any]], object]] = {
            "hello": self._hello,
            "moves": lambda asked: self.moves.all(str(asked.get("vm", ""))),
            "where": lambda asked: [each.as_json() for each in self.xen.of(str(asked["vm"]))],
            "guests": lambda _asked: [each.as_json() for each in self.xen.guests()],
            "paths": lambda asked: {str(path): places.path_seen(str(path)) for path in asked["paths"]},
            "bridges": lambda _asked: places.bridges(),
            "cancel": self._cancel,
            "resume": self._resume,
            "remove_half_built": self._remove_half_built,
            "break_off": self._break_off,
            "restart_daemon": self._restart_daemon,
            "hold": lambda asked: remedies.hold(self.xen, str(asked["vm"])),
            "dirtying": lambda asked: self.dirtying.measure(str(asked["vm"])),
            **self.storage.verbs(),
        }

    def serve(self) -> None:
        """Listen until the process ends."""
        self.storage.guards.recover()
        self.dirtying.recover()
        reports = self.open_reports()
        threading.Thread(target=self.listen_to_relays, args=(reports,), daemon=True).start()
        with socket.create_server((self.configuration.address, self.configuration.port), backlog=16) as listener:
            _log(f"listening on port {self.configuration.port}, for Xen {self.configuration.xen}")
            while True:
                connection, _ = listener.accept()
                if self._callers.acquire(blocking=False):
                    threading.Thread(target=self._answer, args=(connection,), daemon=True).start()
                else:
                    connection.close()

    def open_reports(self) -> socket.socket:
        """Make the place where relays tell what they see; nobody but root may."""
        folder = self.configuration.run
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with contextlib.suppress(FileNotFoundError):
            self.configuration.reports.unlink()
        reports = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        reports.bind(str(self.configuration.reports))
        return reports

    def listen_to_relays(self, reports: socket.socket) -> None:
        """Take reports for ever; what cannot be read is none."""
        while True:
            data = reports.recv(LONGEST_REPORT)
            with contextlib.suppress(ValueError, KeyError, TypeError):
                said = json.loads(data)
                key = self.moves.heard(said)
                if key is not None:
                    threading.Thread(target=self._accompany, args=(key, said), daemon=True).start()

    def _accompany(self, key: tuple[int, float], said: dict[str, Any]) -> None:
        """Find out which VM a helper works on, and when a received one is let go.

        While memory is copied Xen is not asked: each look takes the CPU that copying needs.
        """
        number = int(said["number"])
        guest = self._seen(number, lambda _: True, SEEN_WITHIN)
        if guest is None:
            return
        self.moves.is_about(key, guest.uuid)
        if said["mode"] == "save" or not self.moves.is_received(key):
            return
        running = self._seen(number, lambda each: not each.paused and each.cpu_time > 0, UNPAUSED_WITHIN)
        if running is not None:
            # It ran already for as long as each of its CPUs has worked, at least.
            self.moves.runs(key, time.monotonic() - running.cpu_time / 1e9 / max(1, running.cpus))

    def _seen(self, number: int, condition: Callable[[Guest], bool], within: float) -> Guest | None:
        """Look until a guest is as it should be; None if it is not in time."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            with contextlib.suppress(XenError):
                guest = self.xen.guest(number)
                if guest is not None and condition(guest):
                    return guest
            time.sleep(LOOK_EVERY)
        return None

    def _answer(self, connection: socket.socket) -> None:
        try:
            line = wire.accepted(connection, self.key, PATIENCE)
            connection.settimeout(IDLE)
            while True:
                line.send(self._done(line.receive()))
        except (OSError, wire.WireError) as error:
            if isinstance(error, wire.WireError) and "key" in str(error):
                _log("somebody who does not hold the key was turned away")
        finally:
            connection.close()
            self._callers.release()

    def _done(self, asked: dict[str, Any]) -> dict[str, object]:
        verb = self._verbs.get(str(asked.get("verb", "")))
        if verb is None:
            return {"error": "unknown", "sentence": "This probe knows no such verb."}
        try:
            return {"answer": verb(asked)}
        except remedies.RemedyRefusedError as error:
            return {"error": "refused", "sentence": str(error)}
        except XenError as error:
            return {"error": "failed", "sentence": str(error)}
        except (KeyError, ValueError, TypeError):
            return {"error": "unknown", "sentence": "The question is not complete."}

    def _is_in_use(self) -> bool:
        """Say whether relays are started; that they are not may be a few seconds old."""
        if not self.configuration.daemons:
            return True
        now = time.monotonic()
        if self._user is not None or now - self._searched > UNUSED_FOR:
            self._user, self._searched = self.configuration.daemon_in_use(self._user), now
        return self._user is not None

    def _hello(self, _asked: dict[str, Any]) -> dict[str, object]:
        running = self.configuration.xen_version()
        return {
            "version": 1,
            "xen": running,
            "made_for": self.configuration.xen,
            "relays": self.configuration.is_made_for(running) and self._is_in_use(),
            "moves": sum(each["alive"] for each in self.moves.all()),
        }

    def _cancel(self, asked: dict[str, Any]) -> None:
        """Have the helper of a VM's move end before the guest is suspended; refused afterwards."""
        vm = str(asked["vm"])
        with self._changing:
            found = [each for each in self.moves.all(vm) if each["alive"] and each["mode"] == "save"]
            if len(found) != 1:
                raise remedies.RemedyRefusedError("No move of this VM is seen here that could be given up.")
            pid = int(found[0]["pid"])
            self._tell_relay(pid, "cancel")

            def said() -> str:
                return next((str(each["cancel"]) for each in self.moves.all(vm) if each["pid"] == pid), "")

            until = time.monotonic() + CANCELLED_WITHIN
            while not said() and time.monotonic() < until:
                time.sleep(LOOK_EVERY)
            if said() != "accepted":
                raise remedies.RemedyRefusedError(said() or "The relay of this move does not answer.")

    def _tell_relay(self, pid: int, word: str) -> None:
        place = self.configuration.run / f"relay-{pid}.sock"
        if not stat.S_ISSOCK(place.lstat().st_mode if place.exists() else 0):
            raise remedies.RemedyRefusedError("The relay of this move does not listen.")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:
            telling.setblocking(False)
            try:
                telling.sendto(word.encode(), str(place))
            except OSError as error:
                raise remedies.RemedyRefusedError(f"The relay of this move does not listen: {error}") from error

    def _is_worked_on(self, number: int) -> bool:
        return any(each["alive"] and each["number"] == number for each in self.moves.all())

    def _resume(self, asked: dict[str, Any]) -> None:
        with self._changing:
            guest = remedies.one(self.xen, str(asked["vm"]))
            if self._is_worked_on(guest.number):
                raise remedies.RemedyRefusedError("Its move is not over yet.")
            remedies.resume(self.xen, guest.uuid, remedies.let_go_by_library(self.configuration.xen))

    def _remove_half_built(self, asked: dict[str, Any]) -> None:
        with self._changing:
            remedies.remove_half_built(self.xen, str(asked["vm"]), is_received=self._is_worked_on)

    def _break_off(self, asked: dict[str, Any]) -> None:
        """End what helpers still do for a VM's move that stands still; nothing to do if there are none."""
        vm = str(asked["vm"])
        with self._changing:
            for each in self.moves.all(vm):
                if each["alive"]:
                    guest = next((one for one in self.xen.of(vm) if one.number == each["number"]), None)
                    helper = remedies.Helper(int(each["pid"]), each["mode"] == "save", each["results"] is not None)
                    remedies.break_off(helper, guest)
                    self._wait_for_end(each)

    def _wait_for_end(self, helper: dict[str, Any]) -> None:
        known = (helper["pid"], helper["began"])
        if not waited(
            lambda: not any(each["alive"] for each in self.moves.all() if (each["pid"], each["began"]) == known),
            BROKEN_OFF_WITHIN,
        ):
            raise remedies.RemedyRefusedError("Its helper was told to end, and has not done so yet.")

    def _restart_daemon(self, _asked: dict[str, Any]) -> None:
        with self._changing:
            remedies.restart_daemon(
                self.configuration.restart, is_busy=lambda: any(each["alive"] for each in self.moves.all())
            )


def read_key(configuration: Configuration) -> bytes:
    """Read the key that both sides hold; raise PermissionError if others could read it too."""
    mode = configuration.key_file.stat().st_mode
    if mode & 0o077:
        raise PermissionError(f"{configuration.key_file} may be read by others than its owner.")
    key = bytes.fromhex(configuration.key_file.read_text(encoding="ascii").strip())
    if len(key) < wire.SHORTEST_KEY:
        raise PermissionError(f"The key in {configuration.key_file} is too short.")
    return key


def _log(sentence: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"xenweb probe: {sentence}\n")
        sys.stderr.flush()
