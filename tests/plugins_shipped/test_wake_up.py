"""Wake-up calls, by the kit that authors of plugins use; the world begins on Monday, 5 January 2026, 9:00 UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.plugins_shipped.loading import SHIPPED, mistakes_of
from vodiabot.testing.exchange import Exchange
from vodiabot.testing.people import Person
from vodiabot.testing.settings import Author, prepare
from vodiabot.testing.world import VirtualBot, World, in_virtual_time

ASK = "When shall we wake you?"
ANNA = "46"


def settings(section: str = "", general: str = "") -> str:
    return f'{general}\n[plugins]\nenabled = ["wake_up"]\n[plugin.wake_up]\n{section}'


def wake_up(section: str = "", general: str = "", **more: Any) -> Any:
    return pytest.mark.vodiabot(settings=settings(section, general), **more)


async def order(pbx: Exchange, anna: Person, keys: str, *, answer: str) -> None:
    """Calls, presses and hears what it comes to."""
    await anna.calls(pbx.bots[0])
    await anna.presses(keys)
    await anna.hears(answer)
    await anna.is_hung_up()


@wake_up()
async def test_it_rings_at_the_time_that_was_entered_and_then_no_more(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone(ANNA, "Anna")
    await anna.calls("45")
    await anna.hears(ASK)
    await anna.presses("1030")
    await anna.hears("You will be woken at 10:30.")
    await anna.is_hung_up()
    await anna.rings(from_="45", within=5400)
    assert bot.engine.wall() == pytest.approx(datetime(2026, 1, 5, 10, 30, tzinfo=UTC).timestamp(), abs=1)
    await anna.answers()
    await anna.hears("Good morning. It is 10:30.")
    await anna.is_hung_up()
    done = list(bot.did)
    await pbx.waits(7200)
    assert bot.did == done


@wake_up('timezone = "Europe/Berlin"', start="2026-01-05T22:30:00+00:00")
async def test_times_are_of_the_time_zone_and_past_ones_of_tomorrow(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone(ANNA, "Anna")
    await order(pbx, anna, "0100", answer="You will be woken at 01:00.")  # it is 23:30 in Berlin
    await anna.rings(within=6000)
    assert bot.engine.wall() == pytest.approx(datetime(2026, 1, 6, 0, 0, tzinfo=UTC).timestamp(), abs=1)


@wake_up('timezone = "Europe/Berlin"', start="2026-03-29T00:30:00+01:00")
@pytest.mark.parametrize(("keys", "hour"), [("0330", 1), ("0230", 1)], ids=["after the change", "that is skipped"])
async def test_the_night_in_which_summer_time_begins(keys: str, hour: int, pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone(ANNA, "Anna")
    await order(pbx, anna, keys, answer="You will be woken at")
    await anna.rings(within=10000)
    assert datetime.fromtimestamp(bot.engine.wall(), UTC).hour == hour


@wake_up("retries = 2\nretry_after = 180")
async def test_who_does_not_answer_is_rung_again_and_given_up_in_the_end(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone(ANNA, "Anna")
    await order(pbx, anna, "0905", answer="You will be woken at 09:05.")
    await pbx.waits(3600)
    assert bot.did.count("calls 46") == 3
    (line,) = bot.warnings
    assert (line["event"], line["number"], line["time"]) == ("somebody was not woken", "46", "09:05")


@wake_up("retry_after = 120")
async def test_who_answers_the_second_time_is_not_rung_a_third_time(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone(ANNA, "Anna")
    await order(pbx, anna, "0905", answer="You will be woken at 09:05.")
    await anna.refuses(486, within=600)
    await anna.answers(within=600)
    await anna.hears("Good morning. It is 09:05.")
    await pbx.waits(3600)
    assert bot.did.count("calls 46") == 2
    assert [line for line in bot.warnings if line["event"] == "somebody was not woken"] == []


@wake_up("retry_after = 120")
async def test_who_puts_the_phone_down_at_once_is_rung_again(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone(ANNA, "Anna")
    await order(pbx, anna, "0905", answer="You will be woken at 09:05.")
    await anna.answers(within=600)
    await anna.waits(0.1)
    await anna.hangs_up()
    await anna.answers(within=600)
    await anna.is_hung_up(within=30)
    await pbx.waits(3600)
    assert bot.did.count("calls 46") == 2


@wake_up("retry_after = 120")
async def test_a_look_that_comes_a_little_late_puts_nothing_off_by_a_minute(
    pbx: Exchange, bot: VirtualBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await pbx.phone(ANNA, "Anna")
    await order(pbx, anna, "0905", answer="You will be woken at 09:05.")
    wall = bot.engine.wall
    with monkeypatch.context() as patch:
        patch.setattr(bot.engine, "wall", lambda: wall() + 0.05)
        await anna.rings(within=600)
    await anna.refuses(486)
    first = trio.current_time()
    await anna.rings(within=600)
    assert trio.current_time() - first == pytest.approx(120, abs=1)


@wake_up()
async def test_calling_again_cancels_it(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone(ANNA, "Anna")
    await order(pbx, anna, "0930", answer="You will be woken at 09:30.")
    await anna.calls("45")
    await anna.hears("You will be woken at 09:30. Enter another time, or press star to cancel.")
    await anna.presses("*")
    await anna.hears("You will not be woken.")
    await pbx.waits(7200)
    assert "calls 46" not in bot.did


@wake_up()
async def test_calling_again_changes_it(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone(ANNA, "Anna")
    await order(pbx, anna, "0930", answer="You will be woken at 09:30.")
    await order(pbx, anna, "0945", answer="You will be woken at 09:45.")
    await anna.answers(within=3600)
    await anna.hears("Good morning. It is 09:45.")
    await pbx.waits(7200)
    assert bot.did.count("calls 46") == 1


@wake_up()
@pytest.mark.parametrize("keys", ["2530", "0960", "*"], ids=["no such hour", "no such minute", "nothing to cancel"])
async def test_what_is_no_time_is_asked_again(keys: str, pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone(ANNA, "Anna")
    await anna.calls("45")
    await anna.hears(ASK, whole=False)
    await anna.presses(keys[:2])
    await anna.waits(12)
    await anna.presses("0910")
    await anna.hears("You will be woken at 09:10.")


@wake_up(general="limits.dials_per_minute = 2")
async def test_more_at_a_time_than_may_be_dialled_are_woken_a_minute_later(pbx: Exchange, bot: VirtualBot) -> None:
    guests = [await pbx.phone(str(number), answers_after=2) for number in (101, 102, 103, 104, 105)]
    for guest in guests:
        await order(pbx, guest, "0930", answer="You will be woken at 09:30.")
    await pbx.waits(1800 + 180)
    assert sorted(deed for deed in bot.did if deed.startswith("calls")) == [f"calls {guest.number}" for guest in guests]


def world(state: Path, start: str) -> World:
    prepared = prepare(Author(settings(), state_dir=state, file=state / "bot.toml", shipped=SHIPPED))
    return World(prepared, start=datetime.fromisoformat(start))


@pytest.mark.parametrize(
    ("again", "rung"),
    [
        ("2026-01-05T09:20:00+00:00", True),
        ("2026-01-05T09:50:00+00:00", True),
        ("2026-01-05T11:00:00+00:00", False),
    ],
    ids=["in time", "a little late", "much too late"],
)
def test_it_survives_a_restart(again: str, rung: bool, tmp_path: Path) -> None:
    before = world(tmp_path, "2026-01-05T09:00:00+00:00")

    async def first() -> None:
        await order(before.pbx, await before.pbx.phone(ANNA), "0930", answer="You will be woken at 09:30.")

    in_virtual_time(before.run, first)
    before.prepared.forget()
    after = world(tmp_path, again)

    async def second() -> None:
        anna = await after.pbx.phone(ANNA, answers_after=1)
        if rung:
            await anna.hears("Good morning. It is 09:30.", within=3600)
        await after.pbx.waits(7200)
        assert after.bot.did.count("calls 46") == rung

    in_virtual_time(after.run, second)
    after.prepared.forget()


def test_a_time_zone_that_does_not_exist_is_told() -> None:
    told = mistakes_of("wake_up", 'timezone = "Europe/Atlantis"')
    assert 'plugin.wake_up.timezone: there is no "Europe/Atlantis"' in told
