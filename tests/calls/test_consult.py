"""How the two legs of an attended transfer end, whatever the PBX says of them and in whatever order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot.calls import Call, Consultation
from vodiabot.errors import CallEnded, ConnectionLost, IllegalMove, NotAllowed, TransferFailed
from vodiabot.protocol import commands as c
from vodiabot.protocol import messages as m
from vodiabot.protocol.dialects import Dialect

from .kit import Bench, running


@dataclass
class Pair:
    """A caller on hold and a target that has answered."""

    bench: Bench
    first: Call
    second: Consultation

    def bye(self, call: Call, **fields: Any) -> None:
        self.bench.switchboard.deliver(m.Bye(call_id=call.id, cseq=9, **fields))

    def refuse(self, call: Call, code: int = 603) -> None:
        self.bench.switchboard.deliver(m.Informational(call_id=call.id, kind="response", code=code))

    def gone(self, call: Call) -> None:
        """Call-state says that the call goes on without us."""
        entry = m.CallEntry(id=call.id, state="connected", extensions=("46", "47"))
        self.bench.switchboard.deliver(m.CallState(calls=(entry,), whole=True))


@asynccontextmanager
async def pair(dialect: Dialect = Dialect.MODERN) -> AsyncIterator[Pair]:
    async with running() as bench:
        bench.dialect = dialect

        async def stay(call: Call) -> None:
            await call.answer()
            await call.wait_ended()

        bench.on_call(stay)
        await bench.connect(bench.invite())
        await trio.sleep(0.1)
        first = bench.calls[0]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.pick_up)
            second = await first.consult("47")
        yield Pair(bench, first, second)


async def after_join(both: Pair, work: Callable[[], None]) -> None:
    await both.bench.port.wait_for(c.AttendedTransfer)
    await trio.sleep(1)
    work()


SUCCESS: dict[str, Callable[[Pair], list[Callable[[], None]]]] = {
    "byes": lambda p: [lambda: p.bye(p.first), lambda: p.bye(p.second)],
    "byes, the target's first": lambda p: [lambda: p.bye(p.second), lambda: p.bye(p.first)],
    "call-state for one": lambda p: [lambda: p.gone(p.first), lambda: p.bye(p.second)],
    "call-state for both": lambda p: [lambda: p.gone(p.first), lambda: p.gone(p.second)],
}


@pytest.mark.parametrize("signs", SUCCESS)
async def test_both_legs_end_transferred(signs: str, autojump_clock: MockClock) -> None:
    async with pair() as both, trio.open_nursery() as nursery:
        for sign in SUCCESS[signs](both):
            nursery.start_soon(after_join, both, sign)
        await both.second.complete()
        assert [event.reason for event in both.bench.ended()] == ["transferred", "transferred"]
        [sent] = both.bench.port.of(c.AttendedTransfer)
        assert sent == c.AttendedTransfer(id=both.first.id, from_="45", id2=both.second.id, to="47")
        assert not both.bench.port.of(c.HangUp)


@pytest.mark.parametrize("by", ["first", "second", "silence"])
async def test_a_join_that_is_refused_leaves_both_calls(by: str, autojump_clock: MockClock) -> None:
    async with pair() as both, trio.open_nursery() as nursery:
        if by != "silence":
            nursery.start_soon(after_join, both, lambda: both.refuse(getattr(both, by)))
        began = trio.current_time()
        with pytest.raises(TransferFailed) as caught:
            await both.second.complete()
        assert trio.current_time() - began == pytest.approx(10 if by == "silence" else 1, abs=0.1)
        assert (caught.value.to, caught.value.code) == ("47", None if by == "silence" else 603)
        await trio.sleep(0.1)
        assert (both.first.state, both.second.state) == ("held", "up")
        nursery.start_soon(again, both)
        await both.second.complete()
        assert both.first.reason == both.second.reason == "transferred"


async def again(both: Pair) -> None:
    await both.bench.port.wait_for(c.AttendedTransfer, 2)
    both.bye(both.first)
    both.bye(both.second)


async def test_a_refused_join_can_be_cancelled(autojump_clock: MockClock) -> None:
    async with pair() as both, trio.open_nursery() as nursery:
        nursery.start_soon(after_join, both, lambda: both.refuse(both.first))
        with pytest.raises(TransferFailed):
            await both.second.complete()
        await both.second.cancel()
        assert (both.first.state, both.second.reason) == ("up", "hangup")


async def test_the_target_hangs_up_as_it_is_joined(autojump_clock: MockClock) -> None:
    """Its bye looks like a success; that nothing comes for the caller says that it was none."""
    async with pair() as both, trio.open_nursery() as nursery:
        nursery.start_soon(after_join, both, lambda: both.bye(both.second))
        with pytest.raises(TransferFailed):
            await both.second.complete()
        assert both.first.state == "up"


@pytest.mark.parametrize("how", ["a bye with an error", "our hang-up"])
async def test_a_target_that_is_gone_for_sure_costs_the_caller_no_more_music(
    how: str, autojump_clock: MockClock
) -> None:
    async with pair() as both, trio.open_nursery() as nursery:

        async def end() -> None:
            await both.bench.port.wait_for(c.AttendedTransfer)
            if how == "our hang-up":
                await both.second.hangup()
            else:
                both.bench.switchboard.deliver(m.Bye(call_id=both.second.id, code=480))

        nursery.start_soon(end)
        began = trio.current_time()
        with pytest.raises(TransferFailed):
            await both.second.complete()
        assert both.first.state == "up"
        assert trio.current_time() - began < 2


async def test_the_caller_hangs_up_as_he_is_joined(autojump_clock: MockClock) -> None:
    async with pair() as both, trio.open_nursery() as nursery:
        nursery.start_soon(after_join, both, lambda: both.bye(both.first))
        with pytest.raises(CallEnded):
            await both.second.complete()
        await trio.sleep(0.1)
        assert both.second.reason == "hangup"
        assert both.bench.port.of(c.HangUp) == [c.HangUp(call_id=both.second.id, caller=True)]


async def test_the_socket_dies_as_they_are_joined(autojump_clock: MockClock) -> None:
    async with pair() as both, trio.open_nursery() as nursery:
        nursery.start_soon(after_join, both, both.bench.switchboard.socket_lost)
        with pytest.raises(ConnectionLost):
            await both.second.complete()
        await trio.sleep(0.1)
        assert (both.first.state, both.second.state) == ("held", "up")


async def test_whoever_waits_for_the_join_is_cancelled_and_it_goes_on(autojump_clock: MockClock) -> None:
    async with pair() as both:
        with trio.move_on_after(1):
            await both.second.complete()
        with pytest.raises(IllegalMove):
            await both.second.complete()
        both.bye(both.first)
        both.bye(both.second)
        await both.second.over.wait()
        assert both.first.reason == both.second.reason == "transferred"


async def test_a_join_is_cancelled_while_nothing_is_known_of_it(autojump_clock: MockClock) -> None:
    async with pair() as both:
        with trio.move_on_after(1):
            await both.second.complete()
        await both.second.cancel()
        assert (both.first.state, both.second.reason) == ("up", "hangup")


async def test_the_calls_are_not_joined_while_one_is_on_its_way_elsewhere(autojump_clock: MockClock) -> None:
    async with pair(Dialect.CLASSIC) as both, trio.open_nursery() as nursery:
        nursery.start_soon(both.second.transfer, "500")
        await both.bench.port.wait_for(c.BlindTransfer)
        with pytest.raises(IllegalMove):
            await both.second.complete()
        assert not both.bench.port.of(c.AttendedTransfer)
        both.bye(both.second)


async def test_the_caller_that_can_not_be_taken_back(autojump_clock: MockClock) -> None:
    async with pair(Dialect.CLASSIC) as both:
        await both.first.sleep(1)
        both.bench.port.alive = False
        both.bench.switchboard.socket_lost()
        with pytest.raises(ConnectionLost):
            await both.second.cancel()
        assert (both.first.state, both.second.state) == ("held", "ended")
        both.bench.port.alive = True
        both.bench.switchboard.socket_back()
        held = m.CallEntry(id=both.first.id, state="holding")
        both.bench.switchboard.deliver(m.CallState(calls=(held,), whole=True))
        await trio.sleep(1)
        assert both.first.state == "held"


async def test_a_bot_that_leaves_consults_nobody(autojump_clock: MockClock) -> None:
    async with pair() as both, trio.open_nursery() as nursery:
        await both.second.cancel()
        sent = len(both.bench.port.sent)
        nursery.start_soon(both.bench.switchboard.drain, 10)
        await trio.sleep(1)
        with pytest.raises(NotAllowed):
            await both.first.consult("47")
        assert both.first.state == "up"
        assert len(both.bench.port.sent) == sent


async def test_the_bot_is_cancelled_while_the_target_rings(autojump_clock: MockClock) -> None:
    """`running` checks that nothing is left open."""
    async with pair() as both, trio.open_nursery() as nursery:
        await both.second.cancel()

        async def consult() -> None:
            with pytest.raises(CallEnded):
                await both.first.consult("48")

        nursery.start_soon(consult)
        await both.bench.port.wait_for(c.PlaceCall, 2)
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.sleep(1)
        await both.first.hangup()
    assert [event.reason for event in both.bench.ended()] == ["hangup", "hangup", "hangup"]
