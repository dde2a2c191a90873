"""Disks on the way: shared, copied or out of reach, and the room and the time that copies take."""

from dataclasses import replace

import pytest

from tests.core.test_placement import DISK, SHARED, SOURCE, TARGET, VM, codes
from xenweb.core.facts import Ability, HostFacts, Kind, PowerState, RepositoryFacts, VmFacts, kind_for
from xenweb.core.placement import Answer, Severity, judge
from xenweb.core.precopy.forecast import Range
from xenweb.core.precopy.storage import DiskLook, DiskTrack, copying, memory_share_in, observe_disks, share_of
from xenweb.core.quantities import GIB, MIB, Bytes, Milliseconds
from xenweb.core.storage import Way, copied_bytes, copied_disks, placed

HERE = RepositoryFacts(8, "local", "dir", vouched_shared=False, path="/srv/local", available=Bytes(1 * GIB))
THERE = replace(HERE, id=9)
LOCAL_DISK = replace(DISK, path="/srv/local/ledger.img", repository=8, capacity=Bytes(32 * MIB))
LEDGER = replace(VM, name="ledger", disks=(LOCAL_DISK,))
ABLE = replace(TARGET, repositories=(SHARED, THERE), abilities=frozenset(Ability) - {Ability.CHOSEN_PLACES})


def test_a_disk_of_one_host_is_copied_to_the_same_path_and_the_verdict_says_how_much() -> None:
    verdict = judge(LEDGER, ABLE, SOURCE)
    assert verdict.answer is Answer.CAN_GO_BUT
    (finding,) = verdict.findings
    assert (finding.code, finding.severity) == ("disk_copied", Severity.WARNING)
    assert "32 MiB of disk must be copied" in finding.sentence
    assert "is removed by the hypervisor" in finding.remedy
    untidy = replace(ABLE, abilities=ABLE.abilities - {Ability.TIDIES_DISKS})
    assert "stays behind until somebody deletes it" in judge(LEDGER, untidy, SOURCE).findings[0].remedy
    assert dict(finding.facts) == {"device": "vda", "bytes": 32 * MIB, "repository": "local"}
    assert copied_bytes(LEDGER, ABLE) == 32 * MIB


@pytest.mark.parametrize(
    ("vm", "host", "code"),
    [
        (LEDGER, replace(ABLE, abilities=frozenset()), "storage_not_reached"),
        (LEDGER, replace(ABLE, repositories=(SHARED, replace(THERE, path="/elsewhere"))), "storage_not_reached"),
        (LEDGER, replace(ABLE, repositories=(SHARED, replace(THERE, path="/srv"))), "storage_not_reached"),
        (LEDGER, replace(ABLE, repositories=(replace(THERE, available=Bytes(32 * MIB - 1)),)), "storage_full"),
        (LEDGER, replace(ABLE, repositories=(replace(THERE, available=None),)), "storage_full"),
        (LEDGER, replace(ABLE, disk_promised=Bytes(1 * GIB)), "storage_full"),
        (replace(LEDGER, disks=(replace(LOCAL_DISK, capacity=None),)), ABLE, "disk_size_unknown"),
        (replace(LEDGER, disks=(replace(LOCAL_DISK, read_only=True),)), ABLE, "storage_not_reached"),
        (replace(LEDGER, state=PowerState.HALTED), ABLE, "cold_disk_not_shared"),
    ],
)
def test_each_obstacle_to_a_copy_is_a_blocker(vm: VmFacts, host: HostFacts, code: str) -> None:
    verdict = judge(vm, host, SOURCE)
    assert verdict.answer is Answer.CANNOT_GO
    assert code in [finding.code for finding in verdict.blockers]
    assert all(finding.sentence.endswith(".") and finding.remedy.endswith(".") for finding in verdict.findings)


def test_a_copy_fits_exactly() -> None:
    exactly = replace(ABLE, repositories=(replace(THERE, available=Bytes(32 * MIB)),))
    assert judge(LEDGER, exactly, SOURCE).answer is Answer.CAN_GO_BUT


def test_two_disks_must_fit_together() -> None:
    twice = replace(LEDGER, disks=(LOCAL_DISK, replace(LOCAL_DISK, device="vdb", path="/srv/local/b.img")))
    room = replace(ABLE, repositories=(replace(THERE, available=Bytes(48 * MIB)),))
    assert "storage_full" in codes(judge(twice, room, SOURCE))


def test_only_the_disks_that_are_not_shared_are_copied() -> None:
    both = replace(LEDGER, disks=(DISK, LOCAL_DISK))
    assert [disk.path for disk in copied_disks(both, ABLE)] == [LOCAL_DISK.path]
    assert [each.way for each in placed(both, ABLE)] == [Way.SHARED, Way.COPIED]


