"""Plans that empty a host: every VM has a place with its reason, or every reason why it has none."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_placement import DISK, SOURCE, VM
from xenweb.core.evacuation import Leaver, Plan, planned
from xenweb.core.facts import Ability, PowerState, RepositoryFacts, VmFacts
from xenweb.core.placement import MEMORY_RESERVE, blocker
from xenweb.core.quantities import GIB, MIB, Bytes

WIDE = replace(SOURCE, id=2, name="host-b", memory_free=Bytes(6 * GIB))
NARROW = replace(SOURCE, id=3, name="host-c", memory_free=Bytes(3 * GIB))


def a_vm(number: int, size: float, **more: object) -> VmFacts:
    return replace(VM, id=number, name=f"vm-{number}", memory=Bytes(round(size * GIB)), **more)  # type: ignore[arg-type]


def plan(*vms: VmFacts, wishes: dict[int, int | None] | None = None) -> Plan:
    return planned([Leaver(vm, SOURCE) for vm in vms], [SOURCE, WIDE, NARROW], wishes)


def places(made: Plan) -> dict[str, int]:
    return {move.vm.name: move.target for move in made.moves}


def test_vms_are_spread_so_that_each_host_keeps_a_share_of_its_memory() -> None:
    made = plan(a_vm(1, 2), a_vm(2, 2), a_vm(3, 0.5))
    assert places(made) == {"vm-1": 2, "vm-2": 2, "vm-3": 3}
    assert made.moves[0].why.code == "most_memory_left"
    assert made.stays == ()


def test_the_memory_that_one_move_takes_is_not_promised_to_the_next() -> None:
    made = plan(a_vm(1, 5), a_vm(2, 2.5), a_vm(3, 1))
    assert places(made) == {"vm-1": 2, "vm-2": 3}
    (left,) = made.stays
    assert (left.vm.name, {finding.code for finding in left.findings}) == ("vm-3", {"memory_short"})
    assert len(left.findings) == 2, "each host says what it has left"
    assert not left.is_left


def test_the_smallest_goes_first_and_what_is_halted_last() -> None:
    halted = a_vm(4, 0.1, state=PowerState.HALTED)
    able = [replace(host, abilities=frozenset({Ability.COLD_MOVE})) for host in (WIDE, NARROW)]
    vms = [Leaver(each, SOURCE) for each in (a_vm(1, 2), a_vm(2, 0.5), halted)]
    made = planned(vms, able, {4: 2})
    assert [move.vm.name for move in made.moves] == ["vm-2", "vm-1", "vm-4"]


def test_a_halted_vm_stays_unless_somebody_chooses_a_host_for_it() -> None:
    made = plan(a_vm(1, 1, state=PowerState.HALTED))
    assert [each.code for each in made.stays[0].findings] == ["halted_stays"]
    assert made.stays[0].is_left


def test_a_wish_comes_before_our_own_choices_and_is_judged_like_them() -> None:
    made = plan(a_vm(1, 2.5), a_vm(2, 1), wishes={2: 3})
    assert places(made) == {"vm-1": 2, "vm-2": 3}
    assert next(move for move in made.moves if move.vm.id == 2).why.code == "chosen"
    refused = plan(a_vm(1, 5), wishes={1: 3})
    assert [each.code for each in refused.stays[0].findings] == ["memory_short"]
    left = plan(a_vm(1, 1), wishes={1: None}).stays[0]
    assert (left.is_left, left.findings[0].code) == (True, "left_behind")


def test_a_wish_for_a_host_of_another_pool_is_refused() -> None:
    (stays,) = plan(a_vm(1, 1), wishes={1: 99}).stays
    assert [each.code for each in stays.findings] == ["pool_differs"]


def test_what_its_hypervisor_noted_against_a_vm_keeps_it_where_it_is_and_is_said_once() -> None:
    pinned = blocker("operation_blocked", "Somebody forbade it.", "Ask.")
    made = planned([Leaver(a_vm(1, 1), SOURCE, (pinned,))], [WIDE, NARROW])
    assert made.stays[0].findings == (pinned,)


def test_the_only_host_of_a_pool_has_nowhere_to_send_its_vms() -> None:
    made = planned([Leaver(a_vm(1, 1), SOURCE)], [SOURCE, replace(WIDE, pool=2)])
    assert [each.code for each in made.stays[0].findings] == ["no_other_host"]


def test_a_host_that_has_the_storage_is_chosen_before_a_wider_one_that_would_copy() -> None:
    local = RepositoryFacts(8, "local", "dir", vouched_shared=False, path="/srv/shared", available=Bytes(90 * GIB))
    copies = replace(WIDE, repositories=(local,), abilities=frozenset({Ability.NON_SHARED_DISKS}))
    vm = a_vm(1, 1, disks=(replace(DISK, capacity=Bytes(GIB)),))
    made = planned([Leaver(vm, SOURCE)], [copies, NARROW])
    assert (places(made), made.moves[0].why.code) == ({"vm-1": 3}, "least_copied")


def test_hosts_in_maintenance_and_those_disabled_by_another_hand_take_nothing() -> None:
    made = planned([Leaver(a_vm(1, 1), SOURCE)], [replace(WIDE, in_maintenance=True), replace(NARROW, takes_vms=False)])
    assert {each.code for each in made.stays[0].findings} == {"host_in_maintenance", "host_disabled"}


@given(st.lists(st.integers(16, 4096), max_size=24), st.lists(st.integers(64, 8192), min_size=1, max_size=5))
def test_no_host_is_ever_promised_more_than_it_has(sizes: list[int], rooms: list[int]) -> None:
    hosts = [
        replace(SOURCE, id=number, name=f"host-{number}", memory_free=Bytes(room * MIB))
        for number, room in enumerate(rooms, 2)
    ]
    vms = [replace(VM, id=number, name=f"vm-{number}", memory=Bytes(size * MIB)) for number, size in enumerate(sizes)]
    made = planned([Leaver(vm, SOURCE) for vm in vms], hosts)
    for host in hosts:
        taken = sum(move.vm.memory for move in made.moves if move.target == host.id)
        assert taken == 0 or taken + MEMORY_RESERVE <= (host.memory_free or 0)
    everybody = [each.vm.id for each in (*made.moves, *made.stays)]
    assert sorted(everybody) == [vm.id for vm in vms], "nobody is forgotten, and nobody planned twice"
    assert all(each.findings for each in made.stays)
