"""What a check right before a call has found a moment ago, and no row but the move's own knows."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from xenweb.core.placement import FOUND_BY_HOSTS, Finding, blocker
from xenweb.livemigration.models import Migration
from xenweb.realtime.wire import PreflightWire

REMEMBERED = timedelta(minutes=5)
"""So long a finding of the hosts stands in the verdicts: afterwards the next move asks them anew."""


def remembered(vm: int, now: datetime) -> dict[int, tuple[Finding, ...]]:
    """Answer, by target, what the last move of a VM ended by, where only an override or a new look helps."""
    return remembered_of([vm], now)[vm]


def remembered_of(vms: Iterable[int], now: datetime) -> dict[int, dict[int, tuple[Finding, ...]]]:
    """Answer the same for many VMs at once, by VM."""
    found: dict[int, dict[int, tuple[Finding, ...]]] = {vm: {} for vm in vms}
    for row in Migration.objects.filter(vm__in=found, ended_at__gt=now - REMEMBERED).order_by("ended_at"):
        found[row.vm_id][row.target_id] = _found(row)
    return found


def _found(row: Migration) -> tuple[Finding, ...]:
    if row.preflight is None or row.call_intended_at is not None:
        return ()
    said = PreflightWire.model_validate(row.preflight)
    return tuple(
        blocker(
            each.code,
            f"At {said.taken_at:%H:%M} UTC the hosts were asked: {each.sentence}",
            f"{each.remedy} They are asked anew {REMEMBERED.seconds // 60} minutes later.",
            taken_at=said.taken_at.isoformat(),
        )
        for each in said.findings
        if each.code in FOUND_BY_HOSTS and each.overridable
    )
