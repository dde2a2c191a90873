"""Fills the Xen hosts: storage repositories and guests, through their libvirt."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xenweb.lab.connections import connected, fill_repositories, found_guests
from xenweb.lab.xen.descriptions import guest_xml, repositories
from xenweb.lab.xen.guests import GuestSpec

if TYPE_CHECKING:
    import libvirt


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """On which host each guest was found, and which of them run."""

    host: dict[str, str]
    running: frozenset[str]


def fill_host(host: str, uri: str) -> None:
    """Give a host its storage repositories."""
    with connected(uri, host) as connection:
        fill_repositories(connection, repositories())


def whereabouts(uris: dict[str, str]) -> Whereabouts:
    """Ask all hosts for their guests; where two know one, the host on which it runs counts."""
    host: dict[str, str] = {}
    running: set[str] = set()
    for name, uri in uris.items():
        with connected(uri, name) as connection:
            for guest in found_guests(connection):
                if guest.running or guest.name not in host:
                    host[guest.name] = name
                if guest.running:
                    running.add(guest.name)
    return Whereabouts(host, frozenset(running))


def fill_guests(
    uris: dict[str, str], guests: tuple[GuestSpec, ...], activate: Callable[[GuestSpec, str], None]
) -> dict[str, str]:
    """Define the guests that no host knows and start those that do not run; return the started ones' hosts by name.

    Guests stay where they are: a lab that is up keeps its moves. ``activate`` makes a guest's disk usable on a host.
    """
    known = whereabouts(uris)
    wanted = {guest: known.host.get(guest.name, guest.host) for guest in guests if guest.name not in known.running}

    def fill(host: str) -> None:
        with connected(uris[host], host) as connection:
            for guest in (guest for guest, its_host in wanted.items() if its_host == host):
                activate(guest, host)
                _start(connection.defineXML(guest_xml(guest)))

    with ThreadPoolExecutor(len(uris)) as hosts:
        list(hosts.map(fill, uris))
    return {guest.name: host for guest, host in wanted.items()}


def _start(handle: "libvirt.virDomain") -> None:
    """Start a guest, once more if it fails: libxl waits 40 s for a disk's script, which a loaded machine may exceed."""
    import libvirt

    with suppress(libvirt.libvirtError):
        handle.create()
        return
    handle.create()
