"""The XenAPI's two languages, XML-RPC and JSON-RPC, as a real pool writes them.

An ``int`` travels as a decimal string in both; a void answer is an empty string.
"""

import json
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from xml.sax.saxutils import escape

from xenweb.lab.xapi.model import Value

XML, JSON = "text/xml", "application/json"


class Moment(str):
    """A point in time, written as XAPI writes it."""

    __slots__ = ()


class Int32(int):
    """A number that travels as a number: the only ones are an event batch's counts."""


class XapiError(Exception):
    """A refusal of the XenAPI: a code and its parameters, all of them text."""

    def __init__(self, code: str, *params: str) -> None:
        super().__init__(code, *params)
        self.code = code
        self.description = [code, *params]


class MalformedError(Exception):
    """What came is no call in any of the languages."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call as it came; ``version`` is that of JSON-RPC, empty for XML-RPC."""

    method: str
    params: Sequence[Value]
    version: str = ""
    key: str | int = ""


def xml_request(body: bytes) -> Request:
    """Read an XML-RPC call; raise MalformedError."""
    try:
        params, method = xmlrpc.client.loads(body)
    except Exception as error:
        raise MalformedError from error
    if method is None:
        raise MalformedError
    return Request(method, [_plain(each) for each in params])


def _plain(value: object) -> Value:
    if isinstance(value, xmlrpc.client.DateTime):
        return Moment(value.value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return cast("Value", value)


def json_request(body: bytes) -> Request:
    """Read a JSON-RPC call of either version; raise MalformedError."""
    try:
        said = json.loads(body)
        version = "2.0" if said.get("jsonrpc") == "2.0" else "1.0"
        return Request(said["method"], list(said["params"]), version, said["id"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedError from error


def _xml(value: Value) -> str:
    if isinstance(value, bool):
        return f"<value><boolean>{int(value)}</boolean></value>"
    if isinstance(value, Int32):
        return f"<value><int>{int(value)}</int></value>"
    if isinstance(value, float):
        return f"<value><double>{value!r}</double></value>"
    if isinstance(value, Moment):
        return f"<value><dateTime.iso8601>{value}</dateTime.iso8601></value>"
    if isinstance(value, int | str):
        return f"<value>{escape(str(value))}</value>"
    if isinstance(value, list):
        return f"<value><array><data>{''.join(map(_xml, value))}</data></array></value>"
    members = (f"<member><name>{escape(key)}</name>{_xml(each)}</member>" for key, each in value.items())
    return f"<value><struct>{''.join(members)}</struct></value>"


def _json(value: Value) -> Value:
    if isinstance(value, bool | Int32 | float | str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return [_json(each) for each in value]
    return {key: _json(each) for key, each in value.items()}


def _xml_answer(value: Value) -> bytes:
    head = '<?xml version="1.0"?><methodResponse><params><param>'
    return f"{head}{_xml(value)}</param></params></methodResponse>".encode()


def answered(request: Request, value: Value) -> bytes:
    """Write what a call gave, in the language that it came in."""
    if not request.version:
        is_bare = request.method == "system.listMethods"
        return _xml_answer(value if is_bare else {"Status": "Success", "Value": value})
    body: dict[str, object] = {"result": _json(value), "id": request.key}
    body |= {"jsonrpc": "2.0"} if request.version == "2.0" else {"error": None}
    return json.dumps(body).encode()


def refused(request: Request, error: XapiError) -> bytes:
    """Write why a call was refused, in the language that it came in."""
    description: list[Value] = list(error.description)
    if not request.version:
        return _xml_answer({"Status": "Failure", "ErrorDescription": description})
    if request.version == "2.0":
        told = {"code": 1, "message": error.code, "data": description[1:]}
        return json.dumps({"jsonrpc": "2.0", "error": told, "id": request.key}).encode()
    return json.dumps({"result": None, "error": description, "id": request.key}).encode()
