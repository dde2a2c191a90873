"""What every driver must do alike: one suite, the real lab included."""

import multiprocessing
import os
import shlex
import signal
import subprocess
import time

import pytest

from tests.contract.calls import calling, proof, until, until_copying
from tests.contract.rig import SLOW, Rig
from xenweb.core.facts import PowerState
from xenweb.core.migration import Conclusion, Copy, conclude
from xenweb.core.placement import Severity
from xenweb.core.quantities import MIB, BytesPerSecond
from xenweb.drivers.contract import (
    Capability,
    CompletedStats,
    CopyAction,
    DriverError,
    HostEvent,
    HostUnreachableError,
    Lever,
    MigrationPlan,
    MoveCancelledError,
    MoveOptions,
    MoveRefusedError,
    NotSupportedError,
    Phase,
    Progress,
)
from xenweb.drivers.switches import switch_of

pytestmark = pytest.mark.contract


def heavy(rig: Rig, plan: MigrationPlan) -> list[str]:
    """Make the preflight; answer the codes of all that is more than a note."""
    found = rig.driver.preflight(plan).findings
    assert all(each.sentence.endswith(".") and plan.vm_uuid not in each.sentence for each in found)
    return [each.code for each in found if each.severity is not Severity.NOTE]


def test_the_inventory_tells_hosts_vms_and_storage(rig: Rig) -> None:
    looks = {name: rig.driver.inventory(endpoint) for name, endpoint in rig.endpoints.items()}
    assert {look.name for look in looks.values()} == {"host-a", "host-b", "host-c"}
    assert len({look.uuid for look in looks.values()}) == 3
    vms = [vm for look in looks.values() for vm in look.vms]
    assert len(vms) >= 12
    assert {vm.name for vm in vms if vm.state is PowerState.HALTED} == {"old-wiki"}
    for look in looks.values():
        assert look.memory_free is not None
        assert 0 < look.memory_free <= look.memory_total


def test_shared_storage_has_one_identity_and_local_storage_many(rig: Rig) -> None:
    identities: dict[str, set[str]] = {"shared": set(), "local": set()}
    for endpoint in rig.endpoints.values():
        for repository in rig.driver.inventory(endpoint).repositories:
            identities[repository.name].add(repository.identity)
    assert len(identities["shared"]) == 1
    assert len(identities["local"]) == 3


def test_a_disk_is_found_in_its_repository(rig: Rig) -> None:
    look = rig.driver.inventory(rig.endpoints[rig.where("shop-db")])
    disk = next(vm for vm in look.vms if vm.name == "shop-db").disks[0]
    assert disk.repository == next(each.identity for each in look.repositories if each.name == "shared")
    assert disk.cache == "none"


def test_a_live_move_ends_on_the_target_and_both_hosts_prove_it(rig: Rig) -> None:
    plan = rig.plan("web-1")
    assert heavy(rig, plan) == []
    with calling(rig, plan) as call:
        call.join(60)
    assert call.error is None
    assert conclude(proof(rig, plan)) is Conclusion.ON_TARGET
    assert call.stats is not None
    completed = rig.driver.locate(plan.target, plan.vm_uuid).completed
    if not rig.can(Capability.MEASURED_DOWNTIME):
        assert call.stats == completed == CompletedStats(), "what is not measured is not told"
        return
    assert call.stats.total is not None
    assert call.stats.downtime is not None
    assert call.stats.downtime <= call.stats.total
    assert (completed.downtime is not None) is rig.target_remembers


def test_looks_never_fail_during_a_whole_move_and_tell_its_passes(rig: Rig) -> None:
    plan = rig.plan("cache-1", MoveOptions(bandwidth_limit=BytesPerSecond(32.0 * MIB)))
    looks: list[Progress] = [rig.driver.progress(plan)]
    with calling(rig, plan) as call:
        while call.is_alive():
            looks.append(rig.driver.progress(plan))
            time.sleep(0.05)
    looks.append(rig.driver.progress(plan))
    assert call.error is None
    assert looks[0].phase is Phase.NONE
    copying = [look for look in looks if look.phase is Phase.COPYING]
    assert copying
    if not rig.can(Capability.PASSES):
        assert {(look.pass_number, look.remaining, look.total) for look in looks} == {(None, None, None)}
        shares = [look.share for look in copying if look.share is not None]
        assert len(set(shares)) > 2
        assert shares == sorted(shares), "what is across never gets less"
        return
    for look in copying:
        assert look.pass_number is not None
        assert look.remaining is not None
        assert look.total is not None
        assert 0 <= look.remaining <= look.total
    numbers = [look.pass_number or 0 for look in copying]
    assert numbers == sorted(numbers)


