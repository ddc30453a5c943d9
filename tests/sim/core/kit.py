"""A shell of the PBX model for its tests: sockets are lists, media answers at once, time passes when it is told to."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vodiabot.sim.config import Service, SimConfig, default
from vodiabot.sim.core import Pbx as Model
from vodiabot.sim.core import Phone
from vodiabot.sim.core import effects as e

OFFER = "v=0\r\na=setup:actpass\r\no=client offer\r\n"
ANSWER = "v=0\r\na=setup:active\r\no=client answer\r\n"
CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140"

Frame = dict[str, Any]


def config(dialect: str = "modern", *services: Service, **changes: Any) -> SimConfig:
    """The default one, with more services."""
    standard = default()
    return replace(standard, dialect=dialect, services=(*services, *standard.services), **changes)


def number(kind: str) -> str:
    """The number of a kind of service in the default configuration."""
    return next(service.number for service in default().services if service.kind == kind)


class Lab:
    """One PBX and its clients."""

    def __init__(self, settings: SimConfig | None = None, *, media: bool = True) -> None:
        self.pbx = Model(settings or config(), seed=1, epoch=1_700_000_000)
        self.now = 100.0
        self.effects: list[e.Effect] = []
        """All but frames."""
        self.clients: dict[str, Client] = {}
        self.media = media
        """Whether descriptions are made and audio comes up, at once."""
        self._numbers = itertools.count(1)

    def do(self, lever: Callable[[float], list[e.Effect]]) -> list[e.Effect]:
        """Carry out an input, and what the media then tells; gives the effects."""
        effects = lever(self.now)
        seen = list(effects)
        while effects:
            news: list[e.MediaNews] = []
            for effect in effects:
                news += self._carry_out(effect)
            effects = [effect for one in news for effect in self.pbx.news(self.now, one)]
            seen += effects
        if self.pbx.deadline is not None and self.pbx.deadline <= self.now:
            seen += self.do(self.pbx.tick)
        return seen

    def _carry_out(self, effect: e.Effect) -> list[e.MediaNews]:
        if isinstance(effect, e.SendFrame):
            json.dumps(effect.frame)
            if effect.socket in self.clients:
                self.clients[effect.socket].frames.append(effect.frame)
            return []
        self.effects.append(effect)
        if isinstance(effect, e.CloseSocket) and effect.socket in self.clients:
            self.clients[effect.socket].closed = True
        return _media(effect) if self.media else []

    def wait(self, seconds: float) -> None:
        """Let time pass, deadline by deadline."""
        until = self.now + seconds
        while self.pbx.deadline is not None and self.pbx.deadline <= until:
            self.now = max(self.now, self.pbx.deadline)
            self.do(self.pbx.tick)
        self.now = until

    def client(self, user: str, *, registered: bool = True, useragent: str = "") -> Client:
        """A client whose socket is open."""
        client = Client(self, f"s{next(self._numbers)}", user, useragent)
        if registered:
            client.say("sip-register", useragent="test")
        return client

    def phone(self, user: str, *, answers_after: float | None = None) -> Phone:
        """One of the PBX's own, plugged in."""
        phone = self.pbx.phone(user, answers_after=answers_after)
        self.do(phone.plug_in)
        return phone

    # --- what there is -----------------------------------------------------------------------------------------------

    def leg(self, call_id: str) -> dict[str, Any]:
        """Of the snapshot. Raises StopIteration if it is over."""
        return next(leg for leg in self.pbx.snapshot()["legs"] if leg["callid"] == call_id)

    @property
    def legs(self) -> list[dict[str, Any]]:
        return list(self.pbx.snapshot()["legs"])

    @property
    def calls(self) -> list[dict[str, Any]]:
        return list(self.pbx.snapshot()["calls"])

    def hears(self, call_id: str) -> str:
        """What a leg hears: `tone 1000.0`, `music`, or "46" for what that extension says."""
        leg = self.leg(call_id)
        feed: str = leg["hears"]
        told = [effect.feed for effect in self.media_of(e.SetFeed) if effect.leg == leg["id"]]
        assert told, "the shell was told"
        assert type(told[-1]).__name__.lower() == feed.partition(" ")[0]
        source = [leg["user"] for leg in self.legs if feed == f"fromleg {leg['id']}"]
        return source[0] if source else feed

    def logged(self, level: str) -> list[str]:
        """Lines of the log, with their fields."""
        logs = [effect for effect in self.effects if isinstance(effect, e.Log) and effect.level == level]
        return [f"{log.text} {' '.join(f'{k}={v}' for k, v in log.fields.items())}" for log in logs]

    def media_of(self, kind: type) -> list[Any]:
        """The effects of one kind so far."""
        return [effect for effect in self.effects if isinstance(effect, kind)]


