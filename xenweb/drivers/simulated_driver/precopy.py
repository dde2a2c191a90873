"""What pre-copy would do by now: a pure function of the move's facts and of the time since its start.

Passes go on, as QEMU's do, until what is left fits the allowed pause at the
speed of the link. A VM that changes faster than the link carries never ends.
"""

from dataclasses import dataclass

START = 0.4
"""Seconds until the target is ready to receive."""

HAND_OVER = 0.02
"""Seconds of pause besides the copying of the rest."""

PAGE = 4096
LONGEST = 10_000
"""Passes after which nothing more is computed: such a move does not end by itself."""


@dataclass(frozen=True, slots=True)
class Course:
    """The facts that a move's course follows from. Bytes, bytes per second, seconds."""

    content: int
    working_set: int
    dirty_rate: float
    bandwidth: float
    downtime_limit: float


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a move stands. ``pass_started`` counts from the call; ``ends`` is None for never."""

    pass_number: int
    remaining: int
    processed: int
    pass_started: tuple[float, ...]
    is_over: bool
    downtime: float


def dirtied(course: Course, seconds: float) -> float:
    """Say how many bytes of distinct pages are written in a time: never more than the working set."""
    return min(course.dirty_rate * seconds, float(course.working_set))


def moment(course: Course, elapsed: float) -> Moment:
    """Say where a move stands ``elapsed`` seconds after the call."""
    at, left, processed = START, float(course.content), 0.0
    starts = [at]
    while len(starts) < LONGEST:
        length = left / course.bandwidth
        if elapsed < at + length:
            copied = max(0.0, (elapsed - at) * course.bandwidth)
            return Moment(len(starts), round(left - copied), round(processed + copied), tuple(starts), False, 0.0)
        at, processed = at + length, processed + left
        left = max(float(PAGE), dirtied(course, length))
        rest = left / course.bandwidth
        if rest <= course.downtime_limit:
            pause = rest + HAND_OVER
            is_over = elapsed >= at + pause
            return Moment(
                len(starts), 0 if is_over else round(left), round(processed + left), tuple(starts), is_over, pause
            )
        starts.append(at)
    return Moment(len(starts), round(left), round(processed), tuple(starts), False, 0.0)
