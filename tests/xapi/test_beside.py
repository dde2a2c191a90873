"""The pools that stand beside an installation: labelled, let in with a drawn password, and gone when they are ended."""

from pathlib import Path

import pytest

from xenweb.drivers.contract import Endpoint
from xenweb.drivers.registry import check_address, is_simulated
from xenweb.drivers.xapi_driver.driver import XapiDriver
from xenweb.lab.xapi import beside


def test_its_hosts_are_reached_as_they_are_described_and_marked_as_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XENWEB_XAPI_LAB", "1")
    pools = beside.start(tmp_path / "xapi", beside.LABEL)
    try:
        hosts = list(pools.hosts())
        looks = [
            XapiDriver().inventory(Endpoint(0, "host", check_address("xapi", each["uri"]), secret=each["credential"]))
            for each in hosts
        ]
    finally:
        pools.stop()
    assert [look.name for look in looks] == ["xcp-a", "xcp-b", "xcp-c"]
    assert all(vm.name.startswith("xcp-") for look in looks for vm in look.vms)
    assert all(is_simulated("xapi", each["uri"]) for each in hosts)
    assert not is_simulated("xapi", "xapi://root@xen1.example/")
    assert pools.process.poll() is not None
    assert (tmp_path / "xapi" / "users.json").stat().st_mode & 0o077 == 0
    assert not any(pools.secret in each["uri"] for each in hosts)


def test_they_end_with_whoever_started_them(tmp_path: Path) -> None:
    pools = beside.start(tmp_path / "xapi", beside.LABEL)
    assert pools.process.stdin is not None
    pools.process.stdin.close()
    assert pools.process.wait(10) == 0


def test_that_they_do_not_come_up_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside.sys, "executable", "/bin/false")
    with pytest.raises(beside.PoolsError, match=r"did not come up"):
        beside.start(tmp_path / "xapi", beside.LABEL)
