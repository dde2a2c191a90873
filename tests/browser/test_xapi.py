"""Simulated XAPI pools beside other hosts: labelled, in groups of columns, and their VMs are dragged like others."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.moves import card, column, confirm, drag, expect_on
from xenweb.lab.stage import XAPI_POOL, XAPI_POOLS, Stage, passing_stage

pytestmark = pytest.mark.browser
TALL = {"width": 1440, "height": 3000}
"""The pools stand one below the other, and a hand reaches only what is on the screen."""

WHY = "this test is of the XAPI pools beside other hosts"
MIB = 2**20


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A whole installation on the simulated driver, which starts at once, with the XAPI pools beside it."""
    with passing_stage("x", workers=2, simulated_because=WHY, with_xapi=True) as stage:
        yield stage


def ask(stage: Stage, **command: Any) -> Any:
    """Ask the pools past the XenAPI, through their control door."""
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(Path(stage.data) / "xapi" / "control.sock"))
        door.sendall(json.dumps(command).encode() + b"\n")
        return json.loads(door.makefile().readline())["ok"]


def disk_storage(stage: Stage, vm: str) -> str:
    """Name the storage of a VM's first disk by the pool's own records."""
    told = ask(stage, do="tell", **{"class": "VM", "name": vm})
    vbds = [ask(stage, do="tell", **{"class": "VBD", "name": ref}) for ref in told["VBDs"]]
    vdi = next(vbd["VDI"] for vbd in vbds if vbd["type"] == "Disk")
    sr = ask(stage, do="tell", **{"class": "VDI", "name": vdi})["SR"]
    return str(ask(stage, do="tell", **{"class": "SR", "name": sr})["name_label"])


def row(page: Page, name: str) -> Locator:
    """The field that says where a disk or a network card goes."""
    return page.get_by_test_id("confirm-move").locator(f'[data-testid=map-row][data-map="{name}"]')


def move_of(page: Page, vm: str) -> Locator:
    """The card of a VM's move in the dock."""
    return page.locator(f'[data-testid=migration-card][data-vm-name="{vm}"]')


