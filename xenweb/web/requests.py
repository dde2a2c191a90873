"""What a request carries beside its body."""

from django.http import HttpRequest


def request_id_of(request: HttpRequest) -> str:
    """Answer the id that ties an answer, its log lines and its audit records together."""
    return str(request.META.get("xenweb.request_id", ""))


def address_of(request: HttpRequest) -> str:
    """Answer the address at the other end, as the server in front of us vouches for it."""
    return str(request.META.get("REMOTE_ADDR") or "unknown")[:64]
