"""Keys and values as they lie in the file. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import StoreError, UsageError

LONGEST_KEY = 1000
"""Characters. A key is an index entry; what is longer belongs into the value."""

LAST = "\U0010ffff"
"""The last of all characters."""


def checked(key: str) -> str:
    """A key that can be stored. Raises UsageError."""
    if not isinstance(key, str):
        raise UsageError(f"a key of the store is a text, not {type(key).__name__}")
    if not key or len(key) > LONGEST_KEY or "\0" in key:
        raise UsageError(f"a key of the store has 1 to {LONGEST_KEY} characters, none of them NUL: {key[:40]!r}")
    try:
        key.encode()
    except UnicodeEncodeError as exc:
        raise UsageError(f"a key of the store must be valid text: {key[:40]!r}") from exc
    return key


def encode(key: str, value: Any) -> bytes:
    """A value as JSON. Raises UsageError if it has none."""
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise UsageError(f"{key!r}: this value can't be stored as JSON: {exc}") from exc


def decode(file: str, key: str, raw: bytes, kind: Any = Any) -> Any:
    """What JSON says. Raises StoreError if it is not of type `kind`, or no JSON at all."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise StoreError(file, f"the value of {key!r} can't be read: {exc}") from exc


def end_of(prefix: str) -> str:
    """The least text that is greater than all that begin with `prefix`, in the order of their UTF-8; "" if there is
    none."""
    shorter = prefix.rstrip(LAST)
    if not shorter:
        return ""
    after = ord(shorter[-1]) + 1
    return shorter[:-1] + chr(0xE000 if 0xD800 <= after <= 0xDFFF else after)  # over those that UTF-8 lacks
