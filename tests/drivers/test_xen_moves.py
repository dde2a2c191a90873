"""The verbs of the driver on Xen hosts: what libvirt is called with, and what it is never called with."""

import shlex
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import libvirt
import pytest

from tests.drivers.test_libvirt_words import libvirt_error
from tests.drivers.xen_hosts import UUID, Guest, XenHost
from tests.drivers.xen_probes import NEVER_RAN, PASSES, PAUSED, RUNS, SUSPENDED, FakeProbes, seen
from xenweb.core.facts import Kind, PowerState
from xenweb.core.migration import Copy
from xenweb.core.precopy.passes import Track, mark_pass
from xenweb.core.quantities import MIB, Bytes, BytesPerSecond, Milliseconds
from xenweb.drivers.contract import (
    Capability,
    CopyAction,
    DriverError,
    Endpoint,
    Lever,
    MigrationPlan,
    MoveBrokenError,
    MoveCancelledError,
    MoveOptions,
    MoveRefusedError,
    NotSupportedError,
    Phase,
    Progress,
    VmSighting,
)
from xenweb.drivers.libvirt_driver.driver import LibvirtDriver
from xenweb.drivers.libvirt_driver.xen import mending, moving
from xenweb.drivers.libvirt_driver.xen.patience import Patience

XEN1 = Endpoint(1, "xen1", "xen+ssh://root@xen1/system", probe="xen1:16515", probe_key="ab" * 32)
XEN2 = Endpoint(2, "xen2", "xen+ssh://root@xen2/system", "10.77.0.2", probe="xen2:16515", probe_key="cd" * 32)
PLAN = MigrationPlan("MOVE", UUID, "web01", XEN1, XEN2, MoveOptions())
SHUT_OFF = (libvirt.VIR_DOMAIN_SHUTOFF, 0)
MISREAD = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION)
WORK = libvirt.VIR_DOMAIN_JOB_UNBOUNDED


@dataclass
class Rig:
    """Two hosts, their probes, and the driver over them."""

    driver: LibvirtDriver
    hosts: dict[str, XenHost]
    probes: FakeProbes
    guest: Guest


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    guest = Guest()
    hosts = {"xen1": XenHost("xen1", [guest]), "xen2": XenHost("xen2")}
    monkeypatch.setattr(
        "xenweb.drivers.libvirt_driver.connections.open_connection", lambda endpoint: hosts[endpoint.name]
    )
    driver, probes = LibvirtDriver(), FakeProbes(has={"xen1": (RUNS,), "xen2": ()})
    driver._xen.probes = probes
    yield Rig(driver, hosts, probes, guest)


def test_the_call_is_peer_to_peer_live_and_nothing_that_libxl_would_refuse(rig: Rig) -> None:
    calls: list[tuple[object, ...]] = []
    rig.guest.move = lambda *words: calls.append(words)
    rig.driver.migrate(PLAN)
    [(uri, parameters, flags)] = calls
    assert uri == "xen+ssh://root@xen2/system"
    assert parameters == {libvirt.VIR_MIGRATE_PARAM_URI: "tcp://10.77.0.2"}
    assert flags == (
        libvirt.VIR_MIGRATE_LIVE
        | libvirt.VIR_MIGRATE_PEER2PEER
        | libvirt.VIR_MIGRATE_PERSIST_DEST
        | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    )
    assert rig.guest.done == ["move"]


def test_a_guest_without_a_definition_gets_none() -> None:
    assert moving.flags_for(is_persistent=False) == libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER


def test_a_command_by_hand_makes_the_same_call() -> None:
    words = shlex.split(moving.command(PLAN, is_persistent=True))
    assert {"--p2p", "--live", "--persistent", "--undefinesource"} <= set(words)
    assert words[-3:] == ["xen+ssh://root@xen2/system", "--migrateuri", "tcp://10.77.0.2"]
    assert "--abort-on-error" not in words


