"""Host addresses that we take. Works without libvirt.

Many options of a libvirt URI run commands or open sockets on our side, so an
address is built from parts, or refused: nothing of it is passed on unread.
"""

import ipaddress
import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from xenweb.drivers.contract import AddressRefusedError

HYPERVISORS = ("qemu", "xen")
TRANSPORTS = ("tls", "ssh", "unix")
FORMS = "qemu://HOST/system, qemu+ssh://[USER@]HOST[:PORT]/system or qemu:///system, and the same with xen"
PLAIN = "tcp"
"""Neither sealed nor signed for: taken only for the very hosts that the operator has named, as a lab's."""

LONGEST = 400

_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


def _refused(why: str, field: str = "uri") -> AddressRefusedError:
    return AddressRefusedError(f"{why} The forms we take: {FORMS}.", field=field)


def checked(uri: str) -> str:
    """Answer a URI in its canonical form; raise AddressRefusedError if it is not allow-listed."""
    if len(uri) > LONGEST or not uri.isascii() or not uri.isprintable() or any(c in uri for c in " \\\"'`$;|<>"):
        raise _refused("The address holds characters that no address needs.")
    parts = urlsplit(uri)
    hypervisor, _, transport = parts.scheme.partition("+")
    if hypervisor not in HYPERVISORS or transport not in {"", PLAIN, *TRANSPORTS}:
        raise _refused("The address is not one of a hypervisor and a transport that we take.")
    if parts.fragment or parts.password is not None:
        raise _refused("The address holds a fragment or a password.")
    if transport == "unix":
        return _local(hypervisor, uri)
    if parts.query:
        raise _refused("The address holds options, and options can run commands.")
    if parts.path != "/system":
        raise _refused("The path of the address is not /system.")
    if not parts.netloc:
        if transport:
            raise _refused("The address names no host.")
        return f"{hypervisor}:///system"
    if transport == PLAIN:
        return _plain(hypervisor, uri)
    return from_fields(hypervisor, transport or "tls", parts.hostname or "", parts.username or "", _port(uri))


def _plain(hypervisor: str, uri: str) -> str:
    """Take an address without any protection, if it is one of those that the operator has named."""
    parts = urlsplit(uri)
    named = {each.strip() for each in os.environ.get("XENWEB_LIBVIRT_TCP_HOSTS", "").split(",") if each.strip()}
    port = _port(uri)
    place = f"{parts.hostname or ''}{f':{port}' if port else ''}"
    if parts.username or place not in named:
        raise _refused("Plain TCP is taken only for hosts that the operator has named.")
    return f"{hypervisor}+{PLAIN}://{place}/system"


def _port(uri: str) -> int | None:
    try:
        return urlsplit(uri).port
    except ValueError:
        raise _refused("The port of the address is not a number up to 65535.") from None


def _local(hypervisor: str, uri: str) -> str:
    """Take a private socket, if it lies below a folder that the operator has named."""
    parts = urlsplit(uri)
    options = parse_qsl(parts.query, keep_blank_values=True)
    if parts.netloc or parts.path not in {"/session", "/system"} or [key for key, _ in options] != ["socket"]:
        raise _refused("A unix address takes no host, and only the option socket.")
    socket = options[0][1]
    folders = [Path(each) for each in os.environ.get("XENWEB_LIBVIRT_SOCKET_FOLDERS", "").split(",") if each]
    path = Path(socket)
    is_plain = path.is_absolute() and ".." not in path.parts and "&" not in socket and "?" not in socket
    if not is_plain or not any(folder in path.parents for folder in folders):
        raise _refused("The socket does not lie in a folder that the operator allows.")
    return f"{hypervisor}+unix://{parts.path}?socket={path}"


def _host(address: str) -> str:
    try:
        literal = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        if not _NAME.fullmatch(address) or len(address) > 253 or address.replace(".", "").isdigit():  # noqa: PLR2004
            raise _refused("The host is neither a name nor an address.", "address") from None
        return address.lower()
    if literal.is_loopback or literal.is_link_local or literal.is_unspecified or literal.is_multicast:
        raise _refused("The host is an address that only means this machine, or no machine.", "address")
    return f"[{literal}]" if literal.version == 6 else str(literal)  # noqa: PLR2004


def from_fields(hypervisor: str, transport: str, address: str, user: str = "", port: int | None = None) -> str:
    """Build an address from the fields of a form; raise AddressRefusedError for a bad field."""
    if hypervisor not in HYPERVISORS:
        raise _refused(f"The hypervisor is none of {', '.join(HYPERVISORS)}.", "hypervisor")
    if transport not in TRANSPORTS:
        raise _refused(f"The transport is none of {', '.join(TRANSPORTS)}.", "transport")
    if transport == "unix":
        if address:
            raise _refused("A host on this machine takes no address.", "address")
        return f"{hypervisor}:///system"
    if user and (transport != "ssh" or not _USER.fullmatch(user)):
        raise _refused("The user is not a plain user name, or the transport takes none.", "user")
    if port is not None and not 0 < port < 65536:  # noqa: PLR2004
        raise _refused("The port is not a number from 1 to 65535.", "port")
    host = _host(address)
    if host == "localhost" or host.endswith(".localhost"):
        raise _refused("The host is a name that only means this machine.", "address")
    scheme = hypervisor if transport == "tls" else f"{hypervisor}+{transport}"
    login = f"{user}@" if user else ""
    return f"{scheme}://{login}{host}{f':{port}' if port else ''}/system"
