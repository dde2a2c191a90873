"""Measure how fast a guest changes its memory while it does not move: by Xen's own log of dirty pages.

There is one such log for a guest, and it has no owner: who switches it off under a move that uses it makes that move
lose pages, and nobody would notice. So it is never cleaned here, only switched on, looked at twice and switched off;
and before it is on, no move of this host may be under way:

- libvirt's moves come by the relay, which keeps the gate shut while its helper lives, and waits while it is shut;
- others (``xl migrate`` by hand) do not know the gate. Their helper is looked for before and after. One that began
  meanwhile has taken the log over, as it does with one that is on already: then it is left to it. And one that could
  have been switched off under is told to give up, which before its guest is stopped is harmless.

Xen refuses to switch on what is on already (EINVAL): what somebody else has on is never touched. Known of Xen 4.17,
and of paravirtual guests: the log of others may belong to what shows their screen.
"""

import ctypes
import errno
import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from .guests import Guest, Xen, XenError, waited
from .remedies import RemedyRefusedError, one

PERIOD: Final = 1.0
LOOK_EVERY: Final = 0.2
PAGE: Final = 4096
GATE: Final = "dirtying.gate"
WANTED: Final = "dirtying.gate.wanted"
"""Is there while a move waits for the end of a measurement."""

HELPER: Final = b"libxl-save-helper"
SAVES: Final = b"--save-domain"
COUNTS_TO: Final = 2**32
NUMBER_AFTER: Final = 3
"""The guest's number stands so many words after that one."""

LEFT_FOR: Final = 3600.0
"""Seconds for which the end of a foreign move is waited for, to see that the log is off."""

_OFF, _ENABLE, _PEEK = 0, 2, 12


class Log(Protocol):
    """Xen's log of one guest's dirty pages; each raises XenError."""

    def enable(self, number: int) -> None:
        """Switch it on; raise RemedyRefusedError if somebody else has."""

    def dirty(self, number: int) -> int:
        """Count the pages that were written to since it is on."""

    def off(self, number: int) -> None:
        """Switch it off."""


class _Stats(ctypes.Structure):
    _fields_ = (("faults", ctypes.c_uint32), ("dirty", ctypes.c_uint32))


class LibraryLog:
    """The log by libxenctrl 4.16 and later, in which ``xc_logdirty_control`` stands beside ``xc_shadow_control``."""

    def __init__(self, version: str) -> None:
        try:
            self._library = ctypes.CDLL(f"libxenctrl.so.{version}", use_errno=True)
        except OSError as error:
            raise XenError(f"Xen's library cannot be used here: {error}") from error
        library, number, handle = self._library, ctypes.c_uint32, ctypes.c_void_p
        library.xc_interface_open.restype = handle
        library.xc_interface_open.argtypes = [handle, handle, ctypes.c_uint]
        library.xc_interface_close.argtypes = [handle]
        library.xc_shadow_control.argtypes = [handle, number, ctypes.c_uint, handle, ctypes.c_uint]
        library.xc_logdirty_control.restype = ctypes.c_longlong
        library.xc_logdirty_control.argtypes = [
            handle, number, ctypes.c_uint, handle, ctypes.c_ulong, ctypes.c_uint, ctypes.POINTER(_Stats)
        ]  # fmt: skip

    @contextmanager
    def _open(self) -> Iterator[int]:
        opened = self._library.xc_interface_open(None, None, 0)
        if not opened:
            raise XenError("Xen takes no calls from here.")
        try:
            yield opened
        finally:
            self._library.xc_interface_close(opened)

    def enable(self, number: int) -> None:
        """Switch the log on."""
        with self._open() as xen:
            if self._library.xc_shadow_control(xen, number, _ENABLE, None, 0) == 0:
                return
        why = ctypes.get_errno()
        if why == errno.EINVAL:
            raise RemedyRefusedError("Somebody else has the log of this guest's dirty pages on, or it has a device.")
        raise XenError(f"Xen does not log this guest's dirty pages: {os.strerror(why)}.")

    def dirty(self, number: int) -> int:
        """Read the count alone: without a place for the log itself, and of no page, nothing is copied or cleaned."""
        stats = _Stats()
        with self._open() as xen:
            if self._library.xc_logdirty_control(xen, number, _PEEK, None, 0, 0, ctypes.byref(stats)) < 0:
                raise XenError(f"Xen does not say how many pages are dirty: {os.strerror(ctypes.get_errno())}.")
        return int(stats.dirty)

    def off(self, number: int) -> None:
        """Switch the log off."""
        with self._open() as xen:
            if self._library.xc_shadow_control(xen, number, _OFF, None, 0) != 0:
                raise XenError(f"Xen does not end the log of dirty pages: {os.strerror(ctypes.get_errno())}.")


