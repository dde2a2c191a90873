"""What a host knows of a VM while it can hardly say so: silence about a move is no word that it ended."""

from typing import Any

import libvirt
import pytest

from tests.drivers.test_libvirt_preflight import Answering
from tests.drivers.test_libvirt_words import libvirt_error
from xenweb.core.migration import Copy
from xenweb.drivers.contract import CompletedStats, Endpoint, VmSighting
from xenweb.drivers.libvirt_driver.driver import LibvirtDriver
from xenweb.drivers.libvirt_driver.errors import NO_JOB_CODES

HOST = Endpoint(1, "host-a", "qemu:///system")
LOCKED = libvirt_error(
    libvirt.VIR_ERR_OPERATION_TIMEOUT,
    "Timed out during operation: cannot acquire state change lock (held by monitor=remoteDispatch)",
)


class Kept(Answering):
    """A connection that lives."""

    def isAlive(self) -> int:  # noqa: N802 - libvirt's name
        return 1


def seen(monkeypatch: pytest.MonkeyPatch, job: object) -> VmSighting:
    """Ask a host for a running VM whose job it tells like this."""
    answers: dict[str, Any] = {
        "state": [libvirt.VIR_DOMAIN_RUNNING, 0],
        "isActive": 1,
        "info": [1, 0, 0, 1, 7],
        "jobStats": job,
    }
    host = Kept(lookupByUUIDString=Answering(**answers))
    monkeypatch.setattr("xenweb.drivers.libvirt_driver.connections.open_connection", lambda _endpoint: host)
    return LibvirtDriver().locate(HOST, "a-uuid")


def test_a_host_that_works_on_no_move_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(monkeypatch, {"type": 0}) == VmSighting(Copy.RUNNING, False, 7, CompletedStats())


@pytest.mark.parametrize("code", sorted(NO_JOB_CODES))
def test_a_host_that_knows_no_such_work_does_not_work_on_a_move(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    assert not seen(monkeypatch, libvirt_error(code, "no")).busy


def test_a_host_that_lets_nobody_ask_still_works_on_the_move(monkeypatch: pytest.MonkeyPatch) -> None:
    said = seen(monkeypatch, LOCKED)
    assert (said.copy, said.busy) == (Copy.RUNNING, True)


def test_a_host_that_cannot_tell_has_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = libvirt_error(libvirt.VIR_ERR_OPERATION_FAILED, "domain is no longer running")
    assert seen(monkeypatch, broken).copy is Copy.NO_ANSWER


def test_a_vm_that_vanishes_while_it_is_asked_for_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = libvirt_error(libvirt.VIR_ERR_NO_DOMAIN, "Domain not found")
    assert seen(monkeypatch, gone).copy is Copy.ABSENT
