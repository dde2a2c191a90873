"""Bearer tokens: shown once, and dead when they should be."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.board import person
from xenweb.accounts import services
from xenweb.accounts.models import ApiToken
from xenweb.accounts.policy import Role

pytestmark = pytest.mark.django_db


def test_a_token_acts_for_its_user_and_is_not_kept() -> None:
    ada = person("ada", Role.ADMINISTRATOR)
    token = services.token_create(ada, "script", 1)
    assert services.actor_for_token(token) == ada
    row = ApiToken.objects.get()
    assert token.split("_", 2)[2] not in f"{row.__dict__}"
    assert row.last_used_at is not None


def test_an_expired_token_is_nobody() -> None:
    token = services.token_create(person("ada", Role.ADMINISTRATOR), "script", 1)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert services.actor_for_token(token) is None


def test_the_token_of_a_disabled_user_is_nobody() -> None:
    token = services.token_create(person("ada", Role.ADMINISTRATOR), "script", 1)
    services.user_disable("ada")
    assert services.actor_for_token(token) is None


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "x", lambda t: t.upper(), lambda t: "xw_" + t])
def test_a_token_that_is_almost_right_is_nobody(change) -> None:
    token = services.token_create(person("ada", Role.ADMINISTRATOR), "script", 1)
    assert services.actor_for_token(change(token)) is None


@pytest.mark.parametrize("token", ["", "x", "xw", "xw_", "xw__", "xw_a_b", "xw_%_b", "xw_\x00_b", "Bearer", "xw_é_é"])
def test_what_is_no_token_is_nobody(token: str) -> None:
    assert services.actor_for_token(token) is None
