"""What callers hear and press, through the whole chain: the bot's audio path against the simulator's own."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio

from vodiabot import Bot, Call, sources
from vodiabot.sim.config import Service, default
from vodiabot.sim.server import RunningSim
from vodiabot.sources import tone

from .support import NUMBERS, a_bot, loudest_hz, read_wav, running, simulator, until

pytestmark = pytest.mark.audio

MORE = (
    Service("650", "tone", hz=700.0),
    Service("651", "tone", hz=1300.0),
    Service("652", "tone", hz=1000.0, loss=10.0, seed=3),
    Service("653", "tone", hz=1000.0, jitter_ms=40.0, seed=3),
)


@asynccontextmanager
async def chain(tmp_path: Path, *codecs: str) -> AsyncIterator[tuple[RunningSim, Bot]]:
    bot_state = tmp_path / "state"
    services = (*default().services, *MORE)
    codec = '", "'.join(codecs or ("PCMU",))
    async with simulator(services=services) as sim, running(bot := a_bot(sim.url, bot_state, codec=codec)):
        yield sim, bot


async def recorded(call: Call, path: Path, seconds: float = 1.5) -> tuple[np.ndarray[Any, Any], int]:
    await call.record(path, max_seconds=seconds)
    samples, rate = read_wav(path)
    return samples[len(samples) // 4 :], rate


def has_tone(samples: np.ndarray[Any, Any], rate: int, hz: float) -> bool:
    """By how much of the energy is at that frequency, two semitones around."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    at = np.fft.rfftfreq(len(samples), 1 / rate)
    near = spectrum[np.abs(at - hz) < 15].sum()
    return bool(near > 0.1 * spectrum.sum())


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "opus"])
async def test_keys_pass_both_ways_as_events(tmp_path: Path, codec: str) -> None:
    async with chain(tmp_path, codec) as (sim, bot), bot.dial(NUMBERS["dtmf"]) as call:
        assert await call.gather(max_digits=4, timeout=5, terminators="") == "159#"
        await call.send_dtmf("42*D")
        await until(lambda: "42*D" in "".join(sim.digits.values()))


async def test_keys_that_are_pressed_at_once_wait_for_the_audio(tmp_path: Path) -> None:
    async with chain(tmp_path) as (_, bot), bot.dial(NUMBERS["echo"]) as call:
        await call.send_dtmf("4286")
        assert await call.gather(max_digits=4, timeout=3, terminators="") == "4286"


async def test_calls_that_are_bridged_hear_each_other(tmp_path: Path) -> None:
    async with chain(tmp_path) as (_, bot), bot.dial("650") as tone_call, bot.dial(NUMBERS["echo"]) as echo:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tone_call.bridge, echo)
            samples, rate = await recorded(echo, tmp_path / "echo.wav")  # what was said to it, comes back
            assert loudest_hz(samples, rate) == pytest.approx(700, abs=3)
            nursery.cancel_scope.cancel()
        await echo.sleep(0.3)
        samples, _ = await recorded(echo, tmp_path / "after.wav", 0.6)
        assert np.abs(samples).max(initial=0) < 300
        assert tone_call.state == echo.state == "up"


async def test_a_conference_hears_all_others(tmp_path: Path) -> None:
    async with (
        chain(tmp_path) as (_, bot),
        bot.dial("650") as low,
        bot.dial("651") as high,
        bot.dial(NUMBERS["echo"]) as echo,
        bot.conference() as room,
    ):
        for call in (low, high, echo):
            room.add(call)
        samples, rate = await recorded(echo, tmp_path / "all.wav")
        assert has_tone(samples, rate, 700)
        assert has_tone(samples, rate, 1300)
        room.remove(high)
        await echo.sleep(0.3)
        samples, rate = await recorded(echo, tmp_path / "one.wav", 1.0)
        assert has_tone(samples, rate, 700)
        assert not has_tone(samples, rate, 1300)


