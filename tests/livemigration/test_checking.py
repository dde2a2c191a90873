"""The check right before the call: everything that is found is kept, and only an override sets something aside."""

import json

import pytest
from django.utils import timezone

from tests.board import Board
from xenweb.accounts.models import RoleBinding
from xenweb.accounts.policy import Role
from xenweb.accounts.services import role_bind
from xenweb.audit.chain import verify
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import State
from xenweb.core.placement import Finding, Severity
from xenweb.core.quantities import MIB
from xenweb.drivers.contract import HostUnreachableError, MoveOptions
from xenweb.inventory.models import Host
from xenweb.livemigration.drive import drive
from xenweb.livemigration.errors import NotPlaceableError
from xenweb.livemigration.models import Migration
from xenweb.livemigration.overriding import NO_OVERRIDE, Override
from xenweb.livemigration.remembering import REMEMBERED
from xenweb.livemigration.selectors import verdicts_for
from xenweb.livemigration.services import migration_request
from xenweb.livemigration.wiring import migration_wire

BECAUSE = Override(("memory_short",), "Its memory is mostly unused.")


@pytest.fixture
def board(board: Board) -> Board:
    """A board whose next call moves the VM."""
    board.driver.on_call = board.driver.moves_to_target
    board.driver.let_go.set()
    return board


def driven(board: Board, target: Host | None = None, override: Override = NO_OVERRIDE) -> Migration:
    """Ask for a move and drive it to its end."""
    target = target or board.target
    wanted = {"vm": str(board.vm.pk), "target": str(target.pk), "options": MoveOptions()}
    row = migration_request(board.admin, **wanted, override=override)
    drive(row.id, "test")
    return Migration.objects.with_all().get(pk=row.id)


def shrink(board: Board) -> None:
    """Leave the target without memory for the VM."""
    Host.objects.filter(pk=board.target.pk).update(memory_free=64 * MIB)


def recorded(action: str) -> dict[str, object]:
    return json.loads(AuditRecord.objects.get(action=action).facts)


def codes(row: Migration) -> list[str]:
    said = migration_wire(row).preflight
    assert said is not None
    return [each.code for each in said.findings]


def test_all_that_is_found_is_kept_with_the_move_and_in_the_record_of_its_start(board: Board) -> None:
    board.driver.findings = (Finding("clocks", Severity.NOTE, "Not compared.", ""),)
    row = driven(board)
    assert codes(row) == ["clocks"]
    said = migration_wire(row).preflight
    assert said is not None
    assert row.call_intended_at is not None
    assert said.taken_at <= row.call_intended_at
    facts = recorded("migration_start")
    assert facts["findings"] == ["note clocks: Not compared."]
    assert 0 <= facts["checked_ms_before_call"] < 5000  # type: ignore[operator]
    assert "findings" not in recorded("migration_outcome")
    assert verify() is None


def test_every_reason_is_kept_when_a_move_ends_at_its_check(board: Board) -> None:
    differs = Finding("cpu_incompatible", Severity.BLOCKER, "No aes.", "Go.", (("missing_features", ("aes",)),))
    board.driver.findings = (differs, Finding("name_taken", Severity.BLOCKER, "Taken.", "Rename."))
    row = driven(board)
    facts = recorded("migration_outcome")
    assert facts["findings"] == ["blocker cpu_incompatible: No aes.", "blocker name_taken: Taken."]
    assert facts["checked_ms_before_call"] is None
    said = migration_wire(row).preflight
    assert said is not None
    assert said.findings[0].facts == {"missing_features": ("aes",)}


def test_a_driver_that_cannot_check_is_a_reason_among_the_others(board: Board) -> None:
    def refuse(_plan: object) -> None:
        Host.objects.filter(pk=board.target.pk).update(memory_free=0)
        raise HostUnreachableError("host-b does not answer.", host="host-b", code="HOST_OFFLINE")

    board.driver.on_preflight = refuse
    assert codes(driven(board)) == ["memory_short", "host_unreachable"]
    assert board.driver.calls == []


