"""Where disks and network cards go that cannot stay: what must be chosen, what is suggested, what is refused."""

from dataclasses import replace

import pytest

from tests.core.test_placement import SOURCE, VM, codes
from xenweb.core.facts import Ability, CardFacts, DiskFacts, Kind, Maps, PowerState, RepositoryFacts, kind_for
from xenweb.core.maps import NO_NEEDS, arriving, needs_of, suggested
from xenweb.core.placement import Answer, Severity, judge
from xenweb.core.quantities import GIB, MIB, Bytes
from xenweb.core.storage import copied_bytes, copies, places_for_disks

ABLE = frozenset({Ability.CHOSEN_PLACES, Ability.COLD_MOVE, Ability.TIDIES_DISKS})
LOCAL = RepositoryFacts(8, "local", "ext", vouched_shared=False, available=Bytes(4 * GIB))
WIDE = RepositoryFacts(20, "wide", "nfs", vouched_shared=False, available=Bytes(9 * GIB), identity="sr-wide")
NARROW = RepositoryFacts(21, "local", "ext", vouched_shared=False, available=Bytes(2 * GIB), identity="sr-narrow")
DRIVES = RepositoryFacts(22, "Removable storage", "udev", vouched_shared=False, available=Bytes(99 * GIB))
ROOT = DiskFacts("xvda", "/local/root", 8, "local", "none", read_only=False, capacity=Bytes(1 * GIB))
DATA = replace(ROOT, device="xvdb", path="/local/data", capacity=Bytes(3 * GIB))
LAN = CardFacts("0", "02:00:00:00:00:01", "lan", "xenbr0")
DMZ = CardFacts("1", "02:00:00:00:00:02", "dmz", "xenbr1")
HERE = replace(SOURCE, hypervisor="xapi", repositories=(LOCAL,), networks=("lan", "dmz"), abilities=ABLE)
BESIDE = replace(HERE, id=2, name="host-b", repositories=(NARROW, WIDE, DRIVES))
BEYOND = replace(BESIDE, id=3, name="host-d", pool=2, networks=("lan",), bridges=(("lan", "xenbr0"),))
GUEST = replace(VM, hypervisor="xapi", disks=(ROOT,), networks=("lan", "dmz"), cards=(LAN, DMZ))
ONE_CARD = replace(GUEST, networks=("lan",), cards=(LAN,))
COMPLETE = Maps((("xvda", 20),), (("0", "lan"), ("1", "lan")))


def test_nothing_is_asked_where_all_disks_are_reached_and_the_pool_stays_the_same() -> None:
    shared = replace(BESIDE, repositories=(LOCAL,))
    assert needs_of(GUEST, shared, HERE) is NO_NEEDS or not needs_of(GUEST, shared, HERE)
    assert judge(GUEST, shared, HERE).findings == ()
    assert not needs_of(GUEST, HERE, HERE), "it is there"
    assert not needs_of(GUEST, BESIDE, None)
    assert not needs_of(GUEST, replace(BEYOND, abilities=frozenset()), HERE)
    assert not needs_of(GUEST, BEYOND, replace(HERE, abilities=frozenset()))


def test_within_a_pool_only_disks_are_asked_for_and_the_roomiest_place_is_suggested() -> None:
    needs = needs_of(GUEST, BESIDE, HERE)
    assert [each.disk.device for each in needs.disks] == ["xvda"]
    assert [(each.repository.name, each.free) for each in needs.disks[0].places] == [
        ("wide", 9 * GIB),
        ("local", 2 * GIB),
    ]
    assert needs.disks[0].suggested == WIDE.id
    assert needs.cards == ()


def test_disks_are_suggested_places_one_after_the_other() -> None:
    even = replace(
        BESIDE, repositories=(replace(WIDE, available=Bytes(4 * GIB)), replace(NARROW, available=Bytes(4 * GIB)))
    )
    both = replace(GUEST, disks=(ROOT, DATA))
    assert suggested(needs_of(both, even, HERE)).disks == (("xvda", NARROW.id), ("xvdb", WIDE.id))


def test_what_moves_under_way_will_take_is_not_free() -> None:
    busy = replace(BESIDE, disk_promised=Bytes(8 * GIB))
    assert [each.free for each in needs_of(GUEST, busy, HERE).disks[0].places] == [1 * GIB, 0]


def test_drives_and_images_are_no_places_for_disks() -> None:
    assert [each.name for each in places_for_disks(BESIDE)] == ["wide", "local"]


def test_in_another_pool_a_card_goes_to_the_network_of_its_name_or_of_its_bridge() -> None:
    alike = replace(BEYOND, networks=("lan", "outside"), bridges=(("lan", "xenbr0"), ("outside", "xenbr1")))
    assert suggested(needs_of(GUEST, alike, HERE)).cards == (("0", "lan"), ("1", "outside"))
    twice = replace(alike, networks=("lan", "outside", "more"), bridges=(*alike.bridges, ("more", "xenbr1")))
    assert suggested(needs_of(GUEST, twice, HERE)).cards == (("0", "lan"),), "which of the two nobody can know"
    assert suggested(needs_of(GUEST, BEYOND, HERE)).cards == (("0", "lan"),)


def test_before_it_is_chosen_what_is_open_is_no_obstacle() -> None:
    verdict = judge(GUEST, BEYOND, HERE)
    assert verdict.answer is Answer.CAN_GO_BUT
    assert codes(verdict) == ["disk_copied", "network_unmapped", "pool_crossed"]
    assert "no other is chosen for network card 1" in verdict.findings[1].sentence
    assert [f.severity for f in judge(ONE_CARD, BEYOND, HERE).findings] == [Severity.WARNING, Severity.NOTE]


