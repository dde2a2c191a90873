"""The convergence desk: each choice is permitted, recorded and carried out, or refused with its reason."""

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connections
from django.db.models import F
from django.utils import timezone

from tests.board import Board
from tests.livemigration.test_drive import asked, copying, in_a_thread, outcomes, until
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import Copy, Repair, State
from xenweb.drivers.contract import (
    CopyAction,
    Endpoint,
    Lever,
    MoveCancelledError,
    MoveOptions,
    NotSupportedError,
    VmSighting,
)
from xenweb.livemigration import choices, desk, watching
from xenweb.livemigration.choices import choice_request
from xenweb.livemigration.desk import Desk
from xenweb.livemigration.drive import adopt, drive
from xenweb.livemigration.errors import ChoiceRefusedError, MoveForbiddenError, OptionRefusedError
from xenweb.livemigration.models import Migration, MigrationChoice
from xenweb.livemigration.selectors import migration_for
from xenweb.livemigration.services import migration_cancel, migration_request, overdue_cancel


@pytest.fixture
def copying_move(board: Board) -> tuple[Migration, threading.Thread]:
    """A move in its second pass, watched in a thread."""
    board.driver.progresses = [copying(1, 40, 24), copying(2, 20, 64)]
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: Migration.objects.get(pk=row.pk).state == State.PRE_COPY)
    return row, thread


def ended(board: Board, thread: threading.Thread) -> None:
    """Let the move end on its target."""
    board.driver.on_call = board.driver.moves_to_target
    board.driver.let_go.set()
    thread.join(10)


def offered(board: Board, row: Migration) -> set[str]:
    return {offer.kind for offer in migration_for(board.admin, row.pk).offers}


def test_a_choice_is_carried_out_recorded_and_shown(
    board: Board, copying_move: tuple[Migration, threading.Thread]
) -> None:
    row, thread = copying_move
    choice_request(board.lead, row.pk, "bandwidth", 64 * 1024 * 1024)
    until(lambda: board.driver.changes == [(row.pk, Lever.BANDWIDTH, 64 * 1024 * 1024)])
    until(lambda: migration_for(board.admin, row.pk).choices[0].applied_at is not None)
    assert migration_for(board.admin, row.pk).options["bandwidth_limit"] == 64 * 1024 * 1024
    record = AuditRecord.objects.get(action="migration_choice")
    assert (record.actor, record.outcome) == ("lead-shop", "allowed")
    ended(board, thread)


