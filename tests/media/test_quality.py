"""The E-model against known values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.media.quality import CODEC_IMPAIRMENT, mos, rating


@pytest.mark.parametrize(
    ("codec", "lost", "ms", "r", "expected"),
    [
        ("PCMU", 0.0, 0, 93.2, 4.41),
        ("PCMU", 0.0, 100, 90.8, 4.35),
        ("PCMU", 0.0, 177.3, 88.9, 4.31),
        ("PCMU", 0.0, 300, 72.5, 3.71),
        ("PCMU", 0.0, 400, 59.1, 3.05),
        ("PCMU", 0.01, 0, 89.6, 4.32),
        ("PCMU", 0.05, 0, 77.4, 3.92),
        ("PCMA", 0.05, 0, 77.4, 3.92),
        ("PCMU", 0.10, 0, 66.1, 3.41),
        ("G722", 0.05, 0, 66.8, 3.45),
        ("opus", 0.05, 0, 74.2, 3.79),
        ("PCMU", 0.20, 400, 17.0, 1.17),
    ],
)
def test_known_values(codec: str, lost: float, ms: float, r: float, expected: float) -> None:
    """R and MOS worked out by hand: 93.2 - Id - (95 * Ppl / (Ppl + Bpl)), and G.107's annex B."""
    assert rating(codec, lost, ms / 1000) == pytest.approx(r, abs=0.06)
    assert mos(codec, lost, ms / 1000) == pytest.approx(expected, abs=0.012)


@pytest.mark.parametrize(("r", "expected"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_the_table_of_annex_b(r: float, expected: float) -> None:
    """G.107, table B.1: user satisfaction."""
    ms = (93.2 - r) / 0.024 if r > 88.95 else (93.2 - r + 0.11 * 177.3) / 0.134
    assert rating("PCMU", 0, ms / 1000) == pytest.approx(r, abs=0.01)
    assert mos("PCMU", 0, ms / 1000) == pytest.approx(expected, abs=0.01)


NUMBER = st.floats(-1, 100)


@given(st.sampled_from([*CODEC_IMPAIRMENT, "unknown"]), NUMBER, NUMBER)
def test_it_stays_on_its_scale(codec: str, lost: float, delay: float) -> None:
    assert 1 <= mos(codec, lost, delay) <= 4.5


@given(st.sampled_from([*CODEC_IMPAIRMENT]), st.floats(0, 1), st.floats(0, 1), st.floats(0, 2), st.floats(0, 2))
def test_worse_is_worse(codec: str, lost: float, more: float, delay: float, longer: float) -> None:
    assert mos(codec, max(lost, more), max(delay, longer)) <= mos(codec, min(lost, more), min(delay, longer)) + 1e-9
