"""Who is signed in with a session: the same answer as Django's own, for many at once."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from xenweb.accounts.models import RoleBinding, User
from xenweb.accounts.policy import Role
from xenweb.accounts.selectors import actor_for, actors_of_sessions

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


def somebody(name: str) -> User:
    user = User.objects.create_user(name, password="a long enough word")
    RoleBinding.objects.create(user=user, role=Role.AUDITOR)
    return user


def session_of(user: User, **changed: Any) -> str:
    """Sign somebody in, with some of what the session says changed."""
    store = SessionStore()
    said = {SESSION_KEY: str(user.pk), BACKEND_SESSION_KEY: BACKEND, HASH_SESSION_KEY: user.get_session_auth_hash()}
    for name, value in {**said, **changed}.items():
        store[name] = value
    store.create()
    return str(store.session_key)


def is_known_to_django(key: str) -> bool:
    return bool(get_user(cast("Any", SimpleNamespace(session=SessionStore(key), META={}))).is_authenticated)


def test_each_session_is_its_own_persons_in_three_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    people = [somebody(f"person-{number}") for number in range(5)]
    keys = {session_of(user): user for user in people}
    with django_assert_num_queries(3):
        found = actors_of_sessions(set(keys))
    assert found == {key: actor_for(user.pk) for key, user in keys.items()}


@pytest.mark.parametrize(
    "changed",
    [
        {HASH_SESSION_KEY: "0" * 64},
        {HASH_SESSION_KEY: ""},
        {BACKEND_SESSION_KEY: "somebody.elses.Backend"},
        {SESSION_KEY: "999999"},
    ],
)
def test_a_session_that_proves_nobody_is_nobodys(changed: dict[str, str]) -> None:
    key = session_of(somebody("person"), **changed)
    assert actors_of_sessions({key}) == {}
    assert not is_known_to_django(key)


@pytest.mark.parametrize("end", ["signed out", "expired", "disabled", "a new password", "damaged"])
def test_a_session_that_has_ended_is_nobodys_at_the_next_look(end: str) -> None:
    user = somebody("person")
    key = session_of(user)
    assert set(actors_of_sessions({key})) == {key}
    assert is_known_to_django(key)
    rows = Session.objects.filter(session_key=key)
    if end == "signed out":
        rows.delete()
    elif end == "expired":
        rows.update(expire_date=timezone.now() - timedelta(seconds=1))
    elif end == "disabled":
        User.objects.filter(pk=user.pk).update(is_active=False)
    elif end == "a new password":
        user.set_password("another long enough word")
        user.save()
    else:
        rows.update(session_data="bm90IG91cnM:nothing:signed")
    assert actors_of_sessions({key}) == {}
    assert not is_known_to_django(key)
