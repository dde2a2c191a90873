"""Asking for a move: judged again, stored once, recorded always."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from tests.board import Board
from xenweb.audit.chain import verify
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import Copy, State
from xenweb.core.quantities import MIB, BytesPerSecond
from xenweb.core.refusal import RefusalError
from xenweb.drivers.contract import Capability, MoveOptions
from xenweb.inventory.errors import HostNotFoundError, VmNotFoundError
from xenweb.inventory.models import Host, VirtualMachine
from xenweb.livemigration.errors import (
    IdempotencyConflictError,
    MoveForbiddenError,
    NotPlaceableError,
    OptionRefusedError,
    OverrideForbiddenError,
    OverrideRefusedError,
    VmAlreadyMovingError,
)
from xenweb.livemigration.models import Migration
from xenweb.livemigration.overriding import Override
from xenweb.livemigration.services import migration_request
from xenweb.realtime.wire import MigrationWire


def ask(board: Board, actor=None, **changes) -> MigrationWire:
    wanted = {"vm": str(board.vm.pk), "target": str(board.target.pk), "options": MoveOptions()} | changes
    return migration_request(actor or board.admin, **wanted)


def actions() -> list[tuple[str, str, str]]:
    return list(AuditRecord.objects.values_list("actor", "action", "outcome"))


def test_a_request_stores_the_intent_and_marks_the_vm(board: Board) -> None:
    wire = ask(board)
    board.vm.refresh_from_db()
    assert wire.state == State.QUEUED
    assert board.vm.moving_as == wire.id
    assert board.vm.resident_on_id == board.source.pk
    assert ("admin", "migration_request", "allowed") in actions()


def test_the_lead_of_the_team_may_move_its_vm(board: Board) -> None:
    assert ask(board, board.lead).requested_by == "lead-shop"


def test_a_foreign_vm_is_answered_like_an_unknown_one(board: Board) -> None:
    with pytest.raises(VmNotFoundError) as foreign:
        ask(board, board.stranger)
    with pytest.raises(VmNotFoundError) as unknown:
        ask(board, board.stranger, vm="999999")
    assert str(foreign.value) == str(unknown.value)
    assert actions().count(("lead-data", "migration_request", "refused")) == 2


def test_an_auditor_sees_the_vm_but_may_not_move_it(board: Board) -> None:
    with pytest.raises(MoveForbiddenError):
        ask(board, board.auditor)
    assert ("auditor", "migration_request", "refused") in actions()
    assert not Migration.objects.exists()


@pytest.mark.parametrize("key", ["0", "-1", str(2**63), str(2**200), "../etc", "{1}", "", "x" * 5000, "１"])
def test_an_odd_host_id_is_no_host(board: Board, key: str) -> None:
    with pytest.raises(HostNotFoundError):
        ask(board, target=key)


def test_vm_and_host_are_found_by_uuid_in_any_case(board: Board) -> None:
    wire = ask(board, vm=board.vm.uuid.upper(), target=board.target.uuid)
    assert wire.target == board.target.pk


def test_the_same_host_is_refused_with_its_finding(board: Board) -> None:
    with pytest.raises(NotPlaceableError) as refusal:
        ask(board, target=str(board.source.pk))
    assert [finding.code for finding in refusal.value.findings] == ["same_host"]
    board.vm.refresh_from_db()
    assert board.vm.moving_as == ""


def test_a_halted_vm_is_refused_where_the_hypervisor_moves_none_and_nothing_changes(board: Board) -> None:
    board.driver.capabilities -= {Capability.COLD_MOVE}
    board.driver.copies[("host-a", board.vm.uuid)] = Copy.INACTIVE
    board.look()
    with pytest.raises(NotPlaceableError, match="halted"):
        ask(board)
    assert not Migration.objects.exists()
    assert ("admin", "migration_request", "refused") in actions()


def shrink(board: Board) -> None:
    """Leave the target without memory for the VM."""
    Host.objects.filter(pk=board.target.pk).update(memory_free=64 * MIB)


BECAUSE = Override(("memory_short",), "Its memory is mostly unused.")


def test_an_administrator_overrides_a_lack_of_memory_with_a_reason(board: Board) -> None:
    shrink(board)
    with pytest.raises(NotPlaceableError) as refusal:
        ask(board)
    assert [each.is_overridable for each in refusal.value.findings] == [True]
    wire = ask(board, override=BECAUSE)
    assert wire.override is not None
    assert (wire.override.codes, wire.override.by) == (["memory_short"], "admin")
    assert wire.override.reason == BECAUSE.reason
    facts = json.loads(AuditRecord.objects.get(action="migration_request", outcome="allowed").facts)
    assert (facts["overridden"], facts["override_reason"]) == (["memory_short"], BECAUSE.reason)
    assert verify() is None


def test_a_team_lead_may_not_override_and_is_recorded_as_having_asked(board: Board) -> None:
    shrink(board)
    with pytest.raises(OverrideForbiddenError):
        ask(board, board.lead, override=BECAUSE)
    assert not Migration.objects.exists()
    facts = json.loads(AuditRecord.objects.get(actor="lead-shop", outcome="refused").facts)
    assert (facts["code"], facts["overridden"]) == ("override_forbidden", ["memory_short"])


def test_what_was_not_found_cannot_be_overridden(board: Board) -> None:
    with pytest.raises(OverrideRefusedError, match="memory_short"):
        ask(board, override=BECAUSE)
    assert not Migration.objects.exists()


def test_what_the_hypervisor_itself_refuses_cannot_be_overridden(board: Board) -> None:
    shrink(board)
    VirtualMachine.objects.update(networks=["lan"])
    with pytest.raises(OverrideRefusedError, match="no network lan"):
        ask(board, override=Override(("network_missing",), "I know better."))
    with pytest.raises(NotPlaceableError, match="no network lan"):
        ask(board, override=BECAUSE)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_an_override_needs_a_reason_of_a_readable_length(board: Board, reason: str) -> None:
    shrink(board)
    with pytest.raises(OverrideRefusedError, match="reason"):
        ask(board, override=Override(("memory_short",), reason))


def test_a_second_move_is_refused_and_names_the_first(board: Board) -> None:
    first = ask(board)
    with pytest.raises(VmAlreadyMovingError) as refusal:
        ask(board, board.lead)
    assert refusal.value.facts["migration"] == first.id


def test_the_same_key_answers_the_same_move(board: Board) -> None:
    first = ask(board, idempotency_key="k-1")
    assert ask(board, idempotency_key="k-1").id == first.id
    assert Migration.objects.count() == 1


def test_the_same_key_for_another_move_is_a_conflict(board: Board) -> None:
    ask(board, idempotency_key="k-1")
    with pytest.raises(IdempotencyConflictError):
        ask(board, target=str(board.source.pk), idempotency_key="k-1")


@pytest.mark.parametrize(
    "options",
    [
        MoveOptions(bandwidth_limit=BytesPerSecond(1)),
        MoveOptions(downtime_limit=10**9),  # type: ignore[arg-type]
    ],
)
def test_options_out_of_bounds_are_refused(board: Board, options: MoveOptions) -> None:
    with pytest.raises(OptionRefusedError):
        ask(board, options=options)


def test_an_option_that_the_driver_does_not_offer_is_refused(board: Board) -> None:
    board.driver.capabilities = frozenset()
    with pytest.raises(OptionRefusedError, match="auto_converge"):
        ask(board, options=MoveOptions(auto_converge=True))


@pytest.mark.fault("F32", oracle="the rows: one move, fifty times the same id")
def test_fifty_hands_at_once_start_one_move(board: Board) -> None:
    def one_hand(number: int) -> str:
        try:
            return ask(board, idempotency_key="same").id
        except RefusalError as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=8) as hands:
        answers = set(hands.map(one_hand, range(50)))
    assert answers == {Migration.objects.get().pk}


@pytest.mark.fault("F33", oracle="the rows: one move; the other is told whose it is")
def test_two_people_at_once_get_one_move_and_one_explanation(board: Board) -> None:
    def one_person(actor) -> str:
        try:
            return ask(board, actor).state
        except RefusalError as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=2) as people:
        answers = sorted(people.map(one_person, [board.admin, board.lead]))
    assert answers == ["queued", "vm_already_moving"]
