"""The Xen lab itself, real: two hosts, their storage, their guests, and the ways to hurt them.

    pytest -m xen tests/xen

The oracles are xl, the guests' own words and the records on their disks; never libvirt for what it did itself.
"""

import time

import libvirt
import pytest

from xenweb.lab.connections import connected
from xenweb.lab.errors import LabError
from xenweb.lab.xen.guests import GUESTS
from xenweb.lab.xen.heartbeat import is_gap_free
from xenweb.lab.xen.lab import Lab
from xenweb.lab.xen.layout import HOSTS
from xenweb.lab.xen.storage import is_active

pytestmark = [pytest.mark.xen, pytest.mark.timeout(900)]

STORED = [guest.name for guest in GUESTS if guest.storage != "none"]
REACH_STORE = "python3 /lab/clock.py once 10.77.0.3"


def other(host: str) -> str:
    return next(spec.name for spec in HOSTS if spec.name != host)


def only_host(lab: Lab, guest: str) -> str:
    (host,) = lab.where(guest)
    return host


def wait_until(what: str, condition, patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience} s: {what}"
        time.sleep(0.5)


def test_both_hosts_answer_and_say_who_they_are(lab: Lab) -> None:
    for host in lab.hosts:
        with connected(host.uri, host.name) as connection:
            assert connection.getType() == "Xen"
            assert connection.getHostname() == host.name
            assert "<machine>xenpv</machine>" in connection.getCapabilities()
        assert lab.run(host.name, "xl info | sed -n 's/^xen_version *: //p'").startswith("4.17")


def test_every_guest_beats_on_one_host_without_a_gap(lab: Lab) -> None:
    for guest in GUESTS:
        [(host, resident)] = lab.where(guest.name).items()
        assert not resident.is_stopped
        wait_until(f"{guest.name} beats", lambda name=guest.name, host=host: lab.beating_on(name) == host)
        beats = lab.beats(guest.name)
        assert beats[0].number == 1
        assert is_gap_free(beats)


def test_a_busy_guest_changes_as_much_memory_as_it_was_told(lab: Lab) -> None:
    busy = next(guest for guest in GUESTS if guest.rate > 1)
    wait_until("twenty seconds of beats", lambda: len(lab.beats(busy.name)) > 100)
    beats = lab.beats(busy.name)[-100:]
    seconds = (beats[-1].monotonic - beats[0].monotonic) / 1e6
    changed = beats[-1].changed - beats[0].changed
    # Moments that were missed are not made up for, so that a slow machine changes less, and never more.
    assert 0 < changed <= busy.rate * seconds + 1


def test_the_hosts_have_the_same_time(lab: Lab) -> None:
    ahead, doubt = {}, {}
    for host in HOSTS:
        lab.run(host.name, "true")  # the connection is there before the time is asked
        before = time.time()
        theirs = float(lab.run(host.name, "date +%s.%N"))
        after = time.time()
        ahead[host.name], doubt[host.name] = theirs - (before + after) / 2, (after - before) / 2
    first, second = (host.name for host in HOSTS)
    assert abs(ahead[first] - ahead[second]) <= doubt[first] + doubt[second] + 0.02


def test_what_one_host_writes_the_other_reads(lab: Lab) -> None:
    for folder in ("/sr/nfs", "/sr/ocfs2"):
        lab.run("xen-1", f"echo from xen-1 >{folder}/note && sync {folder}/note")
        assert lab.run("xen-2", f"cat {folder}/note && rm {folder}/note") == "from xen-1\n"
    for host in HOSTS:
        assert lab.run(host.name, "vgs --noheadings -o vg_name").split() == ["san"]


def volumes_are_active_where_they_should_be(lab: Lab) -> None:
    for guest in (guest for guest in GUESTS if guest.storage == "san"):
        host = only_host(lab, guest.name)
        assert is_active(lab.run, guest, host)
        assert not is_active(lab.run, guest, other(host))


