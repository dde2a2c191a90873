"""Guards through the driver: what the probes are told, and what a silent or a foreign answer comes to."""

from dataclasses import replace

import libvirt
import pytest

from tests.drivers.test_libvirt_words import libvirt_error
from tests.drivers.test_xen_moves import PLAN, XEN1, XEN2, Rig
from tests.drivers.test_xen_moves import rig as moves_rig
from tests.drivers.test_xen_storing import WEB, volume
from tests.drivers.xen_hosts import Guest
from tests.drivers.xen_probes import NEVER_RAN
from xenweb.core.guard import GuardPhase
from xenweb.core.quantities import MIB
from xenweb.drivers.contract import Capability, Endpoint, MoveBrokenError, MoveRefusedError
from xenweb.drivers.guards import GuardPlan, GuardSeen, keeper_of
from xenweb.drivers.libvirt_driver.xen import guarding
from xenweb.drivers.libvirt_driver.xen.probing import XenCopy
from xenweb.drivers.simulated_driver import create as simulated

rig = moves_rig
GUARD = GuardPlan("7F3K2QXZ", PLAN.vm_uuid, XEN1, (WEB,), (XEN2,))
WITH_MEMORY = replace(GUARD, with_memory=True)
ASKED = {"guard": "7F3K2QXZ", "vm": PLAN.vm_uuid, "paths": [WEB]}


def test_the_driver_keeps_guards_and_a_host_can_while_its_probe_answers(rig: Rig) -> None:
    assert keeper_of(rig.driver) is rig.driver
    assert Capability.GUARD in (rig.driver.inventory(XEN1).capabilities or ())
    rig.probes.has = {}
    assert Capability.GUARD not in (rig.driver.inventory(XEN1).capabilities or ())
    simulation = simulated()
    assert keeper_of(simulation) is simulation


def test_a_guard_is_foreseen_of_the_disks_that_libvirt_names_with_what_the_vm_writes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarding, "WRITES_FOR", 0.1)
    written = iter((0, 4 * MIB))
    monkeypatch.setattr(Guest, "blockStats", lambda *_words: (0, 0, 0, next(written), 0), raising=False)
    rig.probes.told["xen1"] = {"guard_foresee": {"possible": True, "why": "", "needed": 9, "free": 99}}
    said = rig.driver.guard_foresee(XEN1, PLAN.vm_uuid)
    assert (said.possible, said.paths, said.needed, said.free) == (True, (WEB,), 9, 99)
    assert said.write_rate is not None
    assert 20 * MIB < said.write_rate <= 40 * MIB
    assert rig.probes.asked == [("xen1", "guard_foresee", {"paths": [WEB]})]


def test_memory_is_foreseen_and_kept_by_the_size_and_the_description_that_libvirt_has_of_it(rig: Rig) -> None:
    rig.driver.guard_foresee(XEN1, PLAN.vm_uuid, with_memory=True)
    rig.driver.guard_begin(WITH_MEMORY)
    rig.driver.guard_look(WITH_MEMORY)
    memory = {"memory": 160 * MIB}
    assert rig.probes.asked == [
        ("xen1", "guard_foresee", {"paths": [WEB], **memory}),
        ("xen1", "guard_begin", {**ASKED, **memory, "description": rig.guest.XMLDesc(0)}),
        ("xen1", "guard_look", {**ASKED, "with_memory": True}),
    ]


def restoring(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, *, fails: str = "", leaves: tuple[XenCopy, ...] = ()
) -> list[str]:
    """A VM that is halted, and defined on the other host; answer what libvirt is told from here on."""
    told: list[str] = []
    rig.probes.told["xen1"] = {"guard_memory": "/var/lib/xenweb-probe/states/7F3K2QXZ"}
    rig.guest.number, rig.guest.persistent = -1, False
    rig.hosts["xen1"].guests, rig.hosts["xen2"].guests = [], [rig.guest]
    rig.probes.has["xen1"] = ()

    def restore(path: str, description: object, flags: int) -> None:
        told.append(f"restore {path} {description} {flags}")
        rig.probes.has["xen1"] = leaves
        if fails:
            raise libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR, fails)
        rig.hosts["xen1"].guests = [Guest(persistent=False)]

    monkeypatch.setattr(rig.hosts["xen1"], "restoreFlags", restore, raising=False)
    monkeypatch.setattr(rig.hosts["xen1"], "defineXML", lambda _xml: told.append("define"), raising=False)
    monkeypatch.setattr(rig.guest, "undefine", lambda: told.append("undefine"), raising=False)
    return told


