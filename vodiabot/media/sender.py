"""One stream of ours: from blocks of 20 ms to packets. No I/O; the pacer asks for a packet each 20 ms.

The timestamp goes on with the time, whether something is sent or not; the sequence numbers only with packets.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from . import rtp
from .audio import FRAME_SECONDS, Samples, silence
from .codecs import Codec
from .telephone_event import ENDS, MAX_DURATION, VOLUME, EventPacket, Outgoing, build_event, packets_of

UNDERSTOOD = 5
"""Packets of a digit, 20 ms each, that are enough for it to be understood."""


@dataclass(frozen=True)
class Press:
    """A digit to be sent as an event; `duration` and `gap` in seconds, `volume` in dBm0 below zero."""

    digit: str
    duration: float
    gap: float
    done: Callable[[bool], None]
    """Called once: with True when it has been sent and the last 20 ms of its gap run (what is pressed then follows in
    time), with False when it can't be sent any more."""
    volume: int = VOLUME


class Sender:
    """All that leaves over one peer connection."""

    def __init__(self, payload_type: int, codec: Codec, ssrc: int) -> None:
        self.codec, self._encoder = codec, codec.make_encoder()
        self.ssrc = ssrc
        self.packets = 0
        self.octets = 0
        self._event_type: int | None = None
        self._event_clock = 8000
        # In the lower half: SRTP can't be decrypted by a late joiner where the count wraps soon (RFC 3711, 3.3.1).
        self._sequence = secrets.randbits(15)
        self._timestamp = secrets.randbits(32)
        self._pause = True
        self._presses: deque[Press] = deque()
        self._press: Press | None = None
        self._event: deque[Outgoing | None] = deque()
        """What is left of it."""
        self.dialling = False
        """What was made last was a digit or the pause after it, and not what plays."""
        self._event_timestamp = 0
        self._told: EventPacket | None = None
        """The last that was said of it, its duration by the clock of the press."""
        self._press_clock = 8000
        """Units a second of the durations of the press that is on its way."""
        self.use(payload_type, codec)

    def use(self, payload_type: int, codec: Codec) -> None:
        """Go on with this codec; the same one keeps its state."""
        if codec is not self.codec:
            self._encoder = codec.make_encoder()
        self.codec, self._payload_type = codec, payload_type
        self._block = round(FRAME_SECONDS * codec.clock)
        self._silence = silence(round(FRAME_SECONDS * codec.rate))

    def events(self, payload_type: int | None, clock: int) -> None:
        """Digits go out with this payload type, their durations in units of `clock`; None: they can't."""
        self._event_type, self._event_clock = payload_type, clock

    @property
    def timestamp(self) -> int:
        """Of the next block, 32 bits."""
        return self._timestamp

    @property
    def sequence(self) -> int:
        """Of the next packet."""
        return self._sequence

    # --- digits ---------------------------------------------------------------------------------------------------

    def press(self, press: Press) -> None:
        """Queue a digit. Raises ValueError where telephone-events were not negotiated."""
        if self._event_type is None:
            raise ValueError("telephone-events were not negotiated")
        self._presses.append(press)

    def withdraw(self, press: Press) -> None:
        """Nobody wants it any more: it is not sent if it has not begun. One that has begun gets its end, and is cut
        short, but not so that it would not be understood."""
        if press in self._presses:
            self._presses.remove(press)
        elif press is self._press:
            self._cut_short(press)

    def _cut_short(self, press: Press) -> None:
        to_come = [step for step in self._event if step is not None and not step.event.end]
        said = max(1, round(press.duration / FRAME_SECONDS)) - len(to_come)
        kept = to_come[: max(0, UNDERSTOOD - said)]
        if len(kept) < len(to_come) and self._told is not None:
            last = kept[-1].event if kept else self._told
            self._event = deque([*kept, *[Outgoing(replace(last, end=True))] * ENDS])

    def release(self) -> None:
        """Send no more digits: those that have not begun are told so; the one that is on its way counts as sent."""
        waiting, self._presses = self._presses, deque()
        if self._press is not None:
            self._press.done(True)
        self._press, self.dialling = None, False
        self._event.clear()
        for press in waiting:
            press.done(False)

    # --- packets --------------------------------------------------------------------------------------------------

    def skip(self, blocks: int = 1) -> None:
        """So many times 20 ms pass and nothing is sent."""
        self._timestamp = (self._timestamp + blocks * self._block) % rtp.TIMESTAMPS
        self._pause = True

    def packet(self, samples: Samples | None) -> bytes:
        """The next packet, of 20 ms at the codec's rate (None: silence), or of a digit in their place."""
        if self.dialling or self._presses:
            if (event := self._next_event()) is not None:
                return event
            if self.dialling:
                samples = None  # between digits what plays is silent, too
        payload = self._encoder.encode(self._silence if samples is None else samples)
        marker, self._pause = self._pause, False
        return self._built(self._payload_type, marker, self._timestamp, payload)

    def expect_loss(self, part: float) -> None:
        """The other side's report: the part (0 to 1) of our packets that got lost."""
        self._encoder.expect_loss(part)

    def _next_event(self) -> bytes | None:
        """The next packet of a digit; None in the gap after it, and when there are no more."""
        if not self._event:
            self.dialling = self._begin_next()
            if not self.dialling:
                return None
        step = self._event.popleft()
        if not self._event and self._press is not None:
            self._press.done(True)
            self._press = None
        return None if step is None else self._event_packet(step)

    def _begin_next(self) -> bool:
        if not self._presses or self._event_type is None:
            return False
        now, clock = self._presses.popleft(), self._event_clock
        self._press, self._press_clock = now, clock
        block = round(FRAME_SECONDS * clock)
        self._event.extend(packets_of(now.digit, now.duration, now.gap, block, clock, now.volume))
        return True

    def _event_packet(self, step: Outgoing) -> bytes:
        assert self._event_type is not None
        if step.first:
            self._event_timestamp = self._timestamp
        elif step.goes_on:
            later = MAX_DURATION * self.codec.clock // self._press_clock
            self._event_timestamp = (self._event_timestamp + later) % rtp.TIMESTAMPS
        event = self._told = step.event
        if self._press_clock != self._event_clock:  # another codec since it began
            units = event.duration * self._event_clock // self._press_clock
            event = replace(event, duration=min(units, MAX_DURATION))
        return self._built(self._event_type, step.first, self._event_timestamp, build_event(event))

    def _built(self, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> bytes:
        data = rtp.build(payload_type, marker, self._sequence, timestamp, self.ssrc, payload)
        self._sequence = (self._sequence + 1) % rtp.SEQUENCES
        self._timestamp = (self._timestamp + self._block) % rtp.TIMESTAMPS
        self.packets += 1
        self.octets += len(payload)
        return data

