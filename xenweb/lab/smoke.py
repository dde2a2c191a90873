"""Move one VM by REST while listening on the socket, and prove it by the guest's own heartbeat."""

import http.cookiejar
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from xenweb.lab.qemu.guests import BEAT_MS
from xenweb.lab.qemu.heartbeat import is_gap_free, is_undamaged, longest_pause_ms
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.stage import Stage, StageError

GUEST = "web-1"
SOURCE, TARGET = "host-a", "host-b"
BEATS_AFTER = 20
"""So many beats must be heard after the move, in order, to call it proven."""

MOVE_WITHIN = 120.0
ENDED = frozenset({"done", "failed", "cancelled"})


@dataclass
class Listener(threading.Thread):
    """Collect the events of the board's socket, as a browser would."""

    stage: Stage
    cookies: str
    frames: list[dict[str, Any]] = field(default_factory=list)
    listening: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Prepare the thread."""
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        """Threads are told apart by identity."""
        return id(self)

    def run(self) -> None:
        """Read frames until the socket ends."""
        url = self.stage.address.replace("http", "ws", 1) + "/ws/board"
        headers = {"Cookie": self.cookies}
        with (
            suppress(ConnectionClosed),
            connect(url, origin=Origin(self.stage.address), additional_headers=headers) as socket,
        ):
            for text in socket:
                self.frames.append(json.loads(text))
                self.listening.set()

    def passes_of(self, migration: str) -> set[int]:
        """Answer the numbers of the passes that were told of a migration."""
        numbers: set[int] = set()
        for frame in list(self.frames):
            event = frame.get("event", {})
            if event.get("type") == "migration_changed" and event["migration"]["id"] == migration:
                numbers |= {each["pass_number"] for each in event["migration"]["passes"]}
        return numbers

    def ended(self, migration: str) -> dict[str, Any] | None:
        """Answer the migration as the event of its end told it."""
        for frame in list(self.frames):
            event = frame.get("event", {})
            is_ours = event.get("type") == "migration_changed" and event["migration"]["id"] == migration
            if is_ours and event["migration"]["state"] in ENDED:
                return dict(event["migration"])
        return None


def session_cookies(stage: Stage) -> str:
    """Sign in as the administrator through the page that people use; answer the Cookie header."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    browser.open(f"{stage.address}/sign-in", timeout=10).read()
    token = next(cookie.value for cookie in jar if cookie.name.endswith("csrftoken"))
    person = stage.sign_ins[0]
    form = {"username": person["username"], "password": person["password"], "csrfmiddlewaretoken": token or ""}
    request = urllib.request.Request(f"{stage.address}/sign-in", urllib.parse.urlencode(form).encode())  # noqa: S310
    request.add_header("Referer", f"{stage.address}/sign-in")
    request.add_header("Origin", stage.address)
    browser.open(request, timeout=10).read()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def rest(stage: Stage, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Call our own REST interface with the administrator's token."""
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{stage.address}/api/v1{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {stage.token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        problem = error.read().decode(errors="replace")
        msg = f"{method} {path} was answered with {error.code}: {problem[:500]}"
        raise StageError(msg) from error


def moved(stage: Stage, listener: Listener, vm: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    """Move a VM and wait for the socket to tell its end; raise StageError if it does not get there."""
    asked = rest(stage, "POST", "/migrations", {"vm": str(vm["id"]), "target": str(target["id"]), "options": {}})
    deadline = time.monotonic() + MOVE_WITHIN
    while time.monotonic() < deadline:
        ended = listener.ended(asked["id"])
        if ended is not None:
            if ended["state"] != "done":
                msg = f"The move ended as {ended['state']}: {ended['failure_sentence']}"
                raise StageError(msg)
            return ended
        time.sleep(0.05)
    msg = f"The move did not end within {MOVE_WITHIN:.0f} s."
    raise StageError(msg)


def proven_move(stage: Stage) -> dict[str, Any]:
    """Move the guest and hear its heartbeat before, during and after; answer the figures of the move.

    Raises StageError if the move fails, or if the guest's own beats do not prove
    that it runs on without a gap in its counting.
    """
    lab = Lab(stage.lab)
    listener = Listener(stage, session_cookies(stage))
    listener.start()
    if not listener.listening.wait(10):
        msg = "The board's socket did not say hello."
        raise StageError(msg)
    vm = named(rest(stage, "GET", "/vms")["items"], GUEST)
    hosts = rest(stage, "GET", "/hosts")["items"]
    source = next(host for host in hosts if host["id"] == vm["resident_on"])
    target = named(hosts, TARGET if source["name"] == SOURCE else SOURCE)
    with lab.watch(GUEST) as heartbeat:
        heartbeat.wait_for(BEATS_AFTER, 10)
        ended = moved(stage, listener, vm, target)
        if not heartbeat.wait_for(BEATS_AFTER, 10):
            msg = f"{GUEST} is not heard any more after the move."
            raise StageError(msg)
        arrivals = heartbeat.arrivals()
    said = [arrival.beat for arrival in arrivals]
    if not (is_gap_free(said) and is_undamaged(said)):
        msg = f"{GUEST} lost something on the way: its beats are not in order."
        raise StageError(msg)
    if lab.where(GUEST) != target["name"]:
        msg = f"{GUEST} is not on {target['name']} by the word of the hypervisors."
        raise StageError(msg)
    return {
        "moved": True,
        "vm": GUEST,
        "source": source["name"],
        "target": target["name"],
        "passes": len(listener.passes_of(ended["id"])),
        "total_ms": ended["total_ms"]["value"],
        "downtime_ms": ended["downtime_ms"]["value"],
        "guest_gap_ms": round(longest_pause_ms(arrivals, BEAT_MS) or 0.0, 1),
        "hypervisor": ended["hypervisor"],
    }


def named(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Find a row by its name; raise StageError if there is none."""
    for row in rows:
        if row["name"] == name:
            return row
    msg = f"There is no {name} on the board."
    raise StageError(msg)
