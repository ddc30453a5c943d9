"""Recordings: where blocks belong, and that the file is right at any time."""

from __future__ import annotations

import asyncio
import threading
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.errors import SourceError
from vodiabot.media.audio import to_int16
from vodiabot.media.sinks import Recorder, open_writer
from vodiabot.media.sinks.files import WavWriter
from vodiabot.media.sinks.recorder import Lane

from .helpers import loudest_hz, read_wav, sine

BLOCK = 0.02


def lane(rate: int = 8000) -> Lane:
    return Lane(rate)


def block(value: int, rate: int = 8000) -> np.ndarray:  # type: ignore[type-arg]
    return np.full(round(BLOCK * rate), value, np.int16)


def test_blocks_in_a_row_have_no_gaps() -> None:
    it = lane()
    for i in range(50):
        it.put(block(i + 1), 8000, i * BLOCK)
    assert it.end == 8000
    assert list(it.take(8000)) == [i + 1 for i in range(50) for _ in range(160)]


def test_what_did_not_come_is_silence() -> None:
    it = lane()
    it.put(block(5), 8000, 0.0)
    it.put(block(6), 8000, 1.0)
    samples = it.take(it.end)
    assert len(samples) == 8160
    assert list(samples[:160]) == [5] * 160
    assert not samples[160:8000].any()
    assert list(samples[8000:]) == [6] * 160


def test_a_tick_that_is_a_little_off_makes_no_gap_and_no_overlap() -> None:
    it = lane()
    for i, off in enumerate((0, 0.004, -0.004, 0.009, -0.009)):
        it.put(block(9), 8000, i * BLOCK + off)
    assert it.end == 5 * 160


def test_what_is_taken_is_gone_and_what_is_not_there_yet_is_silence() -> None:
    it = lane()
    it.put(block(3), 8000, 0.0)
    assert list(it.take(100)) == [3] * 100
    assert list(it.take(200)) == [3] * 60 + [0] * 40
    assert list(it.take(200)) == []


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 300)), max_size=30))
def test_a_lane_is_as_long_as_its_time(steps: list[tuple[float, int]]) -> None:
    it, now, taken = lane(), 0.0, 0
    for step, take in steps:
        now += step
        it.put(block(7), 8000, now)
        taken += len(it.take(taken + take))
        assert it.end >= taken
        assert it.end <= max(round(now * 8000), taken) + 160 * (len(steps) + 2)


# --- the file -----------------------------------------------------------------------------------------------


