"""A scenario in virtual time."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio

from ..folder import UnderTest, plugin_of
from ..settings import Author, Settings, prepare, shipped_plugins
from ..story import Deeds
from ..world import BEGINNING, World, in_virtual_time, moment
from .faults import into_plugins, let_go_wrong
from .model import Cast, Scenario
from .runner import Outcome, Player
from .stage import Actor


class VirtualStage:
    """The world of the pytest fixtures."""

    def __init__(self, world: World) -> None:
        self.story = world.pbx.story
        self.notes: list[str] = []
        self._world = world

    @property
    def did(self) -> Deeds:
        return self._world.bot.did

    def number(self, number: str) -> str:
        """As in the scenario."""
        return number

    async def enter(self, cast: Cast) -> Actor:
        return await self._world.pbx.phone(
            cast.number,
            cast.name,
            answers_after=cast.answers_after,
            refuses=cast.refuses,
            outside=not cast.inside and not self._world.pbx.is_extension(cast.number),
        )

    async def bot_does(self, deed: str, *, within: float = 10.0) -> None:
        await self._world.bot.does(deed, within=within)

    async def bot_fails(self, name: str, *, within: float = 10.0) -> None:
        error = await self._world.bot.fails(within=within)
        if type(error).__name__ != name:
            raise self._world.pbx.wrong(f"a plugin raised {type(error).__name__}, expected {name}")

    def untold_failures(self, told: str = "") -> str:
        return self._world.bot.untold_failures(told)

    async def connection_lost(self, seconds: float) -> None:
        await self._world.pbx.loses_connection(seconds)


def run_virtual(scenario: Scenario) -> Outcome:
    """Raises ConfigError where the scenario's bot can't be set up."""
    player = Player(scenario, "virtual")
    error: BaseException | None = None
    with tempfile.TemporaryDirectory(prefix="vodiabot-") as state:
        prepared = prepare(author_of(scenario, Path(state)))
        prepared = replace(prepared, plugins=into_plugins(scenario.faults, prepared.plugins))
        world = World(prepared, start=moment(scenario.start or BEGINNING), seed=scenario.seed)
        try:
            in_virtual_time(partial(world.run, partial(_play, player, world)))
        except Exception as exc:  # noqa: BLE001 - raised by `ended`, if it is nothing to be told
            error = exc
        finally:
            prepared.forget()
    return player.ended(error)


async def _play(player: Player, world: World) -> None:
    error: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_go_wrong, player.scenario.faults, world)
        try:
            await player.play(VirtualStage(world))
        except Exception as exc:  # noqa: BLE001 - raised below, as it is: not as one of a group
            error = exc
        nursery.cancel_scope.cancel()
    if error is not None:
        raise error


def author_of(scenario: Scenario, state: Path) -> Author:
    """Whose bot it is: the scenario's, else that of the bot.toml beside it, else the plugin in whose folder it lies."""
    file = Path(scenario.file).absolute()
    settings: Settings = scenario.settings
    beside = file.parent / "bot.toml"
    if settings is None and beside.is_file():
        settings = beside
    under_test = plugin_of(file, file.parents[min(3, len(file.parents) - 1)]) if settings is None else UnderTest()
    return Author(settings=settings, under_test=under_test, file=file, state_dir=state, shipped=shipped_plugins())
