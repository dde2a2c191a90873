"""Sign-ins: slowed down when they fail, and recorded however they end."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from xenweb.accounts.errors import SignInLimitedError
from xenweb.accounts.models import SignInAttempt, User
from xenweb.audit.services import record

WINDOW = timedelta(minutes=5)
MOST_BY_USERNAME = 10
MOST_BY_ADDRESS = 30


def _folded(username: str) -> str:
    clean = username.encode("utf-8", "replace").decode().replace("\x00", "")
    return clean.strip().casefold()[:150]


def _known(username: str) -> str:
    """Name an account that exists. Anything else may be a password in the wrong field."""
    name = username.encode("utf-8", "replace").decode().replace("\x00", "")
    return name if User.objects.filter(username=name).exists() else "(unknown name)"


def attempt_begin(username: str, address: str, request_id: str) -> int:
    """Count an attempt before its password is checked; answer its id.

    Raises SignInLimitedError once too many failed for the name or from the
    address. Only the attempt that reaches the limit is counted and recorded, so
    that a flood neither fills the history nor keeps the door shut.
    """
    now = timezone.now()
    attempt: SignInAttempt | None = None
    with transaction.atomic():
        SignInAttempt.objects.filter(at__lt=now - WINDOW).delete()
        by_username = SignInAttempt.objects.filter(username=_folded(username)).count()
        by_address = SignInAttempt.objects.filter(address=address).count()
        excess = max(by_username - MOST_BY_USERNAME, by_address - MOST_BY_ADDRESS)
        if excess <= 0:
            attempt = SignInAttempt.objects.create(username=_folded(username), address=address, at=now)
        if excess == 0:
            _record(username, "refused", "Too many sign-ins failed.", address, request_id)
    if attempt is None or excess == 0:
        seconds = int(WINDOW.total_seconds())
        msg = "Too many sign-ins failed. Wait five minutes, then try again."
        raise SignInLimitedError(msg, seconds=seconds)
    return attempt.pk


def sign_in_accept(username: str, attempt: int, address: str, request_id: str) -> None:
    """Record a success; it forgives this person's failures from this address."""
    with transaction.atomic():
        SignInAttempt.objects.filter(pk=attempt).delete()
        SignInAttempt.objects.filter(username=_folded(username), address=address).delete()
        _record(username, "allowed", "", address, request_id)


def sign_in_refuse(username: str, address: str, request_id: str) -> None:
    """Record a failure, without what was typed unless it names an account."""
    _record(username, "refused", "The name or the password was not right.", address, request_id)


def sign_out_record(username: str, address: str, request_id: str) -> None:
    """Record that somebody signed out."""
    _record(username, "allowed", "", address, request_id, action="sign_out")


def _record(
    username: str, outcome: str, reason: str, address: str, request_id: str, *, action: str = "sign_in"
) -> None:
    name = _known(username)
    record(
        actor=name,
        action=action,
        outcome=outcome,
        subject_kind="user",
        subject_id="",
        subject_name=name,
        reason=reason,
        facts={"address": address},
        request_id=request_id,
    )
