"""A socket for tests, straight at the ASGI application.

channels' own communicator would do, but importing it needs an ASGI server that
we do not have.
"""

from asgiref.testing import ApplicationCommunicator

Headers = list[tuple[bytes, bytes]]


class Socket(ApplicationCommunicator):
    """One WebSocket connection."""

    def __init__(self, application: object, address: str, headers: Headers) -> None:
        path, _, query = address.partition("?")
        scope = {
            "type": "websocket",
            "scheme": "ws",
            "path": path,
            "query_string": query.encode(),
            "headers": headers,
            "subprotocols": [],
        }
        super().__init__(application, scope)

    async def opened(self) -> bool:
        """Ask for the socket; say whether it was let in."""
        await self.send_input({"type": "websocket.connect"})
        return bool((await self.receive_output(3))["type"] == "websocket.accept")

    async def say(self, text: str | None = None, data: bytes | None = None) -> None:
        """Send one frame."""
        await self.send_input({"type": "websocket.receive", "text": text, "bytes": data})

    async def heard(self) -> str:
        """Wait for one frame of text."""
        message = await self.receive_output(3)
        assert message["type"] == "websocket.send", message
        return str(message["text"])
