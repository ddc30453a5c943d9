"""A list that is played: sources that follow one another go to media together, which leaves no gap between them."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot import Text

from .test_audio import leg_of
from .test_gathering import LONG, SHORT, talking

A, B, C = "a.wav", "b.wav", "c.wav"


@pytest.mark.parametrize(
    ("source", "given"),
    [
        (A, [A]),
        ([A], [A]),
        ([A, B, C], [[A, B, C]]),
        ((A, B), [[A, B]]),
        ([A, B, Text("x"), C], [[A, B], "x", C]),
        ([Text("x"), Text("y"), A], ["x", "y", A]),
        ([], []),
    ],
)
async def test_what_media_is_given(
    source: Any, given: list[Any], autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[Any] = []

    async def play(source: Any, **how: Any) -> None:
        got.append(source)

    async def say(text: str, **how: Any) -> None:
        got.append(text)

    async with talking() as talk:
        monkeypatch.setattr(leg_of(talk), "play", play)
        monkeypatch.setattr(talk.call, "say", say)
        await talk.call.play(source)
    assert got == given


async def test_cancelled_in_its_midst(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        with trio.move_on_after(11):
            await talk.call.play([LONG, SHORT, LONG])
        assert talk.heard == [("long", 10.0), ("short", 1.0)]
