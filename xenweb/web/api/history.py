"""The history, searched and filtered."""

from ninja import Query, Router

from xenweb.accounts.policy import Action, Actor, may_somewhere, visible_teams
from xenweb.accounts.selectors import team_names
from xenweb.audit.selectors import AuditFilters, audit_page_for
from xenweb.web.api.authentication import ActorRequest
from xenweb.web.api.shapes import AuditPage, AuditQuery, problems
from xenweb.web.refusals import HistoryForbiddenError

router = Router(tags=["history"])


def _filters(actor: Actor, query: AuditQuery) -> AuditFilters:
    return AuditFilters(
        q=query.q,
        actor=query.actor,
        action=query.action,
        outcome=query.outcome,
        subject=query.subject,
        since=query.since,
        until=query.until,
        teams=visible_teams(actor),
    )


@router.get("/audit", response={200: AuditPage, **problems()}, operation_id="audit_list")
def audit_list(request: ActorRequest, query: Query[AuditQuery]) -> AuditPage:
    """List the records that the actor may read, newest first."""
    if not may_somewhere(request.auth, Action.READ_HISTORY):
        msg = "Only administrators, auditors and team leads read the history."
        raise HistoryForbiddenError(msg)
    before = int(query.cursor) if query.cursor else None
    items, following = audit_page_for(
        _filters(request.auth, query), before=before, limit=query.limit, names=team_names()
    )
    return AuditPage(items=items, next=None if following is None else str(following))
