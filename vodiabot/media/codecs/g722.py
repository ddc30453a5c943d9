"""G.722 at 64 kbit/s, by FFmpeg's codec, called inline."""

from __future__ import annotations

import av
import numpy as np

from ..audio import NOTHING, Samples

RATE = 16000


class G722Encoder:
    """See `kinds.Encoder`."""

    def __init__(self) -> None:
        self._codec = av.CodecContext.create("g722", "w")
        self._codec.format = "s16"
        self._codec.layout = "mono"
        self._codec.sample_rate = RATE

    def encode(self, samples: Samples) -> bytes:
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = RATE
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))

    def expect_loss(self, part: float) -> None:
        """Nothing can be prepared."""


class G722Decoder:
    """See `kinds.Decoder`."""

    def __init__(self) -> None:
        self._codec = av.CodecContext.create("g722", "r")

    def decode(self, payload: bytes) -> Samples:
        if not payload:
            return NOTHING
        frames = self._codec.decode(av.Packet(payload))
        blocks = [np.frombuffer(bytes(f.planes[0]), np.int16)[: f.samples] for f in frames]
        return np.concatenate(blocks) if blocks else NOTHING

    def conceal(self, n: int) -> Samples | None:
        return None

    def recover(self, payload: bytes, n: int) -> Samples | None:
        return None
