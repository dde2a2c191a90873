"""The way out of a doubt that no host will ever settle: an administrator's word, recorded."""

import json

import pytest
from django.utils import timezone

from tests.board import Board
from tests.livemigration.test_drive import asked
from xenweb.accounts.policy import Actor
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import Copy, State
from xenweb.livemigration.closing import migration_close
from xenweb.livemigration.drive import adopt
from xenweb.livemigration.errors import CloseRefusedError, MigrationNotFoundError, MoveForbiddenError
from xenweb.livemigration.holding import held_volume_settle, held_volumes_due
from xenweb.livemigration.models import HeldVolume, LeftoverDisk, Migration
from xenweb.livemigration.selectors import leftover_disks_for, migration_for, takes_part
from xenweb.livemigration.transitions import lease_take, migration_row
from xenweb.livemigration.wiring import migration_wire


@pytest.fixture
def doubted(board: Board) -> Migration:
    """A called move whose source died."""
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(state=State.PRE_COPY, call_intended_at=timezone.now())
    board.driver.copies[("host-a", board.vm.uuid)] = Copy.NO_ANSWER
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert row.state == State.UNCERTAIN
    return row


def closings() -> list[tuple[str, str]]:
    return list(AuditRecord.objects.filter(action="migration_close").values_list("actor", "outcome"))


def test_an_administrator_closes_a_doubt_with_a_reason_and_frees_vm_and_hosts(board: Board, doubted: Migration) -> None:
    shown = migration_close(board.admin, doubted.pk, " The host burnt. ")
    assert (shown.state, shown.failure_code) == (State.FAILED, "closed_as_unknown")
    assert shown.failure_sentence == ("admin closed this move without a proof of where the VM runs: The host burnt.")
    board.vm.refresh_from_db()
    assert (board.vm.moving_as, board.vm.resident_on_id) == ("", board.source.pk), "nothing new is claimed"
    assert not takes_part(board.source.pk)
    assert closings() == [("admin", "allowed")]
    facts = json.loads(AuditRecord.objects.get(action="migration_close").facts)
    assert (facts["said"], facts["doubt"]) == ("The host burnt.", doubted.failure_sentence)
    outcome = AuditRecord.objects.filter(action="migration_outcome").order_by("-sequence")[0]
    assert (outcome.actor, outcome.outcome) == ("admin", "failed")


def test_whoever_drives_it_meanwhile_stops_without_a_word(board: Board, doubted: Migration) -> None:
    assert lease_take(doubted.pk, "reconciler") is not None
    migration_close(board.admin, doubted.pk, "The host burnt.")
    adopt(doubted.pk, "reconciler")
    doubted.refresh_from_db()
    assert (doubted.state, doubted.failure_code) == (State.FAILED, "closed_as_unknown")


def test_only_administrators_are_offered_it_and_may(board: Board, doubted: Migration) -> None:
    seen = {who: migration_for(getattr(board, who), doubted.pk).closable for who in ("admin", "lead", "auditor")}
    assert seen == {"admin": True, "lead": False, "auditor": False}
    for who in (board.lead, board.auditor):
        with pytest.raises(MoveForbiddenError):
            migration_close(who, doubted.pk, "It takes too long.")
    with pytest.raises(MigrationNotFoundError):
        migration_close(board.stranger, doubted.pk, "It takes too long.")
    assert closings() == [("lead-shop", "refused"), ("auditor", "refused"), (board.stranger.username, "refused")]
    doubted.refresh_from_db()
    assert doubted.state == State.UNCERTAIN


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_without_a_reason_that_can_be_kept_it_stays_open(board: Board, doubted: Migration, reason: str) -> None:
    with pytest.raises(CloseRefusedError, match="reason"):
        migration_close(board.admin, doubted.pk, reason)
    assert closings() == [("admin", "refused")]


@pytest.mark.parametrize("state", [State.QUEUED, State.PRE_COPY, State.VERIFYING])
def test_a_move_that_its_hosts_will_end_is_not_closed(board: Board, state: State) -> None:
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(state=state)
    actor: Actor = board.admin
    assert not migration_for(actor, row.pk).closable
    with pytest.raises(CloseRefusedError, match="cannot be closed"):
        migration_close(actor, row.pk, "It takes too long.")
    assert closings() == [("admin", "refused")]