def test_the_source_is_told_an_address_that_leads_to_the_target_from_there() -> None:
    by_forward = replace(XEN2, uri="xen+tcp://127.0.0.1:17002/system")
    assert moving.address_for_source(replace(PLAN, target=by_forward)) == "xen+tcp://10.77.0.2/system"
    assert moving.address_for_source(PLAN) == XEN2.uri


@pytest.mark.parametrize("kind", [Kind.COLD, Kind.PAUSED])
def test_what_xen_cannot_move_is_refused_before_the_call(rig: Rig, kind: Kind) -> None:
    with pytest.raises(NotSupportedError):
        rig.driver.migrate(replace(PLAN, kind=kind), permit=lambda: pytest.fail("the right to call was asked for"))
    assert rig.guest.done == []


def test_without_the_right_nothing_is_called(rig: Rig) -> None:
    def never() -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        rig.driver.migrate(PLAN, never)
    assert rig.guest.done == []


def test_what_was_measured_keeps_the_memorys_hand_over_apart_from_the_pause(rig: Rig) -> None:
    now = time.monotonic()
    rig.probes.seen_moves = {
        "xen1": (seen(alive=False, began=now, passes=PASSES, suspend_asked=now + 10),),
        "xen2": (seen(saves=False, alive=False, began=now, results=now + 10.2, ran=now + 12.5),),
    }
    stats = rig.driver.migrate(PLAN)
    assert (stats.memory_hand_over, stats.downtime) == (Milliseconds(200), Milliseconds(2500))
    assert (stats.passes, stats.transferred) == (3, 177 * MIB)
    assert [mark.left for mark in stats.marks] == [160 * MIB, 16 * MIB, 4 * MIB]
    assert stats.total is not None


def test_without_probes_the_pause_is_not_available(rig: Rig) -> None:
    rig.probes.has = {}
    stats = rig.driver.migrate(PLAN)
    assert (stats.downtime, stats.memory_hand_over, stats.transferred, stats.passes) == (None, None, None, None)


def fails(guest: Guest, said: str = "operation failed: Failed to send migration data to destination host") -> None:
    def move(*_words: object) -> None:
        raise libvirt_error(libvirt.VIR_ERR_OPERATION_FAILED, said)

    guest.move = move


def test_an_error_names_the_cause_that_the_helper_said(rig: Rig) -> None:
    fails(rig.guest)
    now = time.monotonic() + 1
    rig.probes.seen_moves["xen1"] = (seen(alive=False, began=now, errors=("Failed to write page data: Broken pipe",)),)
    with pytest.raises(MoveBrokenError, match="Broken pipe"):
        rig.driver.migrate(PLAN)


def test_a_move_that_was_given_up_says_so(rig: Rig) -> None:
    fails(rig.guest)
    rig.probes.seen_moves["xen1"] = (seen(alive=False, began=time.monotonic(), cancel="accepted"),)
    with pytest.raises(MoveCancelledError):
        rig.driver.migrate(PLAN)


def test_an_earlier_move_explains_no_later_one(rig: Rig) -> None:
    fails(rig.guest)
    rig.probes.seen_moves["xen1"] = (seen(alive=False, began=time.monotonic() - 60, cancel="accepted"),)
    with pytest.raises(MoveBrokenError):
        rig.driver.migrate(PLAN)


def test_passes_are_what_the_probe_counted(rig: Rig) -> None:
    rig.guest.work = WORK
    rig.probes.seen_moves["xen1"] = (seen(passes=PASSES),)
    said = rig.driver.progress(PLAN)
    assert (said.phase, said.pass_number, said.elapsed) == (Phase.COPYING, 3, 1200)
    assert (said.remaining, said.processed, said.total) == (3 * MIB, 177 * MIB, 160 * MIB)
    assert said.dirty_rate == 4 * MIB
    assert [(each.pass_number, each.at, each.left) for each in said.passes] == [
        (1, 101.0, 160 * MIB),
        (2, 109.0, 16 * MIB),
        (3, 110.0, 4 * MIB),
    ]


