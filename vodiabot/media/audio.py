"""What all of the audio shares: blocks of int16 mono samples, the 20 ms frame, and resampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import soxr

from ..errors import UsageError

Samples: TypeAlias = npt.NDArray[np.int16]
"""Mono, full scale ±32767."""

FRAMES_A_SECOND = 50
FRAME_SECONDS = 1 / FRAMES_A_SECOND
"""The packet time of all telephony audio here."""

AUDIO_RATES = {"opus": 16000, "G722": 16000, "PCMU": 8000, "PCMA": 8000}
"""Samples a second that each codec takes. (G722's RTP clock is 8000 all the same: RFC 3551.)"""

NOTHING: Samples = np.zeros(0, np.int16)


def codec_names(names: Sequence[str]) -> tuple[str, ...]:
    """In the spelling of `AUDIO_RATES`. Raises UsageError."""
    known = {name.lower(): name for name in AUDIO_RATES}
    wrong = next((n for n in names if n.lower() not in known), None)
    if not names:
        raise UsageError("at least one codec is needed")
    if wrong is not None:
        raise UsageError(f"codec {wrong!r} is not known; there are {', '.join(AUDIO_RATES)}")
    return tuple(dict.fromkeys(known[n.lower()] for n in names))


def silence(n: int) -> Samples:
    """`n` samples of silence."""
    return np.zeros(n, np.int16)


def to_int16(mixed: npt.NDArray[Any]) -> Samples:
    """Clip to the 16-bit range."""
    out: Samples = np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)
    return out


def resampled(samples: Samples, rate: int, new_rate: int) -> Samples:
    """All of `samples` at another rate at once; for leftovers. A stream is a `Resampler`'s work."""
    if rate == new_rate or not len(samples):
        return samples
    out: Samples = soxr.resample(samples, rate, new_rate)
    return out


class Resampler:
    """A stream of blocks from one rate to another; the filter's state goes on from block to block."""

    def __init__(self, rate: int, new_rate: int) -> None:
        self.rate = rate
        self.new_rate = new_rate
        same = rate == new_rate
        self._stream = None if same else soxr.ResampleStream(rate, new_rate, 1, dtype="int16", quality="HQ")

    def feed(self, samples: Samples) -> Samples:
        """What is ready at the new rate; a few ms stay inside the filter until `flush`."""
        if self._stream is None:
            return samples
        out: Samples = self._stream.resample_chunk(samples)
        return out

    def flush(self) -> Samples:
        """The rest; after it, the resampler is used up."""
        if self._stream is None:
            return NOTHING
        out: Samples = self._stream.resample_chunk(NOTHING, last=True)
        self._stream = None
        return out


TAPS = 32
"""Of the filter for live audio, in samples of the lower rate: 2 ms of delay at 8000 a second, no alias above -60 dB."""


