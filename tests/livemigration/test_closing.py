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
from xenweb.livemigration.models import Migration
from xenweb.livemigration.selectors import migration_for, takes_part
from xenweb.livemigration.transitions import lease_take


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
