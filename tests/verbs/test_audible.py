"""`vodiabot check` tells what callers would not hear: files that are no sound, texts that nobody can speak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.speech.kit import Scripted
from vodiabot.speech import Speech
from vodiabot.speech.cache import Cache
from vodiabot.verbs import audible
from vodiabot.verbs.check import check
from vodiabot.verbs.common import DONE, USAGE, Connection

TOML = """[pbx]
url = "ws://127.0.0.1:9"
domain = "localhost"
[[extension]]
user = "45"
password = "bot"
[bot]
state_dir = "state"
[plugins]
path = ["plugins"]
enabled = ["sales"]
[[route]]
plugin = "sales"
"""

SALES = """
from dataclasses import dataclass, field
from vodiabot import SoundFile, SpokenText, Voice, hookimpl

@dataclass
class Item:
    sound: SoundFile | None = None
    text: SpokenText = ""

@dataclass
class Config:
    sounds: list[SoundFile] = field(default_factory=list)
    voice: Voice = ""
    items: dict[str, Item] = field(default_factory=dict)
    bye: SpokenText | None = None
    count: int = 0

@hookimpl
async def answer_call(call): pass
"""


class Installed:
    """What speaks on this machine."""

    def __init__(self, *providers: Scripted) -> None:
        self.providers = providers

    def __call__(self, settings: Any, state_dir: Path) -> Speech:
        return Speech(settings, Cache(state_dir, 0), self.providers)


class OneVoice(Scripted):
    def may_speak(self, wanted: Any) -> bool:
        return wanted.voice in (None, "anna")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "sales.py").write_text(SALES)
    monkeypatch.chdir("/")  # paths are relative to the file
    monkeypatch.setattr(audible, "speech_of", Installed(OneVoice()))
    return tmp_path


def told(place: Path, more: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The mistakes."""
    file = place / "bot.toml"
    file.write_text(TOML + more)
    code = check(Connection(file), online=False, as_json=False)
    lines = [line.removeprefix(f"vodiabot: {file}:") for line in capsys.readouterr().err.splitlines()]
    assert code == (USAGE if lines else DONE)
    return [line.replace(f"{place}/", "") for line in lines]


def noted(place: Path, more: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the bot runs without."""
    file = place / "bot.toml"
    file.write_text(TOML + more)
    assert check(Connection(file), online=False, as_json=False) == DONE
    *notes, verdict = capsys.readouterr().out.splitlines()
    assert verdict == "the configuration is right"
    return [line.removeprefix(f"note: {file}:") for line in notes]


def test_files_that_are_not_there_beside_all_other_mistakes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "here.wav").write_text("not looked at, as the section is wrong")
    (place / "folder.wav").mkdir()
    more = """[plugin.sales]
sounds = ["here.wav", "gone.wav", "folder.wav"]
count = "1"
[plugin.sales.items.a]
sound = "gone/too.wav"
"""
    assert told(place, more, capsys) == [
        "15: plugin.sales.sounds[1]: there is no file gone.wav",
        "15: plugin.sales.sounds[2]: folder.wav can't be read: Is a directory",
        "16: plugin.sales.count: expected a whole number, got a text in quotes",
        "18: plugin.sales.items.a.sound: there is no file gone/too.wav",
    ]


def test_a_file_that_is_no_sound(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "text.wav").write_text("la la la")
    [line] = told(place, '[plugin.sales]\nsounds = ["text.wav"]\n', capsys)
    assert line.startswith("15: plugin.sales.sounds[0]: text.wav: ")


def test_a_voice_that_nobody_has(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(place, '[plugin.sales]\nvoice = "anna"\nbye = "Bye."\n', capsys) == []
    [line] = told(place, '[plugin.sales]\nvoice = "bertha"\n', capsys)
    assert line == "15: plugin.sales.voice: espeak has no voice 'bertha'"
    [line] = told(place, '[speech]\nvoice = "bertha"\n[plugin.sales]\nbye = "Bye."\n', capsys)
    assert line == "15: speech.voice: espeak has no voice 'bertha'", "told once, and not of each text"


def test_texts_where_nothing_speaks(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audible, "speech_of", Installed(Scripted(here=False)))
    why = "no speech provider is installed, so nothing can be spoken: pip install 'vodiabot[speech]'"
    assert noted(place, "", capsys) == [], "who has no text needs none"
    assert noted(place, '[plugin.sales]\nbye = "Bye."\n[plugin.sales.items.a]\ntext = "A."\n', capsys) == [
        f"15: plugin.sales.bye: {why}",
        f"17: plugin.sales.items.a.text: {why}",
    ]
    [line] = told(place, '[speech]\nprovider = "espeak"\n', capsys)
    assert line == "15: speech.provider: the speech provider espeak is not installed: pip install it"
