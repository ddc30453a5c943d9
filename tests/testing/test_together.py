"""Attended transfers, bridges and conferences against the simulator's PBX model, in both dialects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot import (
    Bot,
    Busy,
    Call,
    CallEnded,
    Consultation,
    IllegalMove,
    NoAnswer,
    NotAccepted,
    NotAllowed,
    Rejected,
    SpeechUnavailable,
    TransferFailed,
)
from vodiabot.calls import DialGuard
from vodiabot.testing.speech import VirtualSpeech

from .kit import BOTH, NUMBERS, World, world

Target = Callable[[Call], Any]
WHISPER = SimpleNamespace(duration=3.0)


@dataclass
class Scene:
    """46 has called the bot 45, which may consult 47."""

    world: World
    bot: Bot
    call: Call
    """The bot's, with the caller."""
    caller: Call
    """The caller's own."""
    at_target: list[Call] = field(default_factory=list)
    """The target's own."""

    def frames(self, action: str) -> list[dict[str, Any]]:
        """What clients have told the PBX."""
        return [frame for _, frame in self.world.pbx.received if frame["action"] == action]


async def pick_up(call: Call) -> None:
    await call.answer()
    await call.wait_ended()


async def ring_only(call: Call) -> None:
    await call.wait_ended()


def press(digits: str, after: float) -> Target:
    async def handle(call: Call) -> None:
        await call.answer()
        await call.sleep(after)
        await call.send_dtmf(digits)
        await call.wait_ended()

    return handle


def hang_up_after(seconds: float) -> Target:
    async def handle(call: Call) -> None:
        await call.answer()
        await call.sleep(seconds)

    return handle


@asynccontextmanager
async def scene(dialect: str, state: Path, target: Target = pick_up) -> AsyncIterator[Scene]:
    """The test acts in place of the bot's handler, which stays as long as the call."""
    at_bot: list[Call] = []
    at_target: list[Call] = []

    async def at_the_bot(call: Call) -> None:
        await call.answer()
        at_bot.append(call)
        await call.wait_ended()

    async def at_the_target(call: Call) -> None:
        at_target.append(call)
        await target(call)

    bots = [("45", "bot", at_the_bot), ("46", "demo", None), ("47", "demo", at_the_target)]
    async with world(dialect, state, *bots) as (made, [bot, caller, _]), caller.dial("45") as call:
        await trio.sleep(1)
        yield Scene(made, bot, at_bot[0], call, at_target)


async def after_a_failure(here: Scene) -> None:
    """The caller is here, off hold, and can be consulted for again."""
    assert here.call.state == "up"
    assert here.bot.calls == [here.call]
    await trio.sleep(1)
    assert here.caller.state == "up"
    assert not here.caller.held_by_remote
    await here.call.sleep(1)
    second = await here.call.consult(NUMBERS["tone"])
    assert here.call.state == "held"
    await second.cancel()
    assert here.call.state == "up"


# --- consult, then complete or cancel --------------------------------------------------------------------------------


