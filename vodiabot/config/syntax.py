"""What is wrong with a text that is no TOML, in words: tomli's own name no key, or show Python's tuples."""

from __future__ import annotations

import re

import tomli

_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_KEY = re.compile(r"\s*\[*\s*([^=\]#\"'{]+?|\"[^\"]*\"|'[^']*')\s*(?:=|\])")
_NAME = re.compile("'([^']*)'")


def syntax_error(exc: tomli.TOMLDecodeError, text: str) -> tuple[str, int]:
    """What it says without its place, and the 1-based line. No value of the text is in it, passwords neither."""
    message = _PLACE.sub("", str(exc))
    found = _PLACE.search(str(exc))
    lines = text.split("\n")
    line = int(found["line"]) if found and found["line"] else text.count("\n") + 1
    if message == "Cannot overwrite a value":
        key = _KEY.match(lines[line - 1]) if line <= len(lines) else None
        return f"{key[1] if key else 'a key'} has a value already", line
    if twice := re.fullmatch(r"Cannot declare \((.*?),?\) twice", message):
        return f"[{'.'.join(_NAME.findall(twice[1]))}] is there already", line
    return message, line
