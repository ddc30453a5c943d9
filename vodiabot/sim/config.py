"""sim.toml, and `[sim]` inside bot.toml with the same keys (DESIGN.md section 4)."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from ..errors import ConfigError, Problem

DIALECTS = ("classic", "modern")

SERVICE_OPTIONS: dict[str, dict[str, Any]] = {
    "tone": {"hz": 1000.0},
    "echo": {},
    "play": {"file": None},
    "busy": {},
    "reject": {"code": 603},
    "no-answer": {},
    "ring": {"seconds": 3.0, "hz": 1000.0},
    "early": {"seconds": 3.0, "hz": 1000.0},
    "early-then-busy": {"seconds": 2.0},
    "direct-200": {"hz": 1000.0},
    "cancel-crosses-answer": {},
    "reoffer": {"seconds": 2.0, "hz": 1000.0, "new_transport": False},
    "glare": {"hz": 1000.0},
    "codec-mismatch": {},
    "media-stop": {"seconds": 2.0, "hz": 1000.0},
    "bye": {"seconds": 2.0, "hz": 1000.0},
    "refuse-transfer": {},
}
"""Service kind → its options and their defaults; None: it has to be given."""


@dataclass(frozen=True)
class Extension:
    user: str
    password: str
    name: str = ""

    def __repr__(self) -> str:
        return f"Extension({self.user!r}, ***, {self.name!r})"


@dataclass(frozen=True)
class Service:
    """A number that the simulator answers itself."""

    number: str
    kind: str
    hz: float = 1000.0
    file: str = ""
    code: int = 603
    seconds: float = 2.0
    new_transport: bool = False
    """Of a re-offer: from a new peer connection of the PBX's, with a new ufrag."""


@dataclass(frozen=True)
class Group:
    """A number that rings several extensions."""

    number: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Admin:
    user: str = "admin"
    password: str = "admin"

    def __repr__(self) -> str:
        return f"Admin({self.user!r}, ***)"


@dataclass(frozen=True)
class SimConfig:
    domain: str = "localhost"
    dialect: str = "modern"
    expires: float = 60.0
    """Seconds of a registration."""
    server_header: str | None = None
    """None: as the dialect's; "": no such header."""
    admin: Admin = Admin()
    tls: bool | str | dict[str, str] = False
    """False, "self-signed", or `{ cert = "…", key = "…" }`."""
    codecs: tuple[str, ...] = ("opus", "G722", "PCMU", "PCMA")
    """What the PBX speaks; the client's order counts."""
    rename_calls: bool = False
    """The first `sdp` frame brings a call-id of the PBX's own."""
    sloppy_setup: bool = False
    """Classic answers are marked `a=setup:actpass` and lack `a=mid`, as of older PBXs. Never to browsers."""
    extensions: tuple[Extension, ...] = ()
    services: tuple[Service, ...] = ()
    groups: tuple[Group, ...] = ()


def default() -> SimConfig:
    """A small company, and a number for each kind of service."""
    kinds = [k for k in SERVICE_OPTIONS if k != "play"]
    services = [Service(number=str(600 + i), kind=kind) for i, kind in enumerate(kinds)]
    return SimConfig(
        extensions=(
            Extension("45", "bot", "Bot"),
            Extension("46", "demo", "Anna"),
            Extension("47", "demo", "Bruno"),
            Extension("48", "demo", "Clara"),
        ),
        services=tuple(services),
        groups=(Group("700", ("45", "46")),),
    )


def load(path: Path) -> SimConfig:
    """Read a sim.toml. Raises ConfigError with all that is wrong."""
    try:
        table = tomli.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError([Problem(str(path), None, "", f"can't be read: {exc.strerror}")]) from exc
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError([Problem(str(path), getattr(exc, "lineno", None), "", str(exc))]) from exc
    return parse(table, file=str(path), base=path.resolve().parent)


def parse(table: dict[str, Any], *, file: str, base: Path) -> SimConfig:
    """Check a table. `base`: what relative paths are relative to. Raises ConfigError with all that is wrong."""
    reader = _Reader(file, base)
    config = reader.config(table)
    if reader.problems:
        raise ConfigError(reader.problems)
    return config


