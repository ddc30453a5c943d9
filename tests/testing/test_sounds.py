"""How long something is heard in virtual time."""

from __future__ import annotations

import math
import wave
from pathlib import Path

import pytest
import trio

from vodiabot import sources
from vodiabot.errors import SourceError
from vodiabot.testing.offline import offline
from vodiabot.testing.recording import Stops, record
from vodiabot.testing.sounds import URL_SECONDS, duration_of
from vodiabot.testing.world import in_virtual_time

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


def test_a_recording_is_a_whole_file_of_its_length(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    stops = Stops(trio.sleep_forever, max_seconds=300.0, silence=None, stop_on="")

    async def recorded() -> None:
        await record(path, stops, set(), channels=2)

    in_virtual_time(recorded)
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        assert file.getnframes() == 300 * 8000
        assert file.readframes(10**9) == bytes(4 * 300 * 8000)
