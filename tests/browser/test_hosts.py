"""A host leaves the board and comes back, by keyboard and by form, on the real thing."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.moves import card, column
from tests.browser.sights import expect_no_sideways, expect_reachable, expect_readable, picture
from tests.browser.test_sights import SCHEMES, window
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.smoke import rest
from xenweb.lab.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.lab]
SignedIn = Callable[..., Page]


def test_a_host_is_removed_and_added_again_by_keyboard(signed_in: SignedIn, stage: Stage, lab: Lab) -> None:
    page = signed_in("admin")
    pool = rest(stage, "GET", "/hosts")["items"][0]["pool"]
    there = {guest.get_attribute("data-vm-name") for guest in column(page, "host-c").get_by_test_id("vm-card").all()}
    assert there
    column(page, "host-c").get_by_test_id("host-menu").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("plan-maintenance")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("remove-host")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("remove-host-dialog")).to_contain_text("Nothing on host-c is stopped or changed")
    picture(page, "remove-host-1440-light")
    page.get_by_test_id("remove-host-confirm").focus()
    page.keyboard.press("Enter")
    expect(column(page, "host-c")).to_have_count(0)

    page.get_by_test_id("add-host").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_test_id("add-host-dialog")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("qemu+ext:///system")
    page.keyboard.press("Enter")
    uri = dialog.get_by_role("textbox", name="URI")
    expect(uri).to_have_attribute("aria-invalid", "true")
    expect(uri).to_be_focused()
    expect(dialog.get_by_test_id("field-fault")).to_contain_text("not one of a hypervisor and a transport")
    picture(page, "add-host-refused-1440-light")
    page.keyboard.press("Control+A")
    page.keyboard.type(lab.uri("host-c"))
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type(pool)
    page.keyboard.press("Tab")
    page.keyboard.type(lab.host("host-c").migration_address)
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(column(page, "host-c")).to_have_attribute("data-state", "connected", timeout=20_000)
    for guest in there:
        expect(column(page, "host-c").locator(f'[data-testid=vm-card][data-vm-name="{guest}"]')).to_be_visible(
            timeout=20_000
        )
    done = rest(stage, "GET", "/audit?action=host_add")["items"]
    assert (done[0]["actor"], done[0]["outcome"]) == ("admin", "allowed")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_form_says_beside_each_field_why_it_was_refused(signed_in: SignedIn, width: int, scheme: str) -> None:
    page = signed_in("admin", **window(width, color_scheme=scheme))
    page.get_by_test_id("add-host").click()
    dialog = page.get_by_test_id("add-host-dialog")
    picture(page, f"add-host-{width}-{scheme}")
    dialog.get_by_label("Address", exact=True).fill("127.0.0.1")
    submit = dialog.get_by_test_id("add-host-submit")
    expect_reachable(page, submit)
    submit.click()
    expect(dialog.get_by_label("Address", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("Address", exact=True)).to_be_focused()
    expect(dialog.get_by_test_id("field-fault")).to_contain_text("only means this machine")
    expect_no_sideways(page)
    expect_readable(page)
    expect_reachable(page, submit)
    picture(page, f"add-host-refused-{width}-{scheme}")


def test_nobody_but_an_administrator_is_offered_to_change_hosts(signed_in: SignedIn) -> None:
    page = signed_in("lead-shop")
    expect(card(page, "mail-2")).to_be_visible()
    expect(page.get_by_test_id("add-host")).to_have_count(0)
    expect(page.get_by_test_id("host-menu")).to_have_count(0)


def test_storage_is_vouched_for_and_the_word_is_taken_back(signed_in: SignedIn, stage: Stage) -> None:
    page = signed_in("admin", "/storage")
    row = page.get_by_test_id("storage-row").filter(has=page.get_by_test_id("vouch")).first
    name = row.get_attribute("data-storage-name")
    was = row.get_by_text("vouched", exact=True).count()
    for shown in (1 - was, was):
        row = page.locator(f'[data-testid=storage-row][data-storage-name="{name}"]')
        row.get_by_test_id("vouch").focus()
        page.keyboard.press("Enter")
        picture(page, f"vouch-{shown}-1440-light")
        page.get_by_test_id("vouch-confirm").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("vouch-dialog")).to_have_count(0)
        expect(row.get_by_text("vouched", exact=True)).to_have_count(shown)
    said = rest(stage, "GET", "/audit?action=storage_vouch")["items"]
    assert [record["outcome"] for record in said[:2]] == ["allowed", "allowed"]
