"""The secrets in a plugin's settings, so that the log can hide them whatever a library writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ..config.model import Secret

LONG = 12
"""Characters: the path of a URL that is shorter is no token, and may stand in harmless lines."""


def secrets_in(value: Any) -> Iterator[str]:
    """Of a plugin's settings, as deep as they go. Of a URL also its parts, as a library may write it differently."""
    if isinstance(value, Secret):
        yield value.reveal()
        yield from _parts(value.reveal())
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from secrets_in(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from secrets_in(one)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from secrets_in(getattr(value, field.name, None))
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from secrets_in(getattr(value, name))


def _parts(text: str) -> Iterator[str]:
    try:
        url = urlsplit(text)
        found = (url.password or "", url.path.strip("/"), url.query) if url.scheme and url.netloc else ()
    except ValueError:
        return
    yield from (part for part in found if part and (part == url.password or len(part) >= LONG))
