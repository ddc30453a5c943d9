"""espeak-ng: quick, small, and in many languages."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from .espeak_child import file_of_variant
from .process import OUT, Command, told_by
from .providers import Utf8, stamp_of, version_of
from .wanted import Wanted

WORDS_A_MINUTE = 175
"""Its usual speed."""

NO_SUCH_VOICE = 3
"""Exit code of our own child process."""

_CHILD = Path(__file__).parent / "espeak_child.py"
_VARIANT = re.compile(r"!v/(.+?) *$", re.MULTILINE)
_FURTHER_LANGUAGE = re.compile(r"\((\S+) \d+\)")


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

    @cached_property
    def identity(self) -> str:
        return f"espeakng-loader {version_of('espeakng-loader')}"

    def may_speak(self, wanted: Wanted) -> bool:
        return True

    def commands(self, wanted: Wanted) -> list[Command]:
        assert self._package is not None
        ending = {"win32": "espeak-ng.dll", "darwin": "libespeak-ng.dylib"}.get(sys.platform, "libespeak-ng.so")
        library, data = str(self._package / ending), str(self._package / "espeak-ng-data")
        child = (sys.executable, "-I", "-S", str(_CHILD), library, data)
        how = (",".join(_voices(wanted)), str(round(WORDS_A_MINUTE * wanted.speed)))
        return [Command((*child, *how, OUT), NO_SUCH_VOICE)]


class EspeakProgram(Utf8):
    """espeak-ng as the system has it."""

    name = "espeak"
    install = "apt-get install espeak-ng"

    @cached_property
    def _program(self) -> str | None:
        return shutil.which("espeak-ng")

    @cached_property
    def _known(self) -> frozenset[str]:
        """Voices and languages. The program itself would speak en-zz as en."""
        listed = (told_by(str(self._program), f"--voices{kind}") for kind in ("", "=mbrola"))
        return frozenset(name.lower() for text in listed for name in names_of(text))

    @cached_property
    def _variants(self) -> frozenset[str]:
        """By their files. The program itself would take the plain voice for one that it does not have."""
        return frozenset(_VARIANT.findall(told_by(str(self._program), "--voices=variant")))

    @property
    def here(self) -> bool:
        return self._program is not None

    @property
    def identity(self) -> str:
        return f"espeak-ng {stamp_of(Path(self._program or ''))}"

    def may_speak(self, wanted: Wanted) -> bool:
        return any(self._has(voice) for voice in _voices(wanted))

    def _has(self, voice: str) -> bool:
        base, plus, variant = voice.partition("+")
        is_known = base.lower().replace(" ", "_") in self._known
        return is_known and (not plus or file_of_variant(variant) in self._variants)

    def commands(self, wanted: Wanted) -> list[Command]:
        assert self._program is not None
        words = str(round(WORDS_A_MINUTE * wanted.speed))
        program = (self._program, "--stdin", "-b", "1", "-s", words, "-w", OUT)
        return [Command((*program, "-v", voice), 1) for voice in _voices(wanted) if self._has(voice)]

    def prepared(self, text: str) -> bytes:
        return super().prepared(text.replace("[[", "[ ["))  # the program takes [[…]] for phonemes


def names_of(listed: str) -> Iterator[str]:
    """Of what `espeak-ng --voices` prints: languages, names (with _ for a blank), and files without their folder."""
    for line in listed.splitlines()[1:]:
        columns = line.split()
        if len(columns) >= 5:
            _, language, _, name, file = columns[:5]
            yield from (language, name, file.rpartition("/")[2], *_FURTHER_LANGUAGE.findall(line))


def _voices(wanted: Wanted) -> tuple[str, ...]:
    """Its voices are called like languages, too."""
    return wanted.languages if wanted.voice is None else (wanted.voice,)
