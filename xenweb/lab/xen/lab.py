"""The Xen lab as one object: up, down, status, what can be done to a machine, and what the guests say.

>>> lab = Lab(); lab.up(print); lab.uri("xen-1"); lab.run("xen-1", "xl list"); lab.down()
"""

import fcntl
import json
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from xenweb.lab import connections, folders
from xenweb.lab.connections import FoundGuest, LabHost
from xenweb.lab.errors import LabError
from xenweb.lab.xen import heartbeat, hypervisors, image, machines, needs, probes, shell, storage
from xenweb.lab.xen.cabinet import Cabinet
from xenweb.lab.xen.descriptions import disk_path
from xenweb.lab.xen.guests import GUESTS, GuestSpec, host_memory
from xenweb.lab.xen.heartbeat import Beat
from xenweb.lab.xen.layout import (
    HOSTS,
    LONGEST_SOCKET,
    MACHINES,
    LabLayout,
    MachineSpec,
    default_folder,
    host_spec,
    machine_spec,
)
from xenweb.lab.xen.records import Verdict
from xenweb.lab.xen.residents import Resident, residents

Say = Callable[[str], None]
BEAT_PATIENCE: Final = 120.0
STATUS_PATIENCE: Final = 20.0
SILENT_AFTER: Final = 5.0
LOOK_EVERY: Final = 0.5
NEXT_BEATS: Final = (
    "for guest in {guests}; do {{ "
    f"timeout {BEAT_PATIENCE:.0f} tail -qn0 -F /var/log/xen/guest-$guest.log 2>/dev/null | grep -qm1 '^beat ' "
    "&& echo $guest; }} & done; wait"
)
CONSOLE_ENDS: Final = (
    'cd /var/log/xen; for file in guest-*.log; do echo "== $file"; tail -n 3 "$file" 2>/dev/null; done; true'
)


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """One machine: its power, its libvirt (``silent`` when nobody can ask), its link, and a host's guests."""

    name: str
    power: str
    daemon: str
    link: str
    running: tuple[str, ...]
    halted: tuple[str, ...]


def _quiet(_: str) -> None:
    """Say nothing."""


