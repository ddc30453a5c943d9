"""What an author says of his bot, made into a whole configuration for the virtual PBX."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from ..config.draft import Draft
from ..config.model import Config, RouteConfig
from ..config.overrides import Overrides
from ..config.reading import Source
from ..errors import ConfigError, Problem
from ..plugins import LoadedPlugin, load_plugins, unload
from ..sim.config import Extension, SimConfig, default
from ..sim.config import parse as parse_sim
from .folder import UnderTest
from .toml_text import document_of, text_of

USER, PASSWORD = "45", "bot"

Settings = str | dict[str, Any] | Path | None
"""The text of a bot.toml, or its tables, or its path; what it leaves out is filled in. None: all of it is."""

NO_PLUGIN = "it is not clear which plugin is meant: say so in the settings, or put it into the plugin's folder"


@dataclass(frozen=True)
class Author:
    """Where settings come from, and what is taken where they say nothing."""

    settings: Settings = None
    sim: dict[str, Any] | None = None
    """As `[sim]` of bot.toml; it wins over that."""
    under_test: UnderTest = field(default_factory=UnderTest)
    file: Path = Path("settings")
    """What mistakes are told of; relative paths are relative to its folder."""
    state_dir: Path = Path()
    shipped: Path | None = None
    """The folder of the plugins that come with vodiabot."""


@dataclass(frozen=True)
class Prepared:
    """All that a virtual world needs to know."""

    config: Config
    sim: SimConfig
    plugins: tuple[LoadedPlugin, ...]

    def forget(self) -> None:
        """So that the next test imports the plugins afresh."""
        for plugin in self.plugins:
            unload(plugin)


def prepare(author: Author) -> Prepared:
    """Read, fill in, load the plugins. Raises ConfigError with all that is wrong, also with the plugins."""
    if author.settings is None and not author.under_test.names:
        raise ConfigError([Problem(str(author.file), None, "", NO_PLUGIN)])
    doc, source = _document(author)
    sim = _sim(doc, author, source)
    config = Draft(_filled_in(doc, author, sim), source, Overrides()).config(pbx_optional=False)
    plugins, problems = load_plugins(config, shipped=author.shipped)
    if problems:
        for plugin in plugins:
            unload(plugin)
        raise ConfigError([problem for one in problems for problem in one.problems()])
    if "route" not in doc:
        config = msgspec.structs.replace(config, routes=_routes(plugins))
    return Prepared(config, _with_the_bots(sim, config), tuple(plugins))


def _document(author: Author) -> tuple[dict[str, Any], Source]:
    told, file = author.settings, author.file
    if isinstance(told, Path):
        file, told = told, text_of(told)
    doc, lines = document_of(told, str(file)) if isinstance(told, str) else (dict(told or {}), {})
    return doc, Source(str(file), file.absolute().parent, os.environ, lines)


def _sim(doc: dict[str, Any], author: Author, source: Source) -> SimConfig:
    table = author.sim if author.sim is not None else doc.get("sim")
    if table is None:
        return default()
    return parse_sim(table, file=source.file, base=source.base, within="sim")


def _filled_in(doc: dict[str, Any], author: Author, sim: SimConfig) -> dict[str, Any]:
    """What reaches beyond the virtual PBX is left out: addresses and passwords. Nothing listens in such a world (see
    `Bot(serve=False)`)."""
    kept = {key: value for key, value in doc.items() if key != "sim"}
    pbx = {key: doc["pbx"][key] for key in ("country",) if key in doc.get("pbx", {})}
    return {
        **kept,
        "pbx": {"url": "ws://pbx.example.com", "domain": sim.domain, **pbx},
        "extension": _extensions(doc.get("extension")),
        "bot": {"drain_timeout": 5, **doc.get("bot", {}), "state_dir": author.state_dir.as_posix()},
        "limits": {"dial_allow": ["*"], **doc.get("limits", {})},
        "plugins": _plugins(doc.get("plugins", {}), author),
    }


def _extensions(told: Any) -> Any:
    """The author's own, with the virtual PBX's password."""
    if not isinstance(told, list) or not told:
        return [{"user": USER, "password": PASSWORD}] if told is None else told
    return [{**one, "password": PASSWORD} if isinstance(one, dict) else one for one in told]


def _plugins(told: Any, author: Author) -> Any:
    if not isinstance(told, dict):
        return told
    found = author.under_test
    path = [*told.get("path", []), *(folder.as_posix() for folder in found.path)]
    return {"enabled": list(found.names), **told, "path": path}


def _routes(plugins: list[LoadedPlugin]) -> tuple[RouteConfig, ...]:
    """Every call to the first plugin that answers calls."""
    answering = [plugin.name for plugin in plugins if "answer_call" in plugin.implementations]
    return (RouteConfig(plugin=answering[0]),) if answering else ()


def _with_the_bots(sim: SimConfig, config: Config) -> SimConfig:
    """The virtual PBX knows the bot's extensions."""
    mine = {extension.user: PASSWORD for extension in config.extensions}
    names = {extension.user: extension.name for extension in sim.extensions}
    others = [extension for extension in sim.extensions if extension.user not in mine]
    manages = {extension.user for extension in sim.extensions if extension.manages_calls}
    bots = [Extension(user, password, names.get(user, "Bot"), user in manages) for user, password in mine.items()]
    return replace(sim, extensions=(*bots, *others))


def shipped_plugins() -> Path:
    """The folder of the plugins that come with vodiabot: inside the package where it is installed, else beside it."""
    package = Path(__file__).parent.parent
    inside = package / "_shipped" / "plugins"
    return inside if inside.is_dir() else package.parent / "plugins"
