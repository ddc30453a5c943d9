"""One run: an hour of the life of a PBX and its bot, from one seed."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog
import trio

from vodiabot.sim.config import Extension, SimConfig, default
from vodiabot.testing.pbx import VirtualPbx
from vodiabot.testing.wire import Wire

from .chance import Chance, determined, rarely_collecting
from .clock import jumping_clock
from .network import FAIR, Network
from .people import People
from .service import Service
from .settings import BotToml
from .watch import Violation, Watch

HOUR = 3600.0
SETTLE = 400.0
"""Seconds after which, with all faults over and all people gone, nothing may be left: the PBX notices dead media, the
bot has come back from its longest wait, and handlers have had their `wrap_up`."""

OFTEN_KILLED = 1500.0
"""Seconds that a bot lives on average until it is killed."""

DEAD_AIR = 90.0
"""Seconds for which the PBX bears the silence of a bot that was killed."""


@dataclass
class Outcome:
    """What a run was like, and what was wrong, if anything."""

    seed: int
    wrong: str = ""
    calls: int = 0
    events: int = 0
    frames: int = 0
    faults: int = 0
    spoiled: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    print: str = ""
    """Of all that was told and sent: the same for the same seed."""
    took: float = 0.0
    """Real seconds."""


def live(seed: int, *, seconds: float = HOUR) -> Outcome:
    """Live through it. What is found to be wrong is in the outcome; nothing is raised."""
    outcome, began = Outcome(seed), time.perf_counter()
    with (
        determined(seed),
        rarely_collecting(),
        structlog.testing.capture_logs() as lines,
        tempfile.TemporaryDirectory() as state,
    ):
        try:
            trio.run(_run, outcome, seconds, Path(state), clock=jumping_clock())
            mistakes = [line for line in lines if "mistake of ours" in line["event"] or "internal" in line["event"]]
            outcome.wrong = f"the engine's own mistake: {mistakes[0]}" if mistakes else ""
        except BaseException as exc:
            if isinstance(exc, KeyboardInterrupt):
                raise
            outcome.wrong = _plainly(exc)
    outcome.took = time.perf_counter() - began
    return outcome


def _plainly(exc: BaseException) -> str:
    while isinstance(exc, BaseExceptionGroup):
        violations = exc.split(Violation)[0]
        exc = (violations or exc).exceptions[0]
    where = ""
    if not isinstance(exc, Violation) and exc.__traceback__ is not None:
        last = exc.__traceback__
        while last.tb_next is not None:
            last = last.tb_next
        where = f" ({Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno})"
    return f"{type(exc).__name__}: {exc}{where}"


async def _run(outcome: Outcome, seconds: float, state: Path) -> None:
    life = _Life(outcome.seed, state)
    try:
        await life.run(seconds)
    finally:
        life.tell(outcome)


class _Life:
    def __init__(self, seed: int, state: Path) -> None:
        chance = Chance(seed)
        rng = chance.of("settings")
        self.pbx = VirtualPbx(_some_pbx(seed), Wire(), seed=seed)
        self.network = Network(self.pbx, chance.of("network"))
        self.people = People(self.pbx, self.network, chance.of, dirty=rng.random() < 0.5)
        unrouted, fallback = rng.choice(["ignore", "busy"]), rng.choice(["", "46", "600"])
        toml = BotToml(state, unrouted, fallback, second=rng.random() < 0.35)
        self.is_killed = rng.random() < 0.5
        self.watches: list[Watch] = []
        self._chance = chance.of
        self._be_served(toml)

    def _be_served(self, toml: BotToml) -> None:
        """By another life of the bot."""
        before = tuple(self.watches) if self.is_killed else None
        self.service = Service(toml, self.pbx, self.network, self._chance, before)
        self.watches.append(self.service.watch)

    async def run(self, seconds: float) -> None:
        async with trio.open_nursery() as self._nursery:
            nursery = self._nursery
            await nursery.start(self.pbx.run)
            await nursery.start(self.service.run)
            await self.service.bot.wait_up(60)
            await trio.sleep(1)
            self.service.watch.remember_tasks()
            await self._live(seconds)
            await self._end()
            await self.service.leave()
            nursery.cancel_scope.cancel()

    async def _live(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.people.live)
                nursery.start_soon(self._serve, seconds)

    async def _serve(self, seconds: float) -> None:
        """The bot works until it is killed; then the next one, if it is of those that are killed."""
        if not self.is_killed:
            await self.service.work(seconds)
            return
        until, rng = trio.current_time() + seconds, self._chance("reaper")
        while True:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.service.work, until - trio.current_time())
                await trio.sleep(rng.expovariate(1 / OFTEN_KILLED))
                await self.service.is_talking(60)
                nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await self._begin_again(rng.choice([1.0, 5.0, DEAD_AIR + 10]))

    async def _begin_again(self, pause: float) -> None:
        await self.service.kill()
        self.people.faults += 1
        self._nursery.start_soon(self._notice_silence)
        await trio.sleep(pause)
        self._be_served(self.service.toml)
        await self._nursery.start(self.service.run)

    async def _notice_silence(self) -> None:
        await trio.sleep(DEAD_AIR)
        self.network.notice_silence()

    async def _end(self) -> None:
        """All faults are over, everybody goes home; a last reconnect, and all must be as the PBX says."""
        watch = self.service.watch
        self.network.weather, self.network.away, self.pbx.up = FAIR, "", True
        self.people.go_home()
        self.pbx.cut_all()
        await trio.sleep(SETTLE / 2)
        self.people.end_all_calls()
        await trio.sleep(SETTLE / 2)
        watch.step()
        watch.check_quiet()
        watch.check_witnesses()
        if differences := watch.differences(self.pbx.pbx.snapshot()):
            raise Violation(f"in the end the bot does not believe what the PBX says: {sorted(differences)}")

    def tell(self, outcome: Outcome) -> None:
        published = [event for watch in self.watches for event in watch.published]
        ended = [reason for watch in self.watches for reason in watch.ended.values()]
        outcome.calls, outcome.events, outcome.frames = len(ended), len(published), len(self.pbx.sent)
        outcome.faults, outcome.spoiled = self.people.faults, self.network.spoiled
        outcome.reasons = Counter(ended)
        trace = hashlib.sha256()
        for item in (*published, *self.pbx.sent, *self.pbx.received):
            trace.update(repr(item).encode())
        outcome.print = trace.hexdigest()[:16]


def _some_pbx(seed: int) -> SimConfig:
    rng = Chance(seed).of("pbx")
    company = default()
    return replace(
        company,
        extensions=(*company.extensions, Extension("49", "bot", "Bot, too")),
        dialect=rng.choice(["classic", "modern"]),
        expires=rng.choice([20.0, 60.0, 300.0]),
        rename_calls=rng.random() < 0.3,
        sloppy_setup=rng.random() < 0.3,
        hold_by_reoffer=rng.random() < 0.3,
    )
