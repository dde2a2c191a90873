"""What the guests and the hypervisors say, asked beside the product and never through it."""

import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import libvirt

from tests.bounce.chronicle import Entry
from xenweb.lab.qemu.heartbeat import Beat, is_gap_free, is_undamaged, parse
from xenweb.lab.qemu.lab import Lab

LOOK_EVERY = 0.1
ANSWER_WITHIN = 5.0


@dataclass
class Diary:
    """The beats of one guest, read as they are written."""

    console: Path
    offset: int = 0
    rest: str = ""
    last: Beat | None = None
    heard: int = 0
    faults: list[Entry] = field(default_factory=list)

    def read(self) -> None:
        """Read what is new; every beat must follow the one before it."""
        size = self.console.stat().st_size
        if size < self.offset:  # the lab shortened it
            self.offset, self.rest = 0, ""
        with self.console.open("rb") as file:
            file.seek(self.offset)
            text = self.rest + file.read().decode("ascii", errors="replace")
            self.offset = file.tell()
        lines = text.splitlines(keepends=True)
        self.rest = lines.pop() if lines and not lines[-1].endswith("\n") else ""
        for line in lines:
            beat = parse(line)
            if beat is not None:
                self._follow(beat)

    def _follow(self, beat: Beat) -> None:
        if self.last is not None and not is_gap_free([self.last, beat]):
            self._note(f"beat {beat.number} came after beat {self.last.number}")
        if not is_undamaged([beat]):
            self._note(f"beat {beat.number} tells of {beat.damaged} damaged pages")
        self.last = beat
        self.heard += 1

    def _note(self, what: str) -> None:
        self.faults.append(Entry(datetime.now(UTC), what))


class Witness(threading.Thread):
    """Follow the heartbeats of many guests at once, from now on."""

    def __init__(self, lab: Lab, guests: list[str]) -> None:
        super().__init__(name="witness", daemon=True)
        self.diaries = {name: Diary(lab.console(name), lab.console(name).stat().st_size) for name in guests}
        self._over = threading.Event()

    def run(self) -> None:
        """Read until told to stop."""
        while not self._over.wait(LOOK_EVERY):
            for diary in self.diaries.values():
                diary.read()

    def stop(self) -> None:
        """Read once more, and end."""
        self._over.set()
        self.join()


def running_on(lab: Lab, uuid: str) -> list[str]:
    """Ask every daemon that answers, over a connection of its own, which hosts run a VM.

    A daemon that hangs is passed over: a call to it cannot be ended, so its thread is left behind.
    """
    found: dict[str, bool] = {}
    asking = [
        threading.Thread(target=lambda host=host: found.update({host.name: _runs(host.uri, uuid)}), daemon=True)
        for host in lab.hosts
    ]
    for thread in asking:
        thread.start()
    deadline = time.monotonic() + ANSWER_WITHIN
    for thread in asking:
        thread.join(max(0.0, deadline - time.monotonic()))
    return sorted(name for name, runs in dict(found).items() if runs)


def _runs(uri: str, uuid: str) -> bool:
    try:
        with closing(libvirt.open(uri)) as connection:
            state, _ = connection.lookupByUUIDString(uuid).state()
    except libvirt.libvirtError:
        return False
    return bool(state == libvirt.VIR_DOMAIN_RUNNING)
