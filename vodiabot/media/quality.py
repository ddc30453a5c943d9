"""An estimate of how a call sounds: the E-model (ITU-T G.107), with what a receiver can measure. Pure."""

from __future__ import annotations

BASIC = 93.2
"""R of a call with nothing wrong: G.107's defaults."""
CODEC_IMPAIRMENT = {"opus": (0.0, 20.0), "G722": (0.0, 13.0), "PCMU": (0.0, 25.1), "PCMA": (0.0, 25.1)}
"""Ie and Bpl: what the codec itself costs, and how well it stands losses (G.113, appendix I: G.711 with concealment).
Opus is not in G.113; with its FEC it is no worse than this. What it and G.722 gain by their bandwidth is not in the
narrow-band scale, so that calls can be compared."""
FIXED_DELAY = 0.04
"""Seconds that are always there: a packet's length on each side."""
BURSTS = 1.0
"""BurstR: losses are taken as random."""


def mos(codec: str, lost: float, delay: float) -> float:
    """1 to 4.5. `lost`: part (0 to 1) of the packets that were lost or came too late; `delay`: seconds from mouth to
    ear, one way."""
    return _of_rating(rating(codec, lost, delay))


def rating(codec: str, lost: float, delay: float) -> float:
    """R, 0 to 100 (or less, where nothing can be understood), of the same."""
    impairment, robustness = CODEC_IMPAIRMENT.get(codec, (0.0, 10.0))
    percent = 100 * min(1.0, max(0.0, lost))
    effective = impairment + (95 - impairment) * percent / (percent / BURSTS + robustness)
    return BASIC - _delay_impairment(1000 * delay) - effective


def _delay_impairment(ms: float) -> float:
    """The well-known fit of G.107's Id: talking at cross purposes begins at about 177 ms."""
    return 0.024 * ms + (0.11 * (ms - 177.3) if ms > 177.3 else 0.0)


def _of_rating(rating: float) -> float:
    """G.107, annex B."""
    if rating <= 0:
        return 1.0
    if rating >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
