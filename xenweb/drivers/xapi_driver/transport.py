"""What carries the XenAPI package's calls: its own transport has no time limit, trusts whoever answers, reads all.

Ours is over by a moment, reads a most of bytes, knows its certificates, and serves several threads at once.
"""

import hashlib
import http.client
import socket
import ssl
import threading
import time
import xmlrpc.client
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import cast
from xml.parsers.expat import ExpatError

from cryptography import x509

from xenweb.drivers.xapi_driver.errors import (
    AnswerUnreadableError,
    CertificateRefusedError,
    HostUnreachableError,
)

Value = str | int | float | bool | None | Sequence["Value"] | dict[str, "Value"]

CONNECT_WITHIN = 5.0
ANSWER_WITHIN = 30.0
MOST_BYTES = 32 * 1024 * 1024
"""What is larger and not read piece by piece is no answer but an attack on our memory."""

MOST_STREAMED = 256 * 1024 * 1024
"""A pool of 10,000 VMs tells of them in about 50 MB."""

PIECE = 256 * 1024
XML, JSON = ("/", "text/xml"), ("/jsonrpc", "application/json")
MOST_DIGITS = 20
MOST_IDLE = 4


class _TimedSocket(ssl.SSLSocket):
    """A socket whose reads all end by one moment: a peer that drips bytes gains no time by it."""

    deadline = float("inf")

    def recv_into(self, buffer: bytearray, nbytes: int | None = None, flags: int = 0) -> int:  # type: ignore[override]
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(min(left, ANSWER_WITHIN * 20))
        return super().recv_into(buffer, nbytes, flags)


def context() -> ssl.SSLContext:
    """Make what a connection is made private with."""
    # Who is at the other end is proven by the fingerprint: pools certify themselves, and no authority vouches.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = _TimedSocket
    return context


class _Connection(http.client.HTTPConnection):
    """One connection to a host whose certificate is one of those that are trusted."""

    def __init__(self, host: str, port: int, pins: frozenset[str]) -> None:
        super().__init__(host, port, timeout=CONNECT_WITHIN)
        self._pins = pins
        self.is_used = False

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), CONNECT_WITHIN)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            wrapped = cast("_TimedSocket", context().wrap_socket(plain))
        except BaseException:
            plain.close()
            raise
        self.sock = wrapped
        try:
            check_certificate(self.host, wrapped.getpeercert(binary_form=True) or b"", self._pins)
        except CertificateRefusedError:
            self.close()
            raise

    def until(self, deadline: float) -> None:
        """Let whatever is read end by a moment."""
        cast("_TimedSocket", self.sock).deadline = deadline


def check_certificate(host: str, certificate: bytes, pins: frozenset[str]) -> None:
    """Raise CertificateRefusedError unless a certificate is one of the pinned, and in its time."""
    seen = hashlib.sha256(certificate).hexdigest()
    if not pins:
        msg = f"No certificate is trusted for {host} yet; the one that it shows has the SHA-256 {seen}."
        raise CertificateRefusedError(msg, host=host, sha256=seen)
    if not any(seen.startswith(pin) for pin in pins):
        msg = f"{host} shows a certificate that is none of those trusted for its pool; its SHA-256 is {seen}."
        raise CertificateRefusedError(msg, host=host, sha256=seen)
    try:
        ends = x509.load_der_x509_certificate(certificate).not_valid_after_utc
    except ValueError:
        msg = f"The certificate of {host} cannot be read."
        raise CertificateRefusedError(msg, host=host, sha256=seen) from None
    if ends < datetime.now(UTC):
        msg = f"The certificate of {host} is not valid any more: it ended on {ends:%Y-%m-%d at %H:%M} UTC."
        raise CertificateRefusedError(msg, host=host, sha256=seen, ended=ends.isoformat())


class _Bounds(threading.local):
    """How long and how often the call that a thread makes may take."""

    within = ANSWER_WITHIN
    once = False


Answered = tuple[Value, ...]


def whole(said: object) -> int | None:
    """Read a number without a sign that travels as text; None for what is none, however much it looks like one."""
    is_one = isinstance(said, str) and said.isascii() and said.isdigit() and len(said) <= MOST_DIGITS
    return int(str(said)) if is_one else None


def read_answer(host: str, body: bytes) -> Answered:
    """Read what a call was answered with; raise AnswerUnreadableError for what is no answer."""
    try:
        return cast("Answered", xmlrpc.client.loads(body)[0])
    except (xmlrpc.client.Error, ExpatError, ValueError, TypeError, UnicodeError, RecursionError) as error:
        msg = f"{host} answered with what is no XML-RPC."
        raise AnswerUnreadableError(msg, host=host) from error


