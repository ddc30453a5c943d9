"""The providers that are there, for real."""

from __future__ import annotations

import re
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vodiabot.errors import SpeechUnavailable
from vodiabot.speech.espeak import Espeak, EspeakProgram
from vodiabot.speech.providers import Flite

from .kit import Played, speech

SENTENCE = "Welcome. Press one for sales, or two for support."


def sound_of(path: Path) -> tuple[np.ndarray[Any, np.dtype[np.float64]], int]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float), file.getframerate()


def assert_speech(path: Path, text: str) -> None:
    """8 to 30 characters a second; loud, but not all the time: syllables; most of its energy where voices have it."""
    samples, rate = sound_of(path)
    assert 8 < len(text) / (len(samples) / rate) < 30
    block = rate // 50
    levels = np.sqrt((samples[: len(samples) // block * block].reshape(-1, block) ** 2).mean(axis=1))
    assert levels.max() > 1500
    assert (levels < 0.1 * levels.max()).mean() > 0.05
    assert (levels > 0.2 * levels.max()).mean() > 0.2
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / rate)
    assert power[(hz > 80) & (hz < 4000)].sum() > 0.7 * power.sum()


@pytest.mark.parametrize("provider", [Espeak(), Flite(), EspeakProgram()], ids=lambda p: type(p).__name__)
async def test_it_speaks(tmp_path: Path, provider: Any) -> None:
    if not provider.here:
        assert not isinstance(provider, Espeak), "espeakng-loader is among the test tools"
        pytest.skip("it is not installed")
    play = Played()
    await speech(tmp_path, provider).say(SENTENCE, play)
    assert_speech(play.paths[0], SENTENCE)
    await speech(tmp_path, provider, speed=2.0).say(SENTENCE, play)
    assert play.seconds[1] == pytest.approx(play.seconds[0] / 2, rel=0.35)


async def test_languages_and_voices_differ(tmp_path: Path) -> None:
    speaker, play = speech(tmp_path, Espeak()), Played()
    await speaker.say(SENTENCE, play)
    await speaker.say(SENTENCE, play, language="de")
    await speaker.say(SENTENCE, play, language="de-AT")
    await speaker.say(SENTENCE, play, voice="en-us+f3")
    english, german, austrian, woman = (path.read_bytes() for path in play.paths)
    assert len({english, german, woman}) == 3
    assert german == austrian, "what is not there is spoken as what it is a kind of"


async def test_a_language_is_found_whatever_its_file_is_called(tmp_path: Path) -> None:
    speaker, play = speech(tmp_path, Espeak()), Played()
    for language in ("es", "es-419", "es-mx", "nb", "no", "zh"):
        await speaker.say(SENTENCE, play, language=language)
    spain, america, mexico, bokmal, norway, china = (path.read_bytes() for path in play.paths)
    assert mexico == america != spain
    assert norway == bokmal
    assert len(china) > 10_000


async def test_a_variant_by_its_number(tmp_path: Path) -> None:
    speaker, play = speech(tmp_path, Espeak()), Played()
    for voice in ("en+3", "en+m3", "en+12", "en+f2"):
        await speaker.say(SENTENCE, play, voice=voice)
    man, same_man, woman, same_woman = (sound_of(path)[0] for path in play.paths)
    assert np.array_equal(man, same_man)
    # Her breath is noise, another one in each process.
    assert np.corrcoef(woman, same_woman)[0, 1] > 0.99
    assert len(man) != len(woman)


ABSENT = ("harry", "en-zz", "f3", "whisper", "en+", "en+0", "en+f99", "en+Adam", "en-us+F3", "en+f3+f4")


@pytest.mark.parametrize("provider", [Espeak(), Flite(), EspeakProgram()], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize(
    "asked",
    [*({"voice": voice} for voice in ABSENT), {"language": "xx"}, {"language": "whisper"}],
    ids=lambda asked: next(iter(asked.values())),
)
async def test_what_it_does_not_have_is_told(tmp_path: Path, provider: Any, asked: dict[str, str]) -> None:
    if not provider.here:
        pytest.skip("it is not installed")
    play = Played()
    what = re.escape(next(iter(asked.values())))
    with pytest.raises(SpeechUnavailable, match=f"{provider.name} has no voice .*'{what}'"):
        await speech(tmp_path, provider).say("Hello.", play, **asked)
    assert not play.paths, "nor is another voice heard"


ODD = ("-h is an option", "<speak>a</speak>", "[[h@]]", "one\0two", "&amp; <mark name='x'/>")


@pytest.mark.parametrize("provider", [Espeak(), Flite(), EspeakProgram()], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("text", ODD)
async def test_what_looks_like_something_else_is_spoken(tmp_path: Path, provider: Any, text: str) -> None:
    if not provider.here:
        pytest.skip("it is not installed")
    play = Played()
    await speech(tmp_path, provider).say(text, play)
    assert play.seconds[0] > 0.3


async def test_dots_are_no_failure(tmp_path: Path) -> None:
    play = Played()
    await speech(tmp_path, Espeak()).say("…", play)
    assert sum(play.seconds) < 2
