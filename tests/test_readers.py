"""`bot.events()`: no reader keeps the bot from going on, however he treats his stream."""

from __future__ import annotations

from typing import Any

import structlog
import trio

from vodiabot.events import ChatReceived
from vodiabot.readers import Readers


def event(n: int) -> ChatReceived:
    return ChatReceived(at=float(n), src="46", dest="45", message=str(n))


async def texts(stream: trio.MemoryReceiveChannel[Any], count: int) -> list[str]:
    return [(await stream.receive()).message for _ in range(count)]


async def test_each_reader_gets_each_event_in_order() -> None:
    readers = Readers()
    assert not readers
    async with readers.stream() as one, readers.stream() as other:
        assert readers
        for n in range(3):
            readers.tell(event(n))
        assert await texts(one, 3) == await texts(other, 3) == ["0", "1", "2"]
    assert not readers


async def test_one_who_is_late_loses_the_oldest_and_is_told_of_once() -> None:
    readers = Readers(size=3)
    with structlog.testing.capture_logs() as lines:
        async with readers.stream() as late:
            for n in range(10):
                readers.tell(event(n))
            assert await texts(late, 3) == ["7", "8", "9"]
            readers.tell(event(10))
            assert await texts(late, 1) == ["10"]
    assert [line["event"] for line in lines] == [
        "a reader of bot.events() is late, the oldest events are lost",
        "a reader of bot.events() has caught up",
    ]
    assert lines[1]["events_lost"] == 7


async def test_one_who_closes_his_stream_harms_nobody() -> None:
    readers = Readers(size=1)
    async with readers.stream() as closes, readers.stream() as other:
        readers.tell(event(0))
        closes.close()
        readers.tell(event(1))
        clone = other.clone()
        other.close()
        readers.tell(event(2))
        assert (await clone.receive()).message == "1"
