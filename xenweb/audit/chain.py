"""Which fields of a row its hash covers, and whether the whole chain holds."""

from collections.abc import Iterator

from xenweb.audit.models import AuditHead, AuditRecord
from xenweb.core.evidence import Break, Content, Link, first_break

_TEXTS = (
    "actor",
    "action",
    "outcome",
    "subject_kind",
    "subject_id",
    "subject_name",
    "team_name",
    "reason",
    "facts",
    "request_id",
)


def content_of(row: AuditRecord) -> Content:
    """List everything a record says, its place and moment included."""
    content: dict[str, str | int | None] = {name: str(getattr(row, name)) for name in _TEXTS}
    return {**content, "sequence": row.sequence, "team": row.team, "at": row.at.isoformat(timespec="microseconds")}


def _links() -> Iterator[Link]:
    for row in AuditRecord.objects.order_by("sequence").iterator(chunk_size=1000):
        yield Link(row.sequence, row.previous_hash, row.hash, content_of(row))


def verify() -> Break | None:
    """Walk the whole history and compare its end with the head; None means that it holds."""
    broken = first_break(_links())
    if broken is not None:
        return broken
    head = AuditHead.objects.get(pk=1)
    last = AuditRecord.objects.order_by("sequence").last()
    sequence, digest = (last.sequence, last.hash) if last else (0, head.hash)
    if sequence != head.sequence:
        return Break(sequence + 1, f"Record {sequence + 1} is missing: {head.sequence} were written.")
    if digest != head.hash:
        return Break(sequence, f"Record {sequence} is not the one that was written last.")
    return None
