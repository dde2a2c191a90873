"""The leases of the lab: a second copy of a guest does not run, whatever libvirt was told."""

from contextlib import closing

import libvirt
import pytest

from tests.contract.rig import LabRig
from xenweb.lab.qemu.lab import Lab

pytestmark = pytest.mark.lab

GUEST, HOME, OTHER = "dns-2", "host-b", "host-c"
"""It has no disk: nothing else would keep a second copy from running."""


def copy_of(lab: Lab) -> str:
    with closing(libvirt.openReadOnly(lab.uri(HOME))) as connection:
        xml: str = connection.lookupByName(GUEST).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    return xml.replace(str(lab.console(GUEST)), "/dev/null")


def refusal_of(lab: Lab, xml: str) -> str:
    """Start a copy on the other host; return why it does not run."""
    with closing(libvirt.open(lab.uri(OTHER))) as connection:
        try:
            connection.createXML(xml).destroy()
        except libvirt.libvirtError as error:
            return str(error)
    return ""


def test_a_second_copy_of_a_guest_is_refused(lab: Lab) -> None:
    assert f"'{GUEST}' is locked" in refusal_of(lab, copy_of(lab))


def test_a_lease_outlives_the_daemon_of_its_host(lab: Lab) -> None:
    xml = copy_of(lab)
    lab.daemon(HOME, "kill")
    try:
        assert f"'{GUEST}' is locked" in refusal_of(lab, xml)
    finally:
        lab.daemon(HOME, "start")
    assert f"'{GUEST}' is locked" in refusal_of(lab, xml)
    assert lab.where(GUEST) == HOME


def test_a_guest_that_stands_still_gives_its_lease_up_and_wants_it_back_to_go_on(lab: Lab) -> None:
    with closing(libvirt.open(lab.uri(HOME))) as home, closing(libvirt.open(lab.uri(OTHER))) as other:
        here, xml = home.lookupByName(GUEST), copy_of(lab)
        here.suspend()
        there = other.createXML(xml)
        try:
            with pytest.raises(libvirt.libvirtError, match="is locked"):
                here.resume()
        finally:
            there.destroy()
        here.resume()
    assert lab.where(GUEST) == HOME


def test_the_preflight_says_that_a_guest_is_fenced(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENWEB_LIBVIRT_SOCKET_FOLDERS", str(lab.layout.folder))
    rig = LabRig(lab)
    found = {each.code: each for each in rig.driver.preflight(rig.plan(GUEST)).findings}
    assert GUEST in found["fenced"].sentence
