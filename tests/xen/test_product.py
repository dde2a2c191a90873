"""The whole product on real Xen hosts: asked by the browser and by REST, while everything around a move breaks.

    pytest -m xen tests/xen/test_product.py

The oracle is never our own code: one running copy by ``xl list`` on both hosts, and a heart that goes on beating.
"""

import json
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import moves
from tests.browser.moves import card, confirm, drag
from tests.stage_processes import send
from tests.xen.equipment import Probed
from xenweb.lab.smoke import named, rest
from xenweb.lab.stage import Stage, StageError
from xenweb.lab.xen.descriptions import disk_path
from xenweb.lab.xen.heartbeat import Beat, is_gap_free, widest_gap
from xenweb.lab.xen.lab import Lab
from xenweb.lab.xen.storage import is_active

pytestmark = [pytest.mark.xen, pytest.mark.browser, pytest.mark.timeout(600)]
SignedIn = Callable[..., Page]

GUEST = "busy-1"
ENDED = ("done", "failed", "cancelled")
MOVED_WITHIN = 180.0
BOARD_FOLLOWS_WITHIN = 60.0
NOTICED_WITHIN = 30.0
"""Seconds in which libvirt must notice that a guest is gone."""


def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for something, looking seldom: what looks takes the time of the same two processors that emulate hosts."""
    moves.until(condition, seconds, every=0.25)


def place(lab: Lab, guest: str = GUEST) -> tuple[str, str]:
    """Answer where a guest is, and the other host."""
    [source] = lab.where(guest)
    return source, next(host.name for host in lab.hosts if host.name != source)


def ask(stage: Stage, target: str, guest: str = GUEST, **options: Any) -> str:
    """Ask for a move by REST, again while the board has not followed yet what broke before; answer its id."""
    deadline = time.monotonic() + BOARD_FOLLOWS_WITHIN
    while True:
        try:
            return _asked(stage, target, guest, **options)
        except StageError as error:
            if "not_placeable" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(1)


def _asked(stage: Stage, target: str, guest: str, **options: Any) -> str:
    vm = named(rest(stage, "GET", "/vms")["items"], guest)
    host = named(rest(stage, "GET", "/hosts")["items"], target)
    body = {"vm": vm["uuid"], "target": str(host["id"]), "options": {"guard": False, **options}}
    return str(rest(stage, "POST", "/migrations", body)["id"])


def move(stage: Stage, migration: str) -> dict[str, Any]:
    return dict(rest(stage, "GET", f"/migrations/{migration}"))


def pass_of(stage: Stage, migration: str) -> int:
    """Answer the newest pass that the product tells of a move; -1 before the first."""
    told = [each["pass_number"] for each in rest(stage, "GET", f"/migrations/{migration}/passes")["items"]]
    return max(told, default=-1)


def ends(stage: Stage, migration: str, state: str) -> dict[str, Any]:
    until(lambda: move(stage, migration)["state"] in ENDED, MOVED_WITHIN)
    ended = move(stage, migration)
    assert ended["state"] == state, (ended["state"], ended["failure_code"], ended["failure_sentence"])
    return ended


def choose(stage: Stage, migration: str, *wanted: str) -> None:
    """Wait until the product offers one of these, and choose it."""

    def offered() -> list[str]:
        return [each["kind"] for each in move(stage, migration)["offers"] if each["kind"] in wanted]

    until(lambda: bool(offered()), 120)
    rest(stage, "POST", f"/migrations/{migration}/choices", {"kind": offered()[0]})


def mended(stage: Stage, migration: str, *wanted: str) -> None:
    """Wait until a move has ended by itself, or choose the repair that it offers."""
    until(lambda: move(stage, migration)["state"] in ENDED or bool(move(stage, migration)["offers"]), MOVED_WITHIN)
    if move(stage, migration)["state"] not in ENDED:
        choose(stage, migration, *wanted)


def lives_on(lab: Lab, host: str, guest: str = GUEST) -> None:
    """Hold a guest to the oracle."""
    Probed(lab).runs_once_on(guest, host)


def test_a_guest_is_dragged_in_the_browser_and_its_passes_are_seen_live(
    signed_in: SignedIn, stage: Stage, lab: Lab
) -> None:
    source, target = place(lab)
    before = len(lab.beats(GUEST))
    page = signed_in("admin")
    drag(page, GUEST, target)
    confirm(page)
    shown = page.get_by_test_id("migration-card").first
    expect(shown).to_be_visible()
    expect(shown.get_by_test_id("pass-bar")).not_to_have_count(0, timeout=60_000)
    migration = shown.get_attribute("data-migration") or ""
    assert move(stage, migration)["state"] not in ENDED, "the passes were shown only afterwards"
    ended = ends(stage, migration, "done")
    lives_on(lab, target)
    beats = lab.beats(GUEST)[before - 1 :]
    assert is_gap_free(beats)
    felt = widest_gap(beats)
    assert felt is not None
    told, handed_over = ended["downtime_ms"], ended["memory_hand_over_ms"]
    print(f"{source} to {target}: passes {pass_of(stage, migration) + 1}, told pause {told}, felt gap {felt:.2f} s")
    assert told["value"] is not None
    # The guest's own clock stands still a little longer: it beats only every so often, and wakes its devices first.
    assert felt / 4 <= told["value"] / 1000 <= felt + 0.5
    assert 0 < handed_over["value"] <= told["value"]


def test_a_move_is_given_up_in_its_first_pass_from_the_card(signed_in: SignedIn, stage: Stage, lab: Lab) -> None:
    source, target = place(lab)
    page = signed_in("admin")
    migration = ask(stage, target)
    shown = page.locator(f'[data-testid=migration-card][data-migration="{migration}"]')
    expect(shown.get_by_test_id("pass-bar")).not_to_have_count(0, timeout=60_000)
    shown.get_by_test_id("cancel-move").click()
    page.get_by_test_id("cancel-confirm").click()
    expect(shown).to_have_attribute("data-state", "cancelled", timeout=60_000)
    lives_on(lab, source)
    expect(card(page, GUEST)).to_be_visible()


def test_a_move_is_given_up_in_its_second_pass_and_its_guest_never_stops(stage: Stage, lab: Lab) -> None:
    source, target = place(lab)
    migration = ask(stage, target)
    until(lambda: pass_of(stage, migration) >= 2, 60)
    rest(stage, "POST", f"/migrations/{migration}/cancel", {})
    ends(stage, migration, "cancelled")
    lives_on(lab, source)
    assert is_gap_free(lab.beats(GUEST)[-50:])


def test_kill_9_of_the_helper_ends_with_the_guest_where_it_was(stage: Stage, lab: Lab) -> None:
    source, target = place(lab)
    migration = ask(stage, target)
    until(lambda: pass_of(stage, migration) >= 1, 60)
    Probed(lab).kill_helper(source)
    mended(stage, migration, "remove_target_copy")
    ends(stage, migration, "failed")
    lives_on(lab, source)


def test_kill_9_of_the_worker_in_mid_copy_loses_nothing(stage: Stage, lab: Lab) -> None:
    _, target = place(lab)
    migration = ask(stage, target)
    until(lambda: move(stage, migration)["state"] == "pre_copy", 60)
    assert send(stage, "work", signal.SIGKILL)
    ends(stage, migration, "done")
    lives_on(lab, target)


def test_kill_9_of_the_sources_daemon_ends_with_the_guest_where_it_was(stage: Stage, lab: Lab) -> None:
    source, target = place(lab)
    migration = ask(stage, target)
    until(lambda: pass_of(stage, migration) >= 0, 60)
    lab.daemon(source, "kill")
    lab.daemon(source, "start")
    choose(stage, migration, "remove_target_copy", "correct_source")
    until(lambda: move(stage, migration)["state"] in ENDED or bool(move(stage, migration)["offers"]), 60)
    if move(stage, migration)["state"] not in ENDED:
        mended(stage, migration, "remove_target_copy")
    ends(stage, migration, "failed")
    lives_on(lab, source)


def test_kill_9_of_the_targets_daemon_ends_with_the_guest_where_it_was(stage: Stage, lab: Lab) -> None:
    source, target = place(lab)
    migration = ask(stage, target)
    until(lambda: pass_of(stage, migration) >= 0, 60)
    lab.daemon(target, "kill")
    lab.daemon(target, "start")
    mended(stage, migration, "remove_target_copy")
    ends(stage, migration, "failed")
    lives_on(lab, source)


def _follows(earlier: Beat, later: Beat) -> bool:
    return later.number > earlier.number and later.monotonic > earlier.monotonic


@pytest.mark.parametrize("guest", ["san-1", "nfs-1", "ocfs-1"])
def test_a_guest_moves_on_each_kind_of_storage_and_its_disk_holds_every_record(
    stage: Stage, lab: Lab, guest: str
) -> None:
    source, target = place(lab, guest)
    until(lambda: Probed(lab).newest_record(guest, source) > 20, 60)
    before, last = lab.records(guest, source), lab.beats(guest)[-1]
    spec = lab.guest(guest)
    ended = ends(stage, ask(stage, target, guest, guard=spec.storage == "san"), "done")
    lives_on(lab, target, guest)
    said = lab.beats(guest)[-1].disk
    until(lambda: Probed(lab).newest_record(guest, target) > said + 20, 60)
    after = lab.records(guest, target)
    assert after.run == before.run  # the same start of the same witness: it moved, and was not started again
    assert after.is_complete, (after.missing, after.torn)
    # By the wall clock of both hosts the beats are in one row: no older memory ever ran, and no two copies at once.
    row = [beat for beat in lab.beats(guest) if beat.realtime >= last.realtime]
    assert [each for each in pairwise(row) if not _follows(*each)] == []
    if spec.storage == "san":
        assert is_active(lab.run, spec, target)
        until(lambda: not is_active(lab.run, spec, source), 60)
        guard = ended["guard"]
        print(guard)
        assert guard["state"] == "kept"  # it was made before the move, and is there after it
        assert guard["pause_ms"]["value"] > 0
    print(f"{guest}: pause {ended['downtime_ms']}, widest gap on its disk {after.widest_gap} s")


def guard_of(stage: Stage, migration: str) -> dict[str, Any]:
    return dict(move(stage, migration)["guard"])


def is_let_roll_back(stage: Stage, migration: str, reason: str) -> bool:
    """Ask for a roll-back; libvirt needs a moment until it has noticed that a guest is gone."""
    try:
        rest(stage, "POST", f"/migrations/{migration}/guard/roll-back", {"reason": reason})
    except StageError as error:
        if "does not say whether it has" not in str(error):
            raise
        print(f"{time.monotonic():.1f} s: {error}")
        return False
    return True


def records_at(lab: Lab, host: str, volume: str) -> dict[str, Any]:
    """What a logical volume holds, activated for as long as it is read."""
    lab.run(host, f"lvchange -ay {volume} && udevadm settle")
    try:
        return dict(json.loads(lab.run(host, f"python3 /lab/records.py /dev/{volume}")))
    finally:
        lab.run(host, f"lvchange -an {volume}")


def test_a_move_that_failed_is_rolled_back_to_exactly_the_records_of_its_guard(stage: Stage, lab: Lab) -> None:
    source, target = place(lab, "san-1")
    migration = ask(stage, target, "san-1", guard=True)
    until(lambda: pass_of(stage, migration) >= 0, MOVED_WITHIN)
    Probed(lab).kill_helper(source)
    ends(stage, migration, "failed")
    lives_on(lab, source, "san-1")
    disk = str(disk_path(lab.guest("san-1"))).removeprefix("/dev/")
    held = records_at(lab, source, f"{disk}.xwg-{guard_of(stage, migration)['id']}")
    assert (held["missing"], held["torn"]) == ([], [])
    until(lambda: Probed(lab).newest_record("san-1", source) > held["newest"] + 20, 120)
    lab.run(source, "xl destroy san-1")
    until(lambda: not lab.where("san-1"), 60)
    try:
        until(lambda: is_let_roll_back(stage, migration, "The move failed."), NOTICED_WITHIN)
        until(lambda: guard_of(stage, migration)["rolled_back_at"] is not None, 120)
        guard = guard_of(stage, migration)
        assert (guard["state"], guard["sentence"]) == ("kept", None)
        assert json.loads(lab.run(source, f"python3 /lab/records.py /dev/{disk}")) == held
        history = rest(stage, "GET", "/audit?action=guard_roll_back")["items"]
        assert history[0]["reason"] == "The move failed."
        print(f"rolled back to record {held['newest']} of run {held['run']}; {guard['pause_ms']}")
        rest(stage, "POST", f"/migrations/{migration}/guard/remove", {})
        until(lambda: guard_of(stage, migration)["state"] == "removed", 120)
    finally:
        lab.up(print)


def held_in_last_pass(stage: Stage, lab: Lab, source: str, target: str) -> str:
    """Ask for a move and hold it where its guest is suspended and its last pass still to come; answer its id."""
    probed = Probed(lab)
    probed.hold_last_pass(source)
    migration = ask(stage, target)
    probed.wait_for_hold(source)
    assert lab.where(GUEST)[source].is_stopped
    return migration


def test_a_link_cut_while_memory_is_copied_ends_with_the_guest_where_it_was(stage: Stage, lab: Lab) -> None:
    source, target = place(lab)
    migration = ask(stage, target)
    until(lambda: pass_of(stage, migration) >= 1, 60)
    Probed(lab).break_link(source)
    lab.link(source, "up")
    mended(stage, migration, "remove_target_copy")
    ends(stage, migration, "failed")
    lives_on(lab, source)


def test_a_link_cut_in_the_last_pass_leaves_a_guest_that_one_choice_lets_go_on(stage: Stage, lab: Lab) -> None:
    source, target = place(lab)
    migration = held_in_last_pass(stage, lab, source, target)
    Probed(lab).break_link(source)
    Probed(lab).let_last_pass_go(source)
    until(lambda: not Probed(lab).is_sending(source), 60)
    lab.link(source, "up")
    mended(stage, migration, "remove_half_built")
    ends(stage, migration, "failed")
    lives_on(lab, source)
    ends(stage, ask(stage, target), "done")
    lives_on(lab, target)


def test_a_cable_that_swallows_the_last_pass_is_given_up_and_the_guest_goes_on_where_it_was(
    stage: Stage, lab: Lab
) -> None:
    source, target = place(lab)
    migration = held_in_last_pass(stage, lab, source, target)
    lab.link(source, "silent")
    Probed(lab).let_last_pass_go(source)
    until(lambda: move(stage, migration)["state"] in ENDED or bool(move(stage, migration)["offers"]), 90)
    assert target not in lab.where(GUEST)
    lab.link(source, "up")
    mended(stage, migration, "remove_half_built", "remove_target_copy")
    ends(stage, migration, "failed")
    lives_on(lab, source)
