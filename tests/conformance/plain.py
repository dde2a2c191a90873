"""Calls said plainly, with whatever session and whatever number of parameters: a client that hides nothing."""

import xmlrpc.client
from collections.abc import Sequence
from typing import Any

from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.session import wired
from xenweb.drivers.xapi_driver.transport import PinnedTransport


class Plain:
    """One host, as it answers."""

    def __init__(self, host: str, port: int, pins: frozenset[str]) -> None:
        self._raw = xmlrpc.client.ServerProxy(f"https://{host}:{port}/", transport=PinnedTransport(host, port, pins))

    def call(self, method: str, params: Sequence[object]) -> Any:
        said: Any = getattr(self._raw, method)(*map(wired, params))
        if isinstance(said, list):
            return said  # only system.listMethods answers so
        if said["Status"] == "Failure":
            code, *rest = said["ErrorDescription"]
            raise RefusedError(code, tuple(rest))
        return said["Value"]
