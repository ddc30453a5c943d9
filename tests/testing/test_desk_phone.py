"""The user's own desk phone, moved by the bot, against the simulator's PBX model, in both dialects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot import Bot, Call, CallEnded, ConnectionLost, NotAllowed, NotPermitted
from vodiabot.calls import DialGuard
from vodiabot.config import parse
from vodiabot.session import Session
from vodiabot.sim.config import default
from vodiabot.sim.core import Phone
from vodiabot.testing.media import VirtualMedia

from .kit import BOTH, SETTINGS, Handler, World, world

ALONE = SETTINGS.replace('password = "{password}"', 'password = "{password}"\nregister = false')
"""A bot that takes no calls itself."""


@dataclass
class Desk:
    """The bot is extension 45, whose phone stands on the desk; Anna is 46."""

    world: World
    bot: Bot
    phone: Phone
    anna: Phone
    at_bot: list[Call] = field(default_factory=list)
    """What the bot's handler was given."""

    def do(self, act: Callable[..., Any], *arguments: Any) -> None:
        self.world.pbx.lever(lambda now: act(now, *arguments))

    async def rung(self) -> str:
        """Anna calls; gives the call's id."""
        self.do(self.anna.dial, "45")
        await trio.sleep(1)
        [call] = self.bot.phone.calls
        return call.id

    async def talking(self) -> str:
        """Anna calls and the phone is picked up; gives the call's id."""
        id_ = await self.rung()
        self.do(self.phone.answer)
        await trio.sleep(1)
        return id_

    def frames(self, action: str) -> list[dict[str, Any]]:
        return [frame for _, frame in self.world.pbx.received if frame["action"] == action]


@asynccontextmanager
async def desk(dialect: str, state: Path, settings: str = ALONE, *, phones: bool = True) -> AsyncIterator[Desk]:
    at_bot: list[Call] = []

    async def handler(call: Call) -> None:
        at_bot.append(call)
        await call.wait_ended()

    async with _bot(dialect, state, settings, handler) as (made, bot):
        phone, anna = made.pbx.pbx.phone("45"), made.pbx.pbx.phone("46")
        here = Desk(made, bot, phone, anna, at_bot)
        for one in (phone, anna) if phones else (anna,):
            here.do(one.plug_in)
        await trio.sleep(1)
        yield here
        for one in (phone, anna) if phones else (anna,):
            here.do(one.unplug)
        await trio.sleep(1)


