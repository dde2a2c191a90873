"""The maps of a move: every disk and every card told, those of snapshots too, and nothing guessed."""

from dataclasses import replace

import pytest

from xenweb.core.quantities import Bytes
from xenweb.drivers.contract import CopiedDisk, Endpoint, MigrationPlan, MovedCard, MoveOptions, MoveRefusedError
from xenweb.drivers.xapi_driver.homes import Tables, repository_path
from xenweb.drivers.xapi_driver.maps import End, disk_map, migration_network, missing_networks, network_map
from xenweb.drivers.xapi_driver.pools import Pool
from xenweb.drivers.xapi_driver.records import Record, record_of
from xenweb.drivers.xapi_driver.transport import PinnedTransport
from xenweb.drivers.xapi_driver.view import CLASSES

HERE, THERE = Endpoint(1, "alpha", "xapi://root@alpha/"), Endpoint(2, "beta", "xapi://root@beta/")


def tables(host: str, *, networks: tuple[str, ...] = ("lan",), repositories: tuple[str, ...] = ("local",)) -> Tables:
    """Build the records of a pool of one host."""
    found: Tables = {kind: {} for kind in CLASSES}

    def add(kind: str, ref: str, **said: object) -> None:
        found[kind][ref] = record_of(kind, ref, said)  # type: ignore[arg-type]

    add("host", host, uuid=host, name_label=host)
    for name in networks:
        add("network", f"{host} {name}", name_label=name, PIFs=[f"{host} {name} pif"])
        add(
            "PIF",
            f"{host} {name} pif",
            host=host,
            network=f"{host} {name}",
            IP=f"192.0.2.{len(found['PIF'])}",
            management=name == "lan",
        )
    for number, name in enumerate(repositories):
        sr = f"{host} sr{number}"
        add("SR", sr, uuid=f"{host}-{number}", name_label=name, PBDs=[f"{sr} pbd"])
        add("PBD", f"{sr} pbd", host=host, SR=sr, currently_attached=True)
    add("VDI", "root", uuid="root-uuid", SR=f"{host} sr0")
    add("VBD", "vbd", VDI="root", type="Disk", device="xvda", empty=False)
    add("VBD", "cd", VDI="OpaqueRef:NULL", type="CD", device="xvdd", empty=True)
    add("VIF", "card", network=f"{host} lan", device="0", MAC="02:01")
    add("VIF", "old card", network=f"{host} {networks[-1]}", device="0", MAC="02:02")
    add("VM", "snap", is_a_snapshot=True, VIFs=["old card"])
    add("VM", "vm", name_label="web-1", VBDs=["vbd", "cd"], VIFs=["card"], snapshots=["snap"])
    return found


def end(host: str, pool: Pool, **more: tuple[str, ...]) -> End:
    said = tables(host, **more)
    return End(pool, said, said["host"][host])


def a_pool() -> Pool:
    return Pool(PinnedTransport("nowhere", 1, frozenset()), "root", "")


def planned(*disks: CopiedDisk, cards: tuple[MovedCard, ...] = ()) -> MigrationPlan:
    return MigrationPlan("m", "uuid", "web-1", HERE, THERE, MoveOptions(), copied_disks=disks, cards=cards)


def vm(source: End) -> Record:
    return source.tables["VM"]["vm"]


ROOT = CopiedDisk("xvda", "/local/root-uuid", Bytes(1))


def test_a_disk_goes_to_the_repository_of_the_same_name_and_a_cd_nowhere() -> None:
    source, target = end("alpha", a_pool()), end("beta", a_pool(), repositories=("other", "local"))
    assert disk_map(planned(ROOT), vm(source), source, target) == {"root": "beta sr1"}


def test_a_disk_goes_to_the_repository_that_was_chosen_and_to_no_other() -> None:
    source, target = end("alpha", a_pool()), end("beta", a_pool(), repositories=("other", "local"))
    chosen = replace(ROOT, repository="beta-0")
    assert disk_map(planned(chosen), vm(source), source, target) == {"root": "beta sr0"}
    with pytest.raises(MoveRefusedError, match=r"beta has no storage repository for disk xvda"):
        disk_map(planned(replace(ROOT, repository="gamma-0")), vm(source), source, target)


def test_a_card_goes_to_the_network_that_was_chosen_and_those_of_its_snapshots_with_it() -> None:
    chosen = planned(cards=(MovedCard("0", "02:01", "storage"),))
    source, target = end("alpha", a_pool()), end("beta", a_pool(), networks=("lan", "storage"))
    assert network_map(chosen, vm(source), source, target) == {"card": "beta storage", "old card": "beta storage"}
    assert list(missing_networks(chosen, vm(source), source, end("gamma", a_pool()))) == ["storage"]
    assert list(missing_networks(chosen, vm(source), source, target)) == []


def test_of_two_networks_of_one_name_none_is_guessed() -> None:
    source, target = end("alpha", a_pool()), end("beta", a_pool(), networks=("lan", "storage"))
    target.tables["network"]["beta storage"].said["name_label"] = "lan"
    with pytest.raises(MoveRefusedError, match=r"beta has 2 networks called lan"):
        network_map(planned(), vm(source), source, target)


def test_a_disk_without_a_place_is_refused_by_its_name() -> None:
    source, target = end("alpha", a_pool()), end("beta", a_pool(), repositories=("other",))
    with pytest.raises(MoveRefusedError, match=r"beta has no storage repository for disk xvda"):
        disk_map(planned(ROOT), vm(source), source, target)
    with pytest.raises(MoveRefusedError, match=r"Disk xvda of web-1 is not on storage that beta reaches"):
        disk_map(planned(), vm(source), source, target)


def test_two_repositories_of_one_name_are_told_apart() -> None:
    both = tables("beta", repositories=("local", "local"))
    paths = [repository_path(both, "beta", sr) for sr in both["SR"].values()]
    assert paths == ["/local~beta-0", "/local~beta-1"]


def test_every_card_is_told_and_those_of_snapshots_too() -> None:
    names = ("lan", "storage")
    source, target = end("alpha", a_pool(), networks=names), end("beta", a_pool(), networks=names)
    assert network_map(planned(), vm(source), source, target) == {"card": "beta lan", "old card": "beta storage"}


def test_a_card_without_a_network_is_refused_and_within_a_pool_no_card_is_told() -> None:
    source, target = end("alpha", a_pool(), networks=("lan", "storage")), end("beta", a_pool())
    with pytest.raises(MoveRefusedError, match=r"beta has no network storage"):
        network_map(planned(), vm(source), source, target)
    pool = a_pool()
    assert network_map(planned(), vm(source), end("alpha", pool), end("beta", pool)) == {}


def test_a_move_comes_in_on_the_network_of_its_address_or_of_management() -> None:
    target = end("beta", a_pool(), networks=("lan", "storage"))
    assert migration_network(target, "") == "beta lan"
    assert migration_network(target, "192.0.2.1") == "beta storage"
    with pytest.raises(MoveRefusedError):
        migration_network(target, "192.0.2.9")
