"""What people of the kit do and expect, with a plugin that does what they tell it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trio

from vodiabot.sources import tone
from vodiabot.testing.exchange import Exchange
from vodiabot.testing.story import Unexpected
from vodiabot.testing.world import VirtualBot

HERE = Path(__file__).parent
both = pytest.mark.parametrize("dialect", ["modern", "classic"])


@pytest.fixture
def vodiabot_settings(request: pytest.FixtureRequest) -> dict[str, object]:
    dialect = request.node.callspec.params.get("dialect", "modern") if hasattr(request.node, "callspec") else "modern"
    people = [{"user": user, "password": "x"} for user in ("46", "47", "48")]
    return {
        "plugins": {"enabled": ["desk"], "path": [str(HERE / "plugins")]},
        "sim": {"dialect": dialect, "extension": people},
    }


@both
async def test_files_and_tones_are_heard(dialect: str, pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await caller.presses("1")
    sound = await caller.hears("chime.wav")
    assert sound.duration == 1.0
    await caller.hears(tone(440))
    await caller.hangs_up()
    assert bot.did == [
        "answers 0711123456",
        "plays chime.wav to 0711123456",
        "plays a tone of 440 Hz to 0711123456",
    ]


async def test_what_is_expected_may_be_a_path_or_a_pattern(pbx: Exchange) -> None:
    caller = await pbx.call()
    await caller.presses("11")
    await caller.hears(Path("plugins/chime.wav"))
    await caller.hears(tone(440))
    await caller.hears(re.compile("ch.*wav"))
    with pytest.raises(Unexpected, match=r"heard a tone of 440 Hz at .* expected a tone of 441 Hz"):
        await caller.hears(tone(441))


async def test_music_over_and_over_is_passed_over(pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await caller.presses("2")
    await caller.hears("chime.wav")
    await caller.hears("here we are", within=15)
    assert bot.did.count("plays chime.wav to 0711123456") == 10


async def test_what_is_stopped_is_not_heard_whole(pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await caller.presses("8")
    await caller.hears(tone(100), whole=False)
    with pytest.raises(Unexpected, match="heard nothing more within 10 s, expected 'Hello'"):
        await caller.hears("Hello")
    await caller.hangs_up()
    with pytest.raises(Unexpected, match="expected 'Hello', but the call has ended"):
        await caller.hears("Hello")


@both
async def test_a_transfer_to_somebody_who_answers(dialect: str, pbx: Exchange, bot: VirtualBot) -> None:
    sales = await pbx.phone("500", "Sales", answers_after=3)
    caller = await pbx.call(name="Ada")
    await caller.presses("3")
    await caller.is_transferred_to("500")
    await caller.is_connected_to("500")
    await caller.speaks("Is this sales?")
    await sales.hears("is this sales?")
    await sales.hangs_up()
    await caller.is_hung_up()
    assert bot.did == ["answers 0711123456", "transfers 0711123456 to 500"]


async def test_a_transfer_that_is_refused(pbx: Exchange, bot: VirtualBot) -> None:
    sales = await pbx.phone("500")
    await sales.unplugs()
    caller = await pbx.call()
    await caller.presses("3")
    await caller.hears("Nobody is there.")
    with pytest.raises(Unexpected, match="is with 45 after 1 s, expected 500"):
        await caller.is_transferred_to("500", within=1)


@both
async def test_a_consultation(dialect: str, pbx: Exchange, bot: VirtualBot) -> None:
    sales = await pbx.phone("500", answers_after=2)
    caller = await pbx.call()
    await caller.presses("4")
    await caller.is_held()
    await sales.hears("A caller for you.", whole=False)
    await sales.presses("1")
    await caller.is_connected_to("500")
    assert bot.did == [
        "answers 0711123456",
        "holds 0711123456",
        "calls 500",
        "says 'A caller for you.' to 500",
        "joins 0711123456 and 500",
    ]


async def test_a_consultation_that_nobody_wants(pbx: Exchange, bot: VirtualBot) -> None:
    await pbx.phone("500", busy=True)
    caller = await pbx.call()
    await caller.presses("4")
    await caller.hears("Nobody wants to.")
    assert bot.did[-2:] == ["resumes 0711123456", "says 'Nobody wants to.' to 0711123456"]


@both
async def test_who_is_bridged_is_heard_at_the_other_side(dialect: str, pbx: Exchange) -> None:
    sales = await pbx.phone("500", answers_after=2)
    caller = await pbx.call()
    await caller.presses("5")
    await pbx.waits(3)
    await caller.speaks("Hello?")
    await sales.hears("Hello?")
    await sales.speaks("Yes?")
    await caller.hears("Yes?")
    await sales.hangs_up()
    await caller.hears("Alone again.")


@both
async def test_keys_of_the_bot(dialect: str, pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await caller.presses("6")
    await caller.hears_digits("12#")
    assert bot.did[-1] == "presses 12# for 0711123456"


async def test_speech_has_energy_as_long_as_it_takes(pbx: Exchange) -> None:
    caller = await pbx.call()
    await caller.presses("7")
    await caller.speaks("Hello, is anybody there?", seconds=1.6)
    await caller.hears("I heard you for 1.6 seconds.")


async def test_what_a_plugin_makes_itself_is_heard(pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await caller.presses("0")
    sound = await caller.hears(tone(440))
    assert sound.duration == pytest.approx(0.5)
    cut_off = await caller.hears("samples")
    assert cut_off.duration == pytest.approx(0.4)
    assert cut_off.what.hz() == pytest.approx(880, rel=0.01)
    assert bot.did[1:] == ["plays samples to 0711123456"] * 2


@both
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"answers_after": 4}, None),
        ({"busy": True}, "Busy"),
        ({"refuses": 603}, "Rejected"),
        ({}, "NoAnswer"),
    ],
)
async def test_outgoing_calls(
    how: dict[str, object], told: str | None, dialect: str, pbx: Exchange, bot: VirtualBot
) -> None:
    phone = await pbx.phone("0800123", **how, outside=True)  # type: ignore[arg-type]
    anna = await pbx.phone("46", "Anna")
    await anna.writes("0800123")
    if told is None:
        await phone.hears("This is the bot.")
        await phone.is_hung_up()
        assert bot.did == ["calls 0800123", "says 'This is the bot.' to 0800123", "hangs up on 0800123"]
    else:
        await anna.reads(told, within=30)


async def test_a_number_that_nobody_spoke_of_rings_in_vain(pbx: Exchange, bot: VirtualBot) -> None:
    anna = await pbx.phone("46")
    await anna.writes("0999")
    await anna.reads("NoAnswer", within=30)
    assert bot.did[:2] == ["calls 0999", "gives up calling 0999"]


@pytest.mark.parametrize("outside", [True, False])
async def test_a_phone_has_other_habits_when_it_is_said_again(pbx: Exchange, bot: VirtualBot, outside: bool) -> None:
    busy = await pbx.phone("500", busy=True, outside=outside)
    await pbx.chat("46", "500")
    await pbx.waits(1)
    assert await pbx.phone("500", answers_after=2, outside=outside) is busy
    await pbx.chat("46", "500")
    await busy.hears("This is the bot.")
    assert bot.did[-1] == "says 'This is the bot.' to 500"
    assert len(pbx.people) == 1


async def test_somebody_picks_up_by_hand(pbx: Exchange) -> None:
    phone = await pbx.phone("0800123")
    await (await pbx.phone("46")).writes("0800123")
    await phone.rings("45")
    await phone.waits(3)
    await phone.answers()
    await phone.hears("this is the bot")


async def test_a_caller_is_refused(pbx: Exchange) -> None:
    caller = pbx.person("0666")
    await caller.calls("45", answered=False)
    await caller.is_refused(603)
    with pytest.raises(Unexpected, match="expected an answer, but the call has ended with 603"):
        await caller.calls("45")


async def test_presence_and_calls_of_others(pbx: Exchange, bot: VirtualBot) -> None:
    anna, bruno, clara = [await pbx.phone(user) for user in ("46", "47", "48")]
    await anna.calls("47", answered=False)
    await bruno.answers()
    await clara.reads("46 talks with 47")
    await anna.hangs_up()
    await clara.reads("46 is free")
    await anna.does_not_disturb()
    await anna.reads("Good night.")


async def test_numbers_outside_are_no_accounts_of_the_domain(pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call(from_="0711123456")
    await pbx.phone("500", "Sales")
    await pbx.waits(1)
    accounts = bot.engine.domain.accounts
    assert "0711123456" not in accounts
    assert accounts["500"].name == "Sales"
    assert accounts["500"].registered
    await pbx.loses_connection(5)
    await pbx.waits(30)
    assert "0711123456" not in bot.engine.domain.accounts
    assert caller.state == "up"


async def test_the_bot_comes_back_when_the_pbx_does(pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await pbx.loses_connection(3)
    await pbx.waits(20)
    await caller.presses("1")
    await caller.hears("chime.wav")


async def test_silence_is_silence(pbx: Exchange) -> None:
    caller = await pbx.call()
    began = trio.current_time()
    await caller.hears_nothing(7)
    assert trio.current_time() == began + 7
    await caller.presses("1")
    with pytest.raises(Unexpected, match=r"heard a tone of 440 Hz at 8\.0 s, expected nothing"):
        await caller.hears_nothing()
