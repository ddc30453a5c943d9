"""What the command line says over the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import kinds
from .model import DialectSetting, Secret
from .reading import Source, Table
from .sections import DIALECTS

COMMAND_LINE = "command line"
"""Stands where problems have a file."""

_OPTIONS = {
    "--url": kinds.pbx_url,
    "--domain": kinds.word,
    "--user": kinds.word,
    "--dialect": kinds.one_of(*DIALECTS),
}


@dataclass(frozen=True)
class Overrides:
    """The options of the verbs that connect; None where one was not given."""

    url: str | None = None
    domain: str | None = None
    user: str | None = None
    """This extension only: one of the file's, or with `password` any."""
    password: Secret | None = None
    dialect: DialectSetting | None = None

    def checked(self, source: Source) -> dict[str, Any]:
        """`url`, `domain`, `user`, `dialect`, as far as given and right; the rest is told to `source`."""
        given = {"--url": self.url, "--domain": self.domain, "--user": self.user, "--dialect": self.dialect}
        raw = {option: value for option, value in given.items() if value is not None}
        clean = Table(_OPTIONS)(raw, source.top)
        return {option.removeprefix("--"): value for option, value in clean.items()}
