"""A scenario's file → Scenario. Every mistake is told at once, with file, line and key."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from ...config import kinds
from ...config.reading import Kind, ListOf, Source, Spot, Table, Wrong, either, suggestion, type_of
from ...errors import ConfigError, UsageError
from ...plugins import HOOKS
from ..toml_text import document_of, text_of
from .faults import GOES_WITH, ScenarioFault, check
from .faults import KINDS as KINDS_OF_FAULTS
from .model import CALLER, NUMBER, OPTIONS, VERBS, Cast, Scenario, Step, Takes

_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_KEYS = re.compile(r"[0-9A-D*#]+")


def load(path: Path) -> Scenario:
    """Raises ConfigError."""
    return parse(text_of(path), file=str(path))


def parse(text: str, *, file: str) -> Scenario:
    """As `load`, of a text; relative paths are relative to the folder of `file`. Raises ConfigError."""
    doc, lines = document_of(text, file)
    source = Source(file, Path(file).absolute().parent, os.environ, lines)
    read = SCENARIO(doc, source.top)
    cast = _cast(read.get("person", ()), source.top)
    steps = tuple(_step(i, read_step, source) for i, read_step in enumerate(read.get("step", ())) if read_step)
    for step in steps:
        if step.who and step.who not in cast:
            message = f'there is no [[person]] with the id "{step.who}"{suggestion(step.who, cast)}'
            (source.top / "step" / step.index / "who").complain(message)
    if source.problems:
        raise ConfigError(sorted(source.problems, key=lambda problem: problem.line or 0))
    return Scenario(
        file=file,
        name=read.get("name", Path(file).stem),
        steps=steps,
        cast=cast,
        settings=read.get("settings"),
        start=read.get("start", ""),
        seed=read.get("seed", 0),
        did=read.get("did"),
        faults=tuple(
            ScenarioFault(**fault, index=index, line=source.line_of(("fault", index)))
            for index, fault in enumerate(read.get("fault", ()))
            if fault
        ),
    )


# --- kinds -----------------------------------------------------------------------------------------------------------


def _flag(value: object, spot: Spot) -> bool:
    if value is not True:
        raise Wrong("must be true: it takes no value")
    return True


def _code(value: object, spot: Spot) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 400 <= value <= 699:
        raise Wrong("must be a code from 400 to 699")
    return value


def _or_true(kind: Kind) -> Kind:
    return lambda value, spot: True if value is True else kind(value, spot)


def _digits(value: object, spot: Spot) -> str:
    if not isinstance(value, str) or not _KEYS.fullmatch(value):
        raise Wrong("must be keys in quotes: 0 to 9, *, # and A to D")
    return value


def _number(value: object, spot: Spot) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 20000:
        raise Wrong("must be a number from 1 to 20000")
    return float(value)


def _id(value: object, spot: Spot) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Wrong("must be a name: letters, digits, _ and -")
    return value


def _moment(value: object, spot: Spot) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    try:
        return datetime.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise Wrong('must be a time such as "2026-01-05T09:00:00+01:00"') from None


def _settings(value: object, spot: Spot) -> Any:
    """The tables of a bot.toml, or its path."""
    return value if isinstance(value, dict) else kinds.readable_file(value, spot)


KINDS: dict[Takes, Kind] = {
    "text": kinds.text,
    "digits": _digits,
    "seconds": kinds.duration(zero=True),
    "flag": _flag,
    "on or off": kinds.flag,
    "code": _code,
    "code or true": _or_true(_code),
    "text or true": _or_true(kinds.text),
    "number": _number,
}


# --- tables ----------------------------------------------------------------------------------------------------------


def _step_table(value: object, spot: Spot) -> dict[str, Any]:
    """One verb, its options, and who."""
    if not isinstance(value, dict):
        raise Wrong(f"must be a table, not {type_of(value)}")
    verbs = [key for key in value if key in VERBS]
    for key in value:
        if key not in VERBS and key not in OPTIONS and key != "who":
            (spot / key).complain(f"unknown key{suggestion(key, [*VERBS, *OPTIONS, 'who'])}")
    if not verbs and set(value) <= {*OPTIONS, "who"}:
        raise Wrong("does nothing: a step has one verb, such as calls, hears, presses or hangs_up")
    if len(verbs) > 1:
        raise Wrong(f"has {len(verbs)} verbs, {either(verbs)}: write a step for each")
    if not verbs:
        return {}
    verb = VERBS[verbs[0]]
    fields = {verb.name: KINDS[verb.takes], **{name: KINDS[OPTIONS[name][0]] for name in verb.options}}
    if verb.personal:
        fields["who"] = kinds.text
    known = {key: raw for key, raw in value.items() if key in VERBS or key in OPTIONS or key == "who"}
    for key in [key for key in known if key not in fields]:
        (spot / key).complain(f'does not go with "{verb.name}"')
        del known[key]
    return Table(fields)(known, spot)


PERSON = Table(
    {
        "id": _id,
        "number": kinds.word,
        "name": kinds.text,
        "inside": kinds.flag,
        "answers_after": kinds.duration(zero=True),
        "refuses": _code,
        "extension": kinds.word,
    },
    required=("id",),
)
FAULT = Table(
    {
        "kind": kinds.one_of(*KINDS_OF_FAULTS),
        "frame": kinds.word,
        "nth": kinds.whole(0),
        "by_bot": kinds.flag,
        "seconds": kinds.duration(zero=True),
        "at": kinds.duration(zero=True),
        "plugin": kinds.plugin_name,
        "hook": kinds.word,
    },
    required=("kind",),
)


def _fault(value: object, spot: Spot) -> dict[str, Any]:
    """Its kind, and what goes with it."""
    read: dict[str, Any] = FAULT(value, spot)
    if "kind" not in read:
        return {}
    strange = [key for key in read if key != "kind" and key not in GOES_WITH[read["kind"]]]
    for key in strange:
        (spot / key).complain(f'does not go with "{read["kind"]}"')
    if "hook" in read and read["hook"] not in HOOKS:
        (spot / "hook").complain(f'there is no hook "{read["hook"]}"{suggestion(read["hook"], HOOKS)}')
    try:
        check(ScenarioFault(**read))
    except UsageError as exc:
        raise Wrong(str(exc)) from exc
    return read


SCENARIO = Table(
    {
        "name": kinds.text,
        "settings": _settings,
        "start": _moment,
        "seed": kinds.whole(0),
        "person": ListOf(PERSON, tables="[[person]]", keep_places=True),
        "step": ListOf(_step_table, tables="[[step]]", keep_places=True),
        "did": ListOf(kinds.text),
        "fault": ListOf(_fault, tables="[[fault]]", keep_places=True),
    },
    required=("step",),
)


def _cast(people: tuple[dict[str, Any] | None, ...], top: Spot) -> dict[str, Cast]:
    """By id; there is always a caller."""
    cast: dict[str, Cast] = {}
    for index, person in enumerate(people):
        if not person or "id" not in person:
            continue
        if person["id"] in cast:
            (top / "person" / index / "id").complain(f'there are two with the id "{person["id"]}"')
        if "number" not in person and person["id"] != CALLER:
            (top / "person" / index / "number").complain("missing")
        cast[person["id"]] = Cast(**{"number": NUMBER, **person})
    cast.setdefault(CALLER, Cast(CALLER))
    return cast


def _step(index: int, read: dict[str, Any], source: Source) -> Step:
    verb = next((VERBS[key] for key in read if key in VERBS), VERBS["waits"])
    options = {key: read[key] for key in verb.options if key in read}
    who = read.get("who", CALLER) if verb.personal else ""
    return Step(index, source.line_of(("step", index)), who, verb, read.get(verb.name), options)
