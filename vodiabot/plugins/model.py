"""What the plugin room hands out: plugins that are loaded, what is wrong with others, how they fare."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import Problem


@dataclass(frozen=True)
class PluginProblem:
    """One thing that is wrong with one plugin."""

    plugin: str
    problem: Problem
    """File, line and key: of bot.toml, or of the plugin's own code."""
    left_out: bool = True
    """False: the plugin runs all the same (a route that it can't answer)."""

    def __str__(self) -> str:
        return f"plugin {self.plugin}: {self.problem}"

    def problems(self) -> list[Problem]:
        """For `vodiabot check`: the same, with the plugin's name in the message."""
        p = self.problem
        if p.key.startswith(("plugin.", "plugins.", "route[")):
            return [p]
        return [Problem(p.file, p.line, p.key, f"plugin {self.plugin}: {p.message}")]


@dataclass(frozen=True)
class Implementation:
    """A plugin's function for one hook."""

    hook: str
    function: Callable[..., Awaitable[None]]
    names: tuple[str, ...]
    """The arguments that it names."""


@dataclass(frozen=True, eq=False)
class LoadedPlugin:
    """A plugin that was imported and found right."""

    name: str
    namespace: Any
    """The module, or the object that an entry point names."""
    implementations: Mapping[str, Implementation]
    """Hook → function."""
    config: Any = None
    """An instance of its `Config`; None if it has none."""
    version: str = ""
    origin: str = ""
    """Its file, or `distribution 1.2 (entry point)`."""
    lifespan: Implementation | None = None
    """Its setup and teardown, as an async context; None if it has none."""
    critical: bool = False
    """The bot does not start without it."""
    section: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Its section of bot.toml, as it stands there."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Those in its settings when they were read: a file or variable that the section names may say another one."""
    fingerprint: str = field(default="", repr=False)
    """Of its code."""
    modules: tuple[str, ...] = field(default=(), repr=False)
    """The private names under which it stands in `sys.modules`; empty for an installed one."""

    @property
    def hooks(self) -> tuple[str, ...]:
        """The names of the hooks that it implements."""
        return tuple(self.implementations)


StateName = Literal["starting", "running", "quarantined", "stopped", "left_out"]
"""`starting`: its setup runs. `stopped`: the bot is not running (yet, or any more). `left_out`: it is wrong, and the
bot began without it."""


@dataclass(frozen=True)
class PluginState:
    """How a plugin fares, for lists and the console."""

    name: str
    state: StateName
    reason: str = ""
    """Why it is in quarantine, or left out."""
    since: float = 0.0
    """When that began; seconds since the epoch."""
    until: float | None = None
    """When the quarantine ends; seconds since the epoch."""
    queued: int = 0
    """Events that wait in its mailbox."""
    skipped: int = 0
    """Events of state that it has missed, being behind."""
    coalesced: int = 0
    """Events of state that newer ones about the same have replaced, as it was behind."""
    hook_calls: int = 0
    """Hooks that were called, `answer_call` not counted."""
    failures: int = 0
    """Hooks, handlers and background work that raised."""
    timeouts: int = 0
    """Hook calls that took longer than `hook_timeout`."""
    recent_errors: int = 0
    """Errors within `[limits] error_window`."""
    quarantines: int = 0
    """How often it was put into quarantine."""
    calls: int = 0
    """Calls that its handler has now."""


@dataclass(frozen=True)
class Option:
    """One option of a plugin's section."""

    name: str
    type: str
    """As written in the model, e.g. `float` or `str | None`."""
    required: bool
    default: str
    """As Python writes it; "" if required."""
    doc: str


@dataclass(frozen=True)
class NestedModel:
    """A table, or a list of tables, within a plugin's section."""

    name: str
    """As the types of options name it, e.g. `Menu` for `dict[str, Menu]`."""
    doc: str
    """Its docstring."""
    tables: tuple[str, ...]
    """Where it stands in bot.toml, e.g. `[plugin.ivr.menus.NAME]`; `[[plugin.sales.team]]` for a list."""
    options: tuple[Option, ...]


@dataclass(frozen=True)
class PluginInfo:
    """What `vodiabot plugins info` tells."""

    name: str
    version: str
    origin: str
    doc: str
    """The docstring of the module."""
    hooks: tuple[str, ...]
    options: tuple[Option, ...]
    models: tuple[NestedModel, ...] = ()
    """The models that the options are made of, each once, in the order in which they are named."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Option → the value that is in force; empty if its section is wrong."""
    declared: tuple[str, ...] | None = None
    """The capabilities that it asks for; None if it says nothing of them, which is all."""
    allowed: tuple[str, ...] | None = None
    """Those that the operator leaves it; None if he says nothing."""
    capabilities: tuple[str, ...] = ()
    """What both agree to."""
