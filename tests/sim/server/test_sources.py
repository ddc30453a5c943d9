"""What a leg hears, slot by slot, without a connection."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.sim.client_media import level, loudest_hz
from vodiabot.sim.core import effects
from vodiabot.sim.server.codecs import alaw_table, encoder, ulaw_table
from vodiabot.sim.server.sources import File, Live, Queue, Source, make_source
from vodiabot.sim.server.tones import MUSIC_CHORDS, MUSIC_HZ, TONE_AMPLITUDE, Samples
from vodiabot.sim.server.track import FeedTrack


def no_live(of: str | None, rate: int, limit: float) -> Live:
    raise AssertionError("not a live feed")


def read(source: Source, rate: int, seconds: float) -> Samples:
    slots = [source.read(rate // 50) for _ in range(round(seconds * 50))]
    return np.concatenate([slot for slot in slots if slot is not None])


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("hz", [440.0, 1000.0, 1234.5])
def test_a_tone_is_steady_and_has_no_seams(rate: int, hz: float) -> None:
    sound = read(make_source(effects.Tone(hz), rate, no_live), rate, 1.0)
    assert abs(loudest_hz(sound, rate) - hz) < 0.5
    expected = TONE_AMPLITUDE * np.sin(2 * np.pi * hz * np.arange(rate) / rate)
    assert np.abs(sound - expected).max() <= 1


def test_music_is_told_from_test_tones() -> None:
    sound = read(make_source(effects.Music(), 8000, no_live), 8000, 8.0)
    assert level(sound, 8000, MUSIC_HZ) > 1000
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    hz = np.fft.rfftfreq(len(sound), 1 / 8000)
    test_tones = (hz > 400) & (hz < 1100)
    assert spectrum[test_tones].max() < spectrum.max() / 300
    assert not any(400 <= note <= 1100 for chord in MUSIC_CHORDS for note in chord)


def test_call_progress_tones_have_their_cadence() -> None:
    ringing = read(make_source(effects.Ringback(), 8000, no_live), 8000, 2.0)
    assert abs(loudest_hz(ringing[:8000], 8000) - 425) < 2
    assert not ringing[8000:].any()
    busy = read(make_source(effects.Busy(), 8000, no_live), 8000, 0.96)
    assert busy[:3840].any()
    assert not busy[3840:].any()


def test_nothing_is_no_packet_and_silence_is_zeros() -> None:
    assert make_source(effects.Nothing(), 8000, no_live).read(160) is None
    silence = make_source(effects.Silence(), 8000, no_live).read(160)
    assert silence is not None
    assert not silence.any()


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_of_any_kind_is_played_whole_and_then_silence(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "a.wav"
    tone = (8000 * np.sin(2 * np.pi * 500 * np.arange(rate) / rate)).astype(np.int16)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(np.repeat(tone, channels).tobytes())
    sound = read(make_source(effects.File(str(path)), 16000, no_live), 16000, 2.0)
    assert abs(loudest_hz(sound[:16000], 16000) - 500) < 1
    assert abs(np.flatnonzero(np.abs(sound) > 100)[-1] - 16000) < 160
    assert not sound[16400:].any()


def test_a_file_that_is_not_there_or_no_audio_is_silence(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_text("nonsense")
    for name in ("x.wav", "missing.wav"):
        source = File(str(tmp_path / name), 8000)
        assert not read(source, 8000, 0.1).any()
        source.close()
        source.close()


def test_a_queue_gives_back_what_was_put_in_any_portions() -> None:
    queue, sound = Queue(), np.arange(1000, dtype=np.int16)
    for start in range(0, 1000, 70):
        queue.put(sound[start : start + 70])
    taken = [queue.take(count) for count in (1, 160, 69, 500, 270)]
    assert (np.concatenate(taken) == sound).all()
    assert queue.count == 0
    assert not queue.take(5).any()


def test_a_live_source_waits_for_a_late_frame_and_not_for_a_silent_one() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        live = Live(8000, 0.5, loop)
        begin = loop.time()
        await live.wait(160, begin + 0.02)  # nothing was ever heard: the slot is not overstepped by much
        assert live.read(160) is not None
        live.push(np.full(160, 7, dtype=np.int16), 8000)
        assert (live.read(160) == 7).all()  # type: ignore[union-attr]
        loop.call_later(0.04, live.push, np.full(160, 9, dtype=np.int16), 8000)
        await live.wait(160, loop.time() + 0.01)  # heard just now: it is late, not gone
        assert (live.read(160) == 9).all()  # type: ignore[union-attr]

    asyncio.run(scenario())


def test_a_live_source_is_bounded_and_drops_the_oldest() -> None:
    async def scenario() -> None:
        live = Live(8000, 0.06, asyncio.get_running_loop())
        for number in range(10):
            live.push(np.full(160, number, dtype=np.int16), 8000)
        assert [int(live.read(160)[0]) for _ in range(4)] == [7, 8, 9, 0]  # type: ignore[index]

    asyncio.run(scenario())


def test_a_live_source_resamples() -> None:
    async def scenario() -> None:
        live = Live(8000, 2.0, asyncio.get_running_loop())
        tone = (8000 * np.sin(2 * np.pi * 700 * np.arange(48000) / 48000)).astype(np.int16)
        for start in range(0, 48000, 960):
            live.push(tone[start : start + 960], 48000)
        sound = live.read(7800)
        assert sound is not None
        assert abs(loudest_hz(sound, 8000) - 700) < 1

    asyncio.run(scenario())


def decoded(payloads: list[bytes], table: np.ndarray) -> Samples:  # type: ignore[type-arg]
    """By searching the encoder's table: the middle of each code's samples."""
    linear = np.arange(65536, dtype=np.uint16).view(np.int16)
    middle = np.array([np.median(linear[table == code]) for code in range(256)])
    return middle[np.frombuffer(b"".join(payloads), dtype=np.uint8)].astype(np.int16)


@pytest.mark.parametrize("table", [ulaw_table(), alaw_table()])
def test_g711_tables_keep_samples_within_their_step(table: np.ndarray) -> None:  # type: ignore[type-arg]
    sound = np.arange(-32000, 32000, 7, dtype=np.int16)
    back = decoded([table[sound.view(np.uint16)].tobytes()], table).astype(int)
    assert (np.abs(back - sound) <= np.maximum(np.abs(sound.astype(int)) / 16, 16)).all()


def test_known_g711_codes() -> None:
    """Silence and full scale, from ITU-T G.711."""
    assert ulaw_table()[0] == 0xFF
    assert ulaw_table()[32767] == 0x80
    assert alaw_table()[0] == 0xD5
    assert alaw_table()[32767] == 0xAA


def test_a_change_of_feed_is_cross_faded_and_the_clock_goes_on_through_nothing() -> None:
    async def scenario() -> None:
        track = FeedTrack(
            effects.Tone(112.5), lambda: encoder("PCMU"), lambda feed, rate: make_source(feed, rate, no_live)
        )
        first = [await track.recv() for _ in range(3)]
        track.set_feed(effects.Silence())  # at the tone's trough
        second = [await track.recv() for _ in range(3)]
        sound = decoded([bytes(p) for p in first + second], ulaw_table()).astype(int)
        assert sound[479] < -7000
        assert np.abs(np.diff(sound)).max() < 1500
        track.set_feed(effects.Nothing())
        asyncio.get_running_loop().call_later(0.1, track.set_feed, effects.Tone(500))
        resumed = await track.recv()
        assert resumed.pts is not None
        assert resumed.pts >= 8 * 160  # the silent packets' time has passed
        assert [p.pts for p in first] == [0, 160, 320]
        track.stop()

    asyncio.run(scenario())
