"""Guessing passwords is slow, and every sign-in is in the history."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.board import person
from xenweb.accounts import sign_in
from xenweb.accounts.errors import SignInLimitedError
from xenweb.accounts.models import SignInAttempt
from xenweb.accounts.policy import Role
from xenweb.audit.models import AuditRecord

pytestmark = pytest.mark.django_db


def fail(times: int, username: str = "ada", address: str = "192.0.2.1") -> None:
    for _ in range(times):
        sign_in.attempt_begin(username, address, "")


def test_too_many_failures_close_the_door_to_an_account_from_everywhere() -> None:
    for number in range(sign_in.MOST_BY_USERNAME):
        fail(1, address=f"192.0.2.{number}")
    with pytest.raises(SignInLimitedError):
        fail(1, username="ADA", address="198.51.100.1")
    fail(1, username="bob", address="198.51.100.1")


def test_too_many_failures_close_the_door_to_an_address_for_every_name() -> None:
    for number in range(sign_in.MOST_BY_ADDRESS):
        fail(1, username=f"user {number}")
    with pytest.raises(SignInLimitedError):
        fail(1, username="somebody else")
    fail(1, username="somebody else", address="198.51.100.1")


def test_a_flood_neither_fills_the_history_nor_keeps_the_door_shut() -> None:
    fail(sign_in.MOST_BY_USERNAME)
    for _ in range(50):
        with pytest.raises(SignInLimitedError):
            fail(1)
    assert AuditRecord.objects.count() == 1
    SignInAttempt.objects.update(at=timezone.now() - sign_in.WINDOW - timedelta(seconds=1))
    fail(1)


def test_a_success_forgives_the_failures_before_it() -> None:
    person("ada", Role.AUDITOR)
    for _ in range(5):
        fail(sign_in.MOST_BY_USERNAME - 1)
        attempt = sign_in.attempt_begin("ada", "192.0.2.1", "")
        sign_in.sign_in_accept("ada", attempt, "192.0.2.1", "")
    assert SignInAttempt.objects.count() == 0


def test_what_was_typed_is_recorded_only_if_it_names_an_account() -> None:
    person("ada", Role.AUDITOR)
    sign_in.sign_in_refuse("ada", "192.0.2.1", "")
    sign_in.sign_in_refuse("my secret password", "192.0.2.1", "")
    sign_in.sign_in_refuse("\x00\ud800", "192.0.2.1", "")
    assert list(AuditRecord.objects.values_list("actor", flat=True)) == ["ada", "(unknown name)", "(unknown name)"]