@asynccontextmanager
async def _bot(dialect: str, state: Path, settings: str, handler: Handler) -> AsyncIterator[tuple[World, Bot]]:
    if settings is SETTINGS:
        async with world(dialect, state, ("45", "bot", handler)) as (made, [bot]):
            yield made, bot
        return
    made = World(replace(default(), dialect=dialect), state)
    bot = Bot(
        parse(settings.format(user="45", password="bot", state=state.as_posix())),
        media=VirtualMedia(made.wire).opened,
        make_session=partial(Session, connect=made.pbx.connect),
        wall=trio.current_time,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(made.pbx.run)
        await nursery.start(bot.run)
        await bot.wait_up(20)
        yield made, bot
        nursery.cancel_scope.cancel()


# --- calling out -----------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("settings", [ALONE, SETTINGS], ids=["alone", "registered"])
async def test_make_call(settings: str, dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk(dialect, tmp_path, settings) as here:
        before = trio.current_time()
        made = await here.bot.phone.make_call("46")
        assert trio.current_time() - before < 1
        assert made is not None
        assert (here.phone.state, here.anna.state) == ("ringing", "idle")
        here.do(here.phone.answer)
        await trio.sleep(1)
        assert here.anna.state == "ringing"
        here.do(here.anna.answer)
        await trio.sleep(1)
        assert (here.phone.state, here.anna.state) == ("up", "up")
        [call] = here.bot.phone.calls
        assert call.id == made.id
        assert (call.from_number, call.to_number, call.state) == ("45", "46", "connected")
        await made.hangup()
        assert (here.phone.state, here.anna.state) == ("idle", "idle")
        assert here.at_bot == []
        assert here.bot.phone.calls == []


@BOTH
async def test_make_call_without_a_phone(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk(dialect, tmp_path, phones=False) as here:
        with pytest.raises(NotPermitted, match="480"):
            await here.bot.phone.make_call("46")


@BOTH
async def test_where_the_pbx_rings_the_bot_too_no_route_takes_it(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with desk(dialect, tmp_path, SETTINGS, phones=False) as here:
        await here.bot.phone.make_call("46")
        await trio.sleep(5)
        [ringing] = here.bot.calls
        assert ringing.state == "ringing"
        assert here.at_bot == []
        assert here.anna.state == "idle"
        await trio.sleep(120)
        here.do(here.anna.dial, "45")
        await trio.sleep(1)
        assert len(here.at_bot) == 1, "later on it is a caller like any other"


async def test_a_number_that_is_not_allowed_is_not_sent(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk("modern", tmp_path) as here:
        here.bot.guard = DialGuard(["5??"], 30, set)
        with pytest.raises(NotAllowed):
            await here.bot.phone.make_call("46")
        assert not here.frames("make-call")


async def test_make_call_when_the_socket_dies(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk("modern", tmp_path) as here:
        here.world.pbx.pbx.frame = lambda now, socket, text: []  # type: ignore[method-assign]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_later, 3, here.world.pbx.cut_all)
            with pytest.raises(ConnectionLost):
                await here.bot.phone.make_call("46")


async def test_make_call_of_which_nothing_is_heard(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk("modern", tmp_path) as here:
        hear = here.world.pbx.hear
        here.world.pbx.hear = lambda name, text: "make-call" in text or hear(name, text)  # type: ignore
        before = trio.current_time()
        with pytest.raises(NotPermitted):
            await here.bot.phone.make_call("46")
        assert trio.current_time() - before == pytest.approx(10)
        assert not here.bot.control._waiting


async def _later(seconds: float, work: Callable[[], None]) -> None:
    await trio.sleep(seconds)
    work()


# --- calls that come -------------------------------------------------------------------------------------------------


@BOTH
async def test_accept_hold_resume_and_clear(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk(dialect, tmp_path) as here:
        id_ = await here.rung()
        phone = here.bot.phone
        await phone.accept(id_)
        assert (here.phone.state, here.anna.state) == ("up", "up")
        await phone.hold(id_)
        await phone.hold(id_)
        assert here.phone.state == "holding"
        await phone.resume(id_)
        await phone.resume(id_)
        assert here.phone.state == "up"
        assert len(here.frames("hold-call")) == 2
        await phone.clear(id_)
        assert (here.phone.state, here.anna.state) == ("idle", "idle")
        await phone.clear(id_)
        assert len(here.frames("clear-call")) == 1


@BOTH
async def test_clear_refuses_what_rings(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk(dialect, tmp_path) as here:
        await here.bot.phone.clear(await here.rung())
        assert (here.phone.state, here.anna.state, here.anna.code) == ("idle", "idle", 486)
        assert here.frames("clear-call")[0]["connected"] is False


@BOTH
async def test_what_rings_at_the_bot_too_is_picked_up_at_the_desk(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with desk(dialect, tmp_path, SETTINGS) as here:
        here.do(here.anna.dial, "45")
        await trio.sleep(1)
        [mine] = here.at_bot
        assert here.bot.phone.calls == [], "it is a leg of the bot's"
        before = trio.current_time()
        await here.bot.phone.accept(mine.id)
        assert trio.current_time() - before < 1
        assert (here.phone.state, here.anna.state) == ("up", "up")
        assert mine.state == "ended"
        await trio.sleep(20)
        here.do(here.anna.hold)
        await trio.sleep(1)
        [call] = here.bot.phone.calls
        assert call.takes_part("46")
        await here.bot.phone.clear(call.id)
        assert here.anna.state == "idle"


@BOTH
async def test_what_the_desk_phone_can_not_do(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk(dialect, tmp_path) as here:
        id_ = await here.rung()
        with pytest.raises(NotPermitted, match="480"):
            await here.bot.phone.hold(id_)
        assert here.phone.state == "ringing"


@BOTH
@pytest.mark.parametrize("what", ["accept", "hold", "resume"])
async def test_the_call_ends_meanwhile(what: str, dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk(dialect, tmp_path) as here, trio.open_nursery() as nursery:
        id_ = await (here.rung() if what == "accept" else here.talking())
        if what == "resume":
            await here.bot.phone.hold(id_)
        hear = here.world.pbx.hear
        here.world.pbx.hear = lambda name, text: "-call" in text or hear(name, text)  # type: ignore
        nursery.start_soon(_later, 3, lambda: here.do(here.anna.hang_up))
        before = trio.current_time()
        with pytest.raises(CallEnded):
            await getattr(here.bot.phone, what)(id_)
        assert trio.current_time() - before == pytest.approx(3, abs=0.1)


async def test_a_call_that_is_not_the_phones(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk("modern", tmp_path) as here:
        for act in (here.bot.phone.hold, here.bot.phone.resume):
            with pytest.raises(CallEnded):
                await act("nothing")
        await here.bot.phone.clear("nothing")
        assert not here.frames("hold-call") + here.frames("clear-call")
        with pytest.raises(NotPermitted):
            await here.bot.phone.accept("nothing")


# --- whose phone -----------------------------------------------------------------------------------------------------


async def test_calls_of_others_are_none_of_the_phones(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk("modern", tmp_path) as here:
        bruno = here.world.pbx.pbx.phone("47")
        here.do(bruno.plug_in)
        here.do(here.anna.dial, "47")
        await trio.sleep(1)
        assert len(here.bot.domain_calls) == 1
        assert here.bot.phone.calls == []
        here.do(bruno.unplug)


async def test_whose_phone(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with desk("modern", tmp_path) as here:
        assert here.bot.phone.extension == here.bot.phone_of("45").extension == "45"
        with pytest.raises(NotAllowed):
            here.bot.phone_of("46")


def test_before_the_bot_runs_there_is_no_phone(tmp_path: Path) -> None:
    bot = Bot(
        parse(SETTINGS.format(user="45", password="bot", state=tmp_path.as_posix())),
        media=VirtualMedia(None).opened,  # type: ignore[arg-type]
    )
    with pytest.raises(NotAllowed):
        _ = bot.phone
    assert not bot.domain_calls


@BOTH
@pytest.mark.parametrize("who", ["the desk phone", "nobody"])
async def test_who_picks_up_before_the_bot_is_told(
    dialect: str, who: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """This PBX stops the bot's ringing first, and lists then who talks."""
    async with desk(dialect, tmp_path, SETTINGS) as here:
        here.do(here.anna.dial, "45")
        await trio.sleep(1)
        here.do(here.phone.answer if who == "the desk phone" else here.anna.hang_up)
        await trio.sleep(1)
        assert [call.reason for call in here.at_bot] == ["cancelled" if who == "nobody" else "answered_elsewhere"]
