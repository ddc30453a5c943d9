"""`call.dtmf()`: digits one by one, left and begun again at will."""

from __future__ import annotations

import gc
import warnings
from contextlib import aclosing

import pytest
import structlog
import trio
from trio.testing import MockClock

from vodiabot.calls import Call

from .test_gathering import talking


async def fail_at_the_next(call: Call) -> None:
    async for digit in call.dtmf():
        assert digit == "2"
        raise ZeroDivisionError


async def test_left_in_the_midst_it_leaves_nothing_to_complain_of(autojump_clock: MockClock) -> None:
    """An async generator that is dropped while it waits for its next digit is a ResourceWarning of trio's."""
    async with talking() as talk:
        talk.press(0.5, "1")
        talk.press(1.0, "2")
        talk.press(1.5, "3")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            async for digit in talk.call.dtmf():
                assert digit == "1"
                break
            with pytest.raises(ZeroDivisionError):
                await fail_at_the_next(talk.call)
            with trio.move_on_after(0.1):
                async for _ in talk.call.dtmf():
                    raise AssertionError("too early")
            for _ in range(3):
                gc.collect()
                await trio.lowlevel.checkpoint()
            assert await anext(talk.call.dtmf()) == "3"


async def test_what_callers_press_is_in_no_log_but_that_of_debug(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        with structlog.testing.capture_logs() as lines:
            talk.press(0.5, "7")
            assert await talk.call.gather(1) == "7"
        assert {line["log_level"] for line in lines if "7" in line.values()} == {"debug"}


async def test_it_ends_with_the_call_and_again_at_once(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.press(0.5, "7")
        talk.hang_up(2.0)
        digits = talk.call.dtmf()
        assert [digit async for digit in digits] == ["7"]
        assert talk.now == 2.0
        assert [digit async for digit in digits] == []
        assert [digit async for digit in talk.call.dtmf()] == []


async def test_it_may_be_closed_as_a_generator_is(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.press(0.5, "1")
        talk.press(1.0, "2")
        async with aclosing(talk.call.dtmf()) as digits:
            assert await anext(digits) == "1"
        assert await anext(talk.call.dtmf()) == "2"
