"""The API object and the document that describes it, event frames included."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from xenweb.realtime.events import FRAME
from xenweb.web import errors
from xenweb.web.api import board, disk_moves, history, inventory, maintenances, migrations
from xenweb.web.api.authentication import BearerToken, SessionCookie
from xenweb.web.api.strictness import StrictParser, WireRenderer, only_known_parameters

_REF = "#/components/schemas/{model}"


class DocumentedApi(NinjaAPI):
    """An API whose document also tells problem media types and the frames of the socket."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Build the OpenAPI 3.1 document."""
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        for operations in schema["paths"].values():
            for operation in operations.values():
                _name_problems(operation["responses"])
        frames = FRAME.json_schema(ref_template=_REF, mode="serialization")
        schema["components"]["schemas"].update(frames.pop("$defs"))
        schema["components"]["schemas"]["Frame"] = frames
        return schema


def _name_problems(responses: dict[int, dict[str, Any]]) -> None:
    for status, response in responses.items():
        if status >= HTTPStatus.BAD_REQUEST and "content" in response:
            response["content"] = {errors.MEDIA_TYPE: response["content"]["application/json"]}


def _build() -> DocumentedApi:
    api = DocumentedApi(
        title="xenweb",
        version=settings.XENWEB_VERSION,
        description="Move running VMs from host to host. Errors are RFC 9457 problems; lists are pages.",
        urls_namespace="api",
        docs_url=None,
        auth=[BearerToken(), SessionCookie()],
        parser=StrictParser(),
        renderer=WireRenderer(),
    )
    api.add_decorator(only_known_parameters)
    for subject in (board, inventory, migrations, disk_moves, maintenances, history):
        api.add_router("", subject.router)
    errors.handlers_install(api)
    return api


api = _build()
