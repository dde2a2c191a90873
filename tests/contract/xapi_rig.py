"""A simulated XAPI pool below the contract suite: the driver speaks to it over HTTPS, as to a real one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.contract.rig import DEFAULTS, Rig
from tests.xapi.process import Pools
from xenweb.core.facts import Kind
from xenweb.core.quantities import MIB
from xenweb.drivers.contract import Endpoint, MigrationPlan, MoveOptions

HOSTS = ("host-a", "host-b", "host-c")


class XapiRig(Rig):
    """The pool called green."""

    kind = "xapi"
    proves_sharing = True
    measures_changes = False
    runs_commands = False

    def __init__(self, pools: Pools) -> None:
        self.pools = pools
        self.endpoints = {name: pools.endpoint(name, number) for number, name in enumerate(HOSTS)}

    def plan(
        self,
        vm: str,
        options: MoveOptions = DEFAULTS,
        *,
        target: str = "",
        trust: bool = False,
        kind: Kind = Kind.LIVE,
        copies: bool = False,
    ) -> MigrationPlan:
        """XAPI takes no wish about speed: what a test wants slow is slow because the link is."""
        if options.bandwidth_limit is not None:
            # Disks are as large as in the lab: at twice the speed they still take two seconds.
            self.pools.do("set", link=float(options.bandwidth_limit) * (2 if copies else 1))
            options = replace(options, bandwidth_limit=None)
        return super().plan(vm, options, target=target, trust=trust, kind=kind, copies=copies)

    def change_outside(self, vm: str) -> None:
        self.pause(vm, is_paused=True)
        self.pause(vm, is_paused=False)

    def pause(self, vm: str, *, is_paused: bool) -> None:
        self.pools.do("power", vm=vm, power="Paused" if is_paused else "Running")

    def has_disk(self, vm: str, host: str) -> bool:
        return f"{vm} 0" in self.pools.do("disks", host=host)

    def clear(self, vm: str, host: str) -> None:
        self.pools.do("disks", host=host, remove=f"{vm} 0")

    @contextmanager
    def witnessed(self, vm: str) -> Iterator[None]:
        before = self.pools.do("tell", **{"class": "VM", "name": vm})
        yield
        after = self.pools.do("tell", **{"class": "VM", "name": vm})
        assert (after["power_state"], after["uuid"]) == (before["power_state"], before["uuid"])

    @contextmanager
    def silence(self, host: str) -> Iterator[None]:
        self.pools.do("silence", host=host)
        try:
            yield
        finally:
            self.pools.do("silence", host=host, on=False)

    def hurry(self) -> bool:
        return bool(self.pools.do("set", link=float(512 * MIB)))

    def nowhere(self) -> Endpoint:
        endpoint = self.endpoints["host-a"]
        address = self.pools.address("host-a")
        return replace(endpoint, name="nowhere", uri=endpoint.uri.replace(address, address.rpartition(".")[0] + ".99"))
