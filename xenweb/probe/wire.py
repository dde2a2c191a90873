"""How the product and a probe speak: both prove that they hold one key, then seal and sign every message with it.

Nobody learns the key from what passes, a message cannot be read, changed, played again or turned round. Who holds the
key can read what was recorded before. Frames: length (u32), signature of what follows, JSON sealed by a stream that
SHAKE-256 makes of the session's key, the side that speaks and the message's number: no stream is used twice.
"""

import hashlib
import hmac
import json
import secrets
import socket
import struct
import time
from typing import Final

LONGEST: Final = 1024 * 1024
"""Bytes of one message."""

SIGNATURE: Final = hashlib.sha256().digest_size
NONCE: Final = 32
SHORTEST_KEY: Final = 32
_LENGTH: Final = struct.Struct("!I")
_GREETING: Final = b"xenweb-probe 2\n"

Message = dict[str, object]


class WireError(Exception):
    """The other side is not who it should be, or does not speak as it should."""


def _mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"|".join(parts), hashlib.sha256).digest()


class Line:
    """One authenticated connection; make it with ``accepted`` or ``called``."""

    def __init__(self, connection: socket.socket, session: bytes, own: bytes, other: bytes) -> None:
        self._connection, self._session = connection, session
        self._own, self._other = own, other
        self._sent = self._received = 0

    def send(self, message: Message) -> None:
        """Send one message; raises OSError."""
        body = json.dumps(message, separators=(",", ":")).encode()
        if len(body) > LONGEST:
            raise WireError("The message is too long.")
        body = self._turned(body, self._own, self._sent)
        signature = _mac(self._session, self._own, str(self._sent).encode(), body)
        self._sent += 1
        self._connection.sendall(_LENGTH.pack(len(body)) + signature + body)

    def receive(self) -> Message:
        """Wait for one message; raises WireError, or OSError if it takes too long."""
        (length,) = _LENGTH.unpack(_exactly(self._connection, _LENGTH.size))
        if length > LONGEST:
            raise WireError("The message is too long.")
        signature = _exactly(self._connection, SIGNATURE)
        body = _exactly(self._connection, length)
        expected = _mac(self._session, self._other, str(self._received).encode(), body)
        if not hmac.compare_digest(signature, expected):
            raise WireError("The message is not signed as it should be.")
        body = self._turned(body, self._other, self._received)
        self._received += 1
        try:
            message = json.loads(body)
        except ValueError as error:
            raise WireError("The message is no JSON.") from error
        if not isinstance(message, dict):
            raise WireError("The message is no object.")
        return message

    def _turned(self, body: bytes, speaker: bytes, number: int) -> bytes:
        """Seal what is open, or open what is sealed."""
        seed = _mac(self._session, b"seal", speaker, str(number).encode())
        stream = hashlib.shake_256(seed).digest(len(body))
        return (int.from_bytes(body, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(body), "big")

    def within(self, seconds: float) -> None:
        """Set how long the other side may take from now on."""
        self._connection.settimeout(seconds)

    def close(self) -> None:
        """End it."""
        self._connection.close()


def _exactly(connection: socket.socket, size: int, until: float | None = None) -> bytes:
    """Receive so many bytes; ``until`` is the moment by which all of them must be there, however they trickle in."""
    parts = []
    while size:
        if until is not None:
            connection.settimeout(max(0.001, until - time.monotonic()))
        part = connection.recv(min(size, 65536))
        if not part:
            raise WireError("The connection ended.")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _session(key: bytes, asked: bytes, answered: bytes) -> bytes:
    return _mac(key, b"session", asked, answered)


def accepted(connection: socket.socket, key: bytes, within: float) -> Line:
    """Make sure in so many seconds that a caller holds the key, then prove it too; raises WireError or OSError."""
    until = time.monotonic() + within
    connection.settimeout(within)
    own = secrets.token_bytes(NONCE)
    connection.sendall(_GREETING + own)
    told = _exactly(connection, NONCE + SIGNATURE, until)
    other = told[:NONCE]
    if not hmac.compare_digest(told[NONCE:], _mac(key, b"caller", own, other)):
        raise WireError("The caller does not hold the key.")
    connection.sendall(_mac(key, b"probe", other, own))
    return Line(connection, _session(key, own, other), b"probe", b"caller")


def called(connection: socket.socket, key: bytes) -> Line:
    """Prove to a probe that we hold the key, and have it prove the same; raises WireError or OSError."""
    if _exactly(connection, len(_GREETING)) != _GREETING:
        raise WireError("What answers is no probe.")
    other, own = _exactly(connection, NONCE), secrets.token_bytes(NONCE)
    connection.sendall(own + _mac(key, b"caller", other, own))
    if not hmac.compare_digest(_exactly(connection, SIGNATURE), _mac(key, b"probe", own, other)):
        raise WireError("What answers does not hold the key.")
    return Line(connection, _session(key, other, own), b"caller", b"probe")
