"""The embedded lab as one object: up, down, status, and everything that can be done to a host.

>>> lab = Lab(Path("/tmp/xw-demo")); lab.up(print); lab.hosts[0].uri; lab.down()
"""

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from xenweb.lab.connections import FoundGuest, LabHost
from xenweb.lab.errors import LabError
from xenweb.lab.qemu import acceleration, control, descriptions, foundation, hypervisors, requirements
from xenweb.lab.qemu.guest_build import build
from xenweb.lab.qemu.guests import BEAT_MS, GUESTS, GuestSpec
from xenweb.lab.qemu.heartbeat import beats
from xenweb.lab.qemu.heartbeat_watch import HeartbeatWatch
from xenweb.lab.qemu.layout import HOSTS, HostSpec, LabLayout, claim, default_folder, host_spec

Say = Callable[[str], None]
BEAT_PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One host: its condition, and its guests by whether they run.

    ``daemon`` is running, stopped, or silent: there, but not answering.
    """

    name: str
    power: str
    daemon: str
    link: str
    rate: str
    running: tuple[str, ...]
    halted: tuple[str, ...]


def _quiet(_: str) -> None:
    """Say nothing."""


class Lab:
    """One lab in one folder, with the small company's guests unless others are given.

    Every method raises LabError with a sentence for a person.
    """

    def __init__(self, folder: Path | None = None, guests: tuple[GuestSpec, ...] = GUESTS) -> None:
        self.layout: LabLayout = claim(folder or default_folder())
        self.guests = guests

    @property
    def hosts(self) -> tuple[LabHost, ...]:
        """The hosts, whether they are up or not."""
        return tuple(LabHost(h.name, self.layout.uri(h.name), h.address, h.uuid) for h in HOSTS)

    @property
    def is_up(self) -> bool:
        """Whether the lab's process runs."""
        return control.running_process(self.layout) is not None

    def host(self, name: str) -> LabHost:
        """Return one host by its name."""
        return self.hosts[HOSTS.index(host_spec(name))]

    def uri(self, name: str) -> str:
        """Return the libvirt URI of one host."""
        return self.host(name).uri

    def console(self, guest: str) -> Path:
        """Return the file a guest's heartbeat goes to, wherever it runs."""
        return self.layout.console(guest)

    def watch(self, guest: str) -> HeartbeatWatch:
        """Return a listener to a guest's heartbeat, to be used as a context manager."""
        return HeartbeatWatch(self.console(guest))

    def disk(self, guest: str, host: str) -> Path:
        """Return the raw image of a guest's disk as it is seen on ``host``."""
        spec = next((spec for spec in self.guests if spec.name == guest), None)
        path = descriptions.disk_file(self.layout, spec, host) if spec else None
        if path is None:
            msg = f"The lab has no guest {guest!r} with a disk."
            raise LabError(msg)
        return path

    # --- going up and down

    def up(self, say: Say = _quiet, rate: str = "off") -> None:
        """Start whatever is not running yet, and return when every guest that should run has been heard.

        ``rate`` limits every host's link when the lab starts. Takes 3 to 5 s, more the first time in a folder.
        """
        with self._locked():
            if self._answers() and self._is_mended(say):
                started = self._fill(self._chosen_acceleration())
            else:
                try:
                    started = self._fill(self._start(say, rate))
                except BaseException:
                    control.end_process(self.layout)  # half a lab is of no use, and nobody would end it
                    raise
        say(f"{len(HOSTS)} hosts answer, {len(started)} guests started and heard.")

    def _fill(self, chosen: acceleration.Acceleration) -> list[str]:
        """Start the guests that should run and do not, and return their names once each has been heard."""
        said = {guest.name: self._console_size(guest.name) for guest in self.guests}
        started = hypervisors.fill_guests(self.layout, chosen, self.guests)
        self._wait_for_beats({guest: said[guest] for guest in started})
        self._describe(chosen)
        return started

    def down(self) -> bool:
        """End the lab's process and thereby all it started; return whether there was one."""
        with self._locked():
            return control.end_process(self.layout)

    def _answers(self) -> bool:
        """Return whether the lab runs and obeys; end one that runs and does not, so that it can be started anew."""
        if not self.is_up:
            return False
        try:
            control.conditions(self.layout)
        except LabError:
            control.end_process(self.layout)
            return False
        return True

    def _start(self, say: Say, rate: str) -> acceleration.Acceleration:
        requirements.check()
        foundation.clean(self.layout)
        build(self.layout.program)
        foundation.lay(self.layout)
        say(f"Starting {', '.join(host.name for host in HOSTS)} in {self.layout.folder}.")
        foundation.start_process(self.layout)
        with ThreadPoolExecutor(len(HOSTS) + 1) as together:
            choice = together.submit(acceleration.choose, self.layout)
            list(together.map(self._make_ready, HOSTS))
            chosen = choice.result()
        if rate != "off":
            for host in HOSTS:
                self.rate(host.name, rate)
        say(f"Every libvirt answers; starting {len(self.guests)} guests with {chosen}.")
        return chosen

    def _make_ready(self, host: HostSpec) -> None:
        hypervisors.wait_for_daemon(self.layout, host.name)
        hypervisors.fill_repositories(self.layout, host)

    def _is_mended(self, say: Say) -> bool:
        """Switch on what was switched off; return False when the lab has ended meanwhile, as one just killed does."""
        say(f"The lab in {self.layout.folder} is running; looking for what is missing.")
        try:
            for host in HOSTS:
                self.power(host.name, "on")
                self.daemon(host.name, "start")
        except LabError:
            if self.is_up:
                raise
            return False
        return True

    def _wait_for_beats(self, guests: dict[str, int]) -> None:
        """Wait until every guest has beaten beyond what its console already held, given in bytes."""
        deadline = time.monotonic() + BEAT_PATIENCE
        silent = list(guests)
        while silent:
            silent = [guest for guest in silent if not self._is_heard(guest, guests[guest])]
            if silent and time.monotonic() > deadline:
                msg = f"No heartbeat from {', '.join(silent)} (see {self.layout.consoles})."
                raise LabError(msg)
            time.sleep(0.02)

    def _is_heard(self, guest: str, since: int) -> bool:
        return self._console_size(guest) > since and bool(beats(self.console(guest), since))

    def _console_size(self, guest: str) -> int:
        console = self.console(guest)
        return console.stat().st_size if console.exists() else 0

    # --- doing things to hosts

    def rate(self, host: str, rate: str) -> None:
        """Limit a host's link in both directions, such as ``40mbit``, or take the limit ``off``."""
        control.ask(self.layout, "rate", host, rate)

    def link(self, host: str, wish: str) -> None:
        """Pull a host's data cable (``down``) or plug it in (``up``); libvirt stays reachable."""
        control.ask(self.layout, "link", host, wish)

    def daemon(self, host: str, wish: str) -> None:
        """Kill a host's libvirt daemon (``kill``) or start it and wait for its answer (``start``)."""
        control.ask(self.layout, "daemon", host, wish)
        if wish == "start":
            hypervisors.wait_for_daemon(self.layout, host)

    def power(self, host: str, wish: str) -> None:
        """Cut a host's power (``off``) or switch it on and wait for its libvirt (``on``); guests stay halted."""
        control.ask(self.layout, "power", host, wish)
        if wish == "on":
            hypervisors.wait_for_daemon(self.layout, host)

    def processor(self, host: str, wish: str) -> None:
        """Take features from a host's CPU (``small``) or give them back (``full``), as a power cut does, too."""
        control.ask(self.layout, "processor", host, wish)

    # --- looking at it

    def status(self) -> tuple[HostStatus, ...]:
        """Return how every host is and which guests it has."""
        if not self.is_up:
            return tuple(HostStatus(host.name, **asdict(control.OFF), running=(), halted=()) for host in HOSTS)
        conditions = control.conditions(self.layout)
        return tuple(self._host_status(host.name, conditions[host.name]) for host in HOSTS)

    def _host_status(self, name: str, condition: control.HostCondition) -> HostStatus:
        found: list[FoundGuest] = []
        if condition.daemon == "running":
            try:
                found = hypervisors.found_guests(self.layout, name)
            except LabError:  # it has just started, or hangs
                condition = replace(condition, daemon="silent")
        return HostStatus(
            name,
            **asdict(condition),
            running=tuple(sorted(guest.name for guest in found if guest.running)),
            halted=tuple(sorted(guest.name for guest in found if not guest.running)),
        )

    def where(self, guest: str) -> str | None:
        """Return the one host a guest runs on, or None; raise LabError when it runs on two."""
        hosts = self._running_on(guest)
        if len(hosts) > 1:
            # The hosts are asked one after the other: a guest that moved in between was on each in its turn.
            hosts = self._running_on(guest)
        if len(hosts) > 1:
            msg = f"{guest} runs on {' and '.join(hosts)} at the same time."
            raise LabError(msg)
        return hosts[0] if hosts else None

    def _running_on(self, guest: str) -> list[str]:
        return [status.name for status in self.status() if guest in status.running]

    def _chosen_acceleration(self) -> acceleration.Acceleration:
        try:
            known = json.loads(self.layout.description.read_text())["acceleration"]
        except (OSError, ValueError, KeyError):
            return acceleration.choose(self.layout)
        return "kvm" if known == "kvm" else "tcg"

    def _describe(self, chosen: acceleration.Acceleration) -> None:
        text = {
            "folder": str(self.layout.folder),
            "acceleration": chosen,
            "qemu": requirements.qemu_version(),
            "beat_ms": BEAT_MS,
            "hosts": [asdict(host) for host in self.hosts],
            "guests": [self._guest_description(guest) for guest in self.guests],
        }
        self.layout.description.write_text(json.dumps(text, indent=2) + "\n")

    def _guest_description(self, guest: GuestSpec) -> dict[str, str | int | bool]:
        return {
            "name": guest.name,
            "uuid": guest.uuid,
            "first_host": guest.host,
            "role": guest.role,
            "memory_mib": guest.memory,
            "disk": guest.disk,
            "running": guest.running,
            "console": str(self.console(guest.name)),
        }

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time bring the lab up or down."""
        with self.layout.lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
