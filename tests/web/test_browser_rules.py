"""Sessions, CSRF, headers, and what no answer may hold."""

import logging

import pytest
from django.test import Client, override_settings

from tests.web.world import World
from xenweb.accounts import services as accounts
from xenweb.accounts.models import User
from xenweb.audit.models import AuditRecord
from xenweb.drivers.contract import HostUnreachableError
from xenweb.livemigration.models import Migration

JSON = "application/json"
SECRET = "the database is at hunter2"
SILENT = "host-a does not answer."


def csrf_of(client: Client) -> str:
    client.get("/sign-in")
    return client.cookies["csrftoken"].value


def ask(client: Client, world: World, **headers: str):
    body = {"vm": world.board.vm.pk, "target": world.board.target.pk}
    return client.post("/api/v1/migrations", body, content_type=JSON, headers=headers)


def test_a_change_by_session_needs_the_csrf_token(world: World) -> None:
    browser = world.browser("admin")
    answer = ask(browser, world)
    assert answer.status_code == 403
    assert answer.json()["code"] == "csrf_refused"
    assert not Migration.objects.exists()


@pytest.mark.parametrize("token", ["", "x", "a" * 32, "a" * 64, "é" * 32])
def test_a_forged_csrf_token_is_refused(world: World, token: str) -> None:
    browser = world.browser("admin")
    csrf_of(browser)
    assert ask(browser, world, **{"X-CSRFToken": token}).status_code == 403
    assert not Migration.objects.exists()


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://testserver.evil.example", "http://testserver:81"]
)
def test_a_right_csrf_token_from_a_foreign_origin_is_refused(world: World, origin: str) -> None:
    browser = world.browser("admin")
    token = csrf_of(browser)
    assert ask(browser, world, **{"X-CSRFToken": token, "Origin": origin}).status_code == 403
    assert not Migration.objects.exists()


def test_a_right_csrf_token_lets_the_change_through(world: World) -> None:
    browser = world.browser("admin")
    answer = ask(browser, world, **{"X-CSRFToken": csrf_of(browser), "Origin": "http://testserver"})
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/migrations/{answer.json()['id']}"


def test_a_session_beside_a_wrong_bearer_token_counts_for_nothing(world: World) -> None:
    browser = world.browser("admin")
    answer = browser.get("/api/v1/me", headers={"Authorization": "Bearer xw_wrong_token"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_disabled_user_is_out_at_once(world: World) -> None:
    browser, program = world.browser("lead"), world.program("lead")
    accounts.user_disable("lead-shop")
    assert browser.get("/api/v1/me").status_code == 401
    assert program.get("/api/v1/me").status_code == 401
    assert browser.get("/").status_code == 302


@pytest.mark.parametrize("path", ["/", "/migrations", "/migrations/7F3K-2QXZ", "/storage", "/history"])
def test_every_client_route_asks_a_stranger_to_sign_in(world: World, path: str) -> None:
    del world
    answer = Client().get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sign-in?next=/")


@pytest.mark.parametrize("path", ["/", "/migrations/7F3K-2QXZ", "/api/v1/board", "/sign-in", "/healthz"])
def test_every_answer_has_the_security_headers(world: World, path: str) -> None:
    headers = world.browser("admin").get(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Request-ID"]
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_the_shell_tells_who_is_signed_in_and_escapes_it(world: World) -> None:
    User.objects.filter(pk=world.board.admin.user_id).update(first_name="</script><script>alert(1)</script>")
    text = world.browser("admin").get("/").content.decode()
    assert 'id="boot"' in text
    assert "<script>alert(1)" not in text


def test_an_error_nobody_foresaw_tells_only_its_request_id(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(_actor: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("xenweb.web.api.board.hosts_for", explode)
    with caplog.at_level(logging.ERROR):
        answer = world.program("admin").get("/api/v1/board", headers={"X-Request-ID": "find-me-1234"})
    assert answer.status_code == 500
    assert answer.json()["code"] == "unexpected"
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"] == "find-me-1234"
    assert b"hunter2" not in answer.content
    assert "find-me-1234" in caplog.text


def test_a_driver_that_fails_is_a_bad_gateway(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(_actor: object) -> None:
        raise HostUnreachableError(SILENT, host="host-a")

    monkeypatch.setattr("xenweb.web.api.board.hosts_for", explode)
    answer = world.program("admin").get("/api/v1/board")
    assert answer.status_code == 502
    assert answer.json()["code"] == "host_unreachable"
    assert answer.json()["facts"] == {"host": "host-a"}


def test_a_forged_host_header_is_refused(world: World) -> None:
    answer = world.browser("admin").get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 400


def test_a_request_id_with_line_breaks_or_markup_is_not_taken_over(world: World) -> None:
    for offered in ("<script>", "a\tb", "x" * 200, "short"):
        answer = world.program("admin").get("/api/v1/me", headers={"X-Request-ID": offered})
        assert answer.headers["X-Request-ID"] != offered


def test_health_needs_nobody_and_readiness_names_what_is_missing(world: World) -> None:
    del world
    assert Client().get("/healthz").content == b"ok\n"
    with override_settings(XENWEB_REDIS_URL="unix:///nowhere/redis.sock"):
        answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"database": True, "redis": False}


def test_nothing_but_the_documented_refusals_was_recorded(world: World) -> None:
    """A refused CSRF or a missing right to see leaves no trail that others could read."""
    ask(world.browser("admin"), world)
    world.program("stranger").get(f"/api/v1/vms/{world.board.vm.pk}")
    assert not AuditRecord.objects.exists()
