"""Verdicts: all reasons, the right weight, the headroom after the move."""

from dataclasses import replace

import pytest

from xenweb.core.facts import DiskFacts, HostFacts, HostState, PowerState, RepositoryFacts, VmFacts
from xenweb.core.placement import (
    MEMORY_RESERVE,
    Answer,
    Severity,
    Verdict,
    blocker,
    judge,
    memory_after,
    network_missing,
    warning,
)
from xenweb.core.quantities import GIB, MIB, Bytes

SHARED = RepositoryFacts(7, "shared", "netfs", vouched_shared=False)
DISK = DiskFacts("vda", "/srv/shared/db.img", 7, "shared", "none", read_only=False)
VM = VmFacts(
    id=1,
    uuid="u-1",
    name="shop-db",
    state=PowerState.RUNNING,
    resident_on=1,
    hypervisor="qemu",
    memory=Bytes(1 * GIB),
    disks=(DISK,),
    networks=("lan",),
    moving_as=None,
)
SOURCE = HostFacts(
    id=1,
    name="host-a",
    pool=1,
    state=HostState.CONNECTED,
    state_reason="",
    hypervisor="qemu",
    memory_total=Bytes(8 * GIB),
    memory_free=Bytes(4 * GIB),
    memory_promised=Bytes(0),
    repositories=(SHARED,),
    networks=("lan",),
    age=1.0,
)
TARGET = replace(SOURCE, id=2, name="host-b")


def codes(verdict: Verdict) -> list[str]:
    return [finding.code for finding in verdict.findings]


def test_a_fit_host_can_take_the_vm_and_says_what_stays_free() -> None:
    verdict = judge(VM, TARGET, SOURCE)
    assert verdict.answer is Answer.CAN_GO
    assert verdict.findings == ()
    assert verdict.memory_free_after == 3 * GIB


@pytest.mark.parametrize(
    ("vm", "target", "code"),
    [
        (VM, replace(TARGET, id=1), "same_host"),
        (VM, replace(TARGET, hypervisor="xen"), "hypervisor_differs"),
        (VM, replace(TARGET, pool=2), "pool_differs"),
        (VM, replace(TARGET, state=HostState.UNREACHABLE), "host_unreachable"),
        (VM, replace(TARGET, state=HostState.DISABLED), "host_disabled"),
        (VM, replace(TARGET, age=31.0), "facts_stale"),
        (VM, replace(TARGET, age=None), "facts_stale"),
        (VM, replace(TARGET, memory_free=None), "memory_unknown"),
        (VM, replace(TARGET, memory_free=Bytes(1 * GIB)), "memory_short"),
        (VM, replace(TARGET, memory_promised=Bytes(3 * GIB)), "memory_short"),
        (VM, replace(TARGET, repositories=()), "storage_not_reached"),
        (VM, replace(TARGET, networks=()), "network_missing"),
        (replace(VM, state=PowerState.HALTED), TARGET, "vm_halted"),
        (replace(VM, state=PowerState.PAUSED), TARGET, "vm_not_running"),
        (replace(VM, moving_as="7F3K2QXZ"), TARGET, "vm_already_moving"),
        (replace(VM, conflict=True), TARGET, "vm_runs_twice"),
        (replace(VM, disks=(replace(DISK, cache="writeback"),)), TARGET, "disk_cache_unsafe"),
        (replace(VM, disks=(replace(DISK, repository=None),)), TARGET, "storage_not_reached"),
    ],
)
def test_each_obstacle_is_a_blocker_with_its_code(vm: VmFacts, target: HostFacts, code: str) -> None:
    verdict = judge(vm, target, SOURCE)
    assert verdict.answer is Answer.CANNOT_GO
    assert codes(verdict) == [code]
    finding = verdict.findings[0]
    assert finding.severity is Severity.BLOCKER
    assert finding.sentence.endswith(".")
    assert finding.remedy.endswith(".")
    assert finding.remedy[0].isupper()
    assert not finding.remedy.isupper()
    assert all(value is not None or key in {"age_s", "storage"} for key, value in finding.facts)


def test_all_reasons_are_told_not_the_first() -> None:
    target = replace(TARGET, memory_free=Bytes(0), repositories=(), networks=())
    assert set(codes(judge(VM, target, SOURCE))) == {"memory_short", "storage_not_reached", "network_missing"}


def test_a_silent_source_or_none_forbids_the_move() -> None:
    assert codes(judge(VM, TARGET, None)) == ["source_unknown"]
    silent = replace(SOURCE, state=HostState.UNREACHABLE)
    assert codes(judge(VM, TARGET, silent)) == ["source_unreachable"]


def test_moves_coming_in_and_vouched_storage_are_warnings() -> None:
    vouched = replace(SHARED, vouched_shared=True)
    target = replace(TARGET, incoming=2, repositories=(vouched,))
    verdict = judge(VM, target, SOURCE)
    assert verdict.answer is Answer.CAN_GO_BUT
    assert set(codes(verdict)) == {"moves_coming_in", "sharing_vouched"}
    said = {finding.code: finding for finding in verdict.findings}
    assert said["moves_coming_in"].sentence.startswith("2 moves are ")
    assert dict(said["moves_coming_in"].facts) == {"incoming": 2}
    assert dict(said["sharing_vouched"].facts) == {"device": "vda", "storage": "shared"}
    for finding in verdict.findings:
        assert finding.severity is Severity.WARNING
        assert finding.sentence[0] in "2T"
        assert finding.remedy[0].isupper()
        assert finding.remedy.endswith(".")
        assert not finding.remedy.isupper()


