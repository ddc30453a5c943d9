"""Recordings: where blocks belong, and that the file is right at any time."""

from __future__ import annotations

import asyncio
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.errors import SourceError
from vodiabot.media.audio import to_int16
from vodiabot.media.sinks import MAX_LATE_BLOCKS, Recorder, Timeline, WavWriter

from .helpers import read_wav, sine

BLOCK = 0.02


def test_blocks_in_a_row_have_no_gaps() -> None:
    line = Timeline()
    assert line.gap(0, 0.25, 1, 77.0) == pytest.approx(0.25)  # our clock says where the first one stands
    for i in range(1, 50):
        assert line.gap(0.25 + i * BLOCK, 0.25 + i * BLOCK, 1, 77.0 + i * BLOCK) == pytest.approx(0, abs=1e-9)


def test_a_lost_block_leaves_its_gap() -> None:
    line = Timeline()
    line.gap(0, 0, 1, 5.0)
    assert line.gap(BLOCK, 0.1, 1, 5.0 + 3 * BLOCK) == pytest.approx(2 * BLOCK)


def test_another_stream_has_another_clock() -> None:
    line = Timeline()
    line.gap(0, 0, 1, 5.0)
    assert line.gap(BLOCK, 1.0, 2, 9999.0) == pytest.approx(1 - BLOCK)


def test_a_clock_that_leaps_begins_anew() -> None:
    line = Timeline()
    line.gap(0, 0, 1, 5.0)
    assert line.gap(BLOCK, BLOCK, 1, 50_000.0) == pytest.approx(0)
    assert line.gap(2 * BLOCK, 2 * BLOCK, 1, 50_000.0 + BLOCK) == pytest.approx(0, abs=1e-9)


def test_what_comes_after_its_time_was_filled_is_left_out() -> None:
    line = Timeline()
    line.gap(0, 0, 1, 5.0)
    assert [line.gap(3.0, 3.0, 1, 5.0 + i * BLOCK) for i in range(1, 4)] == [None] * 3
    assert line.gap(3.0, 3.1, 1, 8.05) == pytest.approx(0.05)


def test_a_clock_that_goes_back_for_good_is_believed() -> None:
    line = Timeline()
    line.gap(0, 0, 1, 500.0)
    gaps = [line.gap(1.0, 1.0, 1, i * BLOCK) for i in range(MAX_LATE_BLOCKS + 1)]
    assert gaps[:-1] == [None] * MAX_LATE_BLOCKS
    assert gaps[-1] == pytest.approx(0)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 5), st.integers(0, 2)), max_size=40))
def test_no_clock_makes_a_recording_longer_than_its_time(blocks: list[tuple[float, float, int]]) -> None:
    line, end, now = Timeline(), 0.0, 0.0
    for time, step, stream in blocks:
        now += step
        gap = line.gap(end, now, stream, time)
        if gap is not None:
            assert gap >= 0
            end += gap + BLOCK
        assert end <= now + 0.5 + BLOCK * len(blocks) + 1e-6


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
    """Run a recorder on an asyncio loop while `feed(recorder)` runs."""

    async def main():  # type: ignore[no-untyped-def]
        with ThreadPoolExecutor(1) as threads:
            recorder = Recorder(path, 8000, threads, **options)
            run = asyncio.ensure_future(recorder.run())
            await feed(recorder)
            return await run

    return asyncio.run(main())


def test_max_seconds_to_the_sample(tmp_path: Path) -> None:
    async def feed(recorder: Recorder) -> None:
        for i in range(60):
            recorder.push(to_int16(sine(440, BLOCK, 48000) * 32767), 48000, 1, i * BLOCK)

    result = recording(tmp_path / "x.wav", feed, max_seconds=1.0)
    assert (result.duration, result.stopped_by) == (1.0, "max_seconds")
    assert len(read_wav(tmp_path / "x.wav")[0]) == 8000


def test_silence_counts_from_the_last_sound(tmp_path: Path) -> None:
    async def feed(recorder: Recorder) -> None:
        for i in range(100):
            loud = i < 40
            recorder.push(
                to_int16(sine(440, BLOCK, 8000, 0.3 if loud else 0.001) * 32767), 8000, 1, i * BLOCK
            )

    result = recording(tmp_path / "x.wav", feed, silence=0.5)
    assert result.stopped_by == "silence"
    assert result.duration == pytest.approx(1.3, abs=0.03)


def test_only_the_digits_asked_for_stop_it(tmp_path: Path) -> None:
    async def feed(recorder: Recorder) -> None:
        recorder.digit("1")
        recorder.digit("#")
        recorder.stop("ended")

    assert recording(tmp_path / "x.wav", feed, stop_on="*#").stopped_by == "digit"


def test_a_full_disk_is_a_source_error(tmp_path: Path) -> None:
    async def feed(recorder: Recorder) -> None:
        recorder.push(np.zeros(8000, np.int16), 8000, 1, 0.0)

    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(SourceError, match="/dev/full"):
        recording(Path("/dev/full"), feed)


def test_a_disk_that_stalls_ends_the_recording_and_not_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vodiabot.media.sinks.MAX_BEHIND_SECONDS", 1.0)

    async def feed(recorder: Recorder) -> None:
        for i in range(200):
            recorder.push(np.full(160, 99, np.int16), 8000, 1, i * BLOCK)
        assert sum(map(len, recorder._pending)) <= 8000 + 320

    with pytest.raises(SourceError, match="slow"):
        recording(tmp_path / "x.wav", feed)
