"""What a plugin may do, and whom it may reach, is enforced below it: on every public way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.test_plugin_bot import Author, Other, running
from vodiabot import Bot, Call, NotAllowed, NotPermitted, VodiabotError
from vodiabot.capabilities import CAPABILITIES
from vodiabot.plugins import current_plugin
from vodiabot.sim.core import Phone
from vodiabot.testing.pbx import VirtualPbx

Act = Callable[["Scene"], Awaitable[Any]]

ACTING = {
    "make-call", "accept-call", "hold-call", "clear-call", "blind-transfer2", "rec-call", "sdp-packet", "transfer",
    "attended-transfer", "chat",
}  # fmt: skip
"""Frames by which something is done."""


class Scene:
    """The plugin "author" answers; 46 has called it, and 47 talks to 48."""

    def __init__(self, bot: Bot, pbx: VirtualPbx, author: Author, other: Author) -> None:
        self.engine = bot
        self.pbx = pbx
        self.author = author
        self.other = other
        self.call: Call | None = None
        self._phones = {user: pbx.pbx.phone(user) for user in ("46", "47", "48")}

    @property
    def bot(self) -> Bot:
        return self.author.bot

    @property
    def domain_call(self) -> Any:
        return next(call for call in self.engine.domain_calls.values() if call.takes_part("48"))

    def phone(self, user: str) -> Phone:
        return self._phones[user]

    def do(self, act: Callable[..., Any], *arguments: Any) -> None:
        self.pbx.lever(lambda now: act(now, *arguments))

    def sent(self) -> list[dict[str, Any]]:
        """What the bot has told the PBX, but for what goes by itself."""
        return [frame for _, frame in self.pbx.received if frame["action"] in ACTING]

    async def on_behalf_of(self, name: str, act: Act) -> BaseException | None:
        """In a task of the plugin's, as a hook would be; gives what it raised."""
        raised: list[BaseException] = []
        over = trio.Event()

        async def work() -> None:
            assert current_plugin.get() == name
            try:
                with trio.fail_after(30):
                    await act(self)
            except (VodiabotError, AssertionError, trio.TooSlowError) as exc:
                raised.append(exc)
            finally:
                over.set()

        self.engine.host.spawn(name, work)
        await over.wait()
        return raised[0] if raised else None


@asynccontextmanager
async def scene(state: Path, more: str = "", dial_allow: str = '["*"]') -> AsyncIterator[Scene]:
    async def handler(call: Call, bot: Bot, log: Any) -> None:
        here.call = call
        await call.wait_ended()

    author, other = Author(handler), Other()
    toml = more if "plugin.author" in more else f"{more}\n"
    async with running(state, author, other, more=toml, replace=('["*"]', dial_allow)) as (bot, pbx):
        here = Scene(bot, pbx, author, other)
        for user in ("46", "47", "48"):
            here.do(here.phone(user).plug_in)
        here.do(here.phone("47").dial, "48")
        await trio.sleep(1)
        here.do(here.phone("48").answer)
        await trio.sleep(1)
        here.do(here.phone("46").dial, "45")
        await trio.sleep(1)
        yield here
        for user in ("46", "47", "48"):
            here.do(here.phone(user).unplug)
        await trio.sleep(12)


def allow(*names: str) -> str:
    return f"allow = {list(names)}\n"


async def dial(s: Scene) -> None:
    async with s.bot.dial("47"):
        raise AssertionError("it was dialled")


async def consult(s: Scene) -> None:
    assert s.call
    await s.call.consult("47")


async def pick_up(s: Scene) -> None:
    async with s.bot.pick_up("701"):
        raise AssertionError("it was dialled")


async def dtmf(s: Scene) -> None:
    assert s.call
    async for _ in s.call.dtmf():
        raise AssertionError("a digit")


async def recording(s: Scene) -> None:
    assert s.call
    async with s.call.recording("x.wav"):
        raise AssertionError("it records")


async def audio(s: Scene) -> None:
    assert s.call
    async with s.call.audio():
        raise AssertionError("it hears")


async def conference(s: Scene) -> None:
    assert s.call
    async with s.bot.conference() as c:
        c.add(s.call)


