"""The coordinator changes in mid-move: the task is gone, and that is no failure."""

import pytest

from tests.xapi.moving import SLOW, calling, plan, proof, until, until_moving
from tests.xapi.process import Pools
from xenweb.core.facts import Kind
from xenweb.core.migration import Conclusion, Copy, Unclear, conclude
from xenweb.drivers.contract import HostUnreachableError, MigrationPlan, MoveBrokenError, Phase
from xenweb.drivers.failures import MoveLostError
from xenweb.drivers.xapi_driver import moving
from xenweb.drivers.xapi_driver.driver import XapiDriver
from xenweb.lab.xapi.model import NULL

BY_THE_POOL = "the VM's residence as the pool's own records have it, read past the XenAPI"


def tells_nothing(driver: XapiDriver, planned: MigrationPlan) -> bool:
    """Look at a move whose task is gone; right after the change nobody may be there to ask."""
    try:
        return driver.progress(planned).phase is Phase.NONE
    except HostUnreachableError:
        return False


def called_cancelled(pools: Pools, vm: str) -> None:
    """Let a pool call a move cancelled by itself, as it does when a member's toolstack starts anew."""
    [task] = pools.do("tell", **{"class": "VM", "name": vm})["current_operations"]
    pools.do("field", **{"class": "task", "name": task, "field": "status", "value": "cancelled"})


@pytest.mark.fault("F52", oracle=BY_THE_POOL)
@pytest.mark.parametrize("keeps_reserved", [True, False])
@pytest.mark.parametrize("dies", [True, False])
def test_a_move_whose_task_is_lost_with_the_coordinator_still_arrives(
    xapi: Pools, driver: XapiDriver, dies: bool, keeps_reserved: bool
) -> None:
    xapi.do("set", link=SLOW, keep_reserved=keeps_reserved)
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with calling(driver, planned) as call:
        until_moving(driver, planned)
        xapi.do("failover", host="host-a" if dies else "host-c", dies=dies)
        until(lambda: driver.locate(planned.source, planned.vm_uuid).copy is not Copy.NO_ANSWER)
        assert conclude(proof(driver, planned)) is Conclusion.STILL_MOVING, "as long as we wait, nothing is decided"
        until(lambda: tells_nothing(driver, planned), 5)
    assert call.is_done, call.error
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET
    assert xapi.do("residence", vm="web-1") == "host-b"


@pytest.mark.fault("F52", oracle=BY_THE_POOL)
def test_a_move_whose_task_is_lost_and_that_stops_is_told_as_broken_and_never_as_done(
    xapi: Pools, driver: XapiDriver
) -> None:
    driver.moves.settle_for = 1.0
    xapi.do("set", link=SLOW, keep_reserved=False)
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with calling(driver, planned) as call:
        until_moving(driver, planned)
        xapi.do("failover", host="host-c")
        xapi.do("kill", host="host-b")
    assert isinstance(call.error, MoveLostError)
    assert call.error.unclear is Unclear.LOST
    assert conclude(proof(driver, planned)) is Conclusion.UNDECIDED, "a silent target proves nothing"
    assert xapi.do("residence", vm="web-1") == "host-a"


