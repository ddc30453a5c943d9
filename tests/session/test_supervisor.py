"""A session for months in virtual time: reconnect, backoff, refused logins, cancellation, what is told and logged."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from vodiabot.errors import ConnectionLost, LoginRefused, UsageError
from vodiabot.session import SessionTimers
from vodiabot.session.login import TooManyLogins
from vodiabot.session.timers import Backoff

from .kit import FakeSocket, GoodPbx, Watched, gaps


class DownPbx(GoodPbx):
    """Can't be reached while `down`; every try takes so long."""

    down = True
    takes = 0.01

    async def admit(self) -> None:
        await trio.sleep(self.takes)
        if self.down:
            raise ConnectionLost("nobody is there")


class DistrustfulPbx(GoodPbx):
    """Refuses the password while `distrusts`."""

    distrusts = True

    async def admit(self) -> None:
        await super().admit()
        if self.distrusts:
            raise LoginRefused("the PBX refused the login of extension 45: is the password right?")


class CrowdedPbx(GoodPbx):
    """Takes no login while it is `crowded`."""

    crowded: TooManyLogins | None = None

    async def admit(self) -> None:
        await super().admit()
        if self.crowded:
            raise self.crowded


class FickleHost(GoodPbx):
    """Takes the connection and cuts it so long after the registration."""

    patience = 0.0

    def register(self, socket: FakeSocket) -> None:
        super().register(socket)
        socket.later(self.patience, socket.cut, "it lost its patience")


class SelfContradictingPbx(GoodPbx):
    """Makes our own libraries raise what nobody expects."""

    async def admit(self) -> None:
        await super().admit()
        if len(self.connects) < 3:
            raise ZeroDivisionError("a bug")


async def test_the_first_try_after_a_loss_comes_within_a_second(autojump_clock: trio.testing.MockClock) -> None:
    for seed in range(20):
        pbx = GoodPbx()
        async with Watched(pbx, seed=seed).running() as bot:
            await trio.sleep(30)
            pbx.sockets[-1].cut()
            await trio.sleep(1.1)
            assert bot.ups_and_downs == ["up", "down", "up"]
            assert gaps([at for at, _, _ in bot.told])[1] >= 0.4  # nor at once: a PBX that starts anew needs a moment


@pytest.mark.parametrize("takes", [0.01, 10.0, 20.0])
async def test_tries_go_on_for_ever_and_never_more_than_30_seconds_apart(
    takes: float, autojump_clock: trio.testing.MockClock
) -> None:
    pbx = DownPbx()
    pbx.takes = takes
    with capture_logs() as logs:
        async with Watched(pbx).running() as bot:
            await trio.sleep(24 * 3600)
            apart = gaps(pbx.connects)
            assert max(apart) <= 30.1
            assert min(apart[20:]) > 14
            assert 2880 <= len(pbx.connects) < 8000
            pbx.down = False
            await trio.sleep(51)
            assert bot.ups_and_downs == ["up"]
    told = [line for line in logs if line["log_level"] == "warning" and "tried again" in line["event"]]
    assert [line["why"] for line in told] == ["nobody is there"]


async def test_the_pauses_grow_and_are_spread() -> None:
    def pauses(seed: int) -> list[float]:
        backoff = Backoff(SessionTimers(), random.Random(seed))
        return [backoff.next() for _ in range(10)]

    for number, top in enumerate([1, 2, 4, 8, 16, 30, 30, 30, 30, 30]):
        these = [pauses(seed)[number] for seed in range(200)]
        assert top / 2 <= min(these) < top * 0.6
        assert top * 0.9 < max(these) <= top


async def test_the_backoff_starts_anew_after_a_stable_time(autojump_clock: trio.testing.MockClock) -> None:
    pbx = FickleHost()
    async with Watched(pbx).running() as bot:
        pbx.patience = 1.0
        await trio.sleep(300)
        assert len(pbx.connects) < 30  # no stable time: the pauses have grown
        pbx.patience = 3600
        await trio.sleep(100)
        last = bot.told[-1]
        assert last[1] == "up"
        pbx.sockets[-1].cut()
        await trio.sleep(1.1)
        assert bot.told[-1][1] == "up"
        assert bot.told[-1] != last


