"""Who is at the other end: from a session or a bearer token to an actor, always fresh."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore

from xenweb.accounts.policy import Actor
from xenweb.accounts.selectors import actor_for
from xenweb.accounts.services import actor_for_token

if TYPE_CHECKING:
    from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a socket was opened with. The token never appears in a repr."""

    session_key: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return "Credentials()"


def bearer_of(authorization: str) -> str:
    """Take the token out of an Authorization header; empty if it holds none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def actor_of(credentials: Credentials) -> Actor | None:
    """Answer who is behind the credentials now; None once they have ended.

    Reads the session itself and not a cached user, so that signing out, a new
    password and a disabled account all count at once.
    """
    if credentials.token:
        return actor_for_token(credentials.token)
    if not credentials.session_key:
        return None
    bearer = cast("HttpRequest", SimpleNamespace(session=SessionStore(credentials.session_key), META={}))
    user = get_user(bearer)
    return actor_for(user.pk) if user.is_authenticated and user.pk is not None else None
