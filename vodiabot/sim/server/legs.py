"""The media of all legs: carries out the model's media effects on the asyncio loop, and tells what happened."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

import structlog

from ..core import effects
from ..core.effects import (
    AddCandidate,
    ApplyAnswer,
    CloseMedia,
    DigitHeard,
    MakeAnswer,
    MakeOffer,
    MediaNews,
    PressDigits,
    SetFaults,
    SetFeed,
)
from .dtmf import DigitDetector
from .peer import Peer
from .sources import Live, Source, make_source
from .tones import Samples

log = structlog.get_logger(__name__)

MediaEffect = MakeAnswer | MakeOffer | ApplyAnswer | AddCandidate | SetFeed | SetFaults | PressDigits | CloseMedia

MAX_WAITING_CANDIDATES = 64
"""Of a leg without a peer connection; browsers send a dozen."""

REMEMBERED = 256
"""Closed legs whose late steps are ignored."""


class Leg:
    """The media of one leg: its steps one after another in a task of its own, and one peer connection at a time."""

    def __init__(self, name: str, legs: Legs) -> None:
        self.name = name
        self._legs = legs
        self._feed: effects.Feed = effects.Silence()
        self._faults: SetFaults | None = None
        self._early_keys = ""
        self._peer: Peer | None = None
        self._early: list[AddCandidate] = []
        self._digits = DigitDetector()
        self._steps: asyncio.Queue[MediaEffect] = asyncio.Queue()
        self.task = asyncio.get_running_loop().create_task(self._run(), name=f"leg {name}")

    def do(self, step: MediaEffect) -> None:
        """In order, but for what needs no waiting."""
        match step:
            case SetFeed(_, feed):
                self._feed = feed
                if self._peer:
                    self._peer.set_feed(feed)
            case SetFaults():
                self._faults = step
                if self._peer:
                    self._peer.set_faults(step)
            case PressDigits(_, digits):
                self.press(digits)
            case _:
                self._steps.put_nowait(step)

    def press(self, keys: str) -> None:
        """The client hears these keys, as soon as its audio is up."""
        if self._peer:
            self._peer.track.press(keys)
        else:
            self._early_keys += keys

    async def _run(self) -> None:
        try:
            while not isinstance(step := await self._steps.get(), CloseMedia):
                await self._step(step)
        finally:
            if self._peer:
                await self._peer.close()
            self._legs.forget(self)
            log.debug("media closed", leg=self.name)

    async def _step(self, step: MediaEffect) -> None:
        match step:
            case MakeAnswer(_, number, offer):
                await (await self._peer_of(number)).answer(offer)
            case MakeOffer(_, number, direction):
                await (await self._peer_of(number)).offer(direction)
            case ApplyAnswer(_, number, answer) if self._peer and self._peer.number == number:
                await self._peer.apply(answer)
            case AddCandidate() if self._peer:
                await self._peer.candidate(step.candidate, step.sdp_mid, step.sdp_mline_index)
            case AddCandidate() if len(self._early) < MAX_WAITING_CANDIDATES:
                self._early.append(step)

    async def _peer_of(self, number: int) -> Peer:
        """The peer connection of this number; a new one takes the place of the old."""
        if self._peer and self._peer.number == number:
            return self._peer
        if self._peer:
            await self._peer.close()
        self._peer = Peer(
            self.name, number, self._legs.codecs, self._feed, self._source, self._legs.tell, self._heard, self._pressed
        )
        self._peer.set_faults(self._faults)
        keys, self._early_keys = self._early_keys, ""
        self._peer.track.press(keys)
        early, self._early = self._early, []
        for step in early:
            await self._peer.candidate(step.candidate, step.sdp_mid, step.sdp_mline_index)
        return self._peer

    def _source(self, feed: effects.Feed, rate: int) -> Source:
        return make_source(feed, rate, self._legs.listen_to)

    def _heard(self, samples: Samples, rate: int) -> None:
        self._legs.pass_on(self.name, samples, rate)
        if self._peer and self._peer.takes_events:
            return  # it says its keys by telephone-event; what it says in-band as well must not count twice
        for digit in self._digits.feed(samples, rate):
            self._legs.tell(DigitHeard(self.name, digit))

    def _pressed(self, key: str) -> None:
        """By telephone-event."""
        self._legs.tell(DigitHeard(self.name, key, apart=True))


class Legs:
    """All legs; lives on the asyncio loop. `tell` may not block."""

    def __init__(self, codecs: tuple[str, ...], tell: Callable[[MediaNews], None]) -> None:
        self.codecs, self.tell = codecs, tell
        self._legs: dict[str, Leg] = {}
        self._closing: set[Leg] = set()
        self._closed: deque[str] = deque(maxlen=REMEMBERED)
        self._listeners: dict[str, set[Live]] = {}

    def do(self, step: MediaEffect) -> None:
        """Carry out one effect, or begin to. A leg is made by whatever names it first and forgotten by CloseMedia."""
        if isinstance(step, CloseMedia):
            if leg := self._legs.pop(step.leg, None):
                self._closing.add(leg)
                self._closed.append(step.leg)
                leg.do(step)
            return
        if step.leg in self._closed:
            return
        if step.leg not in self._legs:
            self._legs[step.leg] = Leg(step.leg, self)
        self._legs[step.leg].do(step)

    def forget(self, leg: Leg) -> None:
        """The leg's media is closed, as asked or by a mistake."""
        self._closing.discard(leg)
        if self._legs.get(leg.name) is leg:
            del self._legs[leg.name]
            self._closed.append(leg.name)

    def listen_to(self, leg: str, rate: int, limit: float) -> Live:
        """A source of what this leg says, whether it is there yet or not, until the source is closed."""
        live = Live(rate, limit, asyncio.get_running_loop())
        self._listeners.setdefault(leg, set()).add(live)
        live.on_close = partial(self._stop_listening, leg, live)
        return live

    def _stop_listening(self, leg: str, live: Live) -> None:
        listeners = self._listeners.get(leg, set())
        listeners.discard(live)
        if not listeners:
            self._listeners.pop(leg, None)

    def pass_on(self, leg: str, samples: Samples, rate: int) -> None:
        """To all who listen to this leg."""
        for live in self._listeners.get(leg, ()):
            live.push(samples, rate)

    @property
    def count(self) -> int:
        """Legs with media, closing ones included."""
        return len(self._legs) + len(self._closing)

    async def close(self) -> None:
        """Close them all and wait for it."""
        for name in list(self._legs):
            self.do(CloseMedia(name))
        if self._closing:
            await asyncio.wait([leg.task for leg in self._closing])
