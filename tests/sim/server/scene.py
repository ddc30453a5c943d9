"""Legs of the simulator, and clients that talk to them on the same loop, without signalling."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tests.sim.client_media import Audio, Samples
from vodiabot.sim.core import effects
from vodiabot.sim.server.legs import Legs
from vodiabot.sim.server.sdp import CODECS

PATIENCE = 10.0

Client = TypeVar("Client", bound=Audio)


class Scene:
    """Legs, and clients that talk to them."""

    def __init__(self, codecs: tuple[str, ...] = CODECS) -> None:
        self.news: list[effects.MediaNews] = []
        self.legs = Legs(codecs, self.news.append)
        self.clients: dict[str, Audio] = {}

    async def until(self, kind: type, leg: str, peer: int = 1) -> Any:
        def found() -> Any:
            of_leg = (n for n in self.news if n.leg == leg and getattr(n, "peer", peer) == peer)
            return next((n for n in of_leg if isinstance(n, kind)), None)

        await eventually(lambda: found() or self.failure(leg))
        assert not self.failure(leg), self.failure(leg)
        return found()

    def failure(self, leg: str) -> str:
        return next((n.error for n in self.news if isinstance(n, effects.MediaFailed) and n.leg == leg), "")

    def digits(self, leg: str) -> str:
        """All that the leg was heard to press."""
        return "".join(n.digit for n in self.news if isinstance(n, effects.DigitHeard) and n.leg == leg)

    async def call(self, leg: str, codec: str, feed: effects.Feed, pbx_offers: bool = False, peer: int = 1) -> Audio:
        """A client on this leg, its audio up."""
        return await self.connect(leg, Audio((codec,), lambda c: self.candidate(leg, c)), feed, pbx_offers, peer)

    async def connect(
        self, leg: str, client: Client, feed: effects.Feed, pbx_offers: bool = False, peer: int = 1
    ) -> Client:
        """This client on this leg, its audio up."""
        self.clients[leg] = client
        self.legs.do(effects.SetFeed(leg, feed))
        if pbx_offers:
            self.legs.do(effects.MakeOffer(leg, peer))
            answer = await client.answer((await self.until(effects.OfferReady, leg, peer)).sdp)
            self.legs.do(effects.ApplyAnswer(leg, peer, answer))
        else:
            self.legs.do(effects.MakeAnswer(leg, peer, await client.offer()))
            await client.accept((await self.until(effects.AnswerReady, leg, peer)).sdp)
        for news in list(self.news):
            if isinstance(news, effects.CandidateReady) and news.leg == leg and news.candidate:
                await client.candidate({"candidate": news.candidate})
        await self.until(effects.MediaUp, leg, peer)
        await eventually(lambda: client.up)
        return client

    def candidate(self, leg: str, candidate: dict[str, Any] | None) -> None:
        text = candidate["candidate"] if candidate else None
        self.legs.do(effects.AddCandidate(leg, text, "0", 0))

    async def close(self) -> None:
        for client in self.clients.values():
            await client.close()
        await self.legs.close()


async def eventually(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - it may be anything
            await asyncio.sleep(0.005)


async def hear(client: Audio, seconds: float) -> Samples:
    """Sound of so many seconds, after a quarter of a second that is left out. It may come late: a machine is busy."""
    await eventually(lambda: client.seconds > 0.25)
    await client.take()
    await eventually(lambda: client.seconds > seconds)
    return await client.take()


async def overhear(client: Audio, seconds: float) -> Samples:
    """What comes in the meantime, if anything does."""
    await asyncio.sleep(0.25)
    await client.take()
    await asyncio.sleep(seconds)
    return await client.take()


def play(scene: Callable[[Scene], Awaitable[None]], codecs: tuple[str, ...] = CODECS) -> None:
    async def run() -> None:
        stage = Scene(codecs)
        try:
            await scene(stage)
        finally:
            await stage.close()

    asyncio.run(run())
