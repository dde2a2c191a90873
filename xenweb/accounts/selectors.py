"""Read people: always fresh, because rights may be gone since the last look."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import chain

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from xenweb.accounts.models import ApiToken, RoleBinding, Team, User
from xenweb.accounts.policy import Actor, Role


def actor_for(user_id: int) -> Actor | None:
    """Build the actor of a user, in two queries; None for one disabled or gone."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return None if user is None else _actors([user])[user.pk]


def _actors(users: Collection[User]) -> dict[int, Actor]:
    bindings: dict[int, list[RoleBinding]] = defaultdict(list)
    for binding in RoleBinding.objects.filter(user_id__in=[user.pk for user in users]).select_related("team"):
        bindings[binding.user_id].append(binding)
    return {user.pk: _actor(user, bindings[user.pk]) for user in users}


def _actor(user: User, bindings: Iterable[RoleBinding]) -> Actor:
    led = {binding.team.id: binding.team.name for binding in bindings if binding.team is not None}
    return Actor(
        user_id=user.id,
        username=user.username,
        name=user.get_full_name() or user.username,
        roles=frozenset(Role(binding.role) for binding in bindings),
        team_ids=frozenset(led),
        team_names=tuple(sorted(led.values())),
    )


def actors_of_sessions(keys: Collection[str]) -> dict[str, Actor]:
    """Answer who is signed in with each of many sessions, in three queries; one that has ended is left out.

    By the same rules as Django's ``get_user``: the session lives, its backend is still
    one of ours, and its hash fits the password that the user has now.
    """
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    claims = {key: _claim(data) for key, data in rows.values_list("session_key", "session_data")}
    users = User.objects.in_bulk({claim.user_id for claim in claims.values() if claim is not None})
    present = {
        key: user
        for key, claim in claims.items()
        if claim is not None and (user := users.get(claim.user_id)) is not None and _is_signed_in(user, claim)
    }
    actors = _actors(set(present.values()))
    return {key: actors[user.pk] for key, user in present.items()}


@dataclass(frozen=True, slots=True)
class _Claim:
    """Whom a session says it is of, and the hash by which it is proven."""

    user_id: int
    proof: str = field(repr=False)


@lru_cache(maxsize=4096)
def _claim(data: str) -> _Claim | None:
    said = SessionStore().decode(data)
    user_id, proof = str(said.get(SESSION_KEY, "")), said.get(HASH_SESSION_KEY)
    is_ours = said.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS
    return _Claim(int(user_id), str(proof)) if is_ours and proof and user_id.isdecimal() else None


def _is_signed_in(user: User, claim: _Claim) -> bool:
    hashes = chain([user.get_session_auth_hash()], user.get_session_auth_fallback_hash())
    return user.is_active and any(constant_time_compare(claim.proof, each) for each in hashes)


@dataclass(frozen=True, slots=True)
class TokenShown:
    """What may be told of a bearer token: whose it is and what for, by its ``prefix``, never the token itself."""

    prefix: str
    username: str
    name: str
    expires_at: datetime
    last_used_at: datetime | None


def tokens_shown() -> list[TokenShown]:
    """List all bearer tokens, the expired ones too, by user and name."""
    rows = ApiToken.objects.order_by("user__username", "name", "prefix")
    return [
        TokenShown(*each) for each in rows.values_list("prefix", "user__username", "name", "expires_at", "last_used_at")
    ]


def team_names() -> dict[int, str]:
    """Map each team's id to its name."""
    return dict(Team.objects.values_list("id", "name"))


def user_id_by_name(username: str) -> int | None:
    """Answer the id of the user so named, or None."""
    return User.objects.filter(username=username).values_list("id", flat=True).first()
