"""JSON and queries read without goodwill: nothing twice, nothing unknown."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser
from ninja.renderers import BaseRenderer
from pydantic import BaseModel
from pydantic_core import to_json

from xenweb.web.refusals import QueryRefusedError


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        msg = "a field is there twice"
        raise ValueError(msg)
    return read


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


class StrictParser(Parser):
    """Refuse doubled fields and parameters, and the constants that are not JSON."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Read a JSON body; any ValueError becomes a 400."""
        read: dict[str, Any] = json.loads(request.body, object_pairs_hook=_once_each, parse_constant=_no_constant)
        return read

    def parse_querydict(
        self, data: MultiValueDict[str, Any], list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        """Read a query; raise QueryRefusedError for a scalar that is there twice."""
        for name in data:
            if name not in list_fields and len(data.getlist(name)) > 1:
                msg = "A parameter of the query is there twice."
                raise QueryRefusedError(msg, parameter=name[:100])
        return super().parse_querydict(data, list_fields, request)


class WireRenderer(BaseRenderer):
    """Write JSON exactly as the events do, so that both halves of a screen agree."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        """Serialise what an operation answered."""
        del request, response_status
        return to_json(data, inf_nan_mode="null")


def only_known_parameters(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a query that has a parameter which the operation does not take."""

    @wraps(operation)
    def strict(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        query = kwargs.get("query")
        known = set(type(query).model_fields) if isinstance(query, BaseModel) else set()
        for name in request.GET:
            if name not in known:
                msg = "The query has a parameter that is not known here."
                raise QueryRefusedError(msg, parameter=name[:100])
        return operation(request, *args, **kwargs)

    return strict
