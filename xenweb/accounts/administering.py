"""What an administrator does about people: each is judged, checked, stored and recorded.

Nothing is done twice in silence: who is there already is refused, with a sentence.
"""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import models, transaction

from xenweb.accounts.errors import AccountsForbiddenError, AccountsInvalidError, NobodyNamedError, TakenError
from xenweb.accounts.models import ApiToken, RoleBinding, Team, User
from xenweb.accounts.policy import Action, Actor, Role, decide
from xenweb.accounts.selectors import actor_for
from xenweb.accounts.services import role_bind, team_create, token_create, user_disable, user_enable
from xenweb.audit.services import record, refusals_recorded
from xenweb.core.placement import Fact

LONGEST_NAME = 150
LONGEST_TOKEN_LIFE = 366
"""Days; a token that must live longer is made anew each year."""


def console_actor() -> Actor:
    """Answer the person at the console: who may start our commands holds the database and its keys, so all of it.

    No user can be called so, because no user name has a colon.
    """
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return Actor(0, f"console:{name}", name, frozenset({Role.ADMINISTRATOR}), frozenset(), ())


def user_add(by: Actor, username: str, password: str, name: str = "") -> None:
    """Make a user who may sign in and has no role yet. Raises TakenError or AccountsInvalidError."""
    with administering(by, Action.MANAGE_PEOPLE, "user_add", "user", username, name=name):
        if User.objects.filter(username__iexact=username).exists():
            msg = f"There is a user {username} already."
            raise TakenError(msg)
        user = User(username=username, first_name=name)
        _check(user, password)
        user.set_password(password)
        user.save()


def _check(user: User, password: str) -> None:
    try:
        user.clean_fields(exclude=["password"])
        validate_password(password, user)
    except ValidationError as error:
        raise AccountsInvalidError(" ".join(error.messages)) from None


def password_set(by: Actor, username: str, password: str) -> None:
    """Give a user another password; whatever was signed in with the old one ends within seconds.

    Raises NobodyNamedError or AccountsInvalidError.
    """
    with administering(by, Action.MANAGE_PEOPLE, "password_set", "user", username):
        user = User.objects.filter(username=username).first()
        if user is None:
            msg = f"There is no user {username}."
            raise NobodyNamedError(msg)
        _check(user, password)
        user.set_password(password)
        user.save(update_fields=["password"])


def user_close(by: Actor, username: str) -> None:
    """Close the door to a user; open sockets end within seconds. Raises NobodyNamedError."""
    with administering(by, Action.MANAGE_PEOPLE, "user_disable", "user", username):
        user_disable(username)


def user_open(by: Actor, username: str) -> None:
    """Open the door again to a user whom it was closed to. Raises NobodyNamedError."""
    with administering(by, Action.MANAGE_PEOPLE, "user_enable", "user", username):
        user_enable(username)


def team_add(by: Actor, name: str) -> None:
    """Make a team. Raises TakenError or AccountsInvalidError."""
    with administering(by, Action.MANAGE_PEOPLE, "team_add", "team", name):
        if not name.strip() or len(name) > LONGEST_NAME:
            msg = f"A team's name has between 1 and {LONGEST_NAME} characters."
            raise AccountsInvalidError(msg)
        if Team.objects.filter(name=name).exists():
            msg = f"There is a team {name} already."
            raise TakenError(msg)
        team_create(name)


def role_give(by: Actor, username: str, role: Role, team: str | None = None) -> None:
    """Give a user a role. Raises NobodyNamedError, AccountsInvalidError or TakenError."""
    with administering(by, Action.MANAGE_PEOPLE, "role_give", "user", username, role=role.value, team=team):
        _check_team(role, team)
        if _bindings(username, role, team).exists():
            msg = f"{username} has that role already."
            raise TakenError(msg)
        role_bind(username, role, team)


def role_take(by: Actor, username: str, role: Role, team: str | None = None) -> None:
    """Take a role from a user; what is open ends within seconds. Raises NobodyNamedError or AccountsInvalidError."""
    with administering(by, Action.MANAGE_PEOPLE, "role_take", "user", username, role=role.value, team=team):
        _check_team(role, team)
        if not _bindings(username, role, team).delete()[0]:
            msg = f"There is no user {username} with that role."
            raise NobodyNamedError(msg)


def token_issue(by: Actor, username: str, name: str, days: int) -> str:
    """Make a token that acts as a user for so many days; answer it, the only time it is shown.

    Raises NobodyNamedError or AccountsInvalidError.
    """
    with administering(by, Action.MANAGE_PEOPLE, "token_issue", "user", username, token=name, days=days):
        if not name or len(name) > LONGEST_NAME or not 1 <= days <= LONGEST_TOKEN_LIFE:
            msg = f"A token has a name of 1 to {LONGEST_NAME} characters and lives 1 to {LONGEST_TOKEN_LIFE} days."
            raise AccountsInvalidError(msg)
        user = User.objects.filter(username=username).first()
        actor = None if user is None else actor_for(user.pk)
        if actor is None:
            msg = f"There is no user {username} who may sign in."
            raise NobodyNamedError(msg)
        return token_create(actor, name, days)


def token_revoke(by: Actor, prefix: str) -> None:
    """End a token before its time; what is open with it ends within seconds. Raises NobodyNamedError."""
    token = ApiToken.objects.select_related("user").filter(prefix=prefix).first()
    subject, name = ("", "") if token is None else (token.user.username, token.name)
    with administering(by, Action.MANAGE_PEOPLE, "token_revoke", "user", subject, token=name, prefix=prefix):
        if token is None:
            msg = f"There is no token {prefix}."
            raise NobodyNamedError(msg)
        token.delete()


def _check_team(role: Role, team: str | None) -> None:
    if (role is Role.TEAM_LEAD) is (team is None):
        msg = "The role team_lead needs a team, and no other role has one."
        raise AccountsInvalidError(msg)


def _bindings(username: str, role: Role, team: str | None) -> "models.QuerySet[RoleBinding]":
    rows = RoleBinding.objects.filter(user__username=username, role=role.value)
    return rows.filter(team=None) if team is None else rows.filter(team__name=team)


@contextmanager
def administering(by: Actor, right: Action, action: str, kind: str, subject: str, **facts: Fact) -> Iterator[None]:
    """Judge, then keep what is done inside together with its record; a refusal is recorded and changes nothing.

    Raises AccountsForbiddenError.
    """
    with refusals_recorded(by.username, action, kind, subject, "", **facts):
        verdict = decide(by, right)
        if not verdict.allowed:
            raise AccountsForbiddenError(verdict.reason)
        with transaction.atomic():
            yield
            record(
                actor=by.username,
                action=action,
                outcome="allowed",
                subject_kind=kind,
                subject_id=subject,
                subject_name=subject,
                facts=facts,
            )
