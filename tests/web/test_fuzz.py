"""Machines make up requests from the document; no answer may be one it does not declare."""

from collections.abc import Callable
from http import HTTPStatus

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.board import make_board
from tests.web.world import World, make_world, operations
from xenweb.audit.chain import verify
from xenweb.livemigration import services
from xenweb.web.asgi import application

FEW = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
EVERY_OPERATION = pytest.mark.parametrize("method, path", operations())


@pytest.fixture
def world(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world that the application sees from its own threads."""
    del transactional_db
    monkeypatch.setattr(services, "enqueue", lambda _migration: None)
    world = make_world(make_board(monkeypatch))
    world.move()
    return world


def try_out(method: str, path: str, check: Callable[[schemathesis.Case], None]) -> None:
    """Make up requests for one operation, some that fit the document and some that do not."""
    document = schemathesis.openapi.from_asgi("/api/v1/openapi.json", application)
    operation = document[path][method]
    for mode in schemathesis.GenerationMode:
        FEW(given(operation.as_strategy(generation_mode=mode))(check))()


@EVERY_OPERATION
def test_an_administrator_gets_only_declared_answers(world: World, method: str, path: str) -> None:
    world.program("admin")
    headers = {"Authorization": f"Bearer {world.tokens['admin']}"}

    def check(case: schemathesis.Case) -> None:
        # A well-formed move may still be impossible, and then 422 says why.
        answer = case.call(headers=headers)
        if answer.status_code != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    try_out(method, path, check)
    assert verify() is None


@EVERY_OPERATION
def test_a_stranger_gets_no_server_error_and_nothing_of_others(world: World, method: str, path: str) -> None:
    world.program("stranger")
    headers = {"Authorization": f"Bearer {world.tokens['stranger']}"}

    def check(case: schemathesis.Case) -> None:
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=[not_a_server_error])
        assert world.board.vm.uuid not in answer.text
        assert "lead-shop" not in answer.text

    try_out(method, path, check)
