"""The menu, by the kit that authors of plugins use."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugins_shipped.loading import mistakes_of
from vodiabot.errors import SpeechFailed
from vodiabot.testing.exchange import Exchange
from vodiabot.testing.world import VirtualBot

MENUS = """
greeting = { say = "Welcome." }
sorry = { say = "Sorry." }
[plugin.ivr.menus.main]
say = "Sales, hours or support?"
[plugin.ivr.menus.main.keys]
1 = { to = "500" }
2 = { say = "We are open from nine to five." }
3 = { menu = "support" }
[plugin.ivr.menus.support]
say = "Phones or computers?"
[plugin.ivr.menus.support.keys]
1 = { say = "Please hold the line.", to = "501" }
22 = { to = "502" }
"*" = { menu = "main" }
"""


def ivr(more: str = 'operator = "600"', menus: str = MENUS, general: str = "") -> Any:
    return pytest.mark.vodiabot(settings=f'{general}\n[plugins]\nenabled = ["ivr"]\n[plugin.ivr]\n{more}\n{menus}')


@ivr()
async def test_a_key_leads_to_somebody_and_cuts_the_prompt_short(pbx: Exchange, bot: VirtualBot) -> None:
    sales = await pbx.phone("500", answers_after=2)
    caller = await pbx.call()
    await caller.hears("Welcome.")
    await caller.hears("Sales, hours or support?", whole=False)
    await caller.presses("1")
    await caller.is_connected_to("500")
    assert sales.state == "up"
    assert bot.did[-1] == "transfers 0711123456 to 500"


@ivr()
async def test_after_an_announcement_the_menu_comes_again(pbx: Exchange, bot: VirtualBot) -> None:
    await pbx.phone("500", answers_after=2)
    caller = await pbx.call()
    await caller.hears("Welcome.")
    await caller.hears("Sales")
    await caller.presses("2")
    await caller.hears("We are open from nine to five.")
    await caller.hears("Sales, hours or support?", whole=False)
    await caller.presses("1")
    await caller.is_transferred_to("500")


@ivr()
async def test_a_key_leads_to_another_menu_and_back(pbx: Exchange, bot: VirtualBot) -> None:
    await pbx.phone("501", answers_after=2)
    await pbx.phone("500", answers_after=2)
    caller = await pbx.call()
    await caller.hears("Welcome.")
    await caller.presses("3")
    await caller.hears("Phones or computers?")
    await caller.presses("*")
    await caller.hears("Sales, hours or support?")
    await caller.presses("3")
    await caller.hears("Phones or computers?")
    await caller.presses("1")
    await caller.hears("Please hold the line.")
    await caller.is_connected_to("501")


@ivr()
async def test_several_keys_may_be_one_choice(pbx: Exchange, bot: VirtualBot) -> None:
    await pbx.phone("502", answers_after=1)
    caller = await pbx.call()
    await caller.presses("322")
    await caller.is_connected_to("502")


@ivr()
async def test_zero_is_the_operator_in_every_menu(pbx: Exchange, bot: VirtualBot) -> None:
    await pbx.phone("600", answers_after=1)
    caller = await pbx.call()
    await caller.presses("3")
    await caller.hears("Phones or computers?")
    await caller.presses("0")
    await caller.is_connected_to("600")


@ivr('operator = "600"\nretries = 1\ntimeout = 4')
async def test_who_presses_nothing_hears_the_menu_again_and_then_gets_the_operator(
    pbx: Exchange, bot: VirtualBot
) -> None:
    await pbx.phone("600", answers_after=1)
    caller = await pbx.call()
    for text in ("Welcome.", "Sales, hours or support?", "Sorry.", "Sales, hours or support?"):
        await caller.hears(text)
    await caller.is_connected_to("600")


@ivr("retries = 1")
async def test_without_an_operator_who_presses_only_wrong_keys_is_hung_up_on(pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await caller.hears("Welcome.", whole=False)
    await caller.presses("0")
    await caller.hears("Sorry.")
    await caller.hears("Sales, hours or support?")
    await caller.presses("9")
    await caller.is_hung_up()


@ivr('operator = "600"', general='limits.dial_allow = ["600"]')
async def test_who_can_not_be_transferred_hears_the_menu_again(pbx: Exchange, bot: VirtualBot) -> None:
    await pbx.phone("600", answers_after=1)
    caller = await pbx.call()
    await caller.hears("Welcome.")
    await caller.presses("1")
    await caller.hears("Sorry.")
    await caller.hears("Sales, hours or support?")
    await caller.presses("0")
    await caller.is_connected_to("600")
    (line,) = bot.warnings
    assert (line["event"], line["to"]) == ("a caller could not be transferred", "500")


@ivr('operator = "600"\nretries = 0\ntimeout = 1', general='limits.dial_allow = ["500"]')
async def test_a_line_that_nobody_listens_on_does_not_stay_up_for_ever(pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await caller.is_hung_up(within=600)


@ivr(general='[[route]]\nto = "*"\nplugin = "ivr"\nfallback = "600"')
async def test_where_nothing_can_be_spoken_the_caller_gets_to_the_fallback(pbx: Exchange, bot: VirtualBot) -> None:
    await pbx.phone("600", answers_after=1)
    bot.engine.speech.fails_with = SpeechFailed("espeak-ng failed with exit code 1")
    caller = await pbx.call()
    await caller.is_connected_to("600")
    await bot.fails(SpeechFailed)


@ivr()
@pytest.mark.parametrize("seconds", [0.0, 0.5, 4.0, 9.0])
async def test_a_caller_may_hang_up_at_any_time(seconds: float, pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await caller.waits(seconds)
    await caller.hangs_up()
    await pbx.waits(30)
    assert not [deed for deed in bot.did if "transfers" in deed or "hangs up" in deed]


@ivr(menus='[plugin.ivr.menus.main]\nplay = "../../plugins/greeter/greeting.wav"\nkeys = { 1 = { to = "500" } }')
async def test_prompts_may_be_files_beside_the_configuration(pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await caller.hears("greeting.wav")


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("", "plugin.ivr.menus: is missing"),
        ("menus = {}", "menus.main: it needs keys"),
        ('menus.main.keys.1x = { to = "500" }', "menus.main: it needs keys, and those of a telephone: 0 to 9, * and #"),
        ('menus.main.keys.1 = { menu = "mian" }', "menus.main: there is no menu mian"),
        ('menus.main.keys.1 = { play = "gone.wav" }', "plugin.ivr.menus.main.keys.1.play: there is no file"),
        ('menus.main.keys.1 = { too = "500" }', 'menus.main.keys.1.too: there is no such option; did you mean "to"?'),
    ],
)
def test_mistakes_of_its_section(section: str, expected: str) -> None:
    assert expected in mistakes_of("ivr", section)
