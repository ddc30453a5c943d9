"""A plugin's section against its own model: every mistake, with line and key."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from vodiabot.plugins import describe, load_plugins, unload

from .kit import ANSWERS, config, load_one, write

MODEL = (
    ANSWERS
    + '''
import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
import msgspec

class Server(msgspec.Struct):
    url: str
    port: int = 443
    def __post_init__(self):
        if self.port == 666:
            raise ValueError("not that port")

@dataclass
class Config:
    """Of the test."""
    number: str
    """Who is
    called."""
    pause: float = 1.0
    level: Annotated[int, msgspec.Meta(ge=1, le=5, description="How loud.")] = 3
    mode: Literal["day", "night"] = "day"
    file: Path | None = None
    at: datetime.time | None = None
    servers: list[Server] = field(default_factory=list)
    main: Server | None = None
    by_name: dict[str, Server] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    days: list[Literal["sat", "sun"]] = field(default_factory=list)
    inner: bool = field(default=True, init=False)

    def __post_init__(self):
        if self.number == "666":
            raise ValueError("not that number")
'''
)


def flaws(tmp_path: Path, section: str) -> list[str]:
    """What is told about a section that starts in line 10; keys without `plugin.it`."""
    loaded, problems = load_one(tmp_path, "it", MODEL, "[plugin.it]\n" + section)
    assert bool(problems) != bool(loaded)
    return [p.removeprefix("plugin it: bot.toml:") for p in problems]


def test_a_section_becomes_the_model(tmp_path: Path) -> None:
    section = """\
    number = "500"
    pause = 2
    file = "sounds/a.wav"
    at = 08:30:00
    words = ["a", "b"]
    main = { url = "a" }
    [[plugin.it.servers]]
    url = "b"
    port = 80
    [plugin.it.by_name.c]
    url = "c"
    """
    (plugin,), problems = load_one(tmp_path, "it", MODEL, "[plugin.it]\n" + section)
    assert not problems
    got = plugin.config
    assert (got.number, got.pause, got.level, got.mode, got.words) == ("500", 2.0, 3, "day", ("a", "b"))
    assert got.file == tmp_path / "sounds/a.wav"
    assert got.at == datetime.time(8, 30)
    assert [(s.url, s.port) for s in (got.main, *got.servers, got.by_name["c"])] == [
        ("a", 443),
        ("b", 80),
        ("c", 443),
    ]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("", ["10: plugin.it.number: is missing"]),
        ("number = 500\n", ["11: plugin.it.number: expected a text in quotes, got a whole number"]),
        (
            'number = "1"\npause = "2"\n',
            ["12: plugin.it.pause: expected a number, got a text in quotes"],
        ),
        (
            'numbr = "1"\n',
            [
                '11: plugin.it.numbr: there is no such option; did you mean "number"?',
                "10: plugin.it.number: is missing",
            ],
        ),
        ('number = "1"\ninner = false\n', ["12: plugin.it.inner: there is no such option"]),
        ('number = "1"\n"a b" = 1\n', ['12: plugin.it."a b": there is no such option']),
        ('number = "1"\nlevel = 9\n', ["12: plugin.it.level: expected a whole number <= 5"]),
        ('number = "1"\nlevel = true\n', ["12: plugin.it.level: expected a whole number, got true or false"]),
        ('number = "1"\nmode = "dusk"\n', ['12: plugin.it.mode: must be "day" or "night"']),
        ('number = "1"\nmode = 3\n', ["12: plugin.it.mode: expected a text in quotes, got a whole number"]),
        ('number = "1"\ndays = ["sat", "mon"]\n', ['12: plugin.it.days[1]: must be "sat" or "sun"']),
        ('number = "1"\nfile = 3\n', ["12: plugin.it.file: expected a path, in quotes"]),
        ('number = "1"\nat = "late"\n', ["12: plugin.it.at: invalid RFC3339 encoded time"]),
        ('number = "1"\nwords = ["a", 2]\n', ["12: plugin.it.words[1]: expected a text in quotes"]),
        ('number = "1"\nmain = 3\n', ["12: plugin.it.main: expected a table"]),
        ('number = "1"\nmain = { port = 1 }\n', ["12: plugin.it.main.url: is missing"]),
        (
            'number = "1"\nservers = [{ url = "a" },\n { url = "b", prt = 1 }]\n',
            ['13: plugin.it.servers[1].prt: there is no such option; did you mean "port"?'],
        ),
        (
            'number = "1"\n[[plugin.it.servers]]\nurl = "a"\n[[plugin.it.servers]]\nurl = 5\nport = "x"\n',
            [
                "15: plugin.it.servers[1].url: expected a text in quotes",
                "16: plugin.it.servers[1].port: expected a whole number",
            ],
        ),
        (
            'number = "1"\n[plugin.it.by_name.x]\nurl = 5\n',
            ["13: plugin.it.by_name.x.url: expected a text in quotes"],
        ),
        ('number = "666"\n', ["10: plugin.it: not that number"]),
        (
            'servers = [{ url = "a" },\n { url = "b", port = 666 }]\n[plugin.it.main]\nurl = "c"\nport = 666\n',
            [
                "12: plugin.it.servers[1]: not that port",
                "13: plugin.it.main: not that port",
                "10: plugin.it.number: is missing",
            ],
        ),
        (
            "number = 1\npause = true\nlvel = 2\n",
            [
                "11: plugin.it.number: expected a text in quotes",
                "12: plugin.it.pause: expected a number, got true or false",
                '13: plugin.it.lvel: there is no such option; did you mean "level"?',
            ],
        ),
    ],
)
def test_mistakes_have_line_and_key(section: str, expected: list[str], tmp_path: Path) -> None:
    told = flaws(tmp_path, section)
    assert len(told) == len(expected), told
    for line, start in zip(told, expected, strict=True):
        assert line.startswith(start)


STRICT = (
    ANSWERS
    + """
