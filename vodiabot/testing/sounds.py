"""What is heard in virtual time: sounds that begin and end, their names, and whether one is what was expected."""

from __future__ import annotations

import math
import re
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..errors import SourceError
from ..media.sources import FileSource, Louder, Playlist, Reader, Source, Tone, UrlSource
from ..media.sources import duration_of as told_duration
from ..media.sources.files import is_url

LETTERS_A_SECOND = 15.0
"""How fast a text is spoken."""

URL_SECONDS = 10.0
"""How long a stream or file of the network is, which nobody fetches in virtual time."""

LONGEST = 3600.0
"""Seconds for which a source is read to know how long it is."""

RATE = 8000

SAMPLES = "samples"
"""The name of what a plugin made itself."""

OFF_BY = 0.02
"""Part by which the pitch of samples may differ from that of a tone."""

HUM = (180.0, 360.0, 540.0)
"""Hz: stands for a voice."""


@dataclass(frozen=True)
class Spoken:
    """A text as a source: it takes as long as speaking it would."""

    text: str
    inline = True

    @property
    def duration(self) -> float:
        """Seconds."""
        return max(0.2, len(self.text) / LETTERS_A_SECOND)

    def open(self, rate: int) -> Reader:
        """Where sound is real: a hum as long as the text."""
        return Tone(HUM, self.duration, level=0.15).open(rate)


@dataclass(eq=False)
class Samples:
    """What a plugin made itself and sent by `call.audio()`; more may come while it is heard."""

    rate: int
    """Hz."""
    raw: bytearray
    """Mono, int16."""

    def hz(self) -> float:
        """Of the strongest tone in it."""
        samples = np.frombuffer(bytes(self.raw), np.int16).astype(np.float64)
        size = 4 * len(samples)
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
        return float(np.fft.rfftfreq(size, 1 / self.rate)[spectrum.argmax()])


@dataclass(eq=False)
class Sound:
    """Something that is heard, from when to when. Times are seconds of `trio.current_time`."""

    what: Any
    """A path, a Source, or `Spoken`."""
    duration: float
    """That it would take."""
    began: float
    ended: float | None = None
    """None: it is still heard."""
    gain: float = 0.0
    lost: float | None = None
    """Since when it no longer arrives: one-way audio."""

    @property
    def until(self) -> float:
        """When it will have ended, or has."""
        return self.began + self.duration if self.ended is None else self.ended

    @property
    def whole(self) -> bool:
        """Whether it was heard to its end."""
        return self.lost is None and self.ended is not None and self.ended - self.began >= self.duration - 0.05

    @property
    def name(self) -> str:
        """For people: `'Welcome.'`, `greeting.wav`, `a tone of 440 Hz`."""
        return name_of(self.what)


def name_of(what: Any) -> str:
    """What a sound, or what is expected of one, is called."""
    match what:
        case str():
            return what if is_url(what) else f"'{what}'"
        case Path():
            return what.name
        case re.Pattern():
            return f"something like '{what.pattern}'"
        case FileSource():
            return what.path.name
        case UrlSource():
            return what.url
        case Louder():
            return name_of(what.source)
        case Tone(hz=()):
            return "silence"
        case Tone(hz=hz):
            return "a tone of " + " and ".join(f"{one:g} Hz" for one in hz)
    text = text_of(what)
    return f"'{text}'" if text else _kind(what)


def _kind(what: Any) -> str:
    return SAMPLES if isinstance(what, Samples) else getattr(what, "__name__", "") or type(what).__name__


def text_of(what: Any) -> str:
    """The text of what is spoken; "" for other sounds."""
    text = getattr(what, "text", "")
    return text if isinstance(text, str) else ""


def fits(expected: Any, what: Any) -> bool:
    """Whether a sound is what was expected.

    A text: it is (part of) what was said, whatever its case and spaces, or the name or the end of the path of a file. A
    pattern: it is found there. A Path: the same file, or for a relative one the same end of the path. A Tone: the same
    frequencies, or samples with that pitch. "samples": what a plugin made itself. Else: equal.
    """
    if isinstance(what, Louder):
        return fits(expected, what.source)
    names = [text_of(what), *_file_names(what)]
    match expected:
        case str():
            return _squeezed(expected) in _squeezed(names[0]) or any(_is_end(expected, name) for name in names[1:])
        case re.Pattern():
            return any(expected.search(name) for name in names if name)
        case Path():
            return any(_is_end(expected.as_posix(), name) for name in names[1:])
        case Tone():
            return _is_tone(expected, what)
    return bool(expected == what)


def _is_tone(expected: Tone, what: Any) -> bool:
    if isinstance(what, Samples):
        return len(expected.hz) == 1 and abs(what.hz() - expected.hz[0]) <= OFF_BY * expected.hz[0]
    return isinstance(what, Tone) and what.hz == expected.hz


def _file_names(what: Any) -> list[str]:
    match what:
        case str() | Path():
            return [Path(what).as_posix() if "://" not in str(what) else str(what)]
        case FileSource():
            return [what.path.as_posix()]
        case UrlSource():
            return [what.url]
        case Samples():
            return [SAMPLES]
    return []


def _is_end(expected: str, name: str) -> bool:
    return bool(expected) and (name == expected or name.endswith("/" + expected.removeprefix("./")))


def _squeezed(text: str) -> str:
    return " ".join(text.casefold().split())


def duration_of(source: Any) -> float:
    """Seconds that a source plays; `math.inf` for one without end. Raises SourceError for a file that can't be read."""
    match source:
        case UrlSource():
            return URL_SECONDS
        case str() if is_url(source):
            return URL_SECONDS
        case str() | Path():
            return _of_file(str(source))
        case FileSource():
            return _of_file(str(source.path))
        case Louder():
            return duration_of(source.source)
        case Playlist(loop=False):
            return _of_readable(source)
    if hasattr(source, "duration"):
        told = told_duration(source)
        return math.inf if told is None else told
    return _measured(source) if isinstance(source, Source) else 0.0


def is_of_network(source: Any) -> bool:
    """Whether (part of) it comes from a URL."""
    match source:
        case str():
            return is_url(source)
        case Louder():
            return is_of_network(source.source)
        case Playlist():
            return any(map(is_of_network, source.sources))
    return isinstance(source, UrlSource)


def _of_readable(playlist: Playlist) -> float:
    """As a playlist is heard: what can't be read is left out, unless nothing can or all must be."""
    seconds, error = 0.0, None
    for source in playlist.sources:
        try:
            seconds += duration_of(source)
        except SourceError as exc:
            error = exc
            if playlist.strict:
                raise
    if error is not None and not seconds:
        raise error
    return seconds


def _of_file(path: str) -> float:
    try:
        with wave.open(path) as file:
            frames: int = file.getnframes()
            return frames / int(file.getframerate())
    except (OSError, EOFError, wave.Error) as exc:
        if not Path(path).is_file():
            raise SourceError(f"{path}: {exc}") from exc
    try:
        with av.open(path) as container:
            return float(container.duration or 0) / 1_000_000  # av.time_base
    except (OSError, ValueError, av.error.FFmpegError) as exc:
        raise SourceError(f"{path}: {exc}") from exc


def _measured(source: Source) -> float:
    """By reading it."""
    reader = source.open(RATE)
    seconds = 0.0
    try:
        while seconds < LONGEST and (block := reader.read()) is not None:
            seconds += len(block) / reader.rate
    finally:
        reader.close()
    return seconds
