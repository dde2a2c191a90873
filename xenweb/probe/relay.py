"""Stand between libxl and its save helper, and let every byte through.

libxl starts what LIBXL_SAVE_HELPER names instead of the helper. That process becomes the real helper: its
number, its signals, its exit status and its streams are the helper's own. A child of it passes on what the
helper says and what libxl answers, and tells a daemon what it saw, by datagrams that never wait and may be
lost. Whatever is not as expected is passed on unread, or the real helper runs alone.

To start Python takes longer than a move may lose, so on most moves all of this is done by a relay that waits (see
waiting.py); what is here alone is the way without one.

The one thing it ever keeps back is the request to suspend the guest, and only of a move that it has been
asked to give up: it answers "failed" itself, so that a move that is given up never stops its guest.
"""

import contextlib
import fcntl
import json
import math
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from . import frames
from .configuration import Configuration
from .dirtying import GATE, WANTED
from .record import Record

TELL_EVERY: Final = 1.0
PASS_TOLD_AFTER: Final = 0.25
"""Seconds between two reports of one pass, and before that of a new one: each costs the host's CPU, here and in the
daemon that reads it."""

REPEAT_EVERY: Final = 3.0
"""Seconds after which all is told again though nothing is new: a report may be lost with a daemon that is started anew,
and between the guest's suspension and its last pass nothing new may come for long."""

HELD_AT_MOST: Final = 0.5
"""Seconds after which a frame that does not become whole is passed on, and nothing is read any more."""

GATE_SHUT_AT_MOST: Final = 4.0
"""Seconds that a move waits for a measurement, which ends as soon as it hears of the move and the log is off.

Less than those after which a place is taken for lost (waiting.py).
"""

LOOK_EVERY_MS: Final = 250
"""Milliseconds after which a relay wakes though nothing moves, where it holds something back."""

LONGEST_REST: Final = 1.0
SHORTEST_REST: Final = 0.03
"""Seconds that progress alone may lie unread in the middle of a pass: each time it is read costs the host's CPU."""

MUCH: Final = 4096
"""Bytes; where more come at once a relay does not rest, for its helper must never wait for room in a pipe."""

CHUNK: Final = 65536
ERROR: Final = 8
"""From this level on a log of Xen's tells of something that went wrong."""

MODES: Final = {"--save-domain": "save", "--restore-domain": "restore"}
LEAST_WORDS: Final = 4
REFUSED: Final = "refused: the guest has been asked to suspend"


class StepAsideError(Exception):
    """There is a reason to let the real helper run alone."""


def main(words: list[str]) -> NoReturn:
    """Run the real helper with these words, watched if it can be."""
    configuration = Configuration.read()
    helper = configuration.real_helper()
    if words[:1] == ["--save-domain"]:
        shut_gate(configuration.run / GATE)
    try:
        _split(words, configuration)
    except Exception as error:  # noqa: BLE001 - whatever it is, the move must not suffer from it
        with contextlib.suppress(OSError):
            sys.stderr.write(f"xenweb probe: the helper runs alone: {error}\n")
    try:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execv(helper, [helper, *words])  # noqa: S606 - the words are libxl's own, and no shell reads them
    except OSError as error:
        sys.stderr.write(f"xenweb probe: {helper} cannot be run: {error}\n")
        os._exit(127)


def shut_gate(gate: Path) -> int | None:
    """Let no measurement begin as long as what is answered stays open; wait for one that is on.

    A move is never kept waiting for long: what goes on without the gate is seen to by whoever measures.
    """
    wanted = gate.with_name(WANTED)
    with contextlib.suppress(OSError):
        handle = os.open(gate, os.O_RDWR)
        os.set_inheritable(handle, True)
        until = time.monotonic() + GATE_SHUT_AT_MOST
        while time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
                wanted.unlink(missing_ok=True)
                return handle
            wanted.touch()
            time.sleep(0.01)
    return None


def mode_of(words: list[str]) -> str:
    """Answer what a save helper's words ask for; raise StepAsideError if they are none."""
    mode = MODES.get(words[0] if words else "")
    if mode is None or len(words) < LEAST_WORDS or not words[3].isdigit():
        raise StepAsideError("these are not a save helper's words")
    return mode


@dataclass(frozen=True)
class Ends:
    """What a relay holds: its ends of the four pipes, the helper's process, and the gate (none: it has it not).

    ``of_maker`` is what ends with it for the process that made it.
    """

    from_libxl: int
    to_libxl: int
    from_helper: int
    to_helper: int
    helper: int | None
    gate: int | None = None
    of_maker: int | None = None

    def all(self) -> set[int]:
        """List what must stay open."""
        held = (self.from_libxl, self.to_libxl, self.from_helper, self.to_helper, self.helper, self.gate, self.of_maker)
        return {each for each in held if each is not None}


