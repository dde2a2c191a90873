"""Wait, with everything loaded, for the next save helper: to start Python takes longer than a move may lose.

What libxl starts is a few lines of shell (packing.py). They take the place that is offered here, in a folder of
named pipes: they hand over libxl's ends as descriptors 8 and 9 of their process, say its number and the helper's
words, and become the real helper once they are told that its relay is there, or once that has ended without a word.
The relay is a child of this process that was made, and waits, for this one place. Where nothing is offered, or
another helper was faster, the relay is started anew (relay.py).

This process ends when the daemon does that started it; relays of moves under way do not.
"""

import contextlib
import gc
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from . import frames
from .configuration import Configuration
from .dirtying import GATE
from .record import Record
from .relay import Ends, Reports, Shuttle, mode_of, process, relay, shut_gate

FOLDER: Final = "spare"
READY: Final = "ready"
PIPES: Final = ("call", "down", "up")
LIBXL_SAYS: Final = 8
LIBXL_HEARS: Final = 9
"""The descriptors under which the helper's process has libxl's ends (packing.py)."""

GO: Final = b"\n"
LONGEST_CALL: Final = 4096
CALLED_WITHIN: Final = 5.0
"""Seconds after which a place that was taken, and of which nothing more was heard, is given up."""

REMEMBERED: Final = 100
"""So many places are known to have been taken: who read of one and comes late must not take it."""

LEFT_WITHIN: Final = 2.0
LOOK_EVERY: Final = 0.02
"""Seconds in which the folder is left empty at the end, and between two looks whether it is."""

ANOTHER_XEN: Final = 3
AGAIN_AFTER: Final = 1.0
PLACES: Final = 2
"""So many places are kept ready."""

REFILL_AFTER: Final = 3.0
"""Seconds after the end of the last relay at work before which no place is made as long as there is one left: to make
one costs the CPU that the move needs, and a move goes on for a while after its helper has ended."""


@dataclass(frozen=True)
class Place:
    """One place for one helper: its pipes by name, the relay that waits there, and what that says once it is called.

    ``called`` ends with the relay.
    """

    number: int
    names: tuple[Path, ...]
    relay: int
    called: int

    def leave(self) -> None:
        """Let go of the names: who has the pipes open goes on with them."""
        for each in self.names:
            each.unlink(missing_ok=True)


