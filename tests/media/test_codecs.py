"""The codecs: exact where there is a standard to the bit, alike where there is none, and never an exception."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vodiabot.media.audio import Samples, dbfs
from vodiabot.media.codecs import CODECS, codec_of, opus
from vodiabot.media.codecs.opus import MAX_FRAME, OpusDecoder, OpusEncoder, frames_of, has_fec

from .receiving import sine

ALL = sorted(CODECS)

# --- G.711, without tables ------------------------------------------------------------------------------------


def mu_law(byte: int) -> int:
    """One byte, as ITU-T G.711 table 2 and G.191's `ulaw_expand` do it."""
    inverted = ~byte & 0xFF
    segment, step = inverted >> 4 & 7, inverted & 15
    magnitude = ((step << 1 | 33) << segment) - 33
    return 4 * (-magnitude if inverted & 0x80 else magnitude)


def a_law(byte: int) -> int:
    """Likewise table 1 and `alaw_expand`."""
    inverted = byte ^ 0x55
    segment, step = inverted >> 4 & 7, inverted & 15
    magnitude = step << 4 | 8
    if segment:
        magnitude = magnitude + 0x100 << segment - 1
    return magnitude if byte & 0x80 else -magnitude


@pytest.mark.parametrize(("name", "law"), [("PCMU", mu_law), ("PCMA", a_law)])
def test_all_bytes(name: str, law: Any) -> None:
    decoded = CODECS[name].make_decoder().decode(bytes(range(256)))
    assert decoded.tolist() == [law(byte) for byte in range(256)]


@pytest.mark.parametrize(("name", "law"), [("PCMU", mu_law), ("PCMA", a_law)])
def test_all_samples(name: str, law: Any) -> None:
    """Each gets a byte than which none is nearer."""
    samples = np.arange(-32768, 32768).astype(np.int16)
    encoded = CODECS[name].make_encoder().encode(samples)
    levels = np.array(sorted(law(byte) for byte in range(256)))
    right = np.clip(np.searchsorted(levels, samples.astype(int)), 1, 255)
    nearest = np.minimum(np.abs(levels[right] - samples), np.abs(levels[right - 1] - samples))
    got = np.array([law(byte) for byte in encoded])
    assert np.array_equal(np.abs(got - samples.astype(int)), nearest)


def test_silence_is_what_everybody_sends() -> None:
    zeros = np.zeros(4, np.int16)
    assert CODECS["PCMU"].make_encoder().encode(zeros) == b"\xff" * 4
    assert CODECS["PCMA"].make_encoder().encode(zeros) == b"\xd5" * 4


# --- all of them ----------------------------------------------------------------------------------------------


def round_trip(name: str, samples: Samples) -> Samples:
    codec = CODECS[name]
    encoder, decoder, n = codec.make_encoder(), codec.make_decoder(), codec.rate // 50
    blocks = [decoder.decode(encoder.encode(samples[i : i + n])) for i in range(0, len(samples), n)]
    assert {len(block) for block in blocks} == {n}
    return np.concatenate(blocks)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("hz", [300, 1000, 3000])
@pytest.mark.parametrize("level", [300, 8000, 30000])
def test_a_tone_keeps_its_pitch_and_its_level(name: str, hz: int, level: int) -> None:
    rate = CODECS[name].rate
    sent = sine(hz, 2.0, rate, level)
    heard = round_trip(name, sent)[rate // 2 :].astype(float)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * rate / len(heard) == pytest.approx(hz, abs=1.0)
    assert dbfs(heard.astype(np.int16)) == pytest.approx(dbfs(sent), abs=1.5)


@pytest.mark.parametrize("name", ALL)
def test_a_payload_says_how_long_it_is(name: str) -> None:
    codec = CODECS[name]
    payload = codec.make_encoder().encode(sine(440, 0.02, codec.rate))
    assert codec.duration(payload) == codec.clock // 50


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=200, deadline=None)
@given(payloads=st.lists(st.binary(max_size=400), max_size=6), n=st.integers(1, 2400))
def test_no_payload_raises(name: str, payloads: list[bytes], n: int) -> None:
    codec, decoder = CODECS[name], CODECS[name].make_decoder()
    for payload in payloads:
        assert codec.duration(payload) >= 0
        for made in (decoder.decode(payload), decoder.conceal(n), decoder.recover(payload, n)):
            assert made is None or made.dtype == np.int16
        codec.carries_previous(payload)
    good = codec.make_encoder().encode(sine(440, 0.02, codec.rate))
    assert len(decoder.decode(good)) == codec.rate // 50


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [0, 1, 3, 159, 161, 1500, 65000])
def test_packets_of_any_size(name: str, size: int) -> None:
    samples = CODECS[name].make_decoder().decode(b"\x55" * size)
    assert name == "opus" or len(samples) == size * (2 if name == "G722" else 1)


def test_names_in_any_case() -> None:
    assert codec_of("pcmu") is CODECS["PCMU"]
    assert codec_of("OPUS") is CODECS["opus"]
    with pytest.raises(KeyError):
        codec_of("G729")


# --- Opus -----------------------------------------------------------------------------------------------------


def voice(seconds: float) -> Samples:
    """Something that changes as speech does: a pitch with overtones that glides, in syllables."""
    t = np.arange(round(seconds * opus.RATE)) / opus.RATE
    phase = 2 * np.pi * np.cumsum(140 + 50 * np.sin(2 * np.pi * 2.3 * t)) / opus.RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 12)) * (0.55 + 0.45 * np.sin(2 * np.pi * 4.1 * t))
    return np.rint(5000 * sound).astype(np.int16)


