"""What the tests of the plugin room share: plugins in files, plugins as objects, a host that runs."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import structlog
import trio

from vodiabot.config import Config, parse
from vodiabot.plugins import LoadedPlugin, PluginHost, PluginProblem, load_plugins, unload
from vodiabot.plugins.lifespan import lifespan_of
from vodiabot.plugins.validation import implementations_of

TOML = """\
[pbx]
url = "wss://pbx.example.com"
domain = "example.com"
[[extension]]
user = "45"
password = "x"
"""
"""Six lines, so that what a test adds starts in line 7."""

HEAD = "from vodiabot import hookimpl\n"
ANSWERS = HEAD + "@hookimpl\nasync def answer_call(call):\n    await call.answer()\n"


def write(folder: Path, name: str, source: str) -> Path:
    """A file below a folder; missing folders are made."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(source))
    return path


def config(base: Path, toml: str) -> Config:
    """A configuration whose file lies in `base`."""
    return parse(TOML + textwrap.dedent(toml), file=str(base / "bot.toml"))


def load(
    base: Path, toml: str, *, shipped: Path | None = None
) -> tuple[list[LoadedPlugin], list[PluginProblem]]:
    """Load, and forget the modules at once: what a test needs of them it has."""
    loaded, problems = load_plugins(config(base, toml), shipped=shipped)
    for plugin in loaded:
        unload(plugin)
    return loaded, problems


def load_one(base: Path, name: str, source: str, section: str = "") -> tuple[list[LoadedPlugin], list[str]]:
    """Load a plugin of one file `plugins/NAME.py`; problems as lines, without the folder."""
    write(base / "plugins", f"{name}.py", source)
    loaded, problems = load(base, f'[plugins]\npath = ["plugins"]\nenabled = ["{name}"]\n' + section)
    return loaded, [str(p).replace(f"{base}/", "") for p in problems]


def as_plugin(obj: Any, *, name: str = "", config: Any = None, critical: bool = False) -> LoadedPlugin:
    """An object with hooks as methods, as a loaded plugin."""
    implementations, faults = implementations_of(obj, has_config=config is not None)
    lifespan, more = lifespan_of(obj, has_config=config is not None)
    assert not [*faults, *more]
    return LoadedPlugin(
        name=name or type(obj).__name__,
        namespace=obj,
        implementations=MappingProxyType(implementations),
        config=config,
        lifespan=lifespan,
        critical=critical,
    )


@asynccontextmanager
async def running(
    *plugins: Any, hook_timeout: float = 10.0, mailbox_size: int = 1000, bot: Any = "the bot", **more: Any
) -> AsyncIterator[PluginHost]:
    """A host with these plugins (objects or loaded ones), at work; gone at the end of the body."""
    loaded = [p if isinstance(p, LoadedPlugin) else as_plugin(p) for p in plugins]
    host = PluginHost(loaded, hook_timeout=hook_timeout, bot=bot, mailbox_size=mailbox_size, **more)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        yield host
        nursery.cancel_scope.cancel()


@contextmanager
def logged() -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """`logged()` gives a function: the lines at a level, or all."""
    with structlog.testing.capture_logs() as lines:
        yield lambda *levels: [dict(x) for x in lines if not levels or x["log_level"] in levels]