RINGING: dict[str, tuple[str, Act]] = {
    "ring": ("answer", lambda s: s.call.ring()),
    "answer": ("answer", lambda s: s.call.answer()),
    "reject": ("answer", lambda s: s.call.reject()),
    "dial": ("dial", dial),
    "pick_up": ("dial", pick_up),
    "make_call": ("dial", lambda s: s.bot.phone.make_call("47")),
    "chat": ("chat", lambda s: s.bot.chat("46", "hello")),
    "domain transfer": ("others", lambda s: s.domain_call.transfer("46")),
    "domain transfer, others": ("transfer", lambda s: s.domain_call.transfer("46")),
    "domain hangup": ("others", lambda s: s.domain_call.hangup()),
    "domain hold": ("others", lambda s: s.domain_call.hold()),
    "domain record": ("record", lambda s: s.domain_call.record_on_pbx()),
    "phone accept": ("others", lambda s: s.bot.phone.accept(s.call.id)),
}
UP: dict[str, tuple[str, Act]] = {
    "transfer": ("transfer", lambda s: s.call.transfer("47")),
    "park": ("transfer", lambda s: s.call.park("701")),
    "consult": ("dial", consult),
    "record": ("record", lambda s: s.call.record("x.wav")),
    "recording": ("record", recording),
    "record_on_pbx": ("record", lambda s: s.call.record_on_pbx()),
    "audio": ("audio", audio),
}


