"""How a text is to be spoken, and by whom."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vodiabot.config.model import SpeechConfig
from vodiabot.errors import SpeechUnavailable
from vodiabot.speech.choice import choose
from vodiabot.speech.piper import Piper
from vodiabot.speech.providers import Espeak, Flite
from vodiabot.speech.wanted import Wanted, wanted

from .kit import Scripted


@pytest.mark.parametrize(
    ("configured", "asked", "expected"),
    [
        ((None, None), (None, None), (None, None)),
        (("en+f3", None), (None, None), ("en+f3", None)),
        (("en+f3", "en"), (None, None), ("en+f3", "en")),
        (("en+f3", "en"), (None, "EN"), ("en+f3", "en")),
        (("en+f3", "en"), (None, "de_AT"), (None, "de-at")),
        (("en+f3", None), (None, "de"), (None, "de")),
        (("en+f3", "en"), ("de", None), ("de", None)),
        ((None, "de"), (None, None), (None, "de")),
    ],
)
def test_a_call_says_it_over_the_configuration(
    configured: tuple[str | None, ...], asked: tuple[str | None, ...], expected: tuple[str | None, ...]
) -> None:
    found = wanted(SpeechConfig(voice=configured[0], language=configured[1], speed=1.5), *asked)
    assert found == Wanted(expected[0], expected[1], 1.5)


@pytest.mark.parametrize("voice", ["", "../../etc/passwd", "-v", "a\0b", "a/b", "x" * 65])
def test_what_can_be_no_voice_reaches_no_provider(voice: str) -> None:
    with pytest.raises(SpeechUnavailable, match="no such voice"):
        wanted(SpeechConfig(), voice, None)


@pytest.mark.parametrize("language", ["", "d", "-de", "de/x", "de-", "d e"])
def test_what_can_be_no_language_neither(language: str) -> None:
    with pytest.raises(SpeechUnavailable, match="no such language"):
        wanted(SpeechConfig(), None, language)


def test_a_language_is_one_of_its_kind() -> None:
    assert Wanted(language="de-at").languages == ("de-at", "de")
    assert Wanted().languages == ("en",)


def test_auto_takes_the_best_that_may_speak_it() -> None:
    piper, flite, espeak = Scripted(name="piper", here=False), Scripted(name="flite"), Scripted(name="espeak")
    flite.only_language = "en"
    known = (piper, flite, espeak)
    assert choose(known, "auto", Wanted()) == [flite, espeak]
    assert choose(known, "auto", Wanted(language="de")) == [espeak]
    assert choose(known, "espeak", Wanted()) == [espeak]
    with pytest.raises(SpeechUnavailable, match="flite has no voice for the language 'de'"):
        choose(known, "flite", Wanted(language="de"))


def test_where_there_is_none_it_says_what_to_install() -> None:
    nothing = Scripted(name="espeak", here=False), Piper(None)
    with pytest.raises(SpeechUnavailable, match=r"pip install 'vodiabot\[speech\]'"):
        choose(nothing, "auto", Wanted())
    with pytest.raises(SpeechUnavailable, match=r"piper is not installed: pip install 'vodiabot\[speech-piper\]'"):
        choose(nothing, "piper", Wanted())


def test_flite_speaks_english_in_ascii() -> None:
    flite = Flite()
    assert flite.may_speak(Wanted(language="en-gb"))
    assert flite.may_speak(Wanted(voice="rms"))
    assert not flite.may_speak(Wanted(language="de"))
    assert not flite.may_speak(Wanted(voice="harry"))
    assert flite.prepared("Café “Zürich” \u2013 it\u2019s 電話") == b'Cafe "Zurich" - it\'s \n'


def test_piper_has_the_language_and_speakers_of_its_model(tmp_path: Path) -> None:
    model = tmp_path / "voice.onnx"
    card = {"language": {"code": "de_DE"}, "speaker_id_map": {"anna": 0, "karl": 4}}
    Path(f"{model}.json").write_text(json.dumps(card))
    piper = Piper(model)
    assert piper.may_speak(Wanted())
    assert piper.may_speak(Wanted(language="de"))
    assert not piper.may_speak(Wanted(language="en"))
    assert not piper.may_speak(Wanted(language="de-at"))
    assert not piper.may_speak(Wanted(voice="harry"))
    assert "4" in piper.commands(Wanted(voice="karl"))[0].arguments
    assert piper.identity != Piper(tmp_path / "other.onnx").identity


def test_our_own_process_never_imports_the_library() -> None:
    import sys

    espeak = Espeak()
    assert espeak.here, "espeakng-loader is among the test tools"
    assert espeak.commands(Wanted(voice="en", speed=2.0))[0].arguments[-3:-1] == ("en", "350")
    assert "espeakng_loader" not in sys.modules
