"""Change rates of VMs on Xen: measured by the probes, seldom and one at a time, and refused without a word."""

from dataclasses import replace

import pytest

from tests.drivers.test_xen_moves import XEN1
from tests.drivers.xen_probes import RUNS, FakeProbes
from tests.scripted import snapshot_vm
from xenweb.core.migration import Copy
from xenweb.drivers.contract import VmSnapshot
from xenweb.drivers.libvirt_driver.xen import change_rates
from xenweb.drivers.libvirt_driver.xen.change_rates import XenChangeRates

VMS = [snapshot_vm(f"{number}1111111-1111-4111-8111-111111111111") for number in (1, 2)]
SAID = {"pages": 512, "seconds": 1.0, "page": 4096}


@pytest.fixture
def probes() -> FakeProbes:
    return FakeProbes(has={"xen1": (RUNS,)}, told={"xen1": {"dirtying": SAID}})


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> XenChangeRates:
    monkeypatch.setattr(change_rates, "APART", 0.0)
    return XenChangeRates()


def turn(rates: XenChangeRates, probes: FakeProbes, vms: list[VmSnapshot]) -> None:
    rates.next_turn(probes, XEN1, vms)
    worker = rates._hosts[XEN1.uri].worker
    if worker is not None:
        worker.join(5)


def test_each_vm_is_measured_once_in_its_turn_and_not_by_the_first_look(
    rates: XenChangeRates, probes: FakeProbes
) -> None:
    turn(rates, probes, VMS)
    assert probes.asked == []
    for _ in range(4):
        turn(rates, probes, VMS)
    assert [more["vm"] for _, _, more in probes.asked] == [vm.uuid for vm in VMS]
    assert {uuid: each.rate for uuid, each in rates.of(XEN1.uri).items()} == {vm.uuid: 512 * 4096 for vm in VMS}


def test_measurements_on_one_host_are_apart(probes: FakeProbes) -> None:
    rates = XenChangeRates()
    for _ in range(4):
        turn(rates, probes, VMS)
    assert len(probes.asked) == 1


def test_a_vm_that_stands_still_or_is_gone_is_not_measured_and_not_known_any_more(
    rates: XenChangeRates, probes: FakeProbes
) -> None:
    turn(rates, probes, VMS)
    turn(rates, probes, [snapshot_vm(VMS[0].uuid, Copy.PAUSED), replace(VMS[1], incoming=True)])
    assert probes.asked == []
    turn(rates, probes, VMS)
    turn(rates, probes, [])
    assert rates.of(XEN1.uri) == {}


@pytest.mark.parametrize("said", [None, {}, {"pages": "many"}, {**SAID, "seconds": 0}], ids=str)
def test_what_a_probe_refuses_or_says_strangely_is_not_available(
    rates: XenChangeRates, probes: FakeProbes, said: object
) -> None:
    probes.told["xen1"]["dirtying"] = said
    probes.refuses = "" if said else "A move is under way on this host."
    for _ in range(3):
        turn(rates, probes, VMS)
    assert rates.of(XEN1.uri) == {}
