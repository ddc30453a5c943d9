"""`gather` while the call is on hold, by either side: nobody hears a prompt then, and nobody can press a key."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from vodiabot.calls.holding import Holding
from vodiabot.errors import CallEnded
from vodiabot.protocol import messages as m

from .test_gathering import LONG, SHORT, Talk, talking


def is_listed(talk: Talk, seconds: float, state: str) -> None:
    """The PBX lists our leg as `onhold` (the other side holds us) or `connected`."""
    entry = m.CallEntry(id="1", call_id=talk.call.id, state=state)
    talk.at(seconds, lambda: talk.bench.switchboard.deliver(m.CallState(calls=(entry,), whole=False)))


async def test_a_prompt_that_the_hold_cuts_off_is_played_again_after_it(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        is_listed(talk, 4.0, "onhold")
        is_listed(talk, 100.0, "connected")
        talk.press(112.0, "7")
        assert await talk.call.gather(prompt=LONG) == "7"
        assert talk.heard == [("long", 4.0), ("long", 10.0)]
        assert talk.now == 112.0


async def test_a_prompt_waits_for_the_end_of_the_hold(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        is_listed(talk, 1.0, "onhold")
        is_listed(talk, 60.0, "connected")
        await trio.sleep(2)
        assert talk.call.held_by_remote
        assert await talk.call.gather(prompt=SHORT, timeout=5, retries=1) == ""
        assert talk.now == 60 + 2 * (2 + 5)
        assert talk.heard == [("short", 2.0)] * 2


async def test_the_time_for_a_digit_rests_and_begins_anew(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        is_listed(talk, 4.0, "onhold")
        is_listed(talk, 60.0, "connected")
        assert await talk.call.gather(timeout=5) == ""
        assert talk.now == 65.0
        assert talk.call.gathered.attempts == 1  # type: ignore[union-attr]
        talk.press(66.0, "1")
        is_listed(talk, 67.0, "onhold")
        is_listed(talk, 90.0, "connected")
        assert await talk.call.gather(4, first_digit_timeout=30, inter_digit_timeout=3) == "1"
        assert talk.now == 93.0


async def test_a_hold_of_our_own_counts_likewise(autojump_clock: MockClock) -> None:
    async with talking() as talk:

        async def hold_for_a_while() -> None:
            await trio.sleep(2)
            await talk.call.hold()
            await trio.sleep(50)
            await talk.call.resume()

        talk.nursery.start_soon(hold_for_a_while)
        talk.press(56.0, "3")
        assert await talk.call.gather(timeout=5) == "3"


async def test_a_key_that_comes_all_the_same_counts(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        is_listed(talk, 1.0, "onhold")
        talk.press(30.0, "5")
        assert await talk.call.gather(prompt=LONG) == "5"
        assert (talk.now, talk.heard) == (30.0, [("long", 1.0)])


@pytest.mark.parametrize("prompt", [LONG, None])
async def test_who_hangs_up_during_the_hold_ends_it(prompt: object, autojump_clock: MockClock) -> None:
    async with talking() as talk:
        is_listed(talk, 1.0, "onhold")
        talk.hang_up(20.0)
        with pytest.raises(CallEnded):
            await talk.call.gather(prompt=prompt)
        assert talk.now == 20.0


async def test_it_can_be_cancelled_during_the_hold(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        is_listed(talk, 1.0, "onhold")
        with trio.move_on_after(50) as patience:
            await talk.call.gather(prompt=LONG, retries=3)
        assert patience.cancelled_caught
        talk.press(60.0, "9")
        is_listed(talk, 55.0, "connected")
        assert await talk.call.gather(timeout=6) == "9"


async def test_what_plays_goes_on_while_the_pbx_lists_us_as_held(autojump_clock: MockClock) -> None:
    """As docs/audio.md says: the PBX hears it then, and nobody else."""
    async with talking() as talk:
        is_listed(talk, 1.0, "onhold")
        await talk.call.play(LONG)
        assert talk.now == 10.0


async def test_the_body_is_left_at_each_change_and_not_else(autojump_clock: MockClock) -> None:
    holding = Holding()
    with holding.until_change():
        holding.tell(False)
        await trio.lowlevel.checkpoint()
        for on_hold in (True, False):
            left = True
            with holding.until_change():
                holding.tell(on_hold)
                await trio.lowlevel.checkpoint()
                left = False
            assert left
        raise AssertionError("the outer one hears of it, too")
