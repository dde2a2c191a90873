"""What pre-copy does: a pure function of the move's facts and of the time since its start.

Passes go on, as QEMU's do, until what is left fits the allowed pause at the
speed of the link. A VM that changes faster than the link carries never ends.
"""

from collections.abc import Iterator
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
    """The facts that a move's course follows from. Bytes, bytes per second, seconds.

    A move whose facts were changed on its way goes on with a new course, from
    ``first_pass`` on, with what was copied before behind it.
    """

    content: int
    working_set: int
    dirty_rate: float
    bandwidth: float
    downtime_limit: float
    start: float = START
    first_pass: int = 1
    copied_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """One pass, or the copying of the rest during the pause (``is_last``). Seconds since the call, bytes."""

    pass_number: int
    begins: float
    length: float
    content: float
    copied_before: float
    is_last: bool = False

    @property
    def ends(self) -> float:
        """Say when it is over."""
        return self.begins + self.length


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a move stands. ``pass_started`` are seconds since the call; ``downtime`` is known at its end."""

    pass_number: int
    remaining: int
    processed: int
    pass_started: tuple[float, ...]
    is_switching: bool = False
    is_over: bool = False
    downtime: float = 0.0


def dirtied(course: Course, seconds: float) -> float:
    """Say how many bytes of distinct pages are written in a time: never more than the working set."""
    return min(course.dirty_rate * seconds, float(course.working_set))


def stretches(course: Course) -> Iterator[Stretch]:
    """Lay a move out pass by pass; the last stretch is the pause, if it ever comes to one."""
    at, left, copied = course.start, float(course.content), course.copied_before
    for number in range(course.first_pass, LONGEST):
        length = left / course.bandwidth
        yield Stretch(number, at, length, left, copied)
        at, copied = at + length, copied + left
        left = max(float(PAGE), dirtied(course, length))
        rest = left / course.bandwidth
        if rest <= course.downtime_limit:
            yield Stretch(number, at, rest + HAND_OVER, left, copied, is_last=True)
            return


def end_of(course: Course) -> float | None:
    """Say how many seconds after the call a move is over; None for never."""
    before = -1.0
    for stretch in stretches(course):
        if stretch.is_last:
            return stretch.ends
        if stretch.content == before:
            return None  # each pass leaves as much as the one before it
        before = stretch.content
    return None


def start_of(course: Course, pass_number: int) -> float | None:
    """Say how many seconds after the call a pass begins; None if the move has no such pass."""
    for stretch in stretches(course):
        if stretch.pass_number == pass_number and not stretch.is_last:
            return stretch.begins
    return None


def moment(course: Course, elapsed: float) -> Moment:
    """Say where a move stands ``elapsed`` seconds after the call."""
    starts: list[float] = []
    stands = Moment(course.first_pass, course.content, round(course.copied_before), ())
    for stretch in stretches(course):
        if not stretch.is_last:
            starts.append(stretch.begins)
        copied = min(stretch.content, max(0.0, elapsed - stretch.begins) * course.bandwidth)
        is_over = stretch.is_last and elapsed >= stretch.ends
        stands = Moment(
            pass_number=stretch.pass_number,
            remaining=round(stretch.content - copied),
            processed=round(stretch.copied_before + copied),
            pass_started=tuple(starts),
            is_switching=stretch.is_last and not is_over,
            is_over=is_over,
            downtime=stretch.length if is_over else 0.0,
        )
        if elapsed < stretch.ends:
            break
    return stands