def test_what_was_chosen_last_is_answered_when_the_move_ends(
    board: Board, copying_move: tuple[Migration, threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    row, thread = copying_move
    monkeypatch.setattr(Desk, "pull_levers", lambda _desk: None)  # it was chosen after the last look at the choices
    choice_request(board.lead, row.pk, "bandwidth", 64 * 1024 * 1024)
    ended(board, thread)
    (choice,) = migration_for(board.admin, row.pk).choices
    assert (choice.applied_at, choice.refusal) == (None, "The move had ended.")


def test_a_choice_that_meets_the_end_of_the_move_is_refused_and_recorded(
    board: Board, copying_move: tuple[Migration, threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    row, thread = copying_move
    check = choices._check

    def slowly(*words: object) -> None:
        check(*words)  # type: ignore[arg-type]
        ended(board, thread)

    monkeypatch.setattr(choices, "_check", slowly)
    with pytest.raises(ChoiceRefusedError, match="had ended"):
        choice_request(board.lead, row.pk, "pause")
    assert not MigrationChoice.objects.exists()
    assert [record.outcome for record in AuditRecord.objects.filter(action="migration_choice")] == ["refused"]


def test_giving_up_is_no_choice_of_the_desk(board: Board, copying_move: tuple[Migration, threading.Thread]) -> None:
    row, thread = copying_move
    assert Lever.CANCEL not in offered(board, row)
    with pytest.raises(ChoiceRefusedError):
        choice_request(board.lead, row.pk, Lever.CANCEL)
    ended(board, thread)


def test_a_choice_that_the_hypervisor_refuses_says_so(
    board: Board, copying_move: tuple[Migration, threading.Thread]
) -> None:
    row, thread = copying_move
    board.driver.change_error = NotSupportedError("Not while it runs.")
    choice_request(board.admin, row.pk, "pause")
    until(lambda: migration_for(board.admin, row.pk).choices[0].refusal == "Not while it runs.")
    ended(board, thread)


def test_only_what_is_on_offer_can_be_chosen(board: Board, copying_move: tuple[Migration, threading.Thread]) -> None:
    row, thread = copying_move
    assert offered(board, row) == {"bandwidth", "downtime", "pause"}  # post-copy was not kept at hand
    for kind, value in (("post_copy", None), ("bandwidth", None), ("bandwidth", 1), ("pause", 5), ("nonsense", None)):
        with pytest.raises(ChoiceRefusedError):
            choice_request(board.admin, row.pk, kind, value)
    with pytest.raises(MoveForbiddenError):
        choice_request(board.auditor, row.pk, "pause")
    assert not MigrationChoice.objects.exists()
    assert AuditRecord.objects.filter(action="migration_choice", outcome="refused").count() == 6
    ended(board, thread)
    assert offered(board, row) == set()


def test_an_auditor_is_offered_nothing(board: Board, copying_move: tuple[Migration, threading.Thread]) -> None:
    row, thread = copying_move
    assert migration_for(board.auditor, row.pk).offers == []
    ended(board, thread)


def test_a_frozen_target_can_be_got_rid_of_after_the_move_was_given_up(
    board: Board, copying_move: tuple[Migration, threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "HELD_UP_AFTER", 0.1)
    row, thread = copying_move
    driver = board.driver
    driver.busy = True
    driver.copies[("host-b", board.vm.uuid)] = Copy.INCOMING
    migration_cancel(board.admin, row.pk)
    until(lambda: offered(board, row) == {"remove_target_copy"})
    assert migration_for(board.auditor, row.pk).held_up  # said to all who see it, offered to those who may
    choice_request(board.admin, row.pk, "remove_target_copy")
    until(lambda: driver.repairs == [("host-b", CopyAction.BREAK_OFF), ("host-b", CopyAction.REMOVE)])
    driver.error, driver.busy = MoveCancelledError("It was asked to."), False
    driver.let_go.set()
    thread.join(10)
    row.refresh_from_db()
    assert row.state == State.CANCELLED
    assert not migration_for(board.auditor, row.pk).held_up


def stands(board: Board, source: Copy, target: Copy) -> Migration:
    """A called move whose hosts say this; nobody drives it."""
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(state=State.PRE_COPY, call_intended_at=timezone.now())
    board.driver.copies[("host-a", board.vm.uuid)] = source
    board.driver.copies[("host-b", board.vm.uuid)] = target
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    return row


def test_a_vm_left_standing_at_the_source_goes_on_there_once_the_target_is_proven_empty(board: Board) -> None:
    row = stands(board, Copy.INCOMING, Copy.ABSENT)
    assert board.driver.repairs == [("host-a", CopyAction.RESUME)]
    assert row.state == State.FAILED
    assert "resume_source" in AuditRecord.objects.get(action="migration_repair").facts


def test_a_repair_that_keeps_failing_is_told_once_for_each_reason_and_when_it_is_done(board: Board) -> None:
    board.driver.repair_error = NotSupportedError("It is locked.")
    row = stands(board, Copy.INCOMING, Copy.ABSENT)
    adopt(row.pk, "reconciler")
    board.driver.repair_error = NotSupportedError("It is still being written.")
    for _ in range(2):
        adopt(row.pk, "reconciler")
    board.driver.repair_error = None
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert row.state == State.FAILED
    told = AuditRecord.objects.filter(action="migration_repair").order_by("sequence")
    assert list(told.values_list("outcome", "reason")) == [
        ("allowed", ""),
        ("failed", "It is locked."),
        ("failed", "It is still being written."),
        ("done", ""),
    ]


def test_a_copy_left_behind_is_removed_only_when_somebody_says_so(board: Board) -> None:
    row = stands(board, Copy.INCOMING, Copy.RUNNING)
    assert (row.state, board.driver.repairs) == (State.UNCERTAIN, [])
    assert offered(board, row) == {"remove_source_copy"}
    choice_request(board.admin, row.pk, "remove_source_copy")
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert board.driver.repairs == [("host-a", CopyAction.REMOVE)]
    assert row.state == State.DONE


def test_a_repair_is_not_done_if_the_hosts_no_longer_say_what_it_would_mend(board: Board) -> None:
    row = stands(board, Copy.INCOMING, Copy.RUNNING)
    choice_request(board.admin, row.pk, "remove_source_copy")
    board.driver.copies[("host-a", board.vm.uuid)] = Copy.RUNNING
    board.driver.copies[("host-b", board.vm.uuid)] = Copy.ABSENT
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert board.driver.repairs == []
    assert row.state == State.FAILED
    assert MigrationChoice.objects.get().refusal


def test_of_two_running_copies_a_person_chooses_which_to_pause(board: Board) -> None:
    row = stands(board, Copy.RUNNING, Copy.RUNNING)
    assert (row.state, row.failure_code) == (State.UNCERTAIN, "vm_runs_twice")
    assert offered(board, row) == {"pause_source", "pause_target"}
    choice_request(board.admin, row.pk, "pause_target")
    adopt(row.pk, "reconciler")
    assert board.driver.repairs == [("host-b", CopyAction.PAUSE)]


@pytest.mark.parametrize(
    ("chosen", "following", "host", "state"),
    [
        ("pause_target", "remove_paused_target", "host-b", State.FAILED),
        ("pause_source", "remove_paused_source", "host-a", State.DONE),
    ],
)
def test_the_copy_that_was_paused_can_be_removed_and_that_ends_the_move(
    board: Board, chosen: str, following: str, host: str, state: State
) -> None:
    row = stands(board, Copy.RUNNING, Copy.RUNNING)
    choice_request(board.admin, row.pk, chosen)
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert (row.state, row.failure_code) == (State.UNCERTAIN, "copy_set_aside")
    assert f"Its other copy, on {host}, is paused, as was chosen." in row.failure_sentence
    assert offered(board, row) == {following}
    choice_request(board.admin, row.pk, following)
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert board.driver.repairs == [(host, CopyAction.PAUSE), (host, CopyAction.REMOVE_PAUSED)]
    assert row.state == state


def test_a_paused_copy_that_nobody_chose_to_pause_is_not_offered_for_removal(board: Board) -> None:
    row = stands(board, Copy.RUNNING, Copy.PAUSED)
    assert (row.state, row.failure_code) == (State.UNCERTAIN, "place_unproven")
    assert offered(board, row) == set()


def test_a_proof_that_grew_old_while_the_repair_was_recorded_is_made_anew(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = stands(board, Copy.INCOMING, Copy.RUNNING)
    choice_request(board.admin, row.pk, "remove_source_copy")
    written = Desk._record

    def slowly(desk: Desk, repair: Repair, by: str, outcome: str, reason: str) -> None:
        written(desk, repair, by, outcome, reason)
        board.driver.copies[("host-b", board.vm.uuid)] = Copy.ABSENT  # the target lost it in the meantime

    monkeypatch.setattr(Desk, "_record", slowly)
    adopt(row.pk, "reconciler")
    assert (("host-a", CopyAction.REMOVE)) not in board.driver.repairs
    assert MigrationChoice.objects.get().refusal
    assert list(AuditRecord.objects.filter(action="migration_repair").values_list("outcome", flat=True))[:2] == [
        "allowed",
        "failed",
    ]


def slow_second_proof(board: Board, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Let something happen while the hosts answer for the last time before a repair."""
    written = Desk._record
    locate = board.driver.locate
    is_last = threading.Event()

    def recorded(desk: Desk, repair: Repair, by: str, outcome: str, reason: str) -> None:
        written(desk, repair, by, outcome, reason)
        if outcome == "allowed":
            is_last.set()

    def slowly(endpoint: Endpoint, vm_uuid: str) -> VmSighting:
        if is_last.is_set() and endpoint.name == "host-b":
            is_last.clear()
            meanwhile()
        return locate(endpoint, vm_uuid)

    monkeypatch.setattr(Desk, "_record", recorded)
    monkeypatch.setattr(board.driver, "locate", slowly, raising=False)


def test_who_lost_the_fence_while_the_hosts_answered_mends_nothing(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = stands(board, Copy.INCOMING, Copy.RUNNING)
    choice_request(board.admin, row.pk, "remove_source_copy")

    def lose() -> None:
        Migration.objects.filter(pk=row.pk).update(fence=F("fence") + 1, lease_owner="successor")
        connections.close_all()

    slow_second_proof(board, monkeypatch, lose)
    adopt(row.pk, "sleeper")
    assert board.driver.repairs == []
    assert MigrationChoice.objects.get().refusal == "", "it is the successor's to try"


def test_a_proof_that_took_too_long_mends_nothing(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "PROOF_HOLDS_FOR", 0.2)
    row = stands(board, Copy.INCOMING, Copy.RUNNING)
    choice_request(board.admin, row.pk, "remove_source_copy")
    slow_second_proof(board, monkeypatch, lambda: time.sleep(0.5))
    adopt(row.pk, "reconciler")
    assert board.driver.repairs == []
    assert "took too long" in MigrationChoice.objects.get().refusal


def test_a_move_that_turns_out_to_run_twice_after_a_doubt_alarms_and_is_recorded(board: Board) -> None:
    row = stands(board, Copy.NO_ANSWER, Copy.RUNNING)
    assert row.failure_code == "place_unproven"
    board.driver.copies[("host-a", board.vm.uuid)] = Copy.RUNNING
    for _ in range(2):
        adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert (row.state, row.failure_code) == (State.UNCERTAIN, "vm_runs_twice")
    assert board.driver.repairs == []  # nobody is paused unasked
    assert outcomes() == ["uncertain", "uncertain"]
    assert AuditRecord.objects.filter(reason__contains="Both hosts say").count() == 1


def test_of_two_running_copies_it_is_told_which_one_does_nothing(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PROVE_FOR", 5.0)
    board.driver.cpu_time = lambda host: time.monotonic_ns() if host == "host-a" else 7
    row = stands(board, Copy.RUNNING, Copy.RUNNING)
    assert row.failure_code == "vm_runs_twice"
    assert "The copy on host-b has not used its CPUs for a second." in row.failure_sentence
    assert "host-a has not" not in row.failure_sentence


@pytest.mark.parametrize(("ticks", "grows"), [(True, True), (False, False)])
def test_an_adopted_move_notes_whether_the_vm_uses_its_cpus_and_takes_it_for_no_proof(
    board: Board, monkeypatch: pytest.MonkeyPatch, ticks: bool, grows: bool
) -> None:
    monkeypatch.setattr(watching, "PROVE_FOR", 5.0)
    board.driver.cpu_time = lambda host: None if host == "host-a" else time.monotonic_ns() if ticks else 7
    row = stands(board, Copy.ABSENT, Copy.RUNNING)
    assert row.state == State.DONE
    facts = json.loads(AuditRecord.objects.get(action="migration_outcome").facts)
    assert (facts["cpu_time_grows_at_source"], facts["cpu_time_grows_at_target"]) == (None, grows)


def test_a_vm_that_was_paused_to_finish_and_given_up_goes_on_at_the_source(board: Board) -> None:
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(
        state=State.CANCELLING, call_intended_at=timezone.now(), cancel_requested_at=timezone.now()
    )
    MigrationChoice.objects.create(
        migration=row, kind="pause", asked_by="admin", asked_at=timezone.now(), applied_at=timezone.now()
    )
    board.driver.copies[("host-a", board.vm.uuid)] = Copy.PAUSED
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert board.driver.repairs == [("host-a", CopyAction.RESUME)]
    assert row.state == State.CANCELLED


def test_a_move_past_its_deadline_is_given_up(board: Board, copying_move: tuple[Migration, threading.Thread]) -> None:
    row, thread = copying_move
    driver = board.driver
    Migration.objects.filter(pk=row.pk).update(deadline=timezone.now() - timedelta(seconds=1))
    driver.error = MoveCancelledError("It was asked to.")
    driver.on_cancel = lambda plan: driver.let_go.set()
    overdue_cancel(timezone.now())
    thread.join(10)
    assert outcomes() == ["cancelled"]
    assert AuditRecord.objects.get(action="migration_cancel").actor == "deadline"


def test_a_queued_move_past_its_deadline_ends_without_a_call(board: Board) -> None:
    wire = migration_request(
        board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=MoveOptions(), deadline_s=60
    )
    overdue_cancel(timezone.now() + timedelta(seconds=59))
    assert Migration.objects.get(pk=wire.id).state == State.QUEUED
    overdue_cancel(timezone.now() + timedelta(seconds=61))
    assert Migration.objects.get(pk=wire.id).state == State.CANCELLED
    assert board.driver.calls == []


@pytest.mark.parametrize("seconds", [0, 4, 86_401])
def test_a_deadline_out_of_bounds_is_refused(board: Board, seconds: int) -> None:
    ask: Callable[[], object] = lambda: migration_request(  # noqa: E731
        board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=MoveOptions(), deadline_s=seconds
    )
    with pytest.raises(OptionRefusedError):
        ask()
