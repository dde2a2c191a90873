"""The one place where refusals and failures become answers of HTTP (RFC 9457)."""

import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, InternalError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import ConfigDict, Field
from pydantic_core import to_json

from xenweb.core.placement import Fact
from xenweb.core.refusal import RefusalError, RefusalKind
from xenweb.drivers.contract import DriverError
from xenweb.realtime.wire import FindingWire, Wire, finding_wire
from xenweb.web.requests import request_id_of

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_STATUS: dict[RefusalKind, HTTPStatus] = {
    RefusalKind.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalKind.SIGNED_OUT: HTTPStatus.UNAUTHORIZED,
    RefusalKind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    RefusalKind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    RefusalKind.CONFLICT: HTTPStatus.CONFLICT,
    RefusalKind.UNPLACEABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalKind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}


class FieldFault(Wire):
    """One field that does not fit, and why."""

    field: str
    sentence: str


class Problem(Wire):
    """Why something was not done. ``request_id`` finds it in the logs.

    A 404 has no request id: what is unknown and what is another team's are
    answered with the same bytes.
    """

    model_config = ConfigDict(frozen=True, title="Problem")

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str
    facts: dict[str, Fact] = Field(default_factory=dict)
    findings: list[FindingWire] = Field(default_factory=list)
    errors: list[FieldFault] = Field(default_factory=list)
    request_id: str | None = None


def problem(
    request: HttpRequest,
    status: HTTPStatus,
    *,
    code: str,
    detail: str,
    remedy: str,
    facts: dict[str, Fact] | None = None,
    findings: list[FindingWire] | None = None,
    errors: list[FieldFault] | None = None,
) -> HttpResponse:
    """Shape one problem answer."""
    body = Problem(
        type=f"urn:xenweb:problem:{code}",
        title=status.phrase,
        status=status.value,
        detail=detail,
        code=code,
        remedy=remedy,
        facts=facts or {},
        findings=findings or [],
        errors=errors or [],
        request_id=None if status is HTTPStatus.NOT_FOUND else request_id_of(request),
    )
    response = HttpResponse(body.model_dump_json(), status=status.value, content_type=MEDIA_TYPE)
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="xenweb"'
    return response


def problem_bytes(status: HTTPStatus, *, code: str, detail: str, remedy: str) -> bytes:
    """Shape the body of a problem that is answered before there is a request."""
    body = {"type": f"urn:xenweb:problem:{code}", "title": status.phrase, "status": status.value}
    return to_json({**body, "detail": detail, "code": code, "remedy": remedy})


def of_refusal(request: HttpRequest, refusal: RefusalError) -> HttpResponse:
    """Answer a refusal of ours, its findings and facts included; one that names its field stands beside it."""
    field = refusal.facts.get("field")
    return problem(
        request,
        _STATUS[refusal.kind],
        code=refusal.code,
        detail=refusal.sentence,
        remedy=refusal.remedy,
        facts=refusal.facts,
        findings=[finding_wire(finding) for finding in refusal.findings],
        errors=[FieldFault(field=field, sentence=refusal.sentence)] if isinstance(field, str) else [],
    )


def of_driver(request: HttpRequest, error: DriverError) -> HttpResponse:
    """Answer that a hypervisor did not do what we needed of it."""
    return problem(
        request,
        HTTPStatus.BAD_GATEWAY,
        code=error.code,
        detail=error.sentence,
        remedy=error.remedy,
        facts=error.facts,
    )


def not_found(request: HttpRequest, _error: Exception | None = None) -> HttpResponse:
    """Answer that there is nothing at this address."""
    return problem(
        request,
        HTTPStatus.NOT_FOUND,
        code="not_found",
        detail="There is nothing at this address.",
        remedy="See /api/v1/openapi.json for the addresses that there are.",
    )


def too_large(request: HttpRequest, _error: Exception | None = None) -> HttpResponse:
    """Answer that the body is larger than anything we take."""
    return problem(
        request,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        code="body_too_large",
        detail="The body is larger than 64 KiB.",
        remedy="Send only the fields of the schema.",
    )


def not_json(request: HttpRequest) -> HttpResponse:
    """Answer that the body is not declared as JSON."""
    return problem(
        request,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        code="not_json",
        detail="Only bodies of the type application/json are read.",
        remedy="Send JSON, and say so in Content-Type.",
    )


def wrong_method(request: HttpRequest, allowed: str) -> HttpResponse:
    """Answer that this address exists, but not for this method."""
    response = problem(
        request,
        HTTPStatus.METHOD_NOT_ALLOWED,
        code="wrong_method",
        detail=f"This address takes {allowed}.",
        remedy="See /api/v1/openapi.json for what can be done here.",
    )
    response.headers["Allow"] = allowed
    return response


def unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    """Log an error that nobody foresaw, and answer without its insides."""
    log.error("request %s failed", request_id_of(request), exc_info=error)
    return problem(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        code="unexpected",
        detail="Something went wrong here, and it is not your fault.",
        remedy="Try again; if it stays, tell an administrator the request id.",
    )


def no_database(request: HttpRequest, error: Exception) -> HttpResponse:
    """Log that the database failed, and answer that what was asked for was not stored, and so is not done."""
    log.error("request %s met a database that fails: %s", request_id_of(request), error)
    return problem(
        request,
        HTTPStatus.SERVICE_UNAVAILABLE,
        code="database_unavailable",
        detail="The database does not answer or takes nothing just now. Nothing was begun.",
        remedy="Try again in a moment; if it stays, tell an administrator.",
    )


def _sentence(fault: dict[str, Any]) -> FieldFault:
    field = ".".join(str(part) for part in fault["loc"])
    return FieldFault(field=field[:200], sentence=str(fault["msg"])[:300])


def _of_validation(request: HttpRequest, error: ValidationError) -> HttpResponse:
    faults = [_sentence(fault) for fault in error.errors[:20]]
    return problem(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        code="invalid",
        detail="Some of the fields do not fit.",
        remedy="Correct the fields that the errors name.",
        errors=faults,
    )


def _of_suspicion(request: HttpRequest, _error: Exception) -> HttpResponse:
    return problem(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        code="invalid",
        detail="The request has more parts than any that we take.",
        remedy="Use only the parameters of the schema, each once.",
    )


def _of_http(request: HttpRequest, error: HttpError) -> HttpResponse:
    status = HTTPStatus(error.status_code)
    code = {HTTPStatus.BAD_REQUEST: "unreadable", HTTPStatus.FORBIDDEN: "forbidden"}.get(status, "refused")
    return problem(request, status, code=code, detail=str(error), remedy="Correct the request, then send it again.")


def signed_out(request: HttpRequest, _error: Exception | None = None) -> HttpResponse:
    """Answer that nobody is signed in."""
    return problem(
        request,
        HTTPStatus.UNAUTHORIZED,
        code="signed_out",
        detail="Nobody is signed in, or the token is not valid.",
        remedy="Sign in, or send a valid bearer token.",
    )


def handlers_install(api: NinjaAPI) -> None:
    """Make every error of an API leave through this file."""
    handlers: dict[type[Exception], Any] = {
        RefusalError: of_refusal,
        DriverError: of_driver,
        ValidationError: _of_validation,
        AuthenticationError: signed_out,
        HttpError: _of_http,
        RequestDataTooBig: too_large,
        SuspiciousOperation: _of_suspicion,
        Http404: not_found,
        OperationalError: no_database,
        InternalError: no_database,
        InterfaceError: no_database,
        Exception: unexpected,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)
