"""bot.toml → Config. Every mistake is told at once, with file, line and key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli

from ..errors import ConfigError, Problem
from .draft import Draft, default_state_dir
from .kinds import folder, host_name
from .lines import line_index
from .model import Config
from .overrides import COMMAND_LINE, Overrides
from .reading import Source, Wrong
from .syntax import syntax_error


def load(
    path: Path,
    *,
    env: Mapping[str, str] = os.environ,
    overrides: Overrides | None = None,
    pbx_optional: bool = False,
) -> Config:
    """Read a configuration file.

    `overrides`: what the command line says. `pbx_optional`: `[pbx]` may be absent where there is a `[sim]`;
    then `pbx.url` is "" and `pbx.domain` the simulator's, for the caller to fill in.

    Raises ConfigError with all that is wrong, also where the file can't be read.
    """
    text = _text_of(path)
    return parse(text, file=str(path), env=env, overrides=overrides, pbx_optional=pbx_optional)


def parse(
    text: str,
    *,
    file: str = "bot.toml",
    base: Path | None = None,
    env: Mapping[str, str] = os.environ,
    overrides: Overrides | None = None,
    pbx_optional: bool = False,
) -> Config:
    """As `load`, of a text. `base`: what relative paths are relative to; by default the folder of `file`."""
    doc, lines = _document(text, file)
    source = Source(file, base or Path(file).absolute().parent, env, lines)
    return Draft(doc, source, overrides or Overrides()).config(pbx_optional=pbx_optional)


def from_overrides(overrides: Overrides) -> Config:
    """A configuration without a file: `--url`, `--user` and `--password-env` are needed, all else is default.

    Raises ConfigError.
    """
    source = Source(COMMAND_LINE, Path.cwd(), os.environ)
    clean = overrides.checked(source)
    needed = {"--url": overrides.url, "--user": overrides.user, "--password-env": overrides.password}
    for option, value in needed.items():
        if value is None:
            (source.top / option).complain("missing, as there is no configuration file")
    if "url" in clean and overrides.domain is None and not host_name(clean["url"]):
        (source.top / "--domain").complain("missing, and the host of --url is an address, not a domain")
    if source.problems:
        raise ConfigError(source.problems)
    return Draft({}, source, overrides).config(pbx_optional=False)


def state_dir_of(path: Path | None) -> Path:
    """Only where the state of a bot is that was started with this file, also where the file has become wrong since.

    Raises ConfigError if it can't be read, or is no TOML.
    """
    source = Source("", Path.cwd() if path is None else path.absolute().parent, {})
    doc: dict[str, Any] = {} if path is None else _document(_text_of(path), str(path))[0]
    section = doc.get("bot")
    written = section.get("state_dir") if isinstance(section, dict) else None
    try:
        return folder(written, source.top) if isinstance(written, str) else default_state_dir()
    except Wrong as exc:
        raise _broken(str(path), None, f"bot.state_dir: {exc}") from exc


def _text_of(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as exc:
        raise _broken(path, None, "there is no such file") from exc
    except OSError as exc:
        raise _broken(path, None, f"can't be read: {exc.strerror or type(exc).__name__}") from exc
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _broken(path, raw.count(b"\n", 0, exc.start) + 1, "is not UTF-8 text") from None


def _document(text: str, file: str) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        return tomli.loads(text), line_index(text)
    except tomli.TOMLDecodeError as exc:
        message, line = syntax_error(exc, text)
        raise _broken(file, line, message) from None  # the exception holds the whole text, passwords too
    except RecursionError:
        raise _broken(file, None, "its lists are nested too deeply") from None


def _broken(file: Path | str, line: int | None, message: str) -> ConfigError:
    return ConfigError([Problem(str(file), line, "", message)])