def test_a_vm_that_left_is_the_reason_told_first_and_the_others_are_kept(board: Board) -> None:
    board.driver.findings = (Finding("name_taken", Severity.BLOCKER, "Taken.", "Rename."),)
    row = migration_request(board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=MoveOptions())
    type(board.vm).objects.filter(pk=board.vm.pk).update(resident_on=board.target)
    shrink(board)
    drive(row.id, "test")
    kept = Migration.objects.with_all().get(pk=row.id)
    assert kept.failure_code == "vm_left_source"
    assert codes(kept) == ["memory_short", "vm_left_source", "name_taken"]


def test_an_override_is_honoured_by_the_check_before_the_call(board: Board) -> None:
    shrink(board)
    row = driven(board, override=BECAUSE)
    assert row.state == State.DONE
    assert codes(row) == ["memory_short"]
    facts = recorded("migration_start")
    assert (facts["overridden"], facts["override_reason"]) == (["memory_short"], BECAUSE.reason)


def test_an_override_holds_for_its_own_code_only(board: Board) -> None:
    shrink(board)
    board.driver.findings = (Finding("disk_identity_unproven", Severity.BLOCKER, "Which disk?", "Look."),)
    row = driven(board, override=BECAUSE)
    assert (row.state, row.failure_code) == (State.FAILED, "disk_identity_unproven")
    assert board.driver.calls == []


UNPROVEN = Finding("disk_identity_unproven", Severity.BLOCKER, "It may be another file.", "Look.")


def test_what_only_the_hosts_found_stands_in_the_next_verdict_and_can_then_be_overridden(board: Board) -> None:
    board.driver.findings = (UNPROVEN,)
    assert driven(board).failure_code == "disk_identity_unproven"
    with pytest.raises(NotPlaceableError, match="the hosts were asked: It may be another file"):
        driven(board)
    verdicts = {each.host: each for each in verdicts_for(board.admin, str(board.vm.pk)).verdicts}
    assert [each.code for each in verdicts[board.target.pk].findings] == ["disk_identity_unproven"]
    row = driven(board, override=Override(("disk_identity_unproven",), "Both mount the same export."))
    assert row.state == State.DONE
    assert recorded("migration_start")["overridden"] == ["disk_identity_unproven"]


def test_what_the_hosts_found_is_forgotten_after_a_while(board: Board) -> None:
    board.driver.findings = (UNPROVEN,)
    driven(board)
    Migration.objects.update(ended_at=timezone.now() - REMEMBERED)
    board.driver.findings = ()
    assert driven(board).state == State.DONE


def test_what_cannot_be_overridden_is_asked_anew_each_time(board: Board) -> None:
    board.driver.findings = (Finding("name_taken", Severity.BLOCKER, "Taken.", "Rename."),)
    driven(board)
    board.driver.findings = ()
    assert driven(board).state == State.DONE


def test_an_override_ends_with_the_right_to_it(board: Board) -> None:
    shrink(board)
    wanted = {"vm": str(board.vm.pk), "target": str(board.target.pk), "options": MoveOptions()}
    asked = migration_request(board.admin, **wanted, override=BECAUSE)
    role_bind("admin", Role.TEAM_LEAD, "Shop")
    RoleBinding.objects.filter(user_id=board.admin.user_id, role=Role.ADMINISTRATOR).delete()
    drive(asked.id, "test")
    row = Migration.objects.get(pk=asked.id)
    assert (row.state, row.failure_code) == (State.FAILED, "override_revoked")
    assert board.driver.calls == []


def test_a_way_that_has_worked_before_is_told_with_its_day(board: Board) -> None:
    assert codes(driven(board)) == []
    board.look()
    assert codes(driven(board, board.source)) == []
    board.look()
    row = driven(board)
    assert codes(row) == ["connection_proven_before"]
    said = migration_wire(row).preflight
    assert said is not None
    assert "host-a reached host-b" in said.findings[0].sentence
