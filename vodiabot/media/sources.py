"""What can be played: files, tones, silence, digits.

A `Source` is a recipe; `open` makes a `Reader` of it, which gives blocks of int16 mono samples. Readers run
in a small pool of reader threads (`Player` asks for a fifth of a second at a time), so a slow disk can starve
its own sound but never stalls the audio loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import av
import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from .audio import NOTHING, Resampler, Samples, mixed_down, resampled, silence, to_int16

CHUNK_SECONDS = 0.2
"""What generators give at a time; also about what a player asks of a reader."""


class Reader(Protocol):
    """An open source. Called from one reader thread at a time; may block."""

    rate: int
    """Samples a second of what `read` gives; constant."""

    def read(self) -> Samples | None:
        """The next block, any length; None at the end. Raises SourceError."""

    def close(self) -> None:
        """Free what it holds. Idempotent."""


@runtime_checkable
class Source(Protocol):
    """Something to play, as often as wanted."""

    def open(self, rate: int) -> Reader:
        """A reader at its start. `rate` is what the call wants now; another one is resampled. Raises
        SourceError."""


def as_source(what: object) -> Source:
    """A path (of any sound file) or a Source. Raises SourceError."""
    if isinstance(what, str | Path):
        return FileSource(Path(what))
    if isinstance(what, Source):
        return what
    raise SourceError(f"{what!r} can't be played: give a path or a Source")


# --- files --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileSource:
    """A sound file that FFmpeg reads: WAV (8 to 32 bit, float), MP3, Ogg, FLAC, …; streamed, never held
    whole."""

    path: Path

    def open(self, rate: int) -> Reader:
        return FileReader(self.path)


class FileReader:
    """Decodes as it goes; all channels mixed to one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks: Iterator[Any] | None = None
        try:
            # With "file:", a name that looks like a URL or an FFmpeg protocol stays a name.
            self._container = av.open(f"file:{path}", mode="r")
        except (av.FFmpegError, OSError, ValueError) as exc:
            raise self._unreadable(exc) from exc
        audio = self._container.streams.audio
        # A stream in a codec that FFmpeg does not know has no context, and then no rate.
        if not audio or audio[0].codec_context is None or not audio[0].rate:
            self.close()
            raise SourceError(f"{path}: has no sound in it")
        self.rate: int = audio[0].rate
        self._blocks = self._container.decode(audio[0])

    def read(self) -> Samples | None:
        if self._blocks is None:
            return None
        try:
            frame = next(self._blocks, None)
        except (av.FFmpegError, OSError, ValueError) as exc:
            raise self._unreadable(exc) from exc
        return None if frame is None else mono_of(frame)

    def close(self) -> None:
        self._blocks = None
        self._container.close()

    def _unreadable(self, exc: Exception) -> SourceError:
        why = getattr(exc, "strerror", None) or str(exc)
        return SourceError(f"{self._path}: can't be played: {why}")


def mono_of(frame: Any) -> Samples:
    """One `av.AudioFrame` of any sample format as mono int16."""
    data = frame.to_ndarray()
    channels = frame.layout.nb_channels
    if frame.format.is_planar:
        return to_int16(_scaled(data).mean(axis=0))
    if data.dtype == np.int16:
        return mixed_down(data.reshape(-1), channels)
    return to_int16(_scaled(data).reshape(-1, channels).mean(axis=1))


def _scaled(data: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Any of FFmpeg's sample types, in the range of int16."""
    wide: npt.NDArray[np.float64] = data.astype(np.float64)
    if data.dtype == np.uint8:
        return (wide - 128) * 256
    if np.issubdtype(data.dtype, np.floating):
        return np.nan_to_num(wide) * 32767
    scale = float(2 ** (8 * data.dtype.itemsize - 16))
    return wide / scale


# --- generated ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tone:
    """One or more sine tones together; `seconds` None: without end."""

    hz: tuple[float, ...]
    seconds: float | None = None
    level: float = 0.5
    """Amplitude of each, 0 to 1 (full scale)."""

    def open(self, rate: int) -> Reader:
        return ToneReader(self, rate)


def tone(hz: float, seconds: float | None = None, level: float = 0.5) -> Tone:
    """A sine tone."""
    return Tone((hz,), seconds, level)


def silence_for(seconds: float | None = None) -> Tone:
    """Silence as a source: a pause in a sequence."""
    return Tone((), seconds)


class ToneReader:
    """Sines whose phase goes on from block to block."""

    def __init__(self, spec: Tone, rate: int) -> None:
        self.rate = rate
        self._spec = spec
        self._at = 0
        self._end = None if spec.seconds is None else round(spec.seconds * rate)

    def read(self) -> Samples | None:
        n = round(CHUNK_SECONDS * self.rate)
        n = n if self._end is None else min(n, self._end - self._at)
        if n <= 0:
            return None
        seconds = np.arange(self._at, self._at + n) / self.rate
        self._at += n
        waves = [np.sin(2 * np.pi * hz * seconds) for hz in self._spec.hz]
        return to_int16(np.sum(waves, axis=0) * self._spec.level * 32767) if waves else silence(n)

    def close(self) -> None:
        self._end = 0


@dataclass(frozen=True)
class Sequence:
    """Sources one after the other."""

    sources: tuple[Source, ...]

    def open(self, rate: int) -> Reader:
        return SequenceReader(self.sources, rate)


class SequenceReader:
    """Opens each source when its turn comes."""

    def __init__(self, sources: tuple[Source, ...], rate: int) -> None:
        self.rate = rate
        self._waiting = list(sources)
        self._now: AtRate | None = None

    def read(self) -> Samples | None:
        while self._now or self._waiting:
            self._now = self._now or AtRate(self._waiting.pop(0).open(self.rate), self.rate)
            block = self._now.read()
            if block is not None:
                return block
            self._now.close()
            self._now = None
        return None

    def close(self) -> None:
        if self._now:
            self._now.close()
        self._now, self._waiting = None, []


# --- at the rate of the call --------------------------------------------------------------------------------


class AtRate:
    """A reader's blocks at the rate of the call, which may change on the way (another codec)."""

    def __init__(self, reader: Reader, rate: int) -> None:
        self.rate = rate
        self._reader = reader
        self._resampler = Resampler(reader.rate, rate)
        self._tail = NOTHING
        self._ended = False

    def retune(self, rate: int) -> None:
        """From here on at another rate; what is inside the old filter comes first, so that no sample is
        lost."""
        if rate != self.rate:
            left = np.concatenate((self._tail, self._resampler.flush()))
            self._tail = resampled(left, self.rate, rate)
            self.rate, self._resampler = rate, Resampler(self._reader.rate, rate)

    def read(self) -> Samples | None:
        while not self._ended:
            block = self._reader.read()
            self._ended = block is None
            out = self._resampler.flush() if block is None else self._resampler.feed(block)
            out, self._tail = np.concatenate((self._tail, out)), NOTHING
            if len(out):
                return out
        return None

    def close(self) -> None:
        self._ended = True
        self._reader.close()
