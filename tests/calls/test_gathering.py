"""What counts as an entry (pure), and the flow around it, in virtual time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from vodiabot.calls import Call
from vodiabot.calls.gathering import Gathering, Rules, rules_of
from vodiabot.errors import CallEnded, SourceError, SpeechUnavailable, UsageError
from vodiabot.protocol import messages as m
from vodiabot.testing.wire import End

from .kit import Bench, running

# --- the decision ----------------------------------------------------------------------------------------------------

MENU = {"1", "2", "12", "345"}

TABLE: list[tuple[dict[str, Any], str, str, str, bool]] = [
    # rules, keys (a dot: nothing until the time-out), pressed, reason, valid
    ({}, "5", "5", "complete", True),
    ({}, ".", "", "timeout", False),
    ({}, "#", "", "terminator", False),
    ({"max_digits": 4}, "1234", "1234", "complete", True),
    ({"max_digits": 4}, "12#", "12", "terminator", True),
    ({"max_digits": 4}, "12.", "12", "timeout", True),
    ({"max_digits": 4, "terminators": "*0"}, "1#*", "1#", "terminator", True),
    ({"max_digits": 4, "terminators": ""}, "1#2*", "1#2*", "complete", True),
    ({"allowed": {"1", "2"}}, "1", "1", "complete", True),
    ({"allowed": {"1", "2"}}, "3", "3", "mismatch", False),
    ({"allowed": MENU}, "12", "12", "complete", True),
    ({"allowed": MENU}, "1.", "1", "timeout", True),
    ({"allowed": MENU}, "1#", "1", "terminator", True),
    ({"allowed": MENU}, "13", "13", "mismatch", False),
    ({"allowed": MENU}, "345", "345", "complete", True),
    ({"allowed": MENU}, "34.", "34", "timeout", False),
    ({"allowed": MENU}, "34#", "34", "terminator", False),
    ({"allowed": MENU}, "2", "2", "complete", True),
    ({"allowed": ["1#", "1"]}, "1#", "1#", "complete", True),
    ({"allowed": {"#", "1"}}, "#", "#", "complete", True),
    ({"allowed": {"", "1"}}, "#", "", "terminator", True),
    ({"allowed": {"a1"}}, "A1", "A1", "complete", True),
    ({"allowed": r"\d{4}", "max_digits": 4}, "1234", "1234", "complete", True),
    ({"allowed": r"\d{4}"}, "1234.", "1234", "timeout", True),
    ({"allowed": r"\d{4}"}, "12345#", "12345", "terminator", False),
    ({"allowed": r"\d{4}"}, "123#", "123", "terminator", False),
    ({"allowed": re.compile("[1-3]"), "max_digits": 1}, "4", "4", "mismatch", False),
    ({"allowed": "|1"}, "#", "", "terminator", True),
]


@pytest.mark.parametrize(("rules", "keys", "pressed", "reason", "valid"), TABLE)
def test_what_counts_as_an_entry(rules: dict[str, Any], keys: str, pressed: str, reason: str, valid: bool) -> None:
    values = dict(rules)
    gathering = Gathering(rules_of(values.pop("max_digits", None), 5.0, **values))
    gathering.listen(0.0)
    for key in keys:
        assert gathering.reason is None, "it ended too early"
        if key == ".":
            gathering.tick(gathering.deadline)
        else:
            gathering.press(key, 1.0)
    assert (gathering.pressed, gathering.reason, gathering.valid) == (pressed, reason, valid)


WRONG: list[dict[str, Any]] = [
    {"max_digits": 0},
    {"timeout": -1.0},
    {"timeout": float("nan")},
    {"first_digit_timeout": -0.1},
    {"inter_digit_timeout": -0.1},
    {"terminators": "x"},
    {"allowed": set()},
    {"allowed": {"1x"}},
    {"allowed": "("},
    {"allowed": {"12", "123"}, "max_digits": 2},
]


@pytest.mark.parametrize("values", WRONG, ids="-".join)
def test_rules_that_make_no_sense(values: dict[str, Any]) -> None:
    given = {"max_digits": None, "timeout": 5.0, **values}
    with pytest.raises(UsageError, match="gather: "):
        rules_of(given.pop("max_digits"), given.pop("timeout"), **given)


def test_the_times_are_those_of_the_first_and_of_the_next_digit() -> None:
    gathering = Gathering(rules_of(3, 5.0, first_digit_timeout=10.0, inter_digit_timeout=2.0))
    assert gathering.deadline == float("inf"), "nothing runs out while the prompt plays"
    gathering.listen(100.0)
    assert gathering.deadline == 110.0
    gathering.press("1", 109.0)
    assert gathering.deadline == 111.0
    gathering.tick(110.9)
    assert gathering.reason is None
    gathering.listen(110.9)
    assert gathering.deadline == 111.0, "the prompt's end is nothing to a digit that was pressed"
    gathering.tick(111.0)
    assert (gathering.pressed, gathering.reason) == ("1", "timeout")
    with pytest.raises(ValueError, match="over"):
        gathering.press("2", 111.5)


def test_one_time_out_for_both() -> None:
    rules = rules_of(3, 7.0)
    assert (rules.first_digit_timeout, rules.inter_digit_timeout) == (7.0, 7.0)


keys = st.text("0123456789*#ABCD", max_size=8)
entries = st.frozensets(keys.filter(bool), min_size=1, max_size=6)


def press_all(rules: Rules, pressed: str) -> Gathering:
    gathering = Gathering(rules)
    for key in pressed:
        if gathering.reason is None:
            gathering.press(key, 0.0)
    gathering.tick(gathering.deadline)
    return gathering


@given(entries, keys, st.sampled_from(["", "#", "*#"]))
def test_a_set_lets_in_only_its_entries_and_each_of_them(
    allowed: frozenset[str], pressed: str, terminators: str
) -> None:
    rules = rules_of(None, 5.0, allowed=allowed, terminators=terminators)
    gathering = press_all(rules, pressed)
    assert gathering.valid == (gathering.pressed in allowed)
    assert pressed.startswith(gathering.pressed)
    if gathering.reason == "complete":
        assert not any(e.startswith(gathering.pressed) and e != gathering.pressed for e in allowed)
    if gathering.reason == "mismatch":
        assert not any(e.startswith(gathering.pressed) for e in allowed)
    for entry in allowed:
        assert press_all(rules, entry).valid
        assert press_all(rules, entry).pressed == entry


@given(st.integers(1, 9), keys)
def test_without_a_set_it_is_what_was_pressed_up_to_a_terminator(most: int, pressed: str) -> None:
    gathering = press_all(rules_of(most, 5.0), pressed)
    assert gathering.pressed == pressed.split("#")[0][:most]
    assert gathering.valid == bool(gathering.pressed)
    assert gathering.deadline == float("inf")


# --- the flow --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prompt:
    """A source that the virtual media knows the length of."""

    name: str
    duration: float


LONG, SHORT, AGAIN = Prompt("long", 10.0), Prompt("short", 2.0), Prompt("again", 3.0)


@dataclass
class Talk:
    """A call that is up, and the far end of its audio."""

    bench: Bench
    call: Call
    end: End
    nursery: trio.Nursery
    began: float = field(default_factory=trio.current_time)

    @property
    def heard(self) -> list[tuple[str, float]]:
        """What was played to the other side, and how much of it."""
        return [(played.source.name, round(played.duration, 3)) for played in self.end.heard]  # type: ignore[attr-defined]

    @property
    def now(self) -> float:
        return round(trio.current_time() - self.began, 3)

    def at(self, seconds: float, work: Callable[[], object]) -> None:
        async def later() -> None:
            await trio.sleep_until(self.began + seconds)
            work()

        self.nursery.start_soon(later)

    def press(self, seconds: float, digits: str) -> None:
        """The other side presses them, all at once."""
        peer = self.bench.wire.peer(self.end)
        assert peer is not None
        self.at(seconds, lambda: [peer.on_digit(digit) for digit in digits])

    def hang_up(self, seconds: float) -> None:
        self.at(seconds, lambda: self.bench.switchboard.deliver(m.Bye(call_id=self.call.id, cseq=9)))


@asynccontextmanager
async def talking() -> AsyncIterator[Talk]:
    async with running() as bench, trio.open_nursery() as nursery:

        async def stay(call: Call) -> None:
            await call.answer()
            await call.wait_ended()

        bench.on_call(stay)
        end = bench.invite()
        await bench.connect(end)
        await trio.sleep(0.1)
        yield Talk(bench, bench.calls[0], end, nursery)
        nursery.cancel_scope.cancel()


async def test_a_digit_is_not_lost_to_a_gather_that_is_cancelled_at_once(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.press(0.0, "7")
        await trio.sleep(1)
        with trio.move_on_after(0) as limit:
            await talk.call.gather(1)
        assert limit.cancelled_caught
        assert await talk.call.gather(1) == "7"


async def test_the_first_digit_stops_the_prompt(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.press(4.0, "7")
        assert await talk.call.gather(prompt=LONG) == "7"
        assert talk.now == 4.0
        assert talk.heard == [("long", 4.0)]


async def test_the_time_for_the_first_digit_begins_when_the_prompt_has_ended(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        assert await talk.call.gather(prompt=[LONG, SHORT], timeout=5) == ""
        assert talk.now == 17.0
        assert talk.heard == [("long", 10.0), ("short", 2.0)]
        assert talk.call.gathered is not None
        assert (talk.call.gathered.reason, talk.call.gathered.attempts) == ("timeout", 1)


async def test_first_and_next_digits_have_times_of_their_own(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.press(8.0, "1")
        talk.press(9.5, "2")
        got = await talk.call.gather(4, first_digit_timeout=10, inter_digit_timeout=2)
        assert (got, talk.now) == ("12", 11.5)


async def test_digits_pressed_before_count_and_make_the_prompt_needless(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.press(1.0, "12")
        await talk.call.sleep(2)
        assert await talk.call.gather(prompt=LONG) == "1"
        assert await talk.call.gather(timeout=0) == "2"
        assert (talk.now, talk.heard) == (2.0, [])


async def test_flush_forgets_them(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.press(1.0, "12")
        talk.press(3.0, "9")
        await talk.call.sleep(2)
        assert await talk.call.gather(prompt=LONG, flush=True) == "9"
        assert talk.heard == [("long", 1.0)]


async def test_retries_play_their_own_prompt(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.press(1.0, "99")
        talk.press(20.0, "2")
        got = await talk.call.gather(
            prompt=LONG, allowed={"1", "2"}, retries=3, retry_prompt=AGAIN, timeout=5, terminators=""
        )
        assert got == "2"
        # a wrong key at 1 s (the other 9 is forgotten); 3 s of prompt and 5 s of nothing: 9 s; again: 17 s; 3 s: 20 s
        assert talk.heard == [("long", 1.0), ("again", 3.0), ("again", 3.0), ("again", 3.0)]
        assert talk.call.gathered is not None
        assert (talk.call.gathered.attempts, talk.call.gathered.pressed) == (4, "2")


async def test_when_all_retries_are_used_up_there_is_nothing(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.press(1.0, "9")
        talk.press(13.0, "8")
        assert await talk.call.gather(prompt=SHORT, allowed={"1"}, retries=1, timeout=20) == ""
        assert talk.heard == [("short", 1.0), ("short", 2.0)]
        gathered = talk.call.gathered
        assert gathered is not None
        assert (gathered.pressed, gathered.reason, gathered.valid) == ("8", "mismatch", False)


async def test_a_terminator_after_an_entry_of_full_length_is_not_the_next_entry(autojump_clock: MockClock) -> None:
    """Callers press # after their PIN, whatever they were told."""
    async with talking() as talk:
        talk.press(1.0, "1234")
        talk.press(1.5, "#")
        talk.press(5.0, "7")
        assert await talk.call.gather(4) == "1234"
        assert await talk.call.gather(prompt=LONG) == "7"
        assert talk.heard == [("long", 4.0)], "the prompt goes on over the late terminator"


