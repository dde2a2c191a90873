"""XAPI's ``force``: only where an administrator has set the missing CPU features aside, and never otherwise."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.xapi.moving import plan
from tests.xapi.process import Pools
from xenweb.core.placement import CPU_FEATURES_LACKING, Finding, Severity
from xenweb.drivers.contract import MoveRefusedError
from xenweb.drivers.xapi_driver.driver import XapiDriver
from xenweb.drivers.xapi_driver.pools import Pool

OLD_CPU = {"vendor": "GenuineIntel", "cpu_count": "4", "features_hvm": "1fcbfbff-80b82221-2993fbff-00000400"}
OTHER_CPU = {**OLD_CPU, "vendor": "AuthenticAMD"}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every call that the driver makes, with all of its parameters."""
    calls: list[str] = []
    real = Pool.call

    def told(self: Pool, method: str, *params: object, **more: object):
        calls.append(f"{method} {params}")
        return real(self, method, *params, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Pool, "call", told)
    yield calls


def blockers(driver: XapiDriver, planned) -> list[Finding]:
    return [each for each in driver.preflight(planned).findings if each.severity is Severity.BLOCKER]


def test_a_vm_with_features_that_the_target_lacks_moves_only_by_an_override(
    xapi: Pools, driver: XapiDriver, said: list[str]
) -> None:
    xapi.do("field", **{"class": "host", "name": "host-b", "field": "cpu_info", "value": OLD_CPU})
    planned = plan(xapi, "web-1", "host-a", "host-b")
    (found,) = blockers(driver, planned)
    assert found.code == CPU_FEATURES_LACKING
    assert found.is_overridable
    with pytest.raises(MoveRefusedError):
        driver.migrate(planned)
    assert not [each for each in said if "force" in each]
    driver.migrate(replace(planned, migration="forced", overridden=frozenset({CPU_FEATURES_LACKING})))
    assert [each.split()[0] for each in said if "'force': 'true'" in each] == ["Async.VM.pool_migrate"]
    assert xapi.do("residence", vm="web-1") == "host-b"


def test_an_override_of_something_else_forces_nothing(xapi: Pools, driver: XapiDriver, said: list[str]) -> None:
    planned = plan(xapi, "dns-1", "host-a", "host-b")
    driver.migrate(replace(planned, overridden=frozenset({"memory_short", "disk_identity_unproven"})))
    assert not [each for each in said if "force" in each]


def test_a_move_with_disks_is_forced_alike(xapi: Pools, driver: XapiDriver, said: list[str]) -> None:
    xapi.do("field", **{"class": "host", "name": "host-a", "field": "cpu_info", "value": OLD_CPU})
    planned = plan(xapi, "ledger", "host-b", "host-a", disks=True)
    driver.migrate(replace(planned, overridden=frozenset({CPU_FEATURES_LACKING})))
    assert [each.split()[0] for each in said if "'force': 'true'" in each] == ["Async.VM.migrate_send"]
    assert xapi.do("residence", vm="ledger") == "host-a"


def test_a_cpu_of_another_make_cannot_be_overridden(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("field", **{"class": "host", "name": "host-b", "field": "cpu_info", "value": OTHER_CPU})
    (found,) = blockers(driver, plan(xapi, "web-1", "host-a", "host-b"))
    assert found.code == "cpu_vendor_differs"
    assert not found.is_overridable