class Dirtying:
    """The measurements of this host, one at a time."""

    def __init__(
        self, xen: Xen, run: Path, log: Callable[[], Log], *, is_known: bool, processes: Path = Path("/proc")
    ) -> None:
        self._xen, self._run, self._log, self._is_known = xen, run, log, is_known
        self._processes = processes
        self._notes = run / "dirtying"
        self._one = threading.Lock()

    def recover(self) -> None:
        """Switch off what an earlier daemon left on."""
        with suppress(OSError):
            for note in sorted(self._notes.iterdir()):
                with suppress(ValueError, XenError):
                    self._begin_end(int(note.name), self._log())

    def measure(self, vm: str) -> dict[str, float]:
        """Say how many different pages a guest writes to in how many seconds; raises RemedyRefusedError, XenError."""
        if not self._is_known:
            raise RemedyRefusedError("Xen's log of dirty pages is not known of this version.")
        if not self._one.acquire(blocking=False):
            raise RemedyRefusedError("Another guest of this host is being measured.")
        try:
            guest = self._measurable(vm)
            with self._gate():
                return self._measured(guest, self._log())
        finally:
            self._one.release()

    def _measurable(self, vm: str) -> Guest:
        guest = one(self._xen, vm)
        if guest.paused or guest.shutdown or guest.dying:
            raise RemedyRefusedError("This VM does not run: it changes nothing.")
        if guest.hvm is not False:
            raise RemedyRefusedError("It is not known to be paravirtual: its log may belong to what shows its screen.")
        return guest

    @contextmanager
    def _gate(self) -> Iterator[None]:
        """Keep every move of libvirt's out; raise RemedyRefusedError while one is under way."""
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        gate = os.open(self._run / GATE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(gate)
            raise RemedyRefusedError("A move is under way on this host.") from error
        (self._run / WANTED).unlink(missing_ok=True)  # whoever waits says so again
        try:
            yield
        finally:
            os.close(gate)

    def _is_wanted(self) -> bool:
        """Say whether a move waits at the gate: no measurement is worth that."""
        return (self._run / WANTED).exists()

    def _measured(self, guest: Guest, log: Log) -> dict[str, float]:
        note = self._notes / str(guest.number)
        if self._helpers(guest.number):
            raise RemedyRefusedError("This VM is being moved, or saved.")
        if note.exists():
            self._end(guest.number, log)  # left on by an earlier look: nothing moves this guest, and the gate is ours
            if note.exists():
                raise RemedyRefusedError("Xen does not end the log of an earlier look at this VM.")
        self._notes.mkdir(mode=0o700, exist_ok=True)
        note.touch()
        try:
            log.enable(guest.number)
        except (RemedyRefusedError, XenError):
            note.unlink()
            raise
        try:
            # Xen counts on from where it was when the log was last on: only a clean, never done here, resets that.
            before, began = log.dirty(guest.number), time.monotonic()
            if waited(lambda: self._is_wanted() or bool(self._helpers(guest.number)), PERIOD, every=LOOK_EVERY):
                raise RemedyRefusedError("A move has begun meanwhile.")
            pages = (log.dirty(guest.number) - before) % COUNTS_TO
            return {"pages": pages, "seconds": time.monotonic() - began, "page": PAGE}
        finally:
            self._end(guest.number, log)

    def _end(self, number: int, log: Log) -> None:
        """Switch the log off, unless a move has taken it over: then when that has ended."""
        if self._helpers(number):
            self._begin_end(number, log)
            return
        is_off = True
        try:
            log.off(number)
        except XenError:
            is_off = self._is_gone(number)
        for helper in self._helpers(number):
            # It may have switched the log on just before this switched it off: it must not go on without.
            with suppress(ProcessLookupError):
                os.kill(helper, signal.SIGTERM)
        if is_off:
            (self._notes / str(number)).unlink(missing_ok=True)

    def _is_gone(self, number: int) -> bool:
        """Say whether Xen has no such guest any more, and so no log of it."""
        with suppress(XenError):
            return all(each.number != number for each in self._xen.guests())
        return False

    def _begin_end(self, number: int, log: Log) -> None:
        threading.Thread(target=self._end_later, args=(number, log), name=f"log of {number}", daemon=True).start()

    def _end_later(self, number: int, log: Log) -> None:
        """Switch the log off once no move of the guest goes on, and none can begin by the gate."""

        def ended() -> bool:
            if self._helpers(number):
                return False
            with suppress(RemedyRefusedError), self._gate():
                if not self._helpers(number):
                    self._end(number, log)
                    return True
            return False

        waited(ended, LEFT_FOR, every=LOOK_EVERY)

    def _helpers(self, number: int) -> list[int]:
        """List the processes that move or save a guest, whoever has started them."""
        found = []
        for each in self._processes.glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = each.read_bytes().split(b"\0")
                if os.path.basename(words[0]) != HELPER or SAVES not in words:  # noqa: PTH119 - bytes
                    continue
                at = words.index(SAVES) + NUMBER_AFTER
                if words[at : at + 1] == [str(number).encode()]:
                    found.append(int(each.parent.name))
        return found
