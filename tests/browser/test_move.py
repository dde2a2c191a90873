"""Dragging a real guest between real hosts, by pointer, by keyboard and by button."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.moves import card, column, confirm, drag, expect_alive, expect_on
from xenweb.lab.qemu.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.lab]
SignedIn = Callable[..., Page]


def test_a_guest_is_dragged_from_host_a_to_host_b_and_lives_on(signed_in: SignedIn, lab: Lab) -> None:
    page = signed_in("admin")
    with lab.watch("web-1") as heartbeat:
        drag(page, "web-1", "host-b")
        confirm(page)
        expect(page.get_by_test_id("migration-card").first).to_be_visible()
        expect_on(page, "web-1", "host-b")
        expect_alive(lab, heartbeat, "web-1", "host-b")


def test_the_same_by_keyboard(signed_in: SignedIn, lab: Lab) -> None:
    page = signed_in("lead-shop")
    with lab.watch("mail-2") as heartbeat:
        card(page, "mail-2").focus()
        page.keyboard.press("Space")
        expect(column(page, "host-a").get_by_test_id("verdict")).to_be_visible()
        page.keyboard.type("host-c")
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("confirm-move")).to_contain_text("host-c")
        page.get_by_test_id("confirm-submit").focus()
        page.keyboard.press("Enter")
        expect_on(page, "mail-2", "host-c")
        expect_alive(lab, heartbeat, "mail-2", "host-c")


def test_the_same_by_the_move_button(signed_in: SignedIn, lab: Lab) -> None:
    page = signed_in("admin")
    with lab.watch("dns-2") as heartbeat:
        card(page, "dns-2").get_by_test_id("move-button").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("radio", name="host-a").check()
        page.get_by_test_id("confirm-submit").click()
        expect_on(page, "dns-2", "host-a")
        expect_alive(lab, heartbeat, "dns-2", "host-a")


def test_escape_puts_a_lifted_card_back_and_nothing_is_asked(signed_in: SignedIn, lab: Lab) -> None:
    page = signed_in("admin")
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    before = lab.where("ldap-1")
    card(page, "ldap-1").focus()
    page.keyboard.press("Space")
    expect(page.get_by_test_id("verdict").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("verdict")).to_have_count(0)
    assert posts == []
    assert lab.where("ldap-1") == before


def test_every_host_says_before_the_drop_whether_and_why_not(signed_in: SignedIn, lab: Lab) -> None:
    page = signed_in("admin")
    card(page, "ledger").focus()
    page.keyboard.press("Space")
    for host in {"host-a", "host-b", "host-c"} - {lab.where("ledger")}:
        expect(column(page, host).get_by_test_id("verdict")).to_contain_text("local")
    page.keyboard.press("Escape")
    card(page, "big-etl").focus()
    page.keyboard.press("Space")
    expect(column(page, "host-c").get_by_test_id("verdict")).to_contain_text("1 GiB")
    page.keyboard.press("Escape")


def test_dropping_on_a_host_that_cannot_take_it_sends_nothing(signed_in: SignedIn, lab: Lab) -> None:
    page = signed_in("lead-data")
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    drag(page, "big-etl", "host-c")
    expect(page.get_by_test_id("confirm-submit")).to_have_count(0)
    assert posts == []
    assert lab.where("big-etl") == "host-b"
