"""A scenario in virtual time."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import trio

from ...errors import ConfigError
from ..folder import UnderTest, plugin_of
from ..settings import Author, Prepared, Settings, prepare, shipped_plugins
from ..story import Deeds
from ..world import BEGINNING, World, in_virtual_time, moment
from .faults import check_plugins, into_plugins, let_go_wrong, never_came
from .model import Cast, Scenario
from .runner import Outcome, Player
from .stage import Actor

ALLOW = "--network allows it"


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
        pbx = self._world.pbx
        outside = not cast.inside and not pbx.is_extension(cast.number)
        person = pbx.person(cast.number, cast.name, outside=outside)  # each has a phone, also if two share a number
        person.phone.answers_after, person.phone.refuses = cast.answers_after, cast.refuses
        await trio.lowlevel.checkpoint()
        return person

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


def run_virtual(scenario: Scenario, *, network: bool = False) -> Outcome:
    """`network`: plugins may connect to other machines. Raises ConfigError where the scenario's bot can't be set up."""
    player = Player(scenario, "virtual")
    error: BaseException | None = None
    with tempfile.TemporaryDirectory(prefix="vodiabot-") as state:
        prepared = of_the_bot(prepare(author_of(scenario, Path(state))), scenario)
        came: set[int] = set()
        try:
            check_plugins(scenario.file, scenario.faults, prepared.plugins)
            start = moment(scenario.start or BEGINNING)
            world = World(prepared, start=start, seed=scenario.seed, network=network, how=ALLOW)
            into_plugins(scenario.faults, world, came)
            try:
                in_virtual_time(partial(world.run, partial(_play, player, world, came)))
            finally:
                player.outcome.notes += world.refused
        except ConfigError:
            raise
        except Exception as exc:  # noqa: BLE001 - raised by `ended`, if it is nothing to be told
            error = exc
        finally:
            prepared.forget()
    return player.ended(error)


async def _play(player: Player, world: World, came: set[int]) -> None:
    error: Exception | None = None
    faults = player.scenario.faults
    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_go_wrong, faults, world, came)
        try:
            await player.play(VirtualStage(world))
        except Exception as exc:  # noqa: BLE001 - raised below, as it is: not as one of a group
            error = exc
        nursery.cancel_scope.cancel()
    player.outcome.notes += never_came(faults, world, came)
    if error is not None:
        raise error


def of_the_bot(prepared: Prepared, scenario: Scenario) -> Prepared:
    """As against a real PBX: the first extension is the bot's, one that plays somebody of the cast is not."""
    parts = {name for cast in scenario.cast.values() for name in (cast.number, cast.extension)}
    first, *others = prepared.config.extensions
    gone = {extension.user for extension in others} & parts - {first.user}
    kept = tuple(extension for extension in prepared.config.extensions if extension.user not in gone)
    known = tuple(extension for extension in prepared.sim.extensions if extension.user not in gone)
    config = msgspec.structs.replace(prepared.config, extensions=kept)
    return replace(prepared, config=config, sim=replace(prepared.sim, extensions=known))


def author_of(scenario: Scenario, state: Path) -> Author:
    """Whose bot it is: the scenario's, else that of the bot.toml beside it, else the plugin in whose folder it lies."""
    file = Path(scenario.file).absolute()
    settings: Settings = scenario.settings
    beside = file.parent / "bot.toml"
    if settings is None and beside.is_file():
        settings = beside
    under_test = plugin_of(file, file.parents[min(3, len(file.parents) - 1)]) if settings is None else UnderTest()
    return Author(settings=settings, under_test=under_test, file=file, state_dir=state, shipped=shipped_plugins())
