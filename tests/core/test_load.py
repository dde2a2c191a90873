"""Loads from counters, and sizes in words."""

import pytest

from xenweb.core.load import Counter, load_between
from xenweb.core.quantities import GIB, MIB, human_size


def test_the_load_is_the_share_of_all_cpus_between_two_looks() -> None:
    assert load_between(Counter(0, 10.0), Counter(1_000_000_000, 11.0), cpus=2) == pytest.approx(0.5)


def test_one_look_gives_no_load() -> None:
    assert load_between(None, Counter(5, 1.0), cpus=1) is None


def test_a_counter_that_ran_backwards_gives_no_load() -> None:
    assert load_between(Counter(9, 1.0), Counter(5, 2.0), cpus=1) is None


def test_a_load_never_exceeds_one() -> None:
    assert load_between(Counter(0, 0.0), Counter(9_000_000_000, 1.0), cpus=1) == 1.0


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1024, "1 KiB"), (1536 * 1024, "1.5 MiB"), (64 * MIB, "64 MiB"), (3 * GIB, "3 GiB")],
)
def test_sizes_are_said_as_people_read_them(size: int, words: str) -> None:
    assert human_size(size) == words
