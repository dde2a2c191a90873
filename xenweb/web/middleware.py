"""What every request and every answer gets, whatever view it meets."""

import re
import secrets
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from xenweb.web import errors

Handler = Callable[[HttpRequest], HttpResponse]

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")


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


class ApiMiddleware:
    """Hold the API's addresses to JSON, in what they take and in how they refuse."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Refuse bodies that are not JSON, and give a wrong method a problem body."""
        if not request.path.startswith("/api/"):
            return self.get_response(request)
        has_body = request.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in request.headers
        if has_body and request.content_type != "application/json":
            return errors.not_json(request)
        response = self.get_response(request)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return errors.wrong_method(request, response.headers["Allow"])
        return response
