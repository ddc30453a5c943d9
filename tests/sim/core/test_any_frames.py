"""Any frame, in any order, from any of several clients: no exception, and when all are gone nothing is left."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sim.core.kit import CHROMIUM, OFFER, Client, Lab, config, number
from vodiabot.sim.config import SERVICE_OPTIONS
from vodiabot.sim.core import effects as e

_ACTIONS = (
    "avoid-disconnect own-calls domain-calls orbit-calls blf ringtones get-users get-calls sip-register sdp-packet "
    "sip-ringing sdp-200ok sip-ack sip-busy sip-bye bye-response cancel-response ice-candidate wrtc-hold "
    "blind-transfer2 blind-transfer att-transfer mute rec-call make-call hold-call accept-call clear-call chat "
    "add-to-crm unheard-of"
)

_KEYS = (
    "to callid cseq code sdp caller calldir holdcmd id id2 from muted startstop candidate add remove subscribe "
    "src dest message useragent connected"
)

NUMBERS = ["45", "46", "47", "700", "999", "sip:46@localhost", *(number(kind) for kind in SERVICE_OPTIONS)]

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sdp", "candidate", "x"]), inner),
    max_leaves=5,
)
"""NaN and infinity too: Python's `json` writes and reads them."""

SENSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "to": st.sampled_from(NUMBERS),
    "sdp": st.sampled_from([OFFER, {"type": "offer", "sdp": OFFER}, {"sdp": "v=0"}, ""]),
    "holdcmd": st.sampled_from(["sendonly", "sendrecv"]),
    "code": st.sampled_from([486, 603, "488", 200]),
    "dest": st.sampled_from(["45", "46", "999"]),
    "candidate": st.sampled_from([None, "candidate:1 1 udp 1 192.0.2.9 9 typ host", {"candidate": "x", "sdpMid": 0}]),
    "startstop": st.sampled_from(["on", "off"]),
    "subscribe": st.booleans(),
    "add": st.lists(st.sampled_from(["45", "46"]), max_size=2),
}

NAMES = ("callid", "id", "id2")
"""Keys that name a call: filled in with those that there are."""

step = st.tuples(
    st.integers(0, 3),
    st.sampled_from(_ACTIONS.split()),
    st.dictionaries(st.sampled_from(_KEYS.split()), anything, max_size=3),
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 8), max_size=3),
    st.fixed_dictionaries({}, optional=SENSIBLE),
    st.sampled_from([0, 0, 0, 0.5, 3, 31]),
)

MEDIA = ("up", "lost", "failed", "answer", "offer", "digit")

LEVERS = ("expire", "call in", "hang up", "forget", "reoffer", "dnd")

incident = st.one_of(
    st.tuples(st.just("close"), st.integers(0, 3)),
    st.tuples(st.just("raw"), st.integers(0, 3), st.text(max_size=20) | anything.map(json.dumps)),
    st.tuples(st.just("media"), st.sampled_from(MEDIA), st.integers(0, 8)),
    st.tuples(st.just("lever"), st.sampled_from(LEVERS)),
)

USERS = ("45", "46", "46", "47")


class Chaos:
    def __init__(self, dialect: str, *, media: bool, rename: bool, phone: bool) -> None:
        self.lab = Lab(config(dialect, rename_calls=rename), media=media)
        self.clients = [self._client(i) for i in range(len(USERS))]
        if phone:
            self.phone = self.lab.phone("47", answers_after=1)

    def _client(self, index: int) -> Client:
        return self.lab.client(USERS[index], useragent=CHROMIUM if index == 3 else "")

    def names(self) -> list[str]:
        snapshot = self.lab.pbx.snapshot()
        return ["", *(leg["callid"] for leg in snapshot["legs"]), *(call["id"] for call in snapshot["calls"])]

    def do(self, what: Any) -> None:
        match what:
            case (int(i), str(action), wild, named, sensible, wait):
                names = self.names()
                found = {key: names[at % len(names)] for key, at in named.items()}
                self.clients[i].send(json.dumps({**sensible, **wild, **found, "action": action}))
                self.lab.wait(wait)
            case ("close", i):
                self.clients[i].close()
                self.clients[i] = self._client(i)
            case ("raw", i, text):
                self.clients[i].send(text)
            case ("media", kind, at):
                self._media(kind, at)
            case ("lever", name):
                self._lever(name)

    def _media(self, kind: str, at: int) -> None:
        legs = [leg["id"] for leg in self.lab.legs] + ["no leg"]
        leg = legs[at % len(legs)]
        peer = 1 + at % 3
        news: dict[str, e.MediaNews] = {
            "up": e.MediaUp(leg, peer),
            "lost": e.MediaLost(leg, peer),
            "failed": e.MediaFailed(leg, peer, "no"),
            "answer": e.AnswerReady(leg, peer, "v=0\r\n"),
            "offer": e.OfferReady(leg, peer, "v=0\r\n"),
            "digit": e.DigitHeard(leg, "5"),
        }
        self.lab.do(lambda now: self.lab.pbx.news(now, news[kind]))

    def _lever(self, name: str) -> None:
        pbx, legs = self.lab.pbx, self.lab.legs
        one = legs[0]["callid"] if legs else ""
        if name == "expire":
            self.lab.do(lambda now: pbx.lose_registration(now, "46"))
        elif name == "call in":
            self.lab.do(lambda now: pbx.call_in(now, number("reoffer"), "46"))
        elif name == "dnd":
            self.lab.do(lambda now: pbx.set_dnd(now, "47", True))
        elif one and name == "hang up":
            self.lab.do(lambda now: pbx.hang_up(now, one))
        elif one and name == "forget":
            self.lab.do(lambda now: pbx.forget_call(now, one))
        elif one and name == "reoffer":
            self.lab.do(lambda now: pbx.reoffer(now, one, new_transport=True))

    def check(self) -> None:
        """What always holds."""
        snapshot = self.lab.pbx.snapshot()
        calls = {call["id"] for call in snapshot["calls"]}
        users = [leg["callid"] for leg in snapshot["legs"]]
        assert len(users) == len(set(users))
        assert not calls & set(users), "the id of a call is never a call-id"
        for leg in snapshot["legs"]:
            assert leg["call"] in calls, "a leg without a call"
        assert calls == {leg["call"] for leg in snapshot["legs"]}, "a call without a leg"

    def finish(self) -> None:
        for client in self.clients:
            client.close()
        if hasattr(self, "phone"):
            self.lab.do(self.phone.unplug)
        self.lab.wait(100)
        snapshot = self.lab.pbx.snapshot()
        assert not snapshot["legs"]
        assert not snapshot["calls"]
        assert not snapshot["sockets"]
        assert not snapshot["awaited"]
        assert self.lab.pbx.deadline is None, "nothing is planned any more"


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["modern", "classic"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.lists(step | incident, max_size=30),
)
def test_nothing_upsets_it(dialect: str, media: bool, rename: bool, phone: bool, steps: list[Any]) -> None:
    chaos = Chaos(dialect, media=media, rename=rename, phone=phone)
    for what in steps:
        chaos.do(what)
        chaos.check()
    chaos.finish()


