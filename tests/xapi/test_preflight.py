"""All reasons at once, with names, from what we see and from what the pool itself says."""

from collections.abc import Callable

import pytest

from tests.xapi.moving import plan
from tests.xapi.process import Pools
from xenweb.core.facts import Kind
from xenweb.core.placement import Finding, Severity
from xenweb.drivers.xapi_driver.driver import XapiDriver


def found(xapi: Pools, driver: XapiDriver, vm: str, source: str, target: str, **more) -> dict[str, Finding]:
    planned = plan(xapi, vm, source, target, **more)
    findings = driver.preflight(planned).findings
    for each in findings:
        assert each.sentence.endswith("."), each
        assert each.remedy.endswith("."), each
        assert "OpaqueRef" not in each.sentence + each.remedy
        assert planned.vm_uuid not in each.sentence
    return {each.code: each for each in findings if each.severity is not Severity.NOTE}


def field(kind: str, name: str, field_name: str, value: object) -> Callable[[Pools], object]:
    return lambda xapi: xapi.do("field", **{"class": kind, "name": name, "field": field_name, "value": value})


OTHER_CPU = {"vendor": "AuthenticAMD", "cpu_count": "4", "features_hvm": "1fcbfbff-80b82221-2993fbff-00000403"}
OLD_CPU = {"vendor": "GenuineIntel", "cpu_count": "4", "features_hvm": "1fcbfbff-80b82221-2993fbff-00000400"}


@pytest.mark.parametrize(
    ("hurt", "code", "words"),
    [
        (field("host", "host-b", "cpu_info", OTHER_CPU), "cpu_vendor_differs", "AuthenticAMD"),
        (field("host", "host-b", "cpu_info", OLD_CPU), "vm_incompatible_with_this_host", "2 features"),
        (field("host", "host-b", "enabled", False), "host_disabled", "in maintenance"),
        (field("VM", "web-1", "blocked_operations", {"pool_migrate": "true"}), "operation_blocked", "gave no reason"),
        (field("VM", "web-1", "blocked_operations", {"pool_migrate": "backup"}), "operation_blocked", "backup"),
        (field("VM", "web-1", "attached_PCIs", ["OpaqueRef:x"]), "host_device", "PCI device"),
        (field("VM", "web-1", "VUSBs", ["OpaqueRef:x"]), "host_device", "USB device"),
        (field("VM", "web-1", "memory_dynamic_min", 64 * 2**30), "host_not_enough_free_memory", "64 GiB"),
        (field("VM", "web-1", "VCPUs_max", 32), "host_not_enough_pcpus", "may have 32 CPUs, and the host has 4"),
        (field("VM", "web-1", "is_a_template", True), "vm_is_template", "web-1 is a template"),
    ],
)
def test_each_cause_is_found_and_told_with_names(
    xapi: Pools, driver: XapiDriver, hurt: Callable[[Pools], object], code: str, words: str
) -> None:
    hurt(xapi)
    findings = found(xapi, driver, "web-1", "host-a", "host-b")
    assert findings[code].severity is Severity.BLOCKER
    assert words in findings[code].sentence


def test_several_causes_are_told_at_once_where_xapi_itself_tells_the_first(xapi: Pools, driver: XapiDriver) -> None:
    field("host", "host-c", "cpu_info", OTHER_CPU)(xapi)
    field("host", "host-c", "enabled", False)(xapi)
    field("VM", "ledger", "blocked_operations", {"pool_migrate": "pinned"})(xapi)
    codes = set(found(xapi, driver, "ledger", "host-b", "host-c"))
    assert codes == {"host_disabled", "cpu_vendor_differs", "operation_blocked", "disk_not_there"}


def test_a_guest_without_tools_is_told_to_be_one(xapi: Pools, driver: XapiDriver) -> None:
    findings = found(xapi, driver, "build-7", "host-c", "host-b")
    assert "guest tools do not run in build-7" in findings["vm_lacks_feature"].sentence


