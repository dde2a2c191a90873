"""Read the history: filtered, newest first, page by page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from xenweb.audit.models import AuditRecord
from xenweb.realtime.wire import AuditRecordWire

_SEARCHED = ("actor", "action", "subject_name", "subject_id", "reason", "team_name")


MOST_WORDS = 8
"""So many words of a search are looked at; each costs a look at every searched field."""


@dataclass(frozen=True, slots=True)
class AuditFilters:
    """What is looked for. Empty text filters nothing.

    ``teams`` limits the page to records about those teams; None is everything.
    """

    q: str = ""
    actor: str = ""
    action: str = ""
    outcome: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None
    teams: frozenset[int] | None = None


def _rows(filters: AuditFilters) -> QuerySet[AuditRecord]:
    rows = AuditRecord.objects.order_by("-sequence")
    if filters.teams is not None:
        rows = rows.filter(team__in=filters.teams)
    for word in filters.q.split()[:MOST_WORDS]:
        found = Q()
        for field in _SEARCHED:
            found |= Q(**{f"{field}__icontains": word})
        rows = rows.filter(found)
    exact = {"actor": filters.actor, "action": filters.action, "outcome": filters.outcome}
    rows = rows.filter(**{name: text for name, text in exact.items() if text})
    if filters.subject:
        rows = rows.filter(Q(subject_id=filters.subject) | Q(subject_name=filters.subject))
    if filters.since:
        rows = rows.filter(at__gte=filters.since)
    if filters.until:
        rows = rows.filter(at__lte=filters.until)
    return rows


def _wire(row: AuditRecord, names: Mapping[int, str]) -> AuditRecordWire:
    return AuditRecordWire(
        sequence=row.sequence,
        at=row.at,
        actor=row.actor,
        action=row.action,
        outcome=row.outcome,
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
        subject_name=row.subject_name,
        team=row.team_name or (names.get(row.team) if row.team is not None else None),
        reason=row.reason,
        request_id=row.request_id,
        facts=json.loads(row.facts),
    )


def audit_page_for(
    filters: AuditFilters, *, before: int | None = None, limit: int = 50, names: Mapping[int, str] | None = None
) -> tuple[list[AuditRecordWire], int | None]:
    """List at most ``limit`` records older than ``before``, newest first.

    ``names`` are those of today's teams, for records that hold only the id.
    The second value is what to pass as ``before`` for the next page; None at the end.
    """
    rows = _rows(filters)
    if before is not None:
        rows = rows.filter(sequence__lt=before)
    page = list(rows[: limit + 1])
    more = len(page) > limit
    page = page[:limit]
    return [_wire(row, names or {}) for row in page], page[-1].sequence if more else None


def is_in_history(kind: str, key: str) -> bool:
    """Say whether any record is about this subject."""
    return AuditRecord.objects.filter(subject_kind=kind, subject_id=key).exists()
