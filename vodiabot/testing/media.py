"""`ports.MediaPort` in virtual time: no sockets, no audio, but everything takes as long as it would."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio

from ..errors import CallEnded, MediaError, SdpError
from ..media.sources import Feed
from ..ports import (
    DtmfReceived,
    IceCandidate,
    LocalCandidate,
    MediaEvent,
    MediaLost,
    MediaStats,
    MediaUp,
    Recording,
)
from .audio import VirtualAudio
from .conference import VirtualConference
from .recording import Stops, record
from .sounds import Sound, duration_of
from .ways import Ways
from .wire import End, Wire, ufrag_of


@dataclass(frozen=True)
class Played:
    """What the far end of a virtual leg heard."""

    source: Any
    duration: float
    """Seconds."""
    gain: float = 0.0
    """dB."""


class VirtualMedia:
    """Makes virtual legs on one wire."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.legs: list[VirtualLeg] = []
        self.conferences: list[VirtualConference] = []
        self.on_record: list[Callable[[VirtualLeg, Path], None]] = []
        """Told when a recording begins."""
        self.on_up: list[Callable[[VirtualLeg], None]] = []
        """Told when a leg's audio is up."""
        self.passing: set[Path] | None = None
        """If it is a set: a recording leaves a file that is there as it is, and else puts its path here, for whoever
        removes it. None: recordings are written as they would be."""

    async def ping(self) -> None:
        await trio.lowlevel.checkpoint()

    def conference(self) -> VirtualConference:
        made = VirtualConference()
        self.conferences.append(made)
        return made

    def hears(self) -> dict[str, set[str]]:
        """Who hears whom: the labels of the legs that are open, and for each the labels of the others whose other side
        its own other side hears, over all conferences."""
        living = [leg for leg in self.legs if not leg.closed]
        return {leg.label: set().union(*(c.heard_at(leg) for c in self.conferences)) for leg in living}

    def open(
        self, label: str, on_event: Callable[[MediaEvent], None], *, codecs: Sequence[str] | None = None
    ) -> VirtualLeg:
        leg = VirtualLeg(self.wire, label, on_event, self._pass_on)
        leg.on_record, leg.on_up, leg.passing = self.on_record, self.on_up, self.passing
        self.legs.append(leg)
        return leg

    def _pass_on(self, speaker: VirtualLeg, sound: Sound) -> None:
        hears = self.hears()
        for leg in self.legs:
            if speaker.label in hears.get(leg.label, ()):
                leg.tell_peer(sound)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[VirtualMedia]:
        """As `media.open_media` is used; what a bot left open is an error of the bot's."""
        yield self
        left = [leg.label for leg in self.legs if not leg.closed]
        if left:
            raise AssertionError(f"these legs' media were left open: {left}")
        if forgotten := sum(not conference.closed for conference in self.conferences):
            raise AssertionError(f"{forgotten} conferences were left open")


