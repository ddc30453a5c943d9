"""What a handler gets, and what it gives."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..errors import UsageError

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


_SERVERS_OWN = frozenset({"connection", "content-length", "keep-alive", "te", "transfer-encoding", "upgrade"})
"""Headers that say how an answer goes over the wire; one that is not true breaks it off in the middle."""


class BadRequest(UsageError):
    """What came is not what the route expects. A handler may raise it: the answer is 400 with the message, and it
    counts as no failure of the plugin."""


@dataclass(frozen=True)
class Request:
    """One request, whole."""

    method: str
    path: str
    """Below the plugin's prefix: `/call`."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Of the path: `{"id": "7"}` for the route `/call/{id}`."""
    query: Mapping[str, str] = field(default_factory=dict)
    """The last value of each name."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case; the last value of each."""
    body: bytes = b""
    """1 MB at most."""

    def json(self) -> Any:
        """The body, read as JSON. Raises BadRequest."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError):
            raise BadRequest("the body is not JSON") from None

    def text(self) -> str:
        """The body as UTF-8 text. Raises BadRequest."""
        try:
            return self.body.decode()
        except UnicodeDecodeError:
            raise BadRequest("the body is not UTF-8 text") from None


@dataclass(frozen=True)
class Response:
    """An answer. A handler may also return a dict or a list (JSON), a text, bytes, or None (204, nothing to say)."""

    status: int = 200
    body: Any = ""
    """A text, bytes, or what JSON can say."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise UsageError(f"{self.status} is no HTTP status of an answer")
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise UsageError(f"{name!r} can't be a header")
            if name.lower() in _SERVERS_OWN:
                raise UsageError(f"the header {name!r} is the server's own")

    def encoded(self) -> tuple[bytes, str]:
        """The body and its content type. Raises UsageError if it can't be JSON."""
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        if isinstance(self.body, str):
            return self.body.encode(errors="replace"), "text/plain; charset=utf-8"
        try:
            return json.dumps(self.body).encode(), "application/json"
        except (TypeError, ValueError, RecursionError) as exc:
            raise UsageError(f"the answer can't be JSON: {exc}") from exc


def as_response(answer: Any) -> Response:
    """What a handler returned. Raises UsageError if that is no answer."""
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return Response(204)
    if isinstance(answer, dict | list | str | bytes):
        return Response(200, answer)
    raise UsageError(f"a route must return a Response, dict, list, str, bytes or None, not {type(answer).__name__}")
