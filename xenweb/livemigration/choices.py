"""Ask for something to be changed about a move under way, or to be mended after it."""

from django.utils import timezone

from xenweb.accounts.policy import Action, Actor, Decision, decide
from xenweb.audit.services import refusals_recorded
from xenweb.core.migration import ACTIVE
from xenweb.livemigration.errors import ChoiceRefusedError, MoveForbiddenError
from xenweb.livemigration.models import Migration, MigrationChoice
from xenweb.livemigration.offers import offers_for
from xenweb.livemigration.recording import move_record
from xenweb.livemigration.selectors import migration_row_for
from xenweb.livemigration.transitions import HAD_ENDED, migration_row, tell
from xenweb.livemigration.wiring import migration_wire
from xenweb.realtime.publish import writing
from xenweb.realtime.wire import MigrationWire


def choice_request(
    actor: Actor, migration_id: str, kind: str, value: int | None = None, request_id: str = ""
) -> MigrationWire:
    """Store and record a choice; whoever drives the move applies it, and says on the row what came of it.

    Raises MigrationNotFoundError, MoveForbiddenError or ChoiceRefusedError.
    """
    with refusals_recorded(actor.username, "migration_choice", "migration", migration_id, request_id):
        row = migration_row_for(actor, migration_id)
    right = decide(actor, Action.MOVE_VM, row.vm.team_id)
    try:
        _check(row, right, kind, value)
    except (MoveForbiddenError, ChoiceRefusedError) as refusal:
        _record(actor, row, kind, value, "refused", refusal.sentence, request_id)
        raise
    with writing():
        # Looked at again inside: a choice that is stored after the end would never be answered.
        is_open = Migration.objects.filter(pk=row.pk, state__in=sorted(ACTIVE)).exists()
        if is_open:
            MigrationChoice.objects.create(
                migration=row, kind=kind, value=value, asked_by=actor.username, asked_at=timezone.now()
            )
        _record(actor, row, kind, value, *(("allowed", "") if is_open else ("refused", HAD_ENDED)), request_id)
        row = migration_row(row.pk)
        if is_open:
            tell(row)
    if not is_open:
        raise ChoiceRefusedError(HAD_ENDED, kind=kind, state=row.state)
    return migration_wire(row)


def _check(row: Migration, right: Decision, kind: str, value: int | None) -> None:
    if not right.allowed:
        raise MoveForbiddenError(right.reason)
    offer = next((each for each in offers_for(row) if each.kind == kind), None)
    if offer is None:
        msg = f"{kind} cannot be chosen for a move that is {row.state.replace('_', ' ')}."
        raise ChoiceRefusedError(msg, kind=kind, state=row.state)
    if offer.minimum is None or offer.maximum is None:
        if value is not None:
            msg = f"{kind} takes no value."
            raise ChoiceRefusedError(msg, kind=kind)
    elif value is None or not offer.minimum <= value <= offer.maximum:
        msg = f"{kind} needs a value between {offer.minimum} and {offer.maximum} {offer.unit}."
        raise ChoiceRefusedError(msg, kind=kind, minimum=offer.minimum, maximum=offer.maximum)


def _record(
    actor: Actor, row: Migration, kind: str, value: int | None, outcome: str, reason: str, request_id: str
) -> None:
    move_record(
        row,
        actor=actor.username,
        action="migration_choice",
        outcome=outcome,
        reason=reason,
        facts={"kind": kind, "value": value},
        request_id=request_id,
    )
