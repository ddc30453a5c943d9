"""The examples of docs/testing.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vodiabot.testing.world  # noqa: F401 - pytester forgets what its runs import first: numpy can't be again
from vodiabot.testing.scenario import load
from vodiabot.testing.scenario.virtual import run_virtual

from .authors import MENU

pytest_plugins = ["pytester"]

DOCS = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()

TRANSFERS = '''
from vodiabot import Call, TransferFailed, hookimpl

@hookimpl
async def answer_call(call: Call) -> None:
    await call.answer()
    if await call.gather(prompt="Welcome."):
        try:
            await call.transfer("500")
        except TransferFailed:
            await call.say("Nobody can be reached there.")
    await call.hangup()
'''

COUNTS = '''
from vodiabot import Bot, Call, hookimpl

@hookimpl
async def answer_call(call: Call, bot: Bot) -> None:
    await call.answer()
    await call.say(f"You are caller {await bot.store.update('calls', lambda n: n + 1, 0)}.")
    await call.hangup()
'''

CLICKS = '''
from vodiabot import Bot, Request, hookimpl

@hookimpl
async def bot_started(bot: Bot) -> None:
    async def connect(to: str) -> None:
        async with bot.dial(to):
            pass

    @bot.http.post("/call/{to}", token="secret")
    async def click_to_call(request: Request) -> dict[str, str]:
        bot.spawn(connect, request.params["to"])
        return {"state": "dialling"}
'''


def block(language: str, part: str) -> str:
    """The example that has this in it."""
    found = [one for one in re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL) if part in one]
    assert len(found) == 1, part
    return str(found[0])


@pytest.mark.parametrize(
    ("name", "plugin"),
    [
        ("test_menu", MENU),
        ("test_nobody_can_be_reached", TRANSFERS),
        ("test_the_second_call", COUNTS),
        ("test_click", CLICKS),
    ],
)
def test_the_tests(name: str, plugin: str, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(menu=plugin, test_menu=block("python", f"def {name}("))
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "menu.py").write_text(TRANSFERS)
    (tmp_path / "bot.toml").write_text('[plugins]\nenabled = ["menu"]\npath = ["."]\n')
    file = tmp_path / "scenarios" / "sales.toml"
    file.parent.mkdir()
    file.write_text(block("toml", "Somebody wants sales"))
    outcome = run_virtual(load(file))
    assert outcome.passed, outcome.as_text()
    assert any(one.text == "500 answers" for one in outcome.story.happenings)  # type: ignore[union-attr]
