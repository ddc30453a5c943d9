"""Park orbits with real sockets and real audio: who is parked hears music, and who picks up hears who was parked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trio

from vodiabot import Call

from .support import a_bot, loudest_hz, read_wav, running, simulator, until, write_wav

pytestmark = pytest.mark.audio

BRUNOS_HZ = 620.0
CLARAS_HZ = 870.0


def tone(path: Path, hz: float) -> Path:
    """Two seconds of a whole number of waves, to be played over and over."""
    write_wav(path, 8000 * np.sin(2 * np.pi * hz * np.arange(16000) / 8000), 8000)
    return path


async def heard_hz(call: Call, path: Path) -> float:
    await call.sleep(0.5)
    await call.record(path, max_seconds=1.0)
    return loudest_hz(*read_wav(path))


@pytest.mark.parametrize("dialect", ["classic", "modern"])
async def test_a_parked_caller_is_picked_up_and_both_are_heard(dialect: str, tmp_path: Path) -> None:
    brunos, claras = tone(tmp_path / "bruno.wav", BRUNOS_HZ), tone(tmp_path / "clara.wav", CLARAS_HZ)
    parked_on: list[str] = []

    async def attend(call: Call) -> None:
        await call.answer()
        await call.sleep(0.5)
        parked_on.append(await call.park())

    async with simulator(dialect) as sim:
        bot = a_bot(sim.url, tmp_path, handler=attend)
        bruno = a_bot(sim.url, tmp_path, user="47")
        clara = a_bot(sim.url, tmp_path, user="48")
        async with (
            running(bot, bruno, clara),
            bruno.dial("45") as parked,
            parked.playing(brunos),
        ):
            await until(lambda: parked_on != [] and clara.parked != [])
            assert [(one.orbit, one.caller.number) for one in clara.parked] == [(parked_on[0], "47")]
            before = parked.stats().packets_received
            await parked.sleep(0.5)
            assert parked.stats().packets_received > before + 10, "music"
            async with clara.pick_up() as picked, picked.playing(claras):
                assert await heard_hz(picked, tmp_path / "picked.wav") == pytest.approx(BRUNOS_HZ, abs=3)
                assert await heard_hz(parked, tmp_path / "parked.wav") == pytest.approx(CLARAS_HZ, abs=3)
                assert (picked.remote.number, picked.remote.display) == ("47", "Bruno")
                assert clara.parked == []
                assert bot.calls == []
            with trio.fail_after(10):
                await parked.wait_ended()
