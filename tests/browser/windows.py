"""A real browser in front of whatever ``stage`` a folder of tests has."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from xenweb.lab.stage import Stage

CHROMIUM = "/usr/bin/chromium"
# What a page must show it shows within this, in ms, on a loaded machine too; how fast it is, the benchmark says.
SHOWN_WITHIN = 15_000
expect.set_options(timeout=SHOWN_WITHIN)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def signed_in(stage: Stage, browser: Browser) -> Iterator[Callable[..., Page]]:
    """A function that opens a browser of its own for one person, signed in at the board.

    Whatever the content policy refuses, and whatever the page throws, fails the test.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_as(username: str, path: str = "/", **options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SHOWN_WITHIN)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        person = next(each for each in stage.sign_ins if each["username"] == username)
        page.goto(f"{stage.address}/sign-in")
        page.fill("input[name=username]", username)
        page.fill("input[name=password]", person["password"])
        page.click("button[type=submit]")
        page.wait_for_selector("[data-testid=host-column]")
        if path != "/":
            page.goto(stage.address + path)
        return page

    yield open_as
    for context in contexts:
        context.close()
    assert not faults, faults
