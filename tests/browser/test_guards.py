"""A guard from end to end on the screen: asked for, paid for, followed, rolled back to and removed.

In a simulated world: what guards do to real disks and real memory the Xen tests show, what people see of it this does.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.moves import MOVED_WITHIN_MS, card, confirm, expect_on, until
from tests.browser.sights import expect_no_sideways, expect_readable, picture
from xenweb.drivers.simulated_driver import faults
from xenweb.lab.smoke import named, rest
from xenweb.lab.stage import Stage, StageError, passing_stage

pytestmark = [pytest.mark.browser]
SignedIn = Callable[..., Page]
VM = "shop-db"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """The whole stack over a simulated world, whose hosts keep guards."""
    with passing_stage("g", workers=2, simulated_because="what people see of guards is tested") as stage:
        yield stage


@pytest.fixture
def windows(signed_in: SignedIn) -> list[Page]:
    """One person at a desk and with a phone."""
    locale = {"locale": "en-GB"}
    return [signed_in("admin", **locale), signed_in("admin", **locale, **PHONE)]


def pictured(windows: list[Page], name: str) -> None:
    for page, width in zip(windows, (1440, 390), strict=True):
        expect_no_sideways(page)
        picture(page, f"guard-{name}-{width}")


def reads(page: Page, state: str) -> Locator:
    """Wait until a guard is so far: a worker, or the reconciler, brings it there."""
    panel = page.get_by_test_id("guard")
    expect(panel).to_have_attribute("data-state", state, timeout=MOVED_WITHIN_MS)
    return panel


def look_at_the_move(page: Page) -> str:
    """Go to the page of the move that has just begun; answer its address."""
    begun = page.locator(f'[data-testid=migration-card][data-vm-name="{VM}"]:not([data-state=done])')
    expect(begun.get_by_test_id("card-guard")).to_contain_text("Guard: ", timeout=MOVED_WITHIN_MS)
    begun.get_by_role("link").first.click()
    expect(page.get_by_test_id("migration-page")).to_be_visible()
    return page.url


def stands(stage: Stage, seconds: float | None) -> None:
    """Have guards stand where so many seconds bring them: no state is missed by a machine that is slow."""
    faults.guards_stand(stage.data / "world.json", seconds)


def halt(stage: Stage) -> None:
    faults.set_running(stage.data / "world.json", VM, is_running=False)


def test_a_guard_with_memory_is_asked_for_with_the_mouse_and_rolled_back_to_as_one_action(
    windows: list[Page], stage: Stage
) -> None:
    desk, phone = windows
    for page in windows:
        card(page, VM).get_by_test_id("move-button").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("radio", name="host-b").check()
        dialog.get_by_role("radio", name="Its disks and its memory").check()
        expect(dialog.get_by_test_id("guard-cost-memory")).to_contain_text("not available")
        dialog.locator("[data-option=guard]").scroll_into_view_if_needed()
        expect_readable(page)
    pictured(windows, "dialog-unknown")
    phone.keyboard.press("Escape")
    stands(stage, 0.0)
    confirm(desk)
    phone.goto(look_at_the_move(desk))
    for state, at in (("taking", 0.0), ("copying", 4.0), ("kept", None)):
        stands(stage, at)
        for page in windows:
            reads(page, state)
        if state == "copying":
            for page in windows:
                expect(page.get_by_test_id("guard-progress")).to_contain_text("of 32 MiB")
        pictured(windows, state)
    expect(desk.get_by_test_id("migration-page")).to_have_attribute("data-state", "done", timeout=MOVED_WITHIN_MS)
    panel = reads(desk, "kept")
    expect(panel).to_contain_text("measured")

    panel.get_by_test_id("guard-roll-back").click()
    dialog = desk.get_by_role("dialog")
    expect(dialog.get_by_role("listitem")).to_contain_text(
        ["must be halted", "is lost", "/srv/shared", "memory of that moment", "done again"]
    )
    phone.get_by_test_id("guard-roll-back").tap()
    pictured(windows, "roll-back-asked")
    phone.keyboard.press("Escape")
    desk.get_by_test_id("guard-reason").fill("The upgrade broke it.")
    desk.get_by_test_id("guard-confirm").click()
    expect(dialog).to_contain_text("halt it first")
    picture(desk, "guard-roll-back-refused-1440")
    halt(stage)
    desk.get_by_test_id("guard-confirm").click()
    for page in windows:
        reads(page, "rolling_back")
    pictured(windows, "rolling_back")
    for page in windows:
        expect(reads(page, "kept")).to_contain_text("It went on with its memory of that moment")
    pictured(windows, "rolled-back")
    desk.goto(stage.address)
    expect_on(desk, VM, "host-a")


def test_a_guard_is_asked_for_and_removed_with_the_keyboard_alone_and_its_cost_is_known_by_now(
    windows: list[Page], stage: Stage
) -> None:
    desk, phone = windows
    vm = card(desk, VM)
    vm.get_by_test_id("move-button").focus()
    desk.keyboard.press("Enter")
    dialog = desk.get_by_role("dialog")
    dialog.get_by_role("radio", name="host-b").focus()
    desk.keyboard.press("Space")
    dialog.get_by_role("radio", name="If the VM is very busy").focus()
    desk.keyboard.press("ArrowDown")
    expect(dialog.get_by_role("radio", name="Its disks", exact=True)).to_be_checked()
    desk.keyboard.press("ArrowDown")
    expect(dialog.get_by_test_id("guard-cost-memory")).to_contain_text("estimated")
    picture(desk, "guard-dialog-estimated-1440")
    desk.keyboard.press("ArrowUp")
    desk.keyboard.press("Enter")
    phone.goto(look_at_the_move(desk))
    reads(desk, "kept")
    expect(desk.get_by_test_id("migration-page")).to_have_attribute("data-state", "done", timeout=MOVED_WITHIN_MS)
    desk.get_by_test_id("guard-remove").focus()
    desk.keyboard.press("Enter")
    pictured(windows, "remove-asked")
    desk.get_by_test_id("guard-confirm").focus()
    desk.keyboard.press("Enter")
    for page in windows:
        reads(page, "removed")
    pictured(windows, "removed")
    board = rest(stage, "GET", "/vms")["items"]
    assert named(board, VM)["state"] == "running"


def test_whoever_uses_the_api_is_told_and_refused_the_same(stage: Stage) -> None:
    vm = named(rest(stage, "GET", "/vms")["items"], VM)
    costs = lambda: rest(stage, "GET", f"/vms/{vm['uuid']}/verdicts")["guard"]  # noqa: E731
    assert {each["provenance"] for each in costs().values()} == {"not_available"}, "host-b has made none yet"
    target = named(rest(stage, "GET", "/hosts")["items"], "host-a")
    body = {"vm": vm["uuid"], "target": target["uuid"], "options": {"guard_memory": True}}
    with pytest.raises(StageError, match="option_refused"):
        rest(stage, "POST", "/migrations", body)
    body["options"] = {"guard": True, "guard_memory": True}
    path = f"/migrations/{rest(stage, 'POST', '/migrations', body)['id']}"
    until(lambda: rest(stage, "GET", path)["state"] == "done", 90)
    guard = rest(stage, "GET", path)["guard"]
    assert (guard["state"], guard["with_memory"], guard["pause_ms"]["provenance"]) == ("kept", True, "measured")
    assert {each["provenance"] for each in costs().values()} == {"estimated"}
    assert costs()["pause_ms"]["value"] < costs()["pause_with_memory_ms"]["value"]
    with pytest.raises(StageError, match="halt it first"):
        rest(stage, "POST", f"{path}/guard/roll-back", {"reason": "why"})
    assert rest(stage, "POST", f"{path}/guard/remove", {})["guard"]["state"] == "removing"
    until(lambda: rest(stage, "GET", path)["guard"]["state"] == "removed")
    with pytest.raises(StageError, match="guard_refused"):
        rest(stage, "POST", f"{path}/guard/roll-back", {"reason": "why"})
