"""The lab itself: three real hosts, and guests that prove what is done to them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from xenweb.lab.errors import LabError
from xenweb.lab.qemu import control
from xenweb.lab.qemu.heartbeat import (
    Arrival,
    disk_counters,
    is_gap_free,
    is_undamaged,
    longest_pause_ms,
)
from xenweb.lab.qemu.lab import Lab

pytestmark = pytest.mark.lab

MIB = 1024 * 1024
PEER_TO_PEER = (
    libvirt.VIR_MIGRATE_LIVE
    | libvirt.VIR_MIGRATE_PEER2PEER
    | libvirt.VIR_MIGRATE_PERSIST_DEST
    | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
    | libvirt.VIR_MIGRATE_UNSAFE
)


def move(lab: Lab, guest: str, target: str, more_flags: int = 0, *, by_name: bool = False) -> list[Arrival]:
    """Move a guest live, and return every beat seen around the move."""
    source = lab.where(guest)
    assert source is not None
    address = {} if by_name else {libvirt.VIR_MIGRATE_PARAM_URI: f"tcp://{lab.host(target).migration_address}"}
    connection = libvirt.open(lab.uri(source))
    try:
        with lab.watch(guest) as watch:
            assert watch.wait_for(4, timeout=5)
            connection.lookupByName(guest).migrateToURI3(lab.uri(target), address, PEER_TO_PEER | more_flags)
            assert watch.wait_for(20, timeout=5), "the guest beats on the target"
            return watch.arrivals()
    finally:
        connection.close()


def assert_whole(arrivals: list[Arrival]) -> None:
    seen = [arrival.beat for arrival in arrivals]
    assert is_gap_free(seen)
    assert is_undamaged(seen)


def free_memory(lab: Lab, host: str) -> int:
    connection = libvirt.openReadOnly(lab.uri(host))
    try:
        return int(connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)["free"]) * 1024
    finally:
        connection.close()


def test_three_hosts_answer_with_their_names_and_identities(lab: Lab) -> None:
    for host in lab.hosts:
        connection = libvirt.openReadOnly(host.uri)
        assert connection.getHostname() == host.name
        assert f"<uuid>{host.uuid}</uuid>" in connection.getCapabilities()
        connection.close()


def test_the_company_runs_and_what_is_halted_stays_halted(lab: Lab) -> None:
    status = lab.status()
    assert sum(len(host.running) for host in status) >= 12
    assert [guest for host in status for guest in host.halted] == ["old-wiki"]
    lab.up()
    assert lab.where("old-wiki") is None


def test_the_description_names_every_host_and_guest(lab: Lab) -> None:
    text = json.loads(lab.layout.description.read_text())
    assert [host["uri"] for host in text["hosts"]] == [host.uri for host in lab.hosts]
    assert {"hot-db", "shop-db", "ledger", "old-wiki", "big-etl"} <= {guest["name"] for guest in text["guests"]}
    assert text["acceleration"] in ("kvm", "tcg")
    assert all(Path(guest["console"]).exists() for guest in text["guests"] if guest["running"])


def test_the_folder_is_private(lab: Lab) -> None:
    assert lab.layout.folder.stat().st_mode & 0o777 == 0o700
    assert lab.layout.control.stat().st_mode & 0o777 == 0o600


def test_shared_storage_is_the_same_everywhere_and_local_storage_nowhere(lab: Lab) -> None:
    identities: dict[str, set[str]] = {"shared": set(), "local": set()}
    for host in lab.hosts:
        connection = libvirt.openReadOnly(host.uri)
        for name, seen in identities.items():
            pool = connection.storagePoolLookupByName(name)
            assert pool.isActive()
            seen.add(pool.UUIDString())
        connection.close()
    assert len(identities["shared"]) == 1
    assert len(identities["local"]) == len(lab.hosts)


def test_the_big_guest_does_not_fit_on_the_small_host(lab: Lab) -> None:
    assert free_memory(lab, "host-c") < 1024 * MIB < free_memory(lab, "host-a")


def busy_share(lab: Lab, host: str, seconds: float) -> float:
    """Return how many CPUs a host kept busy during some seconds, as libvirt tells it."""
    connection = libvirt.openReadOnly(lab.uri(host))
    try:
        before, start = connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS), time.monotonic()
        time.sleep(seconds)
        after, end = connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS), time.monotonic()
        return float(after["user"] - before["user"]) / 1e9 / (end - start)
    finally:
        connection.close()


def test_a_host_shows_its_own_work_and_not_the_machines(lab: Lab) -> None:
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        quiet = busy_share(lab, "host-c", 2)
    finally:
        burner.kill()
        burner.wait()
    assert 0 < quiet < 0.5, "the burner outside is not the host's work"


def test_a_guest_moves_live_and_misses_no_beat(lab: Lab) -> None:
    free = free_memory(lab, "host-b")
    arrivals = move(lab, "dns-1", "host-b")
    assert_whole(arrivals)
    assert lab.where("dns-1") == "host-b"
    pause = longest_pause_ms(arrivals, 50)
    assert pause is not None
    assert pause < 1000
    time.sleep(1)
    assert free_memory(lab, "host-b") == free - 64 * MIB, "promised memory follows the guest"
    assert_whole(move(lab, "dns-1", "host-a", by_name=True))


def test_a_disk_on_shared_storage_loses_no_write(lab: Lab) -> None:
    assert_whole(move(lab, "shop-db", "host-b"))
    assert_whole(move(lab, "shop-db", "host-a"))
    before = disk_counters(lab.disk("shop-db", "host-a"))
    assert before.missing == ()
    time.sleep(1.5)
    after = disk_counters(lab.disk("shop-db", "host-a"))
    assert after.newest > before.newest
    assert after.missing == ()


def test_a_disk_on_storage_of_one_host_travels_with_its_guest(lab: Lab) -> None:
    assert_whole(move(lab, "ledger", "host-a", libvirt.VIR_MIGRATE_NON_SHARED_DISK))
    assert disk_counters(lab.disk("ledger", "host-a")).missing == ()
    lab.disk("ledger", "host-b").unlink()  # libvirt leaves the old copy behind
    assert_whole(move(lab, "ledger", "host-b", libvirt.VIR_MIGRATE_NON_SHARED_DISK))
    lab.disk("ledger", "host-a").unlink()


@pytest.fixture
def slow_host_b(lab: Lab) -> Iterator[Lab]:
    lab.rate("host-b", "80mbit")
    yield lab
    lab.rate("host-b", "off")


def seconds_for_two_moves(lab: Lab) -> float:
    start = time.monotonic()
    move(lab, "web-1", "host-b")
    move(lab, "web-1", "host-a")
    return time.monotonic() - start


def test_a_limited_link_slows_moves_in_both_directions(slow_host_b: Lab) -> None:
    slow = seconds_for_two_moves(slow_host_b)
    slow_host_b.rate("host-b", "off")
    fast = seconds_for_two_moves(slow_host_b)
    # 36 MiB at 80 Mbit/s take 3.8 s, each way.
    assert slow > fast + 4


def test_the_hot_guest_never_converges_on_a_limited_link(slow_host_b: Lab) -> None:
    connection = libvirt.open(slow_host_b.uri("host-a"))
    guest = connection.lookupByName("hot-db")
    command = (
        f"import libvirt; libvirt.open({slow_host_b.uri('host-a')!r}).lookupByName('hot-db')"
        f".migrateToURI3({slow_host_b.uri('host-b')!r}, {{}}, {PEER_TO_PEER})"
    )
    with subprocess.Popen([sys.executable, "-c", command], stderr=subprocess.DEVNULL) as mover:
        passes = 0
        deadline = time.monotonic() + 60
        while passes < 3 and time.monotonic() < deadline and mover.poll() is None:
            passes = int(guest.jobStats().get("memory_iteration", 0))
            time.sleep(0.2)
        assert passes >= 3, "it is still copying in pass 3"
        guest.abortJob()
    connection.close()
    assert slow_host_b.where("hot-db") == "host-a"


def test_a_pulled_cable_holds_a_move_up_and_a_plugged_one_lets_it_end(lab: Lab) -> None:
    lab.link("host-c", "down")
    assert [host.link for host in lab.status()] == ["up", "up", "down"]
    command = (
        f"import libvirt; libvirt.open({lab.uri('host-a')!r}).lookupByName('ldap-1')"
        f".migrateToURI3({lab.uri('host-c')!r}, {{}}, {PEER_TO_PEER})"
    )
    with subprocess.Popen([sys.executable, "-c", command]) as mover:
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                mover.wait(1.5)
        finally:
            lab.link("host-c", "up")
        assert mover.wait(30) == 0
    assert lab.where("ldap-1") == "host-c"
    assert_whole(move(lab, "ldap-1", "host-a"))


def test_guests_outlive_their_hosts_daemon(lab: Lab) -> None:
    with lab.watch("dns-2") as watch:
        lab.daemon("host-b", "kill")
        with pytest.raises(libvirt.libvirtError):
            libvirt.open(lab.uri("host-b"))
        assert watch.wait_for(10, timeout=5)
        lab.daemon("host-b", "start")
        assert lab.where("dns-2") == "host-b"
        assert is_gap_free([arrival.beat for arrival in watch.arrivals()])


@pytest.fixture
def second_lab() -> Iterator[Lab]:
    folder = Path(f"/tmp/xw-two-{os.getpid()}")
    second = Lab(folder)
    try:
        second.up()
        yield second
    finally:
        control.end_process(second.layout)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_crashed_lab_is_started_anew(second_lab: Lab) -> None:
    pid = control.running_process(second_lab.layout)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    second_lab.up()
    assert second_lab.where("wiki") == "host-c"


def test_a_lab_whose_process_was_forgotten_is_neither_doubled_nor_wiped(second_lab: Lab) -> None:
    known = second_lab.layout.process.read_text()
    second_lab.layout.process.unlink()
    with pytest.raises(LabError, match="nobody remembers"):
        second_lab.up()
    second_lab.layout.process.write_text(known)
    assert second_lab.where("wiki") == "host-c"


def test_a_lab_whose_folder_is_gone_ends_itself(second_lab: Lab) -> None:
    folder = second_lab.layout.folder
    shutil.rmtree(folder, ignore_errors=True)  # its hosts may still be writing into it
    deadline = time.monotonic() + 5
    while processes_with(str(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_with(str(folder)) == []


def test_a_power_cut_halts_every_guest_and_up_brings_them_back(lab: Lab) -> None:
    lab.power("host-c", "off")
    with pytest.raises(libvirt.libvirtError):
        libvirt.open(lab.uri("host-c"))
    with lab.watch("wiki") as watch:
        assert not watch.wait_for(1, timeout=0.5)
    assert processes_with(f"{lab.layout.folder}/host-c/") == [], "virtlockd and its leases go with the power"
    lab.power("host-c", "on")
    host_c = lab.status()[2]
    assert host_c.running == ()
    assert {"git-1", "wiki", "build-7", "old-wiki"} <= set(host_c.halted)
    lab.up()
    assert lab.where("wiki") == "host-c"
    assert lab.where("old-wiki") is None


def test_a_host_whose_power_came_back_is_reached_at_once_by_those_who_knew_it(lab: Lab) -> None:
    def there_and_back() -> float:
        start = time.monotonic()
        move(lab, "ldap-1", "host-c")
        move(lab, "ldap-1", "host-a")
        return time.monotonic() - start

    usual = there_and_back()
    lab.power("host-c", "off")
    lab.power("host-c", "on")
    lab.up()
    # Others know a network card for up to a minute: with another one they would call into the void.
    assert there_and_back() < usual + 5


@pytest.mark.parametrize("order", [("rate", "host-a", "40mbit; id"), ("power", "host-z", "off"), ("fly", "host-a", "")])
def test_a_wrong_order_is_refused_and_changes_nothing(lab: Lab, order: tuple[str, str, str]) -> None:
    before = lab.status()
    with pytest.raises(LabError):
        control.ask(lab.layout, *order)
    assert lab.status() == before


def test_a_second_lab_lives_beside_the_first_and_leaves_nothing(lab: Lab, second_lab: Lab) -> None:
    folder = str(second_lab.layout.folder)
    command = [sys.executable, "-m", "xenweb.lab"]
    assert second_lab.where("wiki") == lab.where("wiki") == "host-c"
    told = subprocess.run([*command, "status", "--json", "--folder", folder], check=True, capture_output=True)
    assert [host["name"] for host in json.loads(told.stdout)] == ["host-a", "host-b", "host-c"]
    subprocess.run([*command, "down", "--folder", folder], check=True, capture_output=True)
    assert not second_lab.is_up
    assert processes_with(folder) == []
    assert lab.where("wiki") == "host-c"


def processes_with(words: str) -> list[str]:
    """Return the command lines of living processes that name ``words``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words in command:
            found.append(command)
    return found