def _split(words: list[str], configuration: Configuration) -> None:
    """Put the child between this process and libxl; in the child this does not return."""
    mode = mode_of(words)
    if not configuration.is_made_for_this_xen():
        raise StepAsideError(f"made for Xen {configuration.xen}, and this is another")
    out_read, out_write = os.pipe()
    in_read, in_write = os.pipe()
    record = Record(pid=os.getpid(), mode=mode, number=int(words[3]), began=time.monotonic())
    if os.fork() == 0:
        relay(record, configuration, Ends(0, 1, out_read, in_write, process(record.pid)))
    os.dup2(in_read, 0)
    os.dup2(out_write, 1)
    for each in (out_read, out_write, in_read, in_write):
        os.close(each)


def process(pid: int) -> int | None:
    """Hold on to a process, so that no other one of the same number is ever taken for it."""
    with contextlib.suppress(OSError):
        return os.pidfd_open(pid)
    return None


def relay(record: Record, configuration: Configuration, ends: Ends) -> NoReturn:
    """Be the relay of one helper, in a process of its own, until that ends."""
    try:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        _close_all_but({2, *ends.all()})
        Shuttle(record, Reports(configuration, record.pid), ends).run()
    finally:
        os._exit(0)


def _close_all_but(kept: Collection[int]) -> None:
    """Let go of the streams of the move: held here, they would never end for the other host."""
    for each in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if each not in kept:
            with contextlib.suppress(OSError):
                os.close(each)


class Reports:
    """Datagrams to the daemon and from it. Nothing here waits, and nothing that fails is more than silence."""

    def __init__(self, configuration: Configuration, pid: int) -> None:
        self._to = str(configuration.reports)
        self._own = configuration.run / f"relay-{pid}.sock"
        self.socket: socket.socket | None = None
        with contextlib.suppress(OSError):
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            opened.setblocking(False)
            opened.bind(str(self._own))
            self._own.chmod(0o600)
            self.socket = opened

    def tell(self, record: Record) -> bool:
        """Tell the daemon all that is known; answer whether it took it at once."""
        if self.socket is not None:
            with contextlib.suppress(OSError, ValueError):
                self.socket.sendto(json.dumps(record.as_json()).encode(), self._to)
                return True
        return False

    def asked(self) -> str:
        """Read one wish of the daemon's; empty if there is none."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                return self.socket.recv(64).decode("ascii", "replace")
        return ""

    def close(self) -> None:
        """Take the socket's name away again."""
        with contextlib.suppress(OSError):
            Path(self._own).unlink()


