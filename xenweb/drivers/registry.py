"""Which pool has which driver.

Drivers are imported on first use, so that a missing library costs only the pools that need it.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import cast

from xenweb.drivers.contract import (
    AddressRefusedError,
    CertificateSeen,
    DriverUnavailableError,
    Endpoint,
    HypervisorDriver,
    NotSupportedError,
)

_DRIVERS = {
    "libvirt": "xenweb.drivers.libvirt_driver",
    "simulated": "xenweb.drivers.simulated_driver",
    "xapi": "xenweb.drivers.xapi_driver",
}


def kinds() -> list[str]:
    """List the kinds of drivers, whether or not they work here."""
    return sorted(_DRIVERS)


@cache
def driver_for(kind: str) -> HypervisorDriver:
    """Answer the driver of a pool's kind; raise DriverUnavailableError if it cannot work here.

    One driver object per process: it keeps that process's connections.
    """
    if kind not in _DRIVERS:
        msg = f"There is no driver called {kind}."
        raise DriverUnavailableError(msg, driver=kind)
    module = import_module(_DRIVERS[kind])
    return cast("HypervisorDriver", module.create())


def is_simulated(kind: str, uri: str) -> bool:
    """Say whether what is at an address is played by a simulation: of the whole driver, or of the pool behind it."""
    if kind == "xapi":
        addresses = import_module(f"{_DRIVERS[kind]}.addresses")
        return bool(addresses.is_of_this_machine(uri))
    return kind == "simulated"


def look_at(kind: str, uri: str, secret: str) -> Iterator[tuple[str, bool]]:
    """Look at what answers at an address and change nothing; yield lines, and whether each is a fault.

    Raises AddressRefusedError, or NotSupportedError where a kind of driver has no such look.
    """
    uri = check_address(kind, uri)
    try:
        report = import_module(f"{_DRIVERS[kind]}.report")
    except ModuleNotFoundError:
        msg = f"The driver called {kind} has no such look."
        raise NotSupportedError(msg, driver=kind) from None
    for line in report.report(Endpoint(0, "the host", uri, secret=secret)):
        yield line.text, line.is_fault


def preload() -> None:
    """Import every driver that works here, so that a process forked from this one need not.

    Nothing is opened: no connection may cross a fork.
    """
    for kind in _DRIVERS:
        with suppress(DriverUnavailableError):
            driver_for(kind)


def check_address(kind: str, uri: str) -> str:
    """Answer ``uri`` in its canonical form; raise AddressRefusedError if it is not allow-listed.

    Works without the driver's library, so that a form can always be judged.
    """
    if kind not in _DRIVERS:
        msg = f"There is no driver called {kind}."
        raise AddressRefusedError(msg, driver=kind)
    addresses = import_module(f"{_DRIVERS[kind]}.addresses")
    return cast("str", addresses.checked(uri))


def address_from_fields(
    kind: str,
    hypervisor: str,
    transport: str,
    address: str,
    user: str = "",
    port: int | None = None,
    fingerprints: Sequence[str] = (),
) -> str:
    """Build a host address from the fields of a form; raise AddressRefusedError like check_address."""
    if kind not in _DRIVERS:
        msg = f"There is no driver called {kind}."
        raise AddressRefusedError(msg, driver=kind)
    addresses = import_module(f"{_DRIVERS[kind]}.addresses")
    # Only where hosts certify themselves there is a fingerprint to confirm.
    more = (tuple(fingerprints),) if kind == "xapi" else ()
    return cast("str", addresses.from_fields(hypervisor, transport, address, user, port, *more))


def trusting(kind: str, uri: str, others: Iterable[str]) -> str:
    """Answer the address of a host that trusts the certificates of others in its pool: any of them may come to lead it.

    Where hosts certify nothing themselves it is the same address. Raises AddressRefusedError.
    """
    if kind != "xapi":
        return uri
    addresses = import_module(f"{_DRIVERS[kind]}.addresses")
    return cast("str", addresses.trusting(uri, others))


def certificates_at(kind: str, address: str, port: int | None) -> list[CertificateSeen]:
    """List the certificates that are shown at an address, for a person to confirm; nothing secret is said.

    Raises AddressRefusedError, HostUnreachableError, or NotSupportedError where hosts are not known by theirs.
    """
    if kind != "xapi":
        msg = f"Hosts of the driver {kind} are not known by the fingerprint of a certificate."
        raise NotSupportedError(msg, driver=kind)
    greeting = import_module(f"{_DRIVERS[kind]}.greeting")
    return list(greeting.certificates(address, port))
