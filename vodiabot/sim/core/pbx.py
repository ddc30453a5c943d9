"""The PBX model as its shells see it. Nothing here knows a clock, a socket or audio.

Every input takes `now` (seconds, any monotonic origin) and gives effects, to be carried out in order. When `deadline`
has passed, `tick` must be called.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ..config import SimConfig
from . import client, ending, offers, push
from . import effects as e
from .effects import Effect
from .frames import BadFrame, parse
from .levers import Levers
from .logins import Logins, Reply
from .model import Leg, Side, Socket
from .phones import Phone
from .world import World

SILENT_SOCKET = 90.0
"""Seconds after which a socket that says nothing is dropped: three keepalives."""

DIGITS = 1000
"""Of a leg that are remembered, the newest."""

VERSIONS = {"modern": "Vodia-PBX/70.1", "classic": "Vodia-PBX/67.0"}


class Pbx(Levers):
    """One simulated PBX with one domain."""

    def __init__(self, config: SimConfig, *, seed: int | None = None, epoch: float = 0.0) -> None:
        """`seed` makes ids repeatable. `epoch`: seconds since the epoch at `now` = 0."""
        self.config = config
        rng = random.Random(seed)
        self._world = World(config, rng, epoch)
        self._logins = Logins(config, rng)
        self._phones = 0
        for account in self._world.accounts.values():
            account.last_pushed = push.account_entry(self._world, account)

    @property
    def server_header(self) -> str:
        """What the `Server:` header says; "" for none."""
        header = self.config.server_header
        return VERSIONS[self.config.dialect] if header is None else header

    @property
    def deadline(self) -> float | None:
        return self._world.clock.deadline

    # --- HTTP --------------------------------------------------------------------------------------------------------

    def session(self, now: float, method: str, body: Any, basic: tuple[str, str] | None, session: str | None) -> Reply:
        """`/rest/system/session`. `body`: the parsed JSON; `session`: the one that it came with. Never raises."""
        return self._logins.request(method, body, basic, session, now)

    # --- sockets -----------------------------------------------------------------------------------------------------

    def admits(self, now: float, domain: str, user: str, session: str | None) -> int:
        """The HTTP status with which a WebSocket is refused; 0 if it is welcome."""
        if self._logins.user_of(session) != user or user not in self._world.accounts:
            return 403
        return 0 if domain == self.config.domain else 404

    def opened(self, now: float, socket: str, user: str, useragent: str = "") -> list[Effect]:
        """A client's WebSocket is open. `socket`: a name of the shell's, new each time; `useragent`: of its upgrade."""
        return self._run(now, lambda: self._open(socket, user, now, useragent))

    def _open(self, socket: str, user: str, now: float, user_agent: str) -> None:
        world = self._world
        browser = self.config.browsers_offer and "Mozilla/" in user_agent
        world.sockets[socket] = Socket(socket, user, browser=browser, heard=now, client=user_agent)
        world.log("info", "socket open", socket=socket, user=user)
        push.domain_state(world, world.sockets[socket])
        push.account_changed(world, world.accounts[user])
        for leg in world.living():
            if leg.user == user and leg.socket is None and leg.client == user_agent:
                leg.socket, leg.guessed = socket, True  # its client seems to be back; a frame of its will tell
        self._watch(socket)

    def _watch(self, socket: str) -> None:
        found = self._world.sockets.get(socket)
        if found is None:
            return
        due = found.heard + SILENT_SOCKET
        if due <= self._world.now:
            self._world.log("info", "a silent socket is dropped", socket=socket)
            self._world.emit(e.CloseSocket(socket, "silent"))
            self._closed(socket)
        else:
            self._world.clock.at(due, lambda: self._watch(socket))

    def frame(self, now: float, socket: str, text: str) -> list[Effect]:
        """A frame of a client. What makes no sense is logged and nothing else."""
        return self._run(now, lambda: self._text(socket, text))

    def _text(self, socket: str, text: str) -> None:
        sender = self._world.sockets.get(socket)
        if sender is None:
            return
        sender.heard = self._world.now
        action = "?"
        try:
            frame = parse(text)
            action = frame["action"]
            client.handle(self._world, sender, frame)
        except BadFrame as exc:
            action = action[:40].encode("utf-8", "replace").decode()
            self._world.log(exc.level, "frame refused", user=sender.user, action=action, why=str(exc))

    def closed(self, now: float, socket: str) -> list[Effect]:
        """The client's WebSocket is gone. Idempotent."""
        return self._run(now, lambda: self._closed(socket))

    def _closed(self, socket: str) -> None:
        world = self._world
        gone = world.sockets.pop(socket, None)
        if gone is None:
            return
        world.log("info", "socket closed", socket=socket, user=gone.user)
        for leg in world.living(socket):
            ending.orphaned(world, leg)
        push.account_changed(world, world.accounts[gone.user])

    # --- media and time ----------------------------------------------------------------------------------------------

    def news(self, now: float, news: e.MediaNews) -> list[Effect]:
        """What the shell's media side tells; news of an old peer is ignored."""
        return self._run(now, lambda: self._media(news))

    def _media(self, news: e.MediaNews) -> None:
        leg = self._world.legs.get(news.leg)
        if leg is None or leg.ended:
            return
        if isinstance(news, e.DigitHeard):
            leg.digits = (leg.digits + news.digit)[-DIGITS:]
            self._world.log("info", "digit heard", callid=leg.call_id, digit=news.digit)
            if news.apart:
                self._world.press_on(leg, news.digit)
        elif news.peer == leg.peer:
            _media_of_present_peer(self._world, leg, news)

    def tick(self, now: float) -> list[Effect]:
        """Time has passed. Harmless before the deadline."""

        def work() -> None:
            while (due := self._world.clock.due(now)) is not None:
                due()

        return self._run(now, work)

    def _run(self, now: float, work: Callable[[], None]) -> list[Effect]:
        world = self._world
        world.now = max(now, world.now)
        world.effects = []
        work()
        return world.effects

    # --- for tests and the log ---------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything as plain data."""
        world = self._world
        return {
            "sockets": {s.id: {"user": s.user, "browser": s.browser} for s in world.sockets.values()},
            "registered": {user: many for user in world.accounts if (many := len(world.registered(user)))},
            "legs": [_leg_facts(leg) for leg in world.living()],
            "awaited": {leg.call_id: leg.awaits for leg in world.legs.values() if leg.awaits},
            "calls": [
                {
                    "id": call.id,
                    "from": call.from_number,
                    "to": call.to_number,
                    "state": push.state_of(call),
                    "service": call.service.kind if call.service else None,
                }
                for call in world.calls.values()
            ],
        }

    @property
    def digits(self) -> dict[str, str]:
        """What clients have pressed: call-id → digits, of calls that are up or were until just now."""
        return {leg.call_id: leg.digits for leg in self._world.legs.values() if leg.digits}

    def digits_of(self, call_id: str) -> str:
        """What the client of a leg has pressed. Raises KeyError."""
        return self._world.by_call_id[call_id].digits


