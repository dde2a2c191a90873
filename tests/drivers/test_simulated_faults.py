"""The simulated world goes wrong as a real one does, and stays consistent while it does."""

from pathlib import Path

import pytest

from xenweb.core.migration import Copy
from xenweb.drivers.contract import (
    Endpoint,
    HostEvent,
    HostUnreachableError,
    Lever,
    MigrationPlan,
    MoveBrokenError,
    MoveOptions,
    Phase,
)
from xenweb.drivers.registry import check_address
from xenweb.drivers.simulated_driver import SimulatedDriver, faults
from xenweb.drivers.simulated_driver.demo import demo_world
from xenweb.drivers.simulated_driver.world import SimulatedMove, opened


class Hand:
    """A clock that goes where it is put."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, _seconds: float) -> None:
        """Wait, as a driver does, but a second at a time."""
        self.now += 1


@pytest.fixture
def hand() -> Hand:
    """A clock at its start."""
    return Hand()


@pytest.fixture
def driver(hand: Hand) -> SimulatedDriver:
    """The driver, on the test's own clock."""
    return SimulatedDriver(hand, hand.pass_by)


@pytest.fixture
def path(tmp_path: Path, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A world whose time stands still until a test moves it, the driver's included."""
    monkeypatch.setenv("XENWEB_SIMULATED", "1")
    world = tmp_path / "world.json"
    demo_world(world, hand)
    return world


def _endpoint(path: Path, host: str) -> Endpoint:
    return Endpoint(1, host, check_address("simulated", f"simulated://{path}?host={host}"))


def _plan(path: Path, vm: str = "web-1") -> MigrationPlan:
    with opened(path, lambda: 0.0) as world:
        uuid = next(each.uuid for each in world.vms.values() if each.name == vm)
    return MigrationPlan("1", uuid, vm, _endpoint(path, "host-a"), _endpoint(path, "host-b"), MoveOptions())


def _begun(path: Path, hand: Hand) -> MigrationPlan:
    """Write a move down as the driver does, without its blocking wait."""
    plan = _plan(path)
    with opened(path, hand) as world:
        vm = world.vms[plan.vm_uuid]
        world.moves[plan.migration] = SimulatedMove(vm.uuid, "host-a", "host-b", hand.now, 24e6, 0.3, vm.dirty_rate)
    return plan


def _ending(path: Path, hand: Hand) -> str:
    with opened(path, hand) as world:
        return world.moves["1"].ending


def test_a_frozen_target_holds_a_move_up_and_thawing_lets_it_end(
    driver: SimulatedDriver, path: Path, hand: Hand
) -> None:
    plan = _begun(path, hand)
    hand.now += 2
    faults.freeze(path, "host-b", hand)
    before = driver.progress(plan)
    hand.now += 600
    held = driver.progress(plan)
    assert (held.phase, held.remaining) == (Phase.COPYING, before.remaining)
    faults.thaw(path, "host-b", hand)
    assert driver.progress(plan).remaining == before.remaining
    hand.now += 10
    assert _ending(path, hand) == "moved"


def test_giving_up_towards_a_frozen_target_ends_only_when_it_thaws(
    driver: SimulatedDriver, path: Path, hand: Hand
) -> None:
    plan = _begun(path, hand)
    hand.now += 2
    faults.freeze(path, "host-b", hand)
    driver.change(plan, Lever.CANCEL, None)
    hand.now += 60
    assert driver.progress(plan).phase is Phase.CANCELLING
    faults.thaw(path, "host-b", hand)
    hand.now += 1
    assert _ending(path, hand) == "cancelled"


def test_a_move_breaks_when_the_pass_begins_and_the_vm_stays(driver: SimulatedDriver, path: Path, hand: Hand) -> None:
    faults.break_in_pass(path, 1)
    plan = _begun(path, hand)
    hand.now += 1
    assert _ending(path, hand) == "broken"
    assert driver.locate(plan.source, plan.vm_uuid).copy is Copy.RUNNING
    assert driver.locate(plan.target, plan.vm_uuid).copy is Copy.ABSENT


def test_a_broken_move_is_told_to_its_caller(driver: SimulatedDriver, path: Path, hand: Hand) -> None:
    faults.break_in_pass(path, 1)
    with pytest.raises(MoveBrokenError):
        driver.migrate(_plan(path))


def test_a_lost_reply_hides_a_move_that_succeeded(driver: SimulatedDriver, path: Path, hand: Hand) -> None:
    faults.lose_replies(path)
    plan = _plan(path)
    with pytest.raises(HostUnreachableError):
        driver.migrate(plan)
    assert driver.locate(plan.source, plan.vm_uuid).copy is Copy.ABSENT
    assert driver.locate(plan.target, plan.vm_uuid).copy is Copy.RUNNING


def test_a_host_works_no_less_after_a_vm_has_left_it(driver: SimulatedDriver, path: Path, hand: Hand) -> None:
    _begun(path, hand)
    seen = []
    for _ in range(12):
        hand.now += 1
        seen.append(driver.inventory(_endpoint(path, "host-a")).cpu_busy or 0)
    assert seen == sorted(seen)
    assert _ending(path, hand) == "moved"


def test_a_watch_tells_of_a_host_that_fell_silent_and_came_back(driver: SimulatedDriver, path: Path) -> None:
    told: list[HostEvent] = []
    watch = driver.watch(_endpoint(path, "host-a"), told.append)
    watch.close()
    faults.set_silent(path, "host-a", is_silent=True)
    watch.look()
    faults.set_silent(path, "host-a", is_silent=False)
    watch.look()
    assert [each.what for each in told] == ["disconnected", "changed"]


def test_a_world_that_cannot_be_read_is_a_host_that_does_not_answer(driver: SimulatedDriver, path: Path) -> None:
    plan = _plan(path)
    path.write_text("{")
    with pytest.raises(HostUnreachableError):
        driver.inventory(plan.source)
    assert driver.locate(plan.source, plan.vm_uuid).copy is Copy.NO_ANSWER


def test_a_changed_speed_counts_from_now_on(driver: SimulatedDriver, path: Path, hand: Hand) -> None:
    plan = _begun(path, hand)
    hand.now += 2
    before = driver.progress(plan)
    driver.change(plan, Lever.BANDWIDTH, 96_000_000)
    assert driver.progress(plan).remaining == before.remaining
    assert driver.progress(plan).processed == before.processed
    hand.now += 0.25
    assert before.remaining is not None
    assert driver.progress(plan).remaining == before.remaining - 24_000_000
    hand.now += 2
    assert _ending(path, hand) == "moved"
