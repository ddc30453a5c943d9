"""A scenario with real sockets and real audio: against the simulator in this process, or against a real PBX.

The bot is the real one in this process, and so is everybody else: each of the cast is a client of its own, on an
extension of its own. What the bot says is known from what it plays, and the cast's ears listen whether it arrives.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import trio

from ...bot import Bot
from ...config.loader import load as load_config
from ...config.model import Config, ExtensionConfig, PluginsConfig, RouteConfig, Secret
from ...errors import ConfigError, Problem, UsageError
from ...media.bridge import open_media
from ...plugins import LoadedPlugin, load_plugins
from ...plugins.model import Implementation
from ...servers import without_servers
from ...sim.config import Extension, SimConfig
from ...sim.server import RunningSim, serve
from ..settings import prepare, shipped_plugins
from ..watch_log import Log
from .actor import LiveActor
from .live_stage import LiveStage
from .model import Cast, Scenario
from .runner import Outcome, Player
from .virtual import author_of, of_the_bot

CAST_PASSWORD = "cast"
UP_TIMEOUT = 20.0
LEAVE_TIMEOUT = 15.0
"""Seconds in which calls of the bot have to end when everybody has hung up."""

NUMBERS_OF = ("is_transferred_to", "is_connected_to", "calls", "transfers")
"""Verbs whose value is a number that has to be there."""

NO_EARS = "speech is not recognised: where a text is heard, the bot said so, and there was sound in that time"


def run_at_sim(scenario: Scenario) -> Outcome:
    """Raises ConfigError where the scenario's bot can't be set up."""
    with tempfile.TemporaryDirectory(prefix="vodiabot-") as state:
        prepared = of_the_bot(prepare(author_of(scenario, Path(state))), scenario)
        try:
            sim = _with_cast(prepared.sim, scenario, {e.user for e in prepared.config.extensions})
            return _played(scenario, "sim", partial(_at_sim, sim, prepared.config, prepared.plugins))
        finally:
            prepared.forget()


def run_at_pbx(scenario: Scenario, file: Path) -> Outcome:
    """The first extension of bot.toml is the bot's, the others play the cast. Raises ConfigError."""
    config = load_config(file)
    plugins, problems = load_plugins(config, shipped=shipped_plugins())
    if problems:
        raise ConfigError([problem for one in problems for problem in one.problems()])
    parts = _parts(scenario, config)
    bot = msgspec.structs.replace(config, extensions=config.extensions[:1])
    return _played(scenario, config.pbx.url, partial(_on_stage, bot, plugins, parts, hums=False))


def _played(scenario: Scenario, against: str, perform: Callable[..., Awaitable[None]]) -> Outcome:
    if scenario.faults:
        raise UsageError(f"{scenario.file}: a [[fault]] needs --against virtual")
    player = Player(scenario, against)
    error: BaseException | None = None
    try:
        trio.run(perform, scenario, player)
    except BaseException as exc:  # noqa: BLE001 - raised by `ended`, if it is nothing to be told
        error = _only_one(exc)
    return player.ended(error)


def _only_one(exc: BaseException) -> BaseException:
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    return exc


# --- who plays whom --------------------------------------------------------------------------------------------------


def used(scenario: Scenario) -> list[Cast]:
    """Those who do anything."""
    acting = {step.who for step in scenario.steps}
    return [
        cast
        for cast in scenario.cast.values()
        if cast.id in acting or cast.answers_after is not None or cast.refuses is not None
    ]


def _with_cast(sim: SimConfig, scenario: Scenario, bots: set[str]) -> SimConfig:
    """Each has an extension of the number, and whoever is only spoken of has one that rings."""
    cast = {one.number: Extension(one.number, CAST_PASSWORD, one.name or one.number) for one in used(scenario)}
    known = {*cast, *bots, *(s.number for s in sim.services), *(g.number for g in sim.groups)}
    known |= {extension.user for extension in sim.extensions}
    spoken_of = {str(step.value) for step in scenario.steps if step.verb.name in NUMBERS_OF}
    others = [extension for extension in sim.extensions if extension.user not in cast]
    extras = [Extension(number, CAST_PASSWORD, number) for number in sorted(spoken_of - known)]
    return replace(sim, extensions=(*others, *cast.values(), *extras))