def _media(effect: e.Effect) -> list[e.MediaNews]:
    match effect:
        case e.MakeAnswer(leg, peer, _):
            sdp = "v=0\r\na=setup:active\r\na=mid:0\r\no=pbx answer\r\n"
            return [e.AnswerReady(leg, peer, sdp), *_candidates(leg, peer), e.MediaUp(leg, peer)]
        case e.MakeOffer(leg, peer):
            return [e.OfferReady(leg, peer, "v=0\r\na=setup:actpass\r\no=pbx offer\r\n"), *_candidates(leg, peer)]
        case e.ApplyAnswer(leg, peer):
            return [e.MediaUp(leg, peer)]
    return []


def _candidates(leg: str, peer: int) -> list[e.MediaNews]:
    line = f"candidate:1 1 udp 2130706431 192.0.2.1 {5000 + peer} typ host"
    return [e.CandidateReady(leg, peer, line), e.CandidateReady(leg, peer, None)]


class Client:
    """One socket of a client. What it is told is in `frames`."""

    def __init__(self, lab: Lab, name: str, user: str, useragent: str = "") -> None:
        self.lab, self.name, self.user = lab, name, user
        self.frames: list[Frame] = []
        self.closed = False
        lab.clients[name] = self
        lab.do(lambda now: lab.pbx.opened(now, name, user, useragent))

    def say(self, action: str, **fields: Any) -> list[Frame]:
        """Send a frame; gives what it is told at once. `from_` is sent as `from`."""
        fields = {name.rstrip("_"): value for name, value in fields.items()}
        return self.send(json.dumps({"action": action, **fields}))

    def send(self, text: str) -> list[Frame]:
        before = len(self.frames)
        self.lab.do(lambda now: self.lab.pbx.frame(now, self.name, text))
        return self.frames[before:]

    def close(self) -> None:
        self.closed = True
        self.lab.do(lambda now: self.lab.pbx.closed(now, self.name))

    # --- calls -------------------------------------------------------------------------------------------------------

    def dial(self, to: str, call_id: str = "c1", **fields: Any) -> list[Frame]:
        return self.say("sdp-packet", to=to, callid=call_id, sdp={"type": "offer", "sdp": OFFER}, **fields)

    def invite(self) -> Frame:
        """The newest invitation."""
        return [frame for frame in self.frames if "invitesdp" in frame][-1]

    def answer(self, call_id: str | None = None) -> list[Frame]:
        """Answer an invite, or an offer of the PBX."""
        call_id = call_id or self.invite()["callid"]
        return self.say("sdp-200ok", callid=call_id, sdp={"type": "answer", "sdp": ANSWER})

    def of(self, key: str) -> list[Any]:
        """The values of a flat key in all frames."""
        return [frame[key] for frame in self.frames if key in frame]

    def actions(self, action: str) -> list[Frame]:
        return [frame for frame in self.frames if frame.get("action") == action]

    @property
    def codes(self) -> list[int]:
        """Of `sdp` frames."""
        return [frame["code"] for frame in self.frames if "sdp" in frame and "code" in frame]

    def entry(self) -> Frame | None:
        """One's own newest entry in the last call-state; None if the list is empty."""
        calls = self.actions("call-state")[-1]["calls"]
        return calls[-1] if calls else None


def conversation(lab: Lab, caller: str = "46", callee: str = "47", **options: Any) -> tuple[Client, Client]:
    """Two clients that talk, by call-id `c1` and the callee's invite."""
    one, other = lab.client(caller, **options), lab.client(callee, **options)
    one.say("own-calls", subscribe=True)
    other.say("own-calls", subscribe=True)
    one.dial(callee)
    other.say("sip-ringing", callid=other.invite()["callid"], cseq=1)
    if one.of("sdp")[-1] and isinstance(one.of("sdp")[-1], dict):
        one.answer("c1")
    other.answer()
    one.frames.clear()
    return one, other
