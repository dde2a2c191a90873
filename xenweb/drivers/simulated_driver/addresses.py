"""Addresses of simulated hosts: a file and a name, and only where simulation is switched on."""

import os
import re
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qsl, urlsplit

from xenweb.drivers.contract import AddressRefusedError

_HOST = re.compile(r"[a-z][a-z0-9-]{0,62}")
_FORM = "simulated:///FOLDER/world.json?host=NAME"


def _refuse(why: str) -> NoReturn:
    raise AddressRefusedError(f"{why} The form we take: {_FORM}.")


def checked(uri: str) -> str:
    """Answer a simulated host's address; raise AddressRefusedError if it is not of the form."""
    path, host = parts(uri)
    if os.environ.get("XENWEB_SIMULATED") != "1":
        _refuse("Simulated hosts are not switched on here.")
    return f"simulated://{path}?host={host}"


def parts(uri: str) -> tuple[Path, str]:
    """Take an address apart into the world's file and the host's name."""
    split = urlsplit(uri)
    options = parse_qsl(split.query)
    path = Path(split.path)
    if split.scheme != "simulated" or split.netloc or split.fragment or len(options) != 1:
        _refuse("The address is not that of a simulated host.")
    key, host = options[0]
    if key != "host" or not _HOST.fullmatch(host):
        _refuse("The address names no host.")
    if not path.is_absolute() or ".." in path.parts or path.suffix != ".json":
        _refuse("The world's file is not an absolute path to a .json file.")
    return path, host


def from_fields(hypervisor: str, transport: str, address: str, user: str = "", port: int | None = None) -> str:
    """Refuse: a simulated host has no address that a form could take."""
    del hypervisor, transport, address, user, port
    _refuse("A simulated host is added by its address.")
