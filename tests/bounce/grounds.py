"""The two labs that VMs are bounced about on: who is there, who says where they run, and what can be broken.

Whatever a ground says of a VM comes from hypervisors, guests and disks, never from the product.
"""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Protocol

from tests.bounce.chronicle import Chronicle, Entry
from tests.bounce.witness import Witness, running_on
from xenweb.lab.qemu.guests import GUESTS
from xenweb.lab.qemu.heartbeat import disk_counters
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.stage import Kind, Stage
from xenweb.lab.xen import heartbeat, probes
from xenweb.lab.xen.guests import GUESTS as XEN_GUESTS
from xenweb.lab.xen.lab import Lab as XenLab

MIB: Final = 1024 * 1024
HEARD_WITHIN: Final = 10.0
XEN_HEARD_WITHIN: Final = 60.0
PROBE_BACK_WITHIN: Final = 10.0
# What systemd does on a host: libxl has crashed libvirt when several moves broke off at the same time. Later than after
# the longest pause of a fault that kills it, which starts it again itself.
KEPT_UP: Final = (
    "setsid -f sh -c 'gone=0; while sleep 5; do case $(/lab/daemon status) in running) gone=0 ;; "
    "*) gone=$((gone + 1)); [ $gone -lt 3 ] || /lab/daemon start ;; esac; done' </dev/null >/dev/null 2>&1"
)

Breakage = tuple[str, Callable[[], None]]


class Ground(Protocol):
    """One lab as a bounce sees it. ``first`` says on which host each VM that moves began."""

    uuids: dict[str, str]
    first: dict[str, str]
    speeds: tuple[int | None, ...]
    seconds_a_move: float
    settles_within: float
    calm: tuple[float, float]
    """Seconds between two faults, at least and at most: a move must have a chance to arrive."""

    def watch(self) -> None:
        """Begin to follow the guests' heartbeats."""

    def end(self) -> None:
        """Stop following them."""

    def running_on(self, vm: str) -> list[str]:
        """List the hosts that run a VM."""

    def is_heard(self, vm: str) -> bool:
        """Say whether a guest's heart beats now."""

    def wrong_beats(self, vm: str) -> list[Entry]:
        """List the beats that did not follow the one before."""

    def last_beat(self, vm: str) -> str:
        """Tell what a guest said last."""

    def lost_writes(self) -> list[str]:
        """Say what acknowledged writes are missing on the guests' disks."""

    def breakages(self, dice: random.Random, chronicle: Chronicle) -> tuple[Breakage, ...]:
        """List what can be broken of the lab, each by one call that also mends it."""

    def mend(self) -> None:
        """Make whole whatever of the lab may be broken."""

    def ailing(self) -> list[str]:
        """Say what of the lab is not whole although it was mended: a run on such a lab shows little."""


def _daemon(lab: Lab | XenLab, host: str, pause: float, chronicle: Chronicle) -> None:
    lab.daemon(host, "kill")
    chronicle.tell(f"daemon of {host} killed")
    time.sleep(pause)
    lab.daemon(host, "start")
    chronicle.tell(f"daemon of {host} answers again")


def _cable(lab: Lab | XenLab, host: str, wish: str, pause: float, chronicle: Chronicle) -> None:
    lab.link(host, wish)
    chronicle.tell(f"cable of {host} pulled")
    time.sleep(pause)
    lab.link(host, "up")
    chronicle.tell(f"cable of {host} plugged in")


class QemuGround:
    """The lab of three hosts with QEMU."""

    hosts = ("host-a", "host-b", "host-c")
    speeds = (None, None, 8 * MIB, 32 * MIB)
    seconds_a_move = 15.0
    settles_within = 120.0
    calm = (0.5, 3.0)

    def __init__(self, stage: Stage) -> None:
        self.lab = Lab(stage.lab)
        self.first = {guest.name: guest.host for guest in GUESTS if guest.running}
        self.uuids = {guest.name: guest.uuid for guest in GUESTS}
        self.witness = Witness(self.lab, list(self.first))

    def watch(self) -> None:
        self.witness.start()

    def end(self) -> None:
        self.witness.stop()

    def running_on(self, vm: str) -> list[str]:
        return running_on(self.lab, self.uuids[vm])

    def is_heard(self, vm: str) -> bool:
        diary = self.witness.diaries[vm]
        before, deadline = diary.heard, time.monotonic() + HEARD_WITHIN
        while diary.heard < before + 2:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def wrong_beats(self, vm: str) -> list[Entry]:
        return self.witness.diaries[vm].faults

    def last_beat(self, vm: str) -> str:
        return str(self.witness.diaries[vm].last)

    def lost_writes(self) -> list[str]:
        found = []
        for guest in GUESTS:
            if guest.disk == "shared":
                counters = disk_counters(self.lab.disk(guest.name, guest.host))
                if counters.missing or not counters.newest:
                    found.append(f"{guest.name}: {len(counters.missing)} of {counters.newest} are missing")
        return found

    def breakages(self, dice: random.Random, chronicle: Chronicle) -> tuple[Breakage, ...]:
        def host() -> str:
            return dice.choice(self.hosts)

        return (
            ("host's daemon killed", lambda: _daemon(self.lab, host(), dice.uniform(0, 2), chronicle)),
            ("cable pulled for 2 s", lambda: _cable(self.lab, host(), "down", 2, chronicle)),
        )

    def mend(self) -> None:
        for host in self.hosts:
            self.lab.link(host, "up")
            self.lab.daemon(host, "start")

    def ailing(self) -> list[str]:
        return []  # mending waits for each daemon's answer


