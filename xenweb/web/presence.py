"""Who is at the other end: from sessions and bearer tokens to actors, always fresh, many at once."""

from collections.abc import Collection
from dataclasses import dataclass

from xenweb.accounts.policy import Actor
from xenweb.accounts.selectors import actors_of_sessions
from xenweb.accounts.services import actor_for_token


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


def actors_of(asked: Collection[Credentials]) -> dict[Credentials, Actor | None]:
    """Answer who is behind each of the credentials now; None once they have ended.

    Reads the sessions themselves and no cached user, so that signing out, a new
    password and a disabled account all count at once.
    """
    by_session = actors_of_sessions({each.session_key for each in asked if each.session_key and not each.token})
    return {each: actor_for_token(each.token) if each.token else by_session.get(each.session_key) for each in asked}
