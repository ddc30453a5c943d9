"""Passwords: literal, from a variable, or from a file. No message ever has one in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .kinds import path, text
from .model import Secret
from .reading import Spot, Wrong, type_of

FORMS = '{ env = "NAME" }, { file = "…" } or the password itself in quotes'

LONGEST = 64 * 1024
"""Bytes of a password file that are read: its first line is in there, or it is no password file."""


@dataclass(frozen=True)
class SecretAt:
    """Where a password is to be had; not read before it is known that it is needed."""

    spot: Spot
    read: Callable[[], str]

    def resolve(self) -> Secret | None:
        """The password; None, and the problem told, if it can't be had."""
        try:
            value = self.read()
            if not value:
                raise Wrong("the password is empty")
            if "\n" in value or "\r" in value or "\0" in value:
                raise Wrong("the password has more than one line")
        except Wrong as exc:
            self.spot.complain(str(exc))
            return None
        return Secret(value)


def secret(value: object, spot: Spot) -> SecretAt:
    """The kind of a password."""
    if isinstance(value, str):
        return SecretAt(spot, lambda: value)
    if not isinstance(value, dict):
        raise Wrong(f"must be {FORMS}, not {type_of(value)}")
    if len(value) != 1 or not {"env", "file"} & set(value):
        raise Wrong(f"must be {FORMS}")
    return _from_env(value["env"], spot) if "env" in value else _from_file(value["file"], spot)


def _from_env(name: object, spot: Spot) -> SecretAt:
    variable = text(name, spot / "env")

    def read() -> str:
        if variable not in spot.source.env:
            raise Wrong(f"the environment variable {variable} is not set")
        if not spot.source.env[variable]:
            raise Wrong(f"the environment variable {variable} is empty")
        return spot.source.env[variable]

    return SecretAt(spot, read)


def _from_file(name: object, spot: Spot) -> SecretAt:
    file = path(name, spot / "file")

    def read() -> str:
        try:
            with file.open("rb") as stream:
                first = stream.read(LONGEST).partition(b"\n")[0]
            return first.decode("utf-8-sig").rstrip("\r")
        except OSError as exc:
            raise Wrong(f"{file} can't be read: {exc.strerror or type(exc).__name__}") from None
        except UnicodeDecodeError:
            raise Wrong(f"the first line of {file} is not UTF-8 text") from None

    return SecretAt(spot, read)
