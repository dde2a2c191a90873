"""Hosts, daemons, guests and cables break in mid-move; nothing is claimed that is not proven."""

import re
import subprocess
import time
from datetime import UTC, datetime

import pytest

from tests.bounce.witness import running_on
from tests.chaos.scene import FRAGILE, FRAGILE_HOST, GUEST, UUIDS, Scene, until
from xenweb.lab.smoke import named, rest
from xenweb.lab.stage import StageError

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


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


def age_of_the_oldest_look(scene: Scene) -> float:
    """Answer for how many seconds the board has known nothing new of some host."""
    looks = [datetime.fromisoformat(host["as_of"]) for host in rest(scene.stage, "GET", "/hosts")["items"]]
    return (datetime.now(UTC) - min(looks)).total_seconds()


@pytest.mark.fault("F19")
def test_f19_the_sources_daemon_restarts_in_pre_copy(scene: Scene) -> None:
    source, migration = scene.where(), scene.copying()
    scene.lab.daemon(source, "kill")
    time.sleep(1)
    scene.lab.daemon(source, "start")
    ended = scene.until_ended(migration)
    scene.expect_on(source if ended["state"] == "failed" else ended["target_name"])
    scene.expect_one_call_and_outcome(migration, ended["state"])


@pytest.mark.fault("F20")
def test_f20_the_targets_daemon_restarts_in_pre_copy(scene: Scene) -> None:
    source, target, migration = scene.where(), scene.elsewhere(), scene.copying()
    scene.lab.daemon(target, "kill")
    time.sleep(1)
    scene.lab.daemon(target, "start")
    ended = scene.until_ended(migration)
    assert ended["state"] == "failed"
    scene.expect_on(source)
    until(lambda: not scene.qemu_of(target), 15, "nothing left on the target")


def guests_on(scene: Scene, host: str) -> set[str]:
    """Name the guests that a host runs."""
    return {vm for vm in UUIDS if host in running_on(scene.lab, UUIDS[vm])}


@pytest.mark.fault("F21")
def test_f21_the_sources_power_fails_in_pre_copy(scene: Scene) -> None:
    scene.bring(FRAGILE, FRAGILE_HOST)
    lost, migration = guests_on(scene, FRAGILE_HOST), scene.until_state(scene.ask(FRAGILE, "host-a"), "pre_copy")
    scene.lab.power(FRAGILE_HOST, "off")
    assert scene.until_state(migration, "uncertain", within=20)["failure_code"] == "place_unproven"
    time.sleep(3)
    scene.expect_nowhere(FRAGILE, "host-a")  # nobody starts it elsewhere
    scene.lab.power(FRAGILE_HOST, "on")
    ended = scene.until_ended(migration)
    assert (ended["state"], ended["failure_code"]) == ("failed", "vm_stopped")
    for vm in lost:
        start_again(scene, FRAGILE_HOST, vm)


@pytest.mark.fault("F22")
def test_f22_the_targets_power_fails_in_pre_copy(scene: Scene) -> None:
    scene.bring(FRAGILE, "host-a")
    lost, migration = (
        guests_on(scene, FRAGILE_HOST),
        scene.until_state(scene.ask(FRAGILE, FRAGILE_HOST), "pre_copy"),
    )
    scene.lab.power(FRAGILE_HOST, "off")
    down = named(rest(scene.stage, "GET", "/hosts")["items"], FRAGILE_HOST)["id"]
    vm = named(rest(scene.stage, "GET", "/vms")["items"], FRAGILE)

    def is_refused() -> bool:
        verdicts = rest(scene.stage, "GET", f"/vms/{vm['id']}/verdicts")["verdicts"]
        answer: str = next(each for each in verdicts if each["host"] == down)["answer"]
        return answer == "cannot_go"

    until(is_refused, 20, "the host that is down to be out of the choice")
    scene.lab.power(FRAGILE_HOST, "on")
    assert scene.until_ended(migration)["state"] == "failed"
    scene.expect_on("host-a", FRAGILE)
    for each in lost:
        start_again(scene, FRAGILE_HOST, each)


@pytest.mark.fault("F23")
def test_f23_the_targets_power_fails_right_after_the_switch_over(scene: Scene) -> None:
    scene.bring(FRAGILE, "host-a")
    lost, migration = (
        guests_on(scene, FRAGILE_HOST) | {FRAGILE},
        scene.until_state(scene.ask(FRAGILE, FRAGILE_HOST), "pre_copy"),
    )
    until(lambda: running_on(scene.lab, UUIDS[FRAGILE]) == [FRAGILE_HOST] and not scene.qemu_of("host-a", FRAGILE), 60)
    scene.lab.power(FRAGILE_HOST, "off")
    seen = scene.until_state(migration, "uncertain", "done", within=20)
    time.sleep(3)
    scene.expect_nowhere(FRAGILE, "host-a")  # nobody starts it at the source
    scene.lab.power(FRAGILE_HOST, "on")
    ended = scene.until_ended(migration)
    assert ended["state"] == ("done" if seen["state"] == "done" else "failed")
    for each in lost:
        start_again(scene, FRAGILE_HOST, each)