def test_a_failover_plan_that_would_break_is_the_pools_own_word(xapi: Pools, driver: XapiDriver) -> None:
    field("pool", "green", "ha_enabled", True)(xapi)
    field("pool", "green", "ha_host_failures_to_tolerate", 1)(xapi)
    for vm in ("hot-db", "web-1"):
        field("VM", vm, "ha_restart_priority", "restart")(xapi)
        field("VM", vm, "memory_dynamic_max", 8 * 2**30)(xapi)
    findings = found(xapi, driver, "web-1", "host-a", "host-b")
    assert "High availability" in findings["ha_operation_would_break_failover_plan"].sentence


def test_a_disk_with_change_tracking_is_named_before_it_is_copied(xapi: Pools, driver: XapiDriver) -> None:
    field("VDI", "ledger 0", "cbt_enabled", True)(xapi)
    findings = found(xapi, driver, "ledger", "host-b", "host-a", disks=True)
    assert "Disk xvda of ledger has changed block tracking on" in findings["vdi_cbt_enabled"].sentence


def test_storage_without_room_is_told_with_both_figures(xapi: Pools, driver: XapiDriver) -> None:
    local = next(
        each.identity for each in driver.inventory(xapi.endpoint("host-a")).repositories if each.name == "local"
    )
    field("SR", local, "physical_utilisation", 100 * 2**30)(xapi)
    findings = found(xapi, driver, "ledger", "host-b", "host-a", disks=True)
    assert "32 MiB of disk must be copied, and local on host-a has 0 bytes free" in findings["storage_full"].sentence


def test_a_pool_of_an_older_version_without_a_check_is_a_warning_and_no_silence(
    xapi: Pools, driver: XapiDriver
) -> None:
    xapi.do("set", unknown=["VM.assert_can_boot_here"])
    findings = found(xapi, driver, "web-1", "host-a", "host-b")
    assert findings["check_failed"].severity is Severity.WARNING


def test_the_same_call_by_hand_names_hosts_and_disks_and_no_password(xapi: Pools, driver: XapiDriver) -> None:
    inside = driver.preflight(plan(xapi, "web-1", "host-a", "host-b")).command
    assert (
        f"vm-migrate uuid={plan(xapi, 'web-1', 'host-a', 'host-b').vm_uuid} host-uuid={xapi.uuid('host-b')}" in inside
    )
    with_disk = driver.preflight(plan(xapi, "ledger", "host-b", "host-a", disks=True)).command
    assert "vdi:" in with_disk
    other_pool = driver.preflight(plan(xapi, "web-1", "host-a", "host-d")).command
    assert f"remote-master={xapi.address('host-d')}" in other_pool
    halted = driver.preflight(plan(xapi, "old-wiki", "host-c", "host-a", kind=Kind.COLD)).command
    assert f"affinity={xapi.uuid('host-a')}" in halted
    assert xapi.endpoint("host-a").secret not in inside + with_disk + other_pool + halted


def test_a_host_that_copies_as_many_disks_as_it_may_for_others_is_told_before_the_call(
    xapi: Pools, driver: XapiDriver
) -> None:
    for name in ("dns-2", "web-2"):
        xapi.do("busy", vm=name, operation="migrate_send")
    xapi.do("busy", vm="web-1", operation="migrate_send")
    assert "host_copies_enough" not in found(xapi, driver, "ledger", "host-b", "host-a", disks=True)
    xapi.do("busy", vm="mail-2", operation="migrate_send")
    told = found(xapi, driver, "ledger", "host-b", "host-a", disks=True)["host_copies_enough"]
    assert told.severity is Severity.BLOCKER
    assert "host-b already copies disks of 3 VMs (dns-2, mail-2, web-2)" in told.sentence
    assert "host_copies_enough" not in found(xapi, driver, "cache-1", "host-b", "host-a")
