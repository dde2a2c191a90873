"""Coming in and going out, in a browser's way."""

import pytest
from django.test import Client

from tests.board import person
from xenweb.accounts import sign_in
from xenweb.accounts.policy import Role
from xenweb.audit.models import AuditRecord

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def _ada() -> None:
    person("ada", Role.AUDITOR)


def enter(client: Client, username: str = "ada", password: str = PASSWORD, **more: str):
    return client.post("/sign-in", {"username": username, "password": password, **more})


def records() -> list[tuple[str, str, str]]:
    return list(AuditRecord.objects.values_list("actor", "action", "outcome"))


def test_the_right_password_opens_the_board_with_a_new_session() -> None:
    client = Client()
    client.get("/sign-in")
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    planted = session.session_key
    answer = enter(client)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/"
    assert client.session.session_key != planted
    assert records() == [("ada", "sign_in", "allowed")]


def test_a_wrong_password_is_refused_in_the_same_words_as_an_unknown_name() -> None:
    wrong, unknown = enter(Client(), password="wrong"), enter(Client(), username="eve")
    assert wrong.status_code == unknown.status_code == 422
    assert wrong.context["refusal"] == unknown.context["refusal"]
    assert records() == [("ada", "sign_in", "refused"), ("(unknown name)", "sign_in", "refused")]


def test_after_too_many_failures_even_the_right_password_waits() -> None:
    client = Client()
    for _ in range(sign_in.MOST_BY_USERNAME):
        assert enter(client, password="wrong").status_code == 422
    answer = enter(client)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "300"
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    "following", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example", "\r\nX: y"]
)
def test_nobody_is_sent_elsewhere_after_signing_in(following: str) -> None:
    answer = enter(Client(), next=following)
    assert answer.headers["Location"].lstrip().startswith("/")
    assert "evil" not in answer.headers["Location"]


def test_one_is_sent_where_one_wanted_to_go() -> None:
    assert enter(Client(), next="/history?q=web").headers["Location"] == "/history?q=web"


def test_signing_in_needs_the_csrf_token() -> None:
    assert enter(Client(enforce_csrf_checks=True)).status_code == 403


def test_signing_out_is_a_post_and_ends_the_session() -> None:
    client = Client()
    enter(client)
    assert client.get("/sign-out").status_code == 405
    assert client.get("/api/v1/me").status_code == 200
    assert client.post("/sign-out").headers["Location"] == "/sign-in"
    assert client.get("/api/v1/me").status_code == 401
    assert records()[-1] == ("ada", "sign_out", "allowed")


@pytest.mark.parametrize("username", ["<script>alert(1)</script>", "a\x00b", "x" * 100_00, "\u202eeve", "' OR 1=1 --"])
def test_hostile_names_are_refused_and_never_come_back_as_markup(username: str) -> None:
    answer = enter(Client(), username=username)
    assert answer.status_code == 422
    assert b"<script>alert" not in answer.content
