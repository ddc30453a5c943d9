"""Reading TOML values into clean ones, with every mistake told at its place.

A *kind* is a function of a raw value and its Spot that returns the clean value or raises Wrong. Tables and
lists go on after a mistake, so that one run tells all of them. Messages name types and allowed values, never
the value itself: it may be a password in the wrong place.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Problem
from .lines import KeyPath, dotted


class Wrong(Exception):
    """A value that can't be taken; the message says what it has to be."""


@dataclass(frozen=True)
class Source:
    """One file (or the command line) that is being read, and what was found wrong with it so far."""

    file: str
    base: Path
    """What relative paths are relative to."""
    env: Mapping[str, str]
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def top(self) -> Spot:
        """The file as a whole."""
        return Spot(self, ())

    def line_of(self, path: KeyPath) -> int | None:
        """Of the key itself, or of the nearest table around it."""
        for end in range(len(path), 0, -1):
            line = self.lines.get(dotted(path[:end]))
            if line is not None:
                return line
        return None


@dataclass(frozen=True)
class Spot:
    """A place in a source."""

    source: Source
    path: KeyPath

    def __truediv__(self, step: str | int) -> Spot:
        return Spot(self.source, (*self.path, step))

    def complain(self, message: str) -> None:
        """Add a problem at this place."""
        line = self.source.line_of(self.path)
        self.source.problems.append(Problem(self.source.file, line, dotted(self.path), message))


Kind = Callable[[object, Spot], Any]


def type_of(value: object) -> str:
    """How an operator would call it; the value itself is not shown."""
    names: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "true or false"),
        (str, "a text"),
        ((int, float), "a number"),
        (list, "a list"),
        (dict, "a table"),
    ]
    return next((name for types, name in names if isinstance(value, types)), "a date or time")


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean "url"?`, or nothing."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f'; did you mean "{close[0]}"?' if close else ""


def either(words: Iterable[str]) -> str:
    """`"a", "b" or "c"`."""
    quoted = [f'"{word}"' for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def attempt(kind: Kind, value: object, spot: Spot) -> tuple[bool, Any]:
    """Whether the kind takes the value, and what it made of it; a mistake is told."""
    try:
        return True, kind(value, spot)
    except Wrong as exc:
        spot.complain(str(exc))
        return False, None


@dataclass(frozen=True)
class Table:
    """The kind of a table with known keys: gives those of its values that are right."""

    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    homes: Mapping[str, str] = field(default_factory=dict)
    """Keys of other tables → the table's name, to say where a misplaced key belongs."""

    def __call__(self, value: object, spot: Spot) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Wrong(f"must be a table, not {type_of(value)}")
        for key in self.required:
            if key not in value:
                (spot / key).complain("missing")
        return dict(self._values(value, spot))

    def _values(self, value: dict[str, object], spot: Spot) -> Iterable[tuple[str, Any]]:
        for key, raw in value.items():
            kind = self.fields.get(key)
            if kind is None:
                (spot / key).complain(self._unknown(key, isinstance(raw, dict)))
                continue
            right, clean = attempt(kind, raw, spot / key)
            if right:
                yield key, clean

    def _unknown(self, key: str, table: bool) -> str:
        if key in self.homes:
            return f"unknown key; it belongs in {self.homes[key]}"
        return f"unknown {'table' if table else 'key'}{suggestion(key, self.fields)}"


@dataclass(frozen=True)
class ListOf:
    """The kind of a list: gives a tuple of those of its elements that are right.

    With `keep_places` a wrong one leaves None, so that indexes stay those of the file.
    """

    kind: Kind
    tables: str = ""
    """For a list of tables, how one is written: `[[route]]`."""
    keep_places: bool = False

    def __call__(self, value: object, spot: Spot) -> tuple[Any, ...]:
        if self.tables and isinstance(value, dict):
            raise Wrong(f"there may be several: write {self.tables}, with two brackets")
        if not isinstance(value, list):
            wanted = f"tables, written {self.tables}" if self.tables else "a list in brackets"
            raise Wrong(f"must be {wanted}, not {type_of(value)}")
        read = [attempt(self.kind, raw, spot / index) for index, raw in enumerate(value)]
        return tuple(clean for right, clean in read if right or self.keep_places)
