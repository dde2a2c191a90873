"""Write of a move in the history: whose VM it is, and which team may read of it."""

from collections.abc import Mapping

from xenweb.audit.services import record
from xenweb.core.placement import Fact
from xenweb.livemigration.models import Migration


def move_record(
    row: Migration,
    *,
    actor: str,
    action: str,
    outcome: str,
    reason: str = "",
    facts: Mapping[str, Fact] | None = None,
    request_id: str = "",
) -> None:
    """Record what ``actor`` did to a move; call it inside the transaction of the write it tells of."""
    record(
        actor=actor,
        action=action,
        outcome=outcome,
        subject_kind="migration",
        subject_id=row.pk,
        subject_name=row.vm_name,
        team=row.vm.team_id,
        team_name=row.vm.team.name if row.vm.team else "",
        reason=reason,
        facts=facts,
        request_id=request_id,
    )