def _parts(scenario: Scenario, config: Config) -> dict[str, ExtensionConfig]:
    """Id → extension of bot.toml: the one that it names, or that has its number, or any. Raises ConfigError if there
    are too few."""
    free = list(config.extensions[1:])
    users = {extension.user for extension in free}
    wishes = {cast.id: cast.extension or (cast.number if cast.number in users else "") for cast in used(scenario)}
    parts: dict[str, ExtensionConfig] = {}
    for cast in sorted(used(scenario), key=lambda cast: not wishes[cast.id]):
        found = next((e for e in free if wishes[cast.id] in ("", e.user)), None)
        if found is None:
            wanted = f"the extension {cast.extension}" if cast.extension else "one more extension"
            message = f'{wanted} is needed after the bot\'s own, for "{cast.id}" of {scenario.file}'
            raise ConfigError([Problem(config.where.file, config.where.lines.get("extension"), "extension", message)])
        free.remove(found)
        parts[cast.id] = found
    return parts


# --- the stage -------------------------------------------------------------------------------------------------------


async def _at_sim(
    sim: SimConfig, config: Config, plugins: tuple[LoadedPlugin, ...], scenario: Scenario, player: Player
) -> None:
    log = Log(trio.current_time)
    with log.capturing():  # the simulator's own lines are nobody's business here
        async with trio.open_nursery() as nursery:
            running: RunningSim = await nursery.start(partial(serve, sim, listen="127.0.0.1:0"))
            await _ring_in_vain(running, sim, scenario, {e.user for e in config.extensions})
            pbx = msgspec.structs.replace(config.pbx, url=running.url, domain=sim.domain)
            parts = {c.id: ExtensionConfig(user=c.number, password=Secret(CAST_PASSWORD)) for c in used(scenario)}
            config = without_servers(msgspec.structs.replace(config, pbx=pbx))
            await _on_stage(config, plugins, parts, scenario, player, hums=True)
            nursery.cancel_scope.cancel()


async def _ring_in_vain(running: RunningSim, sim: SimConfig, scenario: Scenario, bots: set[str]) -> None:
    """Phones of those who are only spoken of."""
    cast = {one.number for one in used(scenario)}
    for extension in sim.extensions:
        if extension.password == CAST_PASSWORD and extension.user not in cast | bots:
            await running.lever(running.pbx.phone(extension.user).plug_in)


async def _on_stage(
    config: Config,
    plugins: Any,
    parts: dict[str, ExtensionConfig],
    scenario: Scenario,
    player: Player,
    *,
    hums: bool,
) -> None:
    numbers = {scenario.cast[id_].number: extension.user for id_, extension in parts.items()}
    stage = LiveStage(config, plugins, numbers, hums=hums)
    if any(step.verb.name in ("hears", "speaks") for step in scenario.steps):
        stage.notes.append(NO_EARS)
    with stage.log.capturing():
        async with _running(stage.bot), trio.open_nursery() as nursery:
            stage.nursery = nursery
            for id_, extension in parts.items():
                await _enter(stage, config, scenario.cast[id_], extension)
            stage.begin()
            await player.play(stage)
            await _everybody_leaves(stage)
            nursery.cancel_scope.cancel()


async def _enter(stage: LiveStage, config: Config, cast: Cast, extension: ExtensionConfig) -> None:
    """A client of its own, registered."""
    actor = LiveActor(stage, cast, extension.user)
    client = Bot(
        _client_config(config, extension),
        plugins=[_plugin_of(actor)],
        media=partial(open_media, codecs=config.media.codecs, ice_servers=config.media.ice_servers),
    )
    actor.client = client
    stage.actors[cast.id] = actor
    await stage.nursery.start(client.run)
    await client.wait_up(UP_TIMEOUT)


def _client_config(config: Config, extension: ExtensionConfig) -> Config:
    return msgspec.structs.replace(
        without_servers(config),
        extensions=(extension,),
        routes=(RouteConfig(plugin="cast"),),
        plugins=PluginsConfig(enabled=("cast",)),
        plugin={},
        bot=msgspec.structs.replace(config.bot, state_dir=config.bot.state_dir / "cast" / extension.user),
    )


def _plugin_of(actor: LiveActor) -> LoadedPlugin:
    hooks = {
        "answer_call": Implementation("answer_call", actor.is_called, ("call",)),
        "chat_received": Implementation("chat_received", actor.is_written_to, ("message",)),
    }
    return LoadedPlugin("cast", SimpleNamespace(), hooks)


@asynccontextmanager
async def _running(bot: Bot) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(bot.run)
        await bot.wait_up(UP_TIMEOUT)
        yield
        bot.drain()
        bot.drain()


async def _everybody_leaves(stage: LiveStage) -> None:
    for actor in stage.actors.values():
        await actor.leaves()
    await stage.until(
        lambda: not stage.bot.calls,
        LEAVE_TIMEOUT,
        lambda: f"the bot has calls left {LEAVE_TIMEOUT:g} s after everybody had hung up: "
        + ", ".join(call.remote.number for call in stage.bot.calls),
    )
    stage.check()