def test_the_request_to_suspend_begins_the_hand_over(rig: Rig) -> None:
    rig.guest.work = WORK
    rig.probes.seen_moves["xen1"] = (seen(passes=PASSES, suspend_asked=111.0),)
    assert rig.driver.progress(PLAN).phase is Phase.SWITCHING


def test_what_is_left_to_do_when_the_helper_has_ended_is_the_hand_over(rig: Rig) -> None:
    rig.guest.work = WORK
    now = time.monotonic()
    ended = seen(alive=False, began=now - 1, passes=PASSES, suspend_asked=now)
    rig.probes.seen_moves["xen1"] = (ended,)
    assert rig.driver.progress(PLAN).phase is Phase.SWITCHING
    rig.probes.seen_moves["xen1"] = (replace(ended, began=now - 60),)
    assert rig.driver.progress(PLAN).phase is Phase.STARTING, "that was an earlier move"


def test_a_probe_that_has_not_seen_the_helper_yet_is_waited_for_a_moment(rig: Rig) -> None:
    rig.guest.work = WORK
    assert rig.driver.progress(PLAN) == Progress(Phase.STARTING, elapsed=Milliseconds(1200), look_again_after=0.5)
    rig.guest.elapsed = 9000
    assert rig.driver.progress(PLAN) == Progress(Phase.COPYING, elapsed=Milliseconds(9000), look_again_after=0.5)


def test_without_a_probe_the_time_is_all_that_is_said(rig: Rig) -> None:
    rig.probes.has = {}
    rig.guest.work = WORK
    assert rig.driver.progress(PLAN) == Progress(Phase.COPYING, elapsed=Milliseconds(1200), look_again_after=0.5)


def test_a_look_at_a_move_that_is_over_is_no_error(rig: Rig) -> None:
    assert rig.driver.progress(PLAN).phase is Phase.NONE
    rig.hosts["xen1"].guests = []
    assert rig.driver.progress(PLAN) == Progress(Phase.NONE)


def test_counts_of_the_hypervisor_make_passes_whole_that_no_look_fell_into() -> None:
    track = Track()
    for number, at, left in ((1, 0, 160), (2, 8000, 16), (3, 9000, 4)):
        track = mark_pass(track, number, Milliseconds(at), Bytes(left * MIB))
    first, second, third = track.passes
    assert (first.transfer_rate, first.dirty_rate) == (BytesPerSecond(20 * MIB), BytesPerSecond(2 * MIB))
    assert (second.remaining_at_start, second.transfer_rate, second.dirty_rate) == (16 * MIB, 16 * MIB, 4 * MIB)
    assert (third.remaining_at_start, third.ended) == (4 * MIB, None)


def test_a_move_is_given_up_by_the_probe_and_never_by_destroying_the_copy(rig: Rig) -> None:
    rig.guest.work = WORK
    rig.driver.change(PLAN, Lever.CANCEL, None)
    assert rig.probes.done == [("xen1", "cancel")]
    assert rig.guest.done == []


def test_nothing_is_given_up_where_nothing_is_under_way(rig: Rig) -> None:
    rig.driver.change(PLAN, Lever.CANCEL, None)
    rig.hosts["xen1"].guests = []
    rig.driver.change(PLAN, Lever.CANCEL, None)
    assert rig.probes.done == []


def test_a_refused_wish_keeps_the_probes_reason(rig: Rig) -> None:
    rig.guest.work, rig.probes.refuses = WORK, "refused: the guest has been asked to suspend"
    with pytest.raises(MoveRefusedError, match="asked to suspend"):
        rig.driver.change(PLAN, Lever.CANCEL, None)


def test_without_a_probe_no_move_is_given_up(rig: Rig) -> None:
    rig.guest.work, rig.probes.has = WORK, {}
    with pytest.raises(NotSupportedError):
        rig.driver.change(PLAN, Lever.CANCEL, None)
    assert rig.guest.done == []


@pytest.mark.parametrize("lever", [Lever.BANDWIDTH, Lever.DOWNTIME, Lever.PAUSE, Lever.POST_COPY])
def test_xen_has_no_other_lever(rig: Rig, lever: Lever) -> None:
    with pytest.raises(NotSupportedError):
        rig.driver.change(PLAN, lever, 1)


