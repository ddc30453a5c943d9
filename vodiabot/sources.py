"""What a plugin can play besides files, and make sources of: `await call.play(sources.tone(440, 1.0))`.

A source of one's own is an object with `open(rate)`: see `Source` and `Reader`.
"""

from .media.sources import (
    Feed,
    Louder,
    Playlist,
    Reader,
    Source,
    Tone,
    music_on_hold,
    playlist,
    signal,
    silence_for,
    tone,
)

__all__ = [
    "Feed",
    "Louder",
    "Playlist",
    "Reader",
    "Source",
    "Tone",
    "music_on_hold",
    "playlist",
    "signal",
    "silence_for",
    "tone",
]
