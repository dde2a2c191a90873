"""The socket of the board: who may open it, what it tells, and when it ends."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import override_settings

from tests.board import make_board
from tests.web.sockets import Socket
from tests.web.world import World, make_world
from xenweb.accounts import services as accounts
from xenweb.accounts.models import RoleBinding, User
from xenweb.inventory import wiring
from xenweb.inventory.selectors import visible_vms
from xenweb.inventory.services import vm_assign_team
from xenweb.livemigration import services
from xenweb.realtime.events import FRAME, EventFrame, HelloFrame, ResyncFrame, VmChanged, VmRemoved
from xenweb.realtime.models import StoredEvent
from xenweb.realtime.publish import publish
from xenweb.realtime.selectors import head
from xenweb.web import consumers, doorbell, feed
from xenweb.web.asgi import application

pytestmark = pytest.mark.asyncio
OURS = "http://testserver"


@pytest.fixture
def world(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose transactions really commit; sockets look more often than in life."""
    del transactional_db
    monkeypatch.setattr(services, "enqueue", lambda _migration: None)
    monkeypatch.setattr(doorbell, "LOOK_EVERY", 0.2)
    monkeypatch.setattr(consumers, "FRESH_FOR", 0.0)
    return make_world(make_board(monkeypatch))


class Reader:
    """One browser's socket."""

    def __init__(self, world: World, who: str, query: str = "", origin: str | None = OURS, **headers: str) -> None:
        self.client = world.browser(who) if who else None
        sent = {"host": "testserver", **headers}
        if origin is not None:
            sent["origin"] = origin
        if self.client is not None:
            sent["cookie"] = f"{settings.SESSION_COOKIE_NAME}={self.client.session.session_key}"
        pairs = [(name.encode(), value.encode()) for name, value in sent.items()]
        self.socket = Socket(application, f"/ws/board{query}", pairs)

    async def opened(self) -> "Reader":
        """Open it; fail if it is refused."""
        assert await self.socket.opened()
        return self

    async def frame(self) -> Any:
        """Wait for one frame."""
        return FRAME.validate_json(await self.socket.heard())

    async def frames_until(self, kind: type[Any]) -> list[Any]:
        """Collect events until one of a kind has come."""
        events: list[Any] = []
        while not events or not isinstance(events[-1], kind):
            frame = await self.frame()
            if isinstance(frame, EventFrame):
                events.append(frame.event)
        return events

    async def closed_with(self) -> int:
        """Wait for the end; answer its code."""
        while True:
            message = await self.socket.receive_output(timeout=3)
            if message["type"] == "websocket.close":
                return int(message["code"])

    async def silent(self) -> bool:
        """Say whether nothing comes for a while."""
        return bool(await self.socket.receive_nothing(timeout=0.6, interval=0.05))


def later(function: Callable[..., Any]) -> Callable[..., Any]:
    return sync_to_async(function)


async def reader(world: World, who: str, query: str = "", **more: Any) -> Reader:
    return await sync_to_async(Reader)(world, who, query, **more)


def change(world: World) -> None:
    """Tell that Shop's VM changed."""
    vm = visible_vms(world.board.admin).get(pk=world.board.vm.pk)
    publish(VmChanged(vm=wiring.vm_wire(vm)), team=vm.team_id)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "http://evil.example",
        "http://testserver.evil.example",
        "http://sub.testserver",
        "http://testserver:8001",
        "https://testserver",
        "http://testserver/",
        "http://evil@testserver",
        "file://",
        "testserver",
        "*",
    ],
)
async def test_a_missing_or_foreign_origin_is_refused(world: World, origin: str | None) -> None:
    socket = await reader(world, "admin", origin=origin)
    assert not await socket.socket.opened()


async def test_a_host_that_is_not_ours_does_not_make_its_own_origin_right(world: World) -> None:
    socket = await reader(world, "admin", origin="http://evil.example", host="evil.example")
    assert not await socket.socket.opened()


async def test_a_named_origin_is_let_in(world: World) -> None:
    with override_settings(XENWEB_ORIGINS=["https://xenweb.example:8443"]):
        await (await reader(world, "admin", origin="https://xenweb.example:8443")).opened()


async def test_nobody_signed_in_is_told_so_by_4401(world: World) -> None:
    socket = await (await reader(world, "")).opened()
    assert await socket.closed_with() == 4401


async def test_a_person_without_a_role_is_told_so_by_4403(world: World) -> None:
    socket = await (await reader(world, "nobody")).opened()
    assert await socket.closed_with() == 4403


async def test_a_program_may_listen_with_its_token(world: World) -> None:
    token = await later(accounts.token_create)(world.board.admin, "listener", 1)
    socket = await (await reader(world, "", authorization=f"Bearer {token}")).opened()
    assert isinstance(await socket.frame(), HelloFrame)


