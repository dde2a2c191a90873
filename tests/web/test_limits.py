"""No body is larger than 64 KiB, whether it says so or not."""

import json

import pytest
from asgiref.testing import ApplicationCommunicator

from xenweb.web.limits import LARGEST_BODY, BodyLimit

pytestmark = pytest.mark.asyncio


async def echo(_scope, receive, send) -> None:
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(len(message["body"])).encode()})


async def answer(chunks: list[bytes], headers: list[tuple[bytes, bytes]]) -> tuple[int, bytes]:
    client = ApplicationCommunicator(BodyLimit(echo), {"type": "http", "headers": headers})
    for number, chunk in enumerate(chunks):
        await client.send_input({"type": "http.request", "body": chunk, "more_body": number < len(chunks) - 1})
    start, body = await client.receive_output(), await client.receive_output()
    return start["status"], body["body"]


async def test_a_body_at_the_limit_arrives_whole_however_it_was_cut() -> None:
    assert await answer([b"x" * LARGEST_BODY], []) == (200, str(LARGEST_BODY).encode())
    assert await answer([b"x" * 10, b"", b"x" * 10], []) == (200, b"20")
    assert await answer([b""], []) == (200, b"0")


async def test_a_larger_body_is_refused_even_if_nothing_announced_it() -> None:
    status, body = await answer([b"x" * 40_000, b"x" * 40_000, b""], [])
    assert status == 413
    assert json.loads(body)["code"] == "body_too_large"


@pytest.mark.parametrize("length", [b"65537", b"1000000000", b"-1", b"x", b"9" * 40, b"0x10"])
async def test_a_body_that_announces_too_much_or_nonsense_is_refused_unread(length: bytes) -> None:
    status, _ = await answer([], [(b"content-length", length)])
    assert status == 413
