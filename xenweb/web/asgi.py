"""The door of the web edge: HTTP to Django, the one socket to the board."""

import os
from typing import TYPE_CHECKING, Any, cast

from django.core.asgi import get_asgi_application

if TYPE_CHECKING:
    from asgiref.typing import ASGI3Application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xenweb.settings")
_django = get_asgi_application()

from channels.sessions import CookieMiddleware  # noqa: E402

from xenweb.web.consumers import BoardConsumer  # noqa: E402
from xenweb.web.limits import BodyLimit  # noqa: E402

_http = BodyLimit(cast("ASGI3Application", _django))
_board = CookieMiddleware(BoardConsumer.as_asgi())


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Route one connection; a socket anywhere else is refused."""
    if scope["type"] == "http":
        await _http(scope, receive, send)
    elif scope["type"] == "websocket" and scope["path"] == "/ws/board":
        await _board(scope, receive, send)
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4404})
