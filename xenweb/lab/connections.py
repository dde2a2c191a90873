"""Speaks libvirt with the hosts of a lab, whichever hypervisor they run.

The lab makes hosts and guests, which no driver of the product does, and so it must not go through a driver.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from xenweb.lab.errors import LabError, LabUnavailableError

if TYPE_CHECKING:
    import libvirt

DAEMON_PATIENCE: Final = 30.0
LOOK_EVERY: Final = 0.05
CONTROL: Final = 0


@dataclass(frozen=True, slots=True)
class LabHost:
    """A host of a lab as the product meets it; ``migration_address`` is on the lab's own network."""

    name: str
    uri: str
    migration_address: str
    uuid: str


@dataclass(frozen=True, slots=True)
class FoundGuest:
    """A guest as a host knows it."""

    name: str
    uuid: str
    running: bool


@contextmanager
def connected(uri: str, host: str, unconnected: str = "") -> Iterator["libvirt.virConnect"]:
    """Hold a connection to one host; libvirt's errors come out as LabError.

    Raises LabUnavailableError with the sentence ``unconnected``, if there is one, when libvirt came without its driver
    for the hypervisor, which no waiting cures.
    """
    import libvirt  # here, because a machine without it must still be able to say so in a sentence

    libvirt.registerErrorHandler(lambda *_: None, None)  # libvirt would also print them
    try:
        connection = libvirt.open(uri)
        try:
            yield connection
        finally:
            connection.close()
    except libvirt.libvirtError as error:
        if unconnected and error.get_error_code() == libvirt.VIR_ERR_NO_CONNECT:
            raise LabUnavailableError(unconnected) from error
        msg = f"{host}: {error}."
        raise LabError(msg) from error


def wait_for_daemon(connect: Callable[[], AbstractContextManager["libvirt.virConnect"]]) -> None:
    """Wait until a host's libvirt answers; its first look at the hypervisor may take seconds."""
    deadline = time.monotonic() + DAEMON_PATIENCE
    while True:
        try:
            with connect() as connection:
                connection.getHostname()
                return
        except LabUnavailableError:
            raise
        except LabError:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_EVERY)


def found_guests(connection: "libvirt.virConnect") -> list[FoundGuest]:
    """Return all guests a host knows, halted ones too; Xen's control domain, which has the number 0, is none."""
    return [
        FoundGuest(guest.name(), guest.UUIDString(), bool(guest.isActive()))
        for guest in connection.listAllDomains()
        if guest.ID() != CONTROL
    ]


def repository_xml(name: str, identity: str, path: Path) -> str:
    """Return the description of one folder of disks; equal identity on two hosts means the same storage."""
    return f"""\
<pool type='dir'>
  <name>{name}</name>
  <uuid>{identity}</uuid>
  <target><path>{escape(str(path))}</path></target>
</pool>"""


def fill_repositories(connection: "libvirt.virConnect", wanted: dict[str, str]) -> None:
    """Give a host its storage repositories, active now and after each start of its daemon."""
    known = {pool.name(): pool for pool in connection.listAllStoragePools()}
    for name, xml in wanted.items():
        pool = known.get(name) or connection.storagePoolDefineXML(xml)
        pool.setAutostart(1)
        if not pool.isActive():
            pool.create()
