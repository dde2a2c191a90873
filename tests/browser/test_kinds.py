"""A guest with its disk, and one that is halted, moved by hand; what stays behind is seen and deleted."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.moves import card, confirm, drag, expect_alive, expect_on, until
from xenweb.lab.qemu.heartbeat import disk_counters
from xenweb.lab.qemu.hypervisors import found_guests
from xenweb.lab.qemu.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.lab]
SignedIn = Callable[..., Page]


def move_of(page: Page, vm: str) -> Locator:
    """The dock's card of a VM's move."""
    return page.locator(f'[data-testid=migration-card][data-vm-name="{vm}"]').first


def test_a_guest_is_dragged_with_its_disk_and_the_old_disk_is_deleted_when_asked(signed_in: SignedIn, lab: Lab) -> None:
    page = signed_in("admin")
    source = lab.where("ledger")
    assert source is not None
    target = "host-a" if source == "host-b" else "host-b"
    with lab.watch("ledger") as heartbeat:
        assert heartbeat.wait_for(5, 10)
        drag(page, "ledger", target)
        expect(page.get_by_test_id("confirm-move")).to_contain_text("32 MiB of disk must be copied")
        page.locator("[data-option=bandwidth_limit] input").fill("6")
        confirm(page)
        move = move_of(page, "ledger")
        expect(move).to_have_attribute("data-state", "copying_storage", timeout=20_000)
        expect(move.get_by_test_id("disk-progress")).to_contain_text("of 32 MiB")
        expect(move.get_by_test_id("memory-progress")).to_be_visible()
        expect_on(page, "ledger", target)
        expect_alive(lab, heartbeat, "ledger", target)
    counters = disk_counters(lab.disk("ledger", target))
    assert counters.newest > 0
    assert counters.missing == ()
    assert lab.disk("ledger", source).exists(), "nothing is deleted unasked"
    page.get_by_role("link", name="Storage").click()
    left = page.get_by_test_id("leftover-disk")
    expect(left).to_contain_text(source)
    left.get_by_test_id("remove-leftover").click()
    page.get_by_test_id("remove-confirm").click()
    expect(left).to_have_count(0)
    until(lambda: not lab.disk("ledger", source).exists())
    assert lab.disk("ledger", target).exists()
    with lab.watch("ledger") as heartbeat:
        expect_alive(lab, heartbeat, "ledger", target)


def test_a_halted_guest_moves_as_it_is_and_is_not_started(signed_in: SignedIn, lab: Lab) -> None:
    page = signed_in("admin")
    page.get_by_label("Show halted").check()
    card(page, "old-wiki").get_by_test_id("move-button").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("radio", name="host-a").check()
    expect(dialog).to_contain_text("nothing is copied but its definition")
    page.get_by_test_id("confirm-submit").click()
    expect(move_of(page, "old-wiki")).to_contain_text("still halted", timeout=20_000)
    expect_on(page, "old-wiki", "host-a")
    keepers = {
        host.name: guest.running
        for host in lab.hosts
        for guest in found_guests(lab.layout, host.name)
        if guest.name == "old-wiki"
    }
    assert keepers == {"host-a": False}
