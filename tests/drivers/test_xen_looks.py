"""Looks at a Xen host: nothing is asked that libxl does not answer, or that would wait for a move."""

from collections.abc import Callable
from typing import Any

import libvirt
import pytest

from tests.drivers.xen_hosts import UUID, Guest, XenHost
from xenweb.core.facts import PowerState
from xenweb.core.quantities import GIB, MIB
from xenweb.drivers.contract import Capability, Endpoint, HostEvent, HostSnapshot
from xenweb.drivers.libvirt_driver.dialects import Dialect, capabilities_at, dialect_of
from xenweb.drivers.libvirt_driver.driver import LibvirtDriver

XEN1 = Endpoint(1, "xen1", "xen+ssh://root@xen1/system")
WAITS_FOR_WORK = {"blockInfo", "blockStats", "memoryStats", "interfaceStats", "setMemory", "getAllDomainStats"}


def look(monkeypatch: pytest.MonkeyPatch, host: XenHost, endpoint: Endpoint = XEN1) -> HostSnapshot:
    monkeypatch.setattr("xenweb.drivers.libvirt_driver.connections.open_connection", lambda _endpoint: host)
    return LibvirtDriver().inventory(endpoint)


@pytest.mark.parametrize(
    ("uri", "dialect"),
    [
        ("xen:///system", Dialect.XEN),
        ("xen+ssh://root@xen1/system", Dialect.XEN),
        ("xen+tcp://10.77.0.1/system", Dialect.XEN),
        ("qemu+tls://kvm/system", Dialect.QEMU),
        ("qemu+unix:///session?socket=/x", Dialect.QEMU),
    ],
)
def test_the_address_alone_says_which_hypervisor_it_is(uri: str, dialect: Dialect) -> None:
    assert dialect_of(uri) is dialect


def test_what_a_hypervisor_cannot_do_is_data() -> None:
    of_qemu = frozenset(Capability) - {Capability.GUARD, Capability.CHOSEN_PLACES}
    assert capabilities_at("qemu:///system") == of_qemu
    assert capabilities_at("qemu:///system", has_probe=True) == of_qemu
    assert capabilities_at("xen:///system") == frozenset()
    with_probe = capabilities_at("xen:///system", has_probe=True)
    assert with_probe == {
        Capability.PASSES,
        Capability.CANCEL,
        Capability.MEASURED_DOWNTIME,
        Capability.GUARD,
    }


@pytest.mark.parametrize(("machine", "kind"), [("xenpv", "PV"), ("xenfv", "HVM"), ("xenpvh", "PVH"), ("pc", "")])
def test_a_xen_host_and_its_guests_are_described(monkeypatch: pytest.MonkeyPatch, machine: str, kind: str) -> None:
    said = look(monkeypatch, XenHost(guests=[Guest(machine=machine)]))
    assert (said.name, said.hypervisor, said.version) == ("xen1", "xen", "Xen 4.17.0")
    assert said.uuid == "7e2d1f0a-0000-4000-8000-000000000001"
    assert (said.memory_total, said.memory_free) == (2 * GIB, GIB)
    assert said.capabilities == frozenset()
    [vm] = said.vms
    assert (vm.uuid, vm.name, vm.state, vm.guest_type) == (UUID, "web01", PowerState.RUNNING, kind)
    assert (vm.memory, vm.cpu_time, vm.active, vm.incoming) == (160 * MIB, 7, True, False)
    assert [(disk.path, disk.capacity) for disk in vm.disks] == [("/dev/sr1/web01", 64 * MIB)]


@pytest.mark.parametrize("told", ["", "Not Settable", "7e2d1f0a"])
def test_a_machine_without_a_uuid_of_its_own_has_none(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    assert look(monkeypatch, XenHost(answers={"system_uuid": told})).uuid == ""


def test_xens_own_domain_is_no_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(monkeypatch, XenHost()).vms == ()


@pytest.mark.parametrize("number", [3, -1])
def test_a_look_asks_nothing_of_a_guest_that_waits_for_its_move(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    guest = Guest(number=number, work=libvirt.VIR_DOMAIN_JOB_UNBOUNDED)
    host = XenHost(guests=[guest])
    look(monkeypatch, host)
    assert not WAITS_FOR_WORK & {*guest.done, *host.unsupported}


def test_a_copy_that_is_being_received_is_shut_off_and_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shut_off = (libvirt.VIR_DOMAIN_SHUTOFF, 0)
    receiving = Guest(number=-1, now=shut_off, work=libvirt.VIR_DOMAIN_JOB_UNBOUNDED)
    [vm] = look(monkeypatch, XenHost(guests=[receiving])).vms
    assert vm.incoming
    assert not vm.active
    [halted] = look(monkeypatch, XenHost(guests=[Guest(number=-1, now=shut_off)])).vms
    assert (halted.incoming, halted.state) == (False, PowerState.HALTED)


def test_no_change_rate_is_asked_of_xen(monkeypatch: pytest.MonkeyPatch) -> None:
    host = XenHost(guests=[Guest()])
    monkeypatch.setattr("xenweb.drivers.libvirt_driver.connections.open_connection", lambda _endpoint: host)
    driver = LibvirtDriver()
    for _ in range(3):
        driver.inventory(XEN1)
    assert driver._dirty_rates._hosts == {}


def test_what_is_around_the_guests_is_asked_again_only_when_the_host_tells_of_a_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    meanwhile: list[HostEvent] = []

    class Counted(XenHost):
        def getHostname(self) -> str:  # noqa: N802 - libvirt's name
            asked.append("name")
            if meanwhile:
                tell(meanwhile.pop())
            return super().getHostname()

    host = Counted(guests=[Guest()])
    heard: list[Callable[[HostEvent], None]] = []
    monkeypatch.setattr("xenweb.drivers.libvirt_driver.connections.open_connection", lambda _endpoint: host)
    monkeypatch.setattr("xenweb.drivers.libvirt_driver.driver.HostWatch", lambda _endpoint, sink: heard.append(sink))
    driver = LibvirtDriver()
    driver.watch(XEN1, lambda _event: None)
    [tell] = heard

    def is_asked() -> bool:
        asked.clear()
        assert [vm.name for vm in driver.inventory(XEN1).vms] == ["web01"]
        return bool(asked)

    assert [is_asked(), is_asked()] == [True, False]
    tell(HostEvent(XEN1.host, UUID, "lifecycle"))
    assert not is_asked()
    tell(HostEvent(XEN1.host, "", "storage"))
    assert [is_asked(), is_asked()] == [True, False]
    meanwhile.append(HostEvent(XEN1.host, "", "storage"))
    tell(HostEvent(XEN1.host, "", "storage"))
    assert [is_asked(), is_asked(), is_asked()] == [True, True, False]


def test_a_look_asks_one_thing_of_each_guest_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Counted(Guest):
        def __getattribute__(self, name: str) -> Any:
            if name in {"state", "isActive", "info", "jobStats", "XMLDesc"}:
                asked.append(name)
            return super().__getattribute__(name)

    host = XenHost(guests=[Counted()])
    monkeypatch.setattr("xenweb.drivers.libvirt_driver.connections.open_connection", lambda _endpoint: host)
    driver = LibvirtDriver()
    driver.inventory(XEN1)
    asked.clear()
    driver.inventory(XEN1)
    assert asked == ["info"]
