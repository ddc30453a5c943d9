"""What plays: mixed, louder or softer, faded, stopped; a tick at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vodiabot.errors import CallEnded, SourceError
from vodiabot.media.audio import Samples
from vodiabot.media.player import Mixer
from vodiabot.media.sources import Feed, as_source, tone

from .helpers import loudest_hz, sine, write_wav

RATE = 8000
N = 160


def with_mixer(body: Callable[[Mixer], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        with ThreadPoolExecutor(2) as threads:
            return await body(Mixer(threads, RATE))

    return asyncio.run(main())


async def begun(mixer: Mixer, source: object, **options: Any) -> asyncio.Task[None]:
    """It plays from the next tick on."""
    task = asyncio.ensure_future(mixer.play(source, **options))  # type: ignore[arg-type]
    while not mixer._players and not task.done():  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)
    return task


def ticks(mixer: Mixer, n: int) -> Samples:
    blocks = [mixer.pull(RATE) for _ in range(n)]
    return np.concatenate([np.zeros(N, np.int16) if b is None else b for b in blocks])


def test_nothing_is_silence() -> None:
    async def body(mixer: Mixer) -> None:
        assert mixer.pull(RATE) is None

    with_mixer(body)


def test_two_are_mixed_and_clipped() -> None:
    async def body(mixer: Mixer) -> None:
        tasks = [await begun(mixer, tone(hz, 1.0, 0.9)) for hz in (500, 1500)]
        samples = ticks(mixer, 25).astype(float)
        assert samples.max() == 32767
        spectrum = np.abs(np.fft.rfft(samples))
        at = np.fft.rfftfreq(len(samples), 1 / RATE)
        for hz in (500, 1500):
            assert spectrum[np.abs(at - hz) < 3].max() > 0.2 * spectrum.max()
        mixer.end()
        for task in tasks:
            with pytest.raises(CallEnded):
                await task

    with_mixer(body)


def test_play_returns_when_the_last_sample_has_left() -> None:
    async def body(mixer: Mixer) -> None:
        task = await begun(mixer, tone(500, 0.1))
        assert len(np.flatnonzero(np.abs(ticks(mixer, 4)) > 100)) > 500
        assert not task.done()
        ticks(mixer, 1)
        await asyncio.sleep(0)
        assert not task.done(), "its time is not over yet"
        await asyncio.wait_for(task, 5)

    with_mixer(body)


@pytest.mark.parametrize("inline", [True, False])
def test_stopping_fades_within_a_frame(inline: bool, tmp_path: Path) -> None:
    async def body(mixer: Mixer) -> None:
        write_wav(tmp_path / "x.wav", [sine(500, 3.0, RATE, 0.5)], RATE)
        source = tone(500, 3.0) if inline else as_source(tmp_path / "x.wav")
        task = await begun(mixer, source)
        while mixer.pull(RATE) is None:  # noqa: ASYNC110 - the pacer's ticks are this test's own
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        frame = ticks(mixer, 1)
        assert np.abs(frame[:20]).max() > 3000
        assert np.abs(frame[60:]).max() == 0
        assert mixer.pull(RATE) is None

    with_mixer(body)


def test_a_long_fade_goes_on_after_the_cancellation() -> None:
    async def body(mixer: Mixer) -> None:
        task = await begun(mixer, tone(500), fade_out=0.2)
        ticks(mixer, 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        levels = np.abs(ticks(mixer, 12).reshape(-1, N)).max(axis=1).astype(int)
        assert levels[0] > 14000
        assert (np.diff(levels[:10]) < 0).all()
        assert levels[10:].max() == 0

    with_mixer(body)


def test_gain_and_fading_in() -> None:
    async def body(mixer: Mixer) -> None:
        task = await begun(mixer, tone(500, level=0.5), gain=-20.0, fade_in=0.1)
        levels = np.abs(ticks(mixer, 10).reshape(-1, N)).max(axis=1).astype(int)
        assert (np.diff(levels[:5]) > 0).all()
        assert levels[9] == pytest.approx(0.05 * 32767, rel=0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with_mixer(body)


def test_alone_silences_the_others_meanwhile() -> None:
    async def body(mixer: Mixer) -> None:
        music = await begun(mixer, tone(500))
        digit = await begun(mixer, tone(1500, 0.1), alone=True)
        assert loudest_hz(ticks(mixer, 5).astype(float), RATE) == pytest.approx(1500, abs=10)
        await asyncio.wait_for(digit, 5)
        assert loudest_hz(ticks(mixer, 5).astype(float), RATE) == pytest.approx(500, abs=10)
        mixer.end()
        with pytest.raises(CallEnded):
            await music

    with_mixer(body)


def test_a_feed_is_heard_in_the_next_tick() -> None:
    async def body(mixer: Mixer) -> None:
        feed = Feed(RATE)
        task = await begun(mixer, feed)
        assert mixer.pull(RATE) is None
        feed.put(np.full(N, 99, np.int16).tobytes())
        assert list(ticks(mixer, 1)) == [99] * N
        assert mixer.pull(RATE) is None
        feed.end()
        ticks(mixer, 1)
        await asyncio.wait_for(task, 5)

    with_mixer(body)


class Bad:
    """A plugin's source that raises while it plays."""

    def __init__(self, failure: BaseException, *, inline: bool = True) -> None:
        self.failure = failure
        self.inline = inline

    def open(self, rate: int) -> Bad:
        self.rate, self.left = rate, 3
        return self

    def read(self) -> Samples:
        self.left -= 1
        if self.left < 0:
            raise self.failure
        return np.ones(N, np.int16)

    def close(self) -> None:
        return


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "in a reader"])
@pytest.mark.parametrize("failure", [ZeroDivisionError("plugin"), SystemExit(1), asyncio.CancelledError()], ids=repr)
def test_a_source_that_raises_harms_only_its_own_play(failure: BaseException, inline: bool) -> None:
    async def body(mixer: Mixer) -> None:
        other = await begun(mixer, tone(500, 60.0))
        bad = await begun(mixer, Bad(failure, inline=inline))
        async with asyncio.timeout(5):
            while not bad.done():
                ticks(mixer, 1)
                await asyncio.sleep(0.001)
        with pytest.raises(SourceError, match="plugin" if isinstance(failure, Exception) else type(failure).__name__):
            await bad
        assert np.abs(ticks(mixer, 2)).max() > 1000
        mixer.end()
        with pytest.raises(CallEnded):
            await other

    with_mixer(body)
