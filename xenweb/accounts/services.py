"""Write people: get-or-create, so that seeding twice changes nothing."""

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from xenweb.accounts.errors import NobodyNamedError
from xenweb.accounts.models import ApiToken, RoleBinding, Team, User
from xenweb.accounts.policy import Actor, Role
from xenweb.accounts.selectors import actor_for

_MARK = "xw"
_LAST_USE_PRECISION = timedelta(minutes=1)


def user_create(username: str, password: str, name: str = "") -> int:
    """Make a user unless the name is taken; answer the id either way.

    The password of a user who is already there stays what it is.
    """
    with transaction.atomic():
        user, made = User.objects.get_or_create(username=username, defaults={"first_name": name[:150]})
        if made:
            user.set_password(password)
            user.save(update_fields=["password"])
    return user.id


def user_disable(username: str) -> None:
    """Close the door to a user; open sockets end within seconds."""
    _activity_set(username, is_active=False)


def user_enable(username: str) -> None:
    """Open the door again to a user."""
    _activity_set(username, is_active=True)


def _activity_set(username: str, *, is_active: bool) -> None:
    if not User.objects.filter(username=username).update(is_active=is_active):
        msg = f"There is no user {username}."
        raise NobodyNamedError(msg, username=username)


def team_create(name: str) -> int:
    """Make a team unless it is there; answer its id either way."""
    team, _ = Team.objects.get_or_create(name=name)
    return team.id


def role_bind(username: str, role: str, team_name: str | None = None) -> None:
    """Give a user a role; a team lead's needs the team's name."""
    user = User.objects.filter(username=username).first()
    if user is None:
        msg = f"There is no user {username}."
        raise NobodyNamedError(msg, username=username)
    team = None
    if team_name is not None:
        team = Team.objects.filter(name=team_name).first()
        if team is None:
            msg = f"There is no team {team_name}."
            raise NobodyNamedError(msg, team=team_name)
    RoleBinding.objects.get_or_create(user=user, role=Role(role).value, team=team)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def token_create(actor: Actor, name: str, days: int) -> str:
    """Make a token that acts as ``actor`` for so many days; answer it, the only time it is shown.

    The secret has 256 random bits, so a fast hash is enough to keep it.
    """
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    now = timezone.now()
    ApiToken.objects.create(
        user_id=actor.user_id,
        name=name,
        prefix=prefix,
        sha256=_digest(secret),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    return f"{_MARK}_{prefix}_{secret}"


def actor_for_token(plaintext: str) -> Actor | None:
    """Answer whom a token acts for; None if it is unknown, expired or its user disabled."""
    mark, _, rest = plaintext.partition("_")
    prefix, _, secret = rest.partition("_")
    if mark != _MARK or not secret or not prefix.isalnum() or not secret.isascii():
        return None
    token = ApiToken.objects.filter(prefix=prefix).first()
    now = timezone.now()
    if token is None or not hmac.compare_digest(token.sha256, _digest(secret)) or token.expires_at <= now:
        return None
    if token.last_used_at is None or now - token.last_used_at > _LAST_USE_PRECISION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return actor_for(token.user_id)
