"""`[[fault]]` of a scenario: what goes wrong, as data, in virtual time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import trio

from ...errors import ConfigError, Problem, UsageError
from ...plugins import LoadedPlugin
from ..faults import KINDS as FRAME_KINDS
from ..faults import Fault
from ..plugin_faults import KINDS as PLUGIN_KINDS
from ..plugin_faults import PluginFault, mistake
from ..silence import silence
from ..world import World

KINDS = (*FRAME_KINDS, "silence", *PLUGIN_KINDS)

GOES_WITH: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(FRAME_KINDS, ("frame", "nth", "by_bot")),
    "delay": ("frame", "nth", "seconds"),
    "reorder": ("frame", "nth"),
    "silence": ("at", "by_bot"),
    "slow": ("plugin", "hook", "nth", "seconds"),
    "crash": ("plugin", "hook", "nth"),
}
"""Kind → the keys that say more of it."""


@dataclass(frozen=True)
class ScenarioFault:
    """One thing that goes wrong. Frames: see `testing.faults.Fault`. `silence`: `at` so many seconds, no audio and no
    keys of the other side come any more, or with `by_bot` nothing of what the bot sends arrives, in all calls of the
    bot, also those that begin later. `slow`, `crash`: a
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


def check_plugins(file: str, faults: Sequence[ScenarioFault], plugins: Sequence[LoadedPlugin]) -> None:
    """Raises ConfigError for plugins and hooks that are not there."""
    found = {plugin.name: plugin for plugin in plugins}
    problems = [
        Problem(file, fault.line, f"{fault.place}.{wrong[0]}", wrong[1])
        for fault in faults
        if fault.kind in PLUGIN_KINDS and (wrong := mistake(fault.plugin, fault.hook, found))
    ]
    if problems:
        raise ConfigError(problems)


def into_plugins(faults: Sequence[ScenarioFault], world: World, came: set[int]) -> None:
    """What is to go wrong in them, from the very start; `came` gets the indices of those that did."""
    for fault in faults:
        if fault.kind in PLUGIN_KINDS:
            kind: Any = fault.kind
            told = partial(came.add, fault.index)
            world.faults.add(PluginFault(kind, fault.plugin, fault.hook, fault.nth, fault.seconds, told))


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
    async with trio.open_nursery() as nursery:
        for fault in faults:
            if fault.kind == "silence":
                nursery.start_soon(_silence, fault, world, nursery, came)
        await trio.sleep(math.inf)


async def _silence(fault: ScenarioFault, world: World, nursery: trio.Nursery, came: set[int]) -> None:
    await trio.sleep(max(0.0, fault.at - world.pbx.story.clock()))
    came.add(fault.index)
    silence(world.pbx, world.media, nursery, by_bot=fault.by_bot)
