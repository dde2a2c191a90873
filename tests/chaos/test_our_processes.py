"""Our own processes, Redis and the database break in mid-move; the hypervisors do not notice."""

import json
import os
import signal
import threading
import time
import urllib.request
from typing import Any

import pytest

from tests.bounce.witness import running_on
from tests.chaos.scene import GUEST, UUIDS, Scene, until
from tests.stage_processes import processes_of
from xenweb.lab.smoke import rest
from xenweb.lab.stage import StageError

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

ASLEEP_S = 60.0
"""Ten leases."""


@pytest.mark.fault("F2")
def test_f2_a_worker_killed_around_the_call_leaves_a_proven_place(scene: Scene) -> None:
    for pause in (0.0, 0.1, 0.2, 0.3):
        source, target = scene.where(), scene.elsewhere()
        migration = scene.ask()
        time.sleep(pause)
        scene.kill("work")
        ended = scene.until_ended(migration)
        assert ended["state"] in {"done", "failed"}
        if ended["state"] == "failed":
            assert ended["failure_code"] in {"not_started", "move_failed"}
        scene.expect_on(target if ended["state"] == "done" else source)


@pytest.mark.fault("F3")
def test_f3_a_worker_killed_in_pre_copy_is_replaced(scene: Scene) -> None:
    target, migration = scene.elsewhere(), scene.copying()
    scene.kill("work")
    killed = time.monotonic()
    share = scene.move(migration)["progress"]["total"]["value"]
    until(lambda: scene.move(migration)["progress"]["total"]["value"] > share, 15, "progress again")
    assert time.monotonic() - killed <= 15
    assert scene.until_ended(migration)["state"] == "done"
    scene.expect_on(target)
    scene.expect_one_call_and_outcome(migration, "done")


@pytest.mark.fault("F4")
def test_f4_a_worker_killed_while_the_vm_stands_still_is_replaced(scene: Scene) -> None:
    target, migration = scene.elsewhere("hot-db"), scene.copying("hot-db", bandwidth_limit=12 * 1024 * 1024)
    scene.choose(migration, "pause")
    scene.until_state(migration, "stop_and_copy")
    scene.kill("work")
    assert scene.until_ended(migration)["state"] == "done"
    scene.expect_on(target, "hot-db")
    scene.expect_one_call_and_outcome(migration, "done")


@pytest.mark.parametrize(
    "fault", [pytest.param("f5", marks=pytest.mark.fault("F5")), pytest.param("f6", marks=pytest.mark.fault("F6"))]
)
def test_f5_f6_a_worker_killed_right_after_the_switch_over(scene: Scene, fault: str) -> None:
    target, migration = scene.elsewhere(), scene.copying()
    until(lambda: scene.qemu_of(target), 30, "the target's QEMU")
    source = "host-a" if target == "host-b" else "host-b"
    # F5: as soon as the guest runs on the target; F6: as soon as the source's QEMU is gone.
    until(lambda: running_on(scene.lab, UUIDS[GUEST]) == [target] if fault == "f5" else not scene.qemu_of(source), 60)
    scene.kill("work")
    assert scene.until_ended(migration)["state"] == "done"
    scene.expect_on(target)
    scene.expect_one_call_and_outcome(migration, "done")


@pytest.mark.fault("F7")
def test_f7_a_horse_that_outlives_its_worker_drives_alone(scene: Scene) -> None:
    target, migration = scene.elsewhere(), scene.copying()
    for pid in scene.parents():
        os.kill(pid, signal.SIGKILL)
    assert scene.until_ended(migration)["state"] == "done"
    scene.expect_on(target)
    scene.expect_one_call_and_outcome(migration, "done")


@pytest.mark.fault("F8")
def test_f8_a_deployment_in_mid_copy_aborts_nothing(scene: Scene) -> None:
    target, migration = scene.elsewhere(), scene.copying()
    scene.kill("work", signal.SIGTERM)
    assert scene.until_ended(migration)["state"] == "done"
    scene.expect_on(target)
    scene.expect_one_call_and_outcome(migration, "done")


@pytest.mark.fault("F9")
def test_f9_a_worker_that_slept_finds_its_lease_gone(scene: Scene) -> None:
    target, migration = scene.elsewhere(), scene.copying()
    with scene.stopped(processes_of(scene.stage, "work")):
        woken_at = time.monotonic() + ASLEEP_S
        assert scene.until_ended(migration)["state"] == "done"
        time.sleep(max(0.0, woken_at - time.monotonic()))
    time.sleep(1)
    scene.expect_on(target)
    scene.expect_one_call_and_outcome(migration, "done")


@pytest.mark.fault("F11")
def test_f11_redis_killed_in_mid_copy_loses_nothing(scene: Scene) -> None:
    target, migration = scene.elsewhere(), scene.copying()
    scene.kill("--appendonly")
    assert scene.until_ended(migration)["state"] == "done"
    scene.expect_on(target)


@pytest.mark.fault("F12")
def test_f12_a_flushed_redis_forgets_no_move(scene: Scene) -> None:
    target = scene.elsewhere()
    with scene.stopped(scene.parents()):
        migration = scene.ask()
        scene.redis().flushall()
        flushed = time.monotonic()
    scene.until_state(migration, "checking", "preparing", "pre_copy", "done", within=15)
    assert time.monotonic() - flushed <= 15
    assert scene.until_ended(migration)["state"] == "done"
    scene.expect_on(target)
    scene.expect_one_call_and_outcome(migration, "done")


