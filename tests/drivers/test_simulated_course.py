"""The simulated world's moves are a pure function of facts and time."""

from hypothesis import given
from hypothesis import strategies as st

from xenweb.core.quantities import MIB
from xenweb.drivers.simulated_driver.precopy import HAND_OVER, Course, dirtied, moment

COURSES = st.builds(
    Course,
    content=st.integers(1 * MIB, 512 * MIB),
    working_set=st.integers(1 * MIB, 64 * MIB),
    dirty_rate=st.floats(0, 128 * MIB),
    bandwidth=st.floats(1 * MIB, 128 * MIB),
    downtime_limit=st.floats(0.01, 2.0),
)
TIMES = st.floats(0, 600)


@given(COURSES, TIMES)
def test_the_same_time_gives_the_same_moment(course: Course, at: float) -> None:
    assert moment(course, at) == moment(course, at)


@given(COURSES, TIMES, TIMES)
def test_later_is_never_less_far(course: Course, one: float, other: float) -> None:
    early, late = (moment(course, at) for at in sorted((one, other)))
    assert early.pass_number <= late.pass_number
    assert early.processed <= late.processed + 1
    assert late.is_over or not early.is_over


@given(COURSES, TIMES)
def test_what_is_left_never_exceeds_what_there_is(course: Course, at: float) -> None:
    assert 0 <= moment(course, at).remaining <= max(course.content, course.working_set)


def test_an_idle_vm_needs_one_pass_and_a_short_pause() -> None:
    course = Course(64 * MIB, 4 * MIB, 0.0, 64.0 * MIB, 0.3)
    assert moment(course, 1.0).pass_number == 1
    over = moment(course, 10.0)
    assert over.is_over
    assert HAND_OVER <= over.downtime < 0.05


def test_a_vm_that_changes_faster_than_the_link_carries_never_ends() -> None:
    course = Course(64 * MIB, 48 * MIB, 80.0 * MIB, 16.0 * MIB, 0.3)
    assert not moment(course, 3600.0).is_over


@given(COURSES, st.floats(0, 1000))
def test_no_more_than_the_working_set_is_dirtied(course: Course, seconds: float) -> None:
    assert 0 <= dirtied(course, seconds) <= course.working_set
