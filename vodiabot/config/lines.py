"""On which line a key of a TOML text stands: tomli tells values, but no positions.

The scanner reads text that tomli has found to be right, so it checks nothing again; it only finds each key.
"""

from __future__ import annotations

import re

import tomli

KeyPath = tuple[str | int, ...]
"""The way to a value: keys of tables, and indexes of arrays."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*'""")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]+|\#[^\n]*)*")
"""What may stand between keys and values: space, line ends, comments."""
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\#\n]*")


def dotted(path: KeyPath) -> str:
    """`route[0].plugin`; a key that is not plain is quoted, as TOML does: `plugin."a.b".text`."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
            continue
        name = step if _BARE.fullmatch(step) else '"' + step.replace("\\", "\\\\").replace('"', '\\"') + '"'
        parts.append(f".{name}" if parts else name)
    return "".join(parts)


def line_index(text: str) -> dict[str, int]:
    """Dotted key → 1-based line of its text, for each key, table and array element of a valid TOML text.

    A table that is only implied (`a` in `[a.b]`) has the line where it is first named. Raises RecursionError
    for arrays that are nested a few hundred deep.
    """
    return _Scanner(text).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted = 0
        self._line = 1
        self._lines: dict[str, int] = {}
        self._tables: dict[KeyPath, int] = {}
        """Path of an array of tables → how many `[[…]]` of it there were."""

    def run(self) -> dict[str, int]:
        prefix: KeyPath = ()
        self._skip()
        while self._at < len(self._text):
            if self._peek() == "[":
                prefix = self._header()
            else:
                self._pair(prefix)
            self._skip()
        return self._lines

    # --- statements ----------------------------------------------------------------------------------------

    def _header(self) -> KeyPath:
        """`[a.b]` or `[[a.b]]`: the path that its keys stand under."""
        double = self._text.startswith("[[", self._at)
        self._at += 2 if double else 1
        self._skip()
        line = self._line_here()
        keys = self._keys()
        self._skip()
        self._at += 2 if double else 1
        return self._enter(keys, line, double=double)

    def _enter(self, keys: list[str], line: int, *, double: bool) -> KeyPath:
        path: KeyPath = ()
        for key in keys[:-1]:
            path = self._newest((*path, key), line)
        path = (*path, keys[-1])
        if not double:
            self._lines[dotted(path)] = line
            return path
        self._lines.setdefault(dotted(path), line)
        count = self._tables.get(path, 0)
        self._tables[path] = count + 1
        path = (*path, count)
        self._lines[dotted(path)] = line
        return path

    def _newest(self, path: KeyPath, line: int) -> KeyPath:
        """A table on the way to another; of an array of tables the newest is meant."""
        self._lines.setdefault(dotted(path), line)
        return (*path, self._tables[path] - 1) if path in self._tables else path

    def _pair(self, prefix: KeyPath) -> None:
        """`a.b = value`, in a table or an inline table."""
        line = self._line_here()
        path = prefix
        for key in self._keys():
            path = (*path, key)
            self._lines.setdefault(dotted(path), line)
        self._skip()
        self._at += 1  # the equals sign
        self._skip()
        self._value(path)

    def _keys(self) -> list[str]:
        keys = [self._key()]
        while dot := _DOT.match(self._text, self._at):
            self._at = dot.end()
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        found = _KEY.match(self._text, self._at)
        if found is None:
            raise ValueError(f"no key at character {self._at}; is this valid TOML?")
        self._at = found.end()
        token = found[0]
        if token[0] == '"' and "\\" in token:
            return str(tomli.loads(f"key = {token}")["key"])
        return token[1:-1] if token[0] in "\"'" else token

    # --- values --------------------------------------------------------------------------------------------

    def _value(self, path: KeyPath) -> None:
        first = self._peek()
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline(path)
        else:
            found = (_STRING if first in "\"'" else _SCALAR).match(self._text, self._at)
            if found is None:
                raise ValueError(f"no value at character {self._at}; is this valid TOML?")
            self._at = found.end()

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while self._next() != "]":
            element = (*path, index)
            self._lines[dotted(element)] = self._line_here()
            self._value(element)
            index += 1
        self._at += 1

    def _inline(self, path: KeyPath) -> None:
        self._at += 1
        while self._next() != "}":
            self._pair(path)
        self._at += 1

    def _next(self) -> str:
        """The first character of the next element, or the closing bracket."""
        self._skip()
        if self._peek() == ",":
            self._at += 1
            self._skip()
        if not self._peek():
            raise ValueError("a bracket is not closed; is this valid TOML?")
        return self._peek()

    # --- characters ----------------------------------------------------------------------------------------

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        found = _BLANK.match(self._text, self._at)
        if found is not None:
            self._at = found.end()

    def _line_here(self) -> int:
        """Counted on from where it was counted last, so that the whole text is counted once."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line
