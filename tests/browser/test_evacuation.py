"""A XAPI host is taken out of service: planned, emptied as far as it goes, undone, and its VMs brought back."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.moves import card, column
from tests.browser.sights import expect_no_sideways, expect_reachable, expect_readable, picture
from tests.browser.test_xapi import ask
from xenweb.lab.smoke import rest
from xenweb.lab.stage import Stage, passing_stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(500)]
SignedIn = Callable[..., Page]
TALL = {"width": 1440, "height": 2200}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
WITHIN = 90_000
TRIES = 4
OPEN = "xpath=self::*[@data-stage='to_ask' or @data-stage='waiting' or @data-stage='moving' or @data-stage='uncertain']"
PINNED = "xcp-big-etl"
GUESTS = {"xcp-dns-2", "xcp-web-2", "xcp-mail-2", "xcp-cache-1", "xcp-ledger"}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A whole installation on the simulated driver, which starts at once, with the XAPI pool beside it."""
    because = "this test is of the XAPI pool beside other hosts"
    with passing_stage("e", workers=2, simulated_because=because, with_xapi=True) as stage:
        yield stage


def plan_of(page: Page, host: str) -> None:
    """Open the plan of a host from its column's menu, by keyboard alone."""
    column(page, host).get_by_test_id("host-menu").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("plan-maintenance")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("plan-goes")).to_be_visible()


def rows(place: Locator) -> set[str]:
    """The names of the VMs in one part of a plan."""
    return {each.get_attribute("data-vm-name") or "" for each in place.get_by_test_id("plan-row").all()}


def is_enabled(stage: Stage, host: str) -> bool:
    """Whether the pool itself says that a host takes VMs, read past the XenAPI."""
    return bool(ask(stage, **{"do": "tell", "class": "host", "name": host})["enabled"])


def where(stage: Stage) -> dict[str, str]:
    """On which host each guest runs, as the pool's own records have it."""
    return {vm: str(ask(stage, do="residence", vm=vm)) for vm in (*GUESTS, PINNED)}


def send_the_rest(page: Page) -> None:
    """Plan where those go that are still there, as soon as the board knows that they can, and send them."""
    send = page.get_by_test_id("send-rest")
    while not send.is_visible():
        page.get_by_test_id("plan-rest").click()
        page.wait_for_timeout(500)
    send.click()
    expect(page.locator("[data-testid=course-move]").locator(OPEN)).not_to_have_count(0)


def expect_gone(page: Page, stage: Stage, but: set[str]) -> None:
    """Wait until all moves have ended; one that a loaded machine lost is tried again, as a person would."""
    for _ in range(TRIES):
        expect(page.locator("[data-testid=course-move]").locator(OPEN)).to_have_count(0, timeout=WITHIN)
        if {vm for vm, at in where(stage).items() if at == "xcp-b"} == but:
            return
        send_the_rest(page)
    pytest.fail(f"they did not go: {where(stage)}")


def test_evacuation(stage: Stage, browser: Browser, signed_in: SignedIn) -> None:
    page = signed_in("admin", viewport=TALL)
    expect(column(page, "xcp-b").get_by_test_id("vm-card")).to_have_count(6)
    plan_of(page, "xcp-b")
    assert rows(page.get_by_test_id("plan-goes")) == GUESTS
    cannot = page.get_by_test_id("plan-cannot")
    assert rows(cannot) == {PINNED}
    expect(cannot).to_contain_text("the licence is bound to this host")
    expect(page.get_by_text("1 VM that runs stays")).to_be_visible()
    assert is_enabled(stage, "xcp-b"), "nothing happens before somebody begins"
    picture(page, "evacuation-plan-1440-light")

    web = page.locator('[data-testid=plan-row][data-vm-name="xcp-web-2"]')
    web.get_by_test_id("plan-target").select_option(label="xcp-c")
    expect(web).to_have_attribute("data-target", "xcp-c")
    expect(web).to_contain_text("You chose it.")
    page.get_by_test_id("plan-reason").fill("A new disk")
    page.get_by_test_id("plan-begin").click()

    here = page.get_by_test_id("maintenance-page")
    expect(here).to_have_attribute("data-state", "moving", timeout=WITHIN)
    assert not is_enabled(stage, "xcp-b")
    asked = page.locator('[data-testid=course-move][data-vm-name="xcp-web-2"]')
    expect(asked).to_contain_text("xcp-b → xcp-c")
    expect_gone(page, stage, but={PINNED})
    expect(page.get_by_test_id("maintenance-progress")).to_contain_text("5 of 5 moved")
    left = page.get_by_test_id("still-here")
    expect(left).to_contain_text(PINNED)
    expect(left).to_contain_text("the licence is bound to this host")
    expect(here).to_have_attribute("data-state", "moving")
    picture(page, "evacuation-left-1440-light")

    # What stood in the way is lifted in the pool: now the rest goes, and the host says itself that it is empty.
    ask(stage, **{"do": "field", "class": "VM", "name": PINNED, "field": "blocked_operations", "value": {}})
    send_the_rest(page)
    expect_gone(page, stage, but=set())
    expect(here).to_have_attribute("data-state", "ready", timeout=WITHIN)
    expect(here.get_by_role("status")).to_contain_text("xcp-b is empty")
    picture(page, "evacuation-empty-1440-light")

    page.get_by_test_id("maintenance-end").click()
    page.get_by_test_id("maintenance-end-confirm").click()
    expect(here).to_have_attribute("data-state", "ended", timeout=WITHIN)
    assert is_enabled(stage, "xcp-b")
    back = page.get_by_test_id("bring-back")
    expect(back.get_by_role("checkbox")).to_have_count(6)
    picture(page, "evacuation-back-1440-light")
    page.get_by_test_id("bring-back-submit").click()
    expect(page.locator("[data-testid=course-move]").locator(OPEN)).not_to_have_count(0)
    for _ in range(TRIES):
        expect(page.locator("[data-testid=course-move]").locator(OPEN)).to_have_count(0, timeout=WITHIN)
        if set(where(stage).values()) == {"xcp-b"}:
            break
        back.get_by_role("button").first.click()
        page.get_by_test_id("bring-back-submit").click()
    assert set(where(stage).values()) == {"xcp-b"}
    actions = [each["action"] for each in rest(stage, "GET", "/audit?limit=200")["items"]]
    assert {"maintenance_begin", "host_close", "host_empty", "maintenance_end", "maintenance_return"} <= set(actions)


