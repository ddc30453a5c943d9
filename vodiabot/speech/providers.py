"""What speaks: programs and libraries that may be there or not, each run as a child process."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from .wanted import Wanted

WORDS_A_MINUTE = 175
"""espeak-ng's usual speed."""

NO_SUCH_VOICE = 3
"""Exit code of our own child processes."""

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Command:
    """A child process that reads the text from stdin and writes a WAV to the path that comes in place of `OUT`."""

    arguments: tuple[str, ...]
    no_such_voice: int | None = None
    """The exit code that says that it has no such voice."""

    def to(self, out: Path) -> list[str]:
        """All arguments, the program first."""
        return [str(out) if argument is OUT else argument for argument in self.arguments]


OUT = "<out>"


class Provider(Protocol):
    """One way to speak."""

    name: str
    install: str
    """The command that brings it here."""

    @property
    def here(self) -> bool:
        """Whether it is installed."""

    @property
    def identity(self) -> str:
        """Another one speaks otherwise: part of the cache's key."""

    def may_speak(self, wanted: Wanted) -> bool:
        """False: it certainly has no such voice or language."""

    def commands(self, wanted: Wanted) -> list[Command]:
        """To be tried in this order while there is no such voice."""

    def prepared(self, text: str) -> bytes:
        """The text as its stdin takes it."""


class Utf8:
    """A provider that reads UTF-8."""

    def prepared(self, text: str) -> bytes:
        return text.encode("utf-8", "ignore")


class Espeak(Utf8):
    """libespeak-ng of PyPI's espeakng-loader; it is not imported here."""

    name = "espeak"
    install = "pip install 'vodiabot[speech]'"

    @cached_property
    def _package(self) -> Path | None:
        spec = find_spec("espeakng_loader")
        return None if spec is None or spec.origin is None else Path(spec.origin).parent

    @property
    def here(self) -> bool:
        return self._package is not None

    @property
    def identity(self) -> str:
        return "espeakng-loader"

    def may_speak(self, wanted: Wanted) -> bool:
        return True

    def commands(self, wanted: Wanted) -> list[Command]:
        assert self._package is not None
        ending = {"win32": "espeak-ng.dll", "darwin": "libespeak-ng.dylib"}.get(sys.platform, "libespeak-ng.so")
        library, data = str(self._package / ending), str(self._package / "espeak-ng-data")
        words = str(round(WORDS_A_MINUTE * wanted.speed))
        child = (sys.executable, "-I", "-S", str(_HERE / "espeak_child.py"), library, data)
        return [Command((*child, voice, words, OUT), NO_SUCH_VOICE) for voice in _voices(wanted)]


class EspeakProgram(Utf8):
    """espeak-ng as the system has it."""

    name = "espeak"
    install = "apt-get install espeak-ng"

    @cached_property
    def _program(self) -> str | None:
        return shutil.which("espeak-ng")

    @property
    def here(self) -> bool:
        return self._program is not None

    @property
    def identity(self) -> str:
        return "espeak-ng"

    def may_speak(self, wanted: Wanted) -> bool:
        return True

    def commands(self, wanted: Wanted) -> list[Command]:
        assert self._program is not None
        words = str(round(WORDS_A_MINUTE * wanted.speed))
        program = (self._program, "--stdin", "-b", "1", "-s", words, "-w", OUT)
        return [Command((*program, "-v", voice), 1) for voice in _voices(wanted)]

    def prepared(self, text: str) -> bytes:
        return super().prepared(text.replace("[[", "[ ["))  # the program takes [[…]] for phonemes


def _voices(wanted: Wanted) -> tuple[str, ...]:
    """espeak-ng's voices are called like languages, too."""
    return wanted.languages if wanted.voice is None else (wanted.voice,)


class Flite:
    """flite as the system has it: English only."""

    name = "flite"
    install = "apt-get install flite"
    voices = ("slt", "rms", "awb", "kal16", "kal", "awb_time")
    """Built into Debian's program, the best first."""

    @cached_property
    def _program(self) -> str | None:
        return shutil.which("flite")

    @property
    def here(self) -> bool:
        return self._program is not None

    @property
    def identity(self) -> str:
        return "flite"

    def may_speak(self, wanted: Wanted) -> bool:
        return wanted.languages[-1] == "en" and wanted.voice in (None, *self.voices)

    def commands(self, wanted: Wanted) -> list[Command]:
        assert self._program is not None
        stretch = f"duration_stretch={1 / wanted.speed:.3f}"
        voice = wanted.voice or self.voices[0]
        return [Command((self._program, "-voice", voice, "--setf", stretch, "-o", OUT, "-f", "/dev/stdin"))]

    def prepared(self, text: str) -> bytes:
        """It reads ASCII; of é the e is left."""
        quotes = text.translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-", 0x2014: "-"})
        return unicodedata.normalize("NFKD", quotes).encode("ascii", "ignore") + b"\n"
