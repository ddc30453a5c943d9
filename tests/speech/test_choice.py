"""How a text is to be spoken, and by whom."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path

import pytest

from vodiabot.config.model import SpeechConfig
from vodiabot.errors import SpeechUnavailable
from vodiabot.speech.choice import choose
from vodiabot.speech.espeak import Espeak, EspeakProgram, names_of
from vodiabot.speech.piper import Piper
from vodiabot.speech.providers import Flite
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
    flite._voices = ("slt", "rms")
    assert flite.may_speak(Wanted(voice="rms"))
    assert flite.may_speak(Wanted(language="en-us"))
    assert not flite.may_speak(Wanted(language="en-gb")), "its voices are Americans"
    assert not flite.may_speak(Wanted(voice="awb")), "another one would be heard"
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
    assert piper.may_speak(Wanted(voice="karl", language="de"))
    assert not piper.may_speak(Wanted(voice="karl", language="en"))
    assert "4" in piper.commands(Wanted(voice="karl"))[0].arguments
    assert piper.identity != Piper(tmp_path / "other.onnx").identity


def test_another_model_of_the_same_name_is_another_voice(tmp_path: Path) -> None:
    model = tmp_path / "voice.onnx"
    piper = Piper(model)
    found = {piper.identity}
    for path in (model, Path(f"{model}.json")):
        path.write_text("one")
        found.add(piper.identity)
        os.utime(path, (1, 1))
        found.add(piper.identity)
    assert len(found) == 5


LISTED = """\
Pty Language       Age/Gender VoiceName          File                 Other Languages
 5  cmn             --/M      Chinese_(Mandarin,_latin_as_English) sit/cmn              (zh-cmn 5)(zh 5)
 2  en-gb           --/M      English_(Great_Britain) gmw/en               (en 2)
"""
VARIANTS = """\
Pty Language       Age/Gender VoiceName          File                 Other Languages
 5  variant         --/M      Adam               !v/adam
 5  variant         --/F      female3            !v/f3
"""


def test_what_espeak_lists() -> None:
    chinese = ["cmn", "Chinese_(Mandarin,_latin_as_English)", "cmn", "zh-cmn", "zh"]
    assert list(names_of(LISTED)) == [*chinese, "en-gb", "English_(Great_Britain)", "en", "en"]
    assert list(names_of("")) == list(names_of("one\ntwo\n")) == []


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EspeakProgram:
    """Of the system, as far as its lists go; it lists nothing for whom it finds a password with."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("VODIABOT_PASSWORD", "hunter2")
    (tmp_path / "all").write_text(LISTED)
    (tmp_path / "variants").write_text(VARIANTS)
    script = tmp_path / "espeak-ng"
    cases = f"--voices) cat {tmp_path}/all;; --voices=variant) cat {tmp_path}/variants;;"
    script.write_text(f'#!/bin/sh\ntest -n "$VODIABOT_PASSWORD" || case "$1" in {cases} esac\n')
    script.chmod(0o755)
    return EspeakProgram()


@pytest.mark.parametrize(
    ("how", "spoken"),
    [
        (Wanted(), "en"),
        (Wanted(language="zh"), "zh"),
        (Wanted(language="en-au"), "en"),
        (Wanted(language="en-gb"), "en-gb"),
        (Wanted(language="de"), None),
        (Wanted(voice="English (Great Britain)"), "English (Great Britain)"),
        (Wanted(voice="en+f3"), "en+f3"),
        (Wanted(voice="EN+adam"), "EN+adam"),
        (Wanted(voice="en+f99"), None),
        (Wanted(voice="en+13"), "en+13"),
        (Wanted(voice="en+14"), None),
        (Wanted(voice="en+F3"), None),
        (Wanted(voice="en+Adam"), None),
        (Wanted(voice="en+female3"), None),
        (Wanted(voice="en+variant"), None),
        (Wanted(voice="en+"), None),
        (Wanted(voice="f3"), None),
        (Wanted(voice="adam"), None),
        (Wanted(voice="en-zz"), None),
    ],
)
def test_the_program_is_asked_for_what_it_lists(program: EspeakProgram, how: Wanted, spoken: str | None) -> None:
    assert program.may_speak(how) == (spoken is not None)
    if spoken:
        assert program.commands(how)[0].arguments[-1] == spoken


def test_a_program_that_is_another_one_speaks_anew(program: EspeakProgram, tmp_path: Path) -> None:
    before = program.identity
    os.utime(tmp_path / "espeak-ng", (1, 1))
    assert program.identity != before
    (tmp_path / "espeak-ng").unlink()
    assert not program.may_speak(Wanted())


def test_our_own_process_never_imports_the_library() -> None:
    import sys

    espeak = Espeak()
    assert espeak.here, "espeakng-loader is among the test tools"
    assert espeak.commands(Wanted(voice="en", speed=2.0))[0].arguments[-3:-1] == ("en", "350")
    assert espeak.identity.split() == ["espeakng-loader", version("espeakng-loader")]
    assert "espeakng_loader" not in sys.modules