@pytest.mark.fault("F24")
def test_f24_a_cable_pulled_in_pre_copy_is_given_up_at_the_deadline(scene: Scene) -> None:
    source, migration = scene.where(), scene.copying(deadline_s=12)
    scene.lab.link(source, "down")
    ended = scene.until_ended(migration, 40)
    assert ended["state"] == "cancelled"
    scene.expect_on(source)


@pytest.mark.fault("F25")
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


@pytest.mark.fault("F26")
def test_f26_a_source_that_we_do_not_hear_lets_nothing_be_called_done(scene: Scene) -> None:
    source, target, migration = scene.where(), scene.elsewhere(), scene.copying()
    with scene.parted_from(source):
        until(lambda: running_on(scene.lab, UUIDS[GUEST]) == [target], 60, "the guest on its target")
        assert scene.until_state(migration, "uncertain", within=20)["failure_code"] == "place_unproven"
        time.sleep(2)
        assert scene.move(migration)["state"] == "uncertain"
    assert scene.until_ended(migration)["state"] == "done"
    scene.expect_on(target)
    scene.expect_one_call_and_outcome(migration, "done")


@pytest.mark.fault("F27")
def test_f27_two_hosts_that_we_do_not_hear_are_stale_and_take_no_moves(scene: Scene) -> None:
    source = scene.where()
    with scene.parted_from("host-a", "host-b"):
        until(
            lambda: [host["state"] for host in rest(scene.stage, "GET", "/hosts")["items"]].count("unreachable") == 2,
            30,
            "two unreachable hosts",
        )
        with pytest.raises(StageError, match="does not answer"):
            scene.ask(GUEST, "host-c")
    scene.settle()
    scene.expect_on(source)


@pytest.mark.fault("F28")
def test_f28_storage_that_is_gone_from_the_target_is_refused_before_the_call(scene: Scene) -> None:
    source, target = scene.where(), scene.elsewhere()
    pool = next(each for each in virsh(scene, target, "pool-list", "--name").split() if "shared" in each)
    virsh(scene, target, "pool-destroy", pool)
    try:
        refusal, ended = "", {}
        try:
            ended = scene.until_ended(scene.ask(GUEST, target))
        except StageError as refused:
            refusal = str(refused)
        assert "storage" in refusal or ended.get("state") == "failed", (refusal, ended)
        assert not ended or scene.records(ended, "migration_start") == []
    finally:
        virsh(scene, target, "pool-start", pool)
    scene.expect_on(source)
    until(lambda: scene.until_ended(scene.ask(GUEST, target, bandwidth_limit=None))["state"] == "done", 40)
    scene.expect_on(target)


@pytest.mark.fault("F29")
def test_f29_memory_that_the_target_lacks_is_refused_by_name(scene: Scene) -> None:
    source = scene.where("big-etl")
    with pytest.raises(StageError, match="memory"):
        scene.ask("big-etl", "host-c")
    scene.expect_on(source, "big-etl")


@pytest.mark.fault("F29")
def test_f29_a_cpu_feature_that_the_target_lacks_is_named_before_the_call(scene: Scene) -> None:
    scene.bring("ldap-1", "host-a")
    scene.lab.processor("host-b", "small")
    try:
        ended = scene.until_ended(scene.ask("ldap-1", "host-b"))
    finally:
        scene.lab.processor("host-b", "full")
    assert (ended["state"], ended["failure_code"]) == ("failed", "cpu_incompatible")
    assert "cx16" in ended["failure_sentence"]
    assert scene.records(ended, "migration_start") == []
    scene.expect_on("host-a", "ldap-1")


@pytest.mark.fault("F30")
def test_f30_a_vm_that_changes_too_fast_is_shown_so_and_given_up_at_its_deadline(scene: Scene) -> None:
    source = scene.where("hot-db")
    migration = scene.copying("hot-db", bandwidth_limit=8 * 1024 * 1024, deadline_s=60)
    ages: list[float] = []

    def is_told() -> bool:
        ages.append(age_of_the_oldest_look(scene))
        return scene.move(migration)["progress"]["converging"] is False

    until(is_told, 55, "the word that it does not converge")
    assert max(ages) < 10  # the copy that the target receives holds up no look at it
    assert scene.until_ended(migration, 40)["state"] == "cancelled"
    scene.expect_on(source, "hot-db")


@pytest.mark.fault("F31")
def test_f31_a_cancel_at_the_last_moment_has_one_outcome(scene: Scene) -> None:
    source, target, migration = scene.where(), scene.elsewhere(), scene.copying()

    def is_late() -> bool:
        return (
            running_on(scene.lab, UUIDS[GUEST]) == [target]
            or scene.move(migration)["progress"]["total"]["value"] > 0.75
        )

    until(is_late, 60)
    try:
        rest(scene.stage, "POST", f"/migrations/{migration['id']}/cancel", {})
    except StageError as too_late:
        assert "409" in str(too_late)
    ended = scene.until_ended(migration)
    scene.expect_on(target if ended["state"] == "done" else source)
    scene.expect_one_call_and_outcome(migration, ended["state"])


