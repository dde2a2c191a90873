"""Moves as XAPI makes them: inside a pool, with disks, to another pool, of halted and suspended VMs; and giving up."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.queues import Queue

import pytest

from tests.xapi.moving import SLOW, calling, give_up, plan, proof, until, until_moving
from tests.xapi.process import Pools
from xenweb.core.facts import Kind, PowerState
from xenweb.core.migration import Conclusion, Copy, conclude
from xenweb.core.placement import Severity
from xenweb.core.quantities import MIB
from xenweb.drivers.contract import (
    CopyAction,
    Endpoint,
    HostEvent,
    MoveCancelledError,
    MoveOptions,
    MoveRefusedError,
    NotSupportedError,
    Phase,
    Progress,
    VmMissingError,
)
from xenweb.drivers.xapi_driver.driver import XapiDriver
from xenweb.lab.xapi.model import NULL
from xenweb.lab.xapi.world import identity

GREEN = ("host-a", "host-b", "host-c")


def blockers(driver: XapiDriver, planned) -> list[str]:
    return [each.code for each in driver.preflight(planned).findings if each.severity is Severity.BLOCKER]


def test_a_running_vm_with_its_disk_moves_to_another_pool(xapi: Pools, driver: XapiDriver) -> None:
    planned = plan(xapi, "ledger", "host-b", "host-d", disks=True)
    assert blockers(driver, planned) == []
    driver.migrate(planned)
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET
    assert driver.locate(planned.source, planned.vm_uuid).copy is Copy.ABSENT
    assert xapi.do("residence", vm="ledger") == "host-d"
    there = next(vm for vm in driver.inventory(planned.target).vms if vm.name == "ledger")
    assert there.uuid == planned.vm_uuid
    assert "ledger 0" in xapi.do("disks", host="host-d")
    assert "ledger 0" not in xapi.do("disks", host="host-b")


def test_a_vm_on_shared_storage_moves_to_another_pool_only_with_a_place_for_its_disk(
    xapi: Pools, driver: XapiDriver
) -> None:
    planned = plan(xapi, "shop-db", "host-a", "host-d")
    assert "disk_not_there" in blockers(driver, planned)
    with pytest.raises(MoveRefusedError, match=r"not on storage that host-d reaches"):
        driver.migrate(planned)
    assert driver.locate(planned.source, planned.vm_uuid).copy is Copy.RUNNING


def test_a_halted_vm_takes_its_disk_to_another_host_of_its_pool(xapi: Pools, driver: XapiDriver) -> None:
    planned = plan(xapi, "blue-old", "host-e", "host-d", kind=Kind.COLD, disks=True)
    assert blockers(driver, planned) == []
    driver.migrate(planned)
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET
    assert xapi.do("tell", **{"class": "VM", "name": "blue-old"})["power_state"] == "Halted"
    assert "blue-old 0" in xapi.do("disks", host="host-d")


def test_a_halted_vm_goes_to_another_pool_and_is_not_started(xapi: Pools, driver: XapiDriver) -> None:
    planned = plan(xapi, "blue-old", "host-e", "host-a", kind=Kind.COLD, disks=True)
    driver.migrate(planned)
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET
    assert xapi.do("tell", **{"class": "VM", "name": "blue-old"})["pool"] == "green"


def test_a_suspended_vm_changes_its_home_and_stays_suspended(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("power", vm="shop-db", power="Suspended")
    xapi.do("field", **{"class": "VM", "name": "shop-db", "field": "affinity", "value": _host(xapi, "host-a")})
    planned = plan(xapi, "shop-db", "host-a", "host-b", kind=Kind.COLD)
    before = next(vm for vm in driver.inventory(planned.source).vms if vm.name == "shop-db")
    assert (before.state, before.active) == (PowerState.SUSPENDED, False)
    driver.migrate(planned)
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET
    assert xapi.do("tell", **{"class": "VM", "name": "shop-db"})["power_state"] == "Suspended"


def _host(xapi: Pools, name: str) -> str:
    return str(xapi.do("tell", **{"class": "host", "name": name})["ref"])


def test_progress_never_falls_within_a_phase_and_the_phases_come_in_order(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("set", link=2 * SLOW)
    planned = plan(xapi, "ledger", "host-b", "host-a", disks=True)
    looks: list[Progress] = []
    with calling(driver, planned) as call:
        while call.is_alive():
            looks.append(driver.progress(planned))
            call.join(0.04)
    order = [Phase.NONE, Phase.STARTING, Phase.COPYING_STORAGE, Phase.COPYING, Phase.SWITCHING]
    phases = [look.phase for look in looks]
    while phases and phases[-1] is Phase.NONE:
        phases.pop()
    assert [order.index(phase) for phase in phases] == sorted(order.index(phase) for phase in phases)
    assert {Phase.COPYING_STORAGE, Phase.COPYING} <= set(phases)
    for shares in (
        [look.disk_processed for look in looks if look.phase is Phase.COPYING_STORAGE],
        [look.share for look in looks if look.phase is Phase.COPYING],
    ):
        assert shares == sorted(shares)


@pytest.mark.fault("F31", oracle="the VM's residence as the pool's own records have it, read past the XenAPI")
def test_too_late_to_give_up_is_said_and_the_move_arrives(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("set", pause=1.5)
    planned = plan(xapi, "hot-db", "host-a", "host-b")
    with calling(driver, planned) as call:
        until(lambda: driver.progress(planned).phase is Phase.SWITCHING, 30)
        with pytest.raises(MoveRefusedError, match=r"too late: hot-db is being switched over to host-b"):
            give_up(driver, planned)
    assert call.is_done
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET
    assert xapi.do("residence", vm="hot-db") == "host-b"


def test_giving_up_from_another_process_ends_the_move_and_the_vm_has_stayed(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("set", link=SLOW / 4)
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with calling(driver, planned) as call:
        until_moving(driver, planned)
        give_up(XapiDriver(), planned)
    assert isinstance(call.error, MoveCancelledError)
    assert conclude(proof(driver, planned)) is Conclusion.ON_SOURCE


@pytest.mark.parametrize("user", ["root", "mover"])
def test_what_another_hand_has_begun_is_never_given_up_as_ours(xapi: Pools, driver: XapiDriver, user: str) -> None:
    xapi.do("set", link=SLOW)
    theirs = plan(xapi, "web-1", "host-a", "host-c", user=user)
    ours = plan(xapi, "web-1", "host-a", "host-b")
    with calling(driver, theirs) as call:
        until_moving(driver, theirs)
        if user == "mover":  # who may not mark a task leaves open whose it is
            with pytest.raises(MoveRefusedError, match=r"nothing shows that this is our move"):
                give_up(XapiDriver(), ours)
        else:
            other = XapiDriver()
            assert other.progress(ours).phase is Phase.NONE
            give_up(other, ours)
    assert call.is_done, call.error
    assert xapi.do("residence", vm="web-1") == "host-c"


def test_a_move_whose_answer_was_lost_is_followed_and_neither_marked_nor_given_up_on_a_guess(
    xapi: Pools, driver: XapiDriver
) -> None:
    xapi.do("set", link=SLOW)
    xapi.do("drop", method="Async.VM.pool_migrate")
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with calling(driver, planned) as call:
        until_moving(driver, planned)
        [task] = xapi.do("tell", **{"class": "VM", "name": "web-1"})["current_operations"]
        assert xapi.do("tell", **{"class": "task", "name": task})["other_config"] == {}
        with pytest.raises(MoveRefusedError, match=r"nothing shows that this is our move"):
            give_up(driver, planned)
    assert call.is_done


def test_a_move_waits_in_the_pool_while_another_hand_holds_the_vm_and_can_be_given_up(
    xapi: Pools, driver: XapiDriver
) -> None:
    xapi.do("busy", vm="web-1", operation="snapshot")
    planned = plan(xapi, "web-1", "host-a", "host-b")
    assert "vm_busy" in blockers(driver, planned)
    with calling(driver, planned) as call:
        until(lambda: driver.progress(planned).phase is Phase.STARTING)
        give_up(driver, planned)
    assert isinstance(call.error, MoveCancelledError)
    xapi.do("busy", vm="web-1")


def test_what_is_given_up_before_its_task_is_known_is_given_up_all_the_same(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("busy", vm="web-1", operation="snapshot")
    planned = plan(xapi, "web-1", "host-a", "host-b")
    driver.inventory(planned.source)
    xapi.do("set", answers_after=0.3)
    with calling(driver, planned) as call:
        until(lambda: driver.moves.is_followed(planned.vm_uuid))
        give_up(driver, planned)
        xapi.do("set", answers_after=0.0)
    assert isinstance(call.error, MoveCancelledError)
    xapi.do("busy", vm="web-1")
    assert conclude(proof(driver, planned)) is Conclusion.ON_SOURCE


def test_a_fourth_move_of_disks_from_one_host_is_refused_with_the_number(xapi: Pools, driver: XapiDriver) -> None:
    for vm in ("dns-2", "web-2", "mail-2"):
        xapi.do("busy", vm=vm, operation="migrate_send")
    planned = plan(xapi, "ledger", "host-b", "host-a", disks=True)
    with pytest.raises(MoveRefusedError, match=r"already copies disks of 3 VMs"):
        driver.migrate(planned)


@pytest.mark.parametrize(
    "options", [MoveOptions(downtime_limit=300), MoveOptions(auto_converge=True), MoveOptions(post_copy=True)]
)
def test_a_wish_that_xapi_does_not_take_is_refused_and_not_dropped(
    xapi: Pools, driver: XapiDriver, options: MoveOptions
) -> None:
    planned = replace(plan(xapi, "web-1", "host-a", "host-b"), options=options)
    with pytest.raises(NotSupportedError):
        driver.migrate(planned)


def test_a_vm_that_is_elsewhere_by_now_is_missing_at_its_source(xapi: Pools, driver: XapiDriver) -> None:
    planned = plan(xapi, "web-2", "host-a", "host-c")
    with pytest.raises(VmMissingError):
        driver.migrate(planned)


def test_the_migration_network_is_that_of_the_address_which_was_given(xapi: Pools, driver: XapiDriver) -> None:
    planned = plan(xapi, "dns-1", "host-a", "host-b")
    wrong = replace(planned, target=replace(planned.target, migration_address="192.0.2.9"))
    with pytest.raises(MoveRefusedError, match=r"No interface of the target"):
        driver.migrate(wrong)
    right = replace(planned, target=replace(planned.target, migration_address=xapi.address("host-b")))
    driver.migrate(right)
    assert xapi.do("residence", vm="dns-1") == "host-b"


def test_a_copy_can_be_paused_and_let_go_on_but_the_only_record_is_never_removed(
    xapi: Pools, driver: XapiDriver
) -> None:
    here, uuid = xapi.endpoint("host-a"), identity("web-1")
    driver.repair(here, uuid, CopyAction.PAUSE)
    assert driver.locate(here, uuid).copy is Copy.PAUSED
    with pytest.raises(MoveRefusedError):
        driver.repair(here, uuid, CopyAction.REMOVE_PAUSED)
    driver.repair(here, uuid, CopyAction.RESUME)
    assert driver.locate(here, uuid).copy is Copy.RUNNING


def test_a_deletion_that_the_pool_forgot_to_tell_is_noticed_by_its_count(xapi: Pools, driver: XapiDriver) -> None:
    here = xapi.endpoint("host-a")
    assert "web-1" in {vm.name for vm in driver.inventory(here).vms}
    xapi.do("remove", vm="web-1")
    xapi.do("flood", host="host-a", count=600)
    assert "web-1" not in {vm.name for vm in driver.inventory(here).vms}


def test_a_change_is_told_with_the_vm_that_it_is_of(xapi: Pools, driver: XapiDriver) -> None:
    heard: list[HostEvent] = []
    watch = driver.watch(xapi.endpoint("host-a", 7), heard.append)
    xapi.do("field", **{"class": "VM", "name": "web-1", "field": "name_description", "value": "changed"})
    until(lambda: any(event.vm_uuid == identity("web-1") for event in heard), 3)
    assert {event.host for event in heard} == {7}
    xapi.do("failover", host="host-c")
    watch.close()


def test_many_threads_share_one_driver_and_one_session(xapi: Pools, driver: XapiDriver) -> None:
    hosts = [xapi.endpoint(name) for name in ("host-a", "host-b", "host-c")]

    def ask(number: int) -> tuple[int, Copy]:
        look = driver.inventory(hosts[number % 3])
        return len(look.vms), driver.locate(hosts[0], identity("web-1")).copy

    with ThreadPoolExecutor(max_workers=8) as asking:
        answers = list(asking.map(ask, range(24)))
    assert {copy for _, copy in answers} == {Copy.RUNNING}
    assert len({answers[number] for number in range(3)} | set(answers)) == 3, "the same host is always the same"
    assert xapi.do("sessions")["green"] == 1


def _in_a_fork(endpoint: Endpoint, driver: XapiDriver, told: "Queue[int]") -> None:
    told.put(len(driver.inventory(endpoint).vms))


def test_a_forked_process_begins_a_session_of_its_own(xapi: Pools, driver: XapiDriver) -> None:
    endpoint = xapi.endpoint("host-a")
    here = len(driver.inventory(endpoint).vms)
    forking = multiprocessing.get_context("fork")
    told: Queue[int] = forking.Queue()
    child = forking.Process(target=_in_a_fork, args=(endpoint, driver, told))
    child.start()
    assert told.get(timeout=20) == here
    child.join(10)
    assert len(driver.inventory(endpoint).vms) == here
    assert xapi.do("sessions")["green"] == 2


def test_the_inventory_adds_up_and_leaves_out_what_is_no_vm(xapi: Pools, driver: XapiDriver) -> None:
    looks = [driver.inventory(xapi.endpoint(host)) for host in ("host-a", "host-b", "host-c")]
    vms = [vm for look in looks for vm in look.vms]
    assert len({vm.uuid for vm in vms}) == len(vms) == 15
    assert not [vm for vm in vms if "template" in vm.name or "Control domain" in vm.name]
    for look in looks:
        taken = sum(vm.memory for vm in look.vms if vm.state is PowerState.RUNNING)
        assert look.memory_free is not None
        assert look.memory_free + taken <= look.memory_total - 512 * MIB
    assert {each.name for look in looks for each in look.repositories} == {"shared", "local"}


def test_a_suspended_vm_takes_its_disk_and_its_memory_to_another_pool_and_stays_suspended(
    xapi: Pools, driver: XapiDriver
) -> None:
    xapi.do("power", vm="ledger", power="Suspended")
    planned = plan(xapi, "ledger", "host-b", "host-d", kind=Kind.COLD, disks=True)
    assert blockers(driver, planned) == []
    assert "suspend_image_moves" in [each.code for each in driver.preflight(planned).findings]
    driver.migrate(planned)
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET
    told = xapi.do("tell", **{"class": "VM", "name": "ledger"})
    assert (told["pool"], told["power_state"]) == ("blue", "Suspended")
    image = xapi.do("tell", **{"class": "VDI", "name": told["suspend_VDI"]})
    assert (image["pool"], image["type"]) == ("blue", "suspend")
    assert xapi.do("tell", **{"class": "SR", "name": image["SR"]})["name_label"] == "local", "where its disk is"


def test_a_suspended_vm_without_disks_takes_its_memory_to_the_default_storage_of_another_pool(
    xapi: Pools, driver: XapiDriver
) -> None:
    xapi.do("power", vm="dns-1", power="Suspended")
    xapi.do("field", **{"class": "VM", "name": "dns-1", "field": "affinity", "value": _host(xapi, "host-a")})
    planned = plan(xapi, "dns-1", "host-a", "host-e", kind=Kind.COLD)
    assert blockers(driver, planned) == []
    driver.migrate(planned)
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET
    told = xapi.do("tell", **{"class": "VM", "name": "dns-1"})
    image = xapi.do("tell", **{"class": "VDI", "name": told["suspend_VDI"]})
    assert xapi.do("tell", **{"class": "SR", "name": image["SR"]})["name_label"] == "shared-blue"


def test_kept_memory_that_has_no_room_at_the_target_is_refused(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("power", vm="dns-1", power="Suspended")
    xapi.do("field", **{"class": "VM", "name": "dns-1", "field": "affinity", "value": _host(xapi, "host-a")})
    full = {"class": "SR", "name": "shared-blue", "field": "physical_utilisation", "value": 100 * 2**30}
    xapi.do("field", **full)
    assert "storage_full" in blockers(driver, plan(xapi, "dns-1", "host-a", "host-e", kind=Kind.COLD))


def test_a_halted_vm_whose_home_does_not_reach_its_disks_is_where_the_inventory_shows_it(
    xapi: Pools, driver: XapiDriver
) -> None:
    xapi.do("field", **{"class": "VM", "name": "old-wiki", "field": "affinity", "value": _host(xapi, "host-c")})
    shared = xapi.do("tell", **{"class": "SR", "name": "shared"})
    for ref in shared["PBDs"]:
        if xapi.do("tell", **{"class": "PBD", "name": ref})["host"] == _host(xapi, "host-c"):
            xapi.do("field", **{"class": "PBD", "name": ref, "field": "currently_attached", "value": False})
    assert located(xapi, driver, "old-wiki") == shown(xapi, driver, "old-wiki") == [leader(xapi)]


def located(xapi: Pools, driver: XapiDriver, vm: str) -> list[str]:
    """List the hosts that say they keep a halted VM when they are asked directly."""
    looks = {name: driver.locate(xapi.endpoint(name, 1), identity(vm)).copy for name in GREEN}
    assert set(looks.values()) <= {Copy.INACTIVE, Copy.ABSENT}
    return [name for name, copy in looks.items() if copy is Copy.INACTIVE]


def shown(xapi: Pools, driver: XapiDriver, vm: str) -> list[str]:
    """List the hosts whose inventory has a VM."""
    return [name for name in GREEN if vm in {each.name for each in driver.inventory(xapi.endpoint(name)).vms}]


def leader(xapi: Pools) -> str:
    master = xapi.do("tell", **{"class": "pool", "name": "green"})["master"]
    return next(name for name in GREEN if _host(xapi, name) == master)


def test_a_halted_vm_without_a_home_is_on_one_host_alone_and_a_refused_move_of_it_changes_nothing(
    xapi: Pools, driver: XapiDriver
) -> None:
    xapi.do("field", **{"class": "VM", "name": "old-wiki", "field": "affinity", "value": NULL})
    here = leader(xapi)
    assert located(xapi, driver, "old-wiki") == shown(xapi, driver, "old-wiki") == [here]
    xapi.do("set", unknown=["VM.set_affinity"])
    for there in set(GREEN) - {here}:
        planned = plan(xapi, "old-wiki", here, there, kind=Kind.COLD)
        with pytest.raises(NotSupportedError):
            driver.migrate(planned)
        assert conclude(proof(driver, planned)) is Conclusion.ON_SOURCE
    xapi.do("set", unknown=[])
    driver.migrate(planned)
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET
