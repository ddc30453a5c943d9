"""What a plugin does with the audio of a call, with real audio: samples both ways, keys that stop a prompt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trio

from .support import NUMBERS, a_bot, loudest_hz, running, simulator, write_wav

pytestmark = pytest.mark.audio


def tone(hz: float, seconds: float, rate: int) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


async def test_samples_go_out_and_come_back_through_the_echo(tmp_path: Path) -> None:
    rate = 16000
    async with simulator() as sim:
        bot = a_bot(sim.url, tmp_path, codec="opus")
        async with running(bot), bot.dial(NUMBERS["echo"]) as call, call.audio(rate=rate) as audio:
            await audio.send(tone(700, 0.5, rate).tobytes())
            await audio.drain()
            await audio.send(tone(1500, 0.3, rate).tobytes())
            heard = b""
            while len(heard) < 2 * rate * 2:
                heard += await audio.receive()
            assert audio.lost_in == 0
    samples = np.frombuffer(heard, np.int16).astype(float)
    blocks = np.split(samples, len(samples) // (rate // 50))
    loud = [block for block in blocks if np.sqrt(np.mean(block**2)) > 1000]
    pitches = [loudest_hz(block, rate) for block in loud]
    assert sum(abs(hz - 700) < 40 for hz in pitches) >= 20, pitches
    assert sum(abs(hz - 1500) < 40 for hz in pitches) >= 10, pitches


async def test_the_audio_ends_with_the_call(tmp_path: Path) -> None:
    async with simulator() as sim:
        bot = a_bot(sim.url, tmp_path)
        async with running(bot), bot.dial(NUMBERS["bye"]) as call:
            with trio.fail_after(20):
                async with call.audio(rate=8000) as audio:
                    frames = [frame async for frame in audio]
            assert {len(frame) for frame in frames} == {320}
            assert call.reason == "remote_hangup"


async def test_a_key_stops_the_prompt(tmp_path: Path) -> None:
    rate = 16000
    write_wav(tmp_path / "long.wav", tone(440, 60, rate), rate)
    async with simulator() as sim:
        bot = a_bot(sim.url, tmp_path)
        async with running(bot), bot.dial(NUMBERS["dtmf"]) as call:
            with trio.fail_after(20):
                assert await call.gather(4, prompt=tmp_path / "long.wav", terminators="", timeout=10) == "159#"
                async with call.playing(tmp_path / "long.wav"):
                    await call.sleep(0.5)
