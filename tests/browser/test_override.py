"""Going on in spite of a verdict: an administrator with a reason, on real hosts, and nobody else."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.moves import card, column, confirm, drag, expect_alive, expect_on
from xenweb.lab.qemu.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.lab]
SignedIn = Callable[..., Page]
REASON = "Its memory is mostly unused."


def test_a_team_lead_is_told_why_not_and_is_offered_no_override(signed_in: SignedIn, lab: Lab) -> None:
    page = signed_in("lead-data")
    drag(page, "big-etl", "host-c")
    dialog = page.get_by_test_id("confirm-move")
    expect(dialog).to_contain_text("host-c cannot take big-etl")
    expect(dialog.get_by_test_id("override")).to_have_count(0)
    expect(page.get_by_test_id("confirm-submit")).to_have_count(0)
    assert lab.where("big-etl") == "host-b"


def test_an_administrator_overrides_a_lack_of_memory_by_keyboard_and_the_history_keeps_why(
    signed_in: SignedIn, lab: Lab
) -> None:
    page = signed_in("admin")
    with lab.watch("big-etl") as heartbeat:
        card(page, "big-etl").focus()
        page.keyboard.press("Space")
        verdict = column(page, "host-c").get_by_test_id("verdict")
        expect(verdict).to_contain_text("Cannot take it")
        expect(verdict.get_by_test_id("facts-age")).to_contain_text("Known as of")
        page.keyboard.type("host-c")
        page.keyboard.press("Enter")
        submit = page.get_by_test_id("confirm-submit")
        expect(submit).to_have_text("Override and move to host-c")
        expect(submit).to_be_disabled()
        page.get_by_test_id("override").get_by_role("checkbox").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.type(REASON)
        submit.focus()
        page.keyboard.press("Enter")
        expect_on(page, "big-etl", "host-c")
        expect_alive(lab, heartbeat, "big-etl", "host-c")

    page.get_by_test_id("migration-card").first.get_by_role("link", name="big-etl", exact=True).click()
    expect(page.get_by_test_id("migration-page")).to_have_attribute("data-state", "done")
    expect(page.get_by_test_id("override-said")).to_contain_text("Overridden by admin")
    expect(page.get_by_test_id("override-said")).to_contain_text(REASON)
    found = page.get_by_test_id("preflight")
    expect(found.locator('[data-code="memory_short"]')).to_have_attribute("data-overridden", "true")
    expect(found.locator('[data-code="connection_not_checked"]')).to_be_visible()
    expect(page.get_by_test_id("migration-page")).to_contain_text("before the call")

    auditor = signed_in("auditor", "/history")
    asked = auditor.locator('[data-testid=history-row][data-action="migration_request"]', has_text="big-etl").first
    asked.locator("summary").click()
    expect(asked).to_contain_text("memory_short")
    expect(asked).to_contain_text(REASON)

    page.get_by_role("link", name="Board", exact=True).click()
    expect_on(page, "big-etl", "host-c")
    drag(page, "big-etl", "host-b")
    confirm(page)
    expect_on(page, "big-etl", "host-b")
