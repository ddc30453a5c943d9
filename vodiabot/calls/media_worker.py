"""Carries out a leg's media steps in order, and brings what media says into the dialog's words."""

from __future__ import annotations

import math
from collections.abc import Callable

import structlog
import trio

from ..errors import CallEnded, MediaError
from ..ports import IceCandidate, LocalCandidate, MediaLeg, MediaLost, MediaUp
from ..protocol import steps
from .queue import Item, News

log = structlog.get_logger(__name__)


def news_of(event: object) -> steps.MediaNews | None:
    """An event of the media port as the dialog hears it; None for what does not concern it."""
    match event:
        case LocalCandidate(generation, None):
            return steps.CandidateFound(generation=generation, candidate="")
        case LocalCandidate(generation, IceCandidate() as found):
            return steps.CandidateFound(
                generation=generation,
                candidate=found.candidate,
                sdp_mid=found.sdp_mid,
                sdp_mline_index=found.sdp_mline_index,
            )
        case MediaUp(generation):
            return steps.MediaIsUp(generation=generation)
        case MediaLost(generation, reason):
            return steps.MediaIsLost(generation=generation, reason=reason)
    return None


class MediaWorker:
    """One task a leg. `do` never blocks; CloseMedia interrupts whatever is being done."""

    def __init__(self, media: MediaLeg, post: Callable[[Item], None]) -> None:
        self._media = media
        self._post = post
        # unbounded on purpose: the dialog bounds its own steps, and the leg's queue in front of it is bounded
        self._put, self._take = trio.open_memory_channel[steps.Step](math.inf)
        self._closing = trio.CancelScope()
        self.closed = trio.Event()

    def do(self, step: steps.Step) -> None:
        """Queue one media step."""
        if isinstance(step, steps.CloseMedia):
            self._closing.cancel()
            self._put.close()
        elif not self._closing.cancel_called:
            self._put.send_nowait(step)

    def finish(self) -> None:
        """No more steps will come; idempotent."""
        self._put.close()

    async def run(self) -> None:
        """Until CloseMedia or `finish`; then the audio is closed."""
        with self._closing:
            async for step in self._take:
                await self._carry_out(step)
        await self._media.aclose()
        self.closed.set()

    async def _carry_out(self, step: steps.Step) -> None:
        match step:
            case steps.MakeOffer(generation=generation):
                await self._make_offer(generation)
            case steps.MakeAnswer(generation=generation, offer=offer):
                await self._make_answer(generation, offer)
            case steps.ApplyAnswer(generation=generation, answer=answer):
                await self._apply_answer(generation, answer)
            case steps.AddCandidate():
                await self._media.add_candidate(step.generation, _candidate(step))
            case steps.SetSending(sending=sending):
                self._media.set_sending(sending)
            case _:
                raise AssertionError(f"not a media step: {step!r}")

    async def _make_offer(self, generation: int) -> None:
        try:
            sdp = await self._media.make_offer(generation)
        except (MediaError, CallEnded) as exc:
            self._failed(generation, "offer", exc)
        else:
            self._post(News(steps.OfferMade(generation=generation, sdp=sdp)))

    async def _make_answer(self, generation: int, offer: str) -> None:
        try:
            sdp = await self._media.make_answer(generation, offer)
        except (MediaError, CallEnded) as exc:
            self._failed(generation, "answer", exc)
        else:
            self._post(News(steps.AnswerMade(generation=generation, sdp=sdp)))

    async def _apply_answer(self, generation: int, answer: str) -> None:
        try:
            await self._media.apply_answer(generation, answer)
        except (MediaError, CallEnded) as exc:
            self._failed(generation, "apply", exc)

    def _failed(self, generation: int, what: str, exc: Exception) -> None:
        log.warning("the audio could not be set up", step=what, why=str(exc))
        self._post(News(steps.MediaFailed(generation=generation, what=what, error=str(exc))))  # type: ignore[arg-type]


def _candidate(step: steps.AddCandidate) -> IceCandidate | None:
    if not step.candidate:
        return None
    return IceCandidate(step.candidate, step.sdp_mid, step.sdp_mline_index)
