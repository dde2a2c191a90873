"""Two small companies' pools: three hosts with shared and local storage, and two hosts of another kind."""

import uuid
from dataclasses import dataclass

from xenweb.core.precopy.rules import Guest
from xenweb.core.quantities import GIB, MIB, Bytes, BytesPerSecond
from xenweb.lab.xapi import checks
from xenweb.lab.xapi.crowd import HOST_GIB, Crowd, add_vms
from xenweb.lab.xapi.model import NULL, Value
from xenweb.lab.xapi.pool import ACTIVE, Faults, Place, Pool
from xenweb.lab.xapi.store import moment

_NAMESPACE = uuid.UUID("ca9a11ab-0000-4000-8000-000000000000")
VERSION = {
    "product_brand": "XCP-ng",
    "product_version": "8.3.0",
    "platform_version": "3.4.0",
    "xapi": "26.1",
    "xapi_build": "26.1.0",
    "xen": "4.17.5",
    "hostname": "simulated",
}
FEATURES = "1fcbfbff-80b82221-2993fbff-00000403"
CONTENT = 0.125
"""The share of its memory that a guest of this world has ever written to."""

DISK = 32 * MIB
DOM0 = 512 * MIB
OVERHEAD = 16 * MIB

# Pool, host, GiB, last part of its address.
HOSTS = (
    ("green", "host-a", 8, 1),
    ("green", "host-b", 8, 2),
    ("green", "host-c", 4, 3),
    ("blue", "host-d", 8, 4),
    ("blue", "host-e", 8, 5),
)

# Name, host, memory in MiB, pages of 4 KiB changed a second, working set in MiB, storage of its disk, state.
CAST = (
    ("dns-1", "host-a", 64, 0, 4, "", "Running"),
    ("ldap-1", "host-a", 128, 10, 4, "", "Running"),
    ("web-1", "host-a", 128, 20, 4, "", "Running"),
    ("hot-db", "host-a", 256, 4000, 48, "", "Running"),
    ("shop-db", "host-a", 128, 100, 8, "shared", "Running"),
    ("dns-2", "host-b", 64, 0, 4, "", "Running"),
    ("web-2", "host-b", 128, 20, 4, "", "Running"),
    ("mail-2", "host-b", 128, 10, 4, "", "Running"),
    ("cache-1", "host-b", 192, 768, 24, "", "Running"),
    ("ledger", "host-b", 64, 50, 4, "local", "Running"),
    ("big-etl", "host-b", 1024, 0, 4, "", "Running"),
    ("git-1", "host-c", 128, 10, 4, "", "Running"),
    ("wiki", "host-c", 64, 0, 4, "", "Running"),
    ("build-7", "host-c", 192, 512, 32, "", "Running"),
    ("old-wiki", "host-c", 128, 0, 4, "shared", "Halted"),
    ("blue-web", "host-d", 128, 20, 4, "local", "Running"),
    ("blue-old", "host-e", 64, 0, 4, "local", "Halted"),
    ("blue-crm", "host-d", 64, 10, 4, "shared", "Running"),
)
NOBODY = Crowd()

# Networks beside the pool's own, none of them with an interface, so on every host: pool, name, bridge.
MORE_NETWORKS = (("green", "Guests", "xenbr1"), ("blue", "Guests of blue", "xenbr1"), ("blue", "DMZ", "xapi7"))
WELL_CONNECTED = {"blue-crm": ("Guests of blue", "DMZ")}
"""VMs that are on networks beside the pool's own, and that have a second disk, on their host's own storage."""

WITHOUT_TOOLS = "build-7"
PINNED = "big-etl"


def identity(name: str) -> str:
    """Answer the UUID of a thing of this world: the same in every run."""
    return str(uuid.uuid5(_NAMESPACE, name))


def build(prefix: str, faults: Faults, label: str = "", crowd: Crowd = NOBODY) -> dict[str, Pool]:
    """Make both pools; their hosts' addresses begin with ``prefix``, as ``127.20.0``, and names with ``label``.

    The first pool has a ``crowd``, too.
    """
    pools = {name: Pool(name, faults) for name in dict.fromkeys(row[0] for row in HOSTS)}
    for pool in pools.values():
        _Builder(pool, prefix, crowd if pool.name == HOSTS[0][0] else NOBODY).build()
        if label:
            _labelled(pool, label)
    return pools