# --- users who mean well, and now and then do not -----------------------------------------------------------------


class Users:
    """Clients that place, take, hold, transfer and end calls at random: wild frames alone hardly ever make a call."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        one_of = self.rng.choice
        self.chaos = Chaos(
            one_of(["modern", "classic"]), media=one_of([True, True, False]), rename=one_of([True, False]), phone=True
        )
        self.lab = self.chaos.lab
        self._calls = 0

    def step(self) -> None:
        client = self.rng.choice(self.chaos.clients)
        legs = [leg for leg in self.lab.legs if leg["user"] == client.user]
        if not legs or self.rng.random() < 0.15:
            self._begin(client)
        else:
            self._go_on(client, self.rng.choice(legs), legs)
        if self.rng.random() < 0.05:
            self._incident()
        self.lab.wait(self.rng.choice([0, 0, 0, 0, 0.5, 1, 4, 11]))

    def _begin(self, client: Client) -> None:
        to = self.rng.choice(["45", "46", "46", "47", "47", self.rng.choice(NUMBERS)])
        self._calls += 1
        kind = self.rng.random()
        if kind < 0.7:
            client.dial(to, f"dialled-{self._calls}")
        elif kind < 0.8:
            client.say("make-call", to=to)
        else:
            self.lab.do(lambda now: self.chaos.phone.dial(now, to))

    def _go_on(self, client: Client, leg: dict[str, Any], legs: list[dict[str, Any]]) -> None:
        mine = leg["callid"]
        if leg["state"] in ("offered", "ringing"):
            action = self.rng.choice(["sip-ringing", "sip-ringing", "sdp-200ok", "sdp-200ok", "sip-busy", "sip-bye"])
        elif leg["state"] == "up":
            action = self.rng.choice(_IN_A_CALL.split())
        else:
            action = self.rng.choice(["sdp-200ok", "sdp-200ok", "sip-bye"])
        fields = {
            "callid": mine,
            "id": self.rng.choice([mine, leg["call"]]),
            "id2": self.rng.choice(legs)["callid"],
            "to": self.rng.choice(NUMBERS),
            "sdp": OFFER,
            "holdcmd": self.rng.choice(["sendonly", "sendrecv"]),
            "startstop": "on",
            "muted": True,
            "candidate": "candidate:1 1 udp 1 192.0.2.9 9 typ host",
        }
        if self.rng.random() < 0.3:
            del fields[self.rng.choice(["callid", "sdp", "id"])]
        client.say(action, **fields)

    def _incident(self) -> None:
        index = self.rng.randrange(len(USERS))
        what = self.rng.choice(["close", "media", "media", "lever", "lever"])
        if what == "close":
            self.chaos.do(("close", index))
        elif what == "media":
            self.chaos.do(("media", self.rng.choice(MEDIA), self.rng.randrange(9)))
        else:
            self.chaos.do(("lever", self.rng.choice(LEVERS)))


_IN_A_CALL = (
    "sdp-200ok sip-ack wrtc-hold wrtc-hold wrtc-hold blind-transfer2 att-transfer att-transfer mute rec-call "
    "ice-candidate hold-call accept-call clear-call sip-bye"
)


@pytest.mark.parametrize("seed", range(40))
def test_an_hour_of_users(seed: int) -> None:
    users = Users(seed)
    for _ in range(150):
        users.step()
        users.chaos.check()
    users.chaos.finish()


# --- nonsense alone ----------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.text() | anything.map(json.dumps))
def test_nonsense_is_answered_with_a_line_in_the_log_alone(text: str) -> None:
    lab = Lab()
    effects = lab.pbx.frame(lab.now, lab.client("46").name, text)
    assert [type(effect) for effect in effects] == [e.Log]
