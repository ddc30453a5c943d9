"""A virtual world: the PBX, the people, and the real engine with an author's plugins, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog
import trio
from trio.testing import MockClock

from ..bot import Bot
from ..calls import Call
from ..errors import ConfigError, SpeechUnavailable, UsageError
from ..session import Session
from ..store import Store
from .exchange import Exchange
from .media import VirtualLeg, VirtualMedia
from .offline import offline
from .plugin_faults import PluginFault, PluginFaults
from .settings import Prepared
from .silence import silence
from .speech import VirtualSpeech
from .story import Deeds, Story
from .watch_log import Failure, Log

T = TypeVar("T")

log = structlog.get_logger(__name__)

BEGINNING = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""When a virtual world begins, unless a test says otherwise: a Monday morning."""

UP_TIMEOUT = 30.0
SETTLE = 15.0
"""Seconds that calls may take to end when everybody has hung up, besides `wrap_up`."""


class VirtualBot:
    """The `bot` of a test."""

    def __init__(self, engine: Bot, pbx: Exchange, log: Log) -> None:
        self.engine = engine
        """The real `vodiabot.Bot`."""
        self._pbx = pbx
        self._log = log
        self._expected = 0

    @property
    def did(self) -> Deeds:
        """What the bot did, as the PBX saw it: `["answers 0711123456", "says 'Welcome.' to 0711123456"]`."""
        return self._pbx.watcher.did

    @property
    def calls(self) -> list[Call]:
        """Its living calls."""
        return self.engine.calls

    @property
    def log(self) -> list[dict[str, Any]]:
        """All log lines, as structlog has them, with `level` and `at`."""
        return self._log.lines

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """Those lines of the log that plugins should not bring about: warnings, and worse."""
        return [line for line in self.log if line["level"] in ("warning", "error", "critical")]

    @property
    def failures(self) -> list[Failure]:
        """What its plugins did wrong so far."""
        return self._log.failures

    @property
    def story(self) -> Story:
        """All that happened."""
        return self._pbx.story

    def dial(self, to: str, **more: Any) -> Any:
        """`async with bot.dial("500") as call`, as a plugin does."""
        return self.engine.dial(to, **more)

    def store(self, plugin: str = "") -> Store:
        """What a plugin has as `bot.store`, to be seeded and looked into: `await bot.store("menu").get("count")`. It
        lies in the temporary folder of the test. Without a name, that of the only plugin; UsageError if there is none
        of this name, or more than one."""
        states = [state.name for state in self.engine.host.states()]
        name = plugin or (states[0] if len(states) == 1 else "")
        found = self.engine.plugin_bots.of(name)
        if found is None:
            raise UsageError(f"bot.store({plugin!r}): name one of the plugins {', '.join(states) or '(there is none)'}")
        return found.store

    async def does(self, deed: str, *, within: float = 10.0) -> None:
        """Returns as soon as `deed` is among what the bot did. Raises Unexpected."""
        await self._pbx.until(lambda: deed in self.did, within, lambda: f"the bot did not within {within:g} s: {deed}")

    async def fails(self, kind: type[BaseException] = Exception, *, within: float = 10.0) -> BaseException:
        """A plugin is expected to raise this; gives what it raised, which then does not fail the test."""
        with trio.move_on_after(within):
            while len(self.failures) <= self._expected:  # noqa: ASYNC110 - the log has no event
                await trio.sleep(0.01)
        if len(self.failures) <= self._expected:
            raise self._pbx.wrong(f"no plugin failed within {within:g} s, expected {kind.__name__}")
        failure = self.failures[self._expected]
        self._expected += 1
        if failure.exception is None or not isinstance(failure.exception, kind):
            raise self._pbx.wrong(f"expected {kind.__name__}, but {failure}")
        return failure.exception

    def untold_failures(self, told: str = "") -> str:
        """What plugins did wrong and no test expected, as text, but for what was `told` already: often why something
        else did not come."""
        return self._log.untold(self._expected, told)

    def check(self) -> None:
        """Raises Unexpected if a plugin did something wrong that was not expected."""
        if unexpected := self.untold_failures():
            raise self._pbx.wrong(unexpected)
        states = self.engine.host.states()
        if not self.failures and (bad := [s for s in states if s.failures + s.timeouts + s.quarantines]):
            raise self._pbx.wrong(f"plugins failed: {', '.join(state.name for state in bad)}")


