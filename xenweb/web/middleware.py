"""What every request and every answer gets, whatever view it meets."""

import re
import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

Handler = Callable[[HttpRequest], HttpResponse]

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")


def request_id_of(request: HttpRequest) -> str:
    """Answer the id that ties an answer, its log lines and its audit records together."""
    return str(request.META.get("xenweb.request_id", ""))


class RequestIdMiddleware:
    """Number each request; a well-formed id of a proxy in front is kept."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Put the id where request_id_of finds it, and into the answer."""
        offered = request.headers.get("X-Request-ID", "")
        request_id = offered if _WELL_FORMED.fullmatch(offered) else secrets.token_hex(8)
        request.META["xenweb.request_id"] = request_id
        response = self.get_response(request)
        response.headers["X-Request-ID"] = request_id
        return response


class PrivacyMiddleware:
    """Keep what is private out of every cache, and powers that nobody needs out of pages."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Set the headers; static files never get here, and stay cacheable."""
        response = self.get_response(request)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        return response