async def test_a_socket_anywhere_else_is_refused() -> None:
    assert not await Socket(application, "/ws/else", [(b"origin", OURS.encode())]).opened()


async def test_a_new_reader_is_greeted_with_the_newest_sequence(world: World) -> None:
    socket = await (await reader(world, "admin")).opened()
    assert await socket.frame() == HelloFrame(sequence=await later(head)())


async def test_each_event_names_the_one_before_it(world: World) -> None:
    since = await later(head)()
    socket = await (await reader(world, "admin", f"?since={since}")).opened()
    assert await socket.frame() == HelloFrame(sequence=since)
    last = since
    for _ in range(3):
        await later(change)(world)
        frame = await socket.frame()
        assert frame.previous == last
        last = frame.sequence


@pytest.mark.fault("F17", oracle="the socket itself: all that was missed, in order")
async def test_whoever_was_away_gets_what_was_missed(world: World) -> None:
    since = await later(head)()
    migration = await later(world.move)()
    socket = await (await reader(world, "lead", f"?since={since}")).opened()
    events = await socket.frames_until(VmChanged)
    assert any(event.vm.migration == migration.id for event in events if isinstance(event, VmChanged))


@pytest.mark.parametrize("since", ["999999", "9223372036854775807", "0"])
async def test_a_sequence_from_the_future_or_from_too_long_ago_asks_for_a_resync(world: World, since: str) -> None:
    await later(lambda: StoredEvent.objects.filter(sequence__lte=3).delete())()
    socket = await (await reader(world, "admin", f"?since={since}")).opened()
    newest = await later(head)()
    assert await socket.frame() == HelloFrame(sequence=newest)
    assert isinstance(await socket.frame(), ResyncFrame)


@pytest.mark.parametrize("since", ["", "-1", "x", "1e3", "٣", "1&since=x", "9" * 40])
async def test_a_since_that_is_no_sequence_begins_at_the_newest(world: World, since: str) -> None:
    socket = await (await reader(world, "admin", f"?since={since}")).opened()
    assert await socket.frame() == HelloFrame(sequence=await later(head)())


async def test_a_lead_of_another_team_hears_nothing(world: World) -> None:
    socket = await (await reader(world, "stranger")).opened()
    await socket.frame()
    await later(world.move)()
    await later(change)(world)
    assert await socket.silent()


async def test_an_auditor_hears_everything_and_is_offered_nothing(world: World) -> None:
    socket = await (await reader(world, "auditor")).opened()
    await socket.frame()  # from here on
    await later(world.move)()
    await later(change)(world)
    events = await socket.frames_until(VmChanged)
    for event in events:
        text = event.model_dump_json()
        assert '"may_move":true' not in text
        assert '"cancellable":true' not in text


async def test_two_readers_are_each_told_what_they_themselves_may(world: World) -> None:
    lead, auditor = await reader(world, "lead"), await reader(world, "auditor")
    for socket in (lead, auditor):
        await socket.opened()
        await socket.frame()
    await later(change)(world)
    told = [(await socket.frames_until(VmChanged))[-1].vm.may_move for socket in (lead, auditor)]
    assert told == [True, False]


@pytest.mark.fault("F41", oracle="two sockets: gone on the one, there on the other")
async def test_a_vm_that_changes_its_team_vanishes_for_one_and_appears_for_the_other(world: World) -> None:
    old, new = await reader(world, "lead"), await reader(world, "stranger")
    for socket in (old, new):
        await socket.opened()
        await socket.frame()
    await later(vm_assign_team)(world.board.vm.uuid, await later(accounts.team_create)("Data"))
    assert (await old.frames_until(VmRemoved))[-1].vm_id == world.board.vm.pk
    assert (await new.frames_until(VmChanged))[-1].vm.id == world.board.vm.pk
    await later(change)(world)
    assert await old.silent()


@pytest.mark.fault("F47", oracle="the socket itself: few frames, the newest last")
async def test_a_flood_comes_as_few_frames_that_end_with_the_newest(world: World) -> None:
    since = await later(head)()
    await later(lambda: [change(world) for _ in range(200)])()
    socket = await (await reader(world, "admin", f"?since={since}")).opened()
    await socket.frame()
    frame = await socket.frame()
    assert frame.previous == since
    assert frame.sequence == since + 200
    assert await socket.silent()


@pytest.mark.fault("F48", oracle="the socket itself: the change came without any group")
async def test_a_change_is_told_even_if_no_doorbell_rang(world: World) -> None:
    socket = await (await reader(world, "admin")).opened()
    await socket.frame()
    with override_settings(CHANNEL_LAYERS={}):
        await later(change)(world)
    assert isinstance(await socket.frame(), EventFrame)


async def test_the_board_stays_live_while_redis_is_away(world: World) -> None:
    nowhere = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": ["unix:///nowhere"]}}
    with override_settings(CHANNEL_LAYERS={"default": nowhere}):
        socket = await (await reader(world, "admin")).opened()
        await socket.frame()
        await later(change)(world)
        assert isinstance(await socket.frame(), EventFrame)


