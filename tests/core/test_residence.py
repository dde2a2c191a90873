"""Where a VM runs, judged from what every host says."""

from hypothesis import given
from hypothesis import strategies as st

from xenweb.core.facts import PowerState, Sighting
from xenweb.core.residence import Residence, residence

RUNS, HALTED, PAUSED = PowerState.RUNNING, PowerState.HALTED, PowerState.PAUSED

SIGHTINGS = st.lists(
    st.builds(
        Sighting,
        host=st.integers(1, 4),
        state=st.sampled_from(PowerState),
        active=st.booleans(),
        incoming=st.booleans(),
    ),
    unique_by=lambda sighting: sighting.host,
)


def test_a_vm_that_no_host_knows_is_nowhere() -> None:
    assert residence([], None) == Residence(None, PowerState.UNKNOWN, conflict=False)


def test_a_host_that_receives_a_copy_does_not_have_the_vm_yet() -> None:
    judged = residence([Sighting(1, RUNS, active=True), Sighting(2, PAUSED, active=True, incoming=True)], None)
    assert (judged.host, judged.state, judged.conflict) == (1, RUNS, False)


def test_of_a_copy_that_is_still_received_nobody_says_what_the_vm_does() -> None:
    judged = residence([Sighting(2, PAUSED, active=True, incoming=True)], None)
    assert (judged.host, judged.state) == (2, PowerState.UNKNOWN)


def test_a_definition_left_behind_does_not_outweigh_the_running_copy() -> None:
    judged = residence([Sighting(1, HALTED, active=False), Sighting(2, RUNS, active=True)], believed=1)
    assert judged.host == 2


def test_a_halted_vm_stays_where_it_was_believed_to_be() -> None:
    both = [Sighting(1, HALTED, active=False), Sighting(2, HALTED, active=False)]
    assert residence(both, believed=2).host == 2
    assert residence(both, believed=None).host == 1


def test_two_running_copies_are_a_conflict_and_are_shown() -> None:
    judged = residence([Sighting(1, RUNS, active=True), Sighting(2, RUNS, active=True)], believed=2)
    assert judged.conflict
    assert judged.host == 2


@given(SIGHTINGS, st.none() | st.integers(1, 4))
def test_a_conflict_is_told_exactly_when_two_hosts_run_it(sightings: list[Sighting], believed: int | None) -> None:
    judged = residence(sightings, believed)
    running = [s for s in sightings if s.active and not s.incoming and s.state is RUNS]
    assert judged.conflict == (len(running) > 1)
    if running:
        assert judged.host in {s.host for s in running}


@given(SIGHTINGS, st.none() | st.integers(1, 4), st.randoms())
def test_the_order_of_the_answers_does_not_matter(sightings, believed, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(sightings)
    random.shuffle(shuffled)
    assert residence(sightings, believed) == residence(shuffled, believed)
