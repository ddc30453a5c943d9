"""Sound files and streams of the network, decoded as they go, never held whole."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from ...errors import SourceError
from ..audio import Resampler, Samples, mixed_down, to_int16
from .base import Reader

logger = logging.getLogger(__name__)

URL_SECONDS = 5.0
"""For a server to answer, and for each further piece of its stream."""
SPOILED_IN_A_ROW = 50
"""Packets that can't be decoded, after which it is no sound: about a second."""
_URL = re.compile(r"https?://", re.IGNORECASE)
_NETWORK = {
    "protocol_whitelist": "http,https,tcp,tls,crypto",
    "analyzeduration": "500000",
}
"""What a stream may lead to: a playlist from the network must not open files here. And the microseconds of it that are
looked at before it is heard: by default so many that a radio that sends no faster than it plays begins a second late.
"""


def is_url(text: str) -> bool:
    """Whether a string names a stream of the network."""
    return _URL.match(text) is not None


@dataclass(frozen=True)
class FileSource:
    """A sound file that FFmpeg reads: WAV (8 to 32 bit, float), MP3, Ogg, FLAC, …"""

    path: Path
    quick = True

    def open(self, rate: int) -> Reader:
        # With "file:", a name that looks like a URL or an FFmpeg protocol stays a name.
        return AvReader(f"file:{self.path}", str(self.path.absolute()), {}, None)  # who reads it asks: in which folder?


@dataclass(frozen=True)
class UrlSource:
    """A sound file or an endless stream by http or https."""

    url: str

    def open(self, rate: int) -> Reader:
        return AvReader(self.url, without_credentials(self.url), _NETWORK, URL_SECONDS)


def without_credentials(url: str) -> str:
    """For messages: user, password and query may be secret."""
    return re.sub(r"(?<=//)[^/@]*@", "", url).partition("?")[0]


class AvReader:
    """Decodes with FFmpeg; all channels mixed to one."""

    def __init__(self, address: str, shown: str, options: dict[str, str], timeout: float | None) -> None:
        self._shown = shown
        self._blocks: Iterator[Any] | None = None
        try:
            self._container = av.open(address, mode="r", options=options, timeout=timeout)
        except (av.FFmpegError, OSError, ValueError) as exc:
            raise self._unreadable(exc) from exc
        audio = self._container.streams.audio
        # A stream in a codec that FFmpeg does not know has no context, and then no rate.
        if not audio or audio[0].codec_context is None or not audio[0].rate:
            self.close()
            raise SourceError(f"{shown}: has no sound in it")
        self.rate: int = audio[0].rate
        self._blocks = self._decoded(audio[0])
        self._turned = Resampler(self.rate, self.rate)

    def read(self) -> Samples | None:
        while self._blocks is not None:
            try:
                frame = next(self._blocks, None)
            except (av.FFmpegError, OSError, ValueError) as exc:
                raise self._unreadable(exc) from exc
            if frame is None:
                self._blocks = None
            block = self._turned.flush() if frame is None else self._at_rate(mono_of(frame), frame.sample_rate)
            if len(block):
                return block
        return None

    def _decoded(self, stream: Any) -> Iterator[Any]:
        """All frames. What is spoiled is left out, as players do, unless it is all that there is."""
        spoiled, heard, told = 0, False, False
        for packet in self._container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                spoiled += 1
                if spoiled > SPOILED_IN_A_ROW:
                    raise
                if not told:
                    told = True
                    logger.warning("%s: what can't be decoded of it is left out", self._shown)
                continue
            spoiled, heard = 0 if frames else spoiled, heard or bool(frames)
            yield from frames
        if spoiled and not heard:
            raise SourceError(f"{self._shown}: can't be played: nothing of it can be decoded")

    def _at_rate(self, samples: Samples, rate: int) -> Samples:
        """A radio may go on at another rate than it began with."""
        if rate == self._turned.rate:
            return self._turned.feed(samples)
        rest, self._turned = self._turned.flush(), Resampler(rate, self.rate)
        return np.concatenate((rest, self._turned.feed(samples)))

    def close(self) -> None:
        self._blocks = None
        self._container.close()

    def _unreadable(self, exc: Exception) -> SourceError:
        why = getattr(exc, "strerror", None) or str(exc)
        if isinstance(exc, av.ExitError):  # how FFmpeg says that it was interrupted, by the time limit
            why = f"nothing has come for {URL_SECONDS:g} s"
        return SourceError(f"{self._shown}: can't be played: {why}")


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