def test_cancelling_leaves_the_vm_running_where_it_was(rig: Rig) -> None:
    plan = rig.plan("hot-db", SLOW)
    with calling(rig, plan) as call:
        until_copying(rig, plan)
        assert conclude(proof(rig, plan)) is Conclusion.STILL_MOVING
        rig.driver.change(plan, Lever.CANCEL, None)
        call.join(20)
    assert isinstance(call.error, MoveCancelledError)
    until(lambda: conclude(proof(rig, plan)) is Conclusion.ON_SOURCE, 10)


def test_a_vm_that_changes_faster_than_it_is_copied_goes_on_until_it_is_cancelled(rig: Rig) -> None:
    plan = rig.plan("hot-db", SLOW)
    with calling(rig, plan) as call:
        until_copying(rig, plan)
        time.sleep(2)
        assert rig.driver.progress(plan).phase is Phase.COPYING
        assert call.is_alive()
    assert rig.driver.locate(plan.source, plan.vm_uuid).copy is Copy.RUNNING


def test_a_slow_move_gets_faster_by_choice(rig: Rig) -> None:
    plan = rig.plan("hot-db", SLOW)
    with calling(rig, plan) as call:
        until_copying(rig, plan)
        if not rig.can(Capability.CHANGE_BANDWIDTH):
            with pytest.raises(NotSupportedError):
                rig.driver.change(plan, Lever.BANDWIDTH, 256 * MIB)
            return
        rig.driver.change(plan, Lever.BANDWIDTH, 256 * MIB)
        call.join(30)
    assert call.error is None
    assert conclude(proof(rig, plan)) is Conclusion.ON_TARGET


def test_a_vm_that_is_paused_to_finish_goes_on_at_the_target(rig: Rig) -> None:
    plan = rig.plan("hot-db", MoveOptions(bandwidth_limit=BytesPerSecond(12.0 * MIB)))
    with calling(rig, plan) as call:
        if not rig.can(Capability.PAUSE_AND_FINISH):
            until_copying(rig, plan)
            with pytest.raises(NotSupportedError):
                rig.driver.change(plan, Lever.PAUSE, None)
            return
        until(lambda: (rig.driver.progress(plan).pass_number or 0) >= 2)
        rig.driver.change(plan, Lever.PAUSE, None)
        call.join(60)
    assert call.error is None
    assert conclude(proof(rig, plan)) is Conclusion.ON_TARGET


def test_a_vm_that_is_never_quiet_is_switched_over_before_it_is_copied_or_post_copy_is_refused(rig: Rig) -> None:
    plan = rig.plan("hot-db", MoveOptions(bandwidth_limit=BytesPerSecond(12.0 * MIB), post_copy=True))
    with calling(rig, plan) as call:
        if not rig.can_post_copy:
            call.join(30)
            assert isinstance(call.error, NotSupportedError | MoveRefusedError)
            assert rig.driver.locate(plan.source, plan.vm_uuid).copy is Copy.RUNNING
            return
        until(lambda: (rig.driver.progress(plan).pass_number or 0) >= 2)
        rig.driver.change(plan, Lever.POST_COPY, None)
        until(lambda: rig.driver.progress(plan).phase is Phase.POST_COPY)
        assert conclude(proof(rig, plan)) is Conclusion.STILL_MOVING
        call.join(60)
    assert call.error is None
    assert conclude(proof(rig, plan)) is Conclusion.ON_TARGET


def test_changing_what_is_not_under_way_is_refused(rig: Rig) -> None:
    with pytest.raises(DriverError):
        rig.driver.change(rig.plan("dns-1"), Lever.DOWNTIME, 500)


