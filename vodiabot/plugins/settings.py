"""A plugin's section of bot.toml, checked against the plugin's own model. Every mistake at once."""

from __future__ import annotations

import dataclasses
import difflib
import enum
import os
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, cast

import msgspec

from ..config import dotted
from ..config.model import Secret
from ..config.option_types import Mark, marks_of
from ..config.reading import Source, Wrong, either
from ..config.secrets import secret

NO_DEFAULT = object()


@dataclass(frozen=True)
class Flaw:
    """One mistake in a section."""

    key: str
    """Below the section, e.g. `servers[1].url`; "" for the section as a whole."""
    message: str


class ModelError(Exception):
    """The model itself can't be used; the message says why."""


@dataclass(frozen=True)
class ModelField:
    """One option of a model."""

    name: str
    """As written in bot.toml."""
    attribute: str
    type: Any
    default: Any
    """NO_DEFAULT if it is required; what its factory makes if it has one."""


def is_model(candidate: Any) -> TypeGuard[type]:
    """Whether it is a class that may describe a section: a msgspec.Struct or a dataclass."""
    if not isinstance(candidate, type):
        return False
    return issubclass(candidate, msgspec.Struct) or dataclasses.is_dataclass(candidate)


def fields_of(model: type) -> list[ModelField]:
    """The options of a model, in its own order. Raises ModelError if its annotations can't be understood."""
    try:
        hints = typing.get_type_hints(model, include_extras=True)
        if issubclass(model, msgspec.Struct):
            return [_struct_field(f, hints) for f in msgspec.structs.fields(model)]
        return [_dataclass_field(f, hints) for f in dataclasses.fields(cast(Any, model)) if f.init]
    except (Exception, SystemExit) as exc:  # annotations are the plugin's code, which may raise anything
        raise ModelError(f"{type(exc).__name__}: {exc}") from exc


def _struct_field(f: msgspec.structs.FieldInfo, hints: Mapping[str, Any]) -> ModelField:
    if f.default is not msgspec.NODEFAULT:
        default = f.default
    elif f.default_factory is not msgspec.NODEFAULT:
        default = f.default_factory()
    else:
        default = NO_DEFAULT
    return ModelField(f.encode_name, f.name, hints[f.name], default)


def _dataclass_field(f: dataclasses.Field[Any], hints: Mapping[str, Any]) -> ModelField:
    if f.default is not dataclasses.MISSING:
        default: Any = f.default
    elif f.default_factory is not dataclasses.MISSING:
        default = f.default_factory()
    else:
        default = NO_DEFAULT
    return ModelField(f.name, f.name, hints[f.name], default)


def read(section: Mapping[str, Any], model: type, base: Path) -> tuple[Any, list[Flaw]]:
    """An instance of the model, or None and what is wrong. `Path` options are taken as relative to `base`.

    Values are taken as TOML has them, without conversion between types; keys that the model doesn't know are
    mistakes, at every depth. Raises ModelError if the model itself can't be used.
    """
    flaws = list(_flaws_of_table(section, model, "", base))
    if flaws:
        return None, [*flaws, *_of_the_rest(section, model, "", base, flaws)]
    try:
        return _convert(section, model, base), []
    except (msgspec.ValidationError, _Complaints) as exc:
        return None, _told(exc, model, "")


def _flaws(value: Any, expected: Any, key: str, base: Path) -> Iterator[Flaw]:
    """The mistakes of a value, as deep as its type is made of models."""
    expected = _plain(expected)
    model = _model_for(value, expected)
    if model is not None:
        yield from _flaws_of_model(value, model, key, base)
        return
    parts = list(_parts(value, expected, key))
    if parts:
        for part, part_type, part_key in parts:
            yield from _flaws(part, part_type, part_key, base)
        return
    flaws = list(_flaws_of_value(value, expected, key, base))
    if not flaws and isinstance(value, str) and Mark.SOUND in marks_of(expected):
        flaws = list(_flaws_of_sound(base / Path(value).expanduser(), key))
    yield from flaws


def _flaws_of_sound(file: Path, key: str) -> Iterator[Flaw]:
    try:
        with file.open("rb"):
            return
    except FileNotFoundError:
        yield Flaw(key, f"there is no file {file}")
    except (OSError, ValueError) as exc:  # a ValueError for a path that can be none
        yield Flaw(key, f"{file} can't be read: {getattr(exc, 'strerror', None) or exc}")


