"""Measurements of storage: ratios within one run, the nearest ones first, and words that say where they are from."""

from dataclasses import replace

import pytest

from tests.core.test_placement import DISK, SOURCE, TARGET, VM
from xenweb.core.facts import Cost, Origin, RepositoryFacts, StorageCost, StorageKind
from xenweb.core.placement import Finding, Severity, judge
from xenweb.core.storage_costs import compared, in_words, is_slow, nearest

DAY = "2026-11-27"
SAN, NFS, OCFS2 = StorageKind.SAN_BLOCK, StorageKind.NFS, StorageKind.OCFS2


def cost(
    kind: StorageKind = NFS, what: Cost = Cost.WRITE, ratio: float = 1.2, origin: Origin = Origin.LAB
) -> StorageCost:
    return StorageCost(kind, what, ratio, ratio, ratio, 10.0, 6, origin, DAY)


def finding(*costs: StorageCost) -> Finding:
    repository = RepositoryFacts(7, "shared", "netfs", vouched_shared=False, storage=NFS, costs=costs)
    vm = replace(VM, hypervisor="xen", disks=(DISK,))
    here, there = (replace(each, hypervisor="xen", repositories=(repository,)) for each in (SOURCE, TARGET))
    [found] = [each for each in judge(vm, there, here).findings if each.code == "storage_slower"]
    return found


def test_a_ratio_is_that_of_the_middle_ones_and_goes_from_the_smallest_to_the_largest_sample() -> None:
    found = compared({SAN: [8, 10, 12], NFS: [5, 20, 30]}, Cost.WRITE, Origin.LAB, DAY)
    assert [(each.storage, each.ratio, each.low, each.high, each.middle, each.samples) for each in found] == [
        (SAN, 1.0, 0.8, 1.2, 10, 3),
        (NFS, 2.0, 0.5, 3.0, 20, 3),
    ]


@pytest.mark.parametrize("block", [[], [1.0, 2.0], [0.0, -1.0, float("nan"), 3.0]])
def test_nothing_is_compared_with_block_storage_that_was_hardly_measured(block: list[float]) -> None:
    assert compared({SAN: block, NFS: [1, 2, 3]}, Cost.READ, Origin.LAB, DAY) == []


def test_a_kind_with_too_few_samples_is_left_out() -> None:
    found = compared({SAN: [1, 1, 1], NFS: [2, 2], OCFS2: [3, 3, 3]}, Cost.READ, Origin.LAB, DAY)
    assert [each.storage for each in found] == [SAN, OCFS2]


def test_what_was_measured_nearest_counts_for_each_cost_by_itself() -> None:
    lab = [cost(what=what) for what in Cost]
    own = [cost(what=Cost.HAND_OVER, origin=Origin.OWN_BENCH), cost(what=Cost.READ, origin=Origin.OWN_BENCH)]
    moves = [cost(what=Cost.HAND_OVER, origin=Origin.OWN_MOVES)]
    assert [(each.cost, each.origin) for each in nearest([*lab, *own, *moves])] == [
        (Cost.HAND_OVER, Origin.OWN_MOVES),
        (Cost.WRITE, Origin.LAB),
        (Cost.READ, Origin.OWN_BENCH),
    ]


def test_words_say_where_and_when_each_ratio_was_measured() -> None:
    costs = [cost(what=Cost.HAND_OVER, ratio=1.37), cost(what=Cost.READ, ratio=0.5, origin=Origin.OWN_BENCH)]
    assert in_words(costs) == (
        "Measured on this installation, 2026-11-27, as ratios to block storage: read 0.5. "
        "Measured on the Xen lab, 2026-11-27, as ratios to block storage: hand-over 1.4."
    )
    assert in_words([]) == ""


def test_a_kind_that_was_measured_to_be_slow_is_a_warning_and_says_by_how_much() -> None:
    found = finding(cost(ratio=1.6), cost(what=Cost.READ, ratio=0.9))
    assert found.severity is Severity.WARNING
    assert (
        "Measured on the Xen lab, 2026-11-27, as ratios to block storage: flushed write 1.6, read 0.9."
        in found.sentence
    )
    assert (dict(found.facts)["write_ratio"], dict(found.facts)["read_ratio"]) == (1.6, 0.9)


def test_a_kind_that_was_measured_to_be_about_as_fast_is_a_note() -> None:
    assert finding(cost(ratio=1.49)).severity is Severity.NOTE
    assert not is_slow([cost(ratio=1.49)])


def test_what_was_not_measured_is_said_to_be_not_available() -> None:
    found = finding()
    assert found.severity is Severity.NOTE
    assert "Own measurements are not available." in found.sentence
