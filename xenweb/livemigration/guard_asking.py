"""What people ask of a guard: the way back, or that it goes before its time."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NoReturn

from django.utils import timezone

from xenweb.accounts.policy import Action, Actor, decide
from xenweb.audit.services import refusals_recorded
from xenweb.core.guard import GuardState
from xenweb.core.migration import ACTIVE
from xenweb.livemigration.errors import GuardNotFoundError, GuardRefusedError, MoveForbiddenError
from xenweb.livemigration.guard_proving import prove_halted
from xenweb.livemigration.guards import (
    AnotherAtWorkError,
    Figure,
    GuardChangedError,
    Told,
    guard_change,
    guard_record,
    guard_row,
)
from xenweb.livemigration.models import Guard
from xenweb.livemigration.selectors import migration_for, migration_row_for
from xenweb.realtime.wire import MigrationWire


def guard_roll_back(actor: Actor, migration_id: str, reason: str, request_id: str = "") -> MigrationWire:
    """Have the disks of a VM be what they were before its move; everything written since then is lost.

    The VM must be halted, and every host of its pool must say that it does not have it running. Raises
    MigrationNotFoundError, GuardNotFoundError, MoveForbiddenError or GuardRefusedError; a refusal is recorded.
    """
    row = _asked(actor, migration_id, "guard_roll_back", request_id)
    said = reason.strip()
    told = Told("guard_roll_back", "allowed", said, request_id)
    figures: dict[str, Figure] = {
        "roll_back_by": actor.username,
        "roll_back_reason": said,
        "roll_back_at": timezone.now(),
    }
    try:
        _check(actor, row, "rolled back to")
        if not said:
            _refuse("Rolling back needs a reason: what was written since then is lost.")
        prove_halted(row)
        _change(row, GuardState.ROLLING_BACK, actor, told, figures)
    except (MoveForbiddenError, GuardRefusedError) as refusal:
        _record_refusal(row, actor, told, refusal.sentence)
        raise
    return migration_for(actor, migration_id)


def guard_remove(actor: Actor, migration_id: str, request_id: str = "") -> MigrationWire:
    """Have a guard removed before its time; raises like ``guard_roll_back``."""
    row = _asked(actor, migration_id, "guard_remove", request_id)
    told = Told("guard_remove", "allowed", "", request_id)
    try:
        _check(actor, row, "removed")
        _change(row, GuardState.REMOVING, actor, told, {})
    except (MoveForbiddenError, GuardRefusedError) as refusal:
        _record_refusal(row, actor, told, refusal.sentence)
        raise
    return migration_for(actor, migration_id)


def _asked(actor: Actor, migration_id: str, action: str, request_id: str) -> Guard:
    with refusals_recorded(actor.username, action, "migration", migration_id, request_id):
        move = migration_row_for(actor, migration_id)
        found = Guard.objects.filter(migration=move).first()
        row = None if found is None else guard_row(found.pk)
        if row is None:
            raise GuardNotFoundError
    return row


def _check(actor: Actor, row: Guard, what: str) -> None:
    right = decide(actor, Action.REMOVE_DISK, row.migration.vm.team_id)
    if not right.allowed:
        raise MoveForbiddenError(right.reason)
    if row.migration.state in ACTIVE:
        _refuse("Its move has not ended.")
    if row.state != GuardState.KEPT:
        _refuse(f"A guard that is {row.state.replace('_', ' ')} cannot be {what}.")


def _refuse(sentence: str) -> NoReturn:
    raise GuardRefusedError(sentence)


def _change(row: Guard, following: GuardState, actor: Actor, told: Told, figures: Mapping[str, Figure]) -> None:
    try:
        guard_change(row, following, by=actor.username, told=told, figures=figures)
    except AnotherAtWorkError:
        msg = "Another guard of this pool is being worked on: its volume groups are changed by one at a time."
        raise GuardRefusedError(msg) from None
    except GuardChangedError:
        msg = "The guard has changed in this very moment."
        raise GuardRefusedError(msg) from None


def _record_refusal(row: Guard, actor: Actor, told: Told, why: str) -> None:
    guard_record(row, actor.username, replace(told, outcome="refused", reason=why), {})