class Lab:
    """One Xen lab in one folder. Every method raises LabError with a sentence for a person."""

    def __init__(self, folder: Path | None = None, guests: tuple[GuestSpec, ...] = GUESTS) -> None:
        folder = folders.absolute(folder or default_folder())
        folders.check_path(folder, LONGEST_SOCKET)
        folders.claim(folder)
        self.layout = LabLayout(folder)
        self.guests = guests
        self.cabinet = Cabinet(self.layout)

    @property
    def hosts(self) -> tuple[LabHost, ...]:
        """The Xen hosts of a lab that has been up."""
        ports = self.cabinet.ports.probe
        return tuple(
            LabHost(host.name, self.uri(host.name), host.address, host.uuid, f"127.0.0.1:{ports[host.name]}")
            for host in HOSTS
        )

    @property
    def is_up(self) -> bool:
        """Whether any machine of the lab runs."""
        return any(machines.is_on(self.layout, machine) for machine in MACHINES)

    def uri(self, name: str) -> str:
        """Return the libvirt URI of one host, from this machine."""
        return f"xen+tcp://127.0.0.1:{self.cabinet.ports.libvirt[host_spec(name).name]}/system"

    def guest(self, name: str) -> GuestSpec:
        """Return a guest by its name."""
        for guest in self.guests:
            if guest.name == name:
                return guest
        msg = f"The Xen lab has no guest {name!r}; its guests are {', '.join(guest.name for guest in self.guests)}."
        raise LabError(msg)

    # --- going up and down

    def up(self, say: Say = _quiet) -> None:
        """Start whatever is not running yet, and return when every guest has been heard.

        Builds the image first where there is none. A lab that runs keeps its guests where they are.
        """
        with self._locked():
            began = time.monotonic()
            is_mended = self.is_up
            if not is_mended:
                memory = host_memory(self.guests)
                needs.check_for_lab(self.layout.folder, memory)
                self._clean()
                self.cabinet.lay(image.ensure(say), memory)
            try:
                doing = "Looking for what is missing" if is_mended else "Starting the machines"
                say(f"{doing} in {self.layout.folder}.")
                self._start_machines()
                say(f"Every machine is ready after {time.monotonic() - began:.0f} s; starting guests.")
                started = self._fill()
            except BaseException:
                if not is_mended:
                    self._end()  # half a lab is of no use, and nobody would end it
                raise
        say(f"{len(HOSTS)} hosts answer, {len(started)} guests started and heard, in {time.monotonic() - began:.0f} s.")

    def down(self) -> bool:
        """End every machine; return whether there was one."""
        with self._locked():
            return self._end()

    def _end(self) -> bool:
        ran = [self.cabinet.power(machine, "off") for machine in MACHINES]
        return any(ran)

    def _clean(self) -> None:
        """Remove what an earlier lab left; none of its machines runs."""
        for machine in MACHINES:
            shutil.rmtree(self.layout.machine(machine.name).path, ignore_errors=True)
        for file in (self.layout.description, self.layout.links, self.layout.block_unit, self.layout.file_unit):
            file.unlink(missing_ok=True)

    def _start_machines(self) -> None:
        with ThreadPoolExecutor(len(MACHINES)) as together:
            list(together.map(lambda machine: self.power(machine.name, "on"), MACHINES))
            list(together.map(lambda host: self.daemon(host.name, "start"), HOSTS))

    def _fill(self) -> list[str]:
        """Lay out storage and guests where they are missing; return the started guests once each has been heard."""
        storage.fill(self.run, HOSTS[0], self.guests)
        uris = {host.name: self.uri(host.name) for host in HOSTS}
        for name, uri in uris.items():
            hypervisors.fill_host(name, uri)
        started = hypervisors.fill_guests(uris, self.guests, self.activate)
        self._wait_for_beats(started)
        return list(started)

    def _wait_for_beats(self, started: dict[str, str]) -> None:
        hosts = set(started.values())
        with ThreadPoolExecutor(len(HOSTS)) as together:
            heard = set().union(*together.map(lambda host: self._heard(host, started), hosts))
        if silent := sorted(set(started) - heard):
            words = (self._last_words(guest, started[guest]) for guest in silent)
            msg = "; ".join(f"No heartbeat from {said}" for said in words)
            raise LabError(msg)

    def _heard(self, host: str, started: dict[str, str]) -> set[str]:
        """Wait on a host for the next beat of each guest that was started there; return those that were heard.

        One command waits there for all of them: who asks again and again takes the time that the guests need to start.
        """
        guests = " ".join(sorted(shlex.quote(guest) for guest, place in started.items() if place == host))
        return set(self.run(host, NEXT_BEATS.format(guests=guests), patience=BEAT_PATIENCE + STATUS_PATIENCE).split())

    def _last_words(self, guest: str, host: str) -> str:
        """Say what is known of a guest that is not heard: its flags, the end of its console, and the time there."""
        resident = self.residents(host).get(guest)
        said = self.run(host, f"tail -n 1 {_console_file(guest)} 2>/dev/null; date +'at %s%6N'").split("\n")
        return f"{guest} on {host} ({resident.flags if resident else 'not there'}): {' '.join(said).strip()}"

    # --- doing things to machines

    def power(self, name: str, wish: str) -> None:
        """Cut a machine's power (``off``), or switch it on and wait until it is ready (``on``); guests stay halted.

        A machine that is switched on has its link up, whatever it was before.
        """
        self.cabinet.power(machine_spec(name), wish)

    def link(self, name: str, wish: str) -> None:
        """Take a machine from the lab's network (``down``: its own interface, ``silent``: its cable), or back (``up``).

        Nobody notices a silent cable: it takes what is sent and delivers nothing. Commands and libvirt stay reachable
        from this machine, and a host's storage is behind that link.
        """
        self.cabinet.link(machine_spec(name), wish, self.run)

    def daemon(self, name: str, wish: str) -> None:
        """Kill a host's libvirt (``kill``), or start it and wait for its answer (``start``); guests run on."""
        host = host_spec(name)
        self.run(host.name, f"/lab/daemon {shlex.quote(wish)}")
        if wish == "start":
            connections.wait_for_daemon(lambda: connections.connected(self.uri(host.name), host.name))

    def run(self, name: str, command: str, content: bytes = b"", patience: float = shell.COMMAND_PATIENCE) -> str:
        """Run a shell command on a machine, ``content`` being its standard input, and return what it printed."""
        machine = machine_spec(name)
        words = shell.ssh_words(self.layout, machine.name, self.cabinet.ports.shell[machine.name])
        return shell.run(words, command, content, patience)

    def put(self, name: str, path: str, content: bytes, mode: int = 0o644) -> None:
        """Write a file on a machine, making its folder."""
        target = shlex.quote(path)
        self.run(name, f'mkdir -p "$(dirname {target})" && cat >{target} && chmod {mode:o} {target}', content)

    def probe(self, name: str, key: str, **more: Any) -> None:
        """Put a probe that holds ``key`` on a host, and have its libvirt use it; guests run on."""
        host = host_spec(name).name
        probes.install(self.put, self.run, host, key, **more)
        if not probes.is_used(self.run, host):
            self.daemon(host, "kill")
            self.daemon(host, "start")

    def probe_all(self, keys: Mapping[str, str], **more: Any) -> None:
        """Put a probe on several hosts at the same time: each holds the key that is given with its host's name."""
        with ThreadPoolExecutor(len(HOSTS)) as together:
            list(together.map(lambda each: self.probe(*each, **more), keys.items()))

    def activate(self, guest: GuestSpec, host: str) -> None:
        """Make a guest's disk usable on a host: what must be done there before the guest comes."""
        storage.activate(self.run, guest, host)

    def deactivate(self, guest: GuestSpec, host: str) -> None:
        """Take a guest's disk from a host it has left."""
        storage.deactivate(self.run, guest, host)

    # --- looking at it

    def status(self) -> tuple[MachineStatus, ...]:
        """Return how every machine is and which guests a host has."""
        return tuple(self._machine_status(machine) for machine in MACHINES)

    def _machine_status(self, machine: MachineSpec) -> MachineStatus:
        is_on = machines.is_on(self.layout, machine)
        found: list[FoundGuest] = []
        daemon = "stopped"
        if is_on and machine.is_host:
            daemon = "silent"
            with suppress(LabError):
                daemon = self.run(machine.name, "/lab/daemon status", patience=STATUS_PATIENCE).strip()
                if daemon == "running":
                    with connections.connected(self.uri(machine.name), machine.name) as connection:
                        found = connections.found_guests(connection)
        return MachineStatus(
            machine.name,
            power="on" if is_on else "off",
            daemon=daemon if machine.is_host else "none",
            link=self.cabinet.links().get(machine.name, "up"),
            running=tuple(sorted(guest.name for guest in found if guest.running)),
            halted=tuple(sorted(guest.name for guest in found if not guest.running)),
        )

    # --- the oracles: none of them asks libvirt

    def residents(self, host: str) -> dict[str, Resident]:
        """Return the guests on a host as its hypervisor knows them."""
        return residents(self.run(host_spec(host).name, "xl list"))

    def where(self, guest: str) -> dict[str, Resident]:
        """Return the hosts whose hypervisor knows a guest, and as what: one, for a guest that is not on the way."""
        seen = {host: residents(table).get(guest) for host, table in self.on_each("xl list").items()}
        return {host: resident for host, resident in seen.items() if resident}

    def beats(self, guest: str) -> list[Beat]:
        """Return all the beats of a guest's last start, wherever it beat them."""
        consoles = self.on_each(f"cat {_console_file(guest)} 2>/dev/null || true")
        return heartbeat.last_start(beat for text in consoles.values() for beat in heartbeat.beats(text))

    def beating_on(self, guest: str) -> str | None:
        """Return the host on whose console a guest beats now, or None when nothing comes within five seconds.

        It takes two looks and no clock: a guest's own may be ahead of or behind its host's.
        """
        before = self._newest_beats()
        deadline = time.monotonic() + SILENT_AFTER
        while time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
            for (name, host), beat in self._newest_beats().items():
                if name == guest and before.get((name, host)) != beat:
                    return host
        return None

    def _newest_beats(self) -> dict[tuple[str, str], Beat]:
        """Return the newest beat of every guest on every host it ever beat on, by guest and host.

        One command for each host: its one CPU is also its guests', and looking must not be what silences them.
        """
        return {
            (guest, host): beat
            for host, text in self.on_each(CONSOLE_ENDS).items()
            for guest, beat in heartbeat.newest(text).items()
        }

    def records(self, guest: str, host: str) -> Verdict:
        """Return what a guest's disk holds as ``host`` reads it, past its cache; the disk must be usable there."""
        path = disk_path(self.guest(guest))
        if path is None:
            msg = f"{guest} has no disk."
            raise LabError(msg)
        said = json.loads(self.run(host, f"python3 /lab/records.py {path}"))
        return Verdict(**said | {name: tuple(said[name]) for name in ("missing", "torn")})

    def on_each(self, command: str) -> dict[str, str]:
        """Run a shell command on every host that is on, on all at the same time; return what each printed."""
        names = [host.name for host in HOSTS if machines.is_on(self.layout, host)]
        with ThreadPoolExecutor(len(HOSTS)) as together:
            return dict(zip(names, together.map(lambda name: self.run(name, command), names), strict=True))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time bring the lab up or down."""
        with self.layout.lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _console_file(guest: str) -> str:
    return shlex.quote(f"/var/log/xen/guest-{guest}.log")
