"""Speech in virtual time: whoever is called finds what was said by its text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot import Call, CallEnded, NotAccepted, SpeechUnavailable, Text
from vodiabot.sources import tone
from vodiabot.testing.sounds import Spoken
from vodiabot.testing.speech import SaidText, VirtualSpeech

from .kit import world


async def heard(
    tmp_path: Path,
    speak: Callable[[Call], Awaitable[Any]],
    caller_does: Callable[[Call], Awaitable[Any]] | None = None,
    speech: VirtualSpeech | None = None,
) -> list[tuple[Any, float, float]]:
    """What the other side of a call heard, whose handler answers and then does `speak`: source, seconds, gain."""

    async def handler(call: Call) -> None:
        await call.answer()
        await call.sleep(1)
        await speak(call)

    async with world("modern", tmp_path, ("45", "bot", handler), ("46", "demo", None)) as (made, [bot, caller]):
        bot.speech = speech or VirtualSpeech()
        async with caller.dial("45") as call:
            if caller_does is not None:
                await caller_does(call)
            await call.wait_ended()
        await trio.sleep(1)
        return [(p.source, round(p.duration, 3), p.gain) for leg in made.media["45"].legs for p in leg.played]


async def test_what_is_said_is_heard_by_its_text(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def speak(call: Call) -> None:
        began = trio.current_time()
        await call.say("Welcome. Press 1", gain=-6.0)
        assert trio.current_time() - began == pytest.approx(16 / 15)

    [(source, seconds, gain)] = await heard(tmp_path, speak)
    assert source == Spoken("Welcome. Press 1")
    assert (seconds, gain) == (pytest.approx(16 / 15, abs=0.001), -6.0)


async def test_texts_stand_in_lists_and_prompts(tmp_path: Path, autojump_clock: MockClock) -> None:
    speech = VirtualSpeech()
    chime = tone(440, 0.5)

    async def speak(call: Call) -> None:
        await call.play([chime, Text("Welcome.", voice="slt"), Text("Hallo.", language="de")], gain=-3.0)
        assert await call.gather(prompt=[chime, "Press 1 for sales."], timeout=2) == "1"
        await call.sleep(1)

    async def caller_does(call: Call) -> None:
        await trio.sleep(4)
        await call.send_dtmf("1")

    found = await heard(tmp_path, speak, caller_does, speech)
    assert [(source, gain) for source, _, gain in found] == [
        (chime, -3.0),
        (Spoken("Welcome."), -3.0),
        (Spoken("Hallo."), -3.0),
        (chime, 0.0),
        (Spoken("Press 1 for sales."), 0.0),
    ]
    assert found[-1][1] < Spoken("Press 1 for sales.").duration, "the key has stopped it"
    assert speech.said == [
        SaidText("Welcome.", voice="slt"),
        SaidText("Hallo.", language="de"),
        SaidText("Press 1 for sales."),
    ]


async def test_a_whisper_is_spoken_to_the_target_alone(tmp_path: Path, autojump_clock: MockClock) -> None:
    refused: list[bool] = []

    async def handler(call: Call) -> None:
        await call.answer()
        try:
            await call.consult("47", whisper="A caller from sales.", accept="1", accept_timeout=2)
        except NotAccepted:
            refused.append(True)
        await call.say("Nobody is there.")

    async def target(call: Call) -> None:
        await call.answer()
        await call.wait_ended()

    bots = ("45", "bot", handler), ("46", "demo", None), ("47", "demo", target)
    async with world("modern", tmp_path, *bots) as (made, [bot, caller, _]):
        bot.speech = VirtualSpeech()
        async with caller.dial("45") as call:
            await call.wait_ended()
        await trio.sleep(1)
        first, second = ([played.source for played in leg.played] for leg in made.media["45"].legs)
    assert refused
    assert second == [Spoken("A caller from sales.")]
    assert first == [Spoken("Nobody is there.")]


async def test_the_end_of_the_call_ends_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    ends: list[type[BaseException]] = []

    async def speak(call: Call) -> None:
        try:
            await call.say("word " * 300)
        except CallEnded:
            ends.append(CallEnded)
            with pytest.raises(CallEnded):
                await call.say("Anybody there?")
            raise

    async def caller_does(call: Call) -> None:
        await trio.sleep(5)
        await call.hangup()

    [(_, seconds, _)] = await heard(tmp_path, speak, caller_does)
    assert seconds < 6
    assert ends == [CallEnded]


async def test_where_nothing_can_speak_the_call_goes_on(tmp_path: Path, autojump_clock: MockClock) -> None:
    speech = VirtualSpeech()
    speech.fails_with = SpeechUnavailable("no speech provider is installed")

    async def speak(call: Call) -> None:
        with pytest.raises(SpeechUnavailable):
            await call.say("Welcome.")
        await call.play(tone(440, 0.5))

    found = await heard(tmp_path, speak, speech=speech)
    assert [source for source, _, _ in found] == [tone(440, 0.5)]
