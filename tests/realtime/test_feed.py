"""The feed: numbered without a gap, and a snapshot with its events is a fresh snapshot."""

from dataclasses import dataclass, field

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.board import VM_UUID, Board
from xenweb.accounts.policy import Action, Actor, decide
from xenweb.accounts.services import team_create
from xenweb.core.migration import Copy, State
from xenweb.core.refusal import RefusalError
from xenweb.drivers.contract import MoveOptions
from xenweb.inventory.selectors import hosts_for, storage_repositories_for, vm_ids_for, vms_for
from xenweb.inventory.services import vm_assign_team
from xenweb.inventory.sync import host_unreachable
from xenweb.livemigration.models import Migration
from xenweb.livemigration.selectors import migrations_for
from xenweb.livemigration.services import migration_cancel, migration_request
from xenweb.livemigration.transitions import Place, state_change
from xenweb.realtime.events import (
    HostChanged,
    HostRemoved,
    MigrationChanged,
    StorageRepositoryChanged,
    VmChanged,
    VmRemoved,
)
from xenweb.realtime.models import StoredEvent
from xenweb.realtime.publish import prune, publish
from xenweb.realtime.selectors import events_since, head, oldest
from xenweb.realtime.wire import HostWire, MigrationWire, StorageRepositoryWire, VmWire


@dataclass
class View:
    """What one reader's screen holds."""

    hosts: dict[int, HostWire] = field(default_factory=dict)
    vms: dict[int, VmWire] = field(default_factory=dict)
    storage: dict[int, StorageRepositoryWire] = field(default_factory=dict)
    migrations: dict[str, MigrationWire] = field(default_factory=dict)

    @classmethod
    def fresh(cls, actor: Actor) -> "View":
        """Read the snapshot that this person would get."""
        return cls(
            {host.id: host for host in hosts_for(actor)},
            {vm.id: vm for vm in vms_for(actor)},
            {row.id: row for row in storage_repositories_for(actor)},
            {row.id: row for row in migrations_for(actor, limit=200)[0]},
        )

    def lay(self, actor: Actor, sequence: int, seen: set[int]) -> None:
        """Lay all events since a sequence over this view, by the rule of the socket."""
        for stored in events_since(sequence, 100_000):
            event = stored.event
            if not stored.public and not decide(actor, Action.VIEW_VM, stored.team).allowed:
                if isinstance(event, VmChanged) and event.vm.id in seen:
                    self.vms.pop(event.vm.id, None)
                continue
            may_move = decide(actor, Action.MOVE_VM, stored.team).allowed
            match event:
                case HostChanged():
                    self.hosts[event.host.id] = event.host
                case HostRemoved():
                    self.hosts.pop(event.host_id, None)
                case VmChanged():
                    seen.add(event.vm.id)
                    self.vms[event.vm.id] = event.vm.model_copy(update={"may_move": may_move})
                case VmRemoved():
                    self.vms.pop(event.vm_id, None)
                case StorageRepositoryChanged():
                    self.storage[event.storage_repository.id] = event.storage_repository
                case MigrationChanged():
                    cancellable = event.migration.cancellable and may_move
                    personal = event.migration.model_copy(update={"cancellable": cancellable})
                    self.migrations[event.migration.id] = personal

    def comparable(self) -> dict[str, object]:
        """Leave out the ages of facts, which are told every few seconds and not with each look."""
        return {
            "hosts": {key: host.model_copy(update={"as_of": None}) for key, host in self.hosts.items()},
            "vms": {key: vm.model_copy(update={"as_of": None}) for key, vm in self.vms.items()},
            "storage": self.storage,
            "migrations": self.migrations,
        }


def _look(board: Board, copy: Copy) -> None:
    board.driver.copies[("host-a", VM_UUID)] = copy
    board.look()


def _other_vm(board: Board, copy: Copy) -> None:
    board.driver.copies[("host-b", "22222222-2222-4222-8222-222222222222")] = copy
    board.look()


def _forget(board: Board, _copy: Copy) -> None:
    board.driver.copies.pop(("host-b", "22222222-2222-4222-8222-222222222222"), None)
    board.look()


def _silence(board: Board, copy: Copy) -> None:
    host_unreachable(board.target.pk, f"It says {copy}.")


def _move(board: Board, _copy: Copy) -> None:
    with_options = {"options": MoveOptions()}
    try:
        migration_request(board.lead, vm=VM_UUID, target=str(board.target.pk), **with_options)
    except RefusalError:
        return


def _cancel(board: Board, _copy: Copy) -> None:
    row = Migration.objects.filter(state=State.QUEUED).first()
    if row is not None:
        migration_cancel(board.lead, row.pk)


def _finish(board: Board, _copy: Copy) -> None:
    row = Migration.objects.filter(state=State.QUEUED).first()
    if row is None:
        return
    for seen, following in (
        (State.QUEUED, State.CHECKING),
        (State.CHECKING, State.PREPARING),
        (State.PREPARING, State.VERIFYING),
    ):
        state_change(row.pk, seen, following)
    state_change(
        row.pk, State.VERIFYING, State.DONE, place=Place(row.target_id, row.source_id), figures={"downtime": 12}
    )


STEPS = st.lists(
    st.tuples(
        st.sampled_from([_look, _other_vm, _forget, _silence, _move, _cancel, _finish]),
        st.sampled_from([Copy.RUNNING, Copy.PAUSED, Copy.INACTIVE]),
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=STEPS, after=STEPS)
@pytest.mark.django_db
def test_snapshot_and_events_make_a_fresh_snapshot_for_every_reader(board: Board, before, after) -> None:  # type: ignore[no-untyped-def]
    board.driver.copies = {("host-a", VM_UUID): Copy.RUNNING}
    with transaction.atomic():
        for step, copy in before:
            step(board, copy)
        readers = (board.admin, board.lead, board.stranger, board.auditor)
        sequence = head()
        views = [(reader, View.fresh(reader), vm_ids_for(reader)) for reader in readers]
        for step, copy in after:
            step(board, copy)
        for reader, view, seen in views:
            view.lay(reader, sequence, seen)
            assert view.comparable() == View.fresh(reader).comparable()
        transaction.set_rollback(True)


def test_sequences_have_no_gap(board: Board) -> None:
    _look(board, Copy.PAUSED)
    _move(board, Copy.RUNNING)
    sequences = list(StoredEvent.objects.values_list("sequence", flat=True))
    assert sequences == list(range(1, head() + 1))


def test_what_is_rolled_back_leaves_no_gap(board: Board) -> None:
    del board
    before = head()
    with transaction.atomic():
        publish(HostRemoved(host_id=1), public=True)
        transaction.set_rollback(True)
    assert head() == before
    assert publish(HostRemoved(host_id=1), public=True) == before + 1


def test_a_lead_of_another_team_reads_nothing_of_a_foreign_vm(board: Board) -> None:
    before = head()
    view = View.fresh(board.stranger)
    _move(board, Copy.RUNNING)
    vm_assign_team(VM_UUID, team_create("Shop"))
    view.lay(board.stranger, before, set())
    assert view.vms == {}
    assert view.migrations == {}


def test_pruning_keeps_the_newest_and_says_what_is_oldest(board: Board) -> None:
    _look(board, Copy.PAUSED)
    prune(keep=2)
    assert oldest() == head() - 1
    assert len(events_since(0)) == 2
