"""The machine sleeps, or its address changes: the bot asks the PBX at once, and is not deaf until a timer finds out."""

from __future__ import annotations

import socket

import pytest
import trio
import trio.testing

from vodiabot.session import Session, SessionTimers
from vodiabot.session.surroundings import LOOK, Surroundings, source_towards

from ..e2e.proxy import bad_wire
from .kit import GoodPbx, Watched, extension_config, pbx_config
from .stub import StubPbx, serving
from .test_link import HalfOpenPbx
from .test_sockets import Told
from .test_supervisor import DistrustfulPbx, DownPbx


class Machine:
    """`asleep`: seconds that it has slept in all. `address`: where its way to anybody begins."""

    def __init__(self) -> None:
        self.asleep = 1000.0
        self.address: str | None = "10.0.0.1"

    def surroundings(self) -> Surroundings:
        return Surroundings(lambda: self.asleep, lambda peer: self.address)


class DayLongPbx(GoodPbx):
    """Gives registrations for a day."""

    expires = 86400


async def test_a_machine_that_wakes_up_registers_at_once(autojump_clock: trio.testing.MockClock) -> None:
    machine, pbx = Machine(), DayLongPbx()
    async with Watched(pbx, surroundings=machine.surroundings()).running() as bot:
        await trio.sleep(10)
        assert len(pbx.times("sip-register")) == 1
        machine.asleep += 3 * 3600
        await trio.sleep(LOOK + 0.1)
        assert len(pbx.times("sip-register")) == 2
        assert bot.ups_and_downs == ["up"]
        await trio.sleep(60)
        assert len(pbx.times("sip-register")) == 2


async def test_a_machine_whose_connection_died_in_its_sleep_is_up_within_ten_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    machine, pbx = Machine(), HalfOpenPbx()
    async with Watched(pbx, surroundings=machine.surroundings()).running() as bot:
        await trio.sleep(10)
        pbx.silent = True
        machine.asleep += 3600
        with trio.fail_after(LOOK + SessionTimers().proof + 0.1):
            while bot.ups_and_downs != ["up", "down"]:  # noqa: ASYNC110 - in virtual time
                await trio.sleep(0.1)
        assert "slept" in bot.told[1][2]
        pbx.silent = False
        await trio.sleep(1.2)
        assert bot.ups_and_downs == ["up", "down", "up"]


async def test_a_clock_that_is_kept_right_is_no_sleep(autojump_clock: trio.testing.MockClock) -> None:
    machine, pbx = Machine(), DayLongPbx()
    async with Watched(pbx, surroundings=machine.surroundings()).running():
        for ahead in (1.0, -3600.0, 4.0):
            machine.asleep += ahead
            await trio.sleep(LOOK)
    assert len(pbx.times("sip-register")) == 1


def test_another_address_is_news_once_and_none_at_all_is_none() -> None:
    machine = Machine()
    around = machine.surroundings()
    machine.address = "10.0.0.2"
    assert around.upheaval() is None  # it was never connected
    around.connected(("192.0.2.1", 443))
    told = []
    for machine.address in ("10.0.0.2", None, None, "10.9.9.9", "10.9.9.9"):
        told.append(around.upheaval())
    assert told == [None, None, None, "the way to the PBX begins at 10.9.9.9 now", None]


def test_the_source_is_what_the_kernel_would_take() -> None:
    assert source_towards(("127.0.0.1", 80)) == "127.0.0.1"
    assert source_towards(("no address", 80)) is None
    if socket.has_ipv6:
        assert source_towards(("::1", 80)) in ("::1", None)


async def test_the_address_is_gone_and_the_session_goes_over_to_a_new_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over real sockets, the old one of which swallows what is sent."""
    monkeypatch.setattr("vodiabot.session.link.LOOK", 0.02)
    machine, pbx, told = Machine(), StubPbx(), Told()
    async with serving(pbx) as port, bad_wire(port) as wire, trio.open_nursery() as nursery:
        session = Session(
            pbx_config(wire.url),
            extension_config(),
            on_up=lambda reason: told.turns.append("up"),
            on_down=told.turns.append,
            timers=SessionTimers(proof=0.1, first_retry=0.05),
            surroundings=machine.surroundings(),
        )
        nursery.start_soon(session.run)
        await told.until(lambda: told.turns == ["up"])
        wire.mute()
        machine.address = "10.9.9.9"
        await told.until(lambda: len(told.turns) == 2)
        assert "10.9.9.9" in told.turns[1]
        await told.until(lambda: told.turns[2:] == ["up"])
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("pbx", "sooner"), [(DownPbx(), True), (DistrustfulPbx(), False)])
async def test_a_network_that_is_back_is_tried_at_once_but_no_refused_password(
    pbx: GoodPbx, sooner: bool, autojump_clock: trio.testing.MockClock
) -> None:
    machine = Machine()
    async with Watched(pbx, surroundings=machine.surroundings()).running():
        await trio.sleep(600)  # the pauses are long by now
        tries = len(pbx.connects) + 1
        while len(pbx.connects) < tries:  # noqa: ASYNC110 - in virtual time
            await trio.sleep(0.1)
        await trio.sleep(10)
        machine.asleep += 3600
        await trio.sleep(LOOK)
        assert len(pbx.connects) - tries == int(sooner)