def test_a_copied_disk_may_use_a_cache() -> None:
    cached = replace(LEDGER, disks=(replace(LOCAL_DISK, cache="writeback"),))
    assert codes(judge(cached, ABLE, SOURCE)) == ["disk_copied"]


@pytest.mark.parametrize(("kind", "is_proven"), [("dir", False), ("fs", False), ("logical", False), ("netfs", True)])
def test_a_folder_is_not_shared_because_it_looks_alike(kind: str, is_proven: bool) -> None:
    target = replace(TARGET, repositories=(replace(SHARED, kind=kind),))
    assert codes(judge(VM, target, SOURCE)) == ([] if is_proven else ["sharing_unproven"])
    vouched = replace(TARGET, repositories=(replace(SHARED, kind=kind, vouched_shared=True),))
    assert codes(judge(VM, vouched, SOURCE)) == ["sharing_vouched"]


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (PowerState.RUNNING, Kind.LIVE),
        (PowerState.PAUSED, Kind.PAUSED),
        (PowerState.HALTED, Kind.COLD),
        (PowerState.CRASHED, None),
        (PowerState.UNKNOWN, None),
    ],
)
def test_the_state_of_a_vm_says_how_it_moves(state: PowerState, kind: Kind | None) -> None:
    assert kind_for(state) is kind


@pytest.mark.parametrize(("state", "code"), [(PowerState.HALTED, "moves_halted"), (PowerState.PAUSED, "moves_paused")])
def test_a_vm_that_does_not_run_moves_as_it_is(state: PowerState, code: str) -> None:
    verdict = judge(replace(VM, state=state), ABLE, SOURCE)
    assert verdict.answer is Answer.CAN_GO
    assert [(finding.code, finding.severity) for finding in verdict.findings] == [(code, Severity.NOTE)]


def test_a_halted_vm_takes_no_memory_and_its_cache_loses_nothing() -> None:
    halted = replace(VM, state=PowerState.HALTED, disks=(replace(DISK, cache="writeback"),))
    full = replace(ABLE, memory_free=Bytes(0))
    assert judge(halted, full, SOURCE).answer is Answer.CAN_GO


def test_a_crashed_vm_moves_in_no_way() -> None:
    assert codes(judge(replace(VM, state=PowerState.CRASHED), ABLE, SOURCE)) == ["vm_not_running"]


def look(at: int, done: int) -> DiskLook:
    return DiskLook(Milliseconds(at), Bytes(32 * MIB), Bytes(done * MIB), Bytes((32 - done) * MIB))


def test_the_speed_of_a_copy_is_that_of_the_last_seconds() -> None:
    track = observe_disks(DiskTrack(), look(0, 0))
    assert track.rate is None
    track = observe_disks(track, look(1000, 8))
    assert track.rate == 8 * MIB
    for second in range(2, 12):
        track = observe_disks(track, look(second * 1000, 8))
    assert track.rate == 0


def test_a_copy_that_is_counted_in_steps_does_not_stand_still_between_them() -> None:
    track = observe_disks(DiskTrack(), look(0, 16))
    track = observe_disks(track, look(3000, 16))
    assert track.rate is None
    assert observe_disks(track, look(4000, 32)).rate == 4 * MIB


def test_disks_and_memory_weigh_by_their_size_and_never_run_backwards() -> None:
    disk, memory = Bytes(32 * MIB), Bytes(96 * MIB)
    shares = [share_of(look(0, done), 0.0, disk, memory) for done in (0, 16, 32)]
    shares += [share_of(look(0, 30), memory_share, disk, memory) for memory_share in (0.1, 0.5, 1.0)]
    assert shares[:3] == [0.0, 0.125, 0.25]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert share_of(None, 0.5, Bytes(0), memory) == 0.5


def test_memorys_own_share_is_found_again() -> None:
    disk, memory = Bytes(32 * MIB), Bytes(96 * MIB)
    assert memory_share_in(share_of(look(0, 32), 0.4, disk, memory), disk, memory) == pytest.approx(0.4)
    assert memory_share_in(0.1, disk, memory) == 0.0
    assert memory_share_in(0.7, Bytes(0), memory) == 0.7


def test_an_empty_disk_may_take_next_to_nothing_and_a_full_one_its_size() -> None:
    took = copying(Bytes(100 * MIB), Range(10.0 * MIB, 20.0 * MIB, 50.0 * MIB))
    assert (took.likely, took.high) == (5.0, 10.0)
    assert took.low == pytest.approx(0.1)
