"""What a codec is to the audio path, and which there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..audio import Samples
from .g711 import A_LAW, MU_LAW, G711Decoder, G711Encoder
from .g722 import G722Decoder, G722Encoder
from .opus import OpusDecoder, OpusEncoder, frames_of, has_fec


class Encoder(Protocol):
    """One direction of one stream."""

    def encode(self, samples: Samples) -> bytes:
        """20 ms at the codec's rate."""

    def expect_loss(self, part: float) -> None:
        """The other side loses this part (0 to 1) of the packets: prepare for it, where the codec can."""


class Decoder(Protocol):
    """One direction of one stream. What can't be decoded gives no samples; nothing raises."""

    def decode(self, payload: bytes) -> Samples:
        """All samples of a packet."""

    def conceal(self, n: int) -> Samples | None:
        """`n` samples in place of a lost packet; None if the codec knows no better than to repeat."""

    def recover(self, payload: bytes, n: int) -> Samples | None:
        """`n` samples of the packet before this one, of what this one carries of it (FEC); None if it carries
        nothing."""


def _nothing_more(payload: bytes) -> bool:
    return False


@dataclass(frozen=True)
class Codec:
    """One codec of ours."""

    name: str
    rate: int
    """Samples a second, mono."""
    clock: int
    """RTP timestamp units a second."""
    make_encoder: Callable[[], Encoder]
    make_decoder: Callable[[], Decoder]
    duration: Callable[[bytes], int]
    """RTP timestamp units of a payload; 0 for one that can't be right."""
    carries_previous: Callable[[bytes], bool] = _nothing_more
    """Whether a packet carries its predecessor once more (FEC)."""
    conceals: bool = False
    """Its decoder makes up what is lost, and blends what comes after it."""


CODECS = {
    "opus": Codec("opus", 16000, 48000, OpusEncoder, OpusDecoder, frames_of, has_fec, conceals=True),
    "G722": Codec("G722", 16000, 8000, G722Encoder, G722Decoder, len),
    "PCMU": Codec("PCMU", 8000, 8000, lambda: G711Encoder(MU_LAW), lambda: G711Decoder(MU_LAW), len),
    "PCMA": Codec("PCMA", 8000, 8000, lambda: G711Encoder(A_LAW), lambda: G711Decoder(A_LAW), len),
}


def codec_of(name: str) -> Codec:
    """By its name in any case. Raises KeyError."""
    return {key.lower(): codec for key, codec in CODECS.items()}[name.lower()]