def _leg_facts(leg: Leg) -> dict[str, Any]:
    return {
        "id": leg.id,
        "callid": leg.call_id,
        "user": leg.user,
        "side": "caller" if leg.side is Side.CALLER else "callee",
        "state": leg.state.value,
        "held": leg.held,
        "media_up": leg.media_up,
        "call": leg.call.id,
        "digits": leg.digits,
        "hears": _feed_facts(leg.feed),
    }


def _feed_facts(feed: e.Feed | None) -> str:
    """`tone 1000.0`, `fromleg leg3`, `music`; "" for nothing yet."""
    if feed is None:
        return ""
    return " ".join([type(feed).__name__.lower(), *(str(value) for value in vars(feed).values())])


def _media_of_present_peer(world: World, leg: Leg, news: e.MediaNews) -> None:
    match news:
        case e.AnswerReady(sdp=sdp) | e.OfferReady(sdp=sdp):
            offers.ready(world, leg, sdp)
        case e.CandidateReady(candidate=line):
            offers.candidate_ready(world, leg, line)
        case e.MediaUp():
            ending.media_is(world, leg, up=True)
        case e.MediaLost():
            ending.media_is(world, leg, up=False)
        case e.MediaFailed(error=error):
            ending.media_failed(world, leg, error)


__all__ = ["Pbx", "Phone", "Reply"]
