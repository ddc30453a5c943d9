"""One connection in virtual time: keepalive, subscriptions, registration, death, and commands on their way."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from vodiabot.errors import ConnectionLost
from vodiabot.protocol import commands
from vodiabot.protocol.messages import Unknown
from vodiabot.session import MAX_FRAME
from vodiabot.session.link import OUTBOX

from .kit import FakeSocket, GoodPbx, Watched, gaps


class HalfOpenPbx(GoodPbx):
    """Falls silent at a moment: hears nothing, says nothing, closes nothing."""

    silent = False

    async def take(self, socket: FakeSocket, text: str) -> None:
        if not self.silent:
            await super().take(socket, text)

    async def pong(self, socket: FakeSocket) -> None:
        if self.silent:
            await trio.sleep_forever()
        await super().pong(socket)


class TalkativeButDeafPbx(GoodPbx):
    """Takes nothing more at a moment, but goes on talking."""

    deaf = False

    async def take(self, socket: FakeSocket, text: str) -> None:
        if self.deaf:
            await trio.sleep_forever()
        await super().take(socket, text)

    async def pong(self, socket: FakeSocket) -> None:
        if self.deaf:
            await trio.sleep_forever()
        await super().pong(socket)


class WordlessPbx(GoodPbx):
    """Does not answer the registration, though it pongs."""

    def register(self, socket: FakeSocket) -> None:
        pass


class RefusingPbx(GoodPbx):
    """Refuses the registration for so many times."""

    refusals = 2
    answer: dict[str, Any] = {"code": 403}

    def register(self, socket: FakeSocket) -> None:
        self.refusals -= 1
        if self.refusals >= 0:
            socket.say(action="sip-register", **self.answer)
        else:
            super().register(socket)


class ForgetfulPbx(GoodPbx):
    """Ends the registration and says so."""

    def forget(self) -> None:
        self.sockets[-1].say(action="sip-register", expires=0)


async def test_avoid_disconnect_at_once_and_every_30_seconds(autojump_clock: trio.testing.MockClock) -> None:
    pbx = GoodPbx()
    async with Watched(pbx).running():
        await trio.sleep(301)
        assert pbx.actions()[0] == "avoid-disconnect"
        assert gaps(pbx.times("avoid-disconnect")) == pytest.approx([30.0] * 10, abs=0.1)


async def test_what_is_asked_on_every_connection(autojump_clock: trio.testing.MockClock) -> None:
    pbx = GoodPbx()
    asked = [
        {"action": "avoid-disconnect"},
        {"action": "own-calls", "subscribe": True},
        {"action": "domain-calls", "subscribe": True},
        {"action": "orbit-calls", "subscribe": True},
        {"action": "sip-register", "useragent": "robot 1"},
    ]
    async with Watched(pbx, user_agent="robot 1").running():
        await trio.sleep(1)
        assert [frame for _, frame in pbx.heard] == asked
        pbx.sockets[-1].cut()
        await trio.sleep(5)
        assert [frame for _, frame in pbx.heard] == asked * 2


async def test_an_extension_that_does_not_register_is_up_when_connected(autojump_clock: trio.testing.MockClock) -> None:
    pbx = GoodPbx()
    async with Watched(pbx, register=False).running() as bot:
        await trio.sleep(100)
        assert [what[1:] for what in bot.told] == [("up", "connected")]
        assert "sip-register" not in pbx.actions()


@pytest.mark.parametrize(
    ("expires", "every"),
    [(60, 30), (20, 10), (3600, 300), (1e30, 300), (1, 2), (None, 30), (-1, 30), ("soon", 30), ("120", 60)],
)
async def test_the_registration_is_refreshed_at_half_of_expires(
    expires: Any, every: float, autojump_clock: trio.testing.MockClock
) -> None:
    pbx = GoodPbx()
    pbx.expires = expires
    async with Watched(pbx).running() as bot:
        await trio.sleep(every * 4.5)
        assert gaps(pbx.times("sip-register")) == pytest.approx([every] * 4, abs=0.1)
        assert [what[1:] for what in bot.told] == [("up", "registered")]


async def test_an_unanswered_registration_ends_the_connection(autojump_clock: trio.testing.MockClock) -> None:
    pbx = WordlessPbx()
    async with Watched(pbx).running() as bot:
        await trio.sleep(100)
        assert bot.told == []
        assert "did not answer the registration" in bot.troubles[0]
        assert len(pbx.connects) > 2


async def test_an_unanswered_refresh_is_down_and_then_up_again(autojump_clock: trio.testing.MockClock) -> None:
    pbx = GoodPbx()
    async with Watched(pbx).running() as bot:
        await trio.sleep(1)
        pbx.register = lambda socket: None  # type: ignore[method-assign]
        await trio.sleep(29 + 10 + 0.2)
        assert bot.ups_and_downs == ["up", "down"]
        del pbx.register  # type: ignore[method-assign]
        await trio.sleep(5)
        assert bot.ups_and_downs == ["up", "down", "up"]
        assert "did not answer the registration within 10 s" in bot.told[1][2]


@pytest.mark.parametrize("answer", [{"code": 403}, {"code": "486 Busy"}, {"expires": 0}])
async def test_a_refused_registration_is_tried_again_with_a_new_connection(
    answer: dict[str, Any], autojump_clock: trio.testing.MockClock
) -> None:
    pbx = RefusingPbx()
    pbx.answer = answer
    async with Watched(pbx).running() as bot:
        await trio.sleep(20)
        assert len(pbx.connects) == 3
        assert bot.ups_and_downs == ["up"]
        assert len(bot.troubles) == 2


async def test_a_registration_that_the_pbx_ends_is_asked_for_at_once(autojump_clock: trio.testing.MockClock) -> None:
    pbx = ForgetfulPbx()
    async with Watched(pbx).running() as bot:
        await trio.sleep(5)
        pbx.forget()
        await trio.sleep(1)
        assert gaps(pbx.times("sip-register")) == pytest.approx([5], abs=0.2)
        assert bot.ups_and_downs == ["up"]
        assert len(pbx.connects) == 1


@pytest.mark.parametrize("after", [0.5, 7, 14.99, 29.999, 30.001, 44, 1000])
async def test_a_silently_dead_socket_is_noticed_within_45_seconds(
    after: float, autojump_clock: trio.testing.MockClock
) -> None:
    pbx = HalfOpenPbx()
    async with Watched(pbx).running() as bot:
        await trio.sleep(after)
        pbx.silent = True
        await trio.sleep(45)
        assert bot.ups_and_downs == ["up", "down"]
        pbx.silent = False
        await trio.sleep(15)
        assert bot.ups_and_downs == ["up", "down", "up"]


@pytest.mark.parametrize("lives", [True, False])
async def test_a_bot_that_was_stopped_reads_first_what_came_meanwhile(
    lives: bool, mock_clock: trio.testing.MockClock
) -> None:
    pbx = GoodPbx() if lives else HalfOpenPbx()
    bot = Watched(pbx)
    with trio.fail_after(1000):
        async with bot.running():
            await _passes(mock_clock, 5)
            assert bot.ups_and_downs == ["up"]
            if isinstance(pbx, HalfOpenPbx):
                pbx.silent = True
            mock_clock.jump(90)
            await _passes(mock_clock, 20)
            assert ("down" in bot.ups_and_downs) is not lives


async def _passes(clock: trio.testing.MockClock, seconds: int) -> None:
    """In small steps, as time does for a process that runs."""
    for _ in range(seconds * 10):
        await trio.testing.wait_all_tasks_blocked()
        clock.jump(0.1)
    await trio.testing.wait_all_tasks_blocked()


async def test_a_pbx_that_only_pongs_is_alive(autojump_clock: trio.testing.MockClock) -> None:
    pbx = GoodPbx()
    async with Watched(pbx, register=False).running() as bot:
        await trio.sleep(1000)
        assert bot.ups_and_downs == ["up"]


async def test_a_stuck_writer_does_not_keep_frames_from_coming(autojump_clock: trio.testing.MockClock) -> None:
    pbx = TalkativeButDeafPbx()
    async with Watched(pbx).running() as bot, trio.open_nursery() as nursery:
        await trio.sleep(1)
        pbx.deaf = True
        nursery.start_soon(_expect_loss, bot, commands.Mute(call_id="1", muted=True))
        bot.frames.clear()
        for number in range(30):
            await trio.sleep(1)
            pbx.sockets[-1].say(action="news", number=number)
        await trio.sleep(0.1)
        assert len(bot.frames) == 30
        assert bot.ups_and_downs == ["up"]
        for _ in range(15):
            await trio.sleep(1)
            pbx.sockets[0].say(action="news")
        assert bot.ups_and_downs == ["up", "down"]
        assert "took nothing" in bot.told[1][2]


async def test_a_stuck_writer_does_not_keep_the_session_from_leaving(autojump_clock: trio.testing.MockClock) -> None:
    pbx = TalkativeButDeafPbx()
    bot = Watched(pbx)
    async with trio.open_nursery() as nursery, bot.running():
        await trio.sleep(1)
        pbx.deaf = True
        for number in range(OUTBOX + 5):  # the last ones don't even find room to wait in
            nursery.start_soon(_expect_loss, bot, commands.Mute(call_id=str(number), muted=True))
        await trio.sleep(1)
        leaving = trio.current_time()
    assert trio.current_time() == leaving


async def _expect_loss(bot: Watched, command: Any) -> None:
    with pytest.raises(ConnectionLost):
        await bot.session.send(command)


async def test_sends_keep_their_order(autojump_clock: trio.testing.MockClock) -> None:
    pbx = GoodPbx()
    async with Watched(pbx).running() as bot:
        await trio.sleep(1)
        pbx.heard.clear()
        for number in range(100):
            await bot.session.send(commands.Mute(call_id=str(number), muted=True))
        assert [frame["callid"] for _, frame in pbx.heard] == [str(n) for n in range(100)]


async def test_a_send_without_a_socket_fails_at_once(autojump_clock: trio.testing.MockClock) -> None:
    pbx = GoodPbx()
    bot = Watched(pbx)
    started = trio.current_time()
    with pytest.raises(ConnectionLost, match="no connection"):
        await bot.session.send(commands.AvoidDisconnect())
    async with bot.running():
        await trio.sleep(1)
        pbx.sockets[-1].cut()
        await trio.sleep(0.1)
        with pytest.raises(ConnectionLost):
            await bot.session.send(commands.AvoidDisconnect())
    assert trio.current_time() == pytest.approx(started + 1.1)


async def test_commands_in_flight_fail_once_and_are_never_sent_again(autojump_clock: trio.testing.MockClock) -> None:
    pbx = TalkativeButDeafPbx()
    failures: list[str] = []

    async def send(number: int) -> None:
        try:
            await bot.session.send(commands.Mute(call_id=str(number), muted=True))
        except ConnectionLost as exc:
            failures.append(str(exc))

    async with Watched(pbx).running() as bot, trio.open_nursery() as nursery:
        await trio.sleep(1)
        pbx.deaf = True
        for number in range(20):
            nursery.start_soon(send, number)
        await trio.sleep(1)
        assert failures == []
        pbx.sockets[-1].cut("the line was cut")
        await trio.lowlevel.checkpoint()
        pbx.deaf = False
        await trio.sleep(100)
        assert len(failures) == 20
        assert all("the line was cut" in text for text in failures)
        assert bot.ups_and_downs == ["up", "down", "up"]
        assert "mute" not in pbx.actions()


async def test_a_cancelled_send_that_still_waited_is_not_sent_later(autojump_clock: trio.testing.MockClock) -> None:
    pbx = TalkativeButDeafPbx()
    gate = trio.Event()

    async def slow(socket: FakeSocket, text: str) -> None:
        await gate.wait()
        await GoodPbx.take(pbx, socket, text)

    async with Watched(pbx).running() as bot, trio.open_nursery() as nursery:
        await trio.sleep(1)
        pbx.take = slow  # type: ignore[method-assign]
        nursery.start_soon(bot.session.send, commands.Mute(call_id="first", muted=True))
        await trio.sleep(0.1)
        with trio.move_on_after(1):
            await bot.session.send(commands.Mute(call_id="given up", muted=True))
        gate.set()
        await bot.session.send(commands.Mute(call_id="last", muted=True))
        muted = [frame["callid"] for _, frame in pbx.heard if frame["action"] == "mute"]
        assert muted == ["first", "last"]


async def test_frames_come_in_order_and_the_unknown_ones_too(autojump_clock: trio.testing.MockClock) -> None:
    pbx = GoodPbx()
    async with Watched(pbx).running() as bot:
        await trio.sleep(1)
        bot.frames.clear()
        for number in range(50):
            pbx.sockets[-1].say(action="never-heard-of", number=number)
        await trio.sleep(0.1)
        assert [json.loads(text)["number"] for text, _ in bot.frames] == list(range(50))
        assert all(isinstance(message, Unknown) for _, message in bot.frames)


async def test_an_exception_in_on_frame_does_not_end_the_session(autojump_clock: trio.testing.MockClock) -> None:
    pbx = GoodPbx()
    seen: list[str] = []

    def clumsy(text: str, message: Any) -> None:
        seen.append(text)
        raise ValueError("clumsy")

    with capture_logs() as logs:
        async with Watched(pbx, on_frame=clumsy).running() as bot:
            await trio.sleep(100)
            assert len(seen) == len(pbx.times("sip-register"))
            assert bot.ups_and_downs == ["up"]
    assert any(line["log_level"] == "error" for line in logs)


STRANGE: dict[str, list[str | bytes]] = {
    "not JSON": ["{", "", "hello", '{"action":'],
    "not an object": ["[]", "1", "null", '"text"'],
    "binary": [b"\x00", b"{}"],
    "too large": ['{"action":"' + "x" * MAX_FRAME + '"}', "ä" * (MAX_FRAME // 2 + 1)],
    "nested": ["[" * 100_000, '{"a":' * 100_000],
    "field": ['{"invitesdp":{"sdp":5},"callid":"1"}'] * 3,
}


@pytest.mark.parametrize("kind", STRANGE)
async def test_strange_frames_are_logged_once_a_kind_and_the_session_lives(
    kind: str, autojump_clock: trio.testing.MockClock
) -> None:
    pbx = GoodPbx()
    with capture_logs() as logs:
        async with Watched(pbx).running() as bot:
            await trio.sleep(1)
            for frame in STRANGE[kind] * 2:
                pbx.sockets[-1].say_raw(frame)
            pbx.sockets[-1].say(action="after-it")
            await trio.sleep(0.1)
            assert json.loads(bot.frames[-1][0]) == {"action": "after-it"}
            assert bot.ups_and_downs == ["up"]
    complaints = [line for line in logs if line["log_level"] == "warning" and "told_once_for" in line]
    assert len(complaints) == len({line["told_once_for"] for line in complaints})
    assert 1 <= len(complaints) <= 2
    assert not [line for line in logs if line["log_level"] == "error"]