def test_another_process_finds_the_move_again_by_what_the_pool_still_shows(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("set", link=SLOW)
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with calling(driver, planned) as call:
        until_moving(driver, planned)
        xapi.do("failover", host="host-c")
        other = XapiDriver()
        assert conclude(proof(other, planned)) is Conclusion.STILL_MOVING, "room is still reserved at the target"
        assert tells_nothing(other, planned)
        assert other.ending(planned) is Unclear.LOST, "that it shows no more is no end"
    assert call.is_done


@pytest.mark.fault("F19", "F52", oracle=BY_THE_POOL)
def test_a_move_that_is_called_cancelled_although_nobody_asked_is_watched_until_it_arrives(
    xapi: Pools, driver: XapiDriver
) -> None:
    xapi.do("set", link=SLOW)
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with calling(driver, planned) as call:
        until_moving(driver, planned)
        called_cancelled(xapi, "web-1")
        other = XapiDriver()
        until(lambda: other.ending(planned) is Unclear.UNASKED)
    assert call.is_done, call.error
    assert xapi.do("residence", vm="web-1") == "host-b"


@pytest.mark.fault("F19", "F52", oracle=BY_THE_POOL)
def test_a_move_that_is_called_cancelled_by_itself_and_does_not_arrive_has_no_end_that_we_know(
    xapi: Pools, driver: XapiDriver
) -> None:
    driver.moves.settle_for = 0.5
    xapi.do("set", link=SLOW / 16, keep_reserved=False)
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with calling(driver, planned) as call:
        until_moving(driver, planned)
        called_cancelled(xapi, "web-1")
        xapi.do("field", **{"class": "VM", "name": "web-1", "field": "current_operations", "value": {}})
        xapi.do("field", **{"class": "VM", "name": "web-1", "field": "scheduled_to_be_resident_on", "value": NULL})
        until(lambda: call.error is not None)
    assert isinstance(call.error, MoveLostError)
    assert call.error.unclear is Unclear.UNASKED
    assert "nobody had asked" in call.error.sentence


def test_room_that_stays_reserved_for_ever_is_no_reason_to_wait_for_ever(
    xapi: Pools, driver: XapiDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "SETTLE_MOST", 2.0)
    xapi.do("set", link=SLOW / 16, keep_reserved=True)
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with calling(driver, planned) as call:
        until_moving(driver, planned)
        xapi.do("failover", host="host-c")
        until(lambda: call.error is not None)
    assert isinstance(call.error, MoveLostError)
    assert proof(driver, planned).busy, "the pool shows the same as before"


def test_a_move_that_told_its_end_needs_no_further_word(xapi: Pools, driver: XapiDriver) -> None:
    planned = plan(xapi, "dns-1", "host-a", "host-b")
    assert driver.ending(planned) is Unclear.LOST, "of what was perhaps never begun nobody tells an end either"
    driver.migrate(planned)
    assert XapiDriver().ending(planned) is None


def test_another_home_server_is_no_work_whose_end_could_be_lost(xapi: Pools, driver: XapiDriver) -> None:
    assert driver.ending(plan(xapi, "old-wiki", "host-a", "host-b", kind=Kind.COLD)) is None


def test_looks_from_another_process_go_on_when_another_host_leads(xapi: Pools, driver: XapiDriver) -> None:
    other, calm = XapiDriver(), plan(xapi, "dns-2", "host-b", "host-a")
    assert other.progress(calm).phase is Phase.NONE
    xapi.do("failover", host="host-a", dies=True)
    assert other.progress(calm).phase is Phase.NONE, "the old coordinator is silent, and the host names the new one"


def test_a_dead_member_is_silent_by_its_own_word_long_before_the_pool_says_so(xapi: Pools, driver: XapiDriver) -> None:
    planned = plan(xapi, "web-2", "host-b", "host-a")
    xapi.do("kill", host="host-b")
    told = xapi.do("tell", **{"class": "VM", "name": "web-2"})
    assert told["power_state"] == "Running", "for ten minutes the pool takes it to run there"
    assert driver.locate(planned.source, planned.vm_uuid).copy is Copy.NO_ANSWER
    with pytest.raises(HostUnreachableError):
        driver.inventory(planned.source)


def test_a_host_that_answers_although_its_pool_takes_it_for_dead_proves_nothing(
    xapi: Pools, driver: XapiDriver
) -> None:
    planned = plan(xapi, "web-2", "host-b", "host-a")
    xapi.do("kill", host="host-b", noticed=True)
    xapi.do("silence", host="host-b", on=False)
    assert driver.locate(planned.source, planned.vm_uuid).copy is Copy.NO_ANSWER


def test_a_target_that_loses_its_power_leaves_the_vm_where_it_was(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("set", link=SLOW)
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with calling(driver, planned) as call:
        until_moving(driver, planned)
        xapi.do("kill", host="host-b")
    assert isinstance(call.error, MoveBrokenError)
    assert "cannot reach host-b" in call.error.sentence
    assert driver.locate(planned.source, planned.vm_uuid).copy is Copy.RUNNING


def test_there_is_one_session_a_process_whatever_it_does(xapi: Pools, driver: XapiDriver) -> None:
    for _ in range(3):
        for host in ("host-a", "host-b", "host-c"):
            driver.inventory(xapi.endpoint(host))
    driver.migrate(plan(xapi, "dns-1", "host-a", "host-b"))
    made = xapi.do("sessions")["green"]
    XapiDriver().inventory(xapi.endpoint("host-a"))
    assert xapi.do("sessions")["green"] == made + 1
    assert made == 1
