"""Say whether the lab is as every test wants to find it, and put it back: one that failed must not make others fail."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import libvirt

from xenweb.drivers.contract import DriverError, Endpoint
from xenweb.drivers.libvirt_driver.connections import open_connection
from xenweb.lab.connections import LabHost, connected
from xenweb.lab.errors import LabError
from xenweb.lab.xen import probes
from xenweb.lab.xen.lab import Lab
from xenweb.lab.xen.layout import HOSTS
from xenweb.lab.xen.residents import Resident, residents

SETTLES_WITHIN = 20.0
"""Seconds that a host may take to forget a guest that has just left it."""


def faults(lab: Lab) -> list[str]:
    """List what is not as it should be: machines, links, daemons, and one running copy of each guest by xl."""
    down = [f"{name}: link {link}" for name, link in lab.cabinet.links().items() if link != "up"]
    with ThreadPoolExecutor(len(HOSTS)) as together:
        of_daemons = together.map(lambda host: list(_of_daemon(host)), lab.hosts)
        try:
            said = lab.on_each("xl list")
        except LabError as error:
            return [*down, str(error)]
        down += [f"{host.name}: power off" for host in HOSTS if host.name not in said]
        down += [each for found in of_daemons for each in found]
    return [*down, *_of_guests(lab, {host: residents(listed) for host, listed in said.items()})]


def _of_daemon(host: LabHost) -> Iterator[str]:
    """Ask a host's daemon, from here and not by a program there, which an emulated CPU takes as long to start."""
    try:
        connection = open_connection(Endpoint(0, host.name, host.uri))
        try:
            halted = [each.name() for each in connection.listAllDomains() if each.ID() < 0]
        finally:
            connection.close()
    except (DriverError, libvirt.libvirtError) as error:
        yield f"{host.name}: libvirt does not answer: {error}"
    else:
        yield from (f"{host.name}: {name} is halted" for name in halted)


def _of_guests(lab: Lab, seen: dict[str, dict[str, Resident]]) -> Iterator[str]:
    for guest in lab.guests:
        copies = {host: found[guest.name] for host, found in seen.items() if guest.name in found}
        if len(copies) != 1 or any(each.is_stopped for each in copies.values()):
            flags = {host: each.flags for host, each in copies.items()}
            yield f"{guest.name}: {flags}"


def settled_faults(lab: Lab) -> list[str]:
    """List what is still not as it should be after a moment."""
    until = time.monotonic() + SETTLES_WITHIN
    while (found := faults(lab)) and time.monotonic() < until:
        time.sleep(0.5)
    return found


def mend(lab: Lab) -> None:
    """Put everything back; what does not help is followed by switching both hosts off and on."""
    try:
        _mend_gently(lab)
    except LabError as error:
        print(f"mending gently did not do: {error}")
    if faults(lab):
        _begin_anew(lab)
    assert (left := faults(lab)) == [], left


def _mend_gently(lab: Lab) -> None:
    for host in HOSTS:
        lab.link(host.name, "up")
        lab.run(host.name, "rm -f /run/hold-last-pass /run/held; pkill -9 -f '[l]ibxl-save-helper --' || true")
    for host in HOSTS:
        # A daemon that was killed forgets what a lost move left in it.
        lab.daemon(host.name, "kill")
    time.sleep(1)
    for guest, hosts in _broken(lab).items():
        for host in hosts:
            lab.run(host, f"xl destroy {guest} || true")
    for host in HOSTS:
        lab.daemon(host.name, "start")
    _forget_second_definitions(lab)
    lab.up(print)


def _broken(lab: Lab) -> dict[str, list[str]]:
    seen = {host.name: lab.residents(host.name) for host in HOSTS}
    broken = {}
    for guest in lab.guests:
        hosts = [host for host, found in seen.items() if guest.name in found]
        if len(hosts) != 1 or seen[hosts[0]][guest.name].is_stopped:
            broken[guest.name] = hosts
    return broken


def _forget_second_definitions(lab: Lab) -> None:
    """Leave a guest that is halted here no definition if the other host has one, or runs it."""
    seen: set[str] = set()
    for is_active in (True, False):
        for host in lab.hosts:
            with connected(host.uri, host.name) as connection:
                for domain in connection.listAllDomains():
                    if domain.ID() == 0 or bool(domain.isActive()) is not is_active:
                        continue
                    if domain.name() in seen and not is_active:
                        domain.undefine()
                    seen.add(domain.name())


def _begin_anew(lab: Lab) -> None:
    """Switch both hosts off and on; the store, the disks and the ports stay, and the probes are started again."""
    for host in HOSTS:
        lab.power(host.name, "off")
    lab.up(print)
    _forget_second_definitions(lab)
    for host in HOSTS:
        if lab.run(host.name, f"ls {probes.PROGRAM} 2>/dev/null || true"):
            probes.begin_anew(lab.run, host.name)
