"""Making sound up and making it shorter or longer, a pitch period at a time, so that nothing clicks. Pure.

What is lost is concealed as in ITU-T G.711 appendix I: the last pitch period goes on and fades, and what comes after
it is blended in. A period taken out (or put in) between two that look alike changes the length and not the pitch.
"""

from __future__ import annotations

from collections import deque
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from .audio import NOTHING, Samples, silence, to_int16

SHORTEST_PERIOD, LONGEST_PERIOD = 0.0025, 0.0125
"""Seconds: 400 to 80 Hz, the pitch of voices."""
SEARCH_RATE = 8000
"""The period is looked for at about this rate: it needs no finer one."""
LOOK = 0.0075
"""Seconds that are compared with what was a period earlier."""
HISTORY = LONGEST_PERIOD * 2 + LOOK
KEPT = 8
"""Blocks that make a history: of 10 ms or longer ones they always do, of 2.5 ms half of it."""
BLEND = 0.005
"""Seconds in which made-up sound turns into the real one."""
FULL, FADED = 0.010, 0.060
"""Seconds of a hole: until the first the repetition keeps its level, at the second it has faded to nothing."""
ALIKE = 0.5
"""Normalised correlation of two periods from which one of them can go unnoticed."""
QUIET = 200
"""Peak below which anything can be cut anywhere."""


def is_quiet(samples: Samples) -> bool:
    """Nothing in it is worth being cut with care."""
    return not len(samples) or max(int(samples.max()), -int(samples.min())) < QUIET


def period_of(samples: Samples, rate: int, longest: int = 0) -> tuple[int, float]:
    """The pitch period at the end of `samples`, in samples (up to `longest`), and how alike the last two are (0 to
    1)."""
    step = max(1, rate // SEARCH_RATE)
    x = samples[::step].astype(np.float64)
    n, low, high = _lengths(rate // step)
    high = min(high, longest // step if longest else high)
    n = min(n, len(x) - high)  # of short packets less is compared
    if n < low or high <= low:
        return round(0.01 * rate), 0.0
    tail = x[-n:]
    region = x[-(n + high) : -low]
    products = np.correlate(region, tail, "valid")
    sums = np.cumsum(region * region)  # exact: squares of integers, far below 2**53
    energies = sums[n - 1 :].copy()
    energies[1:] -= sums[:-n]
    scores = products / np.sqrt(energies * (tail @ tail) + 1e-9)
    best = int(np.argmax(scores))
    return (high - best) * step, max(0.0, float(scores[best]))


def _lengths(rate: int) -> tuple[int, int, int]:
    return round(LOOK * rate), round(SHORTEST_PERIOD * rate), round(LONGEST_PERIOD * rate)


@cache
def _ramp(n: int) -> npt.NDArray[np.float64]:
    return (np.arange(n) + 0.5) / n


@lru_cache(maxsize=64)
def _fading(start: int, n: int, rate: int) -> npt.NDArray[np.float64]:
    """The gain of what is made up, from `start` on in a hole."""
    seconds = np.arange(start, start + n) / rate
    return np.clip((FADED - seconds) / (FADED - FULL), 0.0, 1.0)


def blended(old: Samples, new: Samples) -> Samples:
    """`old` turning into `new`, both equally long."""
    w = _ramp(len(new))
    return to_int16(old * (1 - w) + new * w)


def faded_out(samples: Samples) -> Samples:
    """All of `samples`, to silence."""
    return to_int16(samples * _ramp(len(samples))[::-1])


def faded_in(samples: Samples, n: int) -> Samples:
    """`samples`, whose first `n` come out of silence."""
    n = min(n, len(samples))
    return np.concatenate((to_int16(samples[:n] * _ramp(n)), samples[n:]))


def shorter(samples: Samples, rate: int, alike: float = ALIKE) -> Samples:
    """One period less; the same if there is none that could go. `alike`: how much it has to look like the next one."""
    period = _removable(samples, rate, alike)
    if not period or len(samples) < 2 * period:
        return samples
    start = len(samples) - 2 * period
    first, second = samples[start : start + period], samples[start + period :]
    return np.concatenate((samples[:start], blended(first, second)))


def longer(samples: Samples, rate: int) -> Samples:
    """One period more; the same if there is none that could be doubled."""
    period = _removable(samples, rate)
    if not period or len(samples) < 2 * period:
        return samples
    start = len(samples) - 2 * period
    first, second = samples[start : start + period], samples[start + period :]
    return np.concatenate((samples[: start + period], blended(second, first), second))


def _removable(samples: Samples, rate: int, alike: float = ALIKE) -> int:
    if is_quiet(samples):
        return min(len(samples) // 2, round(0.01 * rate))
    period, found = period_of(samples, rate, len(samples) // 2)
    return period if found >= alike else 0


class Concealment:
    """Fills holes with what was heard last, for codecs that can't do it themselves."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._recent: deque[Samples] = deque(maxlen=KEPT)
        self._period = NOTHING
        self._made = 0
        """Samples made up since the hole began."""

    def heard(self, samples: Samples) -> Samples:
        """What was decoded, as it is to be played: after a hole, blended with what was made up."""
        if self._made:
            n = min(len(samples), round(BLEND * self._rate))
            samples = np.concatenate((blended(self._make(n), samples[:n]), samples[n:]))
            self._made = 0
        self._recent.append(samples)  # put together only for a hole
        return samples

    def conceal(self, n: int) -> Samples:
        """`n` samples for a hole."""
        if not self._made:
            self._find_period()
        return self._make(n)

    def forget(self) -> None:
        """What was made up has been faded away: what comes next does not go on from it."""
        self._made = 0
        self._recent.clear()

    def _find_period(self) -> None:
        if not self._recent:
            return
        history = np.concatenate(self._recent)[-round(HISTORY * self._rate) :]
        period, _ = period_of(history, self._rate)
        last = history[-period:]
        if len(last) < period:
            self._period = NOTHING
            return
        # The end of the period is blended with what came before its beginning, so that repeating it does not click.
        n = min(period // 4, len(history) - period)
        before = history[-period - n : -period]
        self._period = np.concatenate((last[: period - n], blended(last[period - n :], before))) if n else last

    def _make(self, n: int) -> Samples:
        start, self._made = self._made, self._made + n
        if not len(self._period):
            return silence(n)
        at = np.arange(start, start + n) % len(self._period)
        return to_int16(self._period[at] * _fading(start, n, self._rate))