class XenGround:
    """The lab of two hosts with Xen; its guests' beats and records are read once, when all is over."""

    hosts = ("xen-1", "xen-2")
    speeds = (None,)
    seconds_a_move = 20.0
    settles_within = 400.0
    calm = (5.0, 20.0)

    def __init__(self, stage: Stage) -> None:
        self.lab = XenLab(stage.lab)
        self.first = {guest.name: guest.host for guest in XEN_GUESTS}
        self.uuids = {guest.name: guest.uuid for guest in XEN_GUESTS}

    def watch(self) -> None:
        """Start a libvirt again that has died by itself; guests tell the time of each beat, so nobody need listen."""
        for host in self.hosts:
            self.lab.run(host, KEPT_UP)

    def end(self) -> None:
        """Nothing was begun."""

    def running_on(self, vm: str) -> list[str]:
        return sorted(host for host, resident in self.lab.where(vm).items() if not resident.is_stopped)

    def is_heard(self, vm: str) -> bool:
        deadline = time.monotonic() + XEN_HEARD_WITHIN
        while self.lab.beating_on(vm) is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        return True

    def wrong_beats(self, vm: str) -> list[Entry]:
        found = []
        for before, after in pairwise(self.lab.beats(vm)):
            if not heartbeat.is_gap_free([before, after]):
                at = datetime.fromtimestamp(after.realtime / 1e6, UTC)
                found.append(Entry(at, f"beat {after.number} came after beat {before.number}"))
        return found

    def last_beat(self, vm: str) -> str:
        return str(self.lab.beats(vm)[-1:])

    def lost_writes(self) -> list[str]:
        found = []
        for guest in XEN_GUESTS:
            if guest.storage == "none":
                continue
            for host in self.running_on(guest.name)[:1]:
                read = self.lab.records(guest.name, host)
                if read.missing or read.torn or not read.newest:
                    found.append(f"{guest.name}: {len(read.missing)} missing, {len(read.torn)} torn of {read.newest}")
        return found

    def breakages(self, dice: random.Random, chronicle: Chronicle) -> tuple[Breakage, ...]:
        def host() -> str:
            return dice.choice(self.hosts)

        def killed(what: str) -> None:
            where = host()
            if not self.lab.run(where, f"pkill -9 -f '{what}' && echo hit || true").strip():
                raise ProcessLookupError(what)  # nobody was hit: this was no fault
            chronicle.tell(f"{what} on {where} killed")

        return (
            ("host's daemon killed", lambda: _daemon(self.lab, host(), dice.uniform(0, 5), chronicle)),
            ("cable pulled for 2 s", lambda: _cable(self.lab, host(), "down", 2, chronicle)),
            ("cable silent for 5 s", lambda: _cable(self.lab, host(), "silent", 5, chronicle)),
            ("save helper killed", lambda: killed("[l]ibxl-save-helper --save")),
            ("probe killed", lambda: killed(probes.DAEMON)),
        )

    def mend(self) -> None:
        for host in self.hosts:
            self.lab.link(host, "up")
            self.lab.daemon(host, "start")

    def ailing(self) -> list[str]:
        return [f"no probe runs on {host}" for host in self.hosts if not self._runs_probe(host)]

    def _runs_probe(self, host: str) -> bool:
        deadline = time.monotonic() + PROBE_BACK_WITHIN
        while not self.lab.run(host, f"pgrep -f '{probes.DAEMON}' || true").strip():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        return True


GROUNDS: Final[dict[Kind, Callable[[Stage], Ground]]] = {"qemu": QemuGround, "xen": XenGround}
