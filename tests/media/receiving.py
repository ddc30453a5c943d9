"""What the other side sends and what is heard of it. Times are computed; nothing waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vodiabot.media.audio import FRAME_SECONDS, Samples, silence
from vodiabot.media.codecs import CODECS
from vodiabot.media.receiver import Payloads, Receiver
from vodiabot.media.rtp import SEQUENCES, TIMESTAMPS, Packet

TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "opus": 111}
EVENTS = 101
BEGAN = 1000.0
"""When the other side begins to talk, on the receiver's clock."""
PHASE = 0.007
"""Seconds from a multiple of 20 ms to the receiver's ticks."""
LOUD = 8000


def receiver(*names: str) -> Receiver:
    """Which understands these codecs (all, if none is named), and keys."""
    codecs = {TYPES[name]: CODECS[name] for name in names or TYPES}
    return Receiver(Payloads(codecs, frozenset({EVENTS})))


def sine(hz: float, seconds: float, rate: int, level: int = LOUD) -> Samples:
    n = round(seconds * rate)
    wave: Samples = np.rint(level * np.sin(2 * np.pi * hz * np.arange(n) / rate)).astype(np.int16)
    return wave


@dataclass(frozen=True)
class Source:
    """How the other side sends."""

    codec: str = "PCMU"
    ptime: float = 0.02
    """Seconds a packet."""
    sequence: int = 1000
    timestamp: int = 50000
    ssrc: int = 7
    expects_loss: float = 0.0
    """What it was told is lost of its packets: it sends FEC where it can."""

    def send(self, samples: Samples, began: float = BEGAN) -> list[Packet]:
        """Each as it arrives where nothing holds it up: when its last sample has been spoken."""
        units = round(self.ptime * CODECS[self.codec].clock)
        return [
            Packet(
                TYPES[self.codec],
                i == 0,
                (self.sequence + i) % SEQUENCES,
                (self.timestamp + i * units) % TIMESTAMPS,
                self.ssrc,
                payload,
                began + (i + 1) * self.ptime,
            )
            for i, payload in enumerate(self._payloads(samples))
        ]

    def _payloads(self, samples: Samples) -> list[bytes]:
        codec = CODECS[self.codec]
        encoder = codec.make_encoder()
        encoder.expect_loss(self.expects_loss)
        n = round(self.ptime * codec.rate)
        whole = range(len(samples) // n)
        if self.codec == "opus":
            return [encoder.encode(samples[i * n : (i + 1) * n]) for i in whole]
        data, size = encoder.encode(samples), round(self.ptime * codec.clock)  # a byte a unit
        return [data[i * size : (i + 1) * size] for i in whole]

    def tone(self, seconds: float, hz: float = 440.0, began: float = BEGAN) -> list[Packet]:
        """And silence after it, which ends it as it was: what is missing would be made up for a while."""
        rate = CODECS[self.codec].rate
        return self.send(np.concatenate((sine(hz, seconds, rate), silence(round(0.36 * rate)))), began)


def late(packets: Sequence[Packet], by: Callable[[int], float]) -> list[Packet]:
    """Each held up by so many seconds."""
    return [p._replace(arrival=p.arrival + by(i)) for i, p in enumerate(packets)]


def without(packets: Sequence[Packet], lost: Iterable[int]) -> list[Packet]:
    gone = set(lost)
    return [p for i, p in enumerate(packets) if i not in gone]


@dataclass(frozen=True)
class Heard:
    """What came out of the receiver, from `began` on."""

    samples: Samples
    rate: int
    began: float
    depths: npt.NDArray[np.float64]
    """Seconds, at each tick, before it."""

    def part(self, begin: float, end: float) -> Heard:
        """Seconds after the beginning."""
        return replace(self, samples=self.samples[round(begin * self.rate) : round(end * self.rate)])

    @property
    def talk(self) -> tuple[float, float]:
        """Where what is not silent begins and ends, in seconds on the receiver's clock."""
        there = np.flatnonzero(np.abs(self.samples.astype(int)) > LOUD // 20)
        return self.began + there[0] / self.rate, self.began + (there[-1] + 1) / self.rate

    @property
    def hz(self) -> float:
        """The strongest frequency, by the crossings of zero of a tone."""
        x = self.samples.astype(float)
        at = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
        exact = at - x[at] / (x[at + 1] - x[at])
        return float((len(exact) - 1) / (exact[-1] - exact[0]) * self.rate)

    def clicks(self, hz: float) -> npt.NDArray[np.float64]:
        """How far each sample is from what a steady tone would do next: nothing, in a tone whose phase goes on."""
        x = self.samples.astype(float)
        differences: npt.NDArray[np.float64] = np.abs(x[2:] - 2 * np.cos(2 * np.pi * hz / self.rate) * x[1:-1] + x[:-2])
        return differences

    @property
    def holes(self) -> list[tuple[float, float]]:
        """Where a steady tone is more than 20 dB down for 5 ms or longer: begin (after `began`) and length."""
        n = self.rate // 200
        x = np.abs(self.samples[: len(self.samples) // n * n].astype(int)).reshape(-1, n).max(axis=1)
        found: list[tuple[float, float]] = []
        for i in np.flatnonzero(x < LOUD // 10):
            begin = i / 200
            if found and abs(sum(found[-1]) - begin) < 1e-6:
                found[-1] = (found[-1][0], found[-1][1] + 0.005)
            else:
                found.append((begin, 0.005))
        return found


def listen(receiver: Receiver, packets: Iterable[Packet], seconds: float, began: float = BEGAN) -> Heard:
    """What is heard from `began` on, if the packets come when they say."""
    waiting = sorted(packets, key=lambda p: p.arrival)
    blocks, depths, at = [], [], 0
    for tick in range(round(seconds / FRAME_SECONDS)):
        now = began + PHASE + tick * FRAME_SECONDS
        while at < len(waiting) and waiting[at].arrival <= now:
            receiver.push(waiting[at])
            at += 1
        depths.append(receiver.depth(now))
        block = receiver.pull(now)
        n = round(FRAME_SECONDS * receiver.rate)
        blocks.append(np.zeros(n, np.int16) if block is None else block)
        assert len(blocks[-1]) == n
        assert blocks[-1].dtype == np.int16
    return Heard(np.concatenate(blocks), receiver.rate, began + PHASE, np.array(depths))