@pytest.fixture
def with_volumes(board: Board, doubted: Migration) -> Migration:
    """The doubt was of a move that had activated one volume at the target, and found another active there."""
    volumes = [{"path": "/dev/sr1/web01", "was_active": False}, {"path": "/dev/sr1/data", "was_active": True}]
    Migration.objects.filter(pk=doubted.pk).update(volumes=volumes)
    migration_close(board.admin, doubted.pk, "The host burnt.")
    return doubted


def held(row: Migration) -> set[tuple[str, str]]:
    return {(each.host_name, each.path) for each in migration_wire(migration_row(row.pk)).held_volumes}


def settle() -> None:
    HeldVolume.objects.update(tried_at=None)
    for each in held_volumes_due(timezone.now()):
        held_volume_settle(each)


def test_a_closed_move_lists_its_volumes_and_lets_none_go_while_a_host_is_silent(
    board: Board, with_volumes: Migration
) -> None:
    listed = {("host-a", "/dev/sr1/web01"), ("host-a", "/dev/sr1/data"), ("host-b", "/dev/sr1/web01")}
    assert held(with_volumes) == listed
    settle()
    assert (held(with_volumes), board.driver.released) == (listed, [])
    refusals = [each.refusal for each in migration_wire(migration_row(with_volumes.pk)).held_volumes]
    assert all("host-a does not" in (each or "") for each in refusals)


AT_SOURCE = [("host-a", "/dev/sr1/data"), ("host-a", "/dev/sr1/web01")]
AT_TARGET = [("host-b", "/dev/sr1/web01")]


@pytest.mark.parametrize(
    ("here", "there", "released"),
    [
        (Copy.ABSENT, Copy.RUNNING, AT_SOURCE),
        (Copy.ABSENT, Copy.INACTIVE, AT_SOURCE),
        (Copy.INACTIVE, Copy.RUNNING, AT_SOURCE),
        (Copy.RUNNING, Copy.ABSENT, AT_TARGET),
        (Copy.INACTIVE, Copy.ABSENT, AT_TARGET),
    ],
)
def test_once_exactly_one_host_proves_to_have_the_vm_the_other_lets_its_volumes_go(
    board: Board, with_volumes: Migration, here: Copy, there: Copy, released: list[tuple[str, str]]
) -> None:
    board.driver.copies |= {("host-a", board.vm.uuid): here, ("host-b", board.vm.uuid): there}
    settle()
    assert sorted(board.driver.released) == released
    assert held(with_volumes) == set()


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (Copy.ABSENT, Copy.ABSENT),
        (Copy.INACTIVE, Copy.INACTIVE),
        (Copy.RUNNING, Copy.RUNNING),
        (Copy.PAUSED, Copy.RUNNING),
        (Copy.RUNNING, Copy.INCOMING),
    ],
)
def test_where_both_or_neither_have_the_vm_every_volume_stays(
    board: Board, with_volumes: Migration, here: Copy, there: Copy
) -> None:
    board.driver.copies |= {("host-a", board.vm.uuid): here, ("host-b", board.vm.uuid): there}
    settle()
    assert (board.driver.released, len(held(with_volumes))) == ([], 3)


def test_a_closed_move_lists_both_copies_of_a_disk_and_never_the_one_where_the_vm_is(
    board: Board, doubted: Migration
) -> None:
    copied = [{"device": "vda", "path": "/srv/local/vm.img", "capacity": 32}]
    Migration.objects.filter(pk=doubted.pk).update(copied_disks=copied)
    migration_close(board.admin, doubted.pk, "The host burnt.")
    assert set(LeftoverDisk.objects.values_list("host__name", "partial")) == {("host-a", False), ("host-b", True)}
    for host, shown in ((board.source, "host-b"), (board.target, "host-a")):
        board.vm.resident_on = host
        board.vm.save()
        assert [each.host_name for each in leftover_disks_for(board.admin)] == [shown]
        assert [each.host_name for each in migration_for(board.admin, doubted.pk).leftover_disks] == [shown]