@pytest.mark.parametrize("way", list(RINGING))
async def test_what_is_not_allowed_is_refused_and_nothing_is_sent(
    way: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    capability, act = RINGING[way]
    async with scene(tmp_path, allow(*set(CAPABILITIES) - {capability})) as s:
        before = s.sent()
        raised = await s.on_behalf_of("author", act)
        assert isinstance(raised, NotAllowed), raised
        assert 'plugin "author" may not' in str(raised)
        assert f'"{capability}" is not in [plugin.author] allow' in str(raised)
        assert s.sent() == before


@pytest.mark.parametrize("way", list(UP))
async def test_the_same_of_a_call_that_is_up(way: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    capability, act = UP[way]
    async with scene(tmp_path, allow(*set(CAPABILITIES) - {capability})) as s:
        assert await s.on_behalf_of("author", lambda s: s.call.answer()) is None  # type: ignore[union-attr]
        before = s.sent()
        raised = await s.on_behalf_of("author", act)
        assert isinstance(raised, NotAllowed), raised
        assert f'"{capability}" is not in [plugin.author] allow' in str(raised)
        assert s.sent() == before
        assert s.call is not None
        assert s.call.state == "up"


async def test_a_consultation_needs_transfer_to_be_completed(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def complete(s: Scene) -> None:
        assert s.call
        await s.call.answer()
        async with s.call.consult("600") as second:
            await second.complete()

    async with scene(tmp_path, allow("answer", "dial")) as s:
        raised = await s.on_behalf_of("author", complete)
        assert isinstance(raised, NotAllowed)
        assert '"transfer"' in str(raised)
        await trio.sleep(1)
        assert s.call is not None
        assert s.call.state == "up", "off hold again"


OTHERS_CALL: dict[str, Act] = {
    "hangup": lambda s: s.call.hangup(),
    "answer": lambda s: s.call.answer(),
    "hold": lambda s: s.call.hold(),
    "mute": lambda s: s.call.mute(),
    "transfer": lambda s: s.call.transfer("47"),
    "consult": consult,
    "play": lambda s: s.call.play("x.wav"),
    "send_dtmf": lambda s: s.call.send_dtmf("1"),
    "dtmf": dtmf,
    "gather": lambda s: s.call.gather(),
    "record": lambda s: s.call.record("x.wav"),
    "audio": audio,
    "conference": conference,
}  # type: ignore[dict-item]


@pytest.mark.parametrize("way", list(OTHERS_CALL))
async def test_a_call_of_another_plugin_needs_others(way: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    mine = allow(*set(CAPABILITIES) - {"others"})
    async with scene(tmp_path, f"[plugin.other]\n{mine}") as s:
        assert await s.on_behalf_of("author", lambda s: s.call.answer()) is None  # type: ignore[union-attr]
        before = s.sent()
        raised = await s.on_behalf_of("other", OTHERS_CALL[way])
        assert isinstance(raised, NotAllowed), raised
        assert '"others" is not in [plugin.other] allow' in str(raised)
        assert s.sent() == before


async def test_what_goes_with_a_call_needs_no_capability(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def act(s: Scene) -> None:
        assert s.call
        await s.call.answer()
        await s.call.hold()
        await s.call.resume()
        await s.call.mute()
        await s.call.send_dtmf("1")
        await s.call.gather(timeout=0.1)
        await s.call.sleep(0.1)
        await s.call.hangup()

    async with scene(tmp_path, allow("answer")) as s:
        assert await s.on_behalf_of("author", act) is None


async def test_an_undeclared_plugin_may_do_everything(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path) as s:
        raised = await s.on_behalf_of("author", lambda s: s.domain_call.hangup())
        assert isinstance(raised, NotPermitted), "the PBX was asked"


async def test_the_handler_of_a_call_and_what_it_spawns_are_the_plugin_s(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path, allow("answer")) as s:
        assert s.call is not None
        raised: list[str] = []

        async def handler(call: Call, bot: Bot, log: Any) -> None:
            async def spawned() -> None:
                raised.append(await refused(bot.chat("46", "x")))

            raised.append(await refused(bot.chat("46", "x")))
            bot.spawn(spawned)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(spawned)
            await call.wait_ended()

        s.author.handler = handler
        s.do(s.phone("46").hang_up)
        await trio.sleep(1)
        s.do(s.phone("46").dial, "45")
        await trio.sleep(1)
        assert raised == ['"chat" is not in [plugin.author] allow'] * 3


async def refused(act: Awaitable[Any]) -> str:
    try:
        await act
    except NotAllowed as exc:
        return str(exc).partition(": ")[2]
    return "done"


# --- [limits] --------------------------------------------------------------------------------------------------------

FRAUD = "+1900555"


async def dial_fraud(s: Scene) -> None:
    async with s.bot.dial(FRAUD):
        raise AssertionError("it was dialled")


async def pick_up_fraud(s: Scene) -> None:
    async with s.bot.pick_up("701"):
        raise AssertionError("it was dialled")


async def dial_by_hand(s: Scene) -> None:
    async with s.engine.dial_by_hand(FRAUD):
        raise AssertionError("it was dialled")


REACHES: dict[str, Act] = {
    "dial": dial_fraud,
    "dial by the operator's hand": dial_by_hand,
    "pick_up": pick_up_fraud,
    "transfer": lambda s: s.call.transfer(FRAUD),
    "park": lambda s: s.call.park("701"),
    "consult": lambda s: s.call.consult(FRAUD).__aenter__(),
    "make_call": lambda s: s.bot.phone.make_call(FRAUD),
    "domain transfer": lambda s: s.domain_call.transfer(FRAUD),
}  # type: ignore[dict-item]


async def answered(s: Scene) -> None:
    assert s.call
    assert await s.on_behalf_of("author", lambda s: s.call.answer()) is None  # type: ignore[union-attr]


@pytest.mark.parametrize("way", list(REACHES))
async def test_no_way_reaches_a_number_that_is_not_allowed(
    way: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path, dial_allow='["5??"]') as s:
        await answered(s)
        before = s.sent()
        raised = await s.on_behalf_of("author", REACHES[way])
        assert isinstance(raised, NotAllowed), raised
        assert s.sent() == before


@pytest.mark.parametrize("way", list(REACHES))
async def test_no_way_dodges_dials_per_minute(way: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path, dial_allow='["*"]\ndials_per_minute = 0') as s:
        await answered(s)
        before = s.sent()
        raised = await s.on_behalf_of("author", REACHES[way])
        assert isinstance(raised, NotAllowed), raised
        assert s.sent() == before


async def test_a_plugin_in_a_loop_sends_no_end_of_messages(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path) as s:

        async def forever(s: Scene) -> None:
            while True:
                await s.bot.chat("46", "hello")

        raised = await s.on_behalf_of("author", forever)
        assert isinstance(raised, NotAllowed)
        assert str(raised) == "[limits] chats_per_minute = 60 are used up"
        assert [frame["action"] for frame in s.sent()].count("chat") == 60
        await trio.sleep(61)
        assert await s.on_behalf_of("author", lambda s: s.bot.chat("46", "hello")) is None


async def test_what_was_refused_by_a_capability_does_not_use_up_the_dials(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path, allow("answer", "others"), dial_allow='["*"]\ndials_per_minute = 1') as s:
        await answered(s)
        acts: list[Act] = [
            dial,
            consult,
            pick_up,
            lambda s: s.call.transfer("46"),  # type: ignore[union-attr]
            lambda s: s.call.park("701"),  # type: ignore[union-attr]
            lambda s: s.bot.phone.make_call("47"),
            lambda s: s.domain_call.transfer("46"),
        ]
        for act in acts:
            assert isinstance(await s.on_behalf_of("author", act), NotAllowed)
        async with s.engine.dial("600"):
            pass
