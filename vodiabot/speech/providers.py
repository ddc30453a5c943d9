"""What speaks: programs and libraries that may be there or not, each run as a child process."""

from __future__ import annotations

import shutil
import unicodedata
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

from .process import OUT, Command, told_by
from .wanted import Wanted


class Provider(Protocol):
    """One way to speak."""

    name: str
    install: str
    """The command that brings it here."""

    @property
    def here(self) -> bool:
        """Whether it is installed. May block for a moment."""

    @property
    def identity(self) -> str:
        """With its version: another one speaks otherwise, so it is part of the cache's key."""

    def may_speak(self, wanted: Wanted) -> bool:
        """False: it certainly has no such voice or language. May block for a moment."""

    def commands(self, wanted: Wanted) -> list[Command]:
        """To be tried in this order while there is no such voice."""

    def prepared(self, text: str) -> bytes:
        """The text as its stdin takes it."""


class Utf8:
    """A provider that reads UTF-8."""

    def prepared(self, text: str) -> bytes:
        return text.encode("utf-8", "ignore")


def stamp_of(path: Path) -> str:
    """Another one is another file there: a new version. "" where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return ""
    return f"{stat.st_size} {stat.st_mtime_ns}"


def version_of(package: str) -> str:
    """Of an installed distribution; "" if it does not say."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


class Flite:
    """flite as the system has it: English only."""

    name = "flite"
    install = "apt-get install flite"
    best_first = ("slt", "rms", "awb", "kal16", "kal", "awb_time")
    """Debian's voices."""

    @cached_property
    def _program(self) -> str | None:
        return shutil.which("flite")

    @cached_property
    def _voices(self) -> tuple[str, ...]:
        """Built into the program, which would take another one for a voice that it does not have."""
        _, _, names = told_by(str(self._program), "-lv").partition(":")
        return tuple(name for name in self.best_first if name in names.split())

    @property
    def here(self) -> bool:
        return self._program is not None

    @property
    def identity(self) -> str:
        return f"flite {stamp_of(Path(self._program or ''))}"

    def may_speak(self, wanted: Wanted) -> bool:
        """Its usual voice is an American."""
        if wanted.voice is not None:
            return wanted.voice in self._voices and wanted.languages[-1] == "en"
        return bool(self._voices) and wanted.languages[0] in ("en", "en-us")

    def commands(self, wanted: Wanted) -> list[Command]:
        assert self._program is not None
        stretch = f"duration_stretch={1 / wanted.speed:.3f}"
        voice = wanted.voice or self._voices[0]
        return [Command((self._program, "-voice", voice, "--setf", stretch, "-o", OUT, "-f", "/dev/stdin"))]

    def prepared(self, text: str) -> bytes:
        """It reads ASCII; of é the e is left."""
        quotes = text.translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-", 0x2014: "-"})
        return unicodedata.normalize("NFKD", quotes).encode("ascii", "ignore") + b"\n"
