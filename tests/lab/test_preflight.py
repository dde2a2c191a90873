"""The checks before a move, on real hosts that are wrong for it in each way that the lab can show."""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import libvirt
import pytest

from tests.contract.rig import LabRig
from xenweb.core.placement import Finding, Severity
from xenweb.lab.qemu.lab import Lab

pytestmark = pytest.mark.lab


@pytest.fixture
def rig(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> LabRig:
    """The libvirt driver with the lab below it."""
    monkeypatch.setenv("XENWEB_LIBVIRT_SOCKET_FOLDERS", str(lab.layout.folder))
    return LabRig(lab)


def heavy(rig: LabRig, vm: str, target: str) -> dict[str, Finding]:
    """Make the preflight; answer by code what is more than a note."""
    found = rig.driver.preflight(rig.plan(vm, target=target)).findings
    return {each.code: each for each in found if each.severity is not Severity.NOTE}


@contextmanager
def defined(lab: Lab, host: str, xml: str) -> Iterator[None]:
    """Let a host know a VM that does not run."""
    connection = libvirt.open(lab.uri(host))
    domain = connection.defineXML(xml)
    try:
        yield
    finally:
        domain.undefine()
        connection.close()


def described(lab: Lab, vm: str, host: str) -> str:
    """Answer a VM's description, with a UUID of its own."""
    connection = libvirt.open(lab.uri(host))
    try:
        xml = connection.lookupByName(vm).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    finally:
        connection.close()
    return re.sub(r"<uuid>.*?</uuid>", f"<uuid>{uuid.uuid4()}</uuid>", xml)


@pytest.fixture
def small(lab: Lab) -> Iterator[str]:
    """A host whose CPU lacks what the guests use."""
    lab.processor("host-b", "small")
    yield "host-b"
    lab.processor("host-b", "full")


def test_missing_cpu_features_are_named_until_they_are_there_again(lab: Lab, rig: LabRig, small: str) -> None:
    found = heavy(rig, "ldap-1", small)
    assert list(found) == ["cpu_incompatible"]
    missing = set(dict(found["cpu_incompatible"].facts)["missing_features"])  # type: ignore[arg-type]
    assert {"cx16"} <= missing <= {"cx16", "lahf_lm"}
    assert "host-b lacks" in found["cpu_incompatible"].sentence
    lab.processor(small, "full")
    assert heavy(rig, "ldap-1", small) == {}


def test_memory_that_a_vm_may_claim_and_the_host_has_not_is_told_with_what_it_holds(rig: LabRig) -> None:
    found = heavy(rig, "big-etl", "host-c")
    assert list(found) == ["memory_tight_now"]
    facts = dict(found["memory_tight_now"].facts)
    assert 0 < facts["held"] < facts["needed"]  # type: ignore[operator]
    assert facts["free"] < facts["needed"]  # type: ignore[operator]


def test_another_vm_of_the_same_name_is_told(lab: Lab, rig: LabRig) -> None:
    with defined(lab, "host-b", described(lab, "ldap-1", rig.where("ldap-1"))):
        assert list(heavy(rig, "ldap-1", "host-b")) == ["name_taken"]
    assert heavy(rig, "ldap-1", "host-b") == {}


def test_a_network_that_the_target_has_not_is_named(lab: Lab, rig: LabRig) -> None:
    card = "<interface type='network'><source network='dmz'/></interface></devices>"
    xml = described(lab, "ldap-1", rig.where("ldap-1")).replace("</devices>", card).replace(">ldap-1<", ">dmz-1<")
    with defined(lab, "host-a", xml):
        found = heavy(rig, "dmz-1", "host-b")
    assert "no network dmz" in found["network_missing"].sentence


def test_a_disk_that_only_its_host_has_is_told_and_another_file_at_its_path_is_not_taken_for_it(
    lab: Lab, rig: LabRig
) -> None:
    source = rig.where("ledger")
    assert list(heavy(rig, "ledger", "host-c")) == ["disk_not_there"]
    impostor = lab.disk("ledger", "host-c")
    try:
        impostor.write_bytes(b"another disk")
        assert list(heavy(rig, "ledger", "host-c")) == ["disk_differs"]
        os.truncate(impostor, lab.disk("ledger", source).stat().st_size)
        found = heavy(rig, "ledger", "host-c")
        assert list(found) == ["disk_identity_unproven"]
        assert found["disk_identity_unproven"].is_overridable
    finally:
        impostor.unlink()


def test_a_shared_disk_in_use_is_proven_to_be_the_same(rig: LabRig) -> None:
    found = rig.driver.preflight(rig.plan("shop-db")).findings
    same = next(each for each in found if each.code == "disk_same")
    assert "moment of its last change" in same.sentence
