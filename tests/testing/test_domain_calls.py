"""Acting on everybody else's calls against the simulator's PBX model, in both dialects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot import Bot, Call, CallEnded, ConnectionLost, DomainCall, NotAllowed, NotPermitted, events
from vodiabot.calls import DialGuard
from vodiabot.plugins import LoadedPlugin
from vodiabot.plugins.model import Implementation
from vodiabot.sim.config import SimConfig, default
from vodiabot.sim.core import Phone

from .kit import BOTH, NUMBERS, Handler, World, world

Act = Callable[[DomainCall], Awaitable[None]]

ACTS: dict[str, Act] = {
    "transfer": lambda call: call.transfer("48"),
    "hangup": lambda call: call.hangup(),
    "hold": lambda call: call.hold(),
    "accept": lambda call: call.accept(),
    "record": lambda call: call.record_on_pbx(True),
}
ACTIONS = {
    "transfer": "blind-transfer2",
    "hangup": "clear-call",
    "hold": "hold-call",
    "accept": "accept-call",
    "record": "rec-call",
}
EACH = pytest.mark.parametrize("what", list(ACTS))


def settings(dialect: str, *, manages: bool) -> SimConfig:
    standard = default()
    first, *others = standard.extensions
    return replace(standard, dialect=dialect, extensions=(replace(first, manages_calls=manages), *others))


@dataclass
class Office:
    """Anna (46) has called Bruno (47); the bot (45) looks on. Clara (48) is free."""

    world: World
    bot: Bot
    anna: Phone
    bruno: Phone
    clara: Phone

    def do(self, act: Callable[..., Any], *arguments: Any) -> None:
        """Somebody does something at a phone."""
        self.world.pbx.lever(lambda now: act(now, *arguments))

    @property
    def call(self) -> DomainCall:
        """The one call that there is."""
        [call] = self.bot.domain_calls.values()
        return call

    def frames(self, action: str) -> list[dict[str, Any]]:
        """What the bot has told the PBX."""
        return [frame for _, frame in self.world.pbx.received if frame["action"] == action]

    def deafen(self, kind: str) -> None:
        """The PBX does not hear this action any more, and says nothing of it."""
        hear = self.world.pbx.hear

        def deaf(name: str, text: str) -> None:
            if f'"{kind}"' not in text:
                hear(name, text)

        self.world.pbx.hear = deaf  # type: ignore[method-assign]


@asynccontextmanager
async def office(
    dialect: str, state: Path, *, manages: bool = True, answered: bool = True, handler: Handler | None = None
) -> AsyncIterator[Office]:
    async with world(settings(dialect, manages=manages), state, ("45", "bot", handler)) as (made, [bot]):
        anna, bruno, clara = (made.pbx.pbx.phone(user) for user in ("46", "47", "48"))
        here = Office(made, bot, anna, bruno, clara)
        for phone in (anna, bruno, clara):
            here.do(phone.plug_in)
        here.do(anna.dial, "47")
        await trio.sleep(1)
        if answered:
            here.do(bruno.answer)
        await trio.sleep(1)
        yield here
        for phone in (anna, bruno, clara):
            here.do(phone.unplug)
        await trio.sleep(1)


# --- what works ------------------------------------------------------------------------------------------------------


@BOTH
async def test_what_is_known(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(dialect, tmp_path) as here:
        call = here.call
        assert (call.from_number, call.from_name, call.to_number, call.to_name) == ("46", "Anna", "47", "Bruno")
        assert (call.state, call.recording, call.ended) == ("connected", False, False)
        assert call.start is not None
        assert (call.connect is not None) == (dialect == "modern")
        assert call.extensions == (("46", "47") if dialect == "modern" else ())
        assert call.takes_part("sip:46@localhost")
        assert not call.takes_part("45")
        assert call == here.call


@BOTH
async def test_a_call_to_the_bot_is_nobody_else_s(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Though the PBX lists it before it rings."""

    async def pick_up(call: Call) -> None:
        await call.answer()
        await call.wait_ended()

    async with office(dialect, tmp_path, handler=pick_up) as here, here.bot.events() as stream:
        here.do(here.clara.dial, "45")
        await trio.sleep(10)
        assert here.clara.state == "up"
        here.do(here.clara.hang_up)
        await trio.sleep(20)
        told = [stream.receive_nowait() for _ in range(stream.statistics().current_buffer_used)]
    assert [event for event in told if isinstance(event, events.CallEnded)]
    assert not [event for event in told if isinstance(event, events.DomainCallChanged | events.DomainCallEnded)]