async def test_a_late_terminator_is_left_out_once_and_not_for_long(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.press(0.0, "1#")
        talk.press(1.0, "#")
        await talk.call.sleep(0.5)
        assert await talk.call.gather() == "1"
        assert await talk.call.gather() == "", "the second # is meant"
        assert talk.now == 1.0
        talk.press(1.5, "1")
        assert await talk.call.gather() == "1"
        talk.press(4.5, "#")
        assert await talk.call.gather(timeout=60) == ""
        assert talk.now == 4.5


async def test_a_terminator_after_one_that_ended_an_entry_is_meant(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.press(1.0, "12##")
        assert await talk.call.gather(4) == "12"
        assert await talk.call.gather(timeout=9) == ""
        assert talk.now == 1.0


@pytest.mark.parametrize("prompt", [None, LONG, SHORT])
async def test_the_call_ends_meanwhile(prompt: Prompt | None, autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.hang_up(4.0)
        with pytest.raises(CallEnded) as caught:
            await talk.call.gather(4, timeout=30, prompt=prompt, retries=3)
        assert caught.value.reason == "remote_hangup"
        assert talk.now == 4.0
        with pytest.raises(CallEnded):
            await talk.call.gather()


async def test_cancelling_stops_the_prompt_and_keeps_later_digits(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        talk.press(5.0, "3")
        with trio.move_on_after(4):
            await talk.call.gather(prompt=LONG)
        assert talk.heard == [("long", 4.0)]
        assert await talk.call.gather() == "3"


async def test_a_prompt_that_cannot_be_played_is_told(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with talking() as talk:
        with pytest.raises(SourceError, match=r"menu\.wav"):
            await talk.call.gather(prompt="menu.wav")
        with pytest.raises(SourceError):
            await talk.call.gather(prompt=tmp_path / "Press one")
        with pytest.raises(SpeechUnavailable, match="nothing to speak"):
            await talk.call.gather(prompt="Press one")


async def test_wrong_rules_play_nothing(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        with pytest.raises(UsageError):
            await talk.call.gather(prompt=LONG, allowed="(")
        assert (talk.now, talk.heard) == (0.0, [])


schedule = st.lists(st.tuples(st.integers(0, 4), st.sampled_from("123456789")), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(schedule, st.sampled_from([None, SHORT, Prompt("one second", 1.0)]), st.integers(1, 3), st.integers(1, 3))
def test_no_digit_is_lost_or_told_twice(
    presses: list[tuple[int, str]], prompt: Prompt | None, most: int, timeout: int
) -> None:
    """Keys fall on the very moments at which prompts end and times run out; entry after entry takes them all."""

    async def press_all(talk: Talk) -> None:
        peer = talk.bench.wire.peer(talk.end)
        assert peer is not None
        for wait, digit in presses:
            await trio.sleep(wait)
            peer.on_digit(digit)

    async def main() -> str:
        async with talking() as talk:
            talk.nursery.start_soon(press_all, talk)
            got = ""
            while talk.now <= sum(wait for wait, _ in presses):
                got += await talk.call.gather(most, timeout=timeout, prompt=prompt)
            return got + await talk.call.gather(len(presses) + 1, timeout=0.5)

    assert trio.run(main, clock=MockClock(autojump_threshold=0)) == "".join(digit for _, digit in presses)
