"""Each key that tomli finds has a line, and its text stands there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.config.lines import KeyPath, dotted, line_index


def numbered(*lines: str) -> str:
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# nothing\n\n", {}),
        ("a = 1", {"a": 1}),
        (numbered("", "a=1", "# b = 2", "c = 3"), {"a": 2, "c": 4}),
        (numbered("[a]", "b = 1", "[c]", "b = 2"), {"a": 1, "a.b": 2, "c": 3, "c.b": 4}),
        (numbered("a.b.c = 1", "a.d = 2"), {"a": 1, "a.b": 1, "a.b.c": 1, "a.d": 2}),
        (numbered("a . b = 1"), {"a": 1, "a.b": 1}),
        (numbered('"a.b" = 1', "'c d' = 2"), {'"a.b"': 1, '"c d"': 2}),
        (numbered('"\\u0061" = 1'), {"a": 1}),
        (numbered('[x."y.z"]', "a = 1"), {"x": 1, 'x."y.z"': 1, 'x."y.z".a': 2}),
        (numbered("[a.b]", "[a]"), {"a": 2, "a.b": 1}),
        (
            numbered("[[r]]", "a = 1", "[[r]]", "a = 2"),
            {"r": 1, "r[0]": 1, "r[0].a": 2, "r[1]": 3, "r[1].a": 4},
        ),
        (
            numbered("[[r]]", "[r.s]", "a = 1", "[[r.t]]", "[[r]]", "[[r.t]]", "[r.t.u]", "b = 1"),
            {
                **{"r": 1, "r[0]": 1, "r[0].s": 2, "r[0].s.a": 3, "r[0].t": 4, "r[0].t[0]": 4},
                **{"r[1]": 5, "r[1].t": 6, "r[1].t[0]": 6, "r[1].t[0].u": 7, "r[1].t[0].u.b": 8},
            },
        ),
        (numbered("a = { b = 1, c.d = 'x' }"), {"a": 1, "a.b": 1, "a.c": 1, "a.c.d": 1}),
        (
            numbered("a = [ # one", "  1,", "  { b = 2 },", "  [", "3]", "]", "c = 1"),
            {"a": 1, "a[0]": 2, "a[1]": 3, "a[1].b": 3, "a[2]": 4, "a[2][0]": 5, "c": 7},
        ),
        (numbered('a = """', "b = 1", '""" # x', "c = 1"), {"a": 1, "c": 4}),
        (numbered("a = '''", "b = 1", "'''", "c = 1"), {"a": 1, "c": 4}),
        (numbered('a = """x\\"""" ', "c = 1"), {"a": 1, "c": 2}),
        (numbered('a = """"x"""""', "c = 1"), {"a": 1, "c": 2}),
        (
            numbered('a = "# \\" ] }"', "b = ['#', \"]\"]", "c = 1"),
            {"a": 1, "b": 2, "b[0]": 2, "b[1]": 2, "c": 3},
        ),
        (numbered("a = 1979-05-27 07:32:00Z # when", "c = -inf"), {"a": 1, "c": 2}),
        ("[ a ] # x\r\nb = 1\r\n", {"a": 1, "a.b": 2}),
        (
            numbered("[[ a . b ]]", "c = []", "d = {}"),
            {"a": 1, "a.b": 1, "a.b[0]": 1, "a.b[0].c": 2, "a.b[0].d": 3},
        ),
    ],
)
def test_lines(text: str, expected: dict[str, int]) -> None:
    tomli.loads(text)  # the table itself is right
    assert line_index(text) == expected


def test_a_long_file_is_read_in_one_go() -> None:
    index = line_index("".join(f"[[r]]\nk = {i}\n" for i in range(20_000)))
    assert index["r[19999].k"] == 40_000


@pytest.mark.parametrize("text", ["a = [", "[a", "= 1", "a = {", "a = '"])
def test_what_is_no_toml_ends_all_the_same(text: str) -> None:
    """The loader asks tomli first; but a scanner must not run for ever."""
    with contextlib.suppress(ValueError):
        line_index(text)


# --- against tomli ---------------------------------------------------------------------------


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Each key and array element that tomli found."""
    steps: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in steps:
        yield (*path, step)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*path, step))


KEYS = st.sampled_from(["a", "b", "a-1", "x y", "a.b", 'q"q', "ä", "=", "[", "#", ""])
SPACE = st.sampled_from(["", " ", "\t"])
TEXTS = st.sampled_from(["", "x", "# no", "a = 1", "]", "}", 'q"', "\\", "'", "[[r]]"])


@st.composite
def key_text(draw: st.DrawFn) -> str:
    """One part of a key, in one of its forms."""
    key = draw(KEYS)
    forms = [json.dumps(key), json.dumps(key, ensure_ascii=False), f"'{key}'"]
    if key in ("a", "b", "a-1"):
        forms.append(key)
    return draw(st.sampled_from(forms))


@st.composite
def dotted_key(draw: st.DrawFn) -> str:
    parts = draw(st.lists(key_text(), min_size=1, max_size=3))
    return f"{draw(SPACE)}.{draw(SPACE)}".join(parts)


def _multi_line(text: str) -> str:
    return '"""\n' + text.replace("\\", "\\\\").replace('"', '\\"') + '\n"""'


SCALARS = st.one_of(
    st.sampled_from(["1", "-0.5", "true", "inf", "1979-05-27 07:32:00", "07:32:00"]),
    st.sampled_from(['""""a"""""', "'''\n'x'\n'''"]),
    TEXTS.map(json.dumps),
    TEXTS.map(_multi_line),
    TEXTS.filter(lambda text: "'" not in text).map(lambda text: f"'{text}'"),
)
BREAKS = st.sampled_from(["", " ", "\n", "\n# c ] }\n  "])


def _array(draw_break: st.SearchStrategy[str], inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    item = st.tuples(draw_break, inner, draw_break).map("".join)
    return st.lists(item, max_size=3).map(lambda items: f"[{','.join(items)}]")


def _inline(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(dotted_key(), inner).map(" = ".join)
    return st.lists(pair, max_size=3).map(lambda pairs: "{" + ", ".join(pairs) + "}")


VALUES = st.recursive(SCALARS, lambda inner: st.one_of(_array(BREAKS, inner), _inline(inner)), max_leaves=6)
STATEMENTS = st.one_of(
    st.tuples(dotted_key(), SPACE, VALUES).map(lambda t: f"{t[0]}{t[1]}={t[1]}{t[2]}"),
    dotted_key().map(lambda key: f"[{key}]"),
    dotted_key().map(lambda key: f"[[ {key} ]] # [x]"),
    st.sampled_from(["", "# a = 1", "\t"]),
)


@given(st.lists(STATEMENTS, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_every_key_that_tomli_finds_has_the_line_of_its_text(statements: list[str], end: str) -> None:
    kept: list[str] = []
    for statement in statements:  # leave out what makes it no TOML, such as a key twice
        try:
            tomli.loads("\n".join([*kept, statement]))
            kept.append(statement)
        except tomli.TOMLDecodeError:
            pass
    text = "\n".join(kept).replace("\n", end)
    index, rows = line_index(text), text.split("\n")
    found = list(paths(tomli.loads(text)))
    assert set(index) == {dotted(path) for path in found}
    for path in found:
        row = rows[index[dotted(path)] - 1]
        assert isinstance(path[-1], int) or stands_in(path[-1], row), (path, row)


def stands_in(key: str, row: str) -> bool:
    forms = (json.dumps(key), json.dumps(key, ensure_ascii=False), f"'{key}'", key)
    return any(form in row for form in forms)
