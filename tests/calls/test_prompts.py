"""A list that is played: sources that follow one another go to media together, which leaves no gap between them."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from vodiabot import SourceError, Text

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


@pytest.mark.parametrize("text", ["Welcome to us", "Welcome.", "Welcome", "Please hold. " * 20])
@pytest.mark.parametrize("way", ["play", "in a list", "playing"])
async def test_a_text_that_is_taken_for_a_file(way: str, text: str, autojump_clock: MockClock) -> None:
    told = f"^'{text[:64]}.?' is no file; a text is spoken with say\\(\\), or in a list as Text\\(\"…\"\\)$"
    async with talking() as talk:

        async def play() -> None:
            if way == "playing":
                async with talk.call.playing(text):
                    pytest.fail("it is told at once")
            await talk.call.play([LONG, [text]] if way == "in a list" else text)

        with pytest.raises(SourceError, match=told):
            await play()
        assert talk.heard == []


@pytest.mark.parametrize("missing", ["music.wav", "on hold.mp3", "https://example.com/a b", "a.xyz"])
async def test_what_is_no_text_is_tried(
    missing: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[Any] = []

    async def play(source: Any, **how: Any) -> None:
        got.append(source)

    async with talking() as talk:
        monkeypatch.setattr(leg_of(talk), "play", play)
        await talk.call.play(missing)
    assert got == [missing]


async def test_cancelled_in_its_midst(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        with trio.move_on_after(11):
            await talk.call.play([LONG, SHORT, LONG])
        assert talk.heard == [("long", 10.0), ("short", 1.0)]