class _Reader:
    """Gathers every mistake; what is wrong is replaced by a default meanwhile."""

    def __init__(self, file: str, base: Path) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._base = base

    def config(self, table: dict[str, Any]) -> SimConfig:
        keys = ["domain", "dialect", "expires", "server_header", "admin", "tls", "codecs", "rename_calls"]
        keys += ["sloppy_setup", "extension", "service", "group"]
        self._known(table, keys, "")
        standard = SimConfig()
        dialect = self._text(table, "dialect", standard.dialect)
        if dialect not in DIALECTS:
            self._wrong("dialect", f"{dialect!r} is not one of {', '.join(DIALECTS)}")
        header = table.get("server_header")
        return SimConfig(
            domain=self._text(table, "domain", standard.domain),
            dialect=dialect,
            expires=self._number(table, "expires", standard.expires, low=1),
            server_header=None if header is None else self._text(table, "server_header", ""),
            admin=self._admin(table.get("admin", {})),
            tls=self._tls(table.get("tls", False)),
            codecs=tuple(self._texts(table, "codecs", standard.codecs)),
            rename_calls=table.get("rename_calls", False) is True,
            sloppy_setup=table.get("sloppy_setup", False) is True,
            extensions=tuple(self._each(table, "extension", self._extension)),
            services=tuple(self._each(table, "service", self._service)),
            groups=tuple(self._each(table, "group", self._group)),
        )

    def _extension(self, table: dict[str, Any], at: str) -> Extension:
        self._known(table, ["user", "password", "name"], at)
        return Extension(
            self._text(table, "user", None, at),
            self._text(table, "password", None, at),
            self._text(table, "name", "", at),
        )

    def _service(self, table: dict[str, Any], at: str) -> Service:
        number, kind = self._text(table, "number", None, at), self._text(table, "kind", None, at)
        options = SERVICE_OPTIONS.get(kind)
        if options is None:
            if kind:
                self._wrong(f"{at}kind", f"{kind!r} is not a kind of service{_suggest(kind, SERVICE_OPTIONS)}")
            return Service(number, "tone")
        self._known(table, ["number", "kind", *options], at)
        values = {name: self._option(table, name, value, at) for name, value in options.items()}
        return Service(number, kind, **values)

    def _option(self, table: dict[str, Any], name: str, standard: Any, at: str) -> Any:
        if name == "file":
            text = self._text(table, name, None, at)
            path = self._base / text
            if text and not path.is_file():
                self._wrong(f"{at}{name}", f"there is no file {path}")
            return str(path)
        if isinstance(standard, bool):
            return table.get(name, standard) is True
        number = self._number(table, name, standard, low=0, at=at)
        return int(number) if isinstance(standard, int) else number

    def _group(self, table: dict[str, Any], at: str) -> Group:
        self._known(table, ["number", "members"], at)
        return Group(self._text(table, "number", None, at), tuple(self._texts(table, "members", (), at)))

    def _admin(self, table: Any) -> Admin:
        if not isinstance(table, dict):
            self._wrong("admin", "a table { user = …, password = … } is needed")
            return Admin()
        self._known(table, ["user", "password"], "admin.")
        return Admin(
            self._text(table, "user", "admin", "admin."), self._text(table, "password", "admin", "admin.")
        )

    def _tls(self, value: Any) -> bool | str | dict[str, str]:
        if value is False or value == "self-signed":
            return "self-signed" if value else False
        texts = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        if texts and set(value) == {"cert", "key"}:
            return {name: str(self._base / path) for name, path in value.items()}
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

    def _texts(self, table: dict[str, Any], key: str, standard: tuple[str, ...], at: str = "") -> list[str]:
        value = table.get(key, list(standard))
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            self._wrong(f"{at}{key}", "a list of texts is needed")
            return []
        return value

    def _number(self, table: dict[str, Any], key: str, standard: float, *, low: float, at: str = "") -> float:
        value = table.get(key, standard)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < low:
            self._wrong(f"{at}{key}", f"a number of at least {low:g} is needed")
            return standard
        return value

    def _known(self, table: dict[str, Any], keys: list[str], at: str) -> None:
        for key in table:
            if key not in keys:
                self._wrong(f"{at}{key}", f"is not known{_suggest(key, keys)}")

    def _wrong(self, key: str, message: str) -> None:
        self.problems.append(Problem(self._file, None, key, message))


def _suggest(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
