"""How long something is heard in virtual time."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from vodiabot import sources
from vodiabot.errors import SourceError
from vodiabot.testing.offline import offline
from vodiabot.testing.sounds import URL_SECONDS, duration_of

CHIME = Path(__file__).parent / "plugins" / "chime.wav"


def test_a_playlist_of_files_ends_and_one_that_loops_does_not() -> None:
    one = duration_of(CHIME)
    assert 0 < one < 10
    assert duration_of(sources.playlist(CHIME, CHIME)) == pytest.approx(2 * one)
    assert duration_of(sources.playlist(CHIME, "missing.wav", sources.tone(440, 1.0))) == pytest.approx(one + 1)
    assert duration_of(sources.Louder(sources.playlist(CHIME), -6.0)) == pytest.approx(one)
    assert duration_of(sources.playlist(CHIME, loop=True)) == math.inf
    with pytest.raises(SourceError, match=r"missing\.wav"):
        duration_of(sources.playlist("missing.wav"))


def test_what_is_on_the_network_is_not_fetched() -> None:
    asked: list[str] = []
    with offline("", allowed=False, told=asked.append):
        assert duration_of("https://radio.example.com/live") == URL_SECONDS
        assert duration_of(sources.playlist("https://radio.example.com/a.mp3", CHIME)) > URL_SECONDS
    assert asked == []
