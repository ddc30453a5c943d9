"""Checks the table of a sim.toml; see `config`."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .config_model import CODECS, DIALECTS, FAULTS, SERVICE_OPTIONS, Admin, Extension, Group, Orbit, Service, SimConfig
from .config_secrets import elsewhere

KEYS = (
    "domain",
    "dialect",
    "expires",
    "server_header",
    "admin",
    "tls",
    "codecs",
    "rename_calls",
    "sloppy_setup",
    "hold_by_reoffer",
    "browsers_offer",
    "extension",
    "service",
    "group",
    "park",
    "tells_names",
)

MOST = {"hz": 4000.0, "seconds": 86400.0, "loss": 100.0, "jitter_ms": 1000.0, "seed": 2.0**32}
"""What a telephone line carries; a day; all; more than any call could bear."""


class Reader:
    """Gathers every mistake; what is wrong is replaced by a default meanwhile."""

    def __init__(self, base: Path) -> None:
        self.wrong: list[tuple[str, str]] = []
        """Dotted key and what is wrong with it."""
        self._base = base

    def config(self, table: dict[str, Any]) -> SimConfig:
        """What the table says, as far as it is right."""
        self._known(table, KEYS, "")
        standard = SimConfig()
        header = table.get("server_header")
        config = SimConfig(
            domain=self._name(table, "domain", standard.domain),
            dialect=self._one_of(table, "dialect", standard.dialect, DIALECTS),
            expires=self._number(table, "expires", standard.expires, low=1),
            server_header=None if header is None else self._text(table, "server_header", ""),
            admin=self._admin(table.get("admin", {})),
            tls=self._tls(table.get("tls", False)),
            codecs=self._codecs(table),
            rename_calls=self._flag(table, "rename_calls", standard.rename_calls),
            sloppy_setup=self._flag(table, "sloppy_setup", standard.sloppy_setup),
            hold_by_reoffer=self._flag(table, "hold_by_reoffer", standard.hold_by_reoffer),
            browsers_offer=self._flag(table, "browsers_offer", standard.browsers_offer),
            extensions=tuple(self._each(table, "extension", self._extension)),
            services=tuple(self._each(table, "service", self._service)),
            groups=tuple(self._each(table, "group", self._group)),
            orbits=tuple(self._each(table, "park", self._orbit)),
            tells_names=self._flag(table, "tells_names", standard.tells_names),
        )
        self._numbers(config)
        return config

    def _numbers(self, config: SimConfig) -> None:
        """Each number once, and groups of extensions that there are."""
        users = {extension.user for extension in config.extensions}
        taken: set[str] = set()
        numbers = [(f"extension[{i}].user", e.user) for i, e in enumerate(config.extensions)]
        numbers += [(f"service[{i}].number", s.number) for i, s in enumerate(config.services)]
        numbers += [(f"group[{i}].number", g.number) for i, g in enumerate(config.groups)]
        numbers += [(f"park[{i}].number", o.number) for i, o in enumerate(config.orbits)]
        for key, number in numbers:
            if number and number in taken:
                self._wrong(key, f"{number} is taken already")
            taken.add(number)
        for i, group in enumerate(config.groups):
            for member in group.members:
                if member not in users:
                    self._wrong(f"group[{i}].members", f"there is no extension {member}")

    def _extension(self, table: dict[str, Any], at: str) -> Extension:
        self._known(table, ["user", "password", "name", "manages_calls"], at)
        return Extension(
            self._name(table, "user", None, at),
            self._secret(table, None, at),
            self._text(table, "name", "", at),
            self._flag(table, "manages_calls", False, at),
            isinstance(table.get("password"), dict),
        )

    def _service(self, table: dict[str, Any], at: str) -> Service:
        number, kind = self._name(table, "number", None, at), self._text(table, "kind", None, at)
        options = SERVICE_OPTIONS.get(kind)
        if options is None:
            if kind:
                self._wrong(f"{at}kind", f"{kind!r} is not a kind of service{_suggest(kind, SERVICE_OPTIONS)}")
            return Service(number, "tone")
        options = {**options, **FAULTS}
        self._known(table, ["number", "kind", *options], at)
        values = {name: self._option(table, name, value, at) for name, value in options.items()}
        return Service(number, kind, **values)

    def _option(self, table: dict[str, Any], name: str, standard: Any, at: str) -> Any:
        if name == "file":
            text = self._text(table, name, None, at)
            path = self._base / text
            if text and not os.path.isfile(path):  # false, too, for what can't be a path
                self._wrong(f"{at}{name}", f"there is no file {path}")
            return str(path)
        if isinstance(standard, bool):
            return self._flag(table, name, standard, at)
        if name == "digits":
            text = self._text(table, name, standard, at)
            if not re.fullmatch(r"[0-9A-D*#]+", text):
                self._wrong(f"{at}{name}", f"{text!r} are no keys: 0 to 9, *, # and A to D are")
            return text
        if name == "code":
            code = self._number(table, name, standard, low=400, high=699, at=at)
            return int(code)
        return self._number(table, name, standard, low=1 if name == "hz" else 0, high=MOST[name], at=at)

    def _group(self, table: dict[str, Any], at: str) -> Group:
        self._known(table, ["number", "members"], at)
        return Group(self._name(table, "number", None, at), tuple(self._texts(table, "members", None, at)))

    def _orbit(self, table: dict[str, Any], at: str) -> Orbit:
        self._known(table, ["number", "name", "returns_after"], at)
        return Orbit(
            self._name(table, "number", None, at),
            self._text(table, "name", "", at),
            self._number(table, "returns_after", 0.0, low=0, at=at),
        )

    def _admin(self, table: Any) -> Admin:
        if not isinstance(table, dict):
            self._wrong("admin", "a table { user = …, password = … } is needed")
            return Admin()
        self._known(table, ["user", "password"], "admin.")
        return Admin(self._text(table, "user", "admin", "admin."), self._secret(table, "admin", "admin."))

    def _tls(self, value: Any) -> bool | str | dict[str, str]:
        if value is False or value == "self-signed":
            return "self-signed" if value else False
        texts = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        if texts and set(value) == {"cert", "key"}:
            paths = {name: self._base / path for name, path in value.items()}
            for name, path in paths.items():
                if not os.path.isfile(path):
                    self._wrong(f"tls.{name}", f"there is no file {path}")
            return {name: str(path) for name, path in paths.items()}
        self._wrong("tls", 'false, "self-signed" or { cert = "…", key = "…" } is needed')
        return False

    # --- small ones --------------------------------------------------------------------------------------------------

    def _each(self, table: dict[str, Any], key: str, read: Callable[[dict[str, Any], str], Any]) -> list[Any]:
        rows = table.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self._wrong(key, f"[[{key}]] tables are needed")
            return []
        return [read(row, f"{key}[{i}].") for i, row in enumerate(rows)]

    def _text(self, table: dict[str, Any], key: str, standard: str | None, at: str = "") -> str:
        value = table.get(key, standard)
        if value is None:
            self._wrong(f"{at}{key}", "is missing")
            return ""
        if not isinstance(value, str):
            self._wrong(f"{at}{key}", "a text is needed")
            return ""
        return value

    def _secret(self, table: dict[str, Any], standard: str | None, at: str) -> str:
        form = table.get("password", standard)
        if form is None or isinstance(form, str):
            return self._text(table, "password", standard, at)
        try:
            return elsewhere(form if isinstance(form, dict) else {}, self._base)
        except ValueError as exc:
            self._wrong(f"{at}password", str(exc))
            return ""

    def _name(self, table: dict[str, Any], key: str, standard: str | None, at: str = "") -> str:
        """A number or a domain: it stands in URLs and addresses."""
        value = self._text(table, key, standard, at)
        if key in table and value != "" and not re.fullmatch(r"[^\s@<>:;/?&\"]+", value):
            self._wrong(f"{at}{key}", f"{value!r} is no number or name: spaces and @ < > : ; / ? & \" can't be in it")
        elif table.get(key) == "":
            self._wrong(f"{at}{key}", "is empty")
        return value

    def _one_of(self, table: dict[str, Any], key: str, standard: str, choices: tuple[str, ...]) -> str:
        value = self._text(table, key, standard)
        if isinstance(table.get(key, standard), str) and value not in choices:
            self._wrong(key, f"{value!r} is not one of {', '.join(choices)}{_suggest(value, choices)}")
        return value if value in choices else standard

    def _codecs(self, table: dict[str, Any]) -> tuple[str, ...]:
        names = self._texts(table, "codecs", CODECS)
        for name in names:
            if name not in CODECS:
                self._wrong("codecs", f"{name!r} is not one of {', '.join(CODECS)}{_suggest(name, CODECS)}")
        return tuple(name for name in names if name in CODECS) or CODECS

    def _texts(self, table: dict[str, Any], key: str, standard: tuple[str, ...] | None, at: str = "") -> list[str]:
        value = table.get(key, None if standard is None else list(standard))
        if value is None:
            self._wrong(f"{at}{key}", "is missing")
            return []
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            self._wrong(f"{at}{key}", "a list of texts is needed")
            return []
        return value

    def _flag(self, table: dict[str, Any], key: str, standard: bool, at: str = "") -> bool:
        value = table.get(key, standard)
        if not isinstance(value, bool):
            self._wrong(f"{at}{key}", "true or false is needed")
            return standard
        return value

    def _number(
        self, table: dict[str, Any], key: str, standard: float, *, low: float, high: float = 86400.0, at: str = ""
    ) -> float:
        value = table.get(key, standard)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self._wrong(f"{at}{key}", f"a number from {low:g} to {high:g} is needed")
            return standard
        return value

    def _known(self, table: dict[str, Any], keys: Iterable[str], at: str) -> None:
        keys = list(keys)
        for key in table:
            if key not in keys:
                self._wrong(f"{at}{key}", f"is not known{_suggest(key, keys)}")

    def _wrong(self, key: str, message: str) -> None:
        self.wrong.append((key, message))


def _suggest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