async def test_a_wrong_password_is_told_once_tried_slowly_and_recovers(autojump_clock: trio.testing.MockClock) -> None:
    pbx = DistrustfulPbx()
    with capture_logs() as logs:
        async with Watched(pbx).running() as bot:
            await trio.sleep(3600)
            assert 100 < len(pbx.connects) <= 121
            assert isinstance(bot.session.trouble, LoginRefused)
            assert bot.told == []
            pbx.distrusts = False
            await trio.sleep(31)
            assert bot.ups_and_downs == ["up"]
            assert bot.session.trouble is None
    errors = [line for line in logs if line["log_level"] == "error"]
    assert [line["why"] for line in errors] == ["the PBX refused the login of extension 45: is the password right?"]


@pytest.mark.parametrize(("wait", "pause"), [(None, 30), (3, 30), (200, 200)])
async def test_a_pbx_that_has_had_too_many_logins_is_left_alone_for_as_long_as_it_says(
    wait: float | None, pause: float, autojump_clock: trio.testing.MockClock
) -> None:
    pbx = CrowdedPbx()
    async with Watched(pbx).running() as bot:
        await trio.sleep(5)
        pbx.crowded = TooManyLogins("too many", wait)  # also for who was let in before
        pbx.sockets[-1].cut()
        await trio.sleep(900)
        assert min(gaps(pbx.connects)[1:]) >= pause
        assert max(gaps(pbx.connects)[1:]) <= pause + 1.1
        pbx.crowded = None
        await trio.sleep(pause + 1.1)
        assert bot.ups_and_downs == ["up", "down", "up"]


async def test_a_password_that_is_changed_while_the_bot_is_up(autojump_clock: trio.testing.MockClock) -> None:
    pbx = DistrustfulPbx()
    pbx.distrusts = False
    with capture_logs() as logs:
        async with Watched(pbx).running() as bot:
            await trio.sleep(10)
            pbx.distrusts = True
            pbx.sockets[-1].cut()
            await trio.sleep(300)
            assert bot.ups_and_downs == ["up", "down"]
    assert len([line for line in logs if line["log_level"] == "error"]) == 1


async def test_a_pbx_that_refuses_everybody_while_it_starts_anew(autojump_clock: trio.testing.MockClock) -> None:
    pbx = DistrustfulPbx()
    pbx.distrusts = False
    async with Watched(pbx).running() as bot:
        await trio.sleep(60)
        pbx.distrusts = True
        pbx.sockets[-1].cut()
        await trio.sleep(1.5)
        pbx.distrusts = False
        await trio.sleep(4)
        assert bot.ups_and_downs == ["up", "down", "up"]
        tries, pbx.distrusts = len(pbx.connects), True
        pbx.sockets[-1].cut()
        await trio.sleep(300)
        assert len(pbx.connects) - tries <= 3 + 10, "a changed password is not tried until the account is locked"


async def test_a_configuration_that_cannot_work_is_tried_slowly(autojump_clock: trio.testing.MockClock) -> None:
    pbx = GoodPbx()

    async def admit() -> None:
        raise UsageError("[pbx] ca_file: no such file")

    pbx.admit = admit  # type: ignore[method-assign]
    async with Watched(pbx).running() as bot:
        await trio.sleep(100)
        assert len(pbx.connects) == 4
        assert isinstance(bot.session.trouble, UsageError)


async def test_a_bug_costs_a_connection_but_not_the_session(autojump_clock: trio.testing.MockClock) -> None:
    pbx = SelfContradictingPbx()
    with capture_logs() as logs:
        async with Watched(pbx).running() as bot:
            await trio.sleep(10)
            assert bot.ups_and_downs == ["up"]
            assert bot.troubles == ["internal error (ZeroDivisionError)"] * 2
    assert len([line for line in logs if line.get("exc_info")]) == 2


