"""One run in an installation of its own, whose environment is set: ``python -m tests.bench.xapi.run FOLDER``."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import django

HOSTS, VMS = 32, 10_000
RATE, SECONDS = 100, 60
READY_WITHIN = 300.0
SETTLED_WITHIN = 60.0
ROOT = Path(__file__).resolve().parents[3]


def say(line: str) -> None:
    """Tell whoever waits."""
    print(line, file=sys.stderr, flush=True)


def peak_mib(pid: int) -> float:
    """Answer the most memory that a process had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Answer the CPU time that a process has taken."""
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def told_ages(changes: list[tuple[str, float]]) -> list[float]:
    """Answer for each change how long it was until its VM's row had it, or one that came after it, in ms."""
    from xenweb.realtime.models import StoredEvent

    news: dict[str, list[tuple[int, float]]] = {}
    for at, body in StoredEvent.objects.order_by("sequence").values_list("at", "body").iterator():
        vm = json.loads(body).get("vm")
        words = vm["name"].split(" ") if isinstance(vm, dict) else ()
        if len(words) == 2:
            news.setdefault(vm["uuid"], []).append((int(words[1]), at.timestamp()))
    ages = []
    for number, (uuid, made) in enumerate(changes, 1):
        came = [at for known, at in news.get(uuid, ()) if known >= number]
        if came:
            ages.append((came[0] - made) * 1000)
    return ages


def lost(names: dict[str, str], hosts: dict[str, str]) -> int:
    """Count the changed VMs whose rows are not as they were left."""
    from xenweb.inventory.models import VirtualMachine

    rows = VirtualMachine.objects.filter(uuid__in=names).values_list("uuid", "name", "resident_on__uuid")
    right = sum(name == names[uuid] and host == hosts[uuid] for uuid, name, host in rows)
    return len(names) - right


def add_hosts(pools: Any) -> int:
    """Put the pool's hosts on the board."""
    from xenweb.inventory.credentials import seal
    from xenweb.inventory.models import Host, Pool

    pool = Pool.objects.create(name="green", driver="xapi")
    members = [name for name, each in pools.about["hosts"].items() if each["pool"] == "green"]
    for name in members:
        endpoint = pools.endpoint(name)
        Host.objects.create(pool=pool, name=name, uri=endpoint.uri, credential=seal(endpoint.secret))
    return len(members)


def rows_of(wanted: int) -> float:
    """Wait for so many rows of VMs; answer how long that took."""
    from xenweb.inventory.models import VirtualMachine

    began = time.monotonic()
    while VirtualMachine.objects.count() < wanted:
        assert time.monotonic() - began < READY_WITHIN, f"{VirtualMachine.objects.count()} of {wanted} rows"
        time.sleep(0.1)
    return time.monotonic() - began


def driver_start(pools: Any) -> tuple[float, int]:
    """Read the whole pool with a driver that knows nothing yet; answer how long it took, and how many VMs it has."""
    from xenweb.drivers.xapi_driver.driver import XapiDriver

    driver, began = XapiDriver(), time.monotonic()
    members = [name for name, each in pools.about["hosts"].items() if each["pool"] == "green"]
    vms = sum(len(driver.inventory(pools.endpoint(name)).vms) for name in members)
    return time.monotonic() - began, vms


def plain_start(pools: Any) -> float:
    """Read the same classes of the pool as any client of the XenAPI package does; answer how long that took."""
    import XenAPI

    from tests.xapi.process import PASSWORD
    from xenweb.drivers.xapi_driver.reading import CLASSES

    coordinator = next(name for name, each in pools.about["hosts"].items() if each["pool"] == "green")
    session = XenAPI.Session(f"https://{pools.address(coordinator)}:{pools.port}", ignore_ssl=True)
    session.xenapi.login_with_password("root", PASSWORD, "1.0", "plain client")
    began = time.monotonic()
    for kind in CLASSES:
        getattr(session.xenapi, kind).get_all_records()
    took = time.monotonic() - began
    session.xenapi.session.logout()
    return took


def run(folder: Path) -> dict[str, Any]:
    """Do it all; answer what was measured."""
    from tests.xapi.process import pools_running, prefix_of_this_process

    (folder / "xapi").mkdir()
    with pools_running(folder / "xapi", prefix_of_this_process(0), crowd=(HOSTS, VMS)) as pools:
        cold, vms = driver_start(pools)
        plain = plain_start(pools)
        say(f"the driver read {vms} VMs in {cold:.1f} s, a plain client in {plain:.1f} s")
        hosts = add_hosts(pools)
        log = (folder / "watch.log").open("wb")
        command = [sys.executable, "manage.py", "watch"]
        watcher = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            start = rows_of(vms)
            say(f"{vms} VMs are in the rows after {start:.1f} s")
            time.sleep(5)
            used = cpu_seconds(watcher.pid)
            pools.do("churn", rate=RATE, seconds=SECONDS)
            time.sleep(SECONDS)
            cpu = (cpu_seconds(watcher.pid) - used) / SECONDS
            while not (told := pools.do("churn"))["over"]:
                time.sleep(0.2)
            deadline = time.monotonic() + SETTLED_WITHIN
            while lost(told["names"], told["hosts"]) and time.monotonic() < deadline:
                time.sleep(0.2)
            peak = peak_mib(watcher.pid)
        finally:
            watcher.kill()
            watcher.wait()
    if "ERROR" in (errors := (folder / "watch.log").read_text()):
        say("\n".join(line for line in errors.splitlines() if "Error" in line or "ERROR" in line)[:4000])
    changes = [(uuid, at) for uuid, at in told["changes"]]
    ages = told_ages(changes)
    missing = len(changes) - len(ages)
    return {
        "vms": vms, "hosts": hosts, "seconds": SECONDS, "changes": len(changes), "start": start, "driver_start": cold,
        "plain_start": plain, "ages": ages, "lost": lost(told["names"], told["hosts"]) + missing,
        "peak_mib": peak, "cpu": cpu,
    }  # fmt: skip


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "xenweb.settings"
    django.setup()
    from django.core.management import call_command

    call_command("migrate", "--no-input", verbosity=0)
    print(json.dumps(run(Path(sys.argv[1]))))