class PinnedTransport(xmlrpc.client.Transport):
    """Carries calls to one host; safe to use from several threads, each call on a connection of its own."""

    def __init__(self, host: str, port: int, pins: frozenset[str]) -> None:
        super().__init__()
        self.host, self.port = host, port
        self._pins = pins
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._bounds = _Bounds()

    @contextmanager
    def bounded(self, within: float, *, once: bool = False) -> Iterator[None]:
        """Let each call of this thread be over within so many seconds.

        ``once`` is for what must not be said twice: it goes out on a fresh connection, and is never repeated.
        """
        self._bounds.within, self._bounds.once = within, once
        try:
            yield
        finally:
            self._bounds.within, self._bounds.once = ANSWER_WITHIN, False

    def request(self, _host: object, _handler: str, request_body: bytes, verbose: object = None) -> Answered:  # type: ignore[override]
        """Carry one call; raise a HostUnreachableError if nothing comes back that can be read, and in time."""
        del verbose
        return read_answer(self.host, self.carried(XML, request_body))

    def carried(self, language: tuple[str, str], body: bytes) -> bytes:
        """Carry one call in one of the XenAPI's languages; answer what came back, of which there is a most."""
        once = self._bounds.once
        deadline = time.monotonic() + self._bounds.within
        connection = self._taken(fresh=once)
        was_used = connection.is_used
        try:
            said = self._exchanged(connection, language, body, deadline)
        except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError) as error:
            connection.close()
            if not was_used or once:
                raise self._unreachable(error) from error
            # A connection that lay idle may have been closed meanwhile: that says nothing of the host.
            connection = self._taken(fresh=True)
            said = self._again(connection, language, body, deadline)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from error
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return said

    def _again(self, connection: _Connection, language: tuple[str, str], body: bytes, deadline: float) -> bytes:
        try:
            return self._exchanged(connection, language, body, deadline)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from error

    def _exchanged(self, connection: _Connection, language: tuple[str, str], body: bytes, deadline: float) -> bytes:
        answer = self._answer(connection, language, body, deadline)
        length = whole(answer.headers.get("Content-Length") or "0")
        if length is None:
            msg = f"{self.host} answered with a length that is no number."
            raise AnswerUnreadableError(msg, host=self.host)
        said = b"" if length > MOST_BYTES else answer.read(MOST_BYTES + 1)
        if length > MOST_BYTES or len(said) > MOST_BYTES:
            raise self._too_much(MOST_BYTES)
        if not answer.isclosed() or len(said) < length:
            raise http.client.IncompleteRead(said)
        return said

    def _answer(
        self, connection: _Connection, language: tuple[str, str], body: bytes, deadline: float
    ) -> http.client.HTTPResponse:
        if connection.sock is None:
            connection.connect()
        connection.until(deadline)
        path, kind = language
        connection.request("POST", path, body, {"Content-Type": kind, "User-Agent": "xenweb"})
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            msg = f"{self.host} answered with HTTP {answer.status}, as a XAPI that is not ready does."
            raise AnswerUnreadableError(msg, host=self.host, status=answer.status)
        return answer

    def pieces(self, language: tuple[str, str], body: bytes) -> Iterator[bytes]:
        """Carry one call whose answer is read piece by piece, so that it may be long; it has a most all the same."""
        connection, left = self._taken(fresh=True), MOST_STREAMED
        try:
            answer = self._answer(connection, language, body, time.monotonic() + self._bounds.within)
            while piece := answer.read1(PIECE):
                left -= len(piece)
                if left < 0:
                    raise self._too_much(MOST_STREAMED)
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def _too_much(self, most: int) -> AnswerUnreadableError:
        msg = f"{self.host} answered with more than {most // 1024 // 1024} MiB; it was not read."
        return AnswerUnreadableError(msg, host=self.host)

    def _taken(self, *, fresh: bool) -> _Connection:
        with self._lock:
            if not fresh and self._idle:
                return self._idle.pop()
        return _Connection(self.host, self.port, self._pins)

    def _give_back(self, connection: _Connection) -> None:
        connection.is_used = True
        with self._lock:
            if connection.sock is not None and len(self._idle) < MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Let go of connections that lie idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            each.close()

    def _unreachable(self, error: Exception) -> HostUnreachableError:
        if isinstance(error, TimeoutError):
            return HostUnreachableError(f"{self.host} did not answer in time.", host=self.host)
        return HostUnreachableError(f"{self.host} does not answer ({type(error).__name__}).", host=self.host)
