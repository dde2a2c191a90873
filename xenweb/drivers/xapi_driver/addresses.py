"""Addresses of XAPI hosts that we take: user, host, the host's UUID, and whose certificates are trusted."""

import ipaddress
import os
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn
from urllib.parse import parse_qsl, urlsplit

from xenweb.drivers.contract import AddressRefusedError

HTTPS = 443
FORM = "xapi://USER@HOST[:PORT]/[HOST-UUID]?sha256=FINGERPRINT[,FINGERPRINT]"
LONGEST = 2600
"""Room for the fingerprints of 64 hosts, of which one pool may have so many."""

MOST_PORT = 65535

_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.\\-]{0,63}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PIN = re.compile(r"[0-9a-f]{32,64}")
"""The beginning of a fingerprint is enough if it has 128 bits: an address has room for a whole pool's."""


@dataclass(frozen=True, slots=True)
class Parts:
    """An address taken apart. Without ``pins`` no certificate is trusted."""

    user: str
    host: str
    port: int
    uuid: str
    pins: frozenset[str]


def _refuse(why: str, field: str = "uri") -> NoReturn:
    raise AddressRefusedError(f"{why} The form we take: {FORM}.", field=field)


def checked(uri: str) -> str:
    """Answer an address in its canonical form; raise AddressRefusedError if it is not of the form."""
    each = parts(uri)
    return _written(each)


def _written(each: Parts) -> str:
    bracketed = f"[{each.host}]" if ":" in each.host else each.host
    port = "" if each.port == HTTPS else f":{each.port}"
    pins = f"?sha256={','.join(sorted(each.pins))}" if each.pins else ""
    return f"xapi://{each.user}@{bracketed}{port}/{each.uuid}{pins}"


def parts(uri: str) -> Parts:
    """Take an address apart; raise AddressRefusedError if it is not of the form."""
    if len(uri) > LONGEST or not uri.isascii() or not uri.isprintable() or any(c in uri for c in " \"'`$;|<>"):
        _refuse("The address is too long, or holds characters that no address needs.")
    split = urlsplit(uri)
    if split.scheme != "xapi" or split.fragment or split.password is not None:
        _refuse("The address is not that of a XAPI host, or holds a password.")
    user, uuid = split.username or "", split.path.strip("/").lower()
    if not _USER.fullmatch(user):
        _refuse("The address names no user.", "user")
    if uuid and not _UUID.fullmatch(uuid):
        _refuse("What follows the host is not a UUID.")
    try:
        port = split.port or HTTPS
    except ValueError:
        _refuse(f"The port of the address is not a number up to {MOST_PORT}.", "port")
    return Parts(user, host_named(split.hostname or ""), port, uuid, _pins(split.query))


def _pins(query: str) -> frozenset[str]:
    options = parse_qsl(query, keep_blank_values=True)
    if not options:
        return frozenset()
    if [key for key, _ in options] != ["sha256"]:
        _refuse("The address takes only the option sha256.")
    pins = frozenset(each.replace(":", "").lower() for each in options[0][1].split(","))
    if not all(_PIN.fullmatch(each) for each in pins):
        _refuse("A fingerprint is not the SHA-256 of a certificate, or at least its first 32 digits.")
    return pins


def names_of(host: str) -> frozenset[str]:
    """Answer a host's name and the addresses that it stands for here: a pool knows its hosts by address."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset({host})
    return frozenset({host, *(str(each[4][0]) for each in found)})


def is_of_this_machine(uri: str) -> bool:
    """Say whether an address means this machine: only pools that are simulated here may have one."""
    try:
        return ipaddress.ip_address(urlsplit(uri).hostname or "").is_loopback
    except ValueError:
        return False


def host_named(address: str) -> str:
    """Answer a host's name or address in its plain form; raise AddressRefusedError for one of this machine."""
    try:
        literal = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        is_name = _NAME.fullmatch(address) and len(address) <= 253 and not address.replace(".", "").isdigit()  # noqa: PLR2004
        if not is_name or address.lower() == "localhost" or address.lower().endswith(".localhost"):
            _refuse("The host is neither a name nor an address, or only means this machine.", "address")
        return address.lower()
    is_lab = literal.is_loopback and os.environ.get("XENWEB_XAPI_LAB") == "1"
    is_here = literal.is_loopback or literal.is_link_local or literal.is_unspecified or literal.is_multicast
    if is_here and not is_lab:
        _refuse("The host is an address that only means this machine, or no machine.", "address")
    return str(literal)


def from_fields(
    hypervisor: str,
    transport: str,
    address: str,
    user: str = "",
    port: int | None = None,
    fingerprints: Sequence[str] = (),
) -> str:
    """Build an address from the fields of a form; raise AddressRefusedError for a bad field."""
    if hypervisor != "xapi":
        _refuse("The hypervisor is not xapi.", "hypervisor")
    if transport != "tls":
        _refuse("A XAPI host is reached by tls.", "transport")
    if not _USER.fullmatch(user):
        _refuse("The user is not a plain user name.", "user")
    if port is not None and not 0 < port <= MOST_PORT:
        _refuse(f"The port is not a number from 1 to {MOST_PORT}.", "port")
    pins = frozenset(_plain_pin(each) for each in fingerprints)
    if not pins:
        _refuse("No certificate is trusted: look at those that the host shows, and confirm them.", "fingerprints")
    return checked(_written(Parts(user, host_named(address), port or HTTPS, "", pins)))


def trusting(uri: str, others: Iterable[str]) -> str:
    """Answer an address that trusts what other addresses trust, too; raise AddressRefusedError if that is too much."""
    each = parts(uri)
    pins = each.pins.union(*(parts(other).pins for other in others))
    return checked(_written(replace(each, pins=pins)))


def _plain_pin(said: str) -> str:
    pin = said.replace(":", "").strip().lower()
    if not _PIN.fullmatch(pin):
        _refuse("A fingerprint is not the SHA-256 of a certificate, or at least its first 32 digits.", "fingerprints")
    return pin