class VirtualLeg(Ways):
    """One leg's audio. See `ports.MediaLeg` for the promises."""

    def __init__(
        self,
        wire: Wire,
        label: str,
        on_event: Callable[[MediaEvent], None],
        pass_on: Callable[[VirtualLeg, Sound], None] = lambda leg, sound: None,
    ) -> None:
        """`pass_on` gets what the other side says, for the other legs of its conferences."""
        super().__init__(on_event)
        self.label = label
        self._pass_on = pass_on
        self.closed = False
        self.sending = True
        self.muted = False
        self.played: list[Any] = []
        self._wire = wire
        self._on_event = on_event
        self._ends: dict[int, End] = {}
        self._current: End | None = None
        self._up = trio.Event()
        self._gone = trio.Event()
        self._while: set[trio.CancelScope] = set()
        """Of what goes on for as long as it is open."""
        self._digits: set[trio.MemorySendChannel[str]] = set()
        self._sent = 0
        self.said: list[Sound] = []
        """What the other side has said, oldest first; `what` has the transcript (`sounds.Spoken`)."""
        self.on_record: list[Callable[[VirtualLeg, Path], None]] = []
        self.on_up: list[Callable[[VirtualLeg], None]] = []
        self.passing: set[Path] | None = None
        self.on_speech: list[Callable[[Sound], None]] = []
        """Told when the other side begins to say something, and when it has said it: for what hears speech."""

    # --- descriptions ------------------------------------------------------------------------------------------------

    async def make_offer(self, generation: int) -> str:
        await trio.lowlevel.checkpoint()
        end = self._new_end(generation)
        self._tell_candidates(generation)
        return self._wire.describe(end, setup="actpass")

    async def make_answer(self, generation: int, offer: str) -> str:
        await trio.lowlevel.checkpoint()
        if not ufrag_of(offer):
            raise SdpError("a=ice-ufrag is missing")
        fresh = generation not in self._ends
        end = self._new_end(generation) if fresh else self._ends[generation]
        answer = self._wire.describe(end, setup="active")
        self._wire.connect(end, offer)
        if fresh:
            self._tell_candidates(generation)
        return answer

    async def apply_answer(self, generation: int, answer: str) -> None:
        await trio.lowlevel.checkpoint()
        end = self._ends.get(generation)
        if end is None:
            raise MediaError(f"there is no offer of generation {generation}")
        if not ufrag_of(answer):
            raise SdpError("a=ice-ufrag is missing")
        self._wire.connect(end, answer)

    async def add_candidate(self, generation: int, candidate: IceCandidate | None) -> None:
        await trio.lowlevel.checkpoint()

    def _new_end(self, generation: int) -> End:
        if self.closed:
            raise CallEnded(self.label, "closed")
        for old in self._ends.values():
            self._wire.close(old)
        end = self._wire.end(lambda: self._is_up(generation), lambda why: self._is_lost(generation, why))
        end.on_digit = self._digit
        end.on_sound = self._far_side_says
        self._ends = {generation: end}
        self._current = end
        return end

    def _tell_candidates(self, generation: int) -> None:
        line = "candidate:1 1 UDP 2130706431 192.0.2.1 5000 typ host"
        self._on_event(LocalCandidate(generation, IceCandidate(line)))
        self._on_event(LocalCandidate(generation, None))

    def _is_up(self, generation: int) -> None:
        self._up.set()
        for door in self.doors:
            door.begin()
        self._on_event(MediaUp(generation))
        for told in self.on_up:
            told(self)

    def is_told(self, event: MediaEvent) -> None:
        """For a tape: news that no virtual other side makes."""
        if self.closed:
            return
        match event:
            case MediaUp(generation=generation):
                self._is_up(generation)
            case DtmfReceived(digit=digit):
                self._digit(digit)
            case _:
                self._on_event(event)

    def _is_lost(self, generation: int, why: str) -> None:
        if not self.closed:
            self._on_event(MediaLost(generation, why))

    @property
    def is_up(self) -> bool:
        """Audio flows, or has flowed."""
        return self._up.is_set()

    def _digit(self, digit: str) -> None:
        if self.deaf:
            return
        for listener in self._digits:
            listener.send_nowait(digit)
        self._on_event(DtmfReceived(digit))

    # --- audio -------------------------------------------------------------------------------------------------------

    def set_sending(self, sending: bool) -> None:
        self.sending = sending

    def set_muted(self, muted: bool) -> None:
        self.muted = muted

    async def play(self, source: Any, *, gain: float = 0.0, fade_in: float = 0.0, fade_out: float = 0.0) -> None:
        if isinstance(source, list | tuple):
            for item in source:
                await self.play(item, gain=gain)
            return
        duration = duration_of(source)
        if self.closed or not self.is_up:  # not each time that a prompt goes round
            await self._while_open(self._up.wait)
        sound = Sound(source, duration, began=trio.current_time(), gain=gain)
        self.tell_peer(sound)
        try:
            await self._while_open(partial(_pass, source, duration))
        finally:
            sound.ended = trio.current_time()
            self.tell_peer(sound)
            self._heard_by_peer(Played(source, min(duration, sound.ended - sound.began), gain))

    def _heard_by_peer(self, played: Played) -> None:
        self.played.append(played)
        self._sent += round(played.duration * 50)
        peer = self._peer()
        if peer is not None:
            peer.heard.append(played)

    def _peer(self) -> End | None:
        """Who hears what we send, if we send."""
        if self._current is None or not self.sending or self.muted:
            return None
        return self._wire.peer(self._current)

    def tell_peer(self, sound: Sound) -> None:
        """Our other side hears it begin, or end."""
        peer = self._peer()
        if peer is not None:
            peer.on_sound(sound)

    def _far_side_says(self, sound: Sound) -> None:
        """The other side speaks: it is heard at the doors that are open, and by those who are in conference with it."""
        if self.deaf and sound not in self.said:
            return
        if sound.ended is None:
            self.said.append(sound)
            for door in self.doors:
                door.hear(sound)
        for listener in self.on_speech:
            listener(sound)
        self._pass_on(self, sound)

    async def send_dtmf(
        self, digits: str, *, duration: float = 0.1, gap: float = 0.06, volume: float = -10.0
    ) -> None:
        await self._while_open(self._up.wait)
        for digit in digits:
            peer = self._wire.peer(self._current) if self._current is not None else None
            if peer is not None:
                peer.on_digit(digit)
            await self._while_open(partial(trio.sleep, duration + gap))

    async def record(
        self,
        path: Path,
        *,
        max_seconds: float | None = None,
        silence: float | None = None,
        stop_on: str = "",
        stereo: bool = False,
    ) -> Recording:
        if self.closed:
            raise CallEnded(self.label, "closed")
        for told in self.on_record:
            told(self, path)
        quiet = None if silence is None else partial(self._silent_for, silence)
        stops = Stops(self._gone.wait, max_seconds, quiet, stop_on)
        return await record(path, stops, self._digits, channels=2 if stereo else 1, passing=self.passing)

    async def _silent_for(self, seconds: float) -> None:
        """Returns when the other side has said nothing for so long."""
        quiet_since = trio.current_time()
        while (left := quiet_since + seconds - trio.current_time()) > 0:
            await trio.sleep(left)
            if self.said:
                last = self.said[-1]
                quiet_since = max(quiet_since, last.until if last.ended is None else last.ended)

    async def _while_open(self, work: Callable[[], Any]) -> None:
        if self.closed:
            raise CallEnded(self.label, "closed")
        with trio.CancelScope() as scope:
            self._while.add(scope)
            try:
                await work()
            finally:
                self._while.discard(scope)
        if self.closed:
            raise CallEnded(self.label, "closed")

    @asynccontextmanager
    async def audio(self, *, rate: int = 16000, frames: int = 50) -> AsyncIterator[VirtualAudio]:
        """What is sent and received is to be seen in `doors`, one for each time that it was opened."""
        if self.closed:
            raise CallEnded(self.label, "closed")
        door = VirtualAudio(
            self.label, rate, frames, up=self._up.wait, while_open=self._while_open, tell=self.tell_peer
        )
        self.doors.append(door)
        if self._up.is_set():
            door.begin()
        for sound in self.said:
            if sound.ended is None:
                door.hear(sound)
        try:
            yield door
        finally:
            door.close()

    def stats(self) -> MediaStats:
        return MediaStats(
            codec="PCMU",
            packets_sent=self._sent,
            silent_for=self._since(self._silent_since),
            unheard_for=self._since(self._unheard_since),
        )

    def _since(self, moment: float | None) -> float | None:
        if not self._up.is_set():
            return None
        return 0.0 if moment is None else trio.current_time() - moment

    async def aclose(self) -> None:
        self.closed = True
        self._gone.set()
        for scope in self._while:
            scope.cancel()
        for door in self.doors:
            door.close()
        for end in self._ends.values():
            self._wire.close(end)
        await trio.lowlevel.checkpoint()


async def _pass(source: Any, seconds: float) -> None:
    """As long as it takes to play it."""
    if seconds < math.inf:
        await trio.sleep(seconds)
    elif isinstance(source, Feed):
        while source.take(source.rate // 50) is not None:  # noqa: ASYNC110 - a frame at a time, as it is heard
            await trio.sleep(0.02)
    else:
        await trio.sleep_forever()
