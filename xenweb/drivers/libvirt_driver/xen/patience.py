"""Wait for a daemon's answer only so long.

A daemon whose storage hangs still says that it lives, and answers nothing: without a bound whoever asks it where a VM
is would wait as long as the storage.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLateError
from typing import Final, TypeVar

from xenweb.drivers.contract import Endpoint, HostUnreachableError

Answer = TypeVar("Answer")

ANSWERS_WITHIN: Final = 4.0
"""Seconds in which a daemon must answer; where it says what Xen has, that takes milliseconds."""


class Patience:
    """The questions of this process to all daemons; a host that is late with one is asked nothing more meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, dict[int, float]] = {}
        self._next = 0

    def ask(self, endpoint: Endpoint, question: Callable[[], Answer], within: float = ANSWERS_WITHIN) -> Answer:
        """Answer what the question answers, or raise what it raises; raise HostUnreachableError if that takes too long.

        A question that hangs cannot be interrupted: its thread is left behind, one for a host and not one for each try.
        """
        key = self._began(endpoint, within)
        answered: Future[Answer] = Future()

        def work() -> None:
            try:
                answered.set_result(question())
            except BaseException as error:  # noqa: BLE001 - whatever it is, who asked must learn of it
                answered.set_exception(error)
            finally:
                with self._lock:
                    self._open[endpoint.uri].pop(key, None)

        threading.Thread(target=work, name=f"ask {endpoint.name}", daemon=True).start()
        try:
            return answered.result(within)
        except TooLateError:
            raise _late(endpoint) from None

    def _began(self, endpoint: Endpoint, within: float) -> int:
        now = time.monotonic()
        with self._lock:
            questions = self._open.setdefault(endpoint.uri, {})
            if any(now - began > within for began in questions.values()):
                raise _late(endpoint)
            self._next += 1
            questions[self._next] = now
            return self._next


def _late(endpoint: Endpoint) -> HostUnreachableError:
    msg = f"The daemon of {endpoint.name} lives, and does not answer: something hangs there, as storage does."
    return HostUnreachableError(msg, host=endpoint.name)
