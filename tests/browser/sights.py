"""What an eye would find on a page: what sticks out, what is covered, what is too faint, what moves."""

import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

PICTURES = Path(__file__).resolve().parents[2] / "build" / "pictures"
GLIDES_FOR = 3.0
_EYE = f"({Path(__file__).with_name('sights.js').read_text()})"


def _seen(page: Page, name: str) -> Any:
    return page.evaluate(f"{_EYE}(null, '{name}')")


def expect_no_sideways(page: Page) -> None:
    """Nothing is wider than the window; what scrolls inside its own frame may be."""
    found = _seen(page, "sticksOut")
    assert found == {"by": 0, "what": []}, f"{page.url} at {page.viewport_size}: {found}"


def expect_reachable(page: Page, *things: Locator) -> None:
    """Each of these can be brought into sight and is not covered there."""
    for thing in things:
        fault = thing.evaluate(_EYE, "covered")
        assert fault == "", f"{thing} {fault} at {page.viewport_size}"


def expect_readable(page: Page) -> None:
    """All text has a contrast of 4.5 to 1 at least, once what glides from one colour to the next has arrived."""
    deadline = time.monotonic() + GLIDES_FOR
    while (found := _seen(page, "faint")) and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert found == [], f"{page.url}: {found}"


def expect_still(page: Page) -> None:
    """Nothing glides, fades or blinks."""
    found = _seen(page, "moving")
    assert found == [], f"{page.url}: {found}"


def picture(page: Page, name: str) -> None:
    """Keep what is on the screen for whoever judges by eye."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")
