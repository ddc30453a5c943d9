"""Files of all kinds and generated sound."""

from __future__ import annotations

import io
import tempfile
import wave
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vodiabot.errors import SourceError
from vodiabot.media.audio import Samples
from vodiabot.media.sources import AtRate, FileSource, Playlist, Reader, as_source, silence_for, tone

from .helpers import level, loudest_hz, sine, strength, write_wav


def everything(reader: Reader) -> Samples:
    blocks = []
    while (block := reader.read()) is not None:
        blocks.append(block)
    reader.close()
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


def at_rate(path: Path, rate: int) -> Samples:
    return everything(AtRate(FileSource(path).open(rate), rate))


def encoded(path: Path, codec: str, fmt: str, rate: int, channels: int = 1) -> None:
    """A second of 1000 Hz, made with FFmpeg's encoder."""
    with av.open(str(path), "w") as out:
        layout = "mono" if channels == 1 else "stereo"
        stream = out.add_stream(codec, rate=rate, layout=layout, format=fmt)
        samples = (np.stack([sine(1000, 1, rate)] * channels) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=fmt, layout=layout, rate=rate, frame_size=stream.frame_size or 0)
        for ready in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(ready))
        out.mux(stream.encode(None))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("wanted", [8000, 16000, 48000])
def test_any_rate_to_any_rate(rate: int, wanted: int, tmp_path: Path) -> None:
    write_wav(tmp_path / "x.wav", [sine(1000, 1, rate)], rate)
    samples = at_rate(tmp_path / "x.wav", wanted)
    assert len(samples) == pytest.approx(wanted, abs=3)
    assert loudest_hz(samples, wanted) == pytest.approx(1000, abs=0.5)
    assert level(samples[wanted // 10 : -wanted // 10]) == pytest.approx(0.5 / 2**0.5, rel=0.02)


@pytest.mark.parametrize(
    "codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_mulaw"]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_any_wav(codec: str, channels: int, tmp_path: Path) -> None:
    formats = {"pcm_u8": "u8", "pcm_s24le": "s32", "pcm_s32le": "s32", "pcm_f32le": "flt", "pcm_f64le": "dbl"}
    encoded(tmp_path / "x.wav", codec, formats.get(codec, "s16"), 16000, channels)
    samples = at_rate(tmp_path / "x.wav", 16000)
    assert len(samples) == 16000
    assert strength(samples, 16000, 1000) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize(
    ("name", "codec", "fmt"),
    [("x.mp3", "libmp3lame", "s16p"), ("x.ogg", "libopus", "s16"), ("x.flac", "flac", "s16")],
)
def test_other_files(name: str, codec: str, fmt: str, tmp_path: Path) -> None:
    encoded(tmp_path / name, codec, fmt, 48000)
    samples = at_rate(tmp_path / name, 8000)
    assert len(samples) / 8000 == pytest.approx(1, abs=0.08)
    assert strength(samples[1000:7000], 8000, 1000) == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("name", ["x.mp3", "x.aac"])
@pytest.mark.parametrize("rates", [(44100, 22050), (32000, 48000)])
def test_a_stream_goes_on_at_another_rate(name: str, rates: tuple[int, int], tmp_path: Path) -> None:
    """As a radio does with its next piece: it was heard an octave off, or ended there."""
    codec, fmt = {"x.mp3": ("libmp3lame", "s16p"), "x.aac": ("aac", "fltp")}[name]
    whole = b""
    for rate in rates:
        encoded(tmp_path / name, codec, fmt, rate, channels=1 if rate == rates[0] else 2)
        whole += (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole)
    samples = at_rate(tmp_path / name, 8000)
    assert len(samples) / 8000 == pytest.approx(2, abs=0.2)
    for part in (samples[1000:7000], samples[-7000:-1500]):
        assert loudest_hz(part, 8000) == pytest.approx(1000, abs=3)


def test_what_is_spoiled_in_a_file_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    encoded(tmp_path / "x.mp3", "libmp3lame", "s16p", 44100)
    data = bytearray((tmp_path / "x.mp3").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 600] = bytes(range(200)) * 3
    (tmp_path / "x.mp3").write_bytes(data)
    assert len(at_rate(tmp_path / "x.mp3", 8000)) / 8000 == pytest.approx(1, abs=0.2)
    assert caplog.text.count("x.mp3") == 1


def test_stereo_is_the_mean_of_both(tmp_path: Path) -> None:
    write_wav(tmp_path / "x.wav", [sine(500, 1, 8000, 0.8), sine(900, 1, 8000, 0.4)], 8000)
    samples = at_rate(tmp_path / "x.wav", 8000)
    assert strength(samples, 8000, 500) == pytest.approx(0.4, rel=0.02)
    assert strength(samples, 8000, 900) == pytest.approx(0.2, rel=0.02)


def test_a_file_is_not_held_whole(tmp_path: Path) -> None:
    write_wav(tmp_path / "x.wav", [np.zeros(60 * 48000)], 48000)
    reader = FileSource(tmp_path / "x.wav").open(8000)
    block = reader.read()
    assert block is not None
    assert len(block) < 48000
    reader.close()
    reader.close()
    assert reader.read() is None


def test_an_empty_file_of_sound_is_no_error(tmp_path: Path) -> None:
    write_wav(tmp_path / "x.wav", [np.zeros(0)], 8000)
    assert len(at_rate(tmp_path / "x.wav", 8000)) == 0


@pytest.mark.parametrize("content", [b"", b"hello, this is no sound", b"RIFF\x10\0\0\0WAVEfmt "])
def test_what_is_no_sound_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"odd\.wav"):
        at_rate(path, 8000)


@pytest.mark.parametrize("name", ["missing.wav", "ftp://localhost/x.wav", "concat:a|b", "pipe:0"])
def test_names_are_only_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as refused:
        as_source(name).open(8000)
    assert str(refused.value) == f"{tmp_path / name}: can't be played: No such file or directory", "it names the folder"


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 300), st.binary(min_size=1, max_size=20))
def test_a_damaged_file_plays_or_is_a_source_error(at: int, damage: bytes) -> None:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(400))
    data = bytearray(buffer.getvalue())
    data[at : at + len(damage)] = damage
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.wav"
        path.write_bytes(data)
        with suppress(SourceError):
            at_rate(path, 8000)


# --- generated ----------------------------------------------------------------------------------------------


def test_a_tone_has_its_length_and_no_seams() -> None:
    samples = everything(tone(1000, 0.73).open(48000))
    assert len(samples) == 35040
    assert np.max(np.abs(np.diff(samples.astype(int)))) <= 0.5 * 32768 * 2 * np.pi * 1000 / 48000 + 2


def test_a_tone_without_end_goes_on() -> None:
    reader = tone(1000).open(8000)
    assert all(reader.read() is not None for _ in range(100))
    reader.close()
    assert reader.read() is None


def test_one_after_the_other_whatever_their_rates(tmp_path: Path) -> None:
    write_wav(tmp_path / "x.wav", [sine(1500, 0.5, 44100)], 44100)
    source = Playlist((tone(500, 0.5), silence_for(0.25), FileSource(tmp_path / "x.wav")))
    for _ in range(2):  # a source can be opened again
        samples = everything(source.open(8000))
        assert len(samples) == pytest.approx(10000, abs=3)
        assert loudest_hz(samples[:4000], 8000) == pytest.approx(500, abs=1)
        assert level(samples[4010:5990]) == 0
        assert loudest_hz(samples[6000:], 8000) == pytest.approx(1500, abs=1)