def test_a_host_can_more_while_its_probe_answers(rig: Rig) -> None:
    assert Capability.CANCEL in (rig.driver.inventory(XEN1).capabilities or ())
    rig.probes.has = {}
    assert rig.driver.inventory(XEN1).capabilities == frozenset()


def test_an_inventory_says_what_xen_has_not_what_libvirt_believes(rig: Rig) -> None:
    rig.probes.has["xen1"] = (SUSPENDED,)
    [vm] = rig.driver.inventory(XEN1).vms
    assert vm.state is PowerState.PAUSED
    rig.probes.has["xen1"], rig.guest.now = (RUNS,), MISREAD
    [vm] = rig.driver.inventory(XEN1).vms
    assert vm.state is PowerState.RUNNING


def test_bridges_that_only_the_probe_knows_are_networks(rig: Rig) -> None:
    rig.probes.bridged["xen1"] = ["xenbr0", "xenbr1"]
    assert rig.driver.inventory(XEN1).networks == ("xenbr0", "xenbr1")


def test_a_silent_daemon_does_not_hide_a_guest_that_xen_runs(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_endpoint: object) -> None:
        raise MoveBrokenError("no")

    monkeypatch.setattr("xenweb.drivers.libvirt_driver.connections.open_connection", refused)
    assert rig.driver.locate(XEN1, UUID).copy is Copy.RUNNING
    rig.probes.has = {}
    assert rig.driver.locate(XEN1, UUID).copy is Copy.NO_ANSWER


def test_a_daemon_that_hangs_is_waited_for_once_and_proves_nothing_that_xen_does_not(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.driver._xen, "_patience", Patience())
    monkeypatch.setattr("xenweb.drivers.libvirt_driver.xen.patience.Patience.ask.__defaults__", (0.3,))
    let_go, asked = threading.Event(), []

    def hangs(_uuid: str) -> None:
        asked.append(1)
        let_go.wait(5)

    monkeypatch.setattr(rig.hosts["xen1"], "lookupByUUIDString", hangs)
    rig.probes.has["xen1"] = (SUSPENDED,)
    began = time.monotonic()
    for _ in range(3):
        assert rig.driver.locate(XEN1, UUID).copy is Copy.NO_ANSWER
        time.sleep(0.05)
    assert time.monotonic() - began < 1
    assert len(asked) == 1
    rig.probes.has["xen1"] = (RUNS,)
    assert rig.driver.locate(XEN1, UUID).copy is Copy.RUNNING
    let_go.set()


def test_a_vm_that_both_do_not_know_is_absent(rig: Rig) -> None:
    assert rig.driver.locate(XEN2, UUID) == VmSighting(Copy.ABSENT)
    rig.probes.has = {}
    assert rig.driver.locate(XEN2, UUID) == VmSighting(Copy.ABSENT, proven=False)


def test_a_suspended_guest_is_let_go_on_by_the_probe(rig: Rig) -> None:
    rig.probes.has["xen1"] = (SUSPENDED,)
    rig.driver.repair(XEN1, UUID, CopyAction.RESUME)
    assert rig.probes.done == [("xen1", "resume")]
    assert rig.guest.done == []


def test_a_misread_guest_is_held_and_then_let_go_by_libvirt_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    rig.guest.now = MISREAD
    rig.probes.on = lambda host, verb: order.append(verb)
    monkeypatch.setattr(Guest, "resume", lambda self: order.append("libvirt resumes"), raising=False)
    rig.driver.repair(XEN1, UUID, CopyAction.CORRECT)
    assert order == ["hold", "libvirt resumes"]


def test_what_libvirt_sees_as_it_is_needs_no_correction(rig: Rig) -> None:
    rig.driver.repair(XEN1, UUID, CopyAction.CORRECT)
    assert (rig.probes.done, rig.guest.done) == ([], [])


