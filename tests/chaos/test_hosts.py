"""Hosts, daemons, guests and cables break in mid-move; nothing is claimed that is not proven."""

import subprocess
import time

import pytest

from tests.bounce.witness import running_on
from tests.chaos.scene import GUEST, UUIDS, Scene, until
from xenweb.lab.smoke import named, rest
from xenweb.lab.stage import StageError

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
FRAGILE = "mail-2"
"""The guest for faults that cost a guest its life: its beats begin anew afterwards."""


def virsh(scene: Scene, host: str, *words: str) -> str:
    """Do something without xenweb, as an administrator with a shell would."""
    command = ["virsh", "-c", scene.lab.uri(host), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


def start_again(scene: Scene, host: str, vm: str = FRAGILE) -> None:
    """Start a guest that a fault has cost its life."""
    if not running_on(scene.lab, UUIDS[vm]):
        virsh(scene, host, "start", vm)
    scene.witness.diaries[vm].last = None
    scene.expect_on(host, vm)


def test_f19_the_sources_daemon_restarts_in_pre_copy(scene: Scene) -> None:
    source, migration = scene.where(), scene.copying()
    scene.lab.daemon(source, "kill")
    time.sleep(1)
    scene.lab.daemon(source, "start")
    ended = scene.until_ended(migration)
    scene.expect_on(source if ended["state"] == "failed" else ended["target_name"])
    scene.expect_one_call_and_outcome(migration, ended["state"])


def test_f20_the_targets_daemon_restarts_in_pre_copy(scene: Scene) -> None:
    source, target, migration = scene.where(), scene.elsewhere(), scene.copying()
    scene.lab.daemon(target, "kill")
    time.sleep(1)
    scene.lab.daemon(target, "start")
    ended = scene.until_ended(migration)
    assert ended["state"] == "failed"
    scene.expect_on(source)
    until(lambda: not scene.qemu_of(target), 15, "nothing left on the target")


def test_f21_the_sources_power_fails_in_pre_copy(scene: Scene) -> None:
    source, target = scene.where(FRAGILE), scene.elsewhere(FRAGILE)
    others = {vm for vm in UUIDS if source in running_on(scene.lab, UUIDS[vm])}
    migration = scene.copying(FRAGILE)
    scene.lab.power(source, "off")
    assert scene.until_state(migration, "uncertain", within=20)["failure_code"] == "place_unproven"
    time.sleep(3)
    assert running_on(scene.lab, UUIDS[FRAGILE]) == []  # nobody starts it elsewhere
    scene.lab.power(source, "on")
    ended = scene.until_ended(migration)
    assert (ended["state"], ended["failure_code"]) == ("failed", "vm_stopped")
    assert not scene.qemu_of(target, FRAGILE)
    for vm in others:
        start_again(scene, source, vm)


def test_f22_the_targets_power_fails_in_pre_copy(scene: Scene) -> None:
    scene.ask(FRAGILE, "host-a", bandwidth_limit=None) if scene.where(FRAGILE) != "host-a" else None
    scene.settle()
    migration = scene.until_state(scene.ask(FRAGILE, "host-c"), "pre_copy")
    others = {vm for vm in UUIDS if "host-c" in running_on(scene.lab, UUIDS[vm])}
    scene.lab.power("host-c", "off")
    until(lambda: running_on(scene.lab, UUIDS[FRAGILE]) == ["host-a"], 20)
    vm = named(rest(scene.stage, "GET", "/vms")["items"], FRAGILE)
    verdicts = rest(scene.stage, "GET", f"/vms/{vm['id']}/verdicts")["verdicts"]
    down = named(rest(scene.stage, "GET", "/hosts")["items"], "host-c")["id"]
    assert next(each for each in verdicts if each["host"] == down)["answer"] == "cannot_go"
    scene.lab.power("host-c", "on")
    assert scene.until_ended(migration)["state"] == "failed"
    scene.expect_on("host-a", FRAGILE)
    for each in others:
        start_again(scene, "host-c", each)


def test_f23_the_targets_power_fails_right_after_the_switch_over(scene: Scene) -> None:
    source = scene.where(FRAGILE)
    migration = scene.until_state(scene.ask(FRAGILE, "host-c"), "pre_copy")
    others = {vm for vm in UUIDS if "host-c" in running_on(scene.lab, UUIDS[vm])} - {FRAGILE}
    until(lambda: running_on(scene.lab, UUIDS[FRAGILE]) == ["host-c"], 60)
    scene.lab.power("host-c", "off")
    seen = scene.until_state(migration, "uncertain", "done", within=20)
    time.sleep(3)
    assert running_on(scene.lab, UUIDS[FRAGILE]) == []  # nobody starts it at the source
    assert not scene.qemu_of(source, FRAGILE)
    scene.lab.power("host-c", "on")
    ended = scene.until_ended(migration)
    assert ended["state"] == ("done" if seen["state"] == "done" else "failed")
    for each in {*others, FRAGILE}:
        start_again(scene, "host-c", each)


def test_f24_a_cable_pulled_in_pre_copy_is_given_up_at_the_deadline(scene: Scene) -> None:
    source, migration = scene.where(), scene.copying(deadline_s=12)
    scene.lab.link(source, "down")
    ended = scene.until_ended(migration, 40)
    assert ended["state"] == "cancelled"
    scene.expect_on(source)


def test_f25_a_cable_pulled_while_the_vm_stands_still(scene: Scene) -> None:
    source, target = scene.where("hot-db"), scene.elsewhere("hot-db")
    migration = scene.copying("hot-db", bandwidth_limit=12 * 1024 * 1024)
    scene.choose(migration, "pause")
    scene.until_state(migration, "stop_and_copy")
    scene.lab.link(source, "down")
    time.sleep(4)
    assert scene.move(migration)["state"] not in {"done", "failed", "cancelled"}
    rest(scene.stage, "POST", f"/migrations/{migration['id']}/cancel", {})
    ended = scene.until_ended(migration, 60)
    scene.lab.link(source, "up")
    scene.expect_on({"cancelled": source, "failed": source, "done": target}[ended["state"]], "hot-db")


def test_f26_a_source_that_hears_nobody_is_not_called_done_before_it_is_heard(scene: Scene) -> None:
    source, migration = scene.where(), scene.copying()
    with scene.stopped(scene.daemon_of(source)):
        time.sleep(12)
        assert scene.move(migration)["state"] not in {"done", "failed", "cancelled"}
    ended = scene.until_ended(migration, 60)
    scene.expect_on(ended["target_name"] if ended["state"] == "done" else source)


def test_f27_two_hosts_that_hear_nobody_are_stale_and_take_no_moves(scene: Scene) -> None:
    source = scene.where()
    with scene.stopped([*scene.daemon_of("host-a"), *scene.daemon_of("host-b")]):
        until(
            lambda: [host["state"] for host in rest(scene.stage, "GET", "/hosts")["items"]].count("unreachable") == 2,
            30,
            "two unreachable hosts",
        )
        with pytest.raises(StageError, match="does not answer"):
            scene.ask(GUEST, "host-c")
    scene.settle()
    scene.expect_on(source)


def test_f30_a_vm_that_changes_too_fast_is_shown_so_and_given_up_at_its_deadline(scene: Scene) -> None:
    source = scene.where("hot-db")
    migration = scene.copying("hot-db", bandwidth_limit=8 * 1024 * 1024, deadline_s=60)
    until(lambda: scene.move(migration)["progress"]["converging"] is False, 55, "the word that it does not converge")
    assert scene.until_ended(migration, 40)["state"] == "cancelled"
    scene.expect_on(source, "hot-db")


def test_f31_a_cancel_at_the_last_moment_has_one_outcome(scene: Scene) -> None:
    source, target, migration = scene.where(), scene.elsewhere(), scene.copying()
    until(lambda: scene.lab.where(GUEST) == target or (scene.move(migration)["progress"]["pass_number"] or 0) > 1, 60)
    try:
        rest(scene.stage, "POST", f"/migrations/{migration['id']}/cancel", {})
    except StageError as too_late:
        assert "409" in str(too_late)
    ended = scene.until_ended(migration)
    scene.expect_on(target if ended["state"] == "done" else source)
    scene.expect_one_call_and_outcome(migration, ended["state"])


def test_f35_a_vm_moved_by_hand_while_it_waits_is_not_moved_again(scene: Scene) -> None:
    source, target = scene.where("dns-1"), scene.elsewhere("dns-1")
    with scene.stopped(scene.parents()):
        migration = scene.ask("dns-1", target)
        address = scene.lab.host(target).migration_address
        words = ("migrate", "--live", "--p2p", "--persistent", "--undefinesource", "dns-1", scene.lab.uri(target))
        virsh(scene, source, *words, "--migrateuri", f"tcp://{address}", "--listen-address", address)
    ended = scene.until_ended(migration)
    assert (ended["state"], ended["failure_code"]) == ("failed", "vm_missing")
    scene.expect_on(target, "dns-1")


def test_f36_a_renamed_vm_stays_itself(scene: Scene) -> None:
    before = named(rest(scene.stage, "GET", "/vms")["items"], "old-wiki")
    virsh(scene, "host-c", "domrename", "old-wiki", "older-wiki")
    try:
        after = until(lambda: named(rest(scene.stage, "GET", "/vms")["items"], "older-wiki"), 10)
        assert (after["id"], after["uuid"]) == (before["id"], before["uuid"])
    finally:
        virsh(scene, "host-c", "domrename", "older-wiki", "old-wiki")


def test_f37_a_vm_destroyed_in_mid_copy_fails_and_is_not_raised_again(scene: Scene) -> None:
    source, target = scene.where(FRAGILE), scene.elsewhere(FRAGILE)
    migration = scene.copying(FRAGILE)
    virsh(scene, source, "destroy", FRAGILE)
    ended = scene.until_ended(migration)
    assert (ended["state"], ended["failure_code"]) == ("failed", "vm_stopped")
    time.sleep(2)
    assert running_on(scene.lab, UUIDS[FRAGILE]) == []
    assert not scene.qemu_of(target, FRAGILE)
    start_again(scene, source)


def test_f38_a_name_that_is_taken_on_the_target_is_refused_before_the_call(scene: Scene) -> None:
    source, target = scene.where("ldap-1"), scene.elsewhere("ldap-1")
    xml = virsh(scene, source, "dumpxml", "--inactive", "ldap-1")
    other = xml.replace(UUIDS["ldap-1"], "deadbeef-0000-4000-8000-000000000000")
    path = scene.stage.data / "other.xml"
    path.write_text(other)
    virsh(scene, target, "define", str(path))
    try:
        ended = scene.until_ended(scene.ask("ldap-1", target))
        assert (ended["state"], ended["failure_code"]) == ("failed", "name_taken")
        assert scene.records(ended, "migration_start") == []
        scene.expect_on(source, "ldap-1")
    finally:
        virsh(scene, target, "undefine", "deadbeef-0000-4000-8000-000000000000")


def test_f49_what_happened_while_no_events_came_is_seen_afterwards(scene: Scene) -> None:
    scene.lab.daemon("host-c", "kill")
    time.sleep(2)
    scene.lab.daemon("host-c", "start")
    virsh(scene, "host-c", "suspend", "wiki")
    try:
        until(lambda: named(rest(scene.stage, "GET", "/vms")["items"], "wiki")["state"] == "paused", 10)
    finally:
        virsh(scene, "host-c", "resume", "wiki")
    until(lambda: named(rest(scene.stage, "GET", "/vms")["items"], "wiki")["state"] == "running", 10)


def test_f50_a_host_that_hangs_holds_nobody_else_up(scene: Scene) -> None:
    target = scene.elsewhere()
    with scene.stopped(scene.daemon_of("host-c")):
        began = time.monotonic()
        rest(scene.stage, "GET", "/board")
        assert time.monotonic() - began < 2
        assert scene.until_ended(scene.ask(bandwidth_limit=None))["state"] == "done"
    scene.expect_on(target)


def test_a_frozen_target_has_a_way_out(scene: Scene) -> None:
    source, target, migration = scene.where(), scene.elsewhere(), scene.copying()
    with scene.stopped(scene.qemu_of(target)):
        rest(scene.stage, "POST", f"/migrations/{migration['id']}/cancel", {})
        offered = until(lambda: scene.move(migration)["offers"], 20, "a way out")
        assert [offer["kind"] for offer in offered] == ["remove_target_copy"]
        assert scene.move(migration)["state"] == "cancelling"
        scene.choose(migration, "remove_target_copy")
        assert scene.until_ended(migration)["state"] == "cancelled"
    scene.expect_on(source)