@pytest.mark.fault("F35")
def test_f35_a_vm_moved_by_hand_while_it_waits_is_not_moved_again(scene: Scene) -> None:
    source, target = scene.where("dns-1"), scene.elsewhere("dns-1")
    with scene.stopped(scene.parents()):
        migration = scene.ask("dns-1", target)
        address = scene.lab.host(target).migration_address
        words = ("migrate", "--live", "--p2p", "--persistent", "--undefinesource", "dns-1", scene.lab.uri(target))
        virsh(scene, source, *words, "--migrateuri", f"tcp://{address}", "--listen-address", address)
    ended = scene.until_ended(migration)
    # Who notices first: the watcher, or the question to the source right before the call.
    assert ended["state"] == "failed", (ended, scene.records(ended, "migration_start"))
    assert ended["failure_code"] in {"vm_missing", "vm_left_source"}
    assert scene.records(ended, "migration_start") == []
    scene.expect_on(target, "dns-1")
    scene.until_history_tells("dns-1", to_host=target, to_state="running")


@pytest.mark.fault("F36")
def test_f36_a_renamed_vm_stays_itself(scene: Scene) -> None:
    before = named(rest(scene.stage, "GET", "/vms")["items"], "old-wiki")
    virsh(scene, "host-c", "domrename", "old-wiki", "older-wiki")
    try:
        after = until(lambda: named(rest(scene.stage, "GET", "/vms")["items"], "older-wiki"), 10)
        assert (after["id"], after["uuid"]) == (before["id"], before["uuid"])
        assert "older-wiki" in virsh(scene, "host-c", "list", "--all", "--name").split()
        scene.hear("daemon: older-wiki has the UUID that old-wiki had; so has the board")
    finally:
        virsh(scene, "host-c", "domrename", "older-wiki", "old-wiki")


@pytest.mark.fault("F37")
def test_f37_a_vm_destroyed_in_mid_copy_fails_and_is_not_raised_again(scene: Scene) -> None:
    source, target = scene.where(FRAGILE), scene.elsewhere(FRAGILE)
    migration = scene.copying(FRAGILE)
    virsh(scene, source, "destroy", FRAGILE)
    ended = scene.until_ended(migration)
    assert (ended["state"], ended["failure_code"]) == ("failed", "vm_stopped")
    time.sleep(2)
    scene.expect_nowhere(FRAGILE, source, target)
    start_again(scene, source)


@pytest.mark.fault("F38")
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


@pytest.mark.fault("F38")
def test_f38_a_vm_that_runs_twice_raises_the_alarm_and_is_left_alone(scene: Scene) -> None:
    home, other = scene.where("dns-2"), "host-c"
    xml = virsh(scene, home, "dumpxml", "--inactive", "dns-2")
    # The lab's leases would refuse this: the second copy has none, as where nothing fences a VM.
    xml = re.sub(r"<lease>.*?</lease>", "", xml, flags=re.DOTALL)
    path = scene.stage.data / "double.xml"
    path.write_text(xml.replace(str(scene.lab.console("dns-2")), "/dev/null"))
    virsh(scene, other, "create", str(path))
    try:
        until(lambda: named(rest(scene.stage, "GET", "/vms")["items"], "dns-2")["conflict"], 15, "the alarm")
        with pytest.raises(StageError):
            scene.ask("dns-2", scene.elsewhere_than(home))
        assert running_on(scene.lab, UUIDS["dns-2"]) == sorted([home, other])  # nobody stops either
    finally:
        virsh(scene, other, "destroy", "dns-2")
    until(lambda: not named(rest(scene.stage, "GET", "/vms")["items"], "dns-2")["conflict"], 15, "the end of it")
    scene.expect_on(home, "dns-2")


@pytest.mark.fault("F49")
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
    scene.expect_on("host-c", "wiki")
    for state in ("paused", "running"):
        scene.until_history_tells("wiki", to_host="host-c", to_state=state)


@pytest.mark.fault("F50")
def test_f50_a_host_that_hangs_holds_nobody_else_up(scene: Scene) -> None:
    target = scene.elsewhere()
    with scene.stopped(scene.daemon_of("host-c")):
        began = time.monotonic()
        rest(scene.stage, "GET", "/board")
        assert time.monotonic() - began < 2
        assert scene.until_ended(scene.ask(GUEST, target, bandwidth_limit=None))["state"] == "done"
    scene.expect_on(target)


@pytest.mark.fault("F50")
def test_a_frozen_target_has_a_way_out(scene: Scene) -> None:
    source, target, migration = scene.where(), scene.elsewhere(), scene.copying()
    with scene.stopped(scene.qemu_of(target)):
        rest(scene.stage, "POST", f"/migrations/{migration['id']}/cancel", {})
        offered = until(lambda: scene.move(migration)["offers"], 20, "a way out")
        assert [offer["kind"] for offer in offered] == ["remove_target_copy"]
        assert (scene.move(migration)["state"], scene.move(migration)["held_up"]) == ("cancelling", True)
        scene.choose(migration, "remove_target_copy")
        assert scene.until_ended(migration)["state"] == "cancelled"
    scene.expect_on(source)
