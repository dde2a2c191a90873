"""Looks at large hosts: what is as it was costs a comparison, what is new is written in few statements, together."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.utils import timezone

from tests.board import Board
from tests.scripted import snapshot_host, snapshot_vm
from xenweb.audit.models import AuditRecord
from xenweb.drivers.contract import VmSnapshot
from xenweb.inventory import sync
from xenweb.inventory.models import Host, VirtualMachine, VmSighting
from xenweb.inventory.sync import HostReading, reading_apply
from xenweb.realtime.selectors import events_since, head
from xenweb.worker.watcher import LOOK_EVERY, MOST_ALL, Seen


def uuid(number: int) -> str:
    return f"{number:08}-2222-4222-8222-222222222222"


def vms(count: int) -> tuple[VmSnapshot, ...]:
    return tuple(snapshot_vm(uuid(number)) for number in range(count))


def lay(
    host: Host, said: tuple[VmSnapshot, ...], only: frozenset[str] | None = None, at: datetime | None = None
) -> None:
    reading_apply(host.pk, HostReading(snapshot_host(host.name, said), at or timezone.now(), only=only))


@pytest.fixture
def source(board: Board) -> Host:
    """The first host, with nobody else's VM on it."""
    lay(board.source, vms(1))
    return board.source


@pytest.mark.parametrize("count", [10, 100])
def test_a_look_with_nothing_new_has_a_query_budget(source: Host, count: int, django_assert_max_num_queries) -> None:
    # A host is told again every 5 s, whatever it says: both looks lie between two such moments.
    period = sync.SAY_AGAIN_AFTER.total_seconds()
    first = datetime.fromtimestamp((timezone.now().timestamp() // period + 1) * period, UTC)
    lay(source, vms(count), at=first)
    with django_assert_max_num_queries(20):
        lay(source, vms(count), at=first + timedelta(seconds=2))


@pytest.mark.parametrize("count", [10, 100])
def test_newcomers_and_changes_have_a_query_budget(source: Host, count: int, django_assert_max_num_queries) -> None:
    with django_assert_max_num_queries(60):
        lay(source, vms(count))
    assert VirtualMachine.objects.filter(resident_on=source).count() == count
    with django_assert_max_num_queries(50):
        lay(source, tuple(replace(vm, name=f"new {vm.uuid}") for vm in vms(count)))
    assert VirtualMachine.objects.filter(name__startswith="new ").count() == count


def test_every_change_is_told_once_with_its_last_state(source: Host) -> None:
    lay(source, vms(5))
    before = head()
    lay(source, tuple(replace(vm, name="renamed") if vm.uuid == uuid(3) else vm for vm in vms(5)))
    told = [stored.event for stored in events_since(before) if stored.event.type == "vm_changed"]
    assert [event.vm.name for event in told] == ["renamed"]


def test_networks_that_alone_have_changed_are_kept(source: Host) -> None:
    lay(source, vms(1))
    lay(source, (replace(vms(1)[0], networks=("dmz",)),))
    assert VirtualMachine.objects.get(uuid=uuid(0)).networks == ["dmz"]


def test_a_look_at_some_leaves_the_others_alone_and_sees_who_has_left(source: Host) -> None:
    lay(source, vms(4))
    said = (replace(vms(4)[0], name="a"), replace(vms(4)[1], name="b"), vms(4)[2])
    lay(source, said, frozenset({uuid(0), uuid(3)}))
    rows = {row.uuid: (row.name, row.gone) for row in VirtualMachine.objects.filter(uuid__in=map(uuid, range(4)))}
    assert rows[uuid(0)] == ("a", False)
    assert rows[uuid(1)][0] != "b"
    assert rows[uuid(3)][1]


def test_a_host_is_said_to_have_been_looked_at_to_the_second(source: Host) -> None:
    lay(source, vms(2))
    long_ago = timezone.now() - timedelta(minutes=1)
    VmSighting.objects.filter(host=source).update(at=long_ago)
    lay(source, vms(2))
    assert all(
        sighting.at > timezone.now() - timedelta(seconds=5) for sighting in VmSighting.objects.filter(host=source)
    )


def test_a_vm_that_two_hosts_tell_of_in_one_turn_is_judged_from_both(board: Board, source: Host) -> None:
    lay(source, vms(3))
    lay(board.target, ())
    before, records = head(), AuditRecord.objects.filter(action="vm_outside_change").count()
    gone = sync.Look(source.pk, *_found(source, vms(2)), has_surroundings=False)
    come = sync.Look(board.target.pk, *_found(board.target, (vms(3)[2],)), has_surroundings=False)
    with sync.writing():
        sync._write([gone, come])
    row = VirtualMachine.objects.get(uuid=uuid(2))
    assert (row.resident_on_id, row.gone) == (board.target.pk, False)
    assert [stored.event.type for stored in events_since(before)].count("vm_changed") == 1
    assert "vm_removed" not in [stored.event.type for stored in events_since(before)]
    assert AuditRecord.objects.filter(action="vm_outside_change").count() == records + 1, "it moved, once"


def _found(host: Host, said: tuple[VmSnapshot, ...]):
    reading = HostReading(snapshot_host(host.name, said), timezone.now())
    row = sync._host(host.pk)
    assert row is not None
    return reading, sync.compare(row, reading)


@pytest.mark.django_db(transaction=True)
def test_looks_that_wait_for_their_turn_are_written_by_whoever_gets_it(board: Board) -> None:
    turns: list[int] = []
    real = sync._write

    def counted(looks) -> None:
        turns.append(len(looks))
        real(looks)

    def look(host: Host, said: tuple[VmSnapshot, ...]) -> None:
        try:
            lay(host, said)
        finally:
            connections.close_all()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sync, "_write", counted)
        with sync._TOGETHER._turn:
            hosts = (board.source, vms(2)), (board.target, tuple(snapshot_vm(uuid(9)) for _ in range(1)))
            threads = [threading.Thread(target=look, args=each) for each in hosts]
            for thread in threads:
                thread.start()
            while len(sync._TOGETHER._waiting) < 2:
                pass
        for thread in threads:
            thread.join(30)
    assert turns == [2]
    assert VirtualMachine.objects.get(uuid=uuid(9)).resident_on_id == board.target.pk
    assert VirtualMachine.objects.get(uuid=uuid(1)).resident_on_id == board.source.pk


def test_what_fails_fails_for_all_that_were_written_together(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(looks) -> None:
        raise ConnectionError

    monkeypatch.setattr(sync, "_write", fail)
    together = sync.Together()
    looks = [sync.Look(board.source.pk, *_found(board.source, vms(1)), has_surroundings=False) for _ in range(2)]
    together._waiting.append(looks[1])
    with pytest.raises(ConnectionError):
        together.write(looks[0])
    assert looks[1].is_written
    assert isinstance(looks[1].error, ConnectionError)


def test_between_two_looks_at_all_only_what_has_changed_is_laid_over_the_rows() -> None:
    seen = Seen()

    def reading(*said: VmSnapshot) -> HostReading:
        return HostReading(snapshot_host("host-a", said), timezone.now())

    first = seen.narrowed(reading(*vms(3)), 100.0)
    assert first.only is None, "the first look is at all"
    seen.keep(first, 100.0, 0.01)
    busy = replace(vms(3)[0], cpu_time=5)
    assert seen.narrowed(reading(busy, *vms(3)[1:]), 100.1).only == frozenset(), "a running counter is no change"
    changed = seen.narrowed(reading(replace(vms(3)[0], name="x"), vms(3)[1]), 100.2)
    assert changed.only == {uuid(0), uuid(2)}, "who was renamed, and who has left"
    seen.keep(changed, 100.2, 5.0)
    assert seen.narrowed(reading(replace(vms(3)[0], name="x"), vms(3)[1]), 100.3).only == frozenset()
    again = seen.narrowed(reading(), 100.0 + LOOK_EVERY)
    assert again.only is None
    seen.keep(again, 110.0, 0.1)
    assert seen.narrowed(reading(), 110.0 + 3.9).only == frozenset(), "what takes long is done less often"
    assert seen.narrowed(reading(), 110.0 + 4.1).only is None
    seen.keep(again, 120.0, 60.0)
    assert seen.narrowed(reading(), 120.0 + MOST_ALL).only is None, "but never more seldom than that"
