"""Every page at a phone's, a laptop's and a wall's width, dark and light, and for eyes that want no motion."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.moves import card, column, confirm, expect_alive, expect_on, until
from tests.browser.sights import expect_no_sideways, expect_reachable, expect_readable, expect_still, picture
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.smoke import named, rest
from xenweb.lab.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.lab]
SignedIn = Callable[..., Page]

SIZES = {390: 844, 1440: 900, 2560: 1440}
PAGES = {"board": "/", "migrations": "/migrations", "storage": "/storage", "history": "/history"}
SCHEMES = ["light", "dark"]


def window(width: int, **more: Any) -> dict[str, Any]:
    """The options of a browser of this width; the small one is held in a hand."""
    held = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2} if width == 390 else {}
    return {"viewport": {"width": width, "height": SIZES[width]}, "locale": "en-GB", **held, **more}


def always(page: Page) -> list[Locator]:
    """What every page offers."""
    links = [page.get_by_role("navigation").first.get_by_role("link").nth(number) for number in range(4)]
    return [page.get_by_test_id("find"), page.get_by_test_id("person"), *links]


@pytest.fixture(scope="module")
def moved(stage: Stage) -> str:
    """A move that is over, for the page of one; its id."""
    vm = named(rest(stage, "GET", "/vms")["items"], "dns-1")
    target = next(row for row in rest(stage, "GET", "/hosts")["items"] if row["id"] != vm["resident_on"])
    move = rest(stage, "POST", "/migrations", {"vm": vm["uuid"], "target": target["uuid"], "options": {}})
    until(lambda: rest(stage, "GET", f"/migrations/{move['id']}")["state"] == "done", 60)
    return str(move["id"])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", SIZES)
def test_every_page_fits_and_can_be_read(
    signed_in: SignedIn, stage: Stage, moved: str, width: int, scheme: str
) -> None:
    page = signed_in("admin", **window(width, color_scheme=scheme))
    for name, path in {**PAGES, "migration": f"/migrations/{moved}"}.items():
        page.goto(stage.address + path)
        expect(page.locator("main h1")).to_be_visible()
        page.wait_for_load_state("networkidle")
        expect_no_sideways(page)
        expect_readable(page)
        expect_reachable(page, *always(page))
        picture(page, f"{name}-{width}-{scheme}")


@pytest.mark.parametrize("width", SIZES)
def test_every_action_of_the_board_is_reachable(signed_in: SignedIn, width: int) -> None:
    page = signed_in("admin", **window(width))
    board = [
        page.get_by_label("Show halted"),
        page.get_by_role("combobox", name="Team"),
        page.get_by_test_id("add-host"),
    ]
    hosts = [column(page, host).get_by_test_id("host-menu") for host in ("host-a", "host-b", "host-c")]
    expect_reachable(page, *board, *hosts)
    buttons = page.get_by_test_id("move-button")
    expect_reachable(page, *(buttons.nth(number) for number in range(buttons.count())))
    page.get_by_test_id("person").click()
    menu = page.get_by_test_id("person-menu")
    expect_reachable(page, menu.get_by_text("Dark"), menu.get_by_role("combobox"), menu.get_by_test_id("sign-out"))
    expect_no_sideways(page)


def test_a_guest_is_moved_on_a_phone(signed_in: SignedIn, lab: Lab) -> None:
    page = signed_in("admin", **window(390))
    source = lab.where("ldap-1")
    target = "host-b" if source != "host-b" else "host-c"
    with lab.watch("ldap-1") as heartbeat:
        card(page, "ldap-1").get_by_test_id("move-button").tap()
        page.get_by_role("dialog").get_by_role("radio", name=target).tap()
        expect_no_sideways(page)
        expect_reachable(page, page.get_by_test_id("confirm-submit"))
        picture(page, "move-390-light")
        confirm(page)
        dock = page.get_by_test_id("dock")
        expect(dock).to_be_visible()
        expect_no_sideways(page)
        dock.get_by_role("button").first.tap()
        expect_no_sideways(page)
        picture(page, "dock-390-light")
        expect_reachable(page, dock.get_by_role("link", name="ldap-1", exact=True))
        dock.get_by_role("button").first.tap()
        expect_on(page, "ldap-1", target)
        expect_alive(lab, heartbeat, "ldap-1", target)


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_lifted_card_and_its_dialog_fit_and_can_be_read(signed_in: SignedIn, width: int, scheme: str) -> None:
    page = signed_in("admin", **window(width, color_scheme=scheme))
    card(page, "big-etl").focus()
    page.keyboard.press("Space")
    expect(column(page, "host-c").get_by_test_id("verdict")).to_be_visible()
    expect_no_sideways(page)
    expect_readable(page)
    picture(page, f"lifted-{width}-{scheme}")
    page.keyboard.press("Escape")
    card(page, "big-etl").get_by_test_id("move-button").click()
    expect(page.get_by_role("dialog").get_by_role("radio").first).to_be_visible()
    page.get_by_role("dialog").get_by_role("radio", name="host-c").check()
    expect_no_sideways(page)
    expect_readable(page)
    picture(page, f"dialog-{width}-{scheme}")


def test_nothing_moves_for_whoever_wants_no_motion(signed_in: SignedIn, moved: str) -> None:
    page = signed_in("admin", reduced_motion="reduce")
    expect_still(page)
    card(page, "big-etl").focus()
    page.keyboard.press("Space")
    expect(page.get_by_test_id("verdict").first).to_be_visible()
    expect_still(page)
    page.keyboard.press("Escape")
    page.get_by_test_id("add-host").click()
    expect_still(page)
    page.keyboard.press("Escape")
    page.get_by_test_id("person").click()
    expect_still(page)
    page.goto(f"{page.url}migrations/{moved}")
    expect(page.get_by_test_id("migration-page")).to_be_visible()
    expect_still(page)
