"""What can be played: files, streams of the network, tones, silence, what a plugin feeds, and lists of all that.

A `Source` is a recipe; `open` makes a `Reader` of it, which gives blocks of int16 mono samples.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import SourceError
from .base import AtRate, Reader, Source, duration_of, is_inline, is_quick
from .fed import Feed
from .files import FileSource, UrlSource, is_url
from .generated import Tone, signal, silence_for, tone
from .joined import Louder, Playlist

SOUND_FILES = (".wav", ".mp3", ".ogg", ".opus", ".flac", ".m4a", ".aac", ".aiff", ".au", ".wma")
"""Endings of the files in a folder that are music."""

__all__ = [
    "AtRate",
    "Feed",
    "FileSource",
    "Louder",
    "Playlist",
    "Reader",
    "Source",
    "Tone",
    "UrlSource",
    "as_source",
    "duration_of",
    "is_inline",
    "is_quick",
    "music_on_hold",
    "playlist",
    "signal",
    "silence_for",
    "tone",
]


def as_source(what: object) -> Source:
    """A path of a sound file, an http or https URL, a Source, or a list of these, each of which must be readable.
    Raises SourceError."""
    if isinstance(what, str) and is_url(what):
        return UrlSource(what)
    if isinstance(what, str | Path):
        return FileSource(Path(what))
    if isinstance(what, list | tuple):
        return Playlist(tuple(map(as_source, what)), strict=True)
    if isinstance(what, Source):
        return what
    raise SourceError(f"{what!r} can't be played: give a path, a URL or a Source")


def playlist(*sources: object, loop: bool = False, shuffle: int | None = None) -> Playlist:
    """One after the other without a gap. Raises SourceError."""
    return Playlist(tuple(map(as_source, sources)), loop, shuffle)


def music_on_hold(folder: str | Path, *, gain: float = -6.0, shuffle: int | None = None) -> Source:
    """All sound files of a folder, by name, without end; `gain` in dB. Raises SourceError if there are none."""
    try:
        files = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in SOUND_FILES)
    except OSError as exc:
        raise SourceError(f"{folder}: can't be read: {exc.strerror or exc}") from exc
    if not files:
        raise SourceError(f"{folder}: has no sound files in it")
    return Louder(playlist(*files, loop=True, shuffle=shuffle), gain)
