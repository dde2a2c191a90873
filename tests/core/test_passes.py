"""Passes gathered from looks: nothing runs backwards, nothing is invented."""

from hypothesis import given
from hypothesis import strategies as st

from xenweb.core.precopy.passes import Look, Track, expected_downtime, finish, is_converging, mark_pass, observe
from xenweb.core.quantities import MIB, Bytes, BytesPerSecond, Milliseconds


def look(at: int, pass_number: int, remaining: int, processed: int, dirty: float = 0.0) -> Look:
    return Look(
        Milliseconds(at),
        pass_number,
        Bytes(remaining * MIB),
        Bytes(processed * MIB),
        Bytes(100 * MIB),
        BytesPerSecond(dirty * MIB),
    )


def seen(*looks: Look) -> Track:
    track = Track()
    for each in looks:
        track = observe(track, each)
    return track


def test_the_first_pass_starts_with_everything() -> None:
    track = seen(look(100, 1, 90, 10))
    assert track.passes[0].remaining_at_start == 100 * MIB
    assert track.passes[0].remaining_at_end == 90 * MIB


def test_a_new_pass_closes_the_one_before() -> None:
    track = seen(look(100, 1, 90, 10), look(1000, 1, 10, 90), look(1200, 2, 30, 100))
    first, second = track.passes
    assert first.ended is not None
    assert second.remaining_at_start == 30 * MIB
    assert second.ended is None


def test_speed_is_computed_from_what_was_copied_between_looks() -> None:
    track = seen(look(0, 1, 100, 0), look(1000, 1, 50, 50))
    assert track.transfer_rate == 50 * MIB
    assert track.passes[0].transfer_rate == 50 * MIB


def test_a_cut_link_shows_as_no_speed_at_all() -> None:
    track = seen(look(0, 1, 100, 0), look(1000, 1, 50, 50), look(2000, 1, 50, 50))
    assert track.transfer_rate == 0


def test_a_look_that_says_no_pass_changes_no_pass() -> None:
    nothing = Look(Milliseconds(5), None, None, None, None, None)
    assert seen(nothing).passes == ()


def test_a_pass_known_only_from_an_event_is_kept_without_numbers() -> None:
    track = mark_pass(seen(look(0, 1, 100, 0)), 2, Milliseconds(500))
    assert [p.pass_number for p in track.passes] == [1, 2]
    assert track.passes[0].ended == 500
    assert track.passes[1].remaining_at_start is None
    assert mark_pass(track, 2, Milliseconds(600)) == track


def test_a_marked_pass_gets_its_numbers_from_the_next_look() -> None:
    track = observe(mark_pass(seen(look(0, 1, 100, 0)), 2, Milliseconds(500)), look(600, 2, 20, 120))
    assert len(track.passes) == 2
    assert track.passes[1].started == 500
    # A sixth of what came across between the two looks came after the pass had begun.
    assert track.passes[1].remaining_at_start == 40 * MIB
    assert track.passes[1].remaining_at_end == 20 * MIB


def test_the_speed_of_a_pass_is_taken_up_to_the_event_that_ended_it() -> None:
    track = mark_pass(seen(look(0, 1, 100, 0), look(400, 1, 60, 40)), 2, Milliseconds(500))
    track = observe(track, look(600, 2, 20, 60))
    assert track.passes[0].transfer_rate == 100 * MIB
    assert track.passes[1].transfer_rate == 100 * MIB


def test_a_pass_too_short_for_any_look_stays_without_numbers() -> None:
    track = mark_pass(mark_pass(seen(look(0, 1, 100, 0)), 2, Milliseconds(500)), 3, Milliseconds(510))
    track = observe(track, look(600, 3, 20, 120))
    assert track.passes[1].remaining_at_start is None
    assert track.passes[1].transfer_rate is None


def test_finish_closes_the_last_pass_once() -> None:
    track = finish(seen(look(0, 1, 100, 0)), Milliseconds(700))
    assert track.passes[0].ended == 700
    assert finish(track, Milliseconds(900)) == track


def test_convergence_is_not_judged_before_there_is_something_to_compare() -> None:
    assert is_converging(Track()) is None
    assert is_converging(seen(look(0, 1, 100, 0))) is None
    assert is_converging(seen(look(0, 1, 100, 0), look(10, 2, 99, 1))) is True


def test_passes_that_no_longer_shrink_mean_that_it_does_not_converge() -> None:
    stuck = seen(*(look(i * 10, i + 1, 30, i) for i in range(5)))
    assert is_converging(stuck) is False
    shrinking = seen(*(look(i * 10, i + 1, 100 >> i, i) for i in range(5)))
    assert is_converging(shrinking) is True


def test_the_expected_pause_is_the_hypervisors_else_what_is_left_over_the_speed() -> None:
    track = seen(look(0, 1, 100, 0), look(1000, 1, 50, 50))
    assert expected_downtime(track, Milliseconds(42)) == 42
    assert expected_downtime(track, None) == 1000
    assert expected_downtime(Track(), None) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 100), st.integers(0, 50), st.booleans()),
        max_size=40,
    )
)
def test_the_total_never_runs_backwards_and_stays_below_one(steps: list[tuple[int, int, int, bool]]) -> None:
    track, at, number, processed, before = Track(), 0, 1, 0, 0.0
    for later, remaining, copied, next_pass in steps:
        at, processed, number = at + later, processed + copied, number + next_pass
        track = observe(track, look(at, number, remaining, processed))
        assert before <= track.total < 1
        before = track.total
        assert [p.pass_number for p in track.passes] == sorted({p.pass_number for p in track.passes})
        assert all(p.ended is not None for p in track.passes[:-1])
