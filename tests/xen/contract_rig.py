"""The Xen lab as the world of a driver that the contract suite speaks of (tests/contract)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.contract.rig import DEFAULTS, Rig
from tests.xen.equipment import PROBE_PID, Probed
from xenweb.drivers.contract import Capability, Endpoint, MigrationPlan, MoveOptions, VmSnapshot
from xenweb.lab.connections import connected
from xenweb.lab.xen.layout import HOSTS

NAMES = {"web-1": "idle-1", "dns-1": "idle-1", "dns-2": "idle-1", "ldap-1": "idle-1", "wiki": "idle-1"}
"""Which guest plays which of the suite's VMs; all others are played by the busy one."""


class XenRig(Rig):
    """Two real Xen hosts with probes."""

    kind = "libvirt"
    target_remembers = False  # what stopped at the source and went on at the target the two probes know together

    def __init__(self, xen: Probed) -> None:
        self.lab = xen.lab
        self.endpoints = {f"host-{'abc'[n]}": xen.endpoint(host.name) for n, host in enumerate(HOSTS)}

    def can(self, capability: Capability) -> bool:
        """Ask a host: what a Xen host can depends on its probe."""
        return capability in (self.driver.inventory(self.endpoints["host-a"]).capabilities or ())

    def where(self, vm: str) -> str:
        return super().where(played(vm))

    def uuid(self, vm: str) -> str:
        return super().uuid(played(vm))

    def snapshot(self, vm: str) -> VmSnapshot:
        return super().snapshot(played(vm))

    def plan(self, vm: str, options: MoveOptions = DEFAULTS, **more: Any) -> MigrationPlan:
        """Plan a move as fast as it goes: Xen knows no limit."""
        plan = super().plan(played(vm), replace(options, bandwidth_limit=None), **more)
        return replace(plan, vm_name=played(vm))

    def nowhere(self) -> Endpoint:
        return replace(
            self.endpoints["host-a"], name="nowhere", uri="xen+tcp://127.0.0.1:1/system", probe="127.0.0.1:1"
        )

    def change_outside(self, vm: str) -> None:
        endpoint = self.endpoints[self.where(vm)]
        with connected(endpoint.uri, endpoint.name) as connection:
            domain = connection.lookupByName(played(vm))
            domain.suspend()
            domain.resume()

    def pause(self, vm: str, *, is_paused: bool) -> None:
        endpoint = self.endpoints[self.where(vm)]
        with connected(endpoint.uri, endpoint.name) as connection:
            domain = connection.lookupByName(played(vm))
            domain.suspend() if is_paused else domain.resume()

    def has_disk(self, vm: str, host: str) -> bool:
        raise NotImplementedError

    def clear(self, vm: str, host: str) -> None:
        raise NotImplementedError

    @contextmanager
    def witnessed(self, vm: str) -> Iterator[None]:
        yield
        Probed(self.lab).runs_once_on(played(vm), self.endpoints[self.where(vm)].name)

    @contextmanager
    def silence(self, host: str) -> Iterator[None]:
        """Have neither libvirt nor the probe of a host answer: without it the probe would still tell the truth."""
        self.lab.run(host, f"kill -STOP $({PROBE_PID})")
        self.lab.daemon(host, "kill")
        try:
            yield
        finally:
            self.lab.daemon(host, "start")
            self.lab.run(host, f"kill -CONT $({PROBE_PID})")


def played(vm: str) -> str:
    """Answer which guest plays a VM of the suite; a guest's own name is its own."""
    return vm if vm in {"idle-1", "busy-1"} else NAMES.get(vm, "busy-1")
