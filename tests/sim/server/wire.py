"""A client of single packets on a leg."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.sim.client_packets import Packet, Wire
from tests.sim.server.scene import Scene
from vodiabot.sim.core import effects
from vodiabot.sim.server.codecs import encoder

QUIET = b"\xff" * 160
"""20 ms of µ-law."""


async def wire(stage: Scene, leg: str, codec: str = "PCMU", feed: Any = None, pbx_offers: bool = False) -> Wire:
    client = Wire((codec,), lambda c: stage.candidate(leg, c))
    return await stage.connect(leg, client, feed or effects.Silence(), pbx_offers)


def frames(codec: str, count: int) -> list[bytes]:
    """Payloads, all different."""
    made = encoder(codec)
    noise = np.random.default_rng(7).integers(-8000, 8000, (count + 5, made.rate // 50)).astype(np.int16)
    return [payload for samples in noise if (payload := made.encode(samples))][:count]


def losses(packets: list[Packet]) -> int:
    """How many numbers are missing between the first and the last."""
    numbers = sorted((p.sequence - packets[0].sequence + 0x8000) & 0xFFFF for p in packets)
    return numbers[-1] - numbers[0] + 1 - len(numbers)
