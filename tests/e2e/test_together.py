"""Attended transfer and bridge with real sockets and real audio: who is on hold, who hears whom."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from vodiabot import Call

from .support import NUMBERS, a_bot, loudest_hz, read_wav, running, simulator, until

pytestmark = pytest.mark.audio


async def hears(call: Call, path: Path) -> float:
    """The frequency of the tone that this end hears, in Hz."""
    await call.sleep(0.5)
    await call.record(path, max_seconds=1.0)
    samples, rate = read_wav(path)
    return loudest_hz(samples, rate)


@pytest.mark.parametrize("dialect", ["classic", "modern"])
async def test_a_caller_is_joined_with_a_target(dialect: str, tmp_path: Path) -> None:
    reasons: list[str] = []

    async def attend(call: Call) -> None:
        await call.answer()
        second = await call.consult(NUMBERS["tone"])
        heard.append(await hears(second, tmp_path / "bot.wav"))
        await second.complete()
        reasons.extend([call.reason, second.reason])

    heard: list[float] = []
    async with simulator(dialect) as sim:
        bot, caller = a_bot(sim.url, tmp_path, handler=attend), a_bot(sim.url, tmp_path, user="46")
        async with running(bot, caller), caller.dial("45") as call:
            await until(lambda: reasons != [])
            assert reasons == ["transferred", "transferred"]
            assert heard == [pytest.approx(1000, abs=3)]
            assert bot.calls == []
            assert await hears(call, tmp_path / "caller.wav") == pytest.approx(1000, abs=3)


@pytest.mark.parametrize("dialect", ["classic", "modern"])
async def test_a_target_that_is_busy_gives_the_caller_back(dialect: str, tmp_path: Path) -> None:
    done = trio.Event()

    async def attend(call: Call) -> None:
        await call.answer()
        try:
            await call.consult(NUMBERS["busy"])
        except Exception as exc:  # noqa: BLE001 - what it is is the test's question
            outcome.append(type(exc).__name__)
        outcome.append(call.state)
        done.set()
        await call.wait_ended()

    outcome: list[str] = []
    async with simulator(dialect) as sim:
        bot, caller = a_bot(sim.url, tmp_path, handler=attend), a_bot(sim.url, tmp_path, user="46")
        async with running(bot, caller), caller.dial("45") as call:
            with trio.fail_after(20):
                await done.wait()
            assert outcome == ["Busy", "up"]
            before = call.stats().packets_received
            await call.sleep(1)
            assert call.stats().packets_received > before + 20


async def test_bridged_callers_hear_each_other_until_one_leaves(tmp_path: Path) -> None:
    async def attend(call: Call) -> None:
        await call.answer()
        async with bot.dial(NUMBERS["tone"]) as other:
            await call.bridge(other)
            left.append(other.state)

    left: list[str] = []
    async with simulator() as sim:
        bot, caller = a_bot(sim.url, tmp_path, handler=attend), a_bot(sim.url, tmp_path, user="46")
        async with running(bot, caller):
            async with caller.dial("45") as call:
                await call.sleep(1)
                assert await hears(call, tmp_path / "caller.wav") == pytest.approx(1000, abs=3)
            await until(lambda: left != [])
            assert left == ["up"]