def test_a_running_copy_is_never_removed(rig: Rig) -> None:
    plan = rig.plan("dns-1")
    with pytest.raises(MoveRefusedError):
        rig.driver.repair(plan.source, plan.vm_uuid, CopyAction.REMOVE)
    assert rig.driver.locate(plan.source, plan.vm_uuid).copy is Copy.RUNNING


def test_the_equivalent_command_does_the_same(rig: Rig) -> None:
    plan = rig.plan("ldap-1")
    command = rig.driver.preflight(plan).command
    if not command:
        pytest.skip("nothing but this driver moves a simulated VM")
    if not rig.runs_commands:
        words = shlex.split(command)
        assert words[0] == "xe"
        assert f"uuid={plan.vm_uuid}" in words
        assert not any(plan.source.secret in word for word in words)
        return
    ran = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert conclude(proof(rig, plan)) is Conclusion.ON_TARGET


def test_giving_up_what_is_not_under_way_is_no_error(rig: Rig) -> None:
    rig.driver.change(rig.plan("dns-1"), Lever.CANCEL, None)


def test_a_vm_that_another_hand_is_moving_is_busy(rig: Rig) -> None:
    plan = rig.plan("hot-db", SLOW)
    with calling(rig, plan):
        until_copying(rig, plan)
        assert "vm_busy" in heavy(rig, rig.plan("hot-db"))


@pytest.mark.parametrize(("silent", "code"), [("source", "source_unreachable"), ("target", "host_unreachable")])
def test_a_silent_host_is_named_and_the_other_checks_are_made(rig: Rig, silent: str, code: str) -> None:
    plan = rig.plan("web-2")
    endpoint = plan.source if silent == "source" else plan.target
    with rig.silence(endpoint.name):
        until(lambda: rig.driver.locate(endpoint, plan.vm_uuid).copy is Copy.NO_ANSWER, 15)
        found = rig.driver.preflight(plan).findings
    until(lambda: rig.driver.locate(endpoint, plan.vm_uuid).copy is not Copy.NO_ANSWER, 15)
    assert [(each.code, endpoint.name in each.sentence) for each in found if each.severity is Severity.BLOCKER] == [
        (code, True)
    ]


def test_a_halted_vm_is_not_moved_as_if_it_ran(rig: Rig) -> None:
    plan = rig.plan("old-wiki")
    assert heavy(rig, plan) == ["vm_state_changed"]
    with pytest.raises(DriverError):
        rig.driver.migrate(plan)
    assert rig.driver.locate(plan.source, plan.vm_uuid).copy is Copy.INACTIVE


def test_a_call_that_is_not_permitted_any_more_is_not_made(rig: Rig) -> None:
    class SleptError(Exception):
        pass

    def slept() -> None:
        raise SleptError

    plan = rig.plan("dns-1")
    with pytest.raises(SleptError):
        rig.driver.migrate(plan, slept)
    at_source, at_target = (rig.driver.locate(each, plan.vm_uuid) for each in (plan.source, plan.target))
    assert (at_source.copy, at_source.busy, at_target.copy) == (Copy.RUNNING, False, Copy.ABSENT)


def test_a_vm_whose_disk_only_its_host_has_is_refused_before_the_call(rig: Rig) -> None:
    findings = rig.driver.preflight(rig.plan("ledger")).findings
    assert "disk_not_there" in [finding.code for finding in findings]
    assert all(finding.sentence and finding.remedy for finding in findings)


def test_a_shared_disk_moves_only_where_it_is_known_to_be_shared(rig: Rig) -> None:
    if rig.proves_sharing:
        known = rig.plan("shop-db")
        assert heavy(rig, known) == []
        with calling(rig, known) as call:
            call.join(60)
        assert call.error is None
        assert conclude(proof(rig, known)) is Conclusion.ON_TARGET
        return
    refused = rig.plan("shop-db")
    with pytest.raises(DriverError):
        rig.driver.migrate(refused)
    assert rig.driver.locate(refused.source, refused.vm_uuid).copy is Copy.RUNNING
    trusted = rig.plan("shop-db", trust=True)
    with calling(rig, trusted) as call:
        call.join(60)
    assert call.error is None
    assert conclude(proof(rig, trusted)) is Conclusion.ON_TARGET


