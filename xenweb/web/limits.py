"""No body is larger than anything we take, whatever its headers say."""

from http import HTTPStatus

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    HTTPScope,
    Scope,
)

from xenweb.web.errors import MEDIA_TYPE, problem_bytes

LARGEST_BODY = 64 * 1024
LONGEST_LENGTH = 12


class BodyLimit:
    """Read each body up front, up to the limit, and answer 413 beyond it.

    Django would first write the whole body to a file; 64 KiB fit in memory.
    """

    def __init__(self, application: ASGI3Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Pass the request on with its body, or refuse it."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        body = None if _announces_too_much(scope) else await _read(receive)
        if body is None:
            await _refuse(send)
        else:
            await self.application(scope, _replay(body, receive), send)


def _announces_too_much(scope: HTTPScope) -> bool:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return any(not value.isdigit() or len(value) > LONGEST_LENGTH or int(value) > LARGEST_BODY for value in lengths)


async def _read(receive: ASGIReceiveCallable) -> bytes | None:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return body


def _replay(body: bytes, receive: ASGIReceiveCallable) -> ASGIReceiveCallable:
    pending = [body]

    async def replayed() -> ASGIReceiveEvent:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replayed


async def _refuse(send: ASGISendCallable) -> None:
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    body = problem_bytes(
        status,
        code="body_too_large",
        detail="The body is larger than 64 KiB.",
        remedy="Send only the fields of the schema.",
    )
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-store"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status.value, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