def api(page: Page, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Ask our own API as the person who is signed in on a page."""
    said = page.evaluate(
        """async ([path, body]) => {
            const token = document.cookie.match(/csrftoken=([^;]+)/)?.[1] ?? ''
            const headers = {'Content-Type': 'application/json', 'X-CSRFToken': token}
            const answer = await fetch('/api/v1' + path, {method: 'POST', headers, body: JSON.stringify(body)})
            return [answer.status, await answer.json()]
        }""",
        [path, body],
    )
    return said[0], said[1]


def id_of(page: Page, kind: str, name: str) -> int:
    """Look the id of something up on the board's own snapshot."""
    board = page.evaluate("async () => (await fetch('/api/v1/board')).json()")
    return int(next(each["id"] for each in board[kind] if each["name"] == name))


def test_pools_are_labelled_groups_and_say_that_they_are_simulated(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport=TALL)
    for name, hosts in zip(XAPI_POOLS.values(), (3, 2), strict=True):
        group = page.get_by_role("region", name=f"Pool {name}")
        expect(group.get_by_test_id("host-column")).to_have_count(hosts)
        expect(group.get_by_test_id("pool-heading")).to_contain_text(f"{hosts} hosts")
        expect(group.get_by_test_id("pool-heading")).to_contain_text("Simulated")


def test_on_a_narrow_screen_groups_and_their_columns_stay_within_it(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport={"width": 390, "height": 844})
    expect(page.get_by_role("region", name=f"Pool {XAPI_POOL}")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for box in page.get_by_test_id("host-column").all():
        place = box.bounding_box()
        assert place is not None
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 390


def test_a_vm_is_dragged_within_its_pool_and_the_pool_itself_has_it_there(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport=TALL)
    expect(column(page, "xcp-a")).to_contain_text("Simulated")
    expect(column(page, "xcp-a")).to_contain_text("XCP-ng 8.3.0")
    assert ask(stage, do="residence", vm="xcp-web-1") == "xcp-a"
    drag(page, "xcp-web-1", "xcp-b")
    expect(page.get_by_test_id("confirm-move")).to_be_visible()
    expect(page.get_by_test_id("maps")).to_have_count(0)
    confirm(page)
    expect_on(page, "xcp-web-1", "xcp-b")
    assert ask(stage, do="residence", vm="xcp-web-1") == "xcp-b"


def test_other_hypervisors_say_why_not_before_the_drop(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport=TALL)
    card(page, "xcp-dns-1").focus()
    page.keyboard.press("Space")
    expect(column(page, "host-a").get_by_test_id("verdict")).to_contain_text("xapi")
    expect(column(page, "xcp-b").get_by_test_id("verdict")).to_be_visible()
    page.keyboard.press("Escape")


def test_a_vm_is_dragged_to_another_pool_onto_the_storage_and_networks_that_were_chosen(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport=TALL)
    drag(page, "xcp-blue-crm", "xcp-a")
    dialog = page.get_by_test_id("confirm-move")
    expect(dialog.get_by_test_id("map-row")).to_have_count(5)
    expect(row(page, "disk xvda")).to_contain_text("32 MiB, now on shared-blue")
    expect(row(page, "card 0").get_by_role("combobox")).to_have_value("Pool-wide network 0")
    expect(row(page, "card 1").get_by_role("combobox")).to_have_value("Guests")
    expect(row(page, "card 2")).to_contain_text("xcp-a has no network called DMZ: choose another.")
    expect(page.get_by_test_id("confirm-submit")).to_be_disabled()
    row(page, "card 2").get_by_role("combobox").select_option("Guests")
    row(page, "disk xvda").get_by_role("combobox").select_option(label="local, 60 GiB free")
    row(page, "disk xvdb").get_by_role("combobox").select_option(label="shared, 60 GiB free")
    confirm(page)
    expect_on(page, "xcp-blue-crm", "xcp-a")
    assert ask(stage, do="residence", vm="xcp-blue-crm") == "xcp-a"
    told = ask(stage, do="tell", **{"class": "VM", "name": "xcp-blue-crm"})
    vifs = [ask(stage, do="tell", **{"class": "VIF", "name": ref}) for ref in told["VIFs"]]
    networks = [ask(stage, do="tell", **{"class": "network", "name": vif["network"]})["name_label"] for vif in vifs]
    assert networks == ["Pool-wide network 0", "Guests", "Guests"]
    move_of(page, "xcp-blue-crm").get_by_role("link", name="Details").click()
    expect(page.get_by_test_id("record-places")).to_contain_text("xvda to local")
    expect(page.get_by_test_id("record-places")).to_contain_text("network card 2 to Guests")


def test_by_keyboard_alone_a_vm_goes_to_another_pool(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport=TALL)
    card(page, "xcp-ledger").focus()
    page.keyboard.press("Space")
    expect(column(page, "xcp-e").get_by_test_id("verdict")).to_contain_text("another pool")
    page.keyboard.type("xcp-e")
    page.keyboard.press("Enter")
    place = row(page, "disk xvda").get_by_role("combobox")
    expect(place).to_be_visible()
    place.focus()
    page.keyboard.type("shared")
    expect(place.locator("option:checked")).to_have_text("shared-blue, 60 GiB free")
    expect(page.get_by_test_id("confirm-submit")).to_be_enabled()
    page.get_by_test_id("confirm-submit").focus()
    page.keyboard.press("Enter")
    expect_on(page, "xcp-ledger", "xcp-e")
    assert ask(stage, do="residence", vm="xcp-ledger") == "xcp-e"


def test_a_move_to_another_pool_is_given_up_and_the_vm_stays_in_its_own(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport=TALL)
    ask(stage, do="set", link=1.0 * MIB)
    try:
        drag(page, "xcp-shop-db", "xcp-d")
        confirm(page)
        moving = move_of(page, "xcp-shop-db")
        expect(moving).to_contain_text("Copying", timeout=30_000)
        moving.get_by_test_id("cancel-move").click()
        page.get_by_test_id("cancel-confirm").click()
        expect(moving).to_contain_text("Cancelled", timeout=30_000)
    finally:
        ask(stage, do="set", link=64.0 * MIB)
    assert ask(stage, do="residence", vm="xcp-shop-db") == "xcp-a"


def test_what_cannot_be_placed_is_refused_with_its_reasons_on_the_board_and_by_the_api(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport=TALL)
    vm, target = id_of(page, "vms", "xcp-blue-web"), id_of(page, "hosts", "xcp-b")
    status, problem = api(page, "/migrations", {"vm": vm, "target": target, "maps": {"disks": [], "cards": []}})
    assert status == 422
    blockers = [each["code"] for each in problem["findings"] if each["severity"] == "blocker"]
    assert blockers == ["disk_unmapped", "network_unmapped"]
    status, verdict = api(page, f"/vms/{vm}/verdicts", {"target": target, "maps": {"cards": []}})
    assert (status, verdict["answer"]) == (200, "cannot_go")
    assert [each["device"] for each in verdict["needs"]["disks"]] == ["xvda"]
    card(page, "xcp-big-etl").focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("the licence is bound to this host").first).to_be_visible()
    page.keyboard.press("Escape")
    assert ask(stage, do="residence", vm="xcp-big-etl") == "xcp-b"


def test_a_refused_call_shows_the_pools_own_code_and_parameters_one_click_away(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport=TALL)
    ask(stage, do="set", unknown=["VM.pool_migrate"])
    try:
        drag(page, "xcp-web-2", "xcp-a")
        confirm(page)
        moving = move_of(page, "xcp-web-2")
        expect(moving).to_contain_text("does not know", timeout=30_000)
    finally:
        ask(stage, do="set", unknown=[])
    moving.get_by_role("link", name="Details").click()
    raw = page.get_by_test_id("migration-page").get_by_test_id("raw-codes").filter(has_text="MESSAGE_METHOD_UNKNOWN")
    code = raw.get_by_text("MESSAGE_METHOD_UNKNOWN", exact=True)
    expect(code).to_be_hidden()
    raw.get_by_text("What the pool itself said").click()
    expect(code).to_be_visible()
    expect(raw.get_by_text("Async.VM.pool_migrate", exact=True)).to_be_visible()
    assert ask(stage, do="residence", vm="xcp-web-2") == "xcp-b"


def test_a_halted_vm_is_dragged_to_another_pool_with_its_disk_and_is_not_started(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport=TALL)
    drag(page, "xcp-blue-old", "xcp-c")
    row(page, "disk xvda").get_by_role("combobox").select_option(label="shared, 60 GiB free")
    confirm(page)
    expect_on(page, "xcp-blue-old", "xcp-c")
    expect(card(page, "xcp-blue-old")).to_contain_text("halted")
    told = ask(stage, do="tell", **{"class": "VM", "name": "xcp-blue-old"})
    assert (told["pool"], told["power_state"]) == ("green", "Halted")


def test_one_disk_moves_to_other_storage_while_its_vm_runs_on(
    stage: Stage, browser: Browser, signed_in: Callable[..., Page]
) -> None:
    page = signed_in("admin", viewport=TALL)
    name = "xcp-blue-web"
    assert disk_storage(stage, name) == "local"
    card(page, name).get_by_test_id("disk-button").click()
    dialog = page.get_by_test_id("move-disk")
    expect(dialog.get_by_label("To storage").locator("option:checked")).to_have_text("shared-blue, 60 GiB free")
    dialog.get_by_test_id("disk-submit").click()
    expect(dialog.get_by_test_id("disk-move")).to_contain_text("Done: xvda is on shared-blue", timeout=60_000)
    page.keyboard.press("Escape")
    assert disk_storage(stage, name) == "shared-blue"
    assert ask(stage, do="residence", vm=name) == "xcp-d"
    expect(card(page, name)).to_contain_text("running")
    page.goto(f"{stage.address}/history")
    for action in ("disk_move_request", "disk_move_start", "disk_move_outcome"):
        expect(page.locator(f'[data-testid=history-row][data-action="{action}"]')).to_contain_text(name)
