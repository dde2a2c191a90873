"""Make a crowd that is signed in: ``python -m tests.chaos.people NUMBER`` prints their cookies as JSON."""

import json
import sys
from datetime import timedelta

import django

django.setup()

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from xenweb.accounts.models import RoleBinding, Team, User
from xenweb.accounts.policy import Role


def make(number: int) -> list[str]:
    """Make so many people, leads of all the teams and auditors, each with a session of their own."""
    teams = list(Team.objects.all())
    made = User.objects.bulk_create(User(username=f"crowd-{place}", password=f"!{place}") for place in range(number))
    RoleBinding.objects.bulk_create(
        RoleBinding(user=user, role=Role.TEAM_LEAD, team=teams[place % len(teams)])
        if place % 3
        else RoleBinding(user=user, role=Role.AUDITOR)
        for place, user in enumerate(made)
    )
    sessions = [_session(user) for user in made]
    Session.objects.bulk_create(sessions)
    return [f"{settings.SESSION_COOKIE_NAME}={session.session_key}" for session in sessions]


def _session(user: User) -> Session:
    store = SessionStore()
    said = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
    return Session(
        session_key=store._get_new_session_key(),
        session_data=store.encode(said),
        expire_date=timezone.now() + timedelta(hours=1),
    )


if __name__ == "__main__":
    print(json.dumps(make(int(sys.argv[1]))))
