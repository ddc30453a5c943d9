"""Click to call, by the kit that authors of plugins use."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.plugins_shipped.loading import mistakes_of
from vodiabot.testing.exchange import Exchange
from vodiabot.testing.web import client
from vodiabot.testing.world import VirtualBot

TOKEN = "s3cret-token"


def click(section: str = 'say = "You are being connected."\nsorry = "Nobody is there."', general: str = "") -> Any:
    plugin = f'[plugins]\nenabled = ["click_to_call"]\n[plugin.click_to_call]\ntoken = "{TOKEN}"\n{section}'
    return pytest.mark.vodiabot(settings=f"{general}\n{plugin}")


def web(bot: VirtualBot, token: str = TOKEN) -> httpx.AsyncClient:
    http = client(bot, "click_to_call")
    http.headers["authorization"] = f"Bearer {token}"
    return http


async def ask(bot: VirtualBot, to: str = "0711222333") -> str:
    """Gives the id of the call."""
    async with web(bot) as http:
        answer = await http.post("/call", json={"from": "46", "to": to})
    assert answer.status_code == 202
    assert answer.json()["state"] == "ringing_from"
    assert answer.headers["location"] == f"/plugin/click_to_call/call/{answer.json()['id']}"
    return str(answer.json()["id"])


async def status(bot: VirtualBot, id_: str) -> dict[str, str]:
    async with web(bot) as http:
        answer = await http.get(f"/call/{id_}")
    assert answer.status_code == 200
    return {key: value for key, value in answer.json().items() if key not in ("id", "from", "to")}


@click()
async def test_the_first_picks_up_and_is_connected_with_the_second(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone("46", "Anna")
    customer = await pbx.phone("0711222333", "Customer", outside=True)
    call = await ask(bot)
    await anna.rings()
    assert await status(bot, call) == {"state": "ringing_from"}
    await anna.answers()
    await anna.hears("You are being connected.")
    await customer.rings()
    assert await status(bot, call) == {"state": "ringing_to"}
    await customer.answers()
    await anna.is_connected_to("0711222333")
    await pbx.waits(1)
    assert await status(bot, call) == {"state": "connected"}
    assert bot.calls == []
    assert customer.state == "up"


@click()
async def test_the_second_is_not_rung_before_the_first_picks_up(pbx: Exchange, bot: VirtualBot) -> None:
    await pbx.phone("46", busy=True)
    customer = await pbx.phone("0711222333", outside=True)
    call = await ask(bot)
    await pbx.waits(5)
    assert await status(bot, call) == {"state": "failed", "side": "from", "error": "busy"}
    assert not customer.heard
    assert "calls 0711222333" not in bot.did


@click("ring_from = 20")
async def test_the_first_does_not_answer(pbx: Exchange, bot: VirtualBot) -> None:
    await pbx.phone("46")
    call = await ask(bot)
    await pbx.waits(25)
    assert await status(bot, call) == {"state": "failed", "side": "from", "error": "no_answer"}


@click('sorry = "Nobody is there."\nring_to = 15')
@pytest.mark.parametrize(("refuses", "error"), [(486, "busy"), (603, "failed"), (None, "no_answer")])
async def test_who_picked_up_is_told_that_the_second_can_not_be_reached(
    refuses: int | None, error: str, pbx: Exchange, bot: VirtualBot
) -> None:
    anna = await pbx.phone("46", answers_after=1)
    await pbx.phone("0711222333", outside=True, refuses=refuses)
    call = await ask(bot)
    await anna.hears("Nobody is there.", within=30)
    await anna.is_hung_up()
    assert await status(bot, call) == {"state": "failed", "side": "to", "error": error}
    assert bot.warnings == [line for line in bot.warnings if "[http]" in line["event"]]


@click(general='limits.dial_allow = ["@domain"]')
@pytest.mark.parametrize(("one", "other"), [("46", "0900123456"), ("0900123456", "46")])
async def test_a_number_that_is_not_allowed_is_refused_before_anybody_s_phone_rings(
    one: str, other: str, pbx: Exchange, bot: VirtualBot
) -> None:
    await pbx.phone("46", answers_after=1)
    async with web(bot) as http:
        answer = await http.post("/call", json={"from": one, "to": other})
    assert answer.status_code == 403
    assert answer.json()["error"] == "not_allowed"
    assert answer.json()["why"].startswith("'0900123456' is no account of this domain")
    await pbx.waits(5)
    assert bot.did == []


@click(general="limits.dials_per_minute = 1")
async def test_more_dials_than_a_minute_has(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone("46", answers_after=1)
    call = await ask(bot)
    await anna.hears("You are being connected.")
    await anna.hears("Nobody is there.")
    await anna.is_hung_up()
    assert await status(bot, call) == {"state": "failed", "side": "to", "error": "not_allowed"}
    assert "calls 0711222333" not in bot.did


@click()
async def test_an_extension_where_no_phone_is_registered(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone("46", answers_after=1)
    call = await ask(bot, to="47")
    await anna.hears("You are being connected.")
    await anna.hears("Nobody is there.")
    await pbx.waits(1)
    assert await status(bot, call) == {"state": "failed", "side": "to", "error": "not_registered"}


@click('allow = ["transfer"]')
async def test_where_the_operator_forbids_it_to_dial_nothing_rings(pbx: Exchange, bot: VirtualBot) -> None:
    async with web(bot) as http:
        answer = await http.post("/call", json={"from": "46", "to": "0711222333"})
    assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed")


@click()
async def test_the_first_hangs_up_while_the_second_rings(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone("46", answers_after=1)
    customer = await pbx.phone("0711222333", outside=True)
    call = await ask(bot)
    await anna.hears("You are being connected.")
    await customer.rings()
    await anna.hangs_up()
    await pbx.waits(2)
    assert await status(bot, call) == {"state": "failed", "side": "from", "error": "hung_up"}
    assert customer.state == "idle"


@click()
@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"from": "46"}', '{"from": 46, "to": "1"}', '{"from": " ", "to": "1"}', "nonsense"]
)
async def test_requests_that_make_no_sense_are_400(body: str, pbx: Exchange, bot: VirtualBot) -> None:
    async with web(bot) as http:
        assert (await http.post("/call", content=body)).status_code == 400
    assert bot.did == []


@click()
async def test_only_who_has_the_token_may_call_and_look(pbx: Exchange, bot: VirtualBot) -> None:
    async with web(bot, "wrong") as http:
        assert (await http.post("/call", json={"from": "46", "to": "47"})).status_code == 401
        assert (await http.get("/call/1")).status_code == 401
    async with web(bot) as http:
        assert (await http.get("/call/1")).status_code == 404
    assert bot.did == []
    assert not [line for line in bot.log if TOKEN in str(line)]


@click('allow = ["dial"]\nsorry = "Nobody is there."')
async def test_the_operator_may_forbid_it(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone("46", answers_after=1)
    await pbx.phone("0711222333", outside=True, answers_after=1)
    call = await ask(bot)
    await anna.hears("Nobody is there.", within=30)
    await pbx.waits(5)
    assert (await status(bot, call))["error"] == "not_allowed"


def test_a_token_is_needed_and_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "plugin.click_to_call.token: is missing" in mistakes_of("click_to_call", "")
    monkeypatch.delenv("CLICK", raising=False)
    wrong = mistakes_of("click_to_call", 'token = { env = "CLICK" }')
    assert "plugin.click_to_call.token: the environment variable CLICK is not set" in wrong
    monkeypatch.setenv("CLICK", TOKEN)
    assert mistakes_of("click_to_call", 'token = { env = "CLICK" }') == ""