async def test_a_listener_that_raises_harms_nobody(autojump_clock: trio.testing.MockClock) -> None:
    def clumsy(*args: Any) -> None:
        raise ValueError("clumsy")

    pbx = GoodPbx()
    with capture_logs() as logs:
        async with Watched(pbx, on_up=clumsy, on_down=clumsy, on_trouble=clumsy).running() as bot:
            await trio.sleep(40)
            assert bot.session.up
            pbx.sockets[-1].cut()
            await trio.sleep(2)
            assert bot.session.up
    assert len([line for line in logs if line.get("exc_info")]) == 5


async def test_what_the_session_knows_of_the_pbx(autojump_clock: trio.testing.MockClock) -> None:
    pbx = DownPbx()
    async with Watched(pbx).running() as bot:
        await trio.sleep(5)
        assert (bot.session.up, bot.session.server_header) == (False, None)
        assert str(bot.session.trouble) == "nobody is there"
        pbx.down = False
        await trio.sleep(40)
        assert (bot.session.up, bot.session.trouble) == (True, None)
        assert bot.session.server_header == "Vodia-PBX/70.1"


MOMENTS = {
    "before anything": 0.0,
    "in the login": 0.005,
    "at the end of the login": 0.01,
    "waiting for the registration": 0.5,
    "up": 20.0,
    "at a refresh": 35.01,
    "at a keepalive": 30.01,
    "in a ping": 15.015,
    "down, waiting": 41.2,
    "long after": 333.0,
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_cancellation_leaves_nothing_and_tells_down_if_it_was_up(
    moment: str, autojump_clock: trio.testing.MockClock
) -> None:
    pbx = FickleHost()
    pbx.patience = 36.0
    answer = pbx.register

    def late(socket: FakeSocket) -> None:
        socket.later(5.0 if len(pbx.times("sip-register")) == 1 else 0.0, answer, socket)

    pbx.register = late  # type: ignore[method-assign]
    async with Watched(pbx).running():  # asserts that ups and downs alternate, and ended down, and that no task is left
        await trio.sleep(MOMENTS[moment])


@pytest.mark.parametrize("first", ["loss", "cancellation"])
async def test_a_loss_at_the_very_moment_of_leaving(first: str, autojump_clock: trio.testing.MockClock) -> None:
    pbx = GoodPbx()
    bot = Watched(pbx)
    async with bot.running():
        await trio.sleep(5)
        if first == "loss":
            pbx.sockets[-1].cut()
    if first == "cancellation":
        pbx.sockets[-1].cut()
    assert bot.ups_and_downs == ["up", "down"]


@pytest.mark.parametrize("seed", range(15))
async def test_any_schedule_of_faults_ends_up_and_tells_it_in_turns(
    seed: int, autojump_clock: trio.testing.MockClock
) -> None:
    rng = random.Random(seed)
    pbx = DownPbx()
    pbx.down = False
    good = pbx.register
    async with Watched(pbx, seed=seed).running() as bot:
        for _ in range(40):
            fault = rng.choice(["cut", "down", "mute", "forget", "nonsense", "none"])
            pbx.down = fault == "down"
            pbx.register = (lambda socket: None) if fault == "mute" else good  # type: ignore[method-assign]
            for socket in pbx.sockets[-1:]:
                _disturb(socket, fault)
            await trio.sleep(rng.choice([0.001, 0.1, 1, 10, 31, 100]))
        pbx.down = False
        pbx.register = good  # type: ignore[method-assign]
        await trio.sleep(90)
        assert bot.session.up
        assert bot.ups_and_downs == ["up", "down"] * (len(bot.told) // 2) + ["up"]


def _disturb(socket: FakeSocket, fault: str) -> None:
    if fault in ("cut", "down"):
        socket.cut(fault)
    elif fault == "forget":
        socket.say(action="sip-register", expires=0)
    elif fault == "nonsense":
        socket.say_raw("{nonsense")