class Shuttle:
    """Carries whole frames one way and answers the other, and remembers what they said."""

    def __init__(self, record: Record, reports: Reports, ends: Ends) -> None:
        self.record, self.reports, self.ends = record, reports, ends
        self._cutter = frames.Cutter()
        self._held_since = 0.0
        self._told = 0.0
        self._tell_at = 0.0
        self._is_flooded = False
        self._longest_rest = SHORTEST_REST
        self._known: tuple[bytes, int | None] = (b"", None)

    def run(self) -> None:
        """Carry until the helper has said its last."""
        poll = select.poll()
        poll.register(self.ends.from_helper, select.POLLIN)
        poll.register(self.ends.from_libxl, select.POLLIN)
        if self.reports.socket is not None:
            poll.register(self.reports.socket, select.POLLIN)
        try:
            while True:
                ready = {fd for fd, _ in poll.poll(self._patience())}
                if self.reports.socket is not None and self.reports.socket.fileno() in ready:
                    _lightly(self._be_asked)
                if self.ends.from_libxl in ready and not self._carry_answer():
                    poll.unregister(self.ends.from_libxl)
                if self.ends.from_helper in ready and not self._carry_words():
                    break
                self._give_up_holding()
                _lightly(self._tell)
                _lightly(self._rest)
        except BrokenPipeError:
            pass  # libxl listens no more: the helper notices as it would without us
        finally:
            os.close(self.ends.from_helper)
            _lightly(self._tell_last)

    def _patience(self) -> int:
        """Answer for how many ms to wait for more: there may be something to do though nothing comes."""
        if self._held_since:
            return LOOK_EVERY_MS
        return math.ceil(max(0.0, self._tell_at - time.monotonic()) * 1000)

    def _tell_last(self) -> None:
        self.record.ended = time.monotonic()
        self.record.pass_end(self.record.ended)
        self.reports.tell(self.record)
        self.reports.close()

    def _carry_answer(self) -> bool:
        data = os.read(self.ends.from_libxl, CHUNK)
        if not data:
            os.close(self.ends.to_helper)
            return False
        with contextlib.suppress(BrokenPipeError):
            _write(self.ends.to_helper, data)
        return True

    def _carry_words(self) -> bool:
        data = os.read(self.ends.from_helper, CHUNK)
        if not data:
            _write(self.ends.to_libxl, self._cutter.kept)
            return False
        self._is_flooded = len(data) > MUCH
        if not self.record.understood:
            _write(self.ends.to_libxl, data)
            return True
        try:
            whole = self._cutter.feed(data)
        except frames.NotUnderstoodError as error:
            _write(self.ends.to_libxl, b"".join(each.raw for each in error.args[0]))
            self._go_blind()
            return True
        if self.record.cancel == "accepted":
            whole = [each for each in whole if not self._is_kept_back(each)]
        _write(self.ends.to_libxl, b"".join(each.raw for each in whole))
        self._held_since = time.monotonic() if self._cutter.kept else 0.0
        self._read(whole)
        return True

    def _is_kept_back(self, frame: frames.Frame) -> bool:
        if frame.kind != frames.SUSPEND:
            return False
        with contextlib.suppress(BrokenPipeError):
            _write(self.ends.to_helper, frames.reply(0))
        return True

    def _go_blind(self) -> None:
        """Pass on what is held, and from now on everything as it comes."""
        self.record.understood, self._tell_at = False, 0.0
        kept, self._cutter.kept = self._cutter.kept, b""
        _write(self.ends.to_libxl, kept)

    def _give_up_holding(self) -> None:
        if self._held_since and time.monotonic() - self._held_since > HELD_AT_MOST:
            self._held_since = 0.0
            self._go_blind()

    def _read(self, whole: list[frames.Frame]) -> None:
        """Remember what the frames said; they are on their way already."""
        now = time.monotonic()
        try:
            for each in whole:
                self._read_one(each, now)
        except Exception:  # noqa: BLE001 - the move goes on, whatever is wrong with what we read of it
            self._go_blind()

    def _read_one(self, frame: frames.Frame, now: float) -> None:
        record = self.record
        if frame.kind == frames.PROGRESS:
            self._read_progress(frame.body, now)
            return
        if frame.kind == frames.SUSPEND:
            record.pass_end(now)
            record.suspend_asked = now
            self._known = (b"", None)
        elif frame.kind == frames.LOG:
            if frames.level(frame.body) < ERROR:
                return
            record.error_seen(frames.log(frame.body))
        elif frame.kind == frames.RESULTS:
            record.results = now
        elif frame.kind == frames.COMPLETE:
            record.completed, record.value = now, frames.completed(frame.body)
            record.pass_end(now)
        self._tell_at = 0.0

    def _read_progress(self, body: bytes, now: float) -> None:
        texts, label = self._known
        if not texts or body[:-16] != texts:
            what, done, total = frames.progress(body)
            label = frames.pass_label(what)
            self._known = (body[:-16], label)
            if what == "Domain now suspended" and self.record.suspended is None:
                self.record.suspended, self._tell_at = now, 0.0
        else:
            done, total = frames.counts(body)
        if label is not None:
            is_new = self.record.pass_seen(label, done, total, now)
            self._tell_at = min(self._tell_at, self._told + (PASS_TOLD_AFTER if is_new else TELL_EVERY))

    def _be_asked(self) -> None:
        if self.reports.asked() != "cancel" or self.record.cancel == "accepted":
            return
        record = self.record
        if record.mode != "save" or not record.understood or record.completed is not None:
            record.cancel = "refused: there is nothing here that could be given up"
        elif record.suspend_asked is not None:
            record.cancel = REFUSED
        else:
            record.cancel = self._end_helper()
        self._tell_at = 0.0

    def _end_helper(self) -> str:
        try:
            if self.ends.helper is None:
                return "refused: this host cannot tell the helper from other processes"
            signal.pidfd_send_signal(self.ends.helper, signal.SIGTERM)
        except ProcessLookupError:
            return "refused: the helper has ended"
        return "accepted"

    def _rest(self) -> None:
        """Let progress gather where nothing else can come: Xen asks for something only once a pass is done.

        Rests begin short and grow only while little gathers. Whoever asks this relay for something is heard at once.
        """
        if self._is_flooded:
            self._longest_rest = SHORTEST_REST
            return
        rest = min(self._longest_rest, self.record.seconds_left(time.monotonic()) / 2)
        if rest >= SHORTEST_REST and not self._cutter.kept and self.reports.socket is not None:
            self._longest_rest = min(2 * self._longest_rest, LONGEST_REST)
            select.select([self.reports.socket], [], [], rest)

    def _tell(self) -> None:
        now = time.monotonic()
        if now >= self._tell_at:
            self._told, self._tell_at = now, now + TELL_EVERY
            if self.reports.tell(self.record):
                self._tell_at = now + REPEAT_EVERY


def _lightly(what: Callable[[], None]) -> None:
    """Do what no move depends on: whatever goes wrong with it, the bytes go on."""
    with contextlib.suppress(Exception):
        what()


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
