"""Providers made of a line of Python each, and a player that takes no time."""

from __future__ import annotations

import sys
import wave
from pathlib import Path
from typing import Any

from vodiabot.config.model import SpeechConfig
from vodiabot.speech import Speech
from vodiabot.speech.cache import Cache
from vodiabot.speech.process import OUT, Command
from vodiabot.speech.providers import Utf8
from vodiabot.speech.wanted import Wanted

SPEAKS = """
import sys, wave
text = sys.stdin.buffer.read().decode()
with wave.open(sys.argv[1], "wb") as file:
    file.setparams((1, 2, 8000, 0, "NONE", ""))
    file.writeframes(b"\\0\\1" * 800 * len(text))
"""
"""A tenth of a second a character."""

HANGS = "import os, sys, time; open(sys.argv[2], 'w').write(str(os.getpid())); time.sleep(600)"
FAILS = "import sys; sys.stderr.write('the voice is hoarse\\nand more'); sys.exit(5)"
WRITES_NOTHING = "import sys; sys.stdin.read()"
HAS_NO_VOICE = "import sys; sys.exit(3)"


class Scripted(Utf8):
    """A provider that is there, and behaves as its script does."""

    install = "pip install it"

    def __init__(self, script: str = SPEAKS, *more: str, name: str = "espeak", here: bool = True) -> None:
        self.name, self.here, self.identity = name, here, name
        self.spoken: list[bytes] = []
        self.only_language: str | None = None
        self._arguments = (sys.executable, "-I", "-S", "-c", script, OUT, *more)

    def may_speak(self, wanted: Wanted) -> bool:
        return self.only_language in (None, wanted.languages[-1])

    def commands(self, wanted: Wanted) -> list[Command]:
        return [Command(self._arguments, 3)]

    def prepared(self, text: str) -> bytes:
        self.spoken.append(text.encode())
        return super().prepared(text)


def speech(folder: Path, *providers: Any, cache: int = 10_000_000, **settings: Any) -> Speech:
    return Speech(SpeechConfig(**settings), Cache(folder, cache), providers)


class Played:
    """What was played: paths, and seconds of each."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self.seconds: list[float] = []

    async def __call__(self, what: Any) -> None:
        with wave.open(str(what)) as file:
            self.paths.append(Path(what))
            self.seconds.append(file.getnframes() / file.getframerate())