def test_complete_maps_are_taken_as_they_are() -> None:
    verdict = judge(GUEST, BEYOND, HERE, maps=COMPLETE)
    assert codes(verdict) == ["disk_copied", "pool_crossed"]
    assert "1 GiB of disk must be copied to wide on host-d" in verdict.findings[0].sentence
    assert [each.repository for each in copies(GUEST, BEYOND, COMPLETE)] == [WIDE]
    assert copied_bytes(GUEST, BEYOND, COMPLETE) == 1 * GIB
    assert arriving(GUEST, BEYOND, HERE, COMPLETE) == ((LAN, "lan"), (DMZ, "lan"))
    assert arriving(GUEST, BESIDE, HERE, COMPLETE) == ()


@pytest.mark.parametrize(
    ("maps", "code", "said"),
    [
        (Maps((), COMPLETE.cards), "disk_unmapped", "no storage is chosen for it"),
        (Maps(COMPLETE.disks, (("0", "lan"),)), "network_unmapped", "no other is chosen for network card 1"),
        (Maps((("xvda", 8),), COMPLETE.cards), "storage_unsuitable", "no storage that host-d can put it on"),
        (Maps((("xvda", 22),), COMPLETE.cards), "storage_unsuitable", "no storage that host-d can put it on"),
        (Maps(COMPLETE.disks, (("0", "lan"), ("1", "attic"))), "network_missing", "host-d has no network attic"),
        (Maps((*COMPLETE.disks, ("xvdz", 20)), COMPLETE.cards), "map_superfluous", "Disk xvdz is none of shop-db"),
        (Maps(COMPLETE.disks, (*COMPLETE.cards, ("7", "lan"))), "map_superfluous", "card 7 is none of shop-db"),
    ],
)
def test_maps_that_are_incomplete_or_wrong_are_refused_with_the_reason(maps: Maps, code: str, said: str) -> None:
    verdict = judge(GUEST, BEYOND, HERE, maps=maps)
    assert [finding.code for finding in verdict.blockers] == [code]
    assert said in verdict.blockers[0].sentence
    assert verdict.blockers[0].remedy.endswith(".")


def test_what_stays_is_not_mapped() -> None:
    shared = replace(BESIDE, repositories=(LOCAL, WIDE))
    verdict = judge(GUEST, shared, HERE, maps=COMPLETE)
    assert codes(verdict) == ["map_superfluous"] * 3
    assert "Disk xvda stays where it is, which host-b reaches." in {f.sentence for f in verdict.findings}
    assert any("the pool stays the same" in finding.sentence for finding in verdict.findings)


def test_the_chosen_place_must_have_the_room() -> None:
    big = replace(GUEST, disks=(ROOT, DATA))
    full = judge(big, BEYOND, HERE, maps=Maps((("xvda", 21), ("xvdb", 21)), COMPLETE.cards))
    assert [finding.code for finding in full.blockers] == ["storage_full"]
    assert "local on host-d has 2 GiB free" in full.blockers[0].sentence
    split = judge(big, BEYOND, HERE, maps=Maps((("xvda", 21), ("xvdb", 20)), COMPLETE.cards))
    assert split.blockers == ()


def test_a_host_without_storage_or_networks_is_no_place_for_it() -> None:
    bare = replace(BEYOND, repositories=(DRIVES,), networks=(), bridges=())
    found = [finding.code for finding in judge(GUEST, bare, HERE).blockers]
    assert found == ["storage_not_reached", "network_unmapped", "network_unmapped"]


def test_a_storage_that_does_not_say_what_is_free_is_not_suggested() -> None:
    silent = replace(BESIDE, repositories=(replace(WIDE, available=None),))
    assert needs_of(GUEST, silent, HERE).disks[0].suggested is None
    verdict = judge(GUEST, silent, HERE)
    assert [(f.code, f.severity) for f in verdict.findings] == [("disk_unmapped", Severity.WARNING)]
    chosen = judge(GUEST, silent, HERE, maps=Maps((("xvda", 20),)))
    assert [finding.code for finding in chosen.blockers] == ["storage_full"]


def test_pools_of_which_one_cannot_choose_places_stay_apart() -> None:
    assert "pool_differs" in codes(judge(GUEST, replace(BEYOND, abilities=frozenset()), HERE))
    assert "pool_differs" in codes(judge(GUEST, BEYOND, replace(HERE, abilities=frozenset())))


@pytest.mark.parametrize("state", [PowerState.HALTED, PowerState.SUSPENDED])
def test_a_vm_that_does_not_run_takes_its_disks_along_and_no_memory(state: PowerState) -> None:
    resting = replace(GUEST, state=state)
    assert kind_for(state) is Kind.COLD
    verdict = judge(resting, replace(BEYOND, memory_free=Bytes(65 * MIB)), HERE, maps=COMPLETE)
    assert codes(verdict) == ["disk_copied", "pool_crossed", "moves_halted"]
    assert "its disks are copied along" in verdict.findings[2].sentence


def test_a_vm_whose_cards_nobody_tells_needs_networks_of_the_same_name() -> None:
    untold = replace(GUEST, cards=())
    assert "network_missing" in codes(judge(untold, BEYOND, HERE, maps=Maps(COMPLETE.disks)))