def test_the_header_is_right_after_each_write(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    writer = WavWriter(path, 8000)
    for n in range(4):
        with wave.open(str(path)) as file:  # as after a crash here
            assert file.getparams()[:4] == (1, 2, 8000, n * 100)
        writer.write(np.full(100, n, np.int16))
    writer.close()
    writer.close()
    writer.write(np.zeros(1, np.int16))
    samples, _ = read_wav(path)
    assert list(samples) == [n for n in range(4) for _ in range(100)]


def recording(path: Path, feed, **options):  # type: ignore[no-untyped-def]
    """Run a recorder on an asyncio loop while `feed(recorder, now)` runs."""

    async def main():  # type: ignore[no-untyped-def]
        with ThreadPoolExecutor(1) as threads:
            recorder = Recorder(path, 8000, threads, **options)
            run = asyncio.ensure_future(recorder.run())
            await asyncio.sleep(0)
            await feed(recorder, asyncio.get_running_loop().time())
            return await run

    return asyncio.run(main())


def pcm(hz: float, rate: int, amplitude: float = 0.5) -> np.ndarray:  # type: ignore[type-arg]
    return to_int16(sine(hz, BLOCK, rate, amplitude) * 32767)


def test_max_seconds_to_the_sample(tmp_path: Path) -> None:
    async def feed(recorder: Recorder, now: float) -> None:
        for i in range(60):
            recorder.push(pcm(440, 16000), 16000, now + i * BLOCK)

    result = recording(tmp_path / "x.wav", feed, max_seconds=1.0)
    assert (result.duration, result.stopped_by) == (1.0, "max_seconds")
    assert len(read_wav(tmp_path / "x.wav")[0]) == 8000


def test_silence_counts_from_the_last_sound(tmp_path: Path) -> None:
    async def feed(recorder: Recorder, now: float) -> None:
        for i in range(100):
            recorder.push(pcm(440, 8000, 0.3 if i < 40 else 0.001), 8000, now + i * BLOCK)

    result = recording(tmp_path / "x.wav", feed, silence=0.5)
    assert result.stopped_by == "silence"
    assert result.duration == pytest.approx(1.3, abs=0.03)


def test_a_far_side_that_sends_nothing_is_silent_too(tmp_path: Path) -> None:
    async def feed(recorder: Recorder, now: float) -> None:
        return

    assert recording(tmp_path / "x.wav", feed, silence=0.3).stopped_by == "silence"


def test_only_the_digits_asked_for_stop_it(tmp_path: Path) -> None:
    async def feed(recorder: Recorder, now: float) -> None:
        recorder.digit("1")
        recorder.digit("#")
        recorder.stop("ended")

    assert recording(tmp_path / "x.wav", feed, stop_on="*#").stopped_by == "digit"


def test_both_sides_lie_as_they_were_in_the_call(tmp_path: Path) -> None:
    """The other side from 0.2 s on at 400 Hz, we from 0.6 s on at 900 Hz."""

    async def feed(recorder: Recorder, now: float) -> None:
        for i in range(50):
            if i >= 10:
                recorder.push(pcm(400, 8000), 8000, now + i * BLOCK)
            if i >= 30:
                recorder.push_sent(pcm(900, 16000), 16000, now + i * BLOCK)

    result = recording(tmp_path / "x.wav", feed, stereo=True, max_seconds=1.0)
    with wave.open(str(result.path)) as file:
        assert (file.getnchannels(), file.getnframes()) == (2, 8000)
        both = np.frombuffer(file.readframes(8000), np.int16).reshape(-1, 2)
    left, right = both[:, 0].astype(float), both[:, 1].astype(float)
    assert np.abs(left[: 8000 // 5 - 160]).max() < 50 < np.abs(left[8000 // 5 + 160 :]).max()
    assert np.abs(right[: 8000 * 6 // 10 - 160]).max() < 50 < np.abs(right[8000 * 6 // 10 + 160 :]).max()
    assert loudest_hz(left[2000:], 8000) == pytest.approx(400, abs=3)
    assert loudest_hz(right[5500:], 8000) == pytest.approx(900, abs=3)


@pytest.mark.parametrize("ending", [".ogg", ".opus"])
def test_opus_files(ending: str, tmp_path: Path) -> None:
    async def feed(recorder: Recorder, now: float) -> None:
        for i in range(100):
            recorder.push(pcm(700, 8000), 8000, now + i * BLOCK)
            recorder.push_sent(pcm(300, 8000), 8000, now + i * BLOCK)

    result = recording(tmp_path / f"x{ending}", feed, stereo=True, max_seconds=2.0)
    with av.open(str(result.path)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    both = np.concatenate(frames, axis=1)
    assert both.shape[0] == 2
    assert both.shape[1] == pytest.approx(96000, abs=4800)
    assert loudest_hz(both[0][10000:80000], 48000) == pytest.approx(700, abs=3)
    assert loudest_hz(both[1][10000:80000], 48000) == pytest.approx(300, abs=3)


def test_an_opus_file_plays_up_to_the_last_page(tmp_path: Path) -> None:
    """As after the death of the process: nobody closes it."""
    writer = open_writer(tmp_path / "x.ogg", 16000, 1)
    for _ in range(20):
        writer.write(to_int16(sine(700, 0.5, 16000) * 32767))
    copy = tmp_path / "copy.ogg"
    copy.write_bytes((tmp_path / "x.ogg").read_bytes())
    with av.open(str(copy)) as container:
        seconds = sum(frame.samples for frame in container.decode(audio=0)) / 48000
    assert seconds > 8.0
    writer.close()
    writer.close()


@pytest.mark.parametrize("name", ["x.wav", "x.ogg"])
def test_a_folder_that_is_not_there_is_a_source_error(name: str, tmp_path: Path) -> None:
    async def feed(recorder: Recorder, now: float) -> None:
        return

    with pytest.raises(SourceError, match=name):
        recording(tmp_path / "no" / name, feed)


def test_a_full_disk_is_a_source_error(tmp_path: Path) -> None:
    async def feed(recorder: Recorder, now: float) -> None:
        recorder.push(np.zeros(160, np.int16), 8000, now)

    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(SourceError, match="/dev/full"):
        recording(Path("/dev/full"), feed)


@pytest.mark.parametrize("far_side", ["talks", "is silent"])
def test_a_disk_that_stalls_ends_the_recording_and_not_the_memory(
    far_side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vodiabot.media.sinks.recorder.MAX_BEHIND_SECONDS", 1.0)

    async def feed(recorder: Recorder, now: float) -> None:
        push = recorder.push if far_side == "talks" else recorder.push_sent
        for i in range(200):
            push(np.full(160, 99, np.int16), 8000, now + i * BLOCK)
        assert recorder._sent is not None
        assert max(recorder._heard.end, recorder._sent.end) <= 8000 + 320

    with pytest.raises(SourceError, match="slow"):
        recording(tmp_path / "x.wav", feed, stereo=True)


class SlowWriter:
    """A disk on which everything takes a while; nobody may come in between."""

    opened: list[SlowWriter] = []

    def __init__(self, *_: object) -> None:
        time.sleep(0.1)
        self.samples = 0
        self.closed = 0
        self.inside = threading.Lock()
        SlowWriter.opened.append(self)

    def _alone(self) -> None:
        assert self.inside.acquire(blocking=False), "two threads write one file"
        time.sleep(0.1)
        self.inside.release()

    def write(self, samples: np.ndarray) -> None:  # type: ignore[type-arg]
        assert not self.closed
        self._alone()
        self.samples += len(samples)

    def close(self) -> None:
        self._alone()
        self.closed += 1


@pytest.mark.parametrize("after", [0.0, 0.05, 0.7, 0.85])
@pytest.mark.parametrize("twice", [False, True])
def test_a_cancelled_recording_is_whole_and_closed_whatever_it_was_doing(
    after: float, twice: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it opens the file, while it waits, while it writes: on a slow disk that is most of the time."""
    monkeypatch.setattr("vodiabot.media.sinks.recorder.open_writer", SlowWriter)
    SlowWriter.opened.clear()

    async def main() -> int:
        with ThreadPoolExecutor(4) as threads:
            recorder = Recorder(tmp_path / "x.wav", 8000, threads)
            run = asyncio.ensure_future(recorder.run())
            begun, pushed = asyncio.get_running_loop().time(), 0
            await asyncio.sleep(0)
            while asyncio.get_running_loop().time() - begun < after:
                recorder.push(block(99), 8000, begun + pushed * BLOCK)
                pushed += 1
                await asyncio.sleep(BLOCK)
            run.cancel()
            if twice:
                await asyncio.sleep(0.05)
                run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            return pushed

    pushed = asyncio.run(main())
    [writer] = SlowWriter.opened
    assert writer.closed == 1
    assert writer.samples >= pushed * 160 or twice


def test_the_end_before_a_pause_is_not_heard_after_it() -> None:
    lane = Lane(8000)
    for i in range(5):
        lane.put(pcm(400, 16000), 16000, i * BLOCK)
    lane.put(np.zeros(320, np.int16), 16000, 1.0)
    samples = lane.take(9000)
    assert not samples[960:].any(), "nothing that the filter still held"
    there = np.flatnonzero(np.abs(samples.astype(int)) > 100)
    assert (there[-1] - there[0]) / 8000 == pytest.approx(0.1, abs=0.002)