def left_over(rig: Rig) -> Guest:
    kept = Guest(number=-1, now=SHUT_OFF, work=WORK)
    rig.hosts["xen2"].guests = [kept]
    return kept


def test_a_half_built_copy_is_removed_by_the_probe_and_libvirt_made_to_forget_it(rig: Rig) -> None:
    kept = left_over(rig)
    rig.probes.has["xen2"] = (NEVER_RAN,)

    def done(_host: str, verb: str) -> None:
        if verb == "restart_daemon":
            rig.hosts["xen2"].guests = []

    rig.probes.on = done
    rig.driver.repair(XEN2, UUID, CopyAction.REMOVE)
    assert rig.probes.done == [("xen2", "remove_half_built"), ("xen2", "restart_daemon")]
    assert kept.done == []


def test_what_stands_still_is_broken_off_by_the_probe_and_touches_no_copy(rig: Rig) -> None:
    left_over(rig)
    rig.probes.has["xen2"] = (NEVER_RAN,)
    rig.driver.repair(XEN2, UUID, CopyAction.BREAK_OFF)
    assert rig.probes.done == [("xen2", "break_off")]
    rig.probes.has = {}
    with pytest.raises(NotSupportedError, match="takes the probe"):
        rig.driver.repair(XEN2, UUID, CopyAction.BREAK_OFF)


def test_a_daemon_that_keeps_the_copy_all_the_same_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "FORGOTTEN_WITHIN", 0.2)
    left_over(rig)
    with pytest.raises(DriverError, match="still keeps the copy"):
        rig.driver.repair(XEN2, UUID, CopyAction.REMOVE)


@pytest.mark.parametrize("copies", [(RUNS,), (PAUSED,), (RUNS, NEVER_RAN)])
def test_a_copy_that_ran_is_never_removed(rig: Rig, copies: tuple[object, ...]) -> None:
    left_over(rig)
    rig.probes.has["xen2"] = copies  # type: ignore[assignment]
    with pytest.raises(MoveRefusedError):
        rig.driver.repair(XEN2, UUID, CopyAction.REMOVE)
    assert rig.probes.done == []


@pytest.mark.parametrize("action", [CopyAction.REMOVE, CopyAction.REMOVE_PAUSED, CopyAction.CORRECT])
def test_without_a_probe_libvirt_is_never_asked_to_destroy_anything(rig: Rig, action: CopyAction) -> None:
    rig.probes.has = {}
    kept = left_over(rig)
    with pytest.raises(NotSupportedError):
        rig.driver.repair(XEN2, UUID, action)
    assert kept.done == []


def test_a_source_copy_that_stands_still_after_its_move_is_removed_with_its_definition(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("destroy", "undefine"):
        monkeypatch.setattr(Guest, name, lambda self, name=name: done.append(name), raising=False)
    rig.probes.has["xen1"] = (SUSPENDED,)
    rig.driver.repair(XEN1, UUID, CopyAction.REMOVE)
    assert done == ["destroy", "undefine"]
    rig.guest.work = WORK
    with pytest.raises(MoveRefusedError):
        rig.driver.repair(XEN1, UUID, CopyAction.REMOVE)


def test_only_what_was_paused_by_choice_is_removed_and_never_what_just_arrives(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("destroy", "undefine"):
        monkeypatch.setattr(Guest, name, lambda self, name=name: done.append(name), raising=False)
    rig.probes.has["xen1"], rig.guest.work = (NEVER_RAN,), WORK
    with pytest.raises(MoveRefusedError, match="never ran"):
        rig.driver.repair(XEN1, UUID, CopyAction.REMOVE_PAUSED)
    rig.probes.has["xen1"] = (PAUSED,)
    with pytest.raises(MoveRefusedError, match="worked on"):
        rig.driver.repair(XEN1, UUID, CopyAction.REMOVE_PAUSED)
    assert done == []
    rig.guest.work = libvirt.VIR_DOMAIN_JOB_NONE
    rig.driver.repair(XEN1, UUID, CopyAction.REMOVE_PAUSED)
    assert done == ["destroy", "undefine"]