def test_libvirt_restores_the_vm_keeps_its_definition_and_no_other_host_does(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = restoring(rig, monkeypatch)
    rig.driver.guard_restore_memory(WITH_MEMORY)
    assert told == ["restore /var/lib/xenweb-probe/states/7F3K2QXZ None 0", "define", "undefine"]


def test_memory_that_libvirt_cannot_read_is_refused_only_once_no_copy_is_left(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = restoring(rig, monkeypatch, fails="internal error: cannot read domain image")
    with pytest.raises(MoveRefusedError, match="Cannot read domain image"):
        rig.driver.guard_restore_memory(WITH_MEMORY)
    restoring(rig, monkeypatch, fails="internal error: it took too long", leaves=(NEVER_RAN,))
    with pytest.raises(MoveBrokenError):
        rig.driver.guard_restore_memory(WITH_MEMORY)
    assert len(told) == 1


def test_what_libxl_does_not_count_is_not_available(rig: Rig) -> None:
    rig.probes.told["xen1"] = {"guard_foresee": {"possible": False, "why": "sr1/web01 is thin."}}
    said = rig.driver.guard_foresee(XEN1, PLAN.vm_uuid)
    assert (said.possible, said.why, said.write_rate) == (False, "sr1/web01 is thin.", None)


def test_guards_are_made_and_removed_by_the_probe_of_their_host(rig: Rig) -> None:
    rig.driver.guard_begin(GUARD)
    rig.driver.guard_remove(GUARD)
    assert rig.probes.asked == [("xen1", "guard_begin", ASKED), ("xen1", "guard_remove", ASKED)]


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        (
            {"phase": "copying", "done": 16, "total": 64, "pause_ms": 4200, "error": ""},
            GuardSeen(GuardPhase.COPYING, 16, 64, 4200),  # type: ignore[arg-type]
        ),
        ({"phase": "whole", "pause_ms": None}, GuardSeen(GuardPhase.WHOLE)),
        ({"phase": "what nobody knows"}, GuardSeen(GuardPhase.BROKEN)),
        ("not even an object", GuardSeen(GuardPhase.BROKEN)),
    ],
)
def test_how_far_a_guard_is_is_read_and_what_cannot_be_read_is_no_guard(
    rig: Rig, told: object, seen: GuardSeen
) -> None:
    rig.probes.told["xen1"] = {"guard_look": told}
    assert rig.driver.guard_look(GUARD) == seen


def test_before_a_roll_back_no_other_host_keeps_the_volumes(rig: Rig) -> None:
    rig.probes.told["xen2"] = {"volumes": {WEB: volume(active=True, stands="block")}}
    rig.driver.guard_roll_back(GUARD)
    assert rig.probes.asked == [
        ("xen2", "deactivate", {"vm": PLAN.vm_uuid, "paths": [WEB]}),
        ("xen1", "guard_roll_back", ASKED),
    ]


def test_a_volume_that_another_host_has_open_ends_the_roll_back_before_it_begins(rig: Rig) -> None:
    rig.probes.told["xen2"] = {"volumes": {WEB: volume(active=True, open=1, stands="block")}}
    rig.probes.refuses = "sr1/web01 is open here (1 times): it stays active."
    with pytest.raises(MoveRefusedError, match="is open here"):
        rig.driver.guard_roll_back(GUARD)
    assert [verb for _, verb, _ in rig.probes.asked] == ["deactivate"]


def test_a_host_whose_probe_is_silent_ends_the_roll_back_before_it_begins(rig: Rig) -> None:
    with pytest.raises(MoveRefusedError, match="xen2"):
        rig.driver.guard_roll_back(GUARD)
    assert rig.probes.asked == []


def test_only_volumes_that_are_not_active_are_made_ready(rig: Rig) -> None:
    rig.probes.told["xen2"] = {"volumes": {WEB: volume()}}
    rig.driver.guard_make_ready(GUARD, XEN2)
    assert rig.probes.asked == [("xen2", "activate", {"vm": PLAN.vm_uuid, "paths": [WEB]})]
    rig.probes.told["xen2"] = {"volumes": {WEB: volume(active=True)}}
    rig.driver.guard_make_ready(GUARD, XEN2)
    assert len(rig.probes.asked) == 1


def test_a_qemu_host_makes_none(rig: Rig) -> None:
    said = rig.driver.guard_foresee(Endpoint(3, "host-c", "qemu+ssh://root@host-c/system"), PLAN.vm_uuid)
    assert not said.possible
