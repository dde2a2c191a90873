"""What a person does and sees on the board, said once for all browser tests."""

import time
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from xenweb.lab.qemu.heartbeat import is_gap_free, is_undamaged
from xenweb.lab.qemu.heartbeat_watch import HeartbeatWatch
from xenweb.lab.qemu.lab import Lab

MOVED_WITHIN_MS = 60_000


def column(page: Page, host: str) -> Locator:
    """The column of a host."""
    return page.locator(f'[data-testid=host-column][data-host-name="{host}"]')


def card(page: Page, vm: str) -> Locator:
    """The card of a VM, where the VM is; never its ghost."""
    return page.locator(f'[data-testid=vm-card][data-vm-name="{vm}"]')


def drag(page: Page, vm: str, host: str) -> None:
    """Lift a card with the pointer and let it go over a host's column, in steps as a hand does."""
    grip = card(page, vm).bounding_box()
    assert grip is not None
    page.mouse.move(grip["x"] + grip["width"] / 3, grip["y"] + grip["height"] / 2)
    page.mouse.down()
    page.mouse.move(grip["x"] + grip["width"] / 3 + 20, grip["y"] + grip["height"] / 2 + 8, steps=4)
    expect(column(page, host).get_by_test_id("verdict")).to_be_visible()
    # What the hosts say takes room: a pool that stands below others has moved down by now.
    place = column(page, host).bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + min(place["height"] / 2, 160), steps=12)
    page.mouse.up()


def confirm(page: Page) -> None:
    """Say yes in the confirmation."""
    expect(page.get_by_test_id("confirm-move")).to_be_visible()
    page.get_by_test_id("confirm-submit").click()


def expect_on(page: Page, vm: str, host: str) -> None:
    """Wait until the board shows a VM on a host."""
    inside = column(page, host).locator(f'[data-testid=vm-card][data-vm-name="{vm}"]')
    expect(inside).to_be_visible(timeout=MOVED_WITHIN_MS)


def expect_alive(lab: Lab, heartbeat: HeartbeatWatch, vm: str, host: str) -> None:
    """Ask both libvirt daemons where the guest is, and the guest whether it lost anything."""
    assert heartbeat.wait_for(20, 10), f"{vm} is not heard any more"
    said = [arrival.beat for arrival in heartbeat.arrivals()]
    assert is_gap_free(said)
    assert is_undamaged(said)
    assert lab.where(vm) == host


def until(condition: Callable[[], bool], seconds: float = 15.0, *, every: float = 0.05) -> float:
    """Wait for something outside the browser, looking ``every`` so many s; answer how many seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"it did not happen within {seconds} s"
        time.sleep(every)
    return time.monotonic() - began