def test_a_volume_is_active_only_where_its_guest_runs(lab: Lab) -> None:
    volumes_are_active_where_they_should_be(lab)


def test_libvirt_shows_the_folders_of_disks_as_one_storage_on_both_hosts(lab: Lab) -> None:
    seen = []
    for host in lab.hosts:
        with connected(host.uri, host.name) as connection:
            seen.append(
                {pool.name(): pool.UUIDString() for pool in connection.listAllStoragePools() if pool.isActive()}
            )
    assert seen[0] == seen[1]
    assert set(seen[0]) == {"nfs", "ocfs2"}


@pytest.mark.parametrize("wish", ["down", "silent"])
def test_a_host_without_its_link_reaches_nobody_and_comes_back(lab: Lab, wish: str) -> None:
    lab.run("xen-2", REACH_STORE)
    lab.link("xen-2", wish)
    try:
        assert {machine.name: machine.link for machine in lab.status()}["xen-2"] == wish
        with pytest.raises(LabError, match=r"timed out|unreachable|OSError"):
            lab.run("xen-2", REACH_STORE)
        # A pulled cable is noticed by nobody; an interface that is down is known to be.
        operating = lab.run("xen-2", "cat /sys/class/net/eth1/operstate").strip()
        assert operating == ("down" if wish == "down" else "up")
        assert lab.residents("xen-2")  # commands still get through
        lab.run("xen-1", REACH_STORE)  # and the other host is not concerned
    finally:
        lab.link("xen-2", "up")
    wait_until("the store is reached again", lambda: _succeeds(lab, "xen-2", REACH_STORE))
    for guest in (guest for guest in STORED if set(lab.where(guest)) == {"xen-2"}):
        newest = lab.records(guest, "xen-2").newest
        wait_until(
            f"{guest} writes again", lambda guest=guest, newest=newest: lab.records(guest, "xen-2").newest > newest
        )
        assert lab.records(guest, "xen-2").is_complete


def _succeeds(lab: Lab, host: str, command: str) -> bool:
    try:
        lab.run(host, command)
    except LabError:
        return False
    return True


def test_guests_outlive_their_hosts_libvirt(lab: Lab) -> None:
    before = lab.residents("xen-1")
    lab.daemon("xen-1", "kill")
    try:
        with pytest.raises(LabError), connected(lab.uri("xen-1"), "xen-1"):
            pytest.fail("a killed libvirt answered")
        assert {machine.name: machine.daemon for machine in lab.status()}["xen-1"] == "stopped"
        assert {name: guest.number for name, guest in lab.residents("xen-1").items()} == {
            name: guest.number for name, guest in before.items()
        }
        for guest in before:
            wait_until(f"{guest} beats without libvirt", lambda guest=guest: lab.beating_on(guest) == "xen-1")
    finally:
        lab.daemon("xen-1", "start")
    with connected(lab.uri("xen-1"), "xen-1") as connection:
        running = connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        assert {guest.name() for guest in running} - {"Domain-0"} == set(before)


def test_a_host_that_loses_its_power_leaves_the_others_guests_alone_and_comes_back(lab: Lab) -> None:
    lost, left = set(lab.residents("xen-2")), lab.residents("xen-1")
    lab.power("xen-2", "off")
    try:
        assert {machine.name: machine.power for machine in lab.status()}["xen-2"] == "off"
        with pytest.raises(LabError):
            lab.run("xen-2", "true")
        for guest in left:
            # A cluster's file system may wait until it has given the lost host up, which takes two minutes.
            if lab.guest(guest).storage != "ocfs2":
                wait_until(f"{guest} beats", lambda guest=guest: lab.beating_on(guest) == "xen-1")
    finally:
        lab.power("xen-2", "on")
    assert lab.residents("xen-2") == {}
    lab.up()
    for guest in [*lost, *left]:
        wait_until(f"{guest} beats", lambda guest=guest: lab.beating_on(guest) is not None)
    volumes_are_active_where_they_should_be(lab)
