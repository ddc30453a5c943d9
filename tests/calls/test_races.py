"""What crosses: an end, a loss or a second thought, in the midst of what takes its time."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from vodiabot.calls import Call
from vodiabot.errors import CallEnded, IllegalMove
from vodiabot.protocol import commands as c
from vodiabot.protocol import messages as m

from .kit import Bench, running


async def answered(bench: Bench, call_id: str = "in-1") -> None:
    await bench.connect(bench.invite(call_id))


@pytest.mark.parametrize("what", ["hold", "mute", "record_on_pbx"])
async def test_the_caller_hangs_up_while_the_socket_takes_nothing(what: str, autojump_clock: MockClock) -> None:
    raised: list[float] = []

    async def handler(call: Call) -> None:
        await call.answer()
        await call.sleep(1)
        bench.port.stuck = True
        try:
            await getattr(call, what)()
        except CallEnded:
            raised.append(trio.current_time())

    async with running() as bench:
        bench.on_call(handler)
        await answered(bench)
        await trio.sleep(3)
        bench.switchboard.deliver(m.Bye(call_id="in-1"))
        ended = trio.current_time()
        await trio.sleep(20)
        assert raised == [ended]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("taken", [False, True])
async def test_a_handler_that_leaves_before_its_transfer_is_taken(
    taken: bool, fails: bool, autojump_clock: MockClock
) -> None:
    """Who is on his way to somebody is not hung up on, and who is refused goes to the fallback if there is one."""

    async def handler(call: Call) -> None:
        await call.answer()
        with trio.move_on_after(1):
            await call.transfer("500")
        if fails:
            raise RuntimeError("a mistake")

    async with running() as bench:
        bench.on_call(handler, fallback="900")
        await answered(bench)
        await bench.port.wait_for(c.BlindTransfer)
        await trio.sleep(3)
        assert not bench.ended()
        if taken:
            bench.switchboard.deliver(m.Bye(call_id="in-1"))
        else:
            bench.switchboard.deliver(m.Informational(call_id="in-1", kind="response", code=404))
            if fails:
                await bench.port.wait_for(c.BlindTransfer, 2)
                bench.switchboard.deliver(m.Bye(call_id="in-1"))
        await trio.sleep(1)
        assert [event.reason for event in bench.ended()] == ["transferred" if taken or fails else "hangup"]
        assert [sent.to for sent in bench.port.of(c.BlindTransfer)] == ["500", "900"][: 1 + (fails and not taken)]


async def test_a_handler_that_fails_as_it_takes_the_caller_back(autojump_clock: MockClock) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        await call.hold()
        with trio.move_on_after(0.1):
            await call.resume()
        raise RuntimeError("a mistake")

    async with running() as bench:
        bench.on_call(handler, fallback="900")
        await answered(bench)
        assert (await bench.port.wait_for(c.BlindTransfer)).to == "900"
        bench.switchboard.deliver(m.Bye(call_id="in-1"))
        await trio.sleep(1)
        assert [event.reason for event in bench.ended()] == ["transferred"]


@pytest.mark.parametrize("why", ["the socket died", "the caller gave up", "we refused"])
async def test_it_rings_anew_under_the_same_call_id(why: str, autojump_clock: MockClock) -> None:
    async def handler(call: Call) -> None:
        if why == "we refused":
            await call.reject()
        else:
            await call.wait_ended()

    async with running() as bench:
        bench.on_call(handler)
        bench.invite()
        await trio.sleep(1)
        if why == "the socket died":
            bench.switchboard.socket_lost()
            await trio.sleep(1)
            bench.switchboard.socket_back()
        elif why == "the caller gave up":
            bench.switchboard.deliver(m.Cancel(call_id="in-1"))
            await trio.sleep(1)
        bench.invite()
        await trio.sleep(1)
        assert len(bench.switchboard.calls) == (0 if why == "we refused" else 1), "a repetition crosses our refusal"
        assert len(bench.ended()) == 1
        bench.switchboard.deliver(m.Cancel(call_id="in-1"))
        await trio.sleep(20)
        assert bench.switchboard.calls == []
        assert len(bench.switchboard._legs) == 0


async def test_what_may_not_be_muted_yet_is_not_muted(autojump_clock: MockClock) -> None:
    async with running() as bench:
        bench.invite()
        await trio.sleep(0.1)
        call = bench.calls[0]
        with pytest.raises(IllegalMove):
            await call.mute()
        assert not call._leg.media.muted  # type: ignore[attr-defined]