class World:
    """Made of settings; `run` lives through it once."""

    def __init__(
        self,
        prepared: Prepared,
        *,
        start: datetime = BEGINNING,
        seed: int = 0,
        speaks: bool = True,
        network: bool = False,
        how: str = "network=True of the marker `vodiabot` allows it",
    ) -> None:
        """`start`: the time on the wall at first. `seed`: of the PBX's ids. `speaks`: there is a speech provider.
        `network`: plugins may connect to other machines, and this one; `how`: how to allow it, in words."""
        self.prepared = prepared
        self.refused: list[str] = []
        """Connections that plugins wanted to make, in words."""
        self._offline = partial(offline, how, allowed=network, told=self._refuses)
        self.speech = VirtualSpeech()
        if not speaks:
            self.speech.fails_with = SpeechUnavailable("no speech provider is installed")
        self.faults = PluginFaults(prepared.plugins)
        epoch = start.timestamp()
        config = prepared.config
        self.pbx = Exchange(prepared.sim, users=tuple(e.user for e in config.extensions), epoch=epoch, seed=seed)
        self.pbx.on_fault = self._goes_wrong
        self._nursery: trio.Nursery | None = None
        self.log = Log(self.pbx.story.clock)
        self.media = VirtualMedia(self.pbx.virtual.wire)
        self.media.on_record.append(self._records)
        self.engine = Bot(
            config,
            plugins=self.faults.plugins,
            media=self.media.opened,
            make_session=partial(Session, connect=self.pbx.line.connect),
            wall=lambda: epoch + _now(),
            speech=self.speech,
            serve=False,
        )
        self.bot = VirtualBot(self.engine, self.pbx, self.log)

    def _records(self, leg: VirtualLeg, path: Path) -> None:
        call = next((call for call in self.engine.calls if call.id == leg.label), None)
        self.pbx.watcher.recording(call.remote.number if call is not None else "nobody")

    def _goes_wrong(self, kind: Any, **more: Any) -> None:
        """See `Exchange.fault`."""
        if kind != "silence":
            self.faults.add(PluginFault(kind, **more))
        elif self._nursery is None:
            raise UsageError("the test has not begun")
        else:
            silence(self.pbx, self.media, self._nursery, **more)

    def _refuses(self, text: str) -> None:
        self.refused.append(text)
        log.warning(text)

    async def run(self, body: Callable[[], Awaitable[T]]) -> T:
        """Start it all, do what the body does, and see that nothing is left. Raises what the body raises, else
        Unexpected for what is left, and for plugins that failed."""
        with self.log.capturing(), self._offline():
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                await nursery.start(self.pbx.virtual.run)
                result = await self._with_bot(body)
                nursery.cancel_scope.cancel()
        if isinstance(result, BaseException):
            raise result
        return result[0]

    async def _with_bot(self, body: Callable[[], Awaitable[T]]) -> tuple[T] | BaseException:
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.engine.run)
                await self.engine.wait_up(UP_TIMEOUT)
                self.pbx.begin()
                try:
                    result = (await body(),)
                    await self._end()
                except BaseException as exc:
                    nursery.cancel_scope.cancel()
                    if isinstance(exc, trio.Cancelled):
                        raise
                    return exc
                self.engine.drain()
            self._check_left()
        except BaseExceptionGroup as group:
            only = group.exceptions[0] if len(group.exceptions) == 1 else None
            return only if isinstance(only, AssertionError | ConfigError) else group
        except AssertionError as exc:
            return exc
        return result

    async def _end(self) -> None:
        """Everybody hangs up; calls of the bot have to end by themselves then."""
        for person in self.pbx.people:
            if person.state != "unplugged":
                self.pbx.virtual.lever(person.phone.unplug)
        patience = self.engine.config.limits.wrap_up + SETTLE
        await self.pbx.until(
            lambda: not self.engine.calls,
            patience,
            lambda: "the bot has calls left "
            + f"{patience:g} s after everybody had hung up: {', '.join(c.remote.number for c in self.engine.calls)}",
        )
        await self._until_handlers_are_over(patience)
        self.bot.check()

    async def _until_handlers_are_over(self, patience: float) -> None:
        def busy() -> list[str]:
            return [state.name for state in self.engine.host.states() if state.calls]

        with trio.move_on_after(patience):
            while busy():  # noqa: ASYNC110 - states have no event
                await trio.sleep(0.1)
        if over := ", ".join(sorted({*busy(), *self.log.ran_on()})):
            raise self.pbx.wrong(f"handlers of {over} ran on after their calls had ended, and were cancelled")

    def _check_left(self) -> None:
        left = self.pbx.model.snapshot()
        if left["legs"] or left["calls"]:
            raise self.pbx.wrong(f"legs were left at the PBX: {left['legs']}")


def moment(when: datetime | str) -> datetime:
    """A datetime, or its ISO form; UTC where it names no time zone."""
    found = datetime.fromisoformat(when) if isinstance(when, str) else when
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def in_virtual_time(work: Callable[..., Awaitable[T]], *args: Any, **more: Any) -> T:
    """`trio.run` in which time passes as soon as everybody waits. `more`: what `trio.run` takes."""
    clock = more.pop("clock", None) or MockClock(autojump_threshold=0)
    return trio.run(work, *args, clock=clock, **more)


def _now() -> float:
    """0 before it has begun."""
    return trio.current_time() if trio.lowlevel.in_trio_run() else 0.0
