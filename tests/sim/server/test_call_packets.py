"""The simulated PBX from outside: keys, silence and losses in whole calls."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from tests.sim.client import RATE, Phone, PhoneCall, wait_for
from tests.sim.client_packets import Wire
from tests.sim.server.test_calls import DIALECTS, idle, number, phone, simulator
from tests.sim.server.test_dtmf import press
from vodiabot.sim.config import Service
from vodiabot.sim.server.dtmf import DigitDetector

pytestmark = pytest.mark.audio


async def test_the_service_dtmf_presses_keys_and_hears_keys() -> None:
    services = (Service("900", "dtmf", digits="159#", seconds=0.2),)
    async with simulator(services=services) as sim, phone(sim, "46", audio=Wire) as anna:
        call = await anna.dial("900")
        await call.wait_answered()
        wire = packets(call)
        await wait_for(lambda: wire.keys == "159#", "four keys")
        for key in "42":
            await anna.loop.run(partial(wire.press, key))
        await wait_for(lambda: sim.digits == {call.call_id: "42"}, "two keys")


async def test_the_service_dtmf_is_heard_in_band_too() -> None:
    async with simulator() as sim, phone(sim, "46") as anna:
        call = await anna.dial(number(sim, "dtmf"))
        await call.wait_answered()
        found, detector = "", DigitDetector()
        with trio.fail_after(10):
            while found != "159#":
                samples, rate = await call.hear_on(0.1)
                found += detector.feed(samples, rate)


def packets(call: PhoneCall) -> Wire:
    """The audio of a call of single packets."""
    assert isinstance(call.audio, Wire)
    return call.audio


async def joined(anna: Phone, bruno: Phone) -> tuple[PhoneCall, PhoneCall]:
    """46's call to 47, up."""
    outgoing = await anna.dial("47")
    incoming = await bruno.invitation()
    await incoming.answer()
    await outgoing.wait_answered()
    return outgoing, incoming


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("one", "other"), [("PCMU", "opus"), ("opus", "PCMA")])
async def test_keys_go_from_caller_to_callee_and_back(dialect: str, one: str, other: str) -> None:
    async with (
        simulator(dialect) as sim,
        phone(sim, "46", audio=Wire, codecs=(one,)) as anna,
        phone(sim, "47", audio=Wire, codecs=(other,)) as bruno,
    ):
        outgoing, incoming = await joined(anna, bruno)
        await anna.loop.run(partial(packets(outgoing).press, "4"))
        await wait_for(lambda: packets(incoming).keys == "4", "4 at the callee")
        await bruno.loop.run(partial(packets(incoming).press, "#"))
        await wait_for(lambda: packets(outgoing).keys == "#", "# at the caller")
        assert sim.digits == {outgoing.call_id: "4", incoming.call_id: "#"}


async def test_keys_go_in_band_to_one_who_knows_no_events_and_his_to_the_other_as_they_are() -> None:
    async with simulator() as sim, phone(sim, "46", audio=Wire) as anna, phone(sim, "47") as bruno:
        outgoing, incoming = await joined(anna, bruno)
        await anna.loop.run(partial(packets(outgoing).press, "4"))
        found, detector = "", DigitDetector()
        with trio.fail_after(10):
            while not found:
                samples, rate = await incoming.hear(0.1)
                found += detector.feed(samples, rate)
        assert found == "4"
        incoming.say(press("9", RATE))
        await wait_for(lambda: sim.digits.get(incoming.call_id) == "9", "9 heard")
        await trio.sleep(0.3)
        assert packets(outgoing).keys == "", "it is in the audio"
        assert sim.digits == {outgoing.call_id: "4", incoming.call_id: "9"}


async def test_a_phone_of_the_pbxs_own_presses_keys() -> None:
    async with simulator() as sim, phone(sim, "46", audio=Wire) as anna:
        robot = sim.pbx.phone("48", answers_after=0.0)
        await sim.lever(robot.plug_in)
        call = await anna.dial("48")
        await call.wait_answered()
        await sim.lever(lambda now: robot.press(now, "07"))
        await wait_for(lambda: packets(call).keys == "07", "two keys")


async def test_the_service_silent_sends_no_packet_and_the_call_lives() -> None:
    async with simulator() as sim, phone(sim, "46", audio=Wire) as anna:
        call = await anna.dial(number(sim, "silent"))
        await call.wait_answered()
        await trio.sleep(0.5)
        assert not packets(call).received
        assert not call.ended
        await call.hang_up()
        await idle(sim)


async def test_a_services_losses_are_gaps_in_what_its_caller_gets() -> None:
    services = (Service("900", "tone", loss=40.0, seed=3),)
    async with simulator(services=services) as sim, phone(sim, "46", audio=Wire) as anna:
        call = await anna.dial("900")
        await call.wait_answered()
        came = packets(call).received
        await wait_for(lambda: len(came) >= 30, "packets")
        span = (came[-1].sequence - came[0].sequence) % 2**16 + 1
        assert len(came) < span < 3 * len(came)