def _labelled(pool: Pool, label: str) -> None:
    """Mark the names of hosts and VMs, so that nobody takes them for others that are called alike."""
    store = pool.store
    for place in pool.places:
        place.name = place.name.replace("host-", f"{label}-")
        store.set("host", place.ref, name_label=place.name, hostname=place.name)
    for vm in store.refs("VM"):
        if not store.flag("VM", vm, "is_a_template") and not store.flag("VM", vm, "is_control_domain"):
            store.set("VM", vm, name_label=f"{label}-{store.text('VM', vm, 'name_label')}")


@dataclass(slots=True)
class _Builder:
    pool: Pool
    prefix: str
    crowd: Crowd

    def build(self) -> None:
        pool, store = self.pool, self.pool.store
        pool.ref = store.add("pool", uuid=identity(pool.name), name_label=pool.name)
        for name, host, size, last in HOSTS:
            if name == pool.name:
                self._host(host, size, f"{self.prefix}.{last}")
        hosts = [each.ref for each in pool.places]
        for name, last in self.crowd.places():
            self._host(name, HOST_GIB, f"{self.prefix}.{last}")
        cpu: Value = {"cpu_count": "4", "vendor": "GenuineIntel", "features_hvm": FEATURES, "features_pv": FEATURES}
        store.set("pool", pool.ref, master=hosts[-1], cpu_info=cpu)
        network = self._network("Pool-wide network 0", "xenbr0")
        shared = self._storage("shared" if pool.name == "green" else f"shared-{pool.name}", "nfs", pool.places)
        store.set("pool", pool.ref, default_SR=shared)
        local = {each.ref: self._storage("local", "ext", [each]) for each in pool.places}
        self._storage("ISO library", "iso", pool.places)
        store.add("VM", name_label="Debian template", is_a_template=True, is_default_template=True)
        more = {
            name: store.add("network", name_label=name, bridge=bridge, MTU=1500, uuid=identity(f"{pool.name} {name}"))
            for owner, name, bridge in MORE_NETWORKS
            if owner == pool.name
        }
        for row in CAST:
            for place in pool.places:
                if place.name == row[1]:
                    vm = self._vm(row, place, network, {"shared": shared, "local": local[place.ref]}.get(row[5], ""))
                    if row[0] in WELL_CONNECTED:
                        self._extend(vm, row[0], local[place.ref], [more[each] for each in WELL_CONNECTED[row[0]]])
        if self.crowd.vms:
            add_vms(pool, self.crowd.vms)

    def _host(self, name: str, size: int, address: str) -> None:
        pool, store = self.pool, self.pool.store
        metrics = store.add("host_metrics", memory_total=size * GIB, live=True, last_updated=moment())
        cpu: Value = {
            "cpu_count": "4",
            "socket_count": "1",
            "vendor": "GenuineIntel",
            "modelname": "Simulated CPU @ 2.40GHz",
            "features_hvm": FEATURES,
            "features_pv": FEATURES,
            "features_hvm_host": FEATURES,
            "features_pv_host": FEATURES,
        }
        ref = store.add(
            "host",
            uuid=identity(name),
            name_label=name,
            hostname=name,
            address=address,
            enabled=True,
            metrics=metrics,
            cpu_info=cpu,
            software_version=dict(VERSION),
            memory_overhead=OVERHEAD,
            edition="xcp-ng",
        )
        cpus = [
            store.add("host_cpu", host=ref, number=number, vendor="GenuineIntel", speed=2400) for number in range(4)
        ]
        dom0 = store.add(
            "VM",
            name_label=f"Control domain on host: {name}",
            is_control_domain=True,
            power_state="Running",
            resident_on=ref,
            memory_dynamic_max=DOM0,
            memory_dynamic_min=DOM0,
            memory_static_max=DOM0,
            domain_type="pv",
        )
        store.set("host", ref, host_CPUs=list(cpus), control_domain=dom0, resident_VMs=[dom0])
        pool.places.append(Place(name, address, ref))

    def _network(self, name: str, bridge: str) -> str:
        store = self.pool.store
        ref = store.add("network", name_label=name, bridge=bridge, MTU=1500, uuid=identity(f"{self.pool.name} net"))
        pifs = []
        for each in self.pool.places:
            pif = store.add(
                "PIF",
                device="eth0",
                network=ref,
                host=each.ref,
                MAC=f"02:00:00:00:00:{int(each.address.rpartition('.')[2]):02x}",
                MTU=1500,
                VLAN=-1,
                physical=True,
                currently_attached=True,
                management=True,
                IP=each.address,
                netmask="255.0.0.0",
                ip_configuration_mode="Static",
                metrics=store.add("PIF_metrics", carrier=True, speed=1000),
            )
            store.set("host", each.ref, PIFs=[pif])
            pifs.append(pif)
        store.set("network", ref, PIFs=list(pifs))
        return ref

    def _storage(self, name: str, kind: str, places: list[Place]) -> str:
        store = self.pool.store
        is_shared = len(places) > 1
        owner = self.pool.name if is_shared else places[0].name
        ref = store.add(
            "SR",
            uuid=identity(f"{owner} {name}"),
            name_label=name,
            type=kind,
            content_type="iso" if kind == "iso" else "user",
            shared=is_shared,
            physical_size=100 * GIB,
            physical_utilisation=40 * GIB,
        )
        pbds = []
        for each in places:
            pbd = store.add("PBD", host=each.ref, SR=ref, currently_attached=True)
            store.set("host", each.ref, PBDs=[*store.listed("host", each.ref, "PBDs"), pbd])
            pbds.append(pbd)
        store.set("SR", ref, PBDs=list(pbds))
        return ref

    def _extend(self, vm: str, name: str, sr: str, networks: list[str]) -> None:
        """Give a VM a second disk and more network cards."""
        store = self.pool.store
        disk = self._disk(vm, name, sr, is_attached=True, number=1)
        cards = [
            store.add("VIF", device=str(number), network=each, VM=vm, MAC=_mac(f"{name} {number}"), MTU=1500)
            for number, each in enumerate(networks, 1)
        ]
        store.set(
            "VM", vm, VBDs=[*store.listed("VM", vm, "VBDs"), disk], VIFs=[*store.listed("VM", vm, "VIFs"), *cards]
        )

    def _vm(self, row: tuple[str, str, int, int, int, str, str], place: Place, network: str, sr: str) -> str:
        name, _, memory, pages, span, _, state = row
        pool, store, size = self.pool, self.pool.store, memory * MIB
        is_active = state in ACTIVE
        vm = store.add(
            "VM",
            uuid=identity(name),
            name_label=name,
            power_state=state,
            affinity=place.ref if not is_active else NULL,
            memory_static_max=size,
            memory_dynamic_max=size,
            memory_dynamic_min=size,
            memory_static_min=32 * MIB,
            memory_overhead=2 * MIB,
            VCPUs_max=1,
            VCPUs_at_startup=1,
            domain_type="hvm",
            HVM_boot_policy="BIOS order",
            last_boot_CPU_flags={"vendor": "GenuineIntel", "features": FEATURES} if is_active else {},
            blocked_operations={"pool_migrate": "the licence is bound to this host"} if name == PINNED else {},
            metrics=store.add("VM_metrics", memory_actual=size if is_active else 0, VCPUs_number=1),
        )
        store.set("VM", vm, VIFs=[store.add("VIF", device="0", network=network, VM=vm, MAC=_mac(name), MTU=1500)])
        bays = [store.add("VBD", VM=vm, type="CD", empty=True, mode="RO", userdevice="3", device="xvdd", VDI=NULL)]
        if sr:
            bays.append(self._disk(vm, name, sr, is_attached=is_active))
        store.set("VM", vm, VBDs=list(bays))
        if is_active and name != WITHOUT_TOOLS:
            told: Value = {"feature-suspend": "1", "feature-shutdown": "1"}
            store.set(
                "VM", vm, guest_metrics=store.add("VM_guest_metrics", PV_drivers_detected=True, live=True, other=told)
            )
        pool.guests[identity(name)] = Guest(
            Bytes(round(memory * CONTENT) * MIB), BytesPerSecond(pages * 4096.0), Bytes(span * MIB)
        )
        if is_active:
            pool.reside(vm, place.ref)
        checks.refresh(pool, vm)
        return vm

    def _disk(self, vm: str, name: str, sr: str, *, is_attached: bool, number: int = 0) -> str:
        store, mark = self.pool.store, f"{name} disk" if number == 0 else f"{name} disk {number}"
        vdi = store.add(
            "VDI", uuid=identity(mark), name_label=f"{name} {number}", SR=sr, virtual_size=DISK, managed=True
        )
        store.set("SR", sr, VDIs=[*store.listed("SR", sr, "VDIs"), vdi])
        vbd = store.add(
            "VBD",
            VM=vm,
            VDI=vdi,
            type="Disk",
            mode="RW",
            userdevice=str(number),
            device=f"xvd{'ab'[number]}",
            currently_attached=is_attached,
        )
        store.set("VDI", vdi, VBDs=[vbd])
        return vbd


def _mac(name: str) -> str:
    digits = identity(name).replace("-", "")
    return "02:" + ":".join(digits[place : place + 2] for place in range(0, 10, 2))
