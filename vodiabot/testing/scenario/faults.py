"""`[[fault]]` of a scenario: what goes wrong, as data, in virtual time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import trio

from ...config.reading import suggestion
from ...errors import ConfigError, Problem, UsageError
from ...plugins import LoadedPlugin
from ...plugins.model import Implementation
from ..faults import KINDS as FRAME_KINDS
from ..faults import Fault
from ..media import VirtualLeg
from ..world import World

PLUGIN_KINDS = ("slow", "crash")
KINDS = (*FRAME_KINDS, "silence", *PLUGIN_KINDS)

GOES_WITH: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(FRAME_KINDS, ("frame", "nth", "by_bot")),
    "delay": ("frame", "nth", "seconds"),
    "reorder": ("frame", "nth"),
    "silence": ("at",),
    "slow": ("plugin", "hook", "nth", "seconds"),
    "crash": ("plugin", "hook", "nth"),
}
"""Kind → the keys that say more of it."""


SILENT_AFTER = 5.0
"""Seconds without a packet of the other side that the audio tells."""


class FaultOfTheTest(Exception):
    """What a plugin raises where a scenario wants it to."""


@dataclass(frozen=True)
class ScenarioFault:
    """One thing that goes wrong. Frames: see `testing.faults.Fault`. `silence`: `at` so many seconds, no audio and no
    keys of the other side come any more, in all calls of the bot, also those that begin later. `slow`, `crash`: a
    plugin's hook takes `seconds` longer, or raises, the nth time (0: each time)."""

    kind: str
    frame: str = ""
    nth: int = 1
    by_bot: bool = False
    seconds: float = 1.0
    at: float = 0.0
    plugin: str = ""
    hook: str = ""
    index: int = 0
    """In the file."""
    line: int | None = None

    @property
    def place(self) -> str:
        """As mistakes name it."""
        return f"fault[{self.index}]"


def check(fault: ScenarioFault) -> None:
    """Raises UsageError for what makes no sense."""
    if fault.kind in FRAME_KINDS:
        _frame_fault(fault)
    if fault.kind in PLUGIN_KINDS and not fault.plugin:
        raise UsageError(f'"{fault.kind}" needs the name of a plugin')


def _frame_fault(fault: ScenarioFault) -> Fault:
    kind: Any = fault.kind
    return Fault(kind, fault.frame, fault.nth, fault.by_bot, fault.seconds)


def into_plugins(
    file: str, faults: Sequence[ScenarioFault], plugins: Sequence[LoadedPlugin], came: set[int]
) -> tuple[LoadedPlugin, ...]:
    """The plugins, with what is to go wrong in them; `came` gets the indices of those that did. Raises ConfigError for
    plugins and hooks that are not there."""
    found = {plugin.name: plugin for plugin in plugins}
    theirs = [fault for fault in faults if fault.kind in PLUGIN_KINDS]
    if problems := [problem for fault in theirs if (problem := _not_there(file, fault, found)) is not None]:
        raise ConfigError(problems)
    for fault in theirs:
        found[fault.plugin] = _with_fault(found[fault.plugin], fault, came)
    return tuple(found.values())


def _not_there(file: str, fault: ScenarioFault, found: Mapping[str, LoadedPlugin]) -> Problem | None:
    plugin = found.get(fault.plugin)
    if plugin is None:
        message = f'there is no plugin "{fault.plugin}"{suggestion(fault.plugin, found)}'
        return Problem(file, fault.line, f"{fault.place}.plugin", message)
    if fault.hook and fault.hook not in plugin.implementations:
        message = f'plugin "{plugin.name}" has no {fault.hook}{suggestion(fault.hook, plugin.implementations)}'
        return Problem(file, fault.line, f"{fault.place}.hook", message)
    return None


def _with_fault(plugin: LoadedPlugin, fault: ScenarioFault, came: set[int]) -> LoadedPlugin:
    hooks = [fault.hook] if fault.hook else list(plugin.implementations)
    spoiled = {hook: _spoiled(plugin.implementations[hook], fault, came) for hook in hooks}
    return replace(plugin, implementations={**plugin.implementations, **spoiled})


def _spoiled(implementation: Implementation, fault: ScenarioFault, came: set[int]) -> Implementation:
    times = 0

    async def function(**arguments: Any) -> None:
        nonlocal times
        times += 1
        if fault.nth in (0, times):
            came.add(fault.index)
            if fault.kind == "crash":
                raise FaultOfTheTest(f"{fault.plugin} crashes here: a [[fault]] of the scenario")
            await trio.sleep(fault.seconds)
        await implementation.function(**arguments)

    return replace(implementation, function=function)


def never_came(faults: Sequence[ScenarioFault], world: World, came: set[int]) -> list[str]:
    """Notes: a scenario that passes because nothing went wrong proves little."""
    frames = [fault for fault in faults if fault.kind in FRAME_KINDS]
    indices = came | {frames[at].index for at in world.pbx.line.happened}
    return [f"{one.place}, {one.kind}, never came about" for one in faults if one.index not in indices]


async def let_go_wrong(faults: Sequence[ScenarioFault], world: World, came: set[int]) -> None:
    """What happens to frames, from now on; and, until cancelled, what happens at its time; see `into_plugins`."""
    for fault in faults:
        if fault.kind in FRAME_KINDS:
            world.pbx.line.faults.append(_frame_fault(fault))
    silences = [fault for fault in faults if fault.kind == "silence"]
    async with trio.open_nursery() as nursery:
        if silences:
            first = min(fault.at for fault in silences)
            await trio.sleep_until(trio.current_time() + max(0.0, first - world.pbx.story.clock()))
            came |= {fault.index for fault in silences}
            _fall_silent(world, nursery)
        await trio.sleep(math.inf)


def _fall_silent(world: World, nursery: trio.Nursery) -> None:
    """All legs that are up, and those that will be."""

    def deafen(leg: VirtualLeg) -> None:
        if not leg.deaf:
            leg.deafen()
            nursery.start_soon(_notice, leg)

    world.pbx.story.tell("fault: no audio of the other side comes any more")
    world.media.on_up.append(deafen)
    for leg in world.media.legs:
        if leg.is_up and not leg.closed:
            deafen(leg)


async def _notice(leg: VirtualLeg) -> None:
    """As the real audio does."""
    await trio.sleep(SILENT_AFTER)
    if not leg.closed:
        leg.fall_silent(SILENT_AFTER)