def packets(samples: Samples, *, lossy: bool, ms: int = 20) -> list[bytes]:
    encoder, n = OpusEncoder(), opus.RATE * ms // 1000
    if lossy:
        encoder.expect_loss(0.2)
    return [encoder.encode(samples[i : i + n]) for i in range(0, len(samples) - n + 1, n)]


def energy_between(a: Samples, b: Samples) -> float:
    return float(np.mean((a.astype(float) - b) ** 2))


@pytest.mark.parametrize("ms", [20, 40, 60])
def test_fec_gives_back_what_was_lost_better_than_concealment(ms: int) -> None:
    sent = packets(voice(4), lossy=True, ms=ms)
    n = opus.RATE * ms // 1000
    whole, with_fec, without = OpusDecoder(), OpusDecoder(), OpusDecoder()
    recovered = concealed = 0.0
    for i, payload in enumerate(sent[:-1]):
        right = whole.decode(payload)
        if i % 7 == 5 and has_fec(sent[i + 1]):
            got = with_fec.recover(sent[i + 1], n)
            guessed = without.conceal(n)
            assert got is not None
            assert guessed is not None
            assert len(got) == len(guessed) == n
            recovered += energy_between(right, got)
            concealed += energy_between(right, guessed)
        else:
            with_fec.decode(payload)
            without.decode(payload)
    assert 0 < recovered < concealed / 2


def test_the_end_of_a_packet_whose_beginning_was_concealed() -> None:
    """A packet of 60 ms: 20 ms have been made up by the time its successor comes."""
    sent = packets(voice(4), lossy=True, ms=60)
    lost = next(i for i in range(20, 60) if has_fec(sent[i + 1]))
    whole, all_of_it, rest = OpusDecoder(), OpusDecoder(), OpusDecoder()
    for payload in sent[:lost]:
        for decoder in (whole, all_of_it, rest):
            decoder.decode(payload)
    right = whole.decode(sent[lost])[320:]
    rest.conceal(320)
    got, guess = rest.recover(sent[lost + 1], 640), all_of_it.conceal(960)
    assert got is not None
    assert guess is not None
    assert len(got) == 640
    assert energy_between(right, got) < energy_between(right, guess[320:])


def test_fec_only_where_losses_are_expected() -> None:
    speech = voice(2)
    assert not any(has_fec(p) for p in packets(speech, lossy=False))
    assert sum(has_fec(p) for p in packets(speech, lossy=True)) > 50
    without = packets(speech, lossy=False)[10]
    assert OpusDecoder().recover(without, 320) is None


def test_expected_losses_are_forgotten_slowly() -> None:
    encoder, speech = OpusEncoder(), voice(8)
    encoder.expect_loss(0.1)
    found = []
    for second in range(8):
        block = speech[second * opus.RATE : (second + 1) * opus.RATE]
        found.append(sum(has_fec(encoder.encode(block[i : i + 320])) for i in range(0, len(block), 320)))
        for _ in range(4):
            encoder.expect_loss(0.0)
    assert found[0] > 25
    assert found[-1] == 0


@pytest.mark.parametrize("n", [1, 39, 40, 41, 320, 333, 960, 1920])
def test_what_is_made_up_is_as_long_as_it_should_be(n: int) -> None:
    decoder = OpusDecoder()
    decoder.decode(packets(voice(1), lossy=False)[20])
    made = decoder.conceal(n)
    assert made is not None
    assert len(made) == n


@pytest.mark.parametrize(
    ("payload", "ms"),
    [
        (b"", 0),
        (bytes([0 << 3]), 10),
        (bytes([1 << 3]), 20),
        (bytes([3 << 3]), 60),
        (bytes([3 << 3 | 1]), 120),
        (bytes([3 << 3 | 3, 3]), 0),
        (bytes([15 << 3]), 20),
        (bytes([16 << 3]), 2.5),
        (bytes([31 << 3 | 3, 6]), 120),
        (bytes([31 << 3 | 3, 7]), 0),
        (bytes([31 << 3 | 3]), 0),
        (bytes([31 << 3 | 2, 0]), 40),
    ],
)
def test_how_long_a_packet_is(payload: bytes, ms: float) -> None:
    """RFC 6716, sections 3.1 and 3.2."""
    assert frames_of(payload) == ms * 48


@pytest.mark.parametrize("ms", [2.5, 5, 10, 20, 40, 60])
def test_a_packet_is_as_long_as_it_says(ms: float) -> None:
    n = round(opus.RATE * ms / 1000)
    payload = OpusEncoder().encode(voice(0.1)[:n])
    assert frames_of(payload) == ms * 48 <= MAX_FRAME
    assert len(OpusDecoder().decode(payload)) == n


class Freed:
    """libopus, counting what it frees."""

    def __init__(self, lib: Any) -> None:
        self._lib = lib
        self.freed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lib, name)

    def opus_decoder_destroy(self, state: int) -> None:
        self.freed += 1
        self._lib.opus_decoder_destroy(state)

    opus_encoder_destroy = opus_decoder_destroy


@pytest.mark.parametrize("make", [OpusDecoder, OpusEncoder])
def test_what_libopus_made_is_freed_once(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lib = Freed(opus.library())
    monkeypatch.setattr(opus, "library", lambda: lib)
    codec = make()
    assert lib.freed == 0
    codec.__del__()
    del codec
    gc.collect()
    assert lib.freed == 1
