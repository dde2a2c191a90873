"""What others see: the same passes, nothing foreign, the truth after a crash."""

import json
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.moves import card, expect_alive, expect_on, until
from tests.stage_processes import send
from xenweb.lab.errors import LabError
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.smoke import named, rest
from xenweb.lab.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.lab]
SignedIn = Callable[..., Page]

SLOW = {"bandwidth_limit": 4 * 1024 * 1024}
TRUTH_WITHIN_MS = 15_000


def ask(stage: Stage, vm: str, host: str, **options: Any) -> dict[str, Any]:
    """Ask for a move by REST, as the administrator."""
    row = named(rest(stage, "GET", "/vms")["items"], vm)
    target = named(rest(stage, "GET", "/hosts")["items"], host)
    body = {"vm": row["uuid"], "target": target["uuid"], "options": options}
    return dict(rest(stage, "POST", "/migrations", body))


def migration_card(page: Page, migration: str) -> Any:
    """The card of one migration in the dock."""
    return page.locator(f'[data-testid=migration-card][data-migration="{migration}"]')


def test_a_second_browser_sees_the_same_passes(signed_in: SignedIn, stage: Stage) -> None:
    one, two = signed_in("admin"), signed_in("auditor")
    migration = ask(stage, "hot-db", "host-b", **SLOW)["id"]
    for page in (one, two):
        expect(migration_card(page, migration)).to_be_visible()
        expect(migration_card(page, migration).get_by_test_id("pass-bar")).not_to_have_count(0)
    until(lambda: len(rest(stage, "GET", f"/migrations/{migration}/passes")["items"]) >= 2, 60)
    bars = [migration_card(page, migration).get_by_test_id("pass-bar") for page in (one, two)]
    until(lambda: all(bar.count() >= 2 for bar in bars))
    migration_card(one, migration).get_by_test_id("cancel-move").click()
    one.get_by_test_id("cancel-confirm").click()
    for page in (one, two):
        expect(migration_card(page, migration)).to_have_attribute("data-state", "cancelled", timeout=20_000)
    assert rest(stage, "GET", f"/migrations/{migration}")["state"] == "cancelled"


def test_a_lead_of_another_team_sees_neither_vm_nor_events(signed_in: SignedIn, stage: Stage, lab: Lab) -> None:
    page = signed_in("lead-data")
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda payload: frames.append(str(payload))))

    def heard() -> str:
        page.wait_for_timeout(100)  # frames arrive here only while the page is asked for something
        return "".join(frames)

    page.reload()
    page.wait_for_selector("[data-testid=host-column]")
    assert card(page, "web-2").count() == 0
    row = named(rest(stage, "GET", "/vms")["items"], "web-2")
    with lab.watch("web-2") as heartbeat:
        migration = ask(stage, "web-2", "host-a")["id"]
        until(lambda: rest(stage, "GET", f"/migrations/{migration}")["state"] == "done", 60)
        expect_alive(lab, heartbeat, "web-2", "host-a")
        # The feed is heard: what happens to a VM of its own team comes through it.
        own = ask(stage, "hot-db", "host-b", **SLOW)["id"]
        until(lambda: own in heard(), 30)
        rest(stage, "POST", f"/migrations/{own}/cancel")
        until(lambda: rest(stage, "GET", f"/migrations/{own}")["state"] == "cancelled", 60)
    assert page.get_by_test_id("migration-card").filter(has_text="web-2").count() == 0
    text = heard()
    assert "web-2" not in text
    assert row["uuid"] not in text
    assert migration not in text


def test_an_auditor_finds_the_record_and_changes_nothing(signed_in: SignedIn, stage: Stage) -> None:
    migration = ask(stage, "git-1", "host-b")["id"]
    until(lambda: rest(stage, "GET", f"/migrations/{migration}")["state"] == "done", 60)
    page = signed_in("auditor", "/history")
    expect(page.get_by_role("table")).to_contain_text("git-1")
    page.goto(f"{stage.address}/migrations/{migration}")
    expect(page.get_by_text("host-b").first).to_be_visible()
    page.goto(stage.address)
    page.wait_for_selector("[data-testid=host-column]")
    assert page.get_by_test_id("move-button").count() == 0


def test_a_change_behind_our_back_is_on_the_board_within_two_seconds(signed_in: SignedIn, lab: Lab) -> None:
    page = signed_in("admin")
    expect(card(page, "wiki")).to_have_attribute("data-state", "running")
    virsh(lab, "host-c", "suspend", "wiki")
    expect(card(page, "wiki")).to_have_attribute("data-state", "paused", timeout=2_000)
    virsh(lab, "host-c", "resume", "wiki")
    expect(card(page, "wiki")).to_have_attribute("data-state", "running", timeout=2_000)


def virsh(lab: Lab, host: str, *words: str) -> None:
    """Do something without xenweb, as an administrator with a shell would."""
    subprocess.run(["virsh", "-c", lab.uri(host), *words], check=True, capture_output=True)


def runs_only_on(lab: Lab, vm: str, host: str) -> bool:
    """Say whether one host has the guest; while it moves, two know of it."""
    try:
        return lab.where(vm) == host
    except LabError:
        return False


def test_kill_9_of_the_worker_in_mid_copy_loses_nothing(signed_in: SignedIn, stage: Stage, lab: Lab) -> None:
    page = signed_in("admin")
    with lab.watch("cache-1") as heartbeat:
        source = lab.where("cache-1")
        target = "host-b" if source != "host-b" else "host-a"
        migration = ask(stage, "cache-1", target, bandwidth_limit=16 * 1024 * 1024)["id"]
        expect(migration_card(page, migration)).to_have_attribute("data-state", "pre_copy")
        send(stage, "work", signal.SIGKILL)
        until(lambda: runs_only_on(lab, "cache-1", target), 60)
        expect(migration_card(page, migration)).to_have_attribute("data-state", "done", timeout=TRUTH_WITHIN_MS)
        expect_on(page, "cache-1", target)
        expect_alive(lab, heartbeat, "cache-1", target)
    outcomes = rest(stage, "GET", f"/audit?subject={migration}&action=migration_outcome")["items"]
    assert [record["outcome"] for record in outcomes] == ["done"], json.dumps(outcomes)
