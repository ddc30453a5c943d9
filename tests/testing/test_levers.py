"""What goes wrong because a test of the kit wants it, besides frames: plugins, and the audio of one way."""

from __future__ import annotations

import pytest

import vodiabot.testing.world  # noqa: F401 - pytester forgets what its runs import first: numpy can't be again

pytest_plugins = ["pytester"]

PLUGIN = """
from vodiabot import Text, hookimpl

@hookimpl
async def answer_call(call):
    await call.answer()
    async with call.playing(Text("Please hold the line.")):
        async for key in call.dtmf():
            await call.say(f"You pressed {key}.")
            await call.send_dtmf("9")

@hookimpl
async def call_silent(call):
    await call.hangup()

@hookimpl
async def call_unheard(call, event):
    await call.send_dtmf("0")
"""

TEST = """
import pytest
from vodiabot import UsageError
from vodiabot.testing.plugin_faults import FaultOfTheTest

async def test_crash(pbx, bot):
    pbx.fault("crash", hook="answer_call", nth=2)
    first = await pbx.call(from_="0711")
    await first.hangs_up()
    second = await pbx.call(from_="0712", answered=False)
    await bot.fails(FaultOfTheTest)
    await second.is_refused()
    third = await pbx.call(from_="0713")
    await third.hears("please hold", whole=False)

async def test_slow(pbx, bot):
    pbx.fault("slow", plugin="lever", hook="answer_call", seconds=8, nth=0)
    caller = await pbx.call(answered=False)
    await pbx.waits(7.9)
    assert bot.did == []
    await caller.is_answered(within=0.2)

async def test_the_bot_does_not_hear(pbx, bot):
    caller = await pbx.call()
    pbx.fault("silence")
    await caller.presses("1")
    await caller.hears("please hold")
    await caller.is_hung_up(within=5)
    assert not any("You pressed" in deed for deed in bot.did)

async def test_the_bot_is_not_heard(pbx, bot):
    before = await pbx.call(from_="0711", name="Ada")
    await pbx.waits(1)
    pbx.fault("silence", by_bot=True)
    with pytest.raises(AssertionError, match="Ada heard only 1.0 s"):
        await before.hears("please hold")
    await before.presses("1")
    await before.hears_nothing(5)
    after = await pbx.call(from_="0712")
    await after.presses("2")
    await after.hears_nothing(5)
    assert (before.digits, after.digits) == ("", "")
    assert {"says 'You pressed 1.' to 0711", "presses 9 for 0711", "says 'You pressed 2.' to 0712"} <= {*bot.did}
    await bot.does("presses 0 for 0711", within=0.1)
    await bot.does("presses 0 for 0712", within=10)
    await pbx.waits(30)
    assert bot.did.count("presses 0 for 0711") == 1

async def test_mistakes(pbx, bot):
    with pytest.raises(UsageError, match='no plugin "levr"; did you mean "lever"'):
        pbx.fault("crash", plugin="levr")
    with pytest.raises(UsageError, match='has no call_answered'):
        pbx.fault("slow", hook="call_answered")
    with pytest.raises(UsageError, match="drop, delay"):
        pbx.fault("sloww")
"""


def test_all_that_goes_wrong_on_purpose(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(lever=PLUGIN, test_lever=TEST)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=5)
