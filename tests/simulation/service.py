"""One life of the bot: from its start until it leaves or is killed, with its plugins and its administrator."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import trio

from vodiabot import Bot
from vodiabot.config import parse
from vodiabot.plugins import LoadedPlugin
from vodiabot.reloading import Loaded, Outcome, Reloader
from vodiabot.session import Session
from vodiabot.testing.media import VirtualMedia
from vodiabot.testing.pbx import VirtualPbx

from .authors import Witness, dial_now_and_then, misbehaving, use_the_desk_phone, worker
from .network import FAIR, Network
from .settings import BotToml, spoiled
from .watch import Watch

Dice = Callable[[str], random.Random]
"""Of an actor."""

STEP = 5.0
"""Virtual seconds between two looks at everything; each event and frame is looked at when it comes."""


class Service:
    """`run` it, and let it `work`; `leave` or `kill` ends it."""

    def __init__(
        self, toml: BotToml, pbx: VirtualPbx, network: Network, chance: Dice, before: Sequence[Watch] | None
    ) -> None:
        """`before`: what was seen in earlier lives; None if it is never killed."""
        self.toml = toml
        self._pbx, self._network = pbx, network
        may_die, before = before is not None, before or ()
        life = len(before)
        self._chance = lambda actor: chance(f"{actor} of life {life}")
        self._rng = self._chance("administrator")
        self.witness, self.pupil = Witness("witness"), Witness("pupil", self._chance("pupil"))
        self._plugins = self._first_plugins()
        config = parse(str(toml))
        self.bot = Bot(
            config,
            plugins=[self._plugins[name] for name in config.plugins.enabled],
            media=VirtualMedia(pbx.wire).opened,
            make_session=partial(Session, connect=network.connect, rng=self._chance("backoff")),
            wall=lambda: trio.current_time() + network.clock,
        )
        self.bot.keeps_calls = may_die
        self.watch = Watch(self.bot, pbx, network, (self.witness, self.pupil), before)
        self._reloader = Reloader(self.bot, self._load, in_thread=_at_once)
        self._text = str(toml)
        self._life, self._background = trio.CancelScope(), trio.CancelScope()
        self._over = trio.Event()

    def _first_plugins(self) -> dict[str, LoadedPlugin]:
        made = [self._worker(), self.witness.plugin(), self.pupil.plugin(), *misbehaving(self._chance("misbehaving"))]
        return {plugin.name: plugin for plugin in made}

    def _worker(self) -> LoadedPlugin:
        return worker(self._chance("worker"))

    # --- its life ----------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until it has left or was killed."""
        with self._life:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.bot.run)
                self.watch.tap_sessions()
                nursery.start_soon(self._look)
                task_status.started()
                await self._over.wait()
        self._over.set()

    async def _look(self) -> None:
        while True:
            await trio.sleep(STEP)
            self.watch.step()
            self.watch.agree(fair=self._network.weather == FAIR and self._pbx.up)

    async def work(self, seconds: float) -> None:
        """What the bot and its administrator do by themselves, for so long or until `rest`."""
        with self._background:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(dial_now_and_then, self.bot, self._chance("dialler"), trio.current_time() + seconds)
                if self.toml.second:
                    nursery.start_soon(use_the_desk_phone, self.bot, self._chance("desk"))
                nursery.start_soon(self._administrate)

    def rest(self) -> None:
        """No more work."""
        self._background.cancel()

    async def leave(self) -> None:
        """In peace."""
        self.bot.drain()
        await trio.sleep(60)
        self.watch.check_witnesses()
        self._over.set()

    async def is_talking(self, timeout: float) -> None:
        """Returns when it has a call that is up, or after so many seconds."""
        with trio.move_on_after(timeout):
            while not any(call.state == "up" for call in self.bot.calls):  # noqa: ASYNC110 - as time is virtual
                await trio.sleep(1)

    async def kill(self) -> None:
        """All its wires are cut at once, and nothing that it still does counts, as if it had done no more: what is in
        `state_dir` stays as it was. The PBX does not hear of it but by silence."""
        kept = {path: path.read_bytes() for path in self.toml.state.iterdir()}
        self._network.dead = True
        self._pbx.cut_all()
        self._network.fall_silent()
        self._background.cancel()
        self._life.cancel()
        await self._over.wait()
        self._network.dead = False
        for path in self.toml.state.iterdir():
            path.unlink()
        for path, content in kept.items():
            path.write_bytes(content)

    # --- its administrator -------------------------------------------------------------------------------------------

    async def _administrate(self) -> None:
        while True:
            await trio.sleep(self._rng.expovariate(1 / 600))
            if self._rng.random() < 0.25:
                await self._reload_what_is_wrong()
            else:
                await self._reload(self.toml.changed(self._rng))

    async def _reload_what_is_wrong(self) -> None:
        bot, plugins = self.bot.config, self.bot.host.plugins
        self._text = spoiled(str(self.toml), self._rng)
        outcome = await self._reloader.reload()
        self.watch.require(not outcome.ok, "a bad bot.toml was taken over")
        self.watch.require(self.bot.config is bot and self.bot.host.plugins == plugins, "a bad bot.toml changes things")

    async def _reload(self, toml: BotToml) -> None:
        began, calls = trio.current_time(), self.bot.calls
        before, self.toml, self._text = self.toml, toml, str(toml)
        outcome = await self._reloader.reload()
        self.watch.require(outcome.ok, lambda: f"a good bot.toml was refused: {outcome.problems}")
        self.watch.require(
            _touched(outcome) == _to_be_touched(before, toml), lambda: f"{before!r} -> {toml!r}: {outcome}"
        )
        if trio.current_time() == began:
            self.watch.require(self.bot.calls == calls, "a reload has ended calls")

    def _load(self, keep: list[LoadedPlugin]) -> Loaded:
        config = parse(self._text)
        running = {plugin.name: plugin for plugin in keep}
        now, before = config.plugin, self.bot.config.plugin
        if now["worker"] != before["worker"]:
            self._plugins["worker"] = self._worker()
        if now["pupil"] != before["pupil"]:
            self._plugins["pupil"] = self.pupil.plugin()
        assert set(running) <= set(self._plugins)
        return Loaded(config, [self._plugins[name] for name in config.plugins.enabled], [])


def _touched(outcome: Outcome) -> tuple[set[str], ...]:
    return set(outcome.started), set(outcome.restarted), set(outcome.stopped)


def _to_be_touched(before: BotToml, after: BotToml) -> tuple[set[str], ...]:
    misbehaving_ones = {"slow", "broken"}
    restarted = {name for name in ("worker", "pupil") if getattr(before, name) != getattr(after, name)}
    came, went = after.broken > before.broken, after.broken < before.broken
    return misbehaving_ones if came else set(), restarted, misbehaving_ones if went else set()


async def _at_once(work: Callable[..., Any], *args: Any) -> Any:
    """Threads and virtual time don't mix."""
    return work(*args)
