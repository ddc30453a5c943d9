"""piper: the best voices, of a model that is configured."""

from __future__ import annotations

import json
import sys
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .process import OUT, Command
from .providers import Utf8, stamp_of, version_of
from .wanted import Wanted

_CHILD = Path(__file__).parent / "piper_child.py"


class Piper(Utf8):
    """PyPI's piper-tts with one model; a model of several speakers has them as voices."""

    name = "piper"
    install = "pip install 'vodiabot[speech-piper]', and [speech] model = the .onnx file of a voice"

    def __init__(self, model: Path | None) -> None:
        self._model = model

    @cached_property
    def _installed(self) -> bool:
        return find_spec("piper") is not None

    @property
    def here(self) -> bool:
        return self._model is not None and self._installed

    @property
    def identity(self) -> str:
        """A model may be replaced by another one of its name."""
        stamps = (stamp_of(path) for path in (self._model, self._card_path) if path is not None)
        return " ".join(("piper", self._version, str(self._model), *stamps))

    @cached_property
    def _version(self) -> str:
        return version_of("piper-tts")

    @property
    def _card_path(self) -> Path | None:
        return self._model and Path(f"{self._model}.json")

    @cached_property
    def _card(self) -> dict[str, Any]:
        """What the file beside the model says of it; nothing where it can't be read, as piper itself tells then."""
        try:
            card = json.loads(self._card_path.read_text(encoding="utf-8")) if self._card_path else {}
        except (OSError, ValueError):
            return {}
        return card if isinstance(card, dict) else {}

    @property
    def _speakers(self) -> dict[str, Any]:
        return self._card.get("speaker_id_map") or {}

    @property
    def _language(self) -> str | None:
        """`en-us`; None where it is not told."""
        told = self._card.get("language")
        code = told.get("code") if isinstance(told, dict) else None
        return str(code).lower().replace("_", "-") if code else None

    def may_speak(self, wanted: Wanted) -> bool:
        if wanted.voice is not None and wanted.voice not in self._speakers:
            return False
        if wanted.language is None or self._language is None:
            return True
        return self._language == wanted.language or self._language.split("-")[0] == wanted.language

    def commands(self, wanted: Wanted) -> list[Command]:
        speaker = "" if wanted.voice is None else str(self._speakers[wanted.voice])
        child = (sys.executable, "-I", str(_CHILD), str(self._model))
        return [Command((*child, speaker, f"{1 / wanted.speed:.3f}", OUT))]
