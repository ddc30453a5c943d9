"""What is heard of what comes: the right length, the right pitch, no click, no hole, no delay that stays."""

from __future__ import annotations

import random

import numpy as np
import pytest

from .receiving import BEGAN, Source, listen, receiver, without

HZ = 440.0
LENGTHS = [
    *[(codec, ms) for codec in ("PCMU", "PCMA", "G722") for ms in (10, 20, 30, 40, 60)],
    *[("opus", ms) for ms in (10, 20, 40, 60)],
]
"""What other sides send, in milliseconds a packet."""
SECONDS = 12
CLICK = {"PCMU": 900, "PCMA": 900, "G722": 900, "opus": 900}
"""What the codec itself may do to a tone (its steps), as `Heard.clicks` measures it."""


@pytest.mark.parametrize(("codec", "ms"), LENGTHS)
def test_packets_of_any_length_come_out_as_they_went_in(codec: str, ms: int) -> None:
    packets = Source(codec, ms / 1000).tone(SECONDS, HZ)
    heard = listen(receiver(codec), packets, SECONDS + 1)
    begin, end = heard.talk
    assert end - begin == pytest.approx(SECONDS, abs=0.03)
    assert 0 < end - (BEGAN + SECONDS) < ms / 1000 + 0.05, "delay at the end"
    steady = heard.part(1.5, SECONDS - 0.5)
    assert steady.hz == pytest.approx(HZ, abs=0.2)
    assert steady.holes == []
    assert steady.clicks(HZ).max() < CLICK[codec]
    assert np.ptp(heard.depths[100:-60]) < 0.001 + ms / 1000


@pytest.mark.parametrize(("codec", "ms"), LENGTHS)
def test_what_is_lost_takes_as_long_as_it_was(codec: str, ms: int) -> None:
    """Random losses of 3 %: the time goes on, and so does the pitch."""
    packets = Source(codec, ms / 1000, expects_loss=0.1).tone(SECONDS, HZ)
    chance = random.Random(ms)
    lost = [i for i in range(20, len(packets) - 20) if chance.random() < 0.03]
    heard = listen(receiver(codec), without(packets, lost), SECONDS + 1)
    begin, end = heard.talk
    assert end - begin == pytest.approx(SECONDS, abs=0.06)
    assert 0 < end - (BEGAN + SECONDS) < ms / 1000 + 0.09, "delay at the end"
    assert heard.part(1.5, SECONDS - 0.5).hz == pytest.approx(HZ, abs=3)
    assert all(hole[1] <= ms / 1000 for hole in heard.part(1.5, SECONDS - 0.5).holes)
    depths = heard.depths
    assert depths[-120:-60].mean() < depths[150:210].mean() + 0.03
