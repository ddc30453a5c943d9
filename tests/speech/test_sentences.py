"""Where a text is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.speech.sentences import LONGEST, SHORT, clean, pieces

FIRST = "Thank you for calling the house of many rooms, where every door is open to you."
SECOND = "All of our people are talking to somebody else at this very moment, so please stay."
THIRD = "You are number 3 in the queue!"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\0 ", []),
        ("Welcome. Press 1 for sales.", ["Welcome. Press 1 for sales."]),
        (f"{FIRST} {SECOND} {THIRD}", [FIRST, f"{SECOND} {THIRD}"]),
        (f"{FIRST}\n\n{SECOND}  {THIRD}", [FIRST, f"{SECOND} {THIRD}"]),
        (f"{FIRST} “{SECOND}” {THIRD}", [FIRST, f"“{SECOND}” {THIRD}"]),
        ("。".join(["電" * 90, "話" * 90]), ["電" * 90 + "。", "話" * 90]),
        ("x" * 500, ["x" * 400, "x" * 100]),
        (f"{'word ' * 30}, {'and so on ' * 30}end", [f"{'word ' * 30},", f"{'and so on ' * 30}end"]),
        ("It costs 3.50 at www.example.com " * 6, [("It costs 3.50 at www.example.com " * 6).strip()]),
    ],
)
def test_long_texts_are_cut_at_sentences(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


@given(st.text(alphabet=st.sampled_from("ab .,;!?\n\0\u2026\ud800é"), max_size=3000) | st.text(max_size=1500))
def test_nothing_is_lost_and_no_piece_is_too_long(text: str) -> None:
    found = pieces(text)
    assert "".join("".join(found).split()) == "".join(clean(text).split())
    assert all(piece.strip() and len(piece) <= LONGEST for piece in found)
    assert len(found) <= 2 + 2 * len(text) / SHORT + len(text) / (LONGEST // 4)


def test_what_a_provider_gets_has_no_control_characters() -> None:
    assert clean("\x1b[31mred\0\x07 \ud83d end\ufeff") == "[31mred     end"
