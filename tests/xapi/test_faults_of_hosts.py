"""The rest of the fault list on XAPI pools, where what breaks or lacks is a host, its links or its means.

As ever the oracle is the pool's own records, read past the XenAPI, held against the move's row.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.livemigration.test_maps import BOTH
from tests.livemigration.test_xapi import Board, driven
from tests.xapi.moving import until
from tests.xapi.process import Pools
from tests.xapi.test_faults import STANDS_STILL, is_at, is_switching
from tests.xapi.test_product import ORACLE, SLOW, holds, host_ref, record_of, state, until_copying
from xenweb.core.facts import Maps
from xenweb.core.migration import State
from xenweb.core.quantities import GIB
from xenweb.drivers.contract import Capability
from xenweb.drivers.registry import driver_for
from xenweb.drivers.xapi_driver import moving
from xenweb.drivers.xapi_driver.driver import XapiDriver
from xenweb.lab.xapi.world import identity
from xenweb.livemigration import watching
from xenweb.livemigration.drive import adopt
from xenweb.livemigration.errors import NotPlaceableError
from xenweb.livemigration.models import LeftoverDisk, Migration

pytestmark = pytest.mark.django_db(transaction=True)
GREEN_HOSTS, BLUE_HOSTS = BOTH["green"], BOTH["blue"]


@pytest.fixture
def board(xapi: Pools, monkeypatch: pytest.MonkeyPatch) -> Board:
    """Both pools, of which a move from one to the other needs both."""
    for name in ("PROVE_FOR", "UNSEEN_FOR"):
        monkeypatch.setattr(watching, name, 1.0)
    monkeypatch.setattr(moving, "FOUND_WITHIN", 2.0)
    return Board(xapi, BOTH)


def field(board: Board, kind: str, name: str, what: str, value: object) -> None:
    board.pools.do("field", **{"class": kind, "name": name, "field": what, "value": value})


def tell(board: Board, kind: str, name: str) -> dict[str, object]:
    return dict(board.pools.do("tell", **{"class": kind, "name": name}))


def silence(board: Board, *hosts: str, on: bool = True) -> None:
    for host in hosts:
        board.pools.do("silence", host=host, on=on)


def across(board: Board) -> Migration:
    """Ask for the move of a VM from the green pool to the blue one."""
    return board.ask("web-1", "host-d", Maps((), (("0", "Pool-wide network 0"),)))


@contextmanager
def struck_at_the_proof(board: Board, monkeypatch: pytest.MonkeyPatch, strike: Callable[[], None]) -> Iterator[None]:
    """Let something happen when the VM has arrived by the pool's records, and before a host was asked for its proof.

    Both hosts are asked at once: the other question waits until it has happened.
    """
    driver, struck, striking = driver_for("xapi"), threading.Event(), threading.Lock()
    assert isinstance(driver, XapiDriver)
    locate = driver.locate

    def asked(*words: object) -> object:
        with striking:
            if is_at(board, "host-b") and not struck.is_set():
                struck.set()
                strike()
        return locate(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(driver, "locate", asked)
    yield
    assert struck.is_set()


@pytest.mark.fault("F23", oracle=ORACLE)
def test_a_target_that_loses_its_power_right_after_the_switch_over_is_uncertain_and_nothing_is_started_at_the_source(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = board.ask("web-1", "host-b")
    with struck_at_the_proof(board, monkeypatch, lambda: board.pools.do("kill", host="host-b")):
        driven(move).join(60)
    holds(board, move, "host-b", State.UNCERTAIN, moves=1)
    board.pools.do("power", vm="web-1", power="Halted")  # as a pool has it once its member has booted anew
    silence(board, "host-b", on=False)
    driven(move, adopt).join(60)
    holds(board, move, "", State.FAILED, moves=1, power="Halted")
    assert move.failure_code == "vm_stopped"


@pytest.mark.fault("F56", oracle=ORACLE)
def test_a_target_that_dies_in_the_hand_over_is_never_said_to_have_the_vm(board: Board) -> None:
    board.pools.do("set", pause=STANDS_STILL)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until(lambda: is_switching(board))
    board.pools.do("kill", host="host-b")
    thread.join(60)
    holds(board, move, "host-a", State.UNCERTAIN, moves=0)
    silence(board, "host-b", on=False)
    driven(move, adopt).join(60)
    holds(board, move, "host-a", State.FAILED, moves=0)


@pytest.mark.fault("F24", oracle=ORACLE)
def test_hosts_that_are_parted_in_mid_copy_leave_the_vm_where_it_was(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    board.pools.do("set", parted=True)
    thread.join(60)
    holds(board, move, "host-a", State.FAILED, moves=0)
    board.pools.do("set", parted=False)
    again = board.ask("web-1", "host-b")
    driven(again).join(60)
    holds(board, again, "host-b", State.DONE, moves=1)


@pytest.mark.fault("F25", oracle=ORACLE)
def test_hosts_that_are_parted_while_the_vm_stands_still_leave_it_where_it_was(board: Board) -> None:
    board.pools.do("set", pause=STANDS_STILL)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until(lambda: is_switching(board))
    board.pools.do("set", parted=True)
    thread.join(60)
    holds(board, move, "host-a", State.FAILED, moves=0)


@pytest.mark.fault("F26", oracle=ORACLE)
def test_a_source_that_xenweb_cannot_ask_makes_an_arrival_uncertain_until_it_answers(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    move = board.ask("web-1", "host-b")
    thread = driven(move)
    until_copying(move)
    silence(board, "host-a")
    thread.join(90)
    holds(board, move, "host-b", State.UNCERTAIN, moves=1)
    silence(board, "host-a", on=False)
    driven(move, adopt).join(60)
    holds(board, move, "host-b", State.DONE, moves=1)


@pytest.mark.parametrize(
    "hosts",
    [
        pytest.param(GREEN_HOSTS, marks=pytest.mark.fault("F26", oracle=ORACLE)),
        pytest.param((*GREEN_HOSTS, *BLUE_HOSTS), marks=pytest.mark.fault("F27", oracle=ORACLE)),
    ],
)
def test_pools_that_xenweb_cannot_ask_bring_a_move_between_them_to_its_end_without_us(
    board: Board, hosts: tuple[str, ...]
) -> None:
    board.pools.do("set", link=SLOW)
    move = across(board)
    thread = driven(move)
    until_copying(move)
    silence(board, *hosts)
    thread.join(90)
    assert state(move) == State.UNCERTAIN, "of a silent source nothing is proven"
    until(lambda: is_at(board, "host-d"))
    silence(board, *hosts, on=False)
    driven(move, adopt).join(60)
    assert state(move) == State.DONE
    assert record_of(board)["pool"] == "blue"
    assert record_of(board)["power_state"] == "Running"


def fills(board: Board) -> None:
    field(board, "SR", identity("host-a local"), "physical_utilisation", 100 * GIB)


def detaches(board: Board) -> None:
    target = host_ref(board, "host-b")
    for pbd in tell(board, "SR", identity("green shared"))["PBDs"]:  # type: ignore[attr-defined]
        if tell(board, "PBD", pbd)["host"] == target:
            field(board, "PBD", pbd, "currently_attached", value=False)


def takes_memory(board: Board) -> None:
    metrics = str(tell(board, "host", "host-b")["metrics"])
    field(board, "host_metrics", metrics, "memory_total", GIB // 2)


def takes_features(board: Board) -> None:
    cpu = {"vendor": "GenuineIntel", "cpu_count": "4", "features_hvm": "1fcbfbff-80b82221-2993fbff-00000400"}
    field(board, "host", "host-b", "cpu_info", cpu)


def takes_the_network(board: Board) -> None:
    target, network = host_ref(board, "host-b"), identity("green net")
    pifs = tell(board, "network", network)["PIFs"]
    kept = [pif for pif in pifs if tell(board, "PIF", pif)["host"] != target]  # type: ignore[attr-defined]
    field(board, "network", network, "PIFs", kept)


LACKS = [
    pytest.param(fills, "ledger", "host-a", "storage_full", marks=pytest.mark.fault("F28", oracle=ORACLE)),
    pytest.param(detaches, "shop-db", "host-b", "disk_not_there", marks=pytest.mark.fault("F28", oracle=ORACLE)),
    pytest.param(
        takes_memory, "web-1", "host-b", "host_not_enough_free_memory", marks=pytest.mark.fault("F29", oracle=ORACLE)
    ),
    pytest.param(
        takes_features,
        "web-1",
        "host-b",
        "vm_incompatible_with_this_host",
        marks=pytest.mark.fault("F29", oracle=ORACLE),
    ),
    pytest.param(
        takes_the_network, "web-1", "host-b", "network_missing", marks=pytest.mark.fault("F29", oracle=ORACLE)
    ),
]


@pytest.mark.fault("F39", oracle=ORACLE)
@pytest.mark.parametrize(("lose", "vm", "host", "code"), LACKS)
def test_what_a_target_has_lost_since_it_was_asked_is_found_before_the_call(
    board: Board, lose: Callable[[Board], None], vm: str, host: str, code: str
) -> None:
    source = board.pools.do("residence", vm=vm)
    move = board.ask(vm, host)
    lose(board)
    driven(move).join(60)
    move.refresh_from_db()
    assert (move.state, move.call_intended_at) == (State.FAILED, None), move.failure_sentence
    assert is_at(board, source, vm)
    assert record_of(board, vm)["power_state"] == "Running"
    assert move.failure_code == code


@pytest.mark.fault("F28", oracle=ORACLE)
def test_storage_that_fills_up_in_mid_copy_leaves_the_vm_and_its_disk_where_they_were(board: Board) -> None:
    board.pools.do("set", link=SLOW)
    move = board.ask("ledger", "host-a")
    thread = driven(move)
    until(lambda: state(move) == State.COPYING_STORAGE)
    fills(board)
    thread.join(60)
    move.refresh_from_db()
    assert move.state == State.FAILED, (move.failure_code, move.failure_sentence)
    assert move.failure_own_words is not None
    assert move.failure_own_words["code"] == "SR_BACKEND_FAILURE_44"
    assert is_at(board, "host-b", "ledger")
    assert record_of(board, "ledger")["power_state"] == "Running"
    assert "ledger 0" in board.pools.do("disks", host="host-b")
    assert "ledger 0" not in board.pools.do("disks", host="host-a")
    assert LeftoverDisk.objects.count() == 0


@pytest.mark.fault("F29", oracle=ORACLE)
@pytest.mark.parametrize("lose", [takes_memory, takes_the_network])
def test_what_a_target_is_known_to_lack_is_refused_when_it_is_asked(
    board: Board, lose: Callable[[Board], None]
) -> None:
    lose(board)
    board.look()
    with pytest.raises(NotPlaceableError):
        board.ask("web-1", "host-b")
    assert is_at(board, "host-a")
    assert Migration.objects.count() == 0


@pytest.mark.fault("F30", oracle=ORACLE)
def test_a_vm_that_changes_faster_than_it_is_copied_arrives_by_the_rule_of_its_pool_alone(board: Board) -> None:
    """XAPI has no lever for it: the pool stops the VM after so many passes, and nobody is told how long it stood."""
    levers = {Capability.AUTO_CONVERGE, Capability.DOWNTIME_LIMIT, Capability.PAUSE_AND_FINISH, Capability.POST_COPY}
    assert not driver_for("xapi").capabilities & levers
    board.pools.do("set", link=15.0 * 2**20)  # it changes more than that
    move = board.ask("hot-db", "host-b")
    driven(move).join(90)
    move.refresh_from_db()
    assert move.state == State.DONE, (move.failure_code, move.failure_sentence)
    assert move.downtime is None, "no pause is made up"
    assert is_at(board, "host-b", "hot-db")
    assert record_of(board, "hot-db")["power_state"] == "Running"


@pytest.mark.fault("F38", oracle=ORACLE)
def test_a_uuid_that_is_taken_in_the_other_pool_is_found_before_the_call(board: Board) -> None:
    move = across(board)
    field(board, "VM", "blue-old", "uuid", identity("web-1"))
    driven(move).join(60)
    move.refresh_from_db()
    assert (move.state, move.failure_code) == (State.FAILED, "uuid_taken"), move.failure_sentence
    assert move.call_intended_at is None
    assert record_of(board)["pool"] == "green"
    holds(board, move, "host-a", State.FAILED, moves=0)
