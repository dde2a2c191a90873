"""Ask what certificates a host and its pool's coordinator show, before any is trusted: nothing secret is said."""

import hashlib
import http.client
import socket
import ssl
from collections.abc import Iterator

from cryptography import x509

from xenweb.drivers.contract import CertificateSeen, HostUnreachableError
from xenweb.drivers.xapi_driver.addresses import HTTPS, host_named
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.records import NULL
from xenweb.drivers.xapi_driver.session import Session
from xenweb.drivers.xapi_driver.transport import CONNECT_WITHIN, PinnedTransport, context


def certificates(address: str, port: int | None) -> Iterator[CertificateSeen]:
    """Yield the certificate of the host at an address, and that of the coordinator which it names.

    Raises AddressRefusedError or HostUnreachableError.
    """
    host = host_named(address)
    seen = _seen(host, port or HTTPS, is_leader=False)
    leader = _leader(host, port or HTTPS, seen)
    yield CertificateSeen(host, seen.sha256, seen.ends, is_leader=leader == host)
    if leader not in {"", host}:
        yield _seen(leader, port or HTTPS, is_leader=True)


def _leader(host: str, port: int, seen: CertificateSeen) -> str:
    """Ask a host who leads its pool; empty where it does not say."""
    try:
        Session(PinnedTransport(host, port, frozenset({seen.sha256}))).call("session.get_uuid", (NULL,), CONNECT_WITHIN)
    except RefusedError as error:
        if error.code == "HOST_IS_SLAVE" and error.params:
            return host_named(error.params[0])
        return host if error.code == "SESSION_INVALID" else ""
    except HostUnreachableError:
        return ""  # an expired certificate is shown all the same
    return ""


def _seen(host: str, port: int, *, is_leader: bool) -> CertificateSeen:
    try:
        with socket.create_connection((host, port), CONNECT_WITHIN) as plain, context().wrap_socket(plain) as private:
            certificate = private.getpeercert(binary_form=True) or b""
        ends = x509.load_der_x509_certificate(certificate).not_valid_after_utc
    except (OSError, ssl.SSLError, ValueError, http.client.HTTPException) as error:
        msg = f"{host} shows no certificate at port {port} ({type(error).__name__})."
        raise HostUnreachableError(msg, host=host) from error
    return CertificateSeen(host, hashlib.sha256(certificate).hexdigest(), ends, is_leader=is_leader)