@BOTH
async def test_transfer_leaves_the_one_who_called(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(dialect, tmp_path) as here:
        before = trio.current_time()
        await here.call.transfer("48")
        assert trio.current_time() - before < 1
        [frame] = here.frames("blind-transfer2")
        assert (frame["from"], frame["to"]) == ("47", "48")
        assert (here.anna.state, here.bruno.state, here.clara.state) == ("up", "idle", "ringing")


@BOTH
async def test_the_extension_leaves_where_the_other_side_is_none(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with office(dialect, tmp_path) as here:
        here.do(here.anna.hang_up)
        here.do(here.anna.dial, NUMBERS["tone"])
        await trio.sleep(10)
        await here.call.transfer("48")
        [frame] = here.frames("blind-transfer2")
        assert frame["from"] == "46"
        assert (here.anna.state, here.clara.state) == ("idle", "ringing")


@BOTH
async def test_a_transfer_to_the_bot_itself(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """The call is the bot's own from then on."""
    mine: list[Call] = []

    async def handle(call: Call) -> None:
        mine.append(call)
        await call.answer()
        await call.wait_ended()

    async with office(dialect, tmp_path, handler=handle) as here:
        await here.call.transfer("45")
        assert (here.anna.state, here.bruno.state) == ("up", "idle")
        await trio.sleep(1)
        assert [(call.remote.number, call.state) for call in mine] == [("46", "up")]
        assert not here.bot.domain_calls


@BOTH
@pytest.mark.parametrize("answered", [True, False])
async def test_hangup(answered: bool, dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(dialect, tmp_path, answered=answered) as here:
        call = here.call
        before = trio.current_time()
        await call.hangup()
        assert trio.current_time() - before < 1
        assert (here.anna.state, here.bruno.state) == ("idle", "idle")
        assert here.frames("clear-call")[0]["connected"] is answered
        assert call.ended
        assert not here.bot.domain_calls


@BOTH
async def test_hold(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(dialect, tmp_path) as here:
        await here.call.hold()
        assert here.bruno.state == "holding"
        assert here.call.state == "holding"
        await here.call.hold()
        assert here.bruno.state == "holding", "on hold already: not taken back"
        assert len(here.frames("hold-call")) == 1


@BOTH
async def test_accept(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(dialect, tmp_path, answered=False) as here:
        await here.call.accept()
        assert (here.anna.state, here.bruno.state) == ("up", "up")
        await here.call.accept()
        assert len(here.frames("accept-call")) == 1


@BOTH
async def test_recording(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(dialect, tmp_path) as here:
        for on in (True, True, False):
            await here.call.record_on_pbx(on)
            assert here.call.recording is on
        assert [frame["startstop"] for frame in here.frames("rec-call")] == ["on", "off"]


@BOTH
async def test_hangup_of_one_who_has_another_call(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Then presence does not tell that the call is over, and the lists alone are slow to be believed."""
    async with office(dialect, tmp_path) as here:
        second = here.world.pbx.pbx.phone("46")
        here.do(second.plug_in)
        here.do(second.dial, NUMBERS["tone"])
        await trio.sleep(1)
        [call] = [call for call in here.bot.domain_calls.values() if call.to_number == "47"]
        await call.hangup()
        assert (here.bruno.state, second.state) == ("idle", "up")
        here.do(second.unplug)


# --- refusals --------------------------------------------------------------------------------------------------------


@BOTH
@EACH
async def test_the_pbx_refuses(what: str, dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(dialect, tmp_path, manages=False, answered=what != "accept") as here:
        before, snapshot = trio.current_time(), here.world.pbx.pbx.snapshot()
        with pytest.raises(NotPermitted, match="403"):
            await ACTS[what](here.call)
        assert trio.current_time() - before < 1, "told, so not waited for"
        assert here.world.pbx.pbx.snapshot() == snapshot
        assert len(here.frames(ACTIONS[what])) == 1


@BOTH
async def test_a_transfer_to_nobody_is_refused(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(dialect, tmp_path) as here:
        with pytest.raises(NotPermitted, match="404"):
            await here.call.transfer("999")
        assert (here.anna.state, here.bruno.state) == ("up", "up")


@BOTH
@EACH
async def test_nothing_happens(what: str, dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(dialect, tmp_path, answered=what != "accept") as here:
        here.deafen(ACTIONS[what])
        before = trio.current_time()
        with pytest.raises(NotPermitted, match="10 s"):
            await ACTS[what](here.call)
        assert trio.current_time() - before == pytest.approx(10)


@EACH
async def test_a_refusal_of_another_call_is_none_of_ours(
    what: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with office("modern", tmp_path, answered=what != "accept") as here, trio.open_nursery() as nursery:
        here.deafen(ACTIONS[what])
        failed: list[float] = []
        nursery.start_soon(_fails, here, what, failed)
        await trio.sleep(1)
        for frame in (
            {"response": ACTIONS[what], "id": "another", "code": 403},
            {"response": "chat", "code": 403},
            {"response": ACTIONS[what], "id": here.call.id, "code": 200},
        ):
            here.world.pbx.lever(partial(_push, here, frame))
        await trio.sleep(1)
        assert not failed
        here.world.pbx.lever(partial(_push, here, {"response": ACTIONS[what], "code": "603 Declined"}))
        here.world.pbx.lever(partial(_push, here, {"response": ACTIONS[what], "code": 603}))
        await trio.sleep(0.1)
        assert failed


def _push(here: Office, frame: dict[str, Any], now: float) -> Any:
    return here.world.pbx.pbx.push_frame(now, "45", frame)


async def _fails(here: Office, what: str, failed: list[float]) -> None:
    with pytest.raises(NotPermitted):
        await ACTS[what](here.call)
    failed.append(trio.current_time())


async def test_a_number_that_is_not_allowed_is_not_sent(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office("modern", tmp_path) as here:
        here.bot.guard = DialGuard(["5??"], 30, set)
        with pytest.raises(NotAllowed):
            await here.call.transfer("48")
        assert not here.frames("blind-transfer2")


async def test_transfers_count_as_dials(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office("modern", tmp_path) as here:
        here.bot.guard = DialGuard(["*"], 1, set)
        await here.call.transfer("48")
        with pytest.raises(NotAllowed, match="used up"):
            await here.call.transfer("47")


# --- ends ------------------------------------------------------------------------------------------------------------


@BOTH
@EACH
async def test_the_call_is_gone_before(what: str, dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(dialect, tmp_path) as here:
        call = here.call
        here.do(here.anna.hang_up)
        await trio.sleep(5)
        await _ends(what, call)
        assert not here.frames(ACTIONS[what])


@BOTH
@EACH
async def test_the_call_ends_meanwhile(what: str, dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(dialect, tmp_path, answered=what != "accept") as here, trio.open_nursery() as nursery:
        here.deafen(ACTIONS[what])
        before = trio.current_time()
        nursery.start_soon(_later, 3, lambda: here.do(here.anna.hang_up))
        await _ends(what, here.call)
        assert trio.current_time() - before == pytest.approx(3, abs=0.1)


async def _ends(what: str, call: DomainCall) -> None:
    if what in ("transfer", "hangup"):
        await ACTS[what](call)
        return
    with pytest.raises(CallEnded) as caught:
        await ACTS[what](call)
    assert caught.value.call_id == call.id


async def _later(seconds: float, work: Callable[[], None]) -> None:
    await trio.sleep(seconds)
    work()


@EACH
async def test_the_socket_dies_meanwhile(what: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office("modern", tmp_path, answered=what != "accept") as here, trio.open_nursery() as nursery:
        here.deafen(ACTIONS[what])
        nursery.start_soon(_later, 3, here.world.pbx.cut_all)
        with pytest.raises(ConnectionLost):
            await ACTS[what](here.call)
        await trio.sleep(30)
        assert not here.frames(ACTIONS[what]), "it is not sent again"


@EACH
async def test_without_a_socket(what: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office("modern", tmp_path, answered=what != "accept") as here:
        here.world.pbx.up = False
        here.world.pbx.cut_all()
        await trio.sleep(1)
        with pytest.raises(ConnectionLost):
            await ACTS[what](here.call)


@EACH
async def test_a_cancelled_act_leaves_nothing_behind(what: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office("modern", tmp_path, answered=what != "accept") as here:
        here.deafen(ACTIONS[what])
        with trio.move_on_after(2) as scope:
            await ACTS[what](here.call)
        assert scope.cancelled_caught
        assert not here.bot.control._waiting


# --- hooks -----------------------------------------------------------------------------------------------------------


async def test_hooks_get_the_call_to_act_on(tmp_path: Path, autojump_clock: MockClock) -> None:
    seen: list[DomainCall] = []
    ended: list[DomainCall] = []

    async def domain_call_changed(domain_call: DomainCall, event: events.DomainCallChanged) -> None:
        assert domain_call.info == event.call
        seen.append(domain_call)
        if domain_call.state == "connected":
            await domain_call.hangup()

    async def domain_call_ended(domain_call: DomainCall) -> None:
        ended.append(domain_call)

    hooks = {
        "domain_call_changed": Implementation(
            "domain_call_changed", domain_call_changed, ("domain_call", "event")
        ),
        "domain_call_ended": Implementation("domain_call_ended", domain_call_ended, ("domain_call",)),
    }
    plugin = LoadedPlugin("author", SimpleNamespace(), hooks)
    made = World(settings("modern", manages=True), tmp_path)
    bot = made.bot("45", "bot")
    bot.host = type(bot.host)([plugin], hook_timeout=10, bot=bot)
    async with trio.open_nursery() as nursery:
        await nursery.start(made.pbx.run)
        await nursery.start(bot.run)
        await bot.wait_up(20)
        anna, bruno = made.pbx.pbx.phone("46"), made.pbx.pbx.phone("47", answers_after=2)
        for act in (anna.plug_in, bruno.plug_in, lambda now: anna.dial(now, "47")):
            made.pbx.lever(act)
        await trio.sleep(5)
        assert (anna.state, bruno.state) == ("idle", "idle")
        bot.drain()
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert [call.state for call in seen][-1] == "connected"
    assert seen[0].state in ("alerting", "ringing"), "a handle is as it was at its event"
    assert [call.id for call in ended] == [seen[0].id]
    assert ended[0].ended
