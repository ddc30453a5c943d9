"""An attended transfer while everybody does what he likes at any time: whatever comes of it, nobody is left behind."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from vodiabot import Call, CallEnded, ConnectionLost, DialError, IllegalMove, TransferFailed, events

from .kit import world
from .test_together import WHISPER

NEVER = 1000.0
times = st.one_of(st.just(NEVER), st.floats(0, 20).map(lambda seconds: round(seconds, 2)))
PLANS = st.fixed_dictionaries(
    {
        "caller_hangs_up": times,
        "target_answers": times,
        "target_presses": times,
        "target_hangs_up": times,
        "plugin_is_cancelled": times,
        "plugin_hangs_up": times,
        "socket_dies": times,
        "second_thought": st.sampled_from(["complete", "cancel", "leave", "resume first"]),
        "talks_for": st.floats(0, 5),
        "whispers": st.booleans(),
        "asks": st.booleans(),
    }
)
Plan = dict[str, Any]


def quiet(**changes: Any) -> Plan:
    """Nothing happens but that the target answers and accepts."""
    names = ("caller_hangs_up", "target_hangs_up", "plugin_is_cancelled", "plugin_hangs_up", "socket_dies")
    usual = {"target_answers": 1.0, "target_presses": 1.0, "second_thought": "complete", "talks_for": 1.0}
    return {**dict.fromkeys(names, NEVER), **usual, "whispers": True, "asks": True, **changes}


@settings(max_examples=80, deadline=None)
@given(PLANS, st.sampled_from(["classic", "modern"]))
@example(quiet(), "modern")
@example(quiet(plugin_is_cancelled=0.0), "modern")
@example(quiet(socket_dies=3.0), "classic")
@example(quiet(caller_hangs_up=2.0, target_hangs_up=2.0), "modern")
@example(quiet(second_thought="cancel", plugin_is_cancelled=4.0), "classic")
def test_nobody_is_left_behind(plan: Plan, dialect: str) -> None:
    with structlog.testing.capture_logs() as lines:
        trio.run(play, plan, dialect, clock=MockClock(autojump_threshold=0))
    assert not [line for line in lines if "mistake of ours" in line["event"]]


async def play(plan: Plan, dialect: str) -> None:
    left: list[str] = []

    async def at_the_bot(call: Call) -> None:
        await call.answer()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at, plan["plugin_hangs_up"], call.hangup)
            with trio.move_on_after(plan["plugin_is_cancelled"]), suppress(*EXPECTED):
                await attend(call, plan)
            await trio.sleep(25)  # what is taken back is taken back by now
            if call.ended is None:
                left.append(call.state)
            nursery.cancel_scope.cancel()

    async def at_the_target(call: Call) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at, plan["target_hangs_up"], call.hangup)
            with suppress(*EXPECTED):
                await call.sleep(plan["target_answers"])
                await call.answer()
                await call.sleep(plan["target_presses"])
                await call.send_dtmf("1")
                await call.wait_ended()
            nursery.cancel_scope.cancel()

    bots = [("45", "bot", at_the_bot), ("46", "demo", None), ("47", "demo", at_the_target)]
    with tempfile.TemporaryDirectory() as state:
        async with world(dialect, Path(state), *bots) as (made, [bot, caller, target]), bot.events() as told:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(at, plan["socket_dies"], cut(made))
                with suppress(*EXPECTED):
                    async with caller.dial("45") as call:
                        nursery.start_soon(at, plan["caller_hangs_up"], call.hangup)
                        with trio.move_on_after(200):
                            await call.wait_ended()
                nursery.cancel_scope.cancel()
            await trio.sleep(100)
            assert [*bot.calls, *caller.calls, *target.calls] == []
            assert made.wire.open_ends == 0
            check_told(told)
    if plan["socket_dies"] == NEVER:
        assert left in ([], ["up"])


EXPECTED = (CallEnded, ConnectionLost, DialError, IllegalMove, TransferFailed)


async def attend(call: Call, plan: Plan) -> None:
    options: dict[str, Any] = {"whisper": WHISPER} if plan["whispers"] else {}
    options |= {"accept": "1"} if plan["asks"] else {}
    async with call.consult("47", timeout=15, **options) as second:
        await second.sleep(plan["talks_for"])
        if plan["second_thought"] == "resume first":
            await call.resume()
        if plan["second_thought"] in ("complete", "resume first"):
            await second.complete()
        elif plan["second_thought"] == "cancel":
            await second.cancel()


async def at(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    await trio.sleep(seconds)
    await work()


def cut(made: Any) -> Callable[[], Awaitable[None]]:
    async def now() -> None:
        made.pbx.cut_all()
        await trio.lowlevel.checkpoint()

    return partial(now)


def check_told(told: trio.MemoryReceiveChannel[events.Event]) -> None:
    """Each call of the bot ended once, with a reason, and nothing was told of it afterwards."""
    ended: set[str] = set()
    living: set[str] = set()
    while told.statistics().current_buffer_used:
        event = told.receive_nowait()
        if not isinstance(event, events.CallEvent):
            continue
        assert event.call_id not in ended
        living.add(event.call_id)
        if isinstance(event, events.CallEnded):
            assert event.reason
            ended.add(event.call_id)
    assert living == ended