async def test_calls_of_different_rates_are_bridged(tmp_path: Path) -> None:
    both = ("opus", "PCMU")
    async with (
        chain(tmp_path, *both) as (_, bot),
        bot.dial("651", codecs=("PCMU",)) as narrow,
        bot.dial(NUMBERS["echo"], codecs=("opus",)) as wide,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(narrow.bridge, wide)
        samples, rate = await recorded(wide, tmp_path / "x.wav")
        assert (narrow.stats().codec, wide.stats().codec, rate) == ("PCMU", "opus", 16000)
        assert loudest_hz(samples, rate) == pytest.approx(1300, abs=3)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("codec", ["PCMU", "opus"])
async def test_lost_packets_leave_no_hole(tmp_path: Path, codec: str) -> None:
    async with chain(tmp_path, codec) as (_, bot), bot.dial("652") as call:
        await call.sleep(1.0)
        samples, rate = await recorded(call, tmp_path / "x.wav", 3.0)
        stats = call.stats()
    assert stats.packets_lost > 0
    assert stats.concealed > 0
    assert loudest_hz(samples, rate) == pytest.approx(1000, abs=3)
    block = rate // 100
    peaks = np.abs(samples[: len(samples) // block * block]).reshape(-1, block).max(axis=1)
    assert np.mean(peaks < 0.1 * np.median(peaks)) < 0.03, "holes of silence"
    assert stats.mos is not None
    assert stats.mos < 4.2


async def test_late_packets_are_waited_for(tmp_path: Path) -> None:
    async with chain(tmp_path) as (_, bot), bot.dial("653") as call:
        await call.sleep(2.0)
        samples, rate = await recorded(call, tmp_path / "x.wav", 2.0)
        stats = call.stats()
    assert stats.jitter is not None
    assert stats.jitter > 0.005
    assert stats.delay is not None
    assert 0.02 < stats.delay < 0.3
    block = rate // 100
    peaks = np.abs(samples[: len(samples) // block * block]).reshape(-1, block).max(axis=1)
    assert np.mean(peaks < 0.1 * np.median(peaks)) < 0.02, "holes of silence"


async def test_a_good_call_says_so(tmp_path: Path) -> None:
    async with chain(tmp_path) as (_, bot), bot.dial("600") as call:
        await until(lambda: call.stats().round_trip is not None)
        stats = call.stats()
    assert stats.mos is not None
    assert stats.mos > 4.2
    assert stats.packets_lost == 0
    assert stats.far_lost == 0.0
    assert stats.round_trip is not None
    assert stats.round_trip < 1.0
    assert stats.silent_for is not None


async def test_samples_go_out_and_come_back(tmp_path: Path) -> None:
    async with chain(tmp_path) as (_, bot), bot.dial(NUMBERS["echo"]) as call, call.audio(rate=16000) as audio:
        wave = (9000 * np.sin(2 * np.pi * 900 * np.arange(16000) / 16000)).astype(np.int16)
        await audio.send(wave.tobytes())
        heard = b""
        while len(heard) < 2 * 16000 * 2:
            heard += await audio.receive()
        samples = np.frombuffer(heard, np.int16).astype(float)
        loud = samples[np.abs(samples) > 3000]
        assert len(loud) > 5000
        assert loudest_hz(samples[8000:20000], 16000) == pytest.approx(900, abs=5)


async def test_what_is_dropped_from_the_queue_is_not_heard(tmp_path: Path) -> None:
    async with chain(tmp_path) as (_, bot), bot.dial(NUMBERS["echo"]) as call, call.audio(rate=8000) as audio:
        for _ in range(10):
            await audio.receive()
        await audio.send((9000 * np.sin(np.arange(8000) * 0.7)).astype(np.int16).tobytes())  # a second
        for _ in range(10):
            await audio.receive()
        audio.clear()
        await audio.drain()
        for _ in range(15):
            await audio.receive()
        rest = [np.abs(np.frombuffer(await audio.receive(), np.int16).astype(int)).max() for _ in range(20)]
        assert max(rest) < 300


async def test_nobody_is_heard_on_a_silent_call(tmp_path: Path) -> None:
    told: list[str] = []
    async with chain(tmp_path) as (_, bot), bot.events() as stream, bot.dial(NUMBERS["silent"]):
        with trio.fail_after(15):
            async for event in stream:
                told.append(getattr(event, "what", ""))
                if "far_side_silent" in told:
                    break


def test_the_numbers_are_free() -> None:
    taken = {service.number for service in default().services}
    assert not taken & {service.number for service in MORE}
    assert replace(MORE[0]).hz == 700


async def test_both_sides_are_recorded_as_they_were(tmp_path: Path) -> None:
    """The simulator's tone from the answer on, ours from a second later on."""
    path = tmp_path / "both.wav"
    async with (
        chain(tmp_path) as (_, bot),
        bot.dial("650") as call,
        call.recording(path, stereo=True) as recording,
    ):
        await call.sleep(1.0)
        await call.play(tone(1900, 0.5))
        await call.sleep(0.3)
    assert recording.result is not None
    with wave.open(str(path)) as file:
        rate, frames = file.getframerate(), file.getnframes()
        both = np.frombuffer(file.readframes(frames), np.int16).astype(float).reshape(-1, 2)
    assert recording.result.duration == pytest.approx(frames / rate, abs=0.5)
    left, right = both[:, 0], both[:, 1]
    assert loudest_hz(left[rate // 2 :], rate) == pytest.approx(700, abs=3)
    ours = np.flatnonzero(np.abs(right) > 1000)
    assert ours[0] / rate == pytest.approx(1.0, abs=0.5)
    assert loudest_hz(right[ours[0] : ours[-1]], rate) == pytest.approx(1900, abs=5)
    assert (ours[-1] - ours[0]) / rate == pytest.approx(0.5, abs=0.05)


async def test_a_list_is_played_without_a_gap_and_softer(tmp_path: Path) -> None:
    async with chain(tmp_path) as (_, bot), bot.dial(NUMBERS["echo"]) as call, trio.open_nursery() as nursery:
        nursery.start_soon(partial(call.play, sources.playlist(tone(800, 1.0), tone(800, 1.0)), gain=-12.0))
        await call.sleep(0.3)
        samples, rate = await recorded(call, tmp_path / "x.wav", 1.4)
    block = rate // 50
    peaks = np.abs(samples[: len(samples) // block * block]).reshape(-1, block).max(axis=1)
    assert peaks.min() > 0.8 * peaks.max()
    assert peaks.max() == pytest.approx(0.5 * 32767 / 4, rel=0.1)
