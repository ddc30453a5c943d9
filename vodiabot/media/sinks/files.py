"""Sound files that are written as a call goes on, and can be played up to the last write. Blocking: for a writer
thread."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import av
import numpy as np
import numpy.typing as npt

from ...errors import SourceError

Interleaved = npt.NDArray[np.int16]
"""Samples of all channels in turns."""

OPUS_ENDINGS = (".ogg", ".opus")
OPUS_RATE = 48000
OPUS_BITRATE = 32000
"""Bits a second for each channel."""
OPUS_PAGE_MICROSECONDS = 500_000
"""Of an Ogg page, which is written as a whole: as much is lost at most when the process is killed."""


class Writer(Protocol):
    """An open file."""

    def write(self, samples: Interleaved) -> None:
        """Append. Raises OSError, SourceError."""

    def close(self) -> None:
        """Complete it. Idempotent. Raises OSError, SourceError."""


def open_writer(path: Path, rate: int, channels: int) -> Writer:
    """By the ending of the path: Ogg/Opus, else WAV. Raises OSError, SourceError."""
    if path.suffix.lower() in OPUS_ENDINGS:
        return OpusWriter(path, rate, channels)
    return WavWriter(path, rate, channels)


class WavWriter:
    """A WAV file, 16 bit, whose header is right after each `write`."""

    def __init__(self, path: Path, rate: int, channels: int = 1) -> None:
        self._rate, self._channels = rate, channels
        self._bytes = 0
        self._file: BinaryIO | None = open(path, "wb", buffering=0)  # noqa: SIM115 (closed by `close`)
        try:
            self._file.write(self._header())
        except OSError:
            self.close()
            raise

    def write(self, samples: Interleaved) -> None:
        if self._file is None:
            return
        data = samples.astype("<i2").tobytes()
        self._file.seek(0, io.SEEK_END)
        self._file.write(data)
        self._bytes += len(data)
        self._file.seek(0)
        self._file.write(self._header())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _header(self) -> bytes:
        size = min(self._bytes, 0xFFFFFFFF - 36)
        width = 2 * self._channels
        shape = (1, self._channels, self._rate, width * self._rate, width, 16)
        head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, *shape)
        return head + struct.pack("<4sI", b"data", size)


class OpusWriter:
    """Ogg/Opus by FFmpeg."""

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self._path, self._rate, self._channels = path, rate, channels
        self._layout = "stereo" if channels == 2 else "mono"
        self._samples = 0
        options = {"page_duration": str(OPUS_PAGE_MICROSECONDS), "flush_packets": "1"}
        self._container: Any = None
        try:
            self._container = av.open(f"file:{path}", mode="w", format="ogg", options=options)
            self._stream = self._container.add_stream("libopus", rate=OPUS_RATE, layout=self._layout)
            self._stream.bit_rate = OPUS_BITRATE * channels
        except (av.FFmpegError, ValueError) as exc:
            if self._container is not None:
                self._container.close()
            raise self._unwritable(exc) from exc
        self._resampler = av.AudioResampler(format="s16", layout=self._layout, rate=OPUS_RATE)

    def write(self, samples: Interleaved) -> None:
        if self._container is None or not len(samples):
            return
        frame = av.AudioFrame(format="s16", layout=self._layout, samples=len(samples) // self._channels)
        frame.planes[0].update(samples.astype(np.int16).tobytes())
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._samples, Fraction(1, self._rate)
        self._samples += frame.samples
        self._encode(frame)

    def close(self) -> None:
        if self._container is None:
            return
        try:
            self._encode(None)
            self._mux(None)
        finally:
            container, self._container = self._container, None
            try:
                container.close()
            except (av.FFmpegError, ValueError) as exc:
                raise self._unwritable(exc) from exc

    def _encode(self, frame: Any) -> None:
        try:
            for resampled in self._resampler.resample(frame):
                self._mux(resampled)
        except (av.FFmpegError, ValueError) as exc:
            raise self._unwritable(exc) from exc

    def _mux(self, frame: Any) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (av.FFmpegError, ValueError) as exc:
            raise self._unwritable(exc) from exc

    def _unwritable(self, exc: Exception) -> SourceError:
        return SourceError(f"{self._path}: can't be written: {getattr(exc, 'strerror', None) or exc}")
