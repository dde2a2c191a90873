"""A simulated XAPI pool beside other hosts: labelled, in columns of its own, and its VMs are dragged like others."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.moves import card, column, confirm, drag, expect_on
from xenweb.lab.stage import XAPI_POOL, Stage, passing_stage

pytestmark = pytest.mark.browser
TALL = {"width": 1440, "height": 2200}
"""Two pools stand one below the other, and a hand reaches only what is on the screen."""

WHY = "this test is of the XAPI pool beside other hosts"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A whole installation on the simulated driver, which starts at once, with the XAPI pool beside it."""
    with passing_stage("x", workers=2, simulated_because=WHY, with_xapi=True) as stage:
        yield stage


def ask(stage: Stage, **command: Any) -> Any:
    """Ask the pool past the XenAPI, through its control door."""
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(Path(stage.data) / "xapi" / "control.sock"))
        door.sendall(json.dumps(command).encode() + b"\n")
        return json.loads(door.makefile().readline())["ok"]


def test_a_vm_is_dragged_within_its_pool_and_the_pool_itself_has_it_there(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport=TALL)
    group = page.locator(f'section[aria-label*="{XAPI_POOL}"]')
    expect(group.get_by_test_id("host-column")).to_have_count(3)
    expect(column(page, "xcp-a")).to_contain_text("Simulated")
    expect(column(page, "xcp-a")).to_contain_text("XCP-ng 8.3.0")
    assert ask(stage, do="residence", vm="xcp-web-1") == "xcp-a"
    drag(page, "xcp-web-1", "xcp-b")
    confirm(page)
    expect_on(page, "xcp-web-1", "xcp-b")
    assert ask(stage, do="residence", vm="xcp-web-1") == "xcp-b"


def test_another_pool_and_a_pinned_vm_say_why_not_before_the_drop(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport=TALL)
    card(page, "xcp-dns-1").focus()
    page.keyboard.press("Space")
    expect(column(page, "host-a").get_by_test_id("verdict")).to_contain_text("xapi")
    expect(column(page, "xcp-b").get_by_test_id("verdict")).to_be_visible()
    page.keyboard.press("Escape")
