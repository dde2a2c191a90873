"""What the web edge itself refuses, before any service is asked."""

from xenweb.core.refusal import RefusalError, RefusalKind


class WebRefusalError(RefusalError):
    """Root of the edge's refusals."""

    code = "request_refused"


class CsrfRefusedError(WebRefusalError):
    """A change by session came without the proof that our own page asked for it."""

    code = "csrf_refused"
    kind = RefusalKind.FORBIDDEN
    remedy = "Load the page again; programs use a bearer token."


class NoRoleError(WebRefusalError):
    """The person is known and has no role."""

    code = "no_role"
    kind = RefusalKind.FORBIDDEN
    remedy = "Ask an administrator for a role."


class HistoryForbiddenError(WebRefusalError):
    """The person may not read the history."""

    code = "may_not_read_history"
    kind = RefusalKind.FORBIDDEN
    remedy = "Ask an administrator or an auditor."


class QueryRefusedError(WebRefusalError):
    """The query has a parameter that the operation does not know, or has one twice."""

    code = "query_refused"
    remedy = "Use only the parameters of the schema, each once."
