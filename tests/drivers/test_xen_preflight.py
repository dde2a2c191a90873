"""Each check before a move on Xen, where libvirt itself makes none."""

from dataclasses import replace
from typing import Any

import libvirt
import pytest

from tests.drivers.test_libvirt_words import libvirt_error
from tests.drivers.xen_hosts import UUID, Guest, XenHost
from tests.drivers.xen_probes import NEVER_RAN, RUNS, SUSPENDED, FakeProbes
from xenweb.core.facts import Kind
from xenweb.core.placement import Finding, Severity
from xenweb.core.quantities import MIB, Bytes
from xenweb.drivers.contract import Endpoint, MigrationPlan, MoveOptions
from xenweb.drivers.libvirt_driver import preflight
from xenweb.drivers.libvirt_driver.xen.probing import PathSeen

XEN1 = Endpoint(1, "xen1", "xen+ssh://root@xen1/system", probe="xen1:1", probe_key="ab")
XEN2 = Endpoint(2, "xen2", "xen+ssh://root@xen2/system", "10.77.0.2", probe="xen2:1", probe_key="ab")
PLAN = MigrationPlan("MOVE", UUID, "web01", XEN1, XEN2, MoveOptions())
DISK = "/dev/sr1/web01"
VOLUME = PathSeen("block", Bytes(64 * MIB), "LVM-abc")


class Compared(XenHost):
    """A Xen host that can compare CPUs."""

    said: Any = libvirt.VIR_CPU_COMPARE_SUPERSET

    def compareCPU(self, _xml: str, _flags: int) -> int:  # noqa: N802 - libvirt's name
        if isinstance(self.said, Exception):
            raise self.said
        return int(self.said)


def probed(**changes: Any) -> FakeProbes:
    usual: dict[str, Any] = {
        "has": {"xen1": (RUNS,), "xen2": ()},
        "at": {"xen1": {DISK: VOLUME}, "xen2": {DISK: VOLUME}},
        "bridged": {"xen1": ["xenbr0"], "xen2": ["xenbr0"]},
    }
    return FakeProbes(**usual | changes)


def found(
    *,
    guest: Guest | None = None,
    target: XenHost | None = None,
    probes: FakeProbes | None = None,
    plan: MigrationPlan = PLAN,
) -> list[Finding]:
    hosts = {"xen1": Compared("xen1", [guest or Guest()]), "xen2": target or Compared("xen2")}
    said = preflight.preflight_of(plan, lambda endpoint: hosts[endpoint.name], probes or probed())
    assert {name for host in hosts.values() for name in host.unsupported} <= {"compareCPU", "getMemoryStats"}
    return list(said.findings)


def heavy(findings: list[Finding]) -> list[str]:
    return [each.code for each in findings if each.severity is not Severity.NOTE]


def one(findings: list[Finding], code: str) -> Finding:
    [only] = [each for each in findings if each.code == code]
    assert only.sentence.endswith(".")
    return only


def test_two_fit_hosts_with_probes_leave_only_notes() -> None:
    findings = found()
    assert heavy(findings) == []
    assert one(findings, "disk_same").severity is Severity.NOTE


def test_the_command_is_that_of_the_call() -> None:
    hosts = {"xen1": Compared("xen1", [Guest()]), "xen2": Compared("xen2")}
    command = preflight.preflight_of(PLAN, lambda endpoint: hosts[endpoint.name], probed()).command
    assert "--abort-on-error" not in command
    assert command.startswith("virsh -c xen+ssh://root@xen1/system migrate --p2p --live")


@pytest.mark.parametrize(
    ("there", "code"),
    [
        (PathSeen("missing", None, ""), "disk_not_there"),
        (PathSeen("file", Bytes(64 * MIB), ""), "disk_not_a_device"),
        (PathSeen("block", Bytes(32 * MIB), "LVM-abc"), "disk_differs"),
        (PathSeen("block", Bytes(64 * MIB), "LVM-xyz"), "disk_differs"),
        (PathSeen("block", Bytes(64 * MIB), ""), "disk_identity_unproven"),
    ],
)
def test_a_disk_must_be_there_be_a_device_and_be_the_same(there: PathSeen, code: str) -> None:
    assert heavy(found(probes=probed(at={"xen1": {DISK: VOLUME}, "xen2": {DISK: there}}))) == [code]


def test_a_disk_whose_source_nobody_describes_is_not_proven_the_same() -> None:
    assert heavy(found(probes=probed(at={"xen2": {DISK: VOLUME}}))) == ["disk_identity_unproven"]


