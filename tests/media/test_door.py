"""`call.audio()`: the queues both ways, what is dropped, what waits, how it ends."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from vodiabot.errors import CallEnded, UsageError
from vodiabot.media.audio import Samples
from vodiabot.media.bridge import open_media
from vodiabot.media.bridged import BridgedAudio
from vodiabot.media.door import Door

from .helpers import PATIENCE, call, loudest_hz, sine

RATES = [8000, 16000, 24000, 48000]


def block(level: int, rate: int = 8000) -> Samples:
    return np.full(rate // 50, level, np.int16)


def tone_of(hz: float, seconds: float, rate: int) -> Samples:
    return np.rint(32767 * sine(hz, seconds, rate)).astype(np.int16)


class Wakes:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


# --- in ---------------------------------------------------------------------------------------------------------


def test_what_is_not_fetched_in_time_is_dropped_the_oldest_first() -> None:
    door = Door(8000, 5, Wakes())
    for level in range(12):
        door.push(block(level), 8000)
    got = []
    while (frame := door.receive()) is not None:
        got.append(int(np.frombuffer(frame, np.int16)[0]))
    assert got == [7, 8, 9, 10, 11]
    assert door.lost_in == 7


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("call_rate", [8000, 16000])
def test_each_frame_is_20_ms_of_the_plugins_rate(rate: int, call_rate: int) -> None:
    door, sound = Door(rate, 100, Wakes()), tone_of(440, 1.0, call_rate)
    n = call_rate // 50
    for at in range(0, len(sound), n):
        door.push(sound[at : at + n], call_rate)
    door.push(None, call_rate)
    frames = [door.receive() for _ in range(51)]
    assert {len(f) for f in frames if f} == {2 * rate // 50}
    heard = np.frombuffer(b"".join(f for f in frames if f), np.int16)
    assert loudest_hz(heard[:rate].astype(float), rate) == pytest.approx(440, abs=2)
    assert door.receive() is None
    assert not np.frombuffer(frames[50] or b"", np.int16)[rate // 200 :].any(), "nothing comes: silence"


def test_whoever_waits_is_woken_and_nobody_else() -> None:
    wakes = Wakes()
    door = Door(8000, 5, wakes)
    door.push(block(1), 8000)
    assert wakes.count == 0, "nobody waits: a wake costs more than a frame"
    door.receive()
    assert door.receive() is None
    door.push(block(2), 8000)
    door.push(block(3), 8000)
    assert wakes.count == 1


# --- out --------------------------------------------------------------------------------------------------------


def queue(door: Door, sound: Samples) -> int:
    """Samples that were taken."""
    return door.send(sound.tobytes()) // 2


def test_the_queue_takes_as_much_as_it_holds() -> None:
    wakes = Wakes()
    door = Door(8000, 5, wakes)
    assert queue(door, np.arange(2000, dtype=np.int16)) == 800
    assert queue(door, block(1)) == 0
    first = door.pull(8000)
    assert wakes.count == 1
    assert first is not None
    assert list(first) == list(range(160))
    assert queue(door, block(1)) == 160
    assert queue(door, block(1)[:0]) == 0
    assert wakes.count == 1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 700), max_size=30), st.sampled_from(RATES))
def test_odd_lengths_are_played_without_a_seam(lengths: list[int], rate: int) -> None:
    door, put, out = Door(rate, 100, Wakes()), 0, []
    n = rate // 50
    for length in lengths:
        assert queue(door, (np.arange(put, put + length) % 30000).astype(np.int16)) == length
        put += length
        while put - n * len(out) >= n:
            pulled = door.pull(rate)
            assert pulled is not None
            out.append(pulled)
    last = door.pull(rate)
    heard = np.concatenate([*out, *([] if last is None else [last])]) if out or last is not None else np.zeros(0)
    assert list(heard[:put]) == list(np.arange(put) % 30000)
    assert not heard[put + rate // 200 :].any(), "its end falls to silence"
    assert -(-put // n) * n <= len(heard) <= (put // n + 1) * n


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("call_rate", [8000, 16000])
def test_what_is_sent_at_any_rate_is_heard_to_its_end(rate: int, call_rate: int) -> None:
    door = Door(rate, 100, Wakes())
    queue(door, tone_of(440, 0.5, rate))
    assert not door.empty()
    out = []
    while not door.empty():
        pulled = door.pull(call_rate)
        out.append(np.zeros(call_rate // 50, np.int16) if pulled is None else pulled)
    heard = np.concatenate(out)
    assert {len(o) for o in out} == {call_rate // 50}
    assert len(out) == 26, "empty when the time of the last sample is over"
    sounding = np.flatnonzero(np.abs(heard.astype(int)) > 500)
    assert (sounding[-1] - sounding[0]) / call_rate == pytest.approx(0.5, abs=0.006)
    assert loudest_hz(heard.astype(float), call_rate) == pytest.approx(440, abs=2)
    rest = [door.pull(call_rate) for _ in range(2)]
    assert rest[0] is None or np.abs(rest[0].astype(int)).max() < 500, "of the filter"
    assert rest[1] is None


def test_clear_does_not_click_and_leaves_5_ms() -> None:
    door = Door(8000, 50, Wakes())
    queue(door, tone_of(400, 0.5, 8000))
    out = [door.pull(8000) for _ in range(3)]
    door.clear()
    out += [door.pull(8000) for _ in range(2)]
    heard = np.concatenate([np.zeros(160, np.int16) if o is None else o for o in out])
    assert not heard[3 * 160 + 40 :].any()
    own = 32767 * 0.5 * (2 * np.pi * 400 / 8000) ** 2
    assert np.abs(np.diff(heard.astype(float), 2)).max() < 1.3 * own
    assert door.empty()


def test_a_closed_door_gives_what_came_and_sends_nothing() -> None:
    wakes = Wakes()
    door = Door(8000, 5, wakes)
    door.push(block(1), 8000)
    queue(door, block(2))
    door.close()
    door.close()
    assert wakes.count == 2
    assert door.pull(8000) is None
    assert door.receive() is not None
    assert door.receive() is None


# --- the trio half ----------------------------------------------------------------------------------------------


def at_once(wake: Callable[..., object], *args: Any) -> None:
    wake(*args)


async def test_a_huge_send_waits_and_clear_drops_what_waits() -> None:
    audio = BridgedAudio(8000, 5, at_once)
    ended: list[str] = []

    async def send(name: str, level: int) -> None:
        await audio.send(np.full(8000, level, np.int16).tobytes())
        ended.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, "long", 5)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(10):
            pulled = audio.door.pull(8000)
            assert pulled is not None
            await trio.testing.wait_all_tasks_blocked()
        assert ended == []
        assert audio.door._out.held <= 800
        audio.clear()
        await trio.testing.wait_all_tasks_blocked()
        assert ended == ["long"], "what was given is dropped, whether it was queued already or not"
        assert audio.door._out.held == 40


async def test_two_who_send_at_once_are_not_shuffled() -> None:
    audio = BridgedAudio(8000, 5, at_once)
    heard: list[int] = []
    async with trio.open_nursery() as nursery:
        for level in (1, 2, 3):
            nursery.start_soon(audio.send, np.full(1600, level, np.int16).tobytes())
        for _ in range(30):
            await trio.testing.wait_all_tasks_blocked()
            pulled = audio.door.pull(8000)
            assert pulled is not None
            heard.append(int(pulled[0]))
            assert len(set(pulled.tolist())) == 1
    assert sorted(heard) == [1] * 10 + [2] * 10 + [3] * 10
    assert sum(a != b for a, b in pairwise(heard)) == 2


async def test_whoever_waits_when_it_closes_is_told() -> None:
    audio = BridgedAudio(8000, 5, at_once)
    told: list[type[BaseException]] = []

    async def expect(error: type[BaseException], wait: Callable[[], Any]) -> None:
        with pytest.raises(error):
            await wait()
        told.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect, CallEnded, lambda: audio.send(bytes(16000)))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(expect, CallEnded, audio.drain)
        nursery.start_soon(expect, trio.EndOfChannel, audio.receive)
        await trio.testing.wait_all_tasks_blocked()
        assert told == []
        audio.door.close()
    assert len(told) == 3
    await expect(CallEnded, lambda: audio.send(b""))
    await expect(trio.EndOfChannel, audio.receive)


async def test_a_cancelled_send_leaves_the_door_good() -> None:
    audio = BridgedAudio(8000, 5, at_once)
    with trio.move_on_after(0.01):
        await audio.send(bytes(16000))
    while not audio.door.empty():
        audio.door.pull(8000)
    await audio.send(b"\1\0" * 160)
    assert audio.door.pull(8000) is not None
    with pytest.raises(UsageError, match="half a sample"):
        await audio.send(b"123")


@pytest.mark.audio
@pytest.mark.parametrize("rate", RATES)
async def test_over_real_sockets_from_one_plugin_to_another(rate: int) -> None:
    async with open_media() as engine, call(engine, "opus" if rate > 8000 else "PCMU") as (a, b):
        heard = bytearray()
        async with a.leg.audio(rate=rate) as out, b.leg.audio(rate=rate) as into, trio.open_nursery() as nursery:

            async def speak() -> None:
                await out.send(tone_of(440, 0.8, rate).tobytes())
                await out.drain()
                await trio.sleep(0.3)
                nursery.cancel_scope.cancel()

            nursery.start_soon(speak)
            with trio.fail_after(PATIENCE):
                while True:
                    heard += await into.receive()
        samples = np.frombuffer(bytes(heard), np.int16)
        loud = np.flatnonzero(np.abs(samples.astype(int)) > 3000)
        assert (loud[-1] - loud[0]) / rate == pytest.approx(0.8, abs=0.07)
        middle = samples[loud[0] + rate // 10 : loud[0] + rate // 2].astype(float)
        assert loudest_hz(middle, rate) == pytest.approx(440, abs=3)


@pytest.mark.audio
async def test_it_ends_with_the_call_and_at_a_cancellation() -> None:
    async with open_media() as engine, call(engine) as (a, b):
        with trio.move_on_after(0.1):
            async with a.leg.audio() as audio:
                while True:
                    await audio.receive()
        await trio.sleep(0.05)
        assert a.leg._leg.sound._doors == []
        async with a.leg.audio() as audio:
            await a.leg.aclose()
            with trio.fail_after(PATIENCE), pytest.raises(trio.EndOfChannel):
                await _all_of(audio)
            with pytest.raises(CallEnded):
                await audio.send(bytes(320))
        with pytest.raises(CallEnded):
            async with a.leg.audio():
                raise AssertionError
        with pytest.raises(UsageError):
            async with b.leg.audio(rate=44100 + 1):
                raise AssertionError


async def _all_of(audio: BridgedAudio) -> None:
    while True:
        await audio.receive()
