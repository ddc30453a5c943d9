"""A TOML text of an author's: its tables, and on which line each key stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli

from ..config.lines import line_index
from ..config.syntax import syntax_error
from ..errors import ConfigError, Problem


def text_of(path: Path) -> str:
    """Raises ConfigError."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as exc:
        raise _broken(str(path), None, "there is no such file") from exc
    except OSError as exc:
        raise _broken(str(path), None, f"can't be read: {exc.strerror or type(exc).__name__}") from exc
    except UnicodeDecodeError as exc:
        raise _broken(str(path), None, "is not UTF-8 text") from exc


def document_of(text: str, file: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Tables, and lines as of `config.line_index`. Raises ConfigError."""
    try:
        return tomli.loads(text), line_index(text)
    except tomli.TOMLDecodeError as exc:
        message, line = syntax_error(exc, text)
        raise _broken(file, line, message) from exc
    except RecursionError:
        raise _broken(file, None, "its lists are nested too deeply") from None


def _broken(file: str, line: int | None, message: str) -> ConfigError:
    return ConfigError([Problem(file, line, "", message)])
