"""Faults of single frames, and that the bot lives through them."""

from __future__ import annotations

from pathlib import Path

import pytest

from vodiabot.errors import ConnectionLost, UsageError
from vodiabot.testing.exchange import Exchange
from vodiabot.testing.faults import Fault, FaultyLine, Kind, frame_name
from vodiabot.testing.world import VirtualBot

PLUGINS = Path(__file__).parent / "plugins"
pytestmark = pytest.mark.vodiabot(settings={"plugins": {"enabled": ["desk"], "path": [str(PLUGINS)]}})


@pytest.mark.parametrize("kind", ["drop", "delay", "duplicate", "reorder", "garble", "lose"])
@pytest.mark.parametrize("frame", ["call-state", "user-state"])
async def test_the_bot_lives_through_it(kind: Kind, frame: str, pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await pbx.waits(1)
    pbx.fault(kind, frame)
    await (await pbx.phone("46")).calls("600")  # the bot is told of it
    await pbx.waits(20)
    await caller.presses("1")
    await caller.hears("chime.wav")
    assert any(f"fault: {kind}, {frame}" in one.text for one in pbx.story.happenings)


async def test_an_invite_that_is_lost_rings_in_vain(pbx: Exchange, bot: VirtualBot) -> None:
    pbx.fault("lose", "invitesdp", nth=0)
    caller = pbx.person("0711")
    await caller.calls("45", answered=False)
    await pbx.waits(20)
    assert caller.state == "calling"
    assert bot.did == []


async def test_the_bots_own_frames_too(pbx: Exchange, bot: VirtualBot) -> None:
    pbx.fault("drop", "sdp-200ok", by_bot=True)
    caller = pbx.person("0711")
    await caller.calls("45", answered=False)
    await bot.fails(ConnectionLost)
    await pbx.waits(20)
    assert caller.state == "idle"


async def test_the_nth_frame_is_meant(pbx: Exchange) -> None:
    line = FaultyLine(pbx.virtual.connect)
    line.faults.append(Fault("lose", "bye", nth=2))
    assert [line.due('{"bye": "true"}', by_bot=False) is not None for _ in range(3)] == [False, True, False]
    assert line.due('{"bye": "true"}', by_bot=True) is None


async def test_the_next_frame_is_meant_each_time_it_is_asked_for(pbx: Exchange) -> None:
    def lost(frames: int) -> list[bool]:
        return [pbx.line.due('{"bye": "true"}', by_bot=False) is not None for _ in range(frames)]

    pbx.fault("lose", "bye")
    assert lost(2) == [True, False]
    pbx.fault("lose", "bye")
    assert lost(2) == [True, False]


def test_names_of_frames() -> None:
    assert [frame_name(text) for text in ('{"action": "blf"}', '{"sdp": "", "callid": "x"}', "no", "[]")] == [
        "blf",
        "sdp",
        "",
        "",
    ]
    with pytest.raises(UsageError):
        Fault("delay", by_bot=True)