@cache
def _bank(rate: int, new_rate: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """For each sample of a new block of 20 ms: where its window of the old one begins, and the filter's coefficients
    there (a windowed sinc)."""
    taps = TAPS * max(1, round(rate / new_rate))
    at = np.arange(round(FRAME_SECONDS * new_rate)) * rate / new_rate
    begin = np.floor(at).astype(np.int64)
    x = np.arange(taps)[None, :] - (at - begin)[:, None] - taps / 2 + 1
    cutoff = 0.92 * min(1.0, new_rate / rate)
    shape = np.kaiser(taps * 16 + 1, 7.0)[np.clip(np.rint((x / taps + 0.5) * taps * 16), 0, taps * 16).astype(int)]
    filters = cutoff * np.sinc(cutoff * x) * shape
    return begin, (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32)


class Blocks:
    """Live audio from one rate to another, a block of 20 ms at a time, each exactly as long. soxr gives nothing for
    90 ms and then all at once, which is right for files and wrong for talk."""

    def __init__(self) -> None:
        self._rates = (0, 0)
        self._past = np.zeros(0, np.float32)
        self._sounded = False

    def to(self, new_rate: int, samples: Samples, rate: int) -> Samples:
        """20 ms at `rate` as 20 ms at `new_rate`, both multiples of 50; what a block of another rate left is
        forgotten."""
        if rate == new_rate:
            return samples
        begin, filters = _bank(rate, new_rate)
        taps = filters.shape[1]
        if self._rates != (rate, new_rate):
            self._rates, self._past = (rate, new_rate), np.zeros(taps - 1, np.float32)
        self._sounded = True
        line = np.concatenate((self._past, samples))
        self._past = line[len(line) - taps + 1 :].astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(line, taps)[begin]
        return to_int16(np.einsum("ij,ij->i", windows, filters))

    def rest(self) -> Samples | None:
        """Nothing more comes for now: 20 ms with what is still in the filter, once; None if there is nothing in it.
        (Else the end would be cut off, and heard before what comes next.)"""
        if not self._sounded:
            return None
        rate, new_rate = self._rates
        out = self.to(new_rate, silence(round(FRAME_SECONDS * rate)), rate)
        self._past[:] = 0.0
        self._sounded = False
        return out


class Turned:
    """A stream of one rate, given out at whichever is wanted, without a seam where that changes."""

    def __init__(self, base: int, take: Callable[[int], Samples], last: Samples) -> None:
        """`take` gives up to so many samples at the rate `base`; `last` are those that were given out as they are."""
        self._base, self._take = base, take
        self._rate = base
        self._blocks = Blocks()
        self._past = last
        """What was given out last, at the stream's own rate."""
        self._ahead = NOTHING
        """What was taken and not given out yet: a filter is late."""

    @property
    def pending(self) -> bool:
        """There is still something to be given out."""
        return bool(len(self._ahead))

    def pull(self, rate: int) -> Samples:
        """The next 20 ms at `rate`."""
        n, delay = round(FRAME_SECONDS * self._base), _delay(self._base, rate)
        before, self._past = self._past, NOTHING
        line = self._ahead
        if len(line) < n + delay:
            line = np.concatenate((line, self._take(n + delay - len(line))))
        given, self._ahead = line[:n], line[n:]
        self._past = given
        if rate == self._base or not len(given):
            self._rate = rate
            return given
        if rate != self._rate:  # the new filter begins with what was given out last, and what it delays
            self._rate, self._blocks = rate, Blocks()
            self._blocks.to(rate, _exactly(np.concatenate((before, _exactly(line[:delay], delay))), n, -1), self._base)
        return self._blocks.to(rate, _exactly(line[delay:], n), self._base)


def _delay(rate: int, new_rate: int) -> int:
    """Of `Blocks`, in samples of the old rate."""
    return 0 if rate == new_rate else _bank(rate, new_rate)[1].shape[1] // 2


def _exactly(samples: Samples, n: int, side: int = 1) -> Samples:
    """The first `n` of them (the last, if `side` is -1), with silence in place of those that are missing."""
    if side < 0:
        return np.concatenate((silence(n), samples))[-n:]
    return np.concatenate((samples, silence(n)))[:n]


RAMP_SECONDS = 0.005
"""Over which sound that is cut off, or let in again, fades: a shorter one clicks, a longer one lags."""


class Gate:
    """Lets blocks of 20 ms through, or not; between the two it fades."""

    def __init__(self) -> None:
        self.open = True
        self._was_open = True
        self._sounded = False

    @property
    def settled(self) -> bool:
        """Open, and not only just."""
        return self.open and self._was_open

    def through(self, block: Samples | None, rate: int) -> Samples | None:
        """What is left of the block; None for silence."""
        sounded, self._sounded = self._sounded, block is not None
        if self.open is self._was_open:
            return block if self.open else None
        self._was_open = self.open
        if block is None or not (sounded or self.open):
            return None
        n = round(RAMP_SECONDS * rate)
        rising = np.arange(1, n + 1, dtype=np.float32) / n
        out = block.copy() if self.open else silence(len(block))
        out[:n] = to_int16(block[:n] * (rising if self.open else 1 - rising))
        return out

    def cut(self) -> None:
        """The sound was cut off elsewhere: what comes next fades in."""
        self._was_open = False


def mixed_down(samples: npt.NDArray[np.int16], channels: int) -> Samples:
    """Interleaved channels to mono: their mean."""
    if channels == 1:
        return samples
    out: Samples = samples.reshape(-1, channels).mean(axis=1).astype(np.int16)
    return out


def dbfs(samples: Samples) -> float:
    """Level of a block: RMS over full scale, in dB; silence is -inf."""
    if not len(samples):
        return float("-inf")
    power = float(np.mean(np.square(samples.astype(np.float64))))
    return 10 * float(np.log10(power / 32768.0**2)) if power else float("-inf")


def mixed(block: Samples | None, others: Sequence[npt.NDArray[Any] | None]) -> Samples | None:
    """The sum of what there is, clipped."""
    parts = [part for part in (block, *others) if part is not None]
    if not parts:
        return None
    total = parts[0].astype(np.int32)
    for part in parts[1:]:
        total += part
    out: Samples = np.clip(total, -32768, 32767).astype(np.int16)
    return out
