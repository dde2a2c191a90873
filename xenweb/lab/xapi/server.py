"""The hosts' HTTPS, each at its own address on one port, and what goes wrong there by a test's will."""

import ssl
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

from xenweb.lab.xapi import certificates
from xenweb.lab.xapi.dispatch import Site
from xenweb.lab.xapi.model import Value
from xenweb.lab.xapi.wire import (
    JSON,
    XML,
    MalformedError,
    Request,
    XapiError,
    answered,
    json_request,
    refused,
    xml_request,
)

XML_PATHS, JSON_PATHS = frozenset({"/", "/RPC2"}), frozenset({"/jsonrpc", "/json"})
LONGEST = 8 * 1024 * 1024
HANDSHAKE_WITHIN = 5.0


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "HostServer"
    disable_nagle_algorithm = True

    def log_message(self, *_args: object) -> None:
        """Say nothing: a call may carry a password."""

    def do_POST(self) -> None:
        """Answer one call."""
        body = self.rfile.read(min(LONGEST, int(self.headers.get("Content-Length") or 0)))
        try:
            if self.path.partition("?")[0] in JSON_PATHS:
                request, kind = json_request(body), JSON
            elif self.path.partition("?")[0] in XML_PATHS:
                request, kind = xml_request(body), XML
            else:
                self._send(404, "text/html", b"<html><body><h1>HTTP 404 not found</h1></body></html>")
                return
        except MalformedError:
            self._send(500, "text/html", b"<html><body><h1>HTTP 500 internal server error</h1></body></html>")
            return
        said = self._answer(request)
        if said is None:
            self.close_connection = True
            return
        self._send(200, kind, said)

    def _answer(self, request: Request) -> bytes | None:
        site = self.server.site
        if site.faults.answers_after:
            time.sleep(site.faults.answers_after)
        if _is_due(site.faults.lost, request.method):
            return None
        try:
            value = site.answer(self.server.place, request.method, list(cast("list[Value]", request.params)))
            said = answered(request, value)
        except XapiError as error:
            said = refused(request, error)
        if _is_due(site.faults.drops, request.method):
            return None
        return None if self.server.is_closed else said

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        pause = self.server.site.faults.drip
        if not pause:
            self.wfile.write(body)
            return
        for place in range(len(body)):
            self.wfile.write(body[place : place + 1])
            time.sleep(pause)


def _is_due(counted: dict[str, int], method: str) -> bool:
    left = counted.get(method, 0)
    counted[method] = max(0, left - 1)
    return left > 0


class HostServer(ThreadingHTTPServer):
    """One host's HTTPS."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, site: Site, place: str, port: int, certificate: Path) -> None:
        super().__init__((place, port), _Answering)
        self.site, self.place, self.is_closed = site, place, False
        self._connections: set[ssl.SSLSocket] = set()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Make the connection a private one in its own thread: a client that stalls holds up nobody else."""
        plain = cast("ssl.SSLSocket", request)
        plain.settimeout(HANDSHAKE_WITHIN)
        try:
            wrapped = self.context.wrap_socket(plain, server_side=True)
        except (OSError, ValueError):
            self.shutdown_request(plain)
            return
        wrapped.settimeout(None)
        self._connections.add(wrapped)
        super().process_request_thread(wrapped, cast("str", client_address))
        self._connections.discard(wrapped)

    def handle_error(self, *_args: object) -> None:
        """Say nothing of clients that went away."""

    def close_all(self) -> None:
        """Stop listening, and cut every connection, as a host does that loses its power."""
        self.is_closed = True
        self.shutdown()
        self.server_close()
        for each in list(self._connections):
            with suppress(OSError):
                each.close()


class Hosts:
    """The HTTPS of all hosts."""

    def __init__(self, site: Site, port: int, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.fingerprints: dict[str, str] = {}
        self.expired: set[str] = set()
        self._servers: dict[str, HostServer] = {}
        self.port = port
        for pool in site.pools.values():
            for place in pool.places:
                self.certify(place.address)
                self.open(place.address)

    def certify(self, address: str, *, is_expired: bool = False) -> None:
        """Give a host a new certificate; it is used from the next opening on."""
        (self.expired.add if is_expired else self.expired.discard)(address)
        path = self.folder / f"{address}.pem"
        self.fingerprints[address] = certificates.write(path, address, is_expired=is_expired)

    def open(self, address: str) -> None:
        """Let a host listen."""
        if address not in self._servers:
            server = HostServer(self.site, address, self.port, self.folder / f"{address}.pem")
            self.port = server.server_address[1]
            self._servers[address] = server
            threading.Thread(target=server.serve_forever, args=(0.05,), name=f"https {address}", daemon=True).start()

    def close(self, address: str) -> None:
        """Let a host listen no more."""
        server = self._servers.pop(address, None)
        if server is not None:
            server.close_all()
