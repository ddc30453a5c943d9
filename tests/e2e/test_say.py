"""`call.say` through the whole chain: text, child process, file, codec, packets, and back from the simulator's echo."""

from __future__ import annotations

import wave
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio

from vodiabot import Call, CallEnded, SpeechUnavailable, Text
from vodiabot.config import parse
from vodiabot.speech import speech_of

from .support import NUMBERS, a_bot, read_wav, running, simulator

pytestmark = pytest.mark.audio

TEXT = "Welcome to the house. Press one for sales."
SPEECH = '[pbx]\nurl = "ws://127.0.0.1:1"\ndomain = "x"\n[[extension]]\nuser = "45"\npassword = "x"\n'


def talking_bot(url: str, state: Path, provider: str = "espeak", **more: Any) -> Any:
    bot = a_bot(url, state, **more)
    settings = parse(f'{SPEECH}[speech]\nprovider = "{provider}"\n').speech
    bot.speech = speech_of(settings, state)
    return bot


def loudness(samples: np.ndarray[Any, Any], rate: int) -> np.ndarray[Any, Any]:
    """Fifty times a second, its own mean taken away."""
    block = rate // 50
    whole = samples[: len(samples) // block * block].reshape(-1, block)
    levels: np.ndarray[Any, Any] = np.sqrt((whole**2).mean(axis=1))
    return levels - levels.mean()


def likeness(heard: np.ndarray[Any, Any], said: np.ndarray[Any, Any]) -> float:
    """1 if what was said is found in what was heard, wherever it begins; about 0 for something else."""
    assert len(heard) >= len(said)
    pairs = [
        np.corrcoef(heard[at : at + len(said)], said)[0, 1]
        for at in range(len(heard) - len(said) + 1)
        if heard[at : at + len(said)].std() > 0
    ]
    return float(max(pairs))


def loud_seconds(levels: np.ndarray[Any, Any]) -> float:
    """For how long it is louder than silence, which is the least of the levels."""
    above = levels - levels.min()
    return float((above > 0.1 * above.max()).sum()) / 50


def kept(state: Path) -> Path:
    """The one spoken file."""
    [path] = (state / "speech").glob("*.wav")
    return path


@pytest.mark.parametrize("codec", ["PCMU", "opus"])
async def test_what_is_said_is_heard(tmp_path: Path, codec: str) -> None:
    async with simulator() as sim, running(bot := talking_bot(sim.url, tmp_path, codec=codec)):
        async with bot.dial(NUMBERS["echo"]) as call, call.recording(tmp_path / "echo.wav") as recording:
            began = trio.current_time()
            await call.say(TEXT)
            took = trio.current_time() - began
            await call.sleep(0.6)
        assert recording.result is not None
    with wave.open(str(kept(tmp_path))) as file:
        seconds = file.getnframes() / file.getframerate()
    assert took >= seconds, "it returns when the last sample has left"
    heard, said = loudness(*read_wav(tmp_path / "echo.wav")), loudness(*read_wav(kept(tmp_path)))
    # Not nearly 1 on a busy machine: the jitter buffers of both sides stretch and shrink what they play.
    assert likeness(heard, said) > 0.4
    assert likeness(heard, said) > likeness(heard, said[::-1]) + 0.1
    assert loud_seconds(heard) == pytest.approx(loud_seconds(said), rel=0.25)


async def test_a_prompt_is_spoken_until_a_key_is_pressed(tmp_path: Path) -> None:
    """The simulator's service presses 159# after a while."""
    long = [Text("Press one.", language="de"), *["This menu has very many entries, please listen to all of them."] * 9]
    async with simulator() as sim, running(bot := talking_bot(sim.url, tmp_path)), bot.dial(NUMBERS["dtmf"]) as call:
        with trio.fail_after(20):
            assert await call.gather(4, prompt=long, terminators="") == "159#"
    assert 1 <= len(list((tmp_path / "speech").glob("*.wav"))) <= 2


async def test_who_hangs_up_ends_it(tmp_path: Path) -> None:
    ended: list[str] = []

    async def handler(call: Call) -> None:
        await call.answer()
        try:
            await call.say("This is a very long text indeed. " * 100)
        except CallEnded as exc:
            ended.append(exc.reason)
            raise

    async with (
        simulator() as sim,
        running(
            talking_bot(sim.url, tmp_path / "45", handler=handler),
            caller := a_bot(sim.url, tmp_path / "46", user="46"),
        ),
    ):
        async with caller.dial("45") as call:
            await call.sleep(1.0)
        with trio.fail_after(10):
            while not ended:  # noqa: ASYNC110 - the handler has no event
                await trio.sleep(0.05)
    assert not list((tmp_path / "45" / "speech").glob("*.part"))


async def test_where_nothing_can_speak_the_call_goes_on(tmp_path: Path) -> None:
    bot_at = partial(talking_bot, provider="auto")
    async with (
        simulator() as sim,
        running(bot := bot_at(sim.url, tmp_path)),
        bot.dial(NUMBERS["echo"]) as call,
    ):
        with pytest.raises(SpeechUnavailable, match="'xx'"):
            await call.say("Hello.", language="xx")
        assert call.state == "up"
        await call.say("Hello.", gain=-20)