from dataclasses import dataclass, field

@dataclass
class Config:
    low: int = 1
    high: int = 2
    name: str = "x"

    def __post_init__(self):
        wrong = []
        if self.low < 0:
            wrong.append(ValueError("low: must not be negative"))
        if self.high > 9:
            wrong.append(ValueError("high: must not be more than 9"))
        if self.low > self.high:
            wrong.append(ValueError("low must not be more than high"))
        if wrong:
            raise ExceptionGroup("the section", wrong)
"""
)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "low = -1\nhigh = 10\n",
            ["11: plugin.it.low: must not be negative", "12: plugin.it.high: must not be more than 9"],
        ),
        ("low = 5\n", ["10: plugin.it: low must not be more than high"]),
        (  # beside a mistake of another option; what concerns no option that is right has to wait
            "low = -1\nname = 3\nhigh = -2\n",
            ["12: plugin.it.name: expected a text in quotes", "11: plugin.it.low: must not be negative"],
        ),
    ],
)  # fmt: skip
def test_a_model_tells_all_that_it_finds_wrong(section: str, expected: list[str], tmp_path: Path) -> None:
    loaded, problems = load_one(tmp_path, "it", STRICT, "[plugin.it]\n" + section)
    assert not loaded
    told = [p.removeprefix("plugin it: bot.toml:").partition(", got")[0] for p in problems]
    assert told == expected


def test_a_struct_is_a_model_too_with_renamed_fields(tmp_path: Path) -> None:
    model = "class Config(msgspec.Struct, rename='kebab'):\n    to: str\n    ring_time: int = 3\n"
    source = ANSWERS + "import msgspec\n" + model
    (plugin,), problems = load_one(tmp_path, "s", source, '[plugin.s]\nto = "1"\nring-time = 4\n')
    assert (problems, plugin.config.ring_time) == ([], 4)
    _, problems = load_one(tmp_path, "s", source, '[plugin.s]\nto = "1"\nring_time = 4\n')
    assert problems == [
        'plugin s: bot.toml:12: plugin.s.ring_time: there is no such option; did you mean "ring-time"?'
    ]


def test_a_model_without_a_section_has_its_defaults(tmp_path: Path) -> None:
    source = ANSWERS + "from dataclasses import dataclass\n@dataclass\nclass Config:\n    x: int = 7\n"
    (plugin,), problems = load_one(tmp_path, "d", source)
    assert (problems, plugin.config.x) == ([], 7)


def test_what_is_required_is_missed_even_without_a_section(tmp_path: Path) -> None:
    source = ANSWERS + "from dataclasses import dataclass\n@dataclass\nclass Config:\n    x: int\n"
    loaded, problems = load_one(tmp_path, "d", source)
    assert (loaded, problems) == ([], ["plugin d: bot.toml: plugin.d.x: is missing"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("    x: int\n    def __post_init__(self): raise KeyError('own')\n", "KeyError: 'own'"),
        ("    x: complex\n", "an option can't be of type 'complex'"),
    ],
)
def test_a_model_that_fails_is_the_plugins_own_mistake(body: str, expected: str, tmp_path: Path) -> None:
    source = ANSWERS + "from dataclasses import dataclass\n@dataclass\nclass Config:\n" + body
    loaded, problems = load_one(tmp_path, "d", source, "[plugin.d]\nx = 1\n")
    assert (loaded, problems) == ([], [f"plugin d: plugins/d.py: Config: {expected}"])


def test_a_plugin_is_described(tmp_path: Path) -> None:
    source = '"""What it does."""\n' + MODEL
    write(tmp_path, "it.py", source)
    section = '[plugins]\npath = ["."]\nenabled = ["it"]\n[plugin.it]\nnumber = "5"\n'
    (plugin,), _ = load_plugins(config(tmp_path, section))
    info = describe(plugin)
    unload(plugin)
    assert (info.name, info.doc, info.hooks) == ("it", "What it does.", ("answer_call",))
    options = {o.name: o for o in info.options}
    assert list(options) == [
        "number", "pause", "level", "mode", "file", "at", "servers", "main", "by_name", "words", "days",
    ]  # fmt: skip
    assert (options["number"].required, options["number"].default) == (True, "")
    assert options["number"].doc == "Who is\ncalled."
    assert (options["pause"].type, options["pause"].default, options["pause"].doc) == ("float", "1.0", "")
    assert options["level"].doc == "How loud."
    assert options["file"].type == "Path | None"
    assert info.values["number"] == "5"


def test_a_plugin_without_options_is_described(tmp_path: Path) -> None:
    (plugin,), _ = load_one(tmp_path, "it", ANSWERS)
    info = describe(plugin)
    assert (info.options, info.doc, dict(info.values)) == ((), "", {})
