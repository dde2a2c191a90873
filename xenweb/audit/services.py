"""Write the history: one function, inside the transaction of what it tells of."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from xenweb.audit.chain import content_of
from xenweb.audit.models import AuditHead, AuditRecord
from xenweb.core.evidence import canonical, chained
from xenweb.core.placement import Fact
from xenweb.core.refusal import RefusalError

LONGEST_FACT = 1000
MOST_IN_A_FACT = 50


def _storable(text: str, longest: int) -> str:
    """Cap foreign text, and replace what a database or UTF-8 cannot hold."""
    clean = text.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def _storable_fact(fact: Fact) -> Fact:
    if isinstance(fact, tuple):
        return tuple(_storable(each, LONGEST_FACT) for each in fact[:MOST_IN_A_FACT])
    return _storable(fact, LONGEST_FACT) if isinstance(fact, str) else fact


def record(
    *,
    actor: str,
    action: str,
    outcome: str,
    subject_kind: str,
    subject_id: str,
    subject_name: str,
    team: int | None = None,
    team_name: str = "",
    reason: str = "",
    facts: Mapping[str, Fact] | None = None,
    request_id: str = "",
) -> int:
    """Add one record at the end of the chain; answer its sequence.

    Call it inside the transaction of the write it tells of: both are kept, or
    neither. Updating the head row first makes writers queue, on every database.
    """
    with transaction.atomic():
        AuditHead.objects.filter(pk=1).update(sequence=F("sequence") + 1)
        head = AuditHead.objects.get(pk=1)
        kept_facts = {key: _storable_fact(fact) for key, fact in (facts or {}).items()}
        row = AuditRecord(
            sequence=head.sequence,
            at=timezone.now(),
            actor=_storable(actor, 150),
            action=action,
            outcome=outcome,
            subject_kind=subject_kind,
            subject_id=_storable(subject_id, 64),
            subject_name=_storable(subject_name, 255),
            team=team,
            team_name=_storable(team_name, 150),
            reason=_storable(reason, 1000),
            facts=canonical(kept_facts).decode(),
            request_id=_storable(request_id, 64),
            previous_hash=head.hash,
        )
        row.hash = chained(head.hash, content_of(row))
        row.save(force_insert=True)
        AuditHead.objects.filter(pk=1).update(hash=row.hash)
    return head.sequence


@contextmanager
def refusals_recorded(
    actor: str, action: str, subject_kind: str, subject: str, request_id: str, **facts: Fact
) -> Iterator[None]:
    """Record every refusal that is raised inside, and let it go on.

    For what is unknown, foreign or badly formed: ``subject`` is what was asked for in the words of who asked,
    and the record is of no team. Put it around a transaction, never inside one, which would take the record back.
    """
    try:
        yield
    except RefusalError as refusal:
        record(
            actor=actor,
            action=action,
            outcome="refused",
            subject_kind=subject_kind,
            subject_id=subject,
            subject_name=subject,
            reason=refusal.sentence,
            facts={"code": refusal.code, **facts},
            request_id=request_id,
        )
        raise
