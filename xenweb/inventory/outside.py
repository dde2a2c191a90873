"""What became of a VM without us: seen at a look, and kept in the history.

Whoever starts, stops or moves a VM beside xenweb leaves no request here. What a look
shows is recorded then, with the moment of the look before it: between the two it happened.
"""

from dataclasses import dataclass, field
from datetime import datetime

from xenweb.audit.services import record
from xenweb.core.facts import PowerState
from xenweb.inventory.models import VirtualMachine

OBSERVED = "observed"


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a VM stands and in which state; no host where none knows it. ``looked_at`` is when that was last seen."""

    host: str
    state: PowerState
    looked_at: datetime | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """Say it in the middle of a sentence."""
        return f"{self.state} on {self.host}" if self.host else "known to no host"


def stand_of(row: VirtualMachine) -> Stand:
    """Answer where a row has a VM."""
    looked_at = max((sighting.at for sighting in row.sightings.all()), default=None)
    return Stand(row.resident_on.name if row.resident_on is not None else "", PowerState(row.state), looked_at)


def outside_record(row: VirtualMachine, before: Stand) -> None:
    """Record that a VM stands otherwise than it did, unless a move of ours is under way: that one has its own record.

    Call it inside the transaction of the look.
    """
    now = stand_of(row)
    if now == before or row.moving_as:
        return
    record(
        actor="",
        action="vm_outside_change",
        outcome=OBSERVED,
        subject_kind="vm",
        subject_id=row.uuid,
        subject_name=row.name,
        team=row.team_id,
        team_name=row.team.name if row.team is not None else "",
        reason=f"It was {before}, and is {now}. Nobody asked xenweb for it.",
        facts={
            "from_host": before.host,
            "from_state": before.state.value,
            "to_host": now.host,
            "to_state": now.state.value,
            "looked_before": None if before.looked_at is None else before.looked_at.isoformat(),
        },
    )
