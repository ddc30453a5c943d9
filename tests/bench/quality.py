"""How it sounds when packets get lost: our sender and receiver, and aiortc's encoder, jitter buffer and decoder,
over the same losses. No sockets, no clock: it is computed."""

from __future__ import annotations

import random
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr
from aiortc.codecs.opus import OpusDecoder, OpusEncoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from vodiabot.media import rtp
from vodiabot.media.audio import Samples
from vodiabot.media.codecs import CODECS
from vodiabot.media.receiver import Payloads, Receiver
from vodiabot.media.sender import Sender

SPEECH = Path(__file__).parents[2] / "plugins" / "greeter" / "greeting.wav"
RATE = 16000
FRAME = 0.02
REPORTS = 50
"""Packets between two reports of the other side on what got lost."""
TRAVEL, PHASE = 0.001, 0.010
"""Seconds: on the way, and from a packet's arrival to the receiver's tick."""


def speech() -> Samples:
    """Some seconds of a voice with a second of silence before and half of one after."""
    with wave.open(str(SPEECH)) as file:
        rate, raw = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return np.concatenate((np.zeros(RATE, np.int16), soxr.resample(raw, rate, RATE), np.zeros(RATE // 2, np.int16)))


@dataclass(frozen=True)
class Heard:
    """What came out."""

    samples: Samples
    delay: float
    """Seconds that the receiver adds at the end."""


def ours(codec: str, samples: Samples, lost: Sequence[bool]) -> Heard:
    """Our path; the receiver's reports come back each second."""
    kind = CODECS[codec]
    n = round(kind.rate * FRAME)
    sender, receiver = Sender(111, kind, 1), Receiver(Payloads({111: kind}))
    out = []
    for i, gone in enumerate(lost):
        packet = sender.packet(samples[i * n : (i + 1) * n])
        if not gone:
            parsed = rtp.parse(packet, i * FRAME + TRAVEL)
            assert parsed
            receiver.push(parsed)
        if i % REPORTS == REPORTS - 1 and receiver.reception is not None:
            sender.expect_loss(receiver.reception.block(0, 0.0).part_lost)
        block = receiver.pull(i * FRAME + PHASE)
        out.append(np.zeros(n, np.int16) if block is None else block)
    return Heard(np.concatenate(out), receiver.depth(len(lost) * FRAME + PHASE))


def stock(samples: Samples, lost: Sequence[bool]) -> Heard:
    """aiortc's: Opus as it sets it, its jitter buffer with its prefetch, gaps filled by timestamp."""
    wide = soxr.resample(samples, RATE, 48000)
    encoder, decoder, buffer = OpusEncoder(), OpusDecoder(), JitterBuffer(capacity=16, prefetch=4)
    out = np.zeros(len(wide) + 48000, np.int16)
    held: list[int] = []
    for i, gone in enumerate(lost):
        for payload in _encoded(encoder, wide[i * 960 : (i + 1) * 960], i):
            if gone:
                continue
            packet = RtpPacket(payload_type=111, sequence_number=i % 65536, timestamp=i * 960)
            packet._data = payload  # type: ignore[attr-defined]
            frame = buffer.add(packet)[1]
            if frame is not None:
                held.append(i - frame.timestamp // 960)
                _put(out, frame.timestamp, decoder.decode(frame))
    return Heard(soxr.resample(out[: len(wide)], 48000, RATE), (held[-1] if held else 0) * FRAME)


def _encoded(encoder: OpusEncoder, block: Samples, index: int) -> list[bytes]:
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(block))
    frame.planes[0].update(block.tobytes())
    frame.sample_rate, frame.pts, frame.time_base = 48000, index * 960, Fraction(1, 48000)
    return encoder.encode(frame)[0]


def _put(out: Samples, at: int, frames: list[Any]) -> None:
    for frame in frames:
        mono = np.frombuffer(bytes(frame.planes[0]), np.int16).reshape(-1, 2)[:, 0]
        out[at : at + len(mono)] = mono[: len(out) - at]


def losses(part: float, n: int, seed: int) -> list[bool]:
    """Random, the same for both."""
    chance = random.Random(seed)
    return [chance.random() < part for _ in range(n)]


def pesq(part: float, seeds: int = 5) -> dict[str, float]:
    """Wide-band PESQ at a random loss, the mean of some seeds."""
    from pesq import pesq as score  # only here: it is no part of the tests

    original = speech()
    frames = len(original) // round(RATE * FRAME)
    found: dict[str, list[float]] = {"ours": [], "stock": []}
    for seed in range(seeds):
        lost = losses(part, frames, seed)
        found["ours"].append(score(RATE, original, ours("opus", original, lost).samples, "wb"))
        found["stock"].append(score(RATE, original, stock(original, lost).samples[: len(original)], "wb"))
    return {make: float(np.mean(scores)) for make, scores in found.items()}


def one_lost(codec: str) -> dict[str, float]:
    """One packet of a steady tone lost: how long nothing is heard (ms), and the delay that is left of it 5 s later."""
    kind = CODECS[codec]
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(kind.rate * 12) / kind.rate)).astype(np.int16)
    lost = [i == 300 for i in range(600)]
    heard, whole = ours(codec, tone, lost), ours(codec, tone, [False] * 600)
    return {
        "hole": _longest_hole(heard.samples[kind.rate : -kind.rate], kind.rate),
        "added": 1000 * (heard.delay - whole.delay),
    }


def one_lost_stock() -> dict[str, float]:
    """Likewise aiortc's, with Opus."""
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(RATE * 12) / RATE)).astype(np.int16)
    heard, whole = stock(tone, [i == 300 for i in range(600)]), stock(tone, [False] * 600)
    return {"hole": _longest_hole(heard.samples[RATE:-RATE], RATE), "added": 1000 * (heard.delay - whole.delay)}


def _longest_hole(samples: Samples, rate: int) -> float:
    """The longest time in which a steady tone is more than 20 dB down, in ms."""
    block = rate // 200
    levels = np.abs(samples[: len(samples) // block * block].astype(float)).reshape(-1, block).max(axis=1)
    quiet, longest = 0, 0
    for level in levels:
        quiet = quiet + 1 if level < 800 else 0
        longest = max(longest, quiet)
    return longest * 5.0