def test_without_probes_the_storage_pools_tell_and_a_file_is_no_device() -> None:
    without = probed(has={}, at={}, bridged={"xen2": ["xenbr0"]})

    class File:
        def info(self) -> list[int]:
            return [libvirt.VIR_STORAGE_VOL_FILE, 64 * MIB, 64 * MIB]

    target = Compared("xen2", answers={"volumes": {DISK: File()}})
    assert "disk_not_a_device" in heavy(found(target=target, probes=without))
    nowhere = Compared("xen2", answers={"volumes": {}})
    unseen = one(found(target=nowhere, probes=without), "disk_not_there")
    assert unseen.severity is Severity.BLOCKER
    assert "its probe does not answer" in unseen.sentence
    assert "probe install xen2" in unseen.remedy


def test_without_probes_it_is_said_what_cannot_be_seen() -> None:
    missing = [each for each in found(probes=probed(has={})) if each.code == "probe_missing"]
    assert len(missing) == 2
    assert "passes are not available on this host, elapsed time and estimate only" in missing[0].sentence


def test_an_older_xen_is_refused() -> None:
    assert one(found(target=Compared("xen2", version=4_016_000)), "xen_older").severity is Severity.BLOCKER
    assert heavy(found(target=Compared("xen2", version=4_018_000))) == []


def test_memory_that_xen_has_not_is_refused() -> None:
    assert heavy(found(target=Compared("xen2", free=200 * MIB))) == ["memory_short_now"]
    assert heavy(found(target=Compared("xen2", free=300 * MIB))) == []


def test_a_cpu_that_lacks_features_is_refused_and_one_not_compared_is_noted() -> None:
    target = Compared("xen2")
    target.said = libvirt_error(
        libvirt.VIR_ERR_CPU_INCOMPATIBLE, "Host CPU does not provide required features: avx, aes"
    )
    assert "avx, aes" in one(found(target=target), "cpu_incompatible").sentence
    assert one(found(target=XenHost("xen2")), "cpu_not_compared").severity is Severity.NOTE


@pytest.mark.parametrize("answers", [{"has": {"xen1": (RUNS,), "xen2": (NEVER_RAN,)}}, {}])
def test_what_a_lost_move_left_is_found_before_libvirt_refuses(answers: dict[str, Any]) -> None:
    kept = Guest(number=-1, now=(libvirt.VIR_DOMAIN_SHUTOFF, 0), work=libvirt.VIR_DOMAIN_JOB_UNBOUNDED)
    target = Compared("xen2") if answers else Compared("xen2", [kept])
    said = found(target=target, probes=probed(**answers))
    assert heavy(said) == ["move_left_over"]
    assert f"manage.py probe mend xen2 {UUID} remove" in one(said, "move_left_over").remedy


def test_a_guest_of_another_name_with_the_uuid_is_in_the_way() -> None:
    other = Guest(named="other", number=-1, now=(libvirt.VIR_DOMAIN_SHUTOFF, 0))
    assert heavy(found(target=Compared("xen2", [other]))) == ["uuid_taken"]


def test_a_bridge_that_is_not_there_is_refused_by_whoever_tells() -> None:
    target = Compared("xen2")
    target.listInterfaces = lambda: ["eth0"]  # type: ignore[method-assign]
    assert heavy(found(target=target, probes=probed(bridged={"xen2": ["br7"]}))) == ["network_missing"]
    assert heavy(found(target=target, probes=probed(bridged={"xen2": ["xenbr0"]}))) == []
    target.listInterfaces = list  # type: ignore[method-assign]
    assert heavy(found(target=target, probes=probed(bridged={}))) == ["networks_not_checked"]


def test_a_guest_that_stands_still_since_a_failed_move_is_told_as_that() -> None:
    assert heavy(found(probes=probed(has={"xen1": (SUSPENDED,), "xen2": ()}))) == ["vm_suspended"]


def test_a_guest_that_is_misread_is_told_as_that() -> None:
    misread = Guest(now=(libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION))
    assert heavy(found(guest=misread)) == ["vm_misread"]


def test_another_kind_of_move_than_was_asked_for_is_refused() -> None:
    assert "vm_state_changed" in heavy(found(plan=replace(PLAN, kind=Kind.PAUSED)))


def test_a_guest_with_nodes_of_its_own_cannot_be_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.drivers import xen_hosts

    numa = xen_hosts.GUEST.replace("<devices>", "<cpu><numa><cell id='0' cpus='0' memory='1'/></numa></cpu><devices>")
    monkeypatch.setattr(xen_hosts, "GUEST", numa)
    assert heavy(found()) == ["virtual_numa"]


def test_work_on_the_guest_comes_first() -> None:
    assert heavy(found(guest=Guest(work=libvirt.VIR_DOMAIN_JOB_UNBOUNDED))) == ["vm_busy"]