def _flaws_of_model(table: Mapping[str, Any], model: type, key: str, base: Path) -> Iterator[Flaw]:
    """Its options, and what its own `__post_init__` says."""
    flaws = list(_flaws_of_table(table, model, key, base))
    yield from flaws
    yield from _of_the_rest(table, model, key, base, flaws) if flaws else _own_flaws(table, model, key, base)


def _own_flaws(table: Mapping[str, Any], model: type, key: str, base: Path) -> list[Flaw]:
    try:
        _convert(table, model, base)
    except (msgspec.ValidationError, _Complaints) as exc:
        return _told(exc, model, key)
    return []


def _of_the_rest(
    table: Mapping[str, Any], model: type, key: str, base: Path, flaws: list[Flaw]
) -> Iterator[Flaw]:
    """What the model itself says of options that are right, while others are wrong. What it says of no option may only
    follow from what is wrong, so that has to wait."""
    known = {field.name: field for field in fields_of(model)}
    wrong = {name for name in known if any(_is_in(flaw.key, _below(key, name)) for flaw in flaws)}
    right = {name: value for name, value in table.items() if name in known and name not in wrong}
    if any(field.default is NO_DEFAULT and name not in right for name, field in known.items()):
        return
    for flaw in _own_flaws(right, model, key, base):
        if any(_is_in(flaw.key, _below(key, name)) for name in right):
            yield flaw


def _is_in(key: str, option: str) -> bool:
    return key == option or key.startswith((f"{option}.", f"{option}["))


def _flaws_of_value(value: Any, expected: Any, key: str, base: Path) -> Iterator[Flaw]:
    try:
        _convert(value, expected, base)
    except msgspec.ValidationError as exc:
        flaw, words = _flaw(exc, key), _choices(expected)
        among = flaw.key == key and words and flaw.message.startswith("invalid enum value")
        yield Flaw(key, f"must be {either(words)}") if among else flaw


def _flaws_of_table(table: Mapping[str, Any], model: type, key: str, base: Path) -> Iterator[Flaw]:
    known = {f.name: f for f in fields_of(model)}
    for name, value in table.items():
        below = _below(key, name)
        if name in known:
            yield from _flaws(value, known[name].type, below, base)
        else:
            yield Flaw(below, f"there is no such option{suggestion(name, known)}")
    for name, field in known.items():
        if field.default is NO_DEFAULT and name not in table:
            yield Flaw(_below(key, name), "is missing")


class _Complaints(Exception):
    """The group of ValueErrors that a model's `__post_init__` has raised: all that it found wrong."""

    def __init__(self, group: ExceptionGroup[Exception]) -> None:
        super().__init__(str(group))
        self.messages = [str(exc) for exc in _leaves(group)]


def _leaves(group: ExceptionGroup[Exception]) -> Iterator[Exception]:
    for exc in group.exceptions:
        if isinstance(exc, ExceptionGroup):
            yield from _leaves(exc)
        else:
            yield exc


def _told(exc: msgspec.ValidationError | _Complaints, model: type, key: str) -> list[Flaw]:
    """What converting a model came to. `pause: must not be negative` is told at that option."""
    names = {field.name for field in fields_of(model)}
    found = [Flaw(key, text) for text in exc.messages] if isinstance(exc, _Complaints) else [_flaw(exc, key)]
    return [_at_its_option(flaw, names) if flaw.key == key else flaw for flaw in found]


def _at_its_option(flaw: Flaw, names: set[str]) -> Flaw:
    words = re.fullmatch(r"(([\w-]+)[\w.\[\]-]*): (.+)", flaw.message, re.DOTALL)
    if words is None or words[2] not in names:
        return flaw
    return Flaw(f"{flaw.key}.{words[1]}" if flaw.key else words[1], words[3])


def _below(key: str, name: str) -> str:
    """The key of an entry of a table, as the line index writes it."""
    return f"{key}.{dotted((name,))}" if key else dotted((name,))


def _plain(expected: Any) -> Any:
    """Without the names of `type` statements and NewType around it."""
    while hasattr(expected, "__supertype__"):
        expected = expected.__supertype__
    return expected


def _model_for(value: Any, expected: Any) -> type | None:
    """The model that a table is checked against, if it is clear which one."""
    if not isinstance(value, Mapping):
        return None
    models = [t for t in _alternatives(expected) if is_model(t)]
    others = [t for t in _alternatives(expected) if typing.get_origin(t) in (dict, Mapping) or t is dict]
    return models[0] if len(models) == 1 and not others else None