class Waiting:
    """Offers one place at a time, and has the next one ready."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._folder = configuration.run / FOLDER
        self._number = 0
        self._places: list[Place] = []
        self._at_work: list[int] = []
        self._ended = float("-inf")
        self._alive, self._kept_open = os.pipe()

    def serve(self, owner: int) -> None:
        """Offer places until the pipe ``owner`` is closed at its other end."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the relays: none stays a zombie
        with self._folder_of_ours():
            while True:
                self._fill()
                place = self._places[0]
                ready, _, _ = select.select([owner, place.called, *self._at_work], [], [], self._patience())
                if self._is_lost(place):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(place.relay, signal.SIGKILL)
                    self._drop(place)
                elif place.called in ready:
                    self._drop(place)
                for each in set(self._at_work) & set(ready):
                    self._see_off(each)
                if owner in ready and not os.read(owner, 1):
                    return

    def _patience(self) -> float:
        """Answer for how many seconds to wait at most: until a lost place would be seen, or one may be made."""
        until_made = self._ended + REFILL_AFTER - time.monotonic()
        return min(CALLED_WITHIN, until_made) if until_made > 0 else CALLED_WITHIN

    def _drop(self, place: Place) -> None:
        """Let go of the place that was offered, and offer the next one if it is ready; its relay is at work now."""
        place.leave()
        self._at_work.append(place.called)
        del self._places[0]
        if self._places:
            self._say(self._places[0])

    def _see_off(self, relay: int) -> None:
        """Note that a relay has ended, if it has: the first that it says is that it was called."""
        if not os.read(relay, 1):
            os.close(relay)
            self._at_work.remove(relay)
            self._ended = time.monotonic()

    def _fill(self) -> None:
        """Make the places that are missing, while no move needs the CPU for it."""
        while not self._places or (len(self._places) < PLACES and self._is_quiet()):
            self._places.append(self._made())
            if len(self._places) == 1:
                self._say(self._places[0])

    def _is_quiet(self) -> bool:
        return not self._at_work and time.monotonic() - self._ended >= REFILL_AFTER

    @contextmanager
    def _folder_of_ours(self) -> Iterator[None]:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._configuration.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700)
        ours = self._folder.stat().st_ino
        try:
            yield
        finally:
            until = time.monotonic() + LEFT_WITHIN
            while self._is(ours) and time.monotonic() < until:  # a relay that rehearses may be writing there
                shutil.rmtree(self._folder, ignore_errors=True)
                time.sleep(LOOK_EVERY)

    def _is(self, folder: int) -> bool:
        """Say whether the folder is that one still, and not a successor's."""
        with contextlib.suppress(OSError):
            return self._folder.stat().st_ino == folder
        return False

    def _made(self) -> Place:
        """Make a place and its relay."""
        self._number += 1
        self._taken(self._number - REMEMBERED).unlink(missing_ok=True)
        names = tuple(self._folder / f"{each}.{self._number}" for each in PIPES)
        for name in names:
            os.mkfifo(name, 0o600)
        # Opened both ways nothing waits for another end; and opened before the place can be taken, none is missing.
        ends = [os.open(name, os.O_RDWR | os.O_NONBLOCK) for name in names]
        called, calling = os.pipe()
        relay = os.fork()
        if relay == 0:
            try:
                os.close(self._kept_open)
                os.close(called)
                self._wait(ends, calling)
            finally:
                os._exit(0)
        for each in (calling, *ends):
            os.close(each)
        return Place(self._number, names, relay, called)

    def _say(self, place: Place) -> None:
        """Offer a place, now that it can be taken."""
        said = self._folder / f"{READY}.new"
        words = f"{place.number} {place.relay} {self._configuration.real_helper()}\n"
        said.write_text(words, encoding="utf-8")
        said.replace(self._folder / READY)

    def _taken(self, number: int) -> Path:
        return self._folder / f"taken.{number}"

    def _is_lost(self, place: Place) -> bool:
        """Say whether the place was taken by somebody who is not heard of any more."""
        with contextlib.suppress(FileNotFoundError):
            return time.time() - self._taken(place.number).stat().st_mtime > CALLED_WITHIN
        return False

    def _wait(self, pipes: Sequence[int], calling: int) -> None:
        """Be the relay of the helper that takes the place, or end with whoever offered it."""
        call, down, up = pipes
        with contextlib.suppress(Exception):  # a place is as good without
            rehearse(self._configuration)
        gc.freeze()  # what is there by now need not be looked through while a move is under way
        ready, _, _ = select.select([call, self._alive], [], [])
        if call not in ready:
            return
        words = os.read(call, LONGEST_CALL).decode("ascii").split()
        pid, mode = int(words[0]), mode_of(words[1:])
        record = Record(pid=pid, mode=mode, number=int(words[4]), began=time.monotonic())
        of_helper, ours = Path(f"/proc/{pid}/fd"), Path("/proc/self/fd")
        ends = Ends(
            from_libxl=_opened(of_helper / str(LIBXL_SAYS), os.O_RDONLY),
            to_libxl=_opened(of_helper / str(LIBXL_HEARS), os.O_WRONLY),
            from_helper=_opened(ours / str(up), os.O_RDONLY),
            to_helper=_opened(ours / str(down), os.O_WRONLY),
            helper=process(pid),
            gate=shut_gate(self._configuration.run / GATE) if mode == "save" else None,
            of_maker=calling,
        )
        os.write(ends.to_helper, GO)
        with contextlib.suppress(OSError):  # whoever made the place may have ended: the move goes on
            os.write(calling, GO)
        os.setsid()
        relay(record, self._configuration, ends)


def rehearse(configuration: Configuration) -> None:
    """Relay a few frames that nobody sent: the first time costs many times the second, and no move shall pay for it."""
    up, down = os.pipe(), os.pipe()
    nobody, nowhere = os.pipe(), os.open(os.devnull, os.O_WRONLY)
    of_rehearsal = replace(configuration, run=configuration.run / FOLDER / f"rehearsal-{os.getpid()}")
    of_rehearsal.run.mkdir(mode=0o700)
    record = Record(pid=os.getpid(), mode="save", number=0, began=time.monotonic())
    try:
        os.write(up[1], b"".join(frames.progress_of(label, done, 2) for label in (0, 1) for done in (1, 2)))
        os.close(up[1])
        Shuttle(record, Reports(of_rehearsal, record.pid), Ends(nobody[0], nowhere, up[0], down[1], None)).run()
    finally:
        for each in (*down, *nobody, nowhere):
            os.close(each)
        shutil.rmtree(of_rehearsal.run, ignore_errors=True)


def _opened(path: Path, how: int) -> int:
    """Open one end of a pipe without waiting for whoever has the other; it waits when it is read."""
    fd = os.open(path, how | os.O_NONBLOCK)
    os.set_blocking(fd, True)
    return fd


def serve(configuration: Configuration) -> int:
    """Offer places to helpers as long as standard input is open; answer 3 where this is another Xen."""
    if not configuration.is_made_for_this_xen():
        return ANOTHER_XEN
    Waiting(configuration).serve(0)
    return 0


def keep(program: str) -> None:
    """Have a process wait for helpers as long as this one lives; another one if it ends."""

    def stay() -> None:
        while True:
            with subprocess.Popen([sys.executable, "-I", program, "waiting"], stdin=subprocess.PIPE) as waiting:
                if waiting.wait() == ANOTHER_XEN:
                    return
            time.sleep(AGAIN_AFTER)

    threading.Thread(target=stay, daemon=True).start()
