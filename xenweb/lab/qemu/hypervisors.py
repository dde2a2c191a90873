"""Fills the hosts of the lab: storage repositories and guests.

The one module of the lab that imports libvirt: the lab creates the guests' descriptions, which no driver of the
product does, and so it must not go through a driver.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xenweb.lab.errors import LabError, LabUnavailableError
from xenweb.lab.qemu.acceleration import Acceleration
from xenweb.lab.qemu.descriptions import disk_file, guest_xml, lease_file, repositories
from xenweb.lab.qemu.guests import DISK_MIB, GuestSpec
from xenweb.lab.qemu.layout import HOSTS, MIB, HostSpec, LabLayout

if TYPE_CHECKING:
    import libvirt

DAEMON_PATIENCE: Final = 30.0
STARTS_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class FoundGuest:
    """A guest as a host knows it."""

    name: str
    uuid: str
    running: bool


@contextmanager
def connected(layout: LabLayout, host: str) -> Iterator["libvirt.virConnect"]:
    """Hold a connection to one host; libvirt's errors come out as LabError.

    Raises LabUnavailableError when libvirt came without its QEMU driver, which no waiting cures.
    """
    import libvirt  # here, because a machine without it must still be able to say so in a sentence

    libvirt.registerErrorHandler(lambda *_: None, None)  # libvirt would also print them
    try:
        connection = libvirt.open(layout.uri(host))
        try:
            yield connection
        finally:
            connection.close()
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_CONNECT:
            what = "libvirt's QEMU driver (install libvirt-daemon-driver-qemu), and its lock driver lockd.so"
            msg = f"The lab needs {what} (where libvirt-daemon lacks it: libvirt-daemon-plugin-lockd)."
            raise LabUnavailableError(msg) from error
        msg = f"{host}: {error}."
        raise LabError(msg) from error


def wait_for_daemon(layout: LabLayout, host: str) -> None:
    """Wait until the host's libvirt answers; its first look at QEMU may take seconds."""
    deadline = time.monotonic() + DAEMON_PATIENCE
    while True:
        try:
            with connected(layout, host) as connection:
                connection.getHostname()
                return
        except LabUnavailableError:
            raise
        except LabError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def found_guests(layout: LabLayout, host: str) -> list[FoundGuest]:
    """Return all guests a host knows, halted ones too."""
    with connected(layout, host) as connection:
        return [
            FoundGuest(guest.name(), guest.UUIDString(), bool(guest.isActive()))
            for guest in connection.listAllDomains()
        ]


def fill_repositories(layout: LabLayout, host: HostSpec) -> None:
    """Give the host its storage repositories, active now and after each start of its daemon."""
    with connected(layout, host.name) as connection:
        known = {pool.name(): pool for pool in connection.listAllStoragePools()}
        for name, xml in repositories(layout, host).items():
            pool = known.get(name) or connection.storagePoolDefineXML(xml)
            pool.setAutostart(1)
            if not pool.isActive():
                pool.create()


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
