"""Session with CSRF for browsers, bearer tokens for programs; both give an actor."""

from typing import ClassVar

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from xenweb.accounts.policy import Actor
from xenweb.accounts.selectors import actor_for
from xenweb.accounts.services import actor_for_token
from xenweb.web.refusals import CsrfRefusedError, NoRoleError


class ActorRequest(HttpRequest):
    """A request whose actor is known."""

    auth: Actor


def _with_role(actor: Actor | None) -> Actor | None:
    if actor is not None and not actor.roles:
        msg = f"{actor.username} has no role yet."
        raise NoRoleError(msg)
    return actor


class SessionCookie(APIKeyCookie):
    """The session of a browser; a change must also prove that our page asked for it."""

    param_name: str = settings.SESSION_COOKIE_NAME
    openapi_description: ClassVar[str] = "Changes also need the header X-CSRFToken, from the cookie csrftoken."

    def __init__(self) -> None:
        super().__init__(csrf=False)

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        """Answer the session's actor; a request with a bearer token is not about the session."""
        if key is None or "Authorization" in request.headers or not request.user.is_authenticated:
            return None
        if check_csrf(request) is not None:
            msg = "This change did not come from a page of ours."
            raise CsrfRefusedError(msg)
        return _with_role(actor_for(request.user.pk))


class BearerToken(HttpBearer):
    """The token of a program, in the header Authorization."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        """Answer the token's actor; None if it is unknown, expired or its user disabled."""
        del request
        return _with_role(actor_for_token(token.strip()))