def test_a_host_that_is_not_there_is_said_to_be_unreachable(rig: Rig) -> None:
    began = time.monotonic()
    with pytest.raises(HostUnreachableError):
        rig.driver.inventory(rig.nowhere())
    assert rig.driver.locate(rig.nowhere(), rig.uuid("dns-1")).copy is Copy.NO_ANSWER
    assert time.monotonic() - began < 15


def test_a_silent_host_proves_nothing_and_is_heard_again_later(rig: Rig) -> None:
    uuid = rig.uuid("wiki")
    endpoint = rig.endpoints[rig.where("wiki")]
    with rig.silence(endpoint.name):
        until(lambda: rig.driver.locate(endpoint, uuid).copy is Copy.NO_ANSWER, 15)
        with pytest.raises(HostUnreachableError):
            rig.driver.inventory(endpoint)
    until(lambda: rig.driver.locate(endpoint, uuid).copy is Copy.RUNNING, 15)


def test_a_change_from_outside_is_told_within_two_seconds(rig: Rig) -> None:
    heard: list[HostEvent] = []
    endpoint = rig.endpoints[rig.where("dns-2")]
    watch = rig.driver.watch(endpoint, heard.append)
    try:
        rig.change_outside("dns-2")
        until(lambda: bool(heard), 2)
    finally:
        watch.close()


def _migrate_elsewhere(rig: Rig, plan: MigrationPlan) -> None:
    rig.driver.migrate(plan)


def test_a_move_goes_on_without_the_process_that_began_it(rig: Rig) -> None:
    plan = rig.plan("mail-2", SLOW)
    other = multiprocessing.get_context("spawn").Process(target=_migrate_elsewhere, args=(rig, plan), daemon=True)
    other.start()
    until_copying(rig, plan)
    assert other.pid is not None
    os.kill(other.pid, signal.SIGKILL)
    other.join(5)
    assert conclude(proof(rig, plan)) is Conclusion.STILL_MOVING
    assert rig.driver.progress(plan).phase is Phase.COPYING
    rig.hurry()
    until(lambda: conclude(proof(rig, plan)) is Conclusion.ON_TARGET, 60)
    measured = rig.driver.locate(plan.target, plan.vm_uuid).completed.downtime
    assert (measured is not None) is (rig.can(Capability.MEASURED_DOWNTIME) and rig.target_remembers)


def test_whoever_keeps_looking_learns_how_fast_vms_change(rig: Rig) -> None:
    endpoint = rig.endpoints[rig.where("hot-db")]
    if not rig.measures_changes:
        assert {vm.dirty_rate for vm in rig.driver.inventory(endpoint).vms} == {None}
        return
    deadline = time.monotonic() + 30
    rate = at = None
    while (rate or 0) < 2 * MIB and time.monotonic() < deadline:  # a sample that draws no changed page says 0
        time.sleep(0.2)
        vm = next(each for each in rig.driver.inventory(endpoint).vms if each.name == "hot-db")
        rate, at = vm.dirty_rate, vm.dirty_rate_at
    # It changes 15.6 MiB a second; samples find at least some of it.
    assert rate is not None
    assert at is not None
    assert 2 * MIB <= rate <= 64 * MIB
    assert abs(time.time() - at.timestamp()) < 90


def test_a_host_is_taken_out_of_service_and_back_where_its_hypervisor_knows_of_it(rig: Rig) -> None:
    switch = switch_of(rig.driver)
    host = rig.endpoints["host-b"]
    if switch is None:
        assert rig.driver.inventory(host).enabled is None, "what nobody can switch nobody has a word about"
        return
    before = rig.driver.inventory(host)
    assert before.enabled is True
    for _ in range(2):
        switch.host_enable(host, is_enabled=False)
        look = rig.driver.inventory(host)
        assert (look.enabled, {vm.uuid for vm in look.vms}) == (False, {vm.uuid for vm in before.vms})
    vm = next(name for name in ("dns-1", "web-1") if rig.where(name) != "host-b")
    assert "host_disabled" in heavy(rig, rig.plan(vm, target="host-b"))
    for _ in range(2):
        switch.host_enable(host, is_enabled=True)
        assert rig.driver.inventory(host).enabled is True
    with rig.silence("host-b"), pytest.raises(HostUnreachableError):
        switch.host_enable(host, is_enabled=False)
