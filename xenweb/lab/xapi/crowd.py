"""A crowd: one pool with many hosts and VMs more, and changes to them at a rate, so that size itself is tried."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from xenweb.core.quantities import GIB, MIB
from xenweb.lab.xapi import checks
from xenweb.lab.xapi.model import Value
from xenweb.lab.xapi.pool import Pool

MEMORY = 64 * MIB
DISK = 32 * MIB
HOST_GIB = 4096
MOVES_ONE_IN = 20
FIRST_ADDRESS = 10
"""The last part of the address of a crowd's first host."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many hosts and VMs more a pool has; the VMs are spread evenly over those hosts."""

    hosts: int = 0
    vms: int = 0

    def places(self) -> Iterator[tuple[str, int]]:
        """Name the hosts, each with the last part of its address."""
        for number in range(self.hosts):
            yield f"crowd-{number:02}", FIRST_ADDRESS + number


@dataclass(slots=True)
class Churn:
    """Changes to VMs while they are made: the last name and host of each VM, and when which VM was changed."""

    pool: Pool
    rate: float
    seconds: float
    names: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)
    changes: list[tuple[str, float]] = field(default_factory=list)
    is_over: bool = False

    def begin(self) -> None:
        """Make the changes in a thread of their own."""
        threading.Thread(target=self._run, name="churn", daemon=True).start()

    def _run(self) -> None:
        chance, store = random.Random(1), self.pool.store  # noqa: S311 - not a secret
        vms = [ref for ref in store.refs("VM") if store.text("VM", ref, "name_label").startswith("crowd-")]
        homes = [place.ref for place in self.pool.places if place.name.startswith("crowd-")]
        began, total = time.monotonic(), round(self.rate * self.seconds)
        while len(self.changes) < total:
            pause = began + len(self.changes) / self.rate - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            self._change(chance.choice(vms), chance.choice(homes))
        self.is_over = True

    def _change(self, vm: str, home: str) -> None:
        """Give a VM a name that says the number of the change, and now and then another host."""
        store, number = self.pool.store, len(self.changes) + 1
        uuid = store.text("VM", vm, "uuid")
        name = f"{store.text('VM', vm, 'name_label').partition(' ')[0]} {number}"
        with store.lock:
            self.changes.append((uuid, time.time()))
            store.set("VM", vm, name_label=name)
            if number % MOVES_ONE_IN == 0:
                self.pool.reside(vm, home)
        self.names[uuid] = name
        self.hosts[uuid] = store.text("host", store.text("VM", vm, "resident_on"), "uuid")


def add_vms(pool: Pool, vms: int) -> None:
    """Give the crowd's hosts VMs, each with a disk on the pool's shared storage and a network card."""
    store = pool.store
    homes = [place for place in pool.places if place.name.startswith("crowd-")]
    network = next(ref for ref in store.refs("network"))
    shared = store.text("pool", pool.ref, "default_SR")
    residents: dict[str, list[str]] = {place.ref: store.listed("host", place.ref, "resident_VMs") for place in homes}
    disks = store.listed("SR", shared, "VDIs")
    for number in range(vms):
        home = homes[number % len(homes)].ref
        residents[home].append(_vm(pool, number, home, network, shared, disks))
    for ref, each in residents.items():
        store.set("host", ref, resident_VMs=cast("Value", each))
    store.set("SR", shared, VDIs=cast("Value", disks), physical_size=vms * GIB)


def _vm(pool: Pool, number: int, home: str, network: str, shared: str, disks: list[str]) -> str:
    store, name = pool.store, f"crowd-{number:05}"
    vm = store.add(
        "VM",
        name_label=name,
        power_state="Running",
        resident_on=home,
        memory_static_max=MEMORY,
        memory_dynamic_max=MEMORY,
        memory_dynamic_min=MEMORY,
        memory_overhead=2 * MIB,
        VCPUs_max=1,
        VCPUs_at_startup=1,
        domain_type="hvm",
    )
    vif = store.add(
        "VIF", device="0", network=network, VM=vm, MAC=f"02:00:00:01:{number // 256:02x}:{number % 256:02x}"
    )
    vdi = store.add("VDI", name_label=f"{name} 0", SR=shared, virtual_size=DISK, managed=True)
    vbd = store.add(
        "VBD", VM=vm, VDI=vdi, type="Disk", mode="RW", userdevice="0", device="xvda", currently_attached=True
    )
    disks.append(vdi)
    store.set("VDI", vdi, VBDs=[vbd])
    store.set("VM", vm, VIFs=[vif], VBDs=[vbd])
    checks.refresh(pool, vm)
    return vm