def test_an_evacuation_is_undone_while_its_vms_are_on_their_way(
    stage: Stage, browser: Browser, signed_in: SignedIn
) -> None:
    ask(stage, do="set", link=0.2 * 2**20)
    before = {vm: str(ask(stage, do="residence", vm=vm)) for vm in ("xcp-web-1", "xcp-hot-db", "xcp-ldap-1")}
    page = signed_in("admin", viewport=TALL)
    plan_of(page, "xcp-a")
    page.get_by_test_id("plan-begin").click()
    expect(page.get_by_test_id("maintenance-page")).to_have_attribute("data-state", "moving", timeout=WITHIN)
    expect(page.locator('[data-testid=course-move][data-stage="moving"]').first).to_be_visible(timeout=WITHIN)
    picture(page, "evacuation-moving-1440-light")

    other = signed_in("admin", viewport=TALL)
    expect(column(other, "xcp-a")).to_contain_text("In maintenance")
    card(other, "xcp-git-1").focus()
    other.keyboard.press("Space")
    expect(column(other, "xcp-a").get_by_test_id("verdict")).to_contain_text("in maintenance")
    other.keyboard.press("Escape")
    picture(other, "evacuation-board-1440-light")

    page.get_by_test_id("maintenance-end").click()
    expect(page.get_by_test_id("maintenance-end-dialog")).to_contain_text("given up")
    page.get_by_test_id("maintenance-end-confirm").click()
    expect(page.get_by_test_id("maintenance-page")).to_have_attribute("data-state", "ended", timeout=WITHIN)
    assert is_enabled(stage, "xcp-a")
    expect(page.locator("[data-testid=course-move]").locator(OPEN)).to_have_count(0, timeout=WITHIN)
    assert {vm: str(ask(stage, do="residence", vm=vm)) for vm in before} == before
    expect(column(other, "xcp-a")).not_to_contain_text("In maintenance")
    ask(stage, do="set", link=512.0 * 2**20)


def test_nobody_but_an_administrator_is_offered_to_take_hosts_out_of_service(
    stage: Stage, browser: Browser, signed_in: SignedIn
) -> None:
    page = signed_in("lead-shop", viewport=TALL)
    expect(column(page, "xcp-a")).to_be_visible()
    expect(page.get_by_test_id("host-menu")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_plan_and_its_course_fit_a_phone(stage: Stage, browser: Browser, signed_in: SignedIn, scheme: str) -> None:
    page = signed_in("admin", **PHONE, color_scheme=scheme)
    host = next(each for each in rest(stage, "GET", "/hosts")["items"] if each["name"] == "xcp-c")
    page.goto(f"{stage.address}/hosts/{host['id']}/maintenance")
    expect(page.get_by_test_id("plan-goes")).to_be_visible()
    expect_no_sideways(page)
    expect_readable(page)
    expect_reachable(page, page.get_by_test_id("plan-begin"), page.get_by_test_id("plan-again"))
    page.screenshot(path=f"build/pictures/evacuation-plan-390-{scheme}.png", full_page=True)
    ended = rest(stage, "GET", "/maintenances?limit=1")["items"][0]
    page.goto(f"{stage.address}/maintenances/{ended['id']}")
    expect(page.get_by_test_id("maintenance-page")).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect_no_sideways(page)
    expect_readable(page)
    page.screenshot(path=f"build/pictures/evacuation-course-390-{scheme}.png", full_page=True)
