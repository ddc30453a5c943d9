"""One stream of the other side: from packets to blocks of 20 ms. No I/O; times are given, in seconds.

The pacer gives it what came and asks for the next block; it never waits and never raises for what a packet says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .audio import FRAME_SECONDS, NOTHING, Samples, resampled, silence, to_int16
from .codecs import Codec, Decoder
from .jitter import JitterBuffer, Kind, Next
from .rtcp import Reception
from .rtp import Packet
from .stretch import ALIKE, Concealment, faded_in, faded_out, is_quiet, longer, shorter

TOO_DEEP, TOO_SHALLOW = 0.020, -0.015
"""Seconds by which the depth may differ from what is aimed at without being corrected."""
SHALLOW, IN_DANGER = -0.008, 0.012
"""Seconds likewise where it is quiet, and of depth where it is not. In speech a correction that need not be costs more
than it is worth: PESQ fell from 3.5 to 2.5 at 10 % loss, as the depth rose with the beginning of FEC."""
BETWEEN_STRETCHES = 0.1
"""Seconds between two corrections: one alone is not heard, a row of them is."""
FAR_TOO_DEEP = 0.1
"""Seconds by which it is worth being corrected twice as often."""
NEVER_ALIKE = 0.06
"""Seconds by which it is so deep that anything is taken out, softly: no two periods of noise or of dense music look
alike, and a clock that is 0.02 % fast fills 12 ms a minute."""
TURNS, TURN, OTHER_TURN = 5, 0, 2
"""Blocks of `BETWEEN_STRETCHES`, and in which of them a source is played faster. A hiccup of the network or of this
machine makes the buffers of all calls too deep at once: were all corrected in the same 20 ms, it would be the next."""
SILENT_SOURCE = 0.06
"""Seconds after which another SSRC takes over at once."""
PACKETS_TO_TAKE_OVER = 3
"""In a row, of another SSRC while the present one still sends."""
NOISE_PACKET = 13
"""Payload type of comfort noise (RFC 3389)."""
NOISE_CLOCK = 8000
"""Timestamp units a second that this payload type has; a stream with another clock can't have it."""
MAX_PIECES = 12
"""Pieces that one block may need: 2.5 ms packets, and a few more."""
LONGEST_PACKET = 0.2
"""Seconds (RFC 3551, section 4.2). What is longer would be in the way of all that follows."""
FADE_IN = 0.005
"""Seconds, after silence."""


@dataclass(frozen=True)
class Payloads:
    """What the payload types of a negotiated stream mean."""

    codecs: Mapping[int, Codec]
    events: frozenset[int] = frozenset()
    """Of telephone-events."""


