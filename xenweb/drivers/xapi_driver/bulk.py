"""All records of a class from one answer in JSON, read piece by piece: of each only the fields that somebody reads.

A pool of ten thousand VMs tells of them in an answer that is never whole in our memory.
"""

import codecs
import json
from collections.abc import Collection, Iterator
from typing import NamedTuple

from xenweb.drivers.xapi_driver.errors import AnswerUnreadableError, RefusedError
from xenweb.drivers.xapi_driver.transport import Value

MOST_OF_ONE = 1024 * 1024
"""Characters of one record, or of anything else that must be whole before it can be read."""

MOST_RECORDS = 500_000
_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"


class Request(NamedTuple):
    """A call in JSON-RPC 2.0."""

    method: str
    params: tuple[object, ...]

    def body(self) -> bytes:
        """Write it."""
        said = {"jsonrpc": "2.0", "method": self.method, "params": self.params, "id": "1"}
        return json.dumps(said).encode()


def answer_of(host: str, body: bytes) -> Value:
    """Read a whole answer; raise RefusedError, or AnswerUnreadableError for what is none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _unreadable(host) from error
    if not isinstance(said, dict):
        raise _unreadable(host)
    return _value(host, said)


def _value(host: str, said: dict[str, Value]) -> Value:
    error = said.get("error")
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        data = error.get("data")
        raise RefusedError(str(error["message"]), tuple(map(str, data)) if isinstance(data, list) else ())
    if "result" not in said or error is not None:
        raise _unreadable(host)
    return said["result"]


def _unreadable(host: str) -> AnswerUnreadableError:
    return AnswerUnreadableError(f"{host} answered with what is no JSON-RPC.", host=host)


class _Text:
    """What has come so far and is not read yet."""

    def __init__(self, host: str, pieces: Iterator[bytes]) -> None:
        self._host, self._pieces = host, pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text, self._at = "", 0

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        self._text = self._text[self._at :] + ("" if piece is None else self._decoder.decode(piece))
        self._at = 0
        if len(self._text) > MOST_OF_ONE + len(piece or b""):
            msg = f"{self._host} tells of one thing in more than {MOST_OF_ONE // 1024} kB; it was not read."
            raise AnswerUnreadableError(msg, host=self._host)
        return piece is not None

    def mark(self) -> str:
        """Take the next character that is no space."""
        while True:
            while self._at < len(self._text):
                self._at += 1
                if self._text[self._at - 1] not in _SPACE:
                    return self._text[self._at - 1]
            if not self._more():
                raise _unreadable(self._host)

    def back(self) -> None:
        """Give the last character back."""
        self._at -= 1

    def value(self) -> Value:
        """Take the next value, whole."""
        self.mark()
        self.back()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
                if end < len(self._text):  # a number that the piece cuts off would be read as another
                    self._at = end
                    return found
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError):
                    raise _unreadable(self._host) from error
            if not self._more():
                raise _unreadable(self._host)

    def members(self) -> Iterator[str]:
        """Name the members of the object that begins here; the value of each must be taken before the next."""
        if self.mark() != "{":
            raise _unreadable(self._host)
        while (mark := self.mark()) != "}":
            if mark != ",":
                self.back()
            name = self.value()
            if not isinstance(name, str) or self.mark() != ":":
                raise _unreadable(self._host)
            yield name


def records(host: str, pieces: Iterator[bytes], fields: Collection[str]) -> dict[str, dict[str, Value]]:
    """Read all records, of each the fields that are asked for; raise RefusedError or AnswerUnreadableError.

    Without ``fields`` all of them are kept.
    """
    text, wanted, rest = _Text(host, pieces), tuple(fields), dict[str, Value]()
    found: dict[str, dict[str, Value]] | None = None
    try:
        for name in text.members():
            mark = text.mark()
            text.back()
            if name == "result" and mark == "{":
                found = _results(host, text, wanted)
            else:
                rest[name] = text.value()
    except UnicodeDecodeError as error:
        raise _unreadable(host) from error
    if found is None:
        _value(host, rest)
        raise _unreadable(host)
    return found


def _results(host: str, text: _Text, wanted: tuple[str, ...]) -> dict[str, dict[str, Value]]:
    found: dict[str, dict[str, Value]] = {}
    for ref in text.members():
        record = text.value()
        if not isinstance(record, dict) or len(found) >= MOST_RECORDS:
            raise _unreadable(host)
        found[ref] = {name: record[name] for name in wanted if name in record} if wanted else record
    return found