def _alternatives(expected: Any) -> tuple[Any, ...]:
    if typing.get_origin(expected) is typing.Annotated:
        return _alternatives(typing.get_args(expected)[0])
    if typing.get_origin(expected) in (typing.Union, types.UnionType):
        return tuple(a for arg in typing.get_args(expected) for a in _alternatives(arg))
    return (expected,)


def _parts(value: Any, expected: Any, key: str) -> Iterator[tuple[Any, Any, str]]:
    """The items of a list or table of models or choices, with their types and keys."""
    for alternative in _alternatives(expected):
        item_type = _item_type(value, alternative)
        if item_type is None or not (_holds_models(item_type) or _choices(item_type)):
            continue
        if isinstance(value, Mapping):
            yield from ((item, item_type, _below(key, name)) for name, item in value.items())
        else:
            yield from ((item, item_type, f"{key}[{i}]") for i, item in enumerate(value))


def _item_type(value: Any, expected: Any) -> Any:
    """What the items of a list or table are to be, where all are to be the same."""
    origin, args = typing.get_origin(expected), typing.get_args(expected)
    alike = origin in (list, set, frozenset) or (origin is tuple and args[1:] == (...,))
    if isinstance(value, list) and alike:
        return args[0]
    if isinstance(value, Mapping) and origin is dict:
        return args[1]
    return None


def _holds_models(expected: Any) -> bool:
    return any(is_model(t) for t in _alternatives(_plain(expected))) or Mark.SOUND in marks_of(expected)


def _choices(expected: Any) -> list[str]:
    """The texts of which one has to be chosen; none where that is not all there is."""
    words: list[Any] = []
    for alternative in _alternatives(_plain(expected)):
        if typing.get_origin(alternative) is typing.Literal:
            words += typing.get_args(alternative)
        elif isinstance(alternative, type) and issubclass(alternative, enum.Enum):
            words += [member.value for member in alternative]
        elif alternative is not type(None):
            return []
    words = [word for word in words if word is not None]
    return words if all(isinstance(word, str) for word in words) else []


def _convert(value: Any, expected: Any, base: Path) -> Any:
    def special(kind: type, raw: Any) -> Any:
        """Types that msgspec doesn't know."""
        if kind is Secret:
            return _secret(raw, base)
        if isinstance(kind, type) and issubclass(kind, Path) and isinstance(raw, str):
            return base / Path(raw).expanduser()
        if isinstance(kind, type) and issubclass(kind, Path):
            raise ValueError("expected a path, in quotes")
        raise ModelError(f"an option can't be of type {getattr(kind, '__name__', kind)!r}")

    try:
        return msgspec.convert(value, expected, strict=True, dec_hook=special)
    except (msgspec.ValidationError, ModelError):
        raise
    except ExceptionGroup as group:
        if all(isinstance(exc, ValueError) for exc in _leaves(group)):
            raise _Complaints(group) from None
        raise ModelError(f"{type(group).__name__}: {group}") from group
    except (Exception, SystemExit) as exc:  # the plugin's own `__post_init__` or types may raise anything
        raise ModelError(f"{type(exc).__name__}: {exc}") from exc


def _secret(raw: Any, base: Path) -> Secret:
    """As a password of the engine's own sections: a text, `{ env = … }` or `{ file = … }`. Raises ValueError."""
    source = Source("", base, os.environ)
    try:
        found = secret(raw, source.top).resolve()
    except Wrong as exc:
        raise ValueError(str(exc)) from None
    if found is None:
        raise ValueError("; ".join(problem.message for problem in source.problems))
    return found


def _flaw(exc: msgspec.ValidationError, key: str) -> Flaw:
    """msgspec's ``Expected `int`, got `str` - at `$.port` `` as a key and a line of ours."""
    message, _, path = str(exc).partition(" - at `")
    below = path.rstrip("`").removeprefix("$").removeprefix(".")
    joined = f"{key}.{below}" if key and below and not below.startswith("[") else key + below
    return Flaw(joined, _in_words(message))


_TOML_NAMES = {
    "str": "a text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}


def _in_words(message: str) -> str:
    """``Expected `object | null` `` as `expected a table`: TOML has no null, and a table is no object."""
    message = re.sub(r"`([^`]+)`", lambda found: _type_in_words(found[1]), message)
    return message[:1].lower() + message[1:]


def _type_in_words(types_: str) -> str:
    return " or ".join(_TOML_NAMES.get(name, name) for name in types_.split(" | ") if name != "null")


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean "text"?`, or what there is, or nothing."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f" (there is {', '.join(known)})" if known else ""