class Receiver:
    """All that comes over one peer connection."""

    def __init__(self, payloads: Payloads) -> None:
        self.payloads = payloads
        first = next(iter(payloads.codecs.values()))
        self.rate = first.rate
        """Of the blocks; changes with the codec that comes."""
        self.reception: Reception | None = None
        """Of the present source."""
        self.concealed = 0
        """Samples made up, at 8000 a second."""
        self.last_audio: float | None = None
        """When the last packet of audio, of its comfort noise or of a key came."""
        self._past = (0, 0, 0)
        self._codec = first
        self._buffer: JitterBuffer | None = None
        self._decoder: Decoder | None = None
        self._concealment = Concealment(first.rate)
        self._ready = NOTHING
        self._lengthened = 0.0
        self._strangers = 0
        self._noise = Noise()
        self._in_event = False
        self._sounding = False
        """What was given out last goes on, if nothing else comes."""
        self._silenced = False
        """It has faded to silence."""
        self._torn = False
        """What comes next does not go on from it."""
        self._closed = False

    def close(self) -> None:
        """Let go of the decoder; nothing is heard any more. Idempotent."""
        self._closed = True
        self._past = (self._past[0], self._past[1], self.late)
        self._decoder = self._buffer = None
        self._ready = NOTHING

    # --- counters -------------------------------------------------------------------------------------------------

    @property
    def received(self) -> int:
        now = self.reception  # once: these are asked from other threads, too
        return self._past[0] + (now.received if now else 0)

    @property
    def lost(self) -> int:
        now = self.reception
        return self._past[1] + (now.lost if now else 0)

    @property
    def late(self) -> int:
        buffer = self._buffer
        return self._past[2] + (buffer.late if buffer else 0)

    def depth(self, now: float) -> float:
        """Seconds that audio waits in the buffer, now."""
        buffer = self._buffer
        return max(0.0, buffer.depth(now, self._ahead)) if buffer else 0.0

    @property
    def target(self) -> float:
        """Seconds of depth that are aimed at."""
        return self._buffer.target if self._buffer else 0.0

    # --- in -------------------------------------------------------------------------------------------------------

    def push(self, packet: Packet) -> bool:
        """Take a packet of any payload type. False if its source is not the one that is heard; keys are heard from
        any (a gateway may send them as a source of their own)."""
        codec = self.payloads.codecs.get(packet.payload_type)
        is_key = codec is None and packet.payload_type in self.payloads.events
        if self._closed or not self._is_heard(packet, codec):
            return is_key and not self._closed
        assert self.reception is not None
        if codec is not None:
            self._audio(packet, codec)
        else:
            self._other(packet, is_key)
        return True

    def _audio(self, packet: Packet, codec: Codec) -> None:
        assert self._buffer is not None
        assert self.reception is not None
        if codec.clock != self._buffer.clock:
            self._past = (self._past[0], self._past[1], self.late)
            self._buffer = JitterBuffer(codec.clock)
            self.reception.use(codec.clock)
        self.reception.count(packet.sequence, packet.timestamp, packet.arrival)
        duration = codec.duration(packet.payload)
        if not 0 < duration <= LONGEST_PACKET * codec.clock:
            return
        self.last_audio, self._in_event = packet.arrival, False
        fec = codec.carries_previous(packet.payload)
        self._buffer.put(packet.timestamp, codec, packet.payload, duration, packet.arrival, fec=fec)

    def _other(self, packet: Packet, is_key: bool) -> None:
        """Comfort noise, keys, and what nobody knows. A key's packets all have the timestamp of its beginning, so they
        say nothing of the jitter."""
        assert self._buffer is not None
        assert self.reception is not None
        self.reception.count_untimed(packet.sequence)
        if is_key:
            self.last_audio, self._in_event = packet.arrival, True
        elif packet.payload_type == NOISE_PACKET and self._buffer.clock == NOISE_CLOCK:
            self.last_audio, self._in_event = packet.arrival, False
            block = round(FRAME_SECONDS * NOISE_CLOCK)
            self._buffer.put(packet.timestamp, None, packet.payload, block, packet.arrival)

    def _is_heard(self, packet: Packet, codec: Codec | None) -> bool:
        """A source is heard until it falls silent or another one clearly takes its place (a transfer, early media
        from elsewhere), with audio."""
        now = self.reception
        if now is not None and packet.ssrc == now.ssrc:
            self._strangers = 0
            return True
        if now is not None and codec is None:
            return False
        self._strangers += 1
        silent = self.last_audio is None or packet.arrival - self.last_audio > SILENT_SOURCE
        if now is None or silent or self._strangers >= PACKETS_TO_TAKE_OVER:
            self._new_source(packet)
            return True
        return False

    def _new_source(self, packet: Packet) -> None:
        codec = self.payloads.codecs.get(packet.payload_type, self._codec)
        self._past = (self.received, self.lost, self.late)
        self.reception = Reception(packet.ssrc, codec.clock)
        self._buffer = JitterBuffer(codec.clock)
        self._strangers, self._in_event, self._torn = 0, False, True

    # --- out ------------------------------------------------------------------------------------------------------

    @property
    def _ahead(self) -> float:
        return len(self._ready) / self.rate

    def pull(self, now: float) -> Samples | None:
        """The 20 ms that begin to be played `now`, at `rate`; None for silence where nothing has come for a while."""
        if self._buffer is None:
            return None
        needed = round(FRAME_SECONDS * self.rate)
        for _ in range(MAX_PIECES):
            if len(self._ready) >= needed:
                break
            piece = self._piece(self._buffer.next(now, self._ahead), now)
            needed = round(FRAME_SECONDS * self.rate)
            if not len(self._ready) and (piece is None or len(piece) == needed):
                return piece  # nearly always
            more = silence(needed - len(self._ready)) if piece is None else piece
            self._ready = np.concatenate((self._ready, more))
        out, self._ready = self._ready[:needed], self._ready[needed:]
        return out if len(out) == needed else np.concatenate((out, silence(needed - len(out))))

    def _piece(self, step: Next, now: float) -> Samples | None:
        """The samples of one step; None for silence up to the end of the block."""
        if step.kind is Kind.PLAY:
            return self._played(step, now)
        if step.kind is Kind.NOTHING:
            return self._quiet(round(FRAME_SECONDS * self.rate) - len(self._ready))
        return self._made_up(step)

    def _quiet(self, n: int) -> Samples | None:
        """Nothing comes: noise, or silence (None). What ends all at once (another source, a key) fades."""
        if self._noise.on or not self._sounding:
            return self._noise.make(n, self.rate)
        return self._ending(n)

    def _ending(self, n: int) -> Samples:
        """What was heard last goes on for `n` samples, and fades."""
        self._sounding, self._silenced = False, True
        made = self._decoder.conceal(n) if self._decoder is not None else None
        if made is None:
            made = self._concealment.conceal(n)
        self._concealment.forget()
        return faded_out(made)

    def _length(self, step: Next) -> int:
        """Samples of a step."""
        assert self._buffer is not None
        return max(1, step.units * self.rate // self._buffer.clock)

    def _played(self, step: Next, now: float) -> Samples:
        codec = step.codec
        if codec is None:
            self._noise.set(step.payload)
            return self._made_up(step)
        old = NOTHING
        if codec is not self._codec or self._decoder is None or self._torn:
            old = self._turn_to(codec)
        assert self._decoder is not None
        samples = self._decoder.decode(step.payload)
        if not len(samples):
            return self._made_up(step)
        self._noise.stop()
        if not codec.conceals:
            samples = self._concealment.heard(samples)
        if self._silenced:
            samples = faded_in(samples, round(FADE_IN * self.rate))
        if n := min(len(old), len(samples)):
            samples = np.concatenate((to_int16(samples[:n] + old[:n].astype(np.int32)), samples[n:]))
        self._sounding, self._silenced = True, False
        return self._corrected(samples, now)

    def _made_up(self, step: Next) -> Samples:
        """What is lost or late: noise goes on, keys are silent, all else is recovered or concealed."""
        n = self._length(step)
        if self._noise.on or self._in_event or self._decoder is None:
            quiet = self._quiet(n)
            return silence(n) if quiet is None else quiet
        self.concealed += step.units * 8000 // self._codec.clock
        made = self._decoder.recover(step.payload, n) if self._recovers(step) else None
        if made is None or not len(made):
            made = self._decoder.conceal(n)
        if made is None:
            return self._concealment.conceal(n)
        if step.kind is not Kind.FADE:
            return made
        self._sounding, self._silenced = False, True
        return faded_out(made)

    def _recovers(self, step: Next) -> bool:
        return step.kind is Kind.RECOVER and step.codec is self._codec

    def _turn_to(self, codec: Codec) -> Samples:
        """What comes now does not go on from what was heard: the end of that, to be heard beside its beginning."""
        self._torn = False
        old = self._ending(round(FADE_IN * self.rate)) if self._sounding else NOTHING
        before = self.rate
        if codec is not self._codec or self._decoder is None:
            self._use(codec)
        return resampled(old, before, self.rate)

    def _use(self, codec: Codec) -> None:
        self._codec, self._decoder = codec, codec.make_decoder()
        if codec.rate != self.rate:
            self._ready = resampled(self._ready, self.rate, codec.rate)
        self.rate = codec.rate
        self._concealment = Concealment(codec.rate)

    def _corrected(self, samples: Samples, now: float) -> Samples:
        """A pitch period less or more where the buffer is deeper or shallower than it should be."""
        assert self._buffer is not None
        depth = self._buffer.depth(now, self._ahead) + len(samples) / self.rate
        error = depth - self._buffer.target
        if SHALLOW < error < TOO_DEEP:
            return samples
        if TOO_SHALLOW < error < 0 and depth > IN_DANGER and not is_quiet(samples):
            return samples
        if error > 0:
            if not self._buffer.waiting or not self._has_turn(now, error):
                return samples  # where nothing waits, everything is late: played faster, it would only run dry
            return shorter(samples, self.rate, ALIKE if error < NEVER_ALIKE else 0.0)
        if now - self._lengthened < BETWEEN_STRETCHES:
            return samples
        changed = longer(samples, self.rate)
        if len(changed) != len(samples):
            self._lengthened = now
        return changed

    def _has_turn(self, now: float, error: float) -> bool:
        """Sources take turns, by their SSRC, which is random (RFC 3550, 8.1)."""
        assert self.reception is not None
        turn = (round(now / FRAME_SECONDS) - self.reception.ssrc) % TURNS
        return turn == TURN or (turn == OTHER_TURN and error >= FAR_TOO_DEEP)


class Noise:
    """Comfort noise (RFC 3389): white, at the level that the other side told."""

    def __init__(self) -> None:
        self._level: float | None = None
        self._random = np.random.default_rng(1)

    def set(self, payload: bytes) -> None:
        """The first byte is the level, in -dBov."""
        self._level = 32768 * 10 ** (-(payload[0] & 0x7F) / 20) if payload else None

    def stop(self) -> None:
        self._level = None

    @property
    def on(self) -> bool:
        """It has been told, and no audio has come since."""
        return self._level is not None

    def make(self, n: int, rate: int) -> Samples | None:
        """None for silence."""
        if self._level is None:
            return None
        return np.clip(self._random.normal(0, self._level, n), -32768, 32767).astype(np.int16)
