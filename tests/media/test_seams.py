"""Where one thing ends and another begins in what is heard: another source, codec or key; and another clock's pace."""

from __future__ import annotations

import numpy as np
import pytest

from vodiabot.media.codecs import CODECS
from vodiabot.media.rtp import SEQUENCES, TIMESTAMPS, Packet

from .receiving import BEGAN, EVENTS, PHASE, Source, listen, receiver, sine

HZ = 440.0
CLICK = 400
"""As `Heard.clicks` measures it: what G.711 does to a tone. A tone of this level that is cut off makes 6000."""
MIDDLE = 50
"""The packet in which it happens; one a 20 ms."""


def another_source(packet: Packet) -> Packet:
    return packet._replace(ssrc=9, timestamp=(packet.timestamp + 123456) % TIMESTAMPS)


@pytest.mark.parametrize("codec", ["PCMU", "G722", "opus"])
def test_one_source_ends_in_the_middle_of_a_sound_and_another_begins(codec: str) -> None:
    packets = Source(codec).send(sine(HZ, 2, CODECS[codec].rate))
    packets = packets[:MIDDLE] + [another_source(p) for p in packets[MIDDLE:]]
    heard = listen(receiver(codec), packets, 2).part(0.5, 1.9)
    assert heard.clicks(HZ).max() < CLICK
    assert sum(hole[1] for hole in heard.holes) <= 0.02


@pytest.mark.parametrize("codec", ["PCMU", "G722", "opus"])
def test_a_key_in_the_middle_of_a_sound(codec: str) -> None:
    packets = Source(codec).send(sine(HZ, 2, CODECS[codec].rate))
    key = {"payload_type": EVENTS, "payload": b"\x01\x0a\x00\xa0", "timestamp": packets[MIDDLE].timestamp}
    packets[MIDDLE : MIDDLE + 10] = [p._replace(**key) for p in packets[MIDDLE : MIDDLE + 10]]
    heard = listen(receiver(codec), packets, 2).part(0.5, 1.9)
    assert heard.clicks(HZ).max() < CLICK
    assert sum(hole[1] for hole in heard.holes) == pytest.approx(0.19, abs=0.02)


@pytest.mark.parametrize("then", ["opus", "G722"])
def test_another_codec_in_the_middle_of_a_sound(then: str) -> None:
    """What was heard goes on for 5 ms and fades, beside the new one's beginning, at its rate."""
    before, after = (Source(codec).send(sine(HZ, 2, CODECS[codec].rate)) for codec in ("PCMU", then))
    ear = receiver()
    old = listen(ear, before[:MIDDLE], 1.04)
    for packet in after[MIDDLE : MIDDLE + 2]:
        ear.push(packet)
    new = ear.pull(BEGAN + PHASE + 1.04)
    assert new is not None
    assert len(new) == 320
    assert abs(int(new[0]) - int(old.samples[-1])) < np.abs(np.diff(old.samples.astype(int))).max()
    assert np.abs(np.diff(new.astype(float))).max() < 1.6 * 8000 * 2 * np.pi * HZ / 16000


def test_a_clock_that_is_too_fast_while_there_is_nothing_but_noise() -> None:
    """No two periods look alike, so none could be taken out, and the delay grew to 0.4 s. A fast clock is 0.02 % fast;
    this one is five times worse, which takes a fifth of the time to show."""
    chance, encoder = np.random.default_rng(1), CODECS["PCMU"].make_encoder()
    payloads = [encoder.encode(chance.normal(0, 3000, 160).astype(np.int16)) for _ in range(100)]
    ear, sent, deepest = receiver("PCMU"), 0, 0.0
    for tick in range(6 * 60 * 50):
        now = BEGAN + PHASE + tick * 0.02
        while (at := BEGAN + sent * 0.02 / 1.001) <= now:
            ear.push(Packet(0, False, sent % SEQUENCES, sent * 160, 7, payloads[sent % 100], at))
            sent += 1
        deepest = max(deepest, ear.depth(now))
        ear.pull(now)
    assert deepest < 0.12
    assert ear.late == 0
    assert ear.concealed == 0
