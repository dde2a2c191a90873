"""A CPU time that grows shows that a copy runs; one that stands still is a note, and only after a second."""

import pytest

from xenweb.core.pulse import LONG_ENOUGH, Pulse, felt, is_beating


def looked_at(*looks: tuple[float, int | None]) -> Pulse | None:
    pulse: Pulse | None = None
    for at, cpu_time in looks:
        pulse = felt(pulse, at, cpu_time)
    return pulse


@pytest.mark.parametrize(
    ("looks", "beats"),
    [
        ((), None),
        (((0.0, 5),), None),
        (((0.0, 5), (0.2, 6)), True),
        (((0.0, 5), (0.9, 5)), None),
        (((0.0, 5), (LONG_ENOUGH, 5)), False),
        (((0.0, 5), (1.0, 5), (1.2, 6)), True),
        (((0.0, 5), (1.0, None)), None),
        (((0.0, 5), (0.5, None), (1.5, 5)), None),
        (((3.0, 0), (4.0, 0)), False),
    ],
)
def test_what_looks_say_of_a_copy(looks: tuple[tuple[float, int | None], ...], beats: bool | None) -> None:
    assert is_beating(looked_at(*looks)) is beats


def test_a_copy_that_was_started_anew_counts_anew() -> None:
    assert looked_at((0.0, 50), (1.0, 60), (2.0, 3)) == Pulse(2.0, 3, 2.0, 3)


def test_the_first_look_stays_the_first() -> None:
    assert looked_at((1.0, 5), (2.0, 7), (3.0, 9)) == Pulse(1.0, 5, 3.0, 9)
