"""The wire between product and probe: sealed, signed, and patient with nobody who proves nothing."""

import contextlib
import socket
import threading
import time

import pytest

from tests.probe.test_daemon import KEY
from xenweb.probe import wire


def test_one_that_answers_without_the_key_is_not_believed() -> None:
    here, there = socket.socketpair()
    threading.Thread(target=lambda: _pretend(there), daemon=True).start()
    with pytest.raises(wire.WireError, match="does not hold the key"):
        wire.called(here, KEY)


def _pretend(there: socket.socket) -> None:
    there.sendall(b"xenweb-probe 2\n" + b"n" * 32)
    there.recv(64)
    there.sendall(b"m" * 32)


class Tapped:
    """A connection that keeps what is sent on it."""

    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += data


def test_what_passes_cannot_be_read_and_never_looks_the_same_twice() -> None:
    here, there = socket.socketpair()
    lines: list[wire.Line] = []
    accepting = threading.Thread(target=lambda: lines.append(wire.accepted(there, KEY, 5)))
    accepting.start()
    caller, tapped = wire.called(here, KEY), Tapped()
    accepting.join()
    caller._connection = tapped  # type: ignore[assignment]
    secret = {"verb": "guard_begin", "description": "<graphics type='vnc' passwd='swordfish'/>"}
    caller.send(secret)
    first = tapped.sent
    caller.send(secret)
    assert b"swordfish" not in tapped.sent
    assert b"guard_begin" not in tapped.sent
    assert first[-20:] != tapped.sent[-20:]
    here.sendall(tapped.sent)
    assert [lines[0].receive(), lines[0].receive()] == [secret, secret]
    lines[0].send({"answer": "<passwd>"})
    assert caller_reads(here, caller) == {"answer": "<passwd>"}


def caller_reads(here: socket.socket, caller: wire.Line) -> wire.Message:
    caller._connection = here
    return caller.receive()


def test_who_proves_nothing_is_turned_away_in_time_however_slowly_it_speaks() -> None:
    here, there = socket.socketpair()
    ended = threading.Event()

    def trickle() -> None:
        while not ended.wait(0.05):
            with contextlib.suppress(OSError):
                here.send(b"x")

    trickling = threading.Thread(target=trickle, daemon=True)
    trickling.start()
    began = time.monotonic()
    with pytest.raises(OSError, match="timed out"):
        wire.accepted(there, KEY, 0.3)
    assert time.monotonic() - began < 1.5
    ended.set()
    trickling.join()


@pytest.mark.parametrize("tamper", ["flip", "again"])
def test_a_message_that_was_changed_or_played_again_is_refused(tamper: str) -> None:
    here, there = socket.socketpair()
    lines: list[wire.Line] = []
    accepting = threading.Thread(target=lambda: lines.append(wire.accepted(there, KEY, 5)))
    accepting.start()
    caller, tapped = wire.called(here, KEY), Tapped()
    accepting.join()
    caller._connection = tapped  # type: ignore[assignment]
    caller.send({"verb": "hello"})
    if tamper == "flip":
        here.sendall(tapped.sent[:-2] + b"]}")
    else:
        here.sendall(tapped.sent * 2)
        assert lines[0].receive() == {"verb": "hello"}
    with pytest.raises(wire.WireError, match="signed"):
        lines[0].receive()
