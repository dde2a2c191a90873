"""Whose pages may open a socket: our own, and those of the origins that were named."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

_PORTS = {"http": 80, "https": 443}


def _place(scheme: str, netloc: str) -> tuple[str, int | None]:
    host, port = split_domain_port(netloc)
    return host, int(port) if port.isdigit() else _PORTS.get(scheme)


def origin_is_ours(origin: str, host: str, *, encrypted: bool) -> bool:
    """Say whether a socket that a page of ``origin`` opens at ``host`` may be opened.

    A missing origin and ``null`` are nobody's. The host must be one of ours too,
    or a foreign name that resolves to us would be its own proof.
    """
    parts = urlsplit(origin)
    if parts.scheme not in _PORTS or f"{parts.scheme}://{parts.netloc}" != origin:
        return False
    if origin.lower() in settings.XENWEB_ORIGINS:
        return True
    if parts.scheme != ("https" if encrypted else "http"):
        return False
    name, _ = split_domain_port(host)
    if not validate_host(name, settings.ALLOWED_HOSTS):
        return False
    return _place(parts.scheme, parts.netloc) == _place(parts.scheme, host)