def test_one_move_coming_in_is_told_as_one() -> None:
    warning = judge(VM, replace(TARGET, incoming=1), SOURCE).findings[0]
    assert warning.sentence.startswith("1 move is ")


def test_facts_grow_old_after_half_a_minute_not_at_it() -> None:
    assert judge(VM, replace(TARGET, age=30.0), SOURCE).findings == ()
    assert dict(judge(VM, replace(TARGET, age=31.4), SOURCE).findings[0].facts)["age_s"] == 31


@pytest.mark.parametrize(
    ("here", "there", "warned"),
    [
        ("QEMU 8.2.0", "QEMU 7.2.22", True),
        ("QEMU 7.2.22", "QEMU 7.2.9", True),
        ("QEMU 7.2.9", "QEMU 7.2.22", False),
        ("QEMU 7.2.9", "QEMU 7.2.9", False),
        ("QEMU 8.2.0", "Xen 4.17.0", False),
        ("QEMU 8.2.0", "simulated", False),
        ("", "", False),
    ],
)
def test_an_older_hypervisor_is_a_warning_and_what_cannot_be_compared_is_none(
    here: str, there: str, *, warned: bool
) -> None:
    verdict = judge(VM, replace(TARGET, version=there), replace(SOURCE, version=here))
    assert codes(verdict) == (["hypervisor_older"] if warned else [])

    if warned:
        assert there in verdict.findings[0].sentence
        assert verdict.answer is Answer.CAN_GO_BUT


@pytest.mark.parametrize(("target", "answer"), [("Xen 4.16.0", Answer.CANNOT_GO), ("Xen 4.17.0", Answer.CAN_GO)])
def test_an_older_xen_is_no_target(target: str, answer: Answer) -> None:
    source = replace(SOURCE, hypervisor="xen", version="Xen 4.17.0")
    verdict = judge(replace(VM, hypervisor="xen"), replace(TARGET, hypervisor="xen", version=target), source)
    assert verdict.answer is answer
    assert codes(verdict) == (["xen_older"] if answer is Answer.CANNOT_GO else [])


def test_a_host_with_as_many_moves_as_it_takes_is_a_note_that_forbids_nothing() -> None:
    full = judge(VM, replace(TARGET, moves=2, moves_allowed=2), replace(SOURCE, moves=1, moves_allowed=2))
    assert (codes(full), full.answer) == (["host_limit_reached"], Answer.CAN_GO)
    assert "host-b has 2 moves" in full.findings[0].sentence
    assert codes(judge(VM, replace(TARGET, moves=9), SOURCE)) == []
    busy_source = judge(VM, TARGET, replace(SOURCE, moves=1, moves_allowed=1))
    assert "host-a has 1 move under way" in busy_source.findings[0].sentence


def test_what_the_hypervisor_says_in_the_same_words_is_said_once() -> None:
    said = (network_missing("lan", "host-b"), blocker("name_taken", "Taken.", "Rename."))
    assert codes(judge(VM, replace(TARGET, networks=()), SOURCE, said)) == ["network_missing", "name_taken"]


def test_only_what_a_person_may_know_better_is_overridable() -> None:
    short = judge(VM, replace(TARGET, memory_free=Bytes(0)), SOURCE)
    assert short.findings[0].is_overridable
    assert short.blockers_beside(["memory_short"]) == ()
    assert short.blockers_beside(["memory_unknown"]) == short.blockers
    for code in ("cpu_incompatible", "facts_stale", "name_taken", "network_missing", "disk_differs", "vm_halted"):
        assert not blocker(code, "x", "y").is_overridable
    assert not warning("memory_short", "x", "y").is_overridable


def test_an_override_sets_aside_its_own_code_and_no_other() -> None:
    verdict = judge(VM, replace(TARGET, memory_free=Bytes(0), networks=()), SOURCE)
    assert [each.code for each in verdict.blockers_beside(["memory_short", "network_missing"])] == ["network_missing"]


def test_blockers_come_before_warnings() -> None:
    verdict = judge(VM, replace(TARGET, incoming=1, networks=()), SOURCE)
    assert codes(verdict) == ["network_missing", "moves_coming_in"]


def test_the_hosts_own_reserve_is_kept() -> None:
    exactly = replace(TARGET, memory_free=Bytes(VM.memory + MEMORY_RESERVE))
    assert judge(VM, exactly, SOURCE).answer is Answer.CAN_GO
    one_less = replace(TARGET, memory_free=Bytes(VM.memory + MEMORY_RESERVE - 1))
    assert codes(judge(VM, one_less, SOURCE)) == ["memory_short"]


def test_memory_after_counts_what_other_moves_were_promised() -> None:
    assert memory_after(VM, replace(TARGET, memory_promised=Bytes(512 * MIB))) == 2 * GIB + 512 * MIB
    assert memory_after(VM, replace(TARGET, memory_free=None)) is None


def test_a_read_only_disk_may_use_a_cache_and_needs_no_vouching() -> None:
    vm = replace(VM, disks=(replace(DISK, cache="writeback", read_only=True),))
    target = replace(TARGET, repositories=(replace(SHARED, vouched_shared=True),))
    assert judge(vm, target, SOURCE).answer is Answer.CAN_GO


def test_a_verdict_tells_what_it_was_judged_by() -> None:
    verdict = judge(VM, TARGET, SOURCE)
    assert (verdict.host, verdict.memory_total, verdict.facts_age) == (TARGET.id, TARGET.memory_total, TARGET.age)
