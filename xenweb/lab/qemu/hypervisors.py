"""Fills the hosts of the lab: storage repositories and guests."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Final

from xenweb.lab import connections
from xenweb.lab.connections import FoundGuest
from xenweb.lab.qemu.acceleration import Acceleration
from xenweb.lab.qemu.descriptions import disk_file, guest_xml, lease_file, repositories
from xenweb.lab.qemu.guests import DISK_MIB, GuestSpec
from xenweb.lab.qemu.layout import HOSTS, MIB, HostSpec, LabLayout

if TYPE_CHECKING:
    import libvirt

STARTS_AT_ONCE: Final = 2


def connected(layout: LabLayout, host: str) -> AbstractContextManager["libvirt.virConnect"]:
    """Hold a connection to one host; raise LabUnavailableError when libvirt came without its QEMU driver."""
    what = "libvirt's QEMU driver (install libvirt-daemon-driver-qemu), and its lock driver lockd.so"
    sentence = f"The lab needs {what} (where libvirt-daemon lacks it: libvirt-daemon-plugin-lockd)."
    return connections.connected(layout.uri(host), host, unconnected=sentence)


def wait_for_daemon(layout: LabLayout, host: str) -> None:
    """Wait until the host's libvirt answers."""
    connections.wait_for_daemon(lambda: connected(layout, host))


def found_guests(layout: LabLayout, host: str) -> list[FoundGuest]:
    """Return all guests a host knows, halted ones too."""
    with connected(layout, host) as connection:
        return connections.found_guests(connection)


def fill_repositories(layout: LabLayout, host: HostSpec) -> None:
    """Give the host its storage repositories."""
    with connected(layout, host.name) as connection:
        connections.fill_repositories(connection, repositories(layout, host))


def fill_guests(layout: LabLayout, acceleration: Acceleration, guests: tuple[GuestSpec, ...]) -> list[str]:
    """Define every guest that no host knows, start those that should run, and return the names of those started.

    Guests stay where they are: a lab that is up keeps its moves.
    """
    where = {guest.name: host.name for host in HOSTS for guest in found_guests(layout, host.name)}
    running = {guest.name for host in HOSTS for guest in found_guests(layout, host.name) if guest.running}
    wanted = [guest for guest in guests if guest.name not in where or (guest.running and guest.name not in running)]

    def fill(guest: GuestSpec) -> None:
        _fill_guest(layout, guest, where.get(guest.name, guest.host), acceleration)

    with ThreadPoolExecutor(STARTS_AT_ONCE * len(HOSTS)) as starters:
        list(starters.map(fill, _one_from_each_host(wanted)))
    return [guest.name for guest in wanted if guest.running]


def _one_from_each_host(guests: list[GuestSpec]) -> list[GuestSpec]:
    """Order the guests so that no host gets all the first starts: each libvirt starts slowly on its own."""
    place = {guest.name: [other for other in guests if other.host == guest.host].index(guest) for guest in guests}
    return sorted(guests, key=lambda guest: place[guest.name])


def _fill_guest(layout: LabLayout, guest: GuestSpec, host: str, acceleration: Acceleration) -> None:
    lease_file(layout, guest).touch(0o600)
    disk = disk_file(layout, guest, host)
    if disk and not disk.exists():
        with disk.open("wb") as file:
            file.truncate(DISK_MIB * MIB)
    with connected(layout, host) as connection:
        # Defining a known guest again only renews its description.
        handle = connection.defineXML(guest_xml(layout, guest, acceleration))
        if guest.running and not handle.isActive():
            _start(handle)


def _start(handle: "libvirt.virDomain") -> None:
    """Start a guest, once more if libvirt fails: its start may have hung, and have been ended (see starts.py)."""
    import libvirt

    with suppress(libvirt.libvirtError):
        handle.create()
        return
    handle.create()
