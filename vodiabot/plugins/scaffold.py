"""A new plugin package: what `vodiabot plugins new` writes. The package lies beside its tests, so that they run as soon
as it is written, installed or not; its name is the plugin's, in folders, entry points and `[plugin.NAME]` alike."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Collection
from pathlib import Path

from ..errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
_TAKEN = frozenset({"vodiabot", "tests", "test", "plugins", "conftest", "pytest", "trio", "new"})

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.25"]
build-backend = "hatchling.build"

[project]
name = "vodiabot-@dashed@"
version = "0.1.0"
description = "A plugin for vodiabot"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["vodiabot"]

[project.optional-dependencies]
test = ["vodiabot[testing]"]

[project.entry-points."vodiabot.plugins"]
@name@ = "@name@"

[tool.hatch.build.targets.wheel]
packages = ["@name@"]

[tool.pytest.ini_options]
testpaths = ["tests"]
filterwarnings = ["error"]
"""

PLUGIN = '''\
"""Greets callers and connects those who press a key."""

from __future__ import annotations

from dataclasses import dataclass

from vodiabot import Call, Text, hookimpl

CAPABILITIES = {"answer", "transfer"}


@dataclass
class Config:
    """`[plugin.@name@]`"""

    text: str = "Welcome. Press 1 to talk to somebody."
    """What callers hear."""
    operator: str = "500"
    """Who gets those who press 1."""
    timeout: float = 5.0
    """Seconds to press it, from the end of the text on."""

    def __post_init__(self) -> None:
        if self.timeout <= 0:
            raise ValueError("timeout: must be more than nothing")


@hookimpl
async def answer_call(call: Call, config: Config) -> None:
    """The whole call. If the caller hangs up first, `CallEnded` ends it here."""
    await call.answer()
    if await call.gather(prompt=Text(config.text), allowed={"1"}, timeout=config.timeout):
        await call.transfer(config.operator)
    else:
        await call.hangup()
'''

TESTS = '''\
"""By the kit of vodiabot: `pbx` is a PBX in memory, `bot` the real engine with this plugin, in virtual time."""

import pytest


async def test_who_presses_1_is_connected(pbx, bot):
    operator = await pbx.phone("500", "Operator", answers_after=3)
    caller = await pbx.call(from_="0711123456", name="Ada")
    await caller.hears("Welcome.", whole=False)
    await caller.presses("1")
    await caller.is_connected_to("500")
    assert operator.state == "up"
    assert bot.did == [
        "answers 0711123456",
        "says 'Welcome. Press 1 to talk to somebody.' to 0711123456",
        "transfers 0711123456 to 500",
    ]


async def test_who_presses_nothing_is_hung_up_on(pbx, bot):
    caller = await pbx.call()
    await caller.hears("Welcome.")
    await caller.is_hung_up(within=6)


@pytest.mark.vodiabot(settings="""
    plugins.enabled = ["@name@"]
    [plugin.@name@]
    text = "Good evening."
    operator = "600"
""")
async def test_its_options(pbx, bot):
    await pbx.phone("600", answers_after=1)
    caller = await pbx.call()
    await caller.hears("Good evening.")
    await caller.presses("1")
    await caller.is_connected_to("600")
'''

README = """\
# vodiabot-@dashed@

A plugin for vodiabot: greets callers and connects those who press a key. In a virtual environment with vodiabot
(`pip install vodiabot`, or with the path of a clone: `pip install /path/to/vodiabot`):

    pip install -e ".[test]"
    pytest

In `bot.toml`:

```toml
[plugins]
enabled = ["@name@"]

[plugin.@name@]
text = "Welcome. Press 1 to talk to somebody."
operator = "500"

[[route]]
to = "*"
plugin = "@name@"
```

`vodiabot plugins info @name@` tells its options, `vodiabot check` whether the file is right.
"""

IGNORED = "__pycache__/\n*.egg-info/\n.pytest_cache/\n.venv/\ndist/\n"

FILES = {
    "pyproject.toml": PYPROJECT,
    "README.md": README,
    ".gitignore": IGNORED,
    "@name@/__init__.py": PLUGIN,
    "@name@/py.typed": "",
    "tests/test_@name@.py": TESTS,
}


def make(name: str, into: Path, taken: Collection[str] = ()) -> Path:
    """Write the package `into/NAME`; gives its folder. `taken`: names of plugins that there are.

    Raises UsageError for a name that can't be, or a folder that is there; nothing was written then. OSError.
    """
    check_name(name, taken)
    folder = into / name
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is there already; nothing was written")
    for path, text in FILES.items():
        file = folder / _filled_in(path, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_filled_in(text, name), encoding="utf-8")
    return folder


def check_name(name: str, taken: Collection[str] = ()) -> None:
    """Raises UsageError. It is a Python package's name, too: one of the standard library would hide that."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f'"{name}" can\'t be its name: lower case letters, digits and _, a letter first, fifty at most'
        )
    if keyword.iskeyword(name) or name in sys.stdlib_module_names or name in _TAKEN:
        raise UsageError(f'"{name}" can\'t be its name: it means something else in Python')
    if name in taken:
        raise UsageError(f'there is a plugin "{name}" already')


def _filled_in(text: str, name: str) -> str:
    return text.replace("@name@", name).replace("@dashed@", name.replace("_", "-"))
