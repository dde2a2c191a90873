"""Change rates are measured a few at a time, only of VMs that nothing else is done with, and never by the bitmap."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import libvirt
import pytest

from tests.scripted import snapshot_vm
from xenweb.core.migration import Copy
from xenweb.core.quantities import MIB
from xenweb.drivers.contract import Endpoint, VmSnapshot
from xenweb.drivers.libvirt_driver import dirty_rates
from xenweb.drivers.libvirt_driver.dirty_rates import DirtyRates

HOST = Endpoint(1, "host-a", "qemu+unix:///session?socket=/nowhere")
UUIDS = [f"{number}1111111-1111-4111-8111-111111111111" for number in range(1, 6)]


class RefusedError(libvirt.libvirtError):
    def __init__(self, code: int) -> None:
        super().__init__("refused")
        self.code = code

    def get_error_code(self) -> int:
        return self.code


@dataclass
class FakeDomain:
    """A domain as far as measuring it goes."""

    uuid: str
    works_on: int = 0
    refuses_with: int | None = None
    answer: dict[str, int] = field(default_factory=lambda: {"dirtyrate.calc_status": 2})
    started: list[tuple[int, int]] = field(default_factory=list)

    def UUIDString(self) -> str:  # noqa: N802 - libvirt's name
        return self.uuid

    def jobStats(self) -> dict[str, int]:  # noqa: N802 - libvirt's name
        return {"type": self.works_on}

    def startDirtyRateCalc(self, seconds: int, flags: int) -> None:  # noqa: N802 - libvirt's name
        if self.refuses_with is not None:
            raise RefusedError(self.refuses_with)
        self.started.append((seconds, flags))


class FakeConnections:
    """Lends one connection, which is itself."""

    def __init__(self, domains: list[FakeDomain]) -> None:
        self.domains = {domain.uuid: domain for domain in domains}
        self.flags: list[int] = []

    @contextmanager
    def use(self, _endpoint: Endpoint, _purpose: str) -> Iterator["FakeConnections"]:
        yield self

    def lookupByUUIDString(self, uuid: str) -> FakeDomain:  # noqa: N802 - libvirt's name
        return self.domains[uuid]

    def domainListGetStats(self, domains: list[FakeDomain], _stats: int, flags: int) -> list[Any]:  # noqa: N802 - libvirt's name
        self.flags.append(flags)
        return [(domain, domain.answer) for domain in domains]


@pytest.fixture
def domains() -> list[FakeDomain]:
    return [FakeDomain(uuid) for uuid in UUIDS]


@pytest.fixture
def rates(domains: list[FakeDomain], monkeypatch: pytest.MonkeyPatch) -> DirtyRates:
    monkeypatch.setattr(dirty_rates, "PERIOD", 0)
    return DirtyRates(FakeConnections(domains))  # type: ignore[arg-type]


def look(rates: DirtyRates, vms: list[VmSnapshot] | None = None) -> None:
    """One look at the host, and the turn that it brings."""
    rates.next_turn(HOST, [snapshot_vm(uuid) for uuid in UUIDS] if vms is None else vms)
    for thread in threading.enumerate():
        if thread.name.startswith("dirty rates"):
            thread.join(5)


def started(domains: list[FakeDomain]) -> list[int]:
    return [len(domain.started) for domain in domains]


def test_a_single_look_measures_nothing(rates: DirtyRates, domains: list[FakeDomain]) -> None:
    look(rates)
    assert started(domains) == [0] * 5


def test_a_few_vms_are_measured_at_a_time_and_all_in_turn(rates: DirtyRates, domains: list[FakeDomain]) -> None:
    look(rates)
    look(rates)
    assert sum(started(domains)) == 2
    for _ in range(4):
        look(rates)
    assert started(domains) == [1] * 5


def test_only_pages_are_sampled_ever(rates: DirtyRates, domains: list[FakeDomain]) -> None:
    for _ in range(6):
        look(rates)
    assert {flags for domain in domains for _, flags in domain.started} == {0}


def test_what_was_measured_is_answered_with_its_moment(rates: DirtyRates, domains: list[FakeDomain]) -> None:
    domains[0].answer = {"dirtyrate.calc_status": 2, "dirtyrate.megabytes_per_second": 12}
    for _ in range(6):
        look(rates)
    known = rates.of(HOST.uri)
    assert known[UUIDS[0]].rate == 12 * MIB
    assert known[UUIDS[0]].at.tzinfo is not None
    assert known[UUIDS[1]].rate == 0


def test_an_answer_that_is_not_there_yet_is_waited_for(rates: DirtyRates, domains: list[FakeDomain]) -> None:
    for domain in domains:
        domain.answer = {"dirtyrate.calc_status": 1}
    for _ in range(4):
        look(rates)
    assert sum(started(domains)) == 2
    assert rates.of(HOST.uri) == {}


def test_a_vm_that_something_is_done_with_is_left_alone(rates: DirtyRates, domains: list[FakeDomain]) -> None:
    for domain in domains:
        domain.works_on = libvirt.VIR_DOMAIN_JOB_UNBOUNDED
    for _ in range(6):
        look(rates)
    assert started(domains) == [0] * 5


def test_a_vm_that_does_not_run_here_is_left_alone(rates: DirtyRates, domains: list[FakeDomain]) -> None:
    vms = [
        snapshot_vm(UUIDS[0], Copy.INACTIVE),
        snapshot_vm(UUIDS[1], Copy.INCOMING),
        snapshot_vm(UUIDS[2], Copy.PAUSED),
    ]
    for _ in range(4):
        look(rates, vms)
    assert started(domains) == [0] * 5


def test_what_was_known_of_a_vm_goes_with_it(rates: DirtyRates, domains: list[FakeDomain]) -> None:
    del domains
    for _ in range(6):
        look(rates)
    look(rates, [snapshot_vm(UUIDS[0])])
    assert set(rates.of(HOST.uri)) == {UUIDS[0]}


def test_a_hypervisor_that_cannot_is_not_asked_again(rates: DirtyRates, domains: list[FakeDomain]) -> None:
    for domain in domains:
        domain.refuses_with = libvirt.VIR_ERR_NO_SUPPORT
    for _ in range(3):
        look(rates)
    for domain in domains:
        domain.refuses_with = None
    for _ in range(3):
        look(rates)
    assert started(domains) == [0] * 5


def test_a_vm_that_refuses_does_not_stand_in_the_way_of_others(rates: DirtyRates, domains: list[FakeDomain]) -> None:
    domains[0].refuses_with = libvirt.VIR_ERR_OPERATION_INVALID
    for _ in range(6):
        look(rates)
    assert started(domains) == [0, 1, 1, 1, 1]


def test_nobody_waits_for_a_monitor_that_is_busy(domains: list[FakeDomain], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dirty_rates, "PERIOD", 0)
    connections = FakeConnections(domains)
    rates = DirtyRates(connections)  # type: ignore[arg-type]
    for _ in range(4):
        look(rates)
    assert set(connections.flags) == {libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT}
