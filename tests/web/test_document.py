"""The document from which the front end's types are made."""

import json

import pytest
from django.core.management import call_command
from django.test import Client

from tests.web.world import operations
from xenweb.web.api.document import api


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    call_command("openapi")
    return capsys.readouterr().out


def test_the_command_prints_the_same_bytes_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys) == printed(capsys)


@pytest.mark.django_db
def test_the_document_is_served_as_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    served = Client().get("/api/v1/openapi.json")
    assert served.status_code == 200
    assert served.json() == json.loads(printed(capsys))


def test_it_is_openapi_3_1_and_names_each_operation_once() -> None:
    schema = api.get_openapi_schema()
    assert schema["openapi"] == "3.1.0"
    names = [operation["operationId"] for methods in schema["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names)) == len(operations())


def test_every_operation_declares_its_refusals_as_problems() -> None:
    for path, methods in api.get_openapi_schema()["paths"].items():
        for operation in methods.values():
            responses = operation["responses"]
            assert {401, 403, 422} <= set(responses), path
            assert 404 in responses or "{" not in path
            for status, response in responses.items():
                if status >= 400:
                    assert list(response["content"]) == ["application/problem+json"]
            assert operation["security"]


def test_the_frames_of_the_socket_are_in_it() -> None:
    schemas = api.get_openapi_schema()["components"]["schemas"]
    assert {"Frame", "EventFrame", "HelloFrame", "ResyncFrame", "VmChanged", "MigrationChanged"} <= set(schemas)
    assert schemas["Frame"]["discriminator"]["propertyName"] == "kind"
    kinds = [variant["$ref"] for variant in schemas["Frame"]["oneOf"]]
    assert sorted(kinds) == [f"#/components/schemas/{name}" for name in ("EventFrame", "HelloFrame", "ResyncFrame")]
