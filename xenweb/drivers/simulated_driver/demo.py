"""The small company of the embedded lab, as a simulated world."""

import time
import uuid
from pathlib import Path

from xenweb.core.quantities import GIB, MIB
from xenweb.drivers.simulated_driver.world import DISK, Clock, SimulatedHost, SimulatedVm, World, disk_path, write

_NAMESPACE = uuid.UUID("51a7ed00-0000-4000-8000-000000000000")
_MOST_CONTENT = 240
"""MiB: ten seconds of copying, so that nobody waits long for a demonstration."""

# Name, host, memory in MiB, pages of 4 KiB changed a second, working set in MiB, where its disk is.
_CAST = (
    ("dns-1", "host-a", 64, 0, 4, ""),
    ("ldap-1", "host-a", 128, 10, 4, ""),
    ("web-1", "host-a", 128, 20, 4, ""),
    ("hot-db", "host-a", 256, 4000, 48, ""),
    ("shop-db", "host-a", 128, 100, 8, "shared"),
    ("dns-2", "host-b", 64, 0, 4, ""),
    ("web-2", "host-b", 128, 20, 4, ""),
    ("mail-2", "host-b", 128, 10, 4, ""),
    ("cache-1", "host-b", 192, 768, 24, ""),
    ("ledger", "host-b", 128, 50, 4, "local"),
    ("big-etl", "host-b", 1024, 0, 4, ""),
    ("git-1", "host-c", 128, 10, 4, ""),
    ("wiki", "host-c", 64, 0, 4, ""),
    ("build-7", "host-c", 192, 512, 32, ""),
    ("old-wiki", "host-c", 128, 0, 4, ""),
)


def demo_world(path: Path, clock: Clock = time.time) -> list[str]:
    """Write the world; answer its hosts' names."""
    now = clock()
    sizes = {"host-a": 4, "host-b": 4, "host-c": 1}
    hosts = {
        name: SimulatedHost(
            name=name,
            uuid=str(uuid.uuid5(_NAMESPACE, name)),
            memory=size * GIB,
            storage={"shared": "dir:shared", "local": f"dir:local-{name}"},
            busy_at=now,
            keeps_guards=True,
        )
        for name, size in sizes.items()
    }
    members = [_member(*row, now) for row in _CAST]
    volumes = {f"{vm.host}:{disk_path(vm)}": DISK for vm in members if vm.disk == "local"}
    write(path, World(hosts, {vm.uuid: vm for vm in members}, volumes=volumes))
    return list(hosts)


def _member(name: str, host: str, memory: int, pages: int, span: int, disk: str, now: float) -> SimulatedVm:
    return SimulatedVm(
        uuid=str(uuid.uuid5(_NAMESPACE, name)),
        name=name,
        host=host,
        memory=memory * MIB,
        content=min(memory, _MOST_CONTENT) * MIB,
        working_set=span * MIB,
        dirty_rate=pages * 4096.0,
        disk=disk,
        state="halted" if name == "old-wiki" else "running",
        load=min(0.6, 0.01 + pages / 8000),
        started=now,
    )