@BOTH
async def test_the_caller_and_the_target_are_joined(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(dialect, tmp_path) as here:
        second = await here.call.consult("47")
        assert isinstance(second, Consultation)
        assert (here.call.state, second.state, second.remote.number) == ("held", "up", "47")
        await second.play(WHISPER)
        await second.complete()
        assert (here.call.reason, second.reason) == ("transferred", "transferred")
        assert here.bot.calls == []
        [frame] = here.frames("att-transfer")
        assert (frame["from"], frame["to"]) == ("45", "47")
        await trio.sleep(5)
        [left] = here.world.pbx.pbx.snapshot()["calls"]
        assert here.caller.state == here.at_target[0].state == "up"
        assert sorted([left["from"], left["to"]]) == ["46", "47"]


@BOTH
@pytest.mark.parametrize("way", ["cancel", "leave", "raise", "cancelled"])
async def test_a_consultation_that_is_not_completed(
    way: str, dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(dialect, tmp_path) as here:
        if way == "cancel":
            second = await here.call.consult("47")
            await second.cancel()
            await second.cancel()
        elif way == "leave":
            async with here.call.consult("47") as second:
                await second.sleep(2)
        elif way == "raise":
            with pytest.raises(ZeroDivisionError):
                async with here.call.consult("47") as second:
                    1 / 0  # noqa: B018
        else:
            with trio.move_on_after(5):
                async with here.call.consult("47") as second:
                    await trio.sleep_forever()
            await trio.sleep(2)
        assert second.reason == "hangup"
        await trio.sleep(0.1)
        assert here.at_target[0].reason == "remote_hangup"
        with pytest.raises(TransferFailed):
            await second.complete()
        await after_a_failure(here)


@BOTH
@pytest.mark.parametrize(
    ("to", "error"),
    [
        (NUMBERS["busy"], Busy),
        (NUMBERS["reject"], Rejected),
        (NUMBERS["no-answer"], NoAnswer),
        (NUMBERS["early-then-busy"], Busy),
    ],
)
async def test_a_target_that_does_not_answer(
    to: str, error: type[Exception], dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(dialect, tmp_path) as here:
        with pytest.raises(error):
            await here.call.consult(to, timeout=20)
        await after_a_failure(here)


@BOTH
async def test_a_target_that_is_not_rung_long_enough(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(dialect, tmp_path, ring_only) as here:
        began = trio.current_time()
        with pytest.raises(NoAnswer):
            await here.call.consult("47", timeout=7)
        assert trio.current_time() - began == pytest.approx(7, abs=2)
        assert here.at_target[0].reason == "cancelled"
        await after_a_failure(here)


@BOTH
async def test_the_caller_hangs_up_while_the_target_rings(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(dialect, tmp_path, ring_only) as here, trio.open_nursery() as nursery:
        nursery.start_soon(later, 3, here.caller.hangup)
        with pytest.raises(CallEnded) as caught:
            await here.call.consult("47")
        assert caught.value.call_id == here.call.id
        await trio.sleep(1)
        assert here.at_target[0].reason == "cancelled"
        assert here.bot.calls == []


@BOTH
async def test_the_caller_hangs_up_during_the_whisper(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(dialect, tmp_path) as here, trio.open_nursery() as nursery:
        nursery.start_soon(later, 2, here.caller.hangup)
        with pytest.raises(CallEnded) as caught:
            await here.call.consult("47", whisper=WHISPER, accept="1")
        assert caught.value.call_id == here.call.id
        await trio.sleep(1)
        assert here.at_target[0].reason == "remote_hangup"


@BOTH
async def test_the_caller_hangs_up_while_the_target_is_talked_to(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(dialect, tmp_path) as here:
        second = await here.call.consult("47")
        await here.caller.hangup()
        with pytest.raises(CallEnded):
            await second.sleep(60)
        with pytest.raises(CallEnded) as caught:
            await second.complete()
        assert caught.value.call_id == here.call.id
        await second.cancel()
        await trio.sleep(1)
        assert here.at_target[0].reason == "remote_hangup"


@BOTH
async def test_the_target_hangs_up_before_it_is_joined(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(dialect, tmp_path, hang_up_after(2)) as here:
        second = await here.call.consult("47")
        with pytest.raises(CallEnded):
            await second.sleep(60)
        with pytest.raises(TransferFailed):
            await second.complete()
        assert second.reason == "remote_hangup"
        assert not here.frames("att-transfer")
        await after_a_failure(here)


async def later(seconds: float, work: Callable[[], Any]) -> None:
    await trio.sleep(seconds)
    await work()


async def test_a_handler_whose_target_hangs_up_does_not_hang_up_on_its_caller(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """CallEnded is a normal end of the handler only where it is its own call's."""
    states: list[str] = []

    async def handler(call: Call) -> None:
        await call.answer()
        second = await call.consult(NUMBERS["bye"])
        try:
            await second.sleep(60)
        finally:
            states.append(call.state)

    async with (
        world("modern", tmp_path, ("45", "bot", handler), ("46", "demo", None)) as (_, [_, caller]),
        caller.dial("45") as call,
    ):
        await call.wait_ended()
    assert states == ["held"]


@BOTH
async def test_a_call_that_we_placed_is_consulted_for(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    bots = [("45", "bot", None), ("46", "demo", pick_up), ("47", "demo", pick_up)]
    async with world(dialect, tmp_path, *bots) as (made, [bot, *_]):
        async with bot.dial("46") as call:
            await call.sleep(2)
            async with call.consult("47") as second:
                await second.complete()
            assert (call.reason, second.reason) == ("transferred", "transferred")
        await trio.sleep(5)
        [left] = made.pbx.pbx.snapshot()["calls"]
        assert sorted([left["from"], left["to"]]) == ["46", "47"]


@BOTH
async def test_all_three_talk_before_they_are_joined(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(dialect, tmp_path) as here, here.call.consult("47") as second:
        await here.call.resume()
        async with here.bot.conference() as conference:
            conference.add(here.call)
            conference.add(second)
            await second.sleep(10)
            await hears(here, [here.call, second])
            await second.complete()
        assert (here.call.reason, second.reason) == ("transferred", "transferred")


@BOTH
async def test_a_caller_who_is_on_hold_already_is_not_held_again(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(dialect, tmp_path) as here:
        await here.call.hold()
        async with here.call.consult("47"):
            assert [frame["holdcmd"] for frame in here.frames("wrtc-hold")] == ["sendonly"]
        assert here.call.state == "up"


# --- whisper and acceptance ------------------------------------------------------------------------------------------


@BOTH
async def test_the_target_hears_the_whisper_before_anything_else(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(dialect, tmp_path) as here:
        began = trio.current_time()
        second = await here.call.consult("47", whisper=WHISPER)
        assert trio.current_time() - began >= 3
        assert [played.source for played in here.world.media["45"].legs[-1].played] == [WHISPER]
        await second.cancel()


@BOTH
@pytest.mark.parametrize("after", [1, 3, 12])
async def test_the_target_accepts_during_the_whisper_or_after_it(
    after: float, dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(dialect, tmp_path, press("921", after)) as here:
        second = await here.call.consult("47", whisper=WHISPER, accept="1")
        [played] = here.world.media["45"].legs[-1].played
        assert played.duration == pytest.approx(min(after + 0.4, 3.0), abs=0.3)
        await second.complete()
        assert second.reason == "transferred"


@BOTH
@pytest.mark.parametrize("target", [pick_up, press("2", 1), press("1", 20), hang_up_after(1), hang_up_after(8)])
async def test_the_target_does_not_accept(
    target: Target, dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(dialect, tmp_path, target) as here:
        with pytest.raises(NotAccepted):
            await here.call.consult("47", whisper=WHISPER, accept="1", accept_timeout=10)
        assert here.at_target[0].state == "ended"
        await after_a_failure(here)


async def test_a_text_is_spoken_and_where_that_cannot_be_the_caller_is_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene("modern", tmp_path) as here:
        here.bot.speech = speech = VirtualSpeech()
        speech.fails_with = SpeechUnavailable("no speech provider is installed")
        with pytest.raises(SpeechUnavailable):
            await here.call.consult("47", whisper="a call for you")
        assert here.at_target[0].state == "ended"
        await after_a_failure(here)
        speech.fails_with = None
        async with here.call.consult("47", whisper="a call for you"):
            assert [said.text for said in speech.said] == ["a call for you"] * 2


# --- what is not allowed ---------------------------------------------------------------------------------------------


async def test_a_number_that_is_not_allowed_leaves_the_caller_alone(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene("modern", tmp_path) as here:
        here.bot.lines[0].switchboard._guard = DialGuard(["5??"], 30, set)
        with pytest.raises(NotAllowed):
            await here.call.consult("47")
        assert here.call.state == "up"
        assert not here.frames("wrtc-hold")


async def test_one_consultation_at_a_time(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene("modern", tmp_path) as here, here.call.consult("47"):
        with pytest.raises(IllegalMove):
            await here.call.consult(NUMBERS["tone"])
        assert here.call.state == "held"


# --- bridge and conference -------------------------------------------------------------------------------------------


@BOTH
async def test_two_calls_are_bridged_until_one_ends(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(dialect, tmp_path) as here, here.bot.dial("47") as other, trio.open_nursery() as nursery:
        nursery.start_soon(later, 60, here.caller.hangup)
        nursery.start_soon(later, 30, lambda: hears(here, [here.call, other]))
        began = trio.current_time()
        await here.call.bridge(other)
        assert trio.current_time() - began == pytest.approx(60, abs=1)
        assert (here.call.state, other.state) == ("ended", "up")
        await hears(here, [])
        with pytest.raises(CallEnded):
            await here.call.bridge(other)
        with pytest.raises(IllegalMove):
            await other.bridge(other)


async def hears(here: Scene, together: list[Call]) -> None:
    """All that are together hear each other, all else hear nobody."""
    ids = {call.id for call in together}
    expected = {call.id: ids - {call.id} if call.id in ids else set() for call in here.bot.calls}
    assert here.world.media["45"].hears() == expected


@BOTH
async def test_a_bridge_that_is_cancelled_takes_them_apart(
    dialect: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(dialect, tmp_path) as here, here.bot.dial("47") as other:
        with trio.move_on_after(10):
            await here.call.bridge(other)
        assert (here.call.state, other.state) == ("up", "up")
        await hears(here, [])


@BOTH
async def test_a_conference_of_three(dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(dialect, tmp_path) as here, here.bot.dial("47") as second, here.bot.dial("601") as third:
        async with here.bot.conference() as conference:
            for call in (here.call, second, third, second):
                conference.add(call)
            assert conference.calls == [here.call, second, third]
            await hears(here, [here.call, second, third])
            conference.remove(third)
            conference.remove(third)
            await hears(here, [here.call, second])
            conference.add(third)
            await here.caller.hangup()
            await trio.sleep(1)
            assert conference.calls == [second, third]
            await hears(here, [second, third])
            with pytest.raises(CallEnded):
                conference.add(here.call)
        await hears(here, [])
        assert second.state == third.state == "up"
        assert conference.calls == []
        with pytest.raises(IllegalMove):
            conference.add(second)


@BOTH
@pytest.mark.parametrize("dtmf", [True, False])
async def test_digits_in_a_bridge(dtmf: bool, dialect: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """They are passed on where that is wanted, both ways; what was pressed before was for the bot."""
    async with scene(dialect, tmp_path, press("12#", 3.0)) as here, here.bot.dial("47") as other:
        await here.caller.send_dtmf("9")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(later, 2, lambda: here.caller.send_dtmf("45"))
            nursery.start_soon(partial(here.call.bridge, other, dtmf=dtmf))
            heard = await here.caller.gather(2, timeout=6.0)
            [target] = here.at_target
            assert (heard, await target.gather(9, timeout=1.0)) == (("12", "45") if dtmf else ("", ""))
            nursery.cancel_scope.cancel()
        assert await here.call.gather(9, timeout=1.0) == ("" if dtmf else "945")


async def test_a_call_that_is_joined_with_others_leaves_the_bridge_that_it_is_in(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Or the one who is left in the bridge would listen to nobody, and nobody would be told."""
    async with (
        scene("modern", tmp_path) as here,
        here.bot.dial("47") as other,
        here.bot.dial("601") as third,
        here.bot.conference() as conference,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(later, 10, lambda: joins(conference, here.call, third))
        began = trio.current_time()
        await here.call.bridge(other)
        assert trio.current_time() - began == pytest.approx(10, abs=0.1)
        assert conference.calls == [here.call, third]
        await hears(here, [here.call, third])
        async with here.bot.conference() as elsewhere:
            elsewhere.add(third)
            assert (conference.calls, elsewhere.calls) == ([here.call], [third])
            await hears(here, [])
            conference.add(third)
            elsewhere.remove(third)
            await hears(here, [here.call, third])
        await hears(here, [here.call, third])


async def joins(conference: Any, *calls: Call) -> None:
    for call in calls:
        conference.add(call)


async def test_who_is_on_hold_or_muted_in_a_conference(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene("modern", tmp_path) as here, here.bot.dial("47") as other, here.bot.conference() as conference:
        conference.add(here.call)
        conference.add(other)
        await other.hold()
        await other.sleep(1)
        assert here.world.media["45"].hears() == {here.call.id: {other.id}, other.id: set()}
        await other.resume()
        await here.call.mute()
        assert here.world.media["45"].hears() == {here.call.id: set(), other.id: {here.call.id}}


async def test_a_call_that_is_not_answered_can_not_take_part(tmp_path: Path, autojump_clock: MockClock) -> None:
    ringing: list[Call] = []

    async def ring(call: Call) -> None:
        ringing.append(call)
        await call.wait_ended()

    async with (
        world("modern", tmp_path, ("45", "bot", ring), ("46", "demo", None)) as (_, [bot, caller]),
        bot.conference() as conference,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(give_up, caller)
        await trio.sleep(1)
        with pytest.raises(IllegalMove):
            conference.add(ringing[0])
        await trio.sleep(5)
        with pytest.raises(CallEnded):
            conference.add(ringing[0])


async def give_up(caller: Bot) -> None:
    with pytest.raises(NoAnswer):
        async with caller.dial("45", timeout=3):
            pytest.fail("it was answered")
