"""After a hold, and after a transfer that the PBX refuses, both sides are heard again; the recording keeps the time."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from vodiabot import Call, TransferFailed
from vodiabot.media import sources

from .support import NUMBERS, a_bot, loudest_hz, running, simulator

pytestmark = pytest.mark.audio

RATE = 8000


async def beep(call: Call, hz: float) -> None:
    await call.play(sources.tone(hz, 0.5))
    await call.sleep(0.5)  # until its echo is back


@pytest.mark.parametrize("dialect", ["classic", "modern"])
async def test_both_sides_are_heard_again(dialect: str, tmp_path: Path) -> None:
    path = tmp_path / "all.wav"
    async with simulator(dialect) as sim:
        bot = a_bot(sim.url, tmp_path)
        async with (
            running(bot),
            bot.dial(NUMBERS["echo"]) as call,
            call.recording(path, stereo=True),
        ):
            await beep(call, 600)
            await call.hold()
            await call.sleep(1.0)
            await call.resume()
            await beep(call, 900)
            with pytest.raises(TransferFailed):
                await call.transfer(NUMBERS["refuse-transfer"])
            await call.sleep(0.5)
            await beep(call, 1200)
            await call.hold()
            with pytest.raises(TransferFailed):
                await call.transfer(NUMBERS["refuse-transfer"])
            await call.sleep(0.5)
            await beep(call, 1500)
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE
        both = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float).reshape(-1, 2)
    said, came_back = beeps(both[:, 1]), beeps(both[:, 0])
    assert list(said) == list(came_back) == [600, 900, 1200, 1500]
    for hz, at in said.items():
        assert 0 <= came_back[hz] - at < 0.5, f"the echo of {hz} Hz"


def beeps(samples: np.ndarray) -> dict[int, float]:
    """What is heard for 200 ms or longer, and from which second on."""
    found: dict[int, list[float]] = {}
    for at in range(0, len(samples) - 400, 400):
        block = samples[at : at + 400]
        if np.sqrt(np.mean(block**2)) > 1000:
            found.setdefault(round(loudest_hz(block, RATE) / 300) * 300, []).append(at / RATE)
    return {hz: seconds[0] for hz, seconds in found.items() if len(seconds) >= 4}