async def test_events_that_were_dropped_in_between_ask_for_a_resync(world: World) -> None:
    since = await later(head)()
    await later(lambda: [change(world), change(world)])()
    await later(lambda: StoredEvent.objects.filter(sequence=since + 1).delete())()
    batch = (await later(feed.batches)([since]))[since]
    assert feed.step(world.board.admin, batch, since, since) is None
    socket = await (await reader(world, "admin", f"?since={since}")).opened()
    await socket.frame()
    assert isinstance(await socket.frame(), ResyncFrame)


async def test_a_feed_that_breaks_ends_the_socket_instead_of_falling_silent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError

    socket = await (await reader(world, "admin")).opened()
    await socket.frame()
    monkeypatch.setattr(feed, "step", broken)
    assert await socket.closed_with() == 1011


@pytest.mark.fault("F42", oracle="the socket itself: closed with 4401")
async def test_signing_out_elsewhere_ends_the_socket(world: World) -> None:
    socket = await (await reader(world, "admin")).opened()
    await socket.frame()
    assert socket.client is not None
    await later(socket.client.logout)()
    assert await socket.closed_with() == 4401


@pytest.mark.fault("F42", oracle="the socket itself: closed with 4401")
async def test_disabling_a_user_ends_the_socket(world: World) -> None:
    socket = await (await reader(world, "lead")).opened()
    await socket.frame()
    await later(accounts.user_disable)("lead-shop")
    assert await socket.closed_with() == 4401


async def test_a_new_password_ends_the_sockets_of_the_old_one(world: World) -> None:
    def change_password() -> None:
        user = User.objects.get(username="lead-shop")
        user.set_password("battery staple")
        user.save()

    socket = await (await reader(world, "lead")).opened()
    await socket.frame()
    await later(change_password)()
    assert await socket.closed_with() == 4401


@pytest.mark.fault("F40", oracle="the socket itself: a resync, then silence")
async def test_losing_a_team_asks_for_a_resync_and_ends_its_events(world: World) -> None:
    await later(accounts.role_bind)("lead-shop", "team_lead", "Data")
    socket = await (await reader(world, "lead")).opened()
    await socket.frame()
    await later(lambda: RoleBinding.objects.filter(user__username="lead-shop", team__name="Shop").delete())()
    assert isinstance(await socket.frame(), ResyncFrame)
    await later(change)(world)
    assert await socket.silent()


@pytest.mark.parametrize("frame", ["x" * 2**20, "é" * 9000, "x" * (16 * 1024 + 1)])
async def test_a_frame_larger_than_16_kib_ends_the_socket(world: World, frame: str) -> None:
    socket = await (await reader(world, "admin")).opened()
    await socket.frame()
    await socket.socket.say(frame)
    assert await socket.closed_with() == 1009


async def test_a_large_binary_frame_ends_the_socket(world: World) -> None:
    socket = await (await reader(world, "admin")).opened()
    await socket.frame()
    await socket.socket.say(data=b"\xff" * 2**20)
    assert await socket.closed_with() == 1009


async def test_a_flood_of_frames_ends_the_socket(world: World) -> None:
    socket = await (await reader(world, "admin")).opened()
    await socket.frame()
    for _ in range(21):
        await socket.socket.say("{}")
    assert await socket.closed_with() == 1008


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"kind":"ping"}', "not json", '{"type":"doorbell"}', '{"subscribe":["vm-1"]}', "\x00"],
)
async def test_what_a_client_says_changes_nothing(world: World, text: str) -> None:
    socket = await (await reader(world, "stranger")).opened()
    await socket.frame()
    await socket.socket.say(text)
    await later(change)(world)
    assert await socket.silent()


@pytest.mark.fault("F46", oracle="two sockets: the slow one closed, the other one told everything")
async def test_a_slow_reader_is_closed_and_others_are_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, other = await reader(world, "admin"), await reader(world, "lead")
    for socket in (slow, other):
        await socket.opened()
        await socket.frame()
    monkeypatch.setattr(consumers, "SEND_WITHIN", 0.1)
    send = consumers.BoardConsumer.send

    async def stuck(self: consumers.BoardConsumer, *args: Any, **kwargs: Any) -> None:
        if self.actor is not None and self.actor.username == "admin":
            await asyncio.sleep(60)
        await send(self, *args, **kwargs)

    monkeypatch.setattr(consumers.BoardConsumer, "send", stuck)
    await later(change)(world)
    assert await slow.closed_with() == 1013
    assert isinstance((await other.frames_until(VmChanged))[-1], VmChanged)


async def test_frames_are_what_the_document_says(world: World) -> None:
    socket = await (await reader(world, "admin")).opened()
    raw = json.loads(await socket.socket.heard())
    assert set(raw) == {"kind", "sequence"}