@pytest.mark.fault("F13")
def test_f13_a_full_redis_delays_a_move_and_refuses_none(scene: Scene) -> None:
    target = scene.elsewhere()
    scene.redis().config_set("maxmemory", "1")
    try:
        migration = scene.ask()
        assert migration["state"] == "queued"
        time.sleep(1)
    finally:
        scene.redis().config_set("maxmemory", "0")
    assert scene.until_ended(migration)["state"] == "done"
    scene.expect_on(target)


@pytest.mark.fault("F14")
def test_f14_a_database_restarted_in_mid_copy_loses_nothing(scene: Scene) -> None:
    target, migration = scene.elsewhere(), scene.copying()
    with scene.database_away():
        time.sleep(2)
    assert scene.until_ended(migration)["state"] == "done"
    scene.expect_on(target)
    scene.expect_one_call_and_outcome(migration, "done")


@pytest.mark.fault("F15")
def test_f15_a_database_that_is_away_until_after_the_success_learns_of_it(scene: Scene) -> None:
    target, migration = scene.elsewhere(), scene.copying()
    with scene.database_away():
        until(lambda: running_on(scene.lab, UUIDS[GUEST]) == [target], 60, "the guest on its target")
        time.sleep(8)  # longer than a lease
    assert scene.until_ended(migration)["state"] == "done"
    scene.expect_on(target)
    scene.expect_one_call_and_outcome(migration, "done")


@pytest.mark.fault("F16")
def test_f16_a_database_that_takes_no_writes_begins_no_move(scene: Scene) -> None:
    source, target = scene.where(), scene.elsewhere()
    with scene.database_takes_no_writes():
        with pytest.raises((StageError, OSError)):
            scene.ask(GUEST, target)
        time.sleep(2)
        assert not scene.qemu_of(target)
    assert rest(scene.stage, "GET", "/migrations?active=true")["items"] == []
    scene.expect_on(source)
    ended = scene.until_ended(scene.ask(GUEST, target, bandwidth_limit=None))
    assert ended["state"] == "done"  # and now it does
    scene.expect_on(target)


@pytest.mark.fault("F1", "F17", "F18")
def test_f1_f17_f18_a_web_process_killed_while_it_is_asked_answers_the_same_move_later(scene: Scene) -> None:
    target, key = scene.elsewhere(), "k1"
    answers: list[dict[str, Any]] = []

    def ask_until_answered() -> None:
        for _ in range(100):
            try:
                answers.append(_ask_with_key(scene, target, key))
            except (StageError, OSError):
                time.sleep(0.1)
            else:
                return

    for pause in (0.0, 0.05):
        asking = threading.Thread(target=ask_until_answered)
        asking.start()
        time.sleep(pause)
        scene.kill("xenweb.web.asgi:application")
        asking.join(30)
    until(lambda: rest(scene.stage, "GET", "/me"), 20)
    assert len({each["id"] for each in answers}) == 1
    assert scene.until_ended(answers[0])["state"] == "done"
    scene.expect_on(target)
    scene.expect_one_call_and_outcome(answers[0], "done")


def _ask_with_key(scene: Scene, target: str, key: str) -> dict[str, Any]:
    hosts = {host["name"]: host["id"] for host in rest(scene.stage, "GET", "/hosts")["items"]}
    body = {"vm": UUIDS[GUEST], "target": str(hosts[target])}
    request = urllib.request.Request(
        f"{scene.stage.address}/api/v1/migrations",
        method="POST",
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {scene.stage.token}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.loads(answer.read()))


@pytest.mark.fault("F32")
def test_f32_the_same_wish_from_many_hands_is_one_move(scene: Scene) -> None:
    target = scene.elsewhere()
    ids: list[str] = []

    def ask() -> None:
        ids.append(_ask_with_key(scene, target, "f32")["id"])

    hands = [threading.Thread(target=ask) for _ in range(50)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join(60)
    assert len(ids) == 50
    assert len(set(ids)) == 1
    assert scene.until_ended({"id": ids[0]})["state"] == "done"
    scene.expect_on(target)


@pytest.mark.fault("F33")
def test_f33_two_wishes_for_one_vm_are_one_move_and_one_refusal(scene: Scene) -> None:
    refusals: list[str] = []
    moves: list[dict[str, Any]] = []

    def ask(target: str) -> None:
        try:
            moves.append(scene.ask("dns-2", target))
        except StageError as refusal:
            refusals.append(str(refusal))

    source = scene.where("dns-2")
    hands = [threading.Thread(target=ask, args=(host,)) for host in ("host-a", "host-b", "host-c") if host != source]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join(30)
    assert (len(moves), len(refusals)) == (1, 1)
    assert "409" in refusals[0]
    assert moves[0]["id"] in refusals[0]
    assert scene.until_ended(moves[0])["state"] == "done"
    scene.expect_on(moves[0]["target_name"], "dns-2")


@pytest.mark.fault("F34")
def test_f34_moves_there_and_back_again_all_end(scene: Scene) -> None:
    vms = ("dns-1", "dns-2", "ldap-1", "mail-2", "web-1", "git-1", "wiki")
    moves = [scene.ask(vm, bandwidth_limit=None) for vm in vms if scene.where(vm) != scene.elsewhere(vm)]
    for move in moves:
        assert scene.until_ended(move, 120)["state"] == "done"
    for move in moves:
        scene.expect_on(move["target_name"], move["vm_name"])
