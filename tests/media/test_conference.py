"""Who hears whom: pure first, then legs in virtual time, each at its own rate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vodiabot.errors import MediaError
from vodiabot.media import rtp
from vodiabot.media.audio import Samples
from vodiabot.media.bridge import open_media
from vodiabot.media.conference import Conference
from vodiabot.media.pacer import Pacer
from vodiabot.media.sources import tone

from .helpers import call, sine, strength
from .sending import LINEAR_TYPE, WIDE, WIDE_TYPE, Line, Talk, negotiated, stopped, talk, worst_step
from .virtual import virtually


class Member:
    def __init__(self) -> None:
        self.conference: Conference | None = None


def block(level: int, rate: int = 8000) -> Samples:
    return np.full(rate // 50, level, np.int16)


def heard(conference: Conference, member: Member, rate: int = 8000) -> int:
    total = conference.hear(member, rate)
    return 0 if total is None else int(total[-1])


@pytest.mark.parametrize("members", range(3, 11))
def test_each_hears_all_others_and_not_himself(members: int) -> None:
    conference, all_of_them = Conference(), [Member() for _ in range(members)]
    for member in all_of_them:
        conference.add(member)
        conference.add(member)
    for i, member in enumerate(all_of_them):
        conference.say(member, block(1 << i), 8000)
    everybody = (1 << members) - 1
    assert [heard(conference, m) for m in all_of_them] == [everybody - (1 << i) for i in range(members)]


def test_loud_ones_do_not_wrap_and_do_not_leave_their_own_voice() -> None:
    """The sum is clipped after the own voice is taken out, never before."""
    conference, three = Conference(), [Member() for _ in range(3)]
    for member in three:
        conference.add(member)
        conference.say(member, block(30000), 8000)
    assert [heard(conference, m) for m in three] == [60000] * 3


def test_alone_there_is_nothing_to_hear() -> None:
    conference, one, other = Conference(), Member(), Member()
    conference.add(one)
    conference.say(one, block(5), 8000)
    assert conference.hear(one, 8000) is None
    assert conference.hear(other, 8000) is None, "no member"
    conference.say(other, block(5), 8000)
    conference.add(other)
    assert heard(conference, other) == 5


def test_who_leaves_or_comes_in_mid_tick() -> None:
    conference, three = Conference(), [Member() for _ in range(3)]
    for i, member in enumerate(three):
        conference.add(member)
        conference.say(member, block(1 << i), 8000)
    assert heard(conference, three[0]) == 6
    conference.remove(three[2])
    conference.remove(three[2])
    assert three[2].conference is None
    assert heard(conference, three[0]) == 2
    assert conference.hear(three[2], 8000) is None
    conference.add(three[2])
    assert heard(conference, three[0]) == 2, "it has said nothing yet"
    assert heard(conference, three[2]) == 3


def test_in_one_conference_at_a_time() -> None:
    first, second, member = Conference(), Conference(), Member()
    first.add(member)
    second.add(member)
    assert member.conference is second
    first.remove(member)
    assert member.conference is second
    second.close()
    second.close()
    assert member.conference is None
    with pytest.raises(MediaError, match="closed"):
        second.add(member)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(-32768, 32767))), max_size=40))
def test_whatever_is_said_the_sum_is_that_of_the_others(said: list[tuple[int, int | None]]) -> None:
    conference, five = Conference(), [Member() for _ in range(5)]
    last = [0] * 5
    for member in five:
        conference.add(member)
    for who, level in said:
        conference.say(five[who], None if level is None else block(level), 8000)
        last[who] = level or 0
        assert [heard(conference, m) for m in five] == [sum(last) - own for own in last]


@pytest.mark.parametrize(("said", "wanted"), [(8000, 16000), (16000, 8000), (8000, 48000)])
def test_another_rate_has_no_seams_and_its_end(said: int, wanted: int) -> None:
    conference, one, other = Conference(), Member(), Member()
    conference.add(one)
    conference.add(other)
    voice = np.rint(32767 * sine(400, 0.2, said)).astype(np.int16)
    out = []
    for at in range(0, len(voice) + said // 50, said // 50):
        part = voice[at : at + said // 50]
        conference.say(one, part if len(part) else None, said)
        total = conference.hear(other, wanted)
        assert total is not None
        out.append(total.copy())
    whole = np.concatenate(out)
    own = 32767 * 0.5 * (2 * np.pi * 400 / wanted) ** 2
    middle = whole[wanted // 100 : round(0.19 * wanted)]
    assert np.abs(np.diff(middle.astype(float), 2)).max() < 1.1 * own
    there = np.flatnonzero(np.abs(whole) > 1000)
    assert (there[-1] - there[0]) / wanted == pytest.approx(0.2, abs=0.006)
    conference.say(one, None, said)
    assert heard(conference, other, wanted) == 0


# --- legs -------------------------------------------------------------------------------------------------------


class Far:
    """The other side of one leg: speaks a tone, and keeps what it hears."""

    def __init__(self, t: Talk, number: int, wide: bool) -> None:
        self.talk, self.rate = t, 16000 if wide else 8000
        self.hz = 300.0 + 100 * number
        what = negotiated(WIDE, WIDE_TYPE) if wide else negotiated()
        t.up(Line(number, what if not wide else negotiated(WIDE)))
        self.wide, self.speaks, self.level = wide, True, 0.08

    async def live(self) -> None:
        """A packet each 20 ms."""
        n, at = self.rate // 50, 0
        while True:
            wave = 32767 * self.level * np.sin(2 * np.pi * self.hz * (np.arange(n) + at * n) / self.rate)
            if self.speaks:
                number = WIDE_TYPE if self.wide else LINEAR_TYPE
                payload = np.rint(wave).astype("<i2").tobytes()
                self.talk.line.comes(rtp.build(number, at == 0, at % 65536, at * n, 5, payload))
            at += 1
            await asyncio.sleep(0.02)

    def hears(self, since: int) -> set[float]:
        sound = self.talk.line.heard(since)[-self.rate // 2 :]
        return {hz for hz in (300.0 + 100 * i for i in range(12)) if strength(sound, self.rate, hz) > 0.02}

    @property
    def sent(self) -> int:
        return len(self.talk.line.packets)


def with_fars(rates: str, body: Callable[[list[Far], Conference], Awaitable[None]]) -> None:
    """`rates`: "n" (8000) or "w" (16000) for each."""

    async def main() -> None:
        pacer, conference = Pacer(), Conference()
        fars = []
        for i, kind in enumerate(rates):
            with talk(pacer=pacer) as t:
                fars.append(Far(t, i, kind == "w"))
        lives = [asyncio.ensure_future(far.live()) for far in fars]
        for far in fars:
            conference.add(far.talk.leg.sound)
        await asyncio.sleep(0.7)
        await body(fars, conference)
        await stopped(*lives)
        for far in fars:
            await far.talk.leg.aclose()

    virtually(main())


def others(fars: list[Far], own: Far) -> set[float]:
    return {far.hz for far in fars if far is not own}


@pytest.mark.parametrize("rates", ["nn", "nw", "nnw", "nwnwn", "nnnnnwwwww"])
def test_legs_of_any_rate_hear_one_another(rates: str) -> None:
    async def body(fars: list[Far], conference: Conference) -> None:
        assert [far.hears(0) for far in fars] == [others(fars, far) for far in fars]

    with_fars(rates, body)


def test_music_for_one_is_heard_by_one_also_when_others_come_and_go() -> None:
    async def body(fars: list[Far], conference: Conference) -> None:
        a, b, c = fars
        music = a.talk.begin(tone(1200, level=0.1))
        conference.remove(c.talk.leg.sound)
        marks = [far.sent for far in fars]
        await asyncio.sleep(1)
        assert a.hears(marks[0]) == {b.hz, 1200.0}
        assert b.hears(marks[1]) == {a.hz}
        assert c.hears(marks[2]) == set()
        conference.add(c.talk.leg.sound)
        await stopped(music)
        marks = [far.sent for far in fars]
        await asyncio.sleep(1)
        assert [far.hears(mark) for far, mark in zip(fars, marks, strict=True)] == [others(fars, f) for f in fars]

    with_fars("nwn", body)


def test_who_is_muted_or_held_does_not_hear_and_is_heard() -> None:
    async def body(fars: list[Far], conference: Conference) -> None:
        a, b, c = fars
        a.talk.leg.sound.set_muted(True)
        b.talk.leg.set_sending(False)
        marks = [far.sent for far in fars]
        await asyncio.sleep(1)
        assert a.hears(marks[0]) == set()
        assert b.sent == marks[1]
        assert c.hears(marks[2]) == {a.hz, b.hz}

    with_fars("nww", body)


@pytest.mark.parametrize("how", ["lost", "closed", "fails"])
def test_who_goes_away_does_not_drone_on(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """The last 20 ms that somebody said must not be heard again and again when nothing comes any more."""

    async def body(fars: list[Far], conference: Conference) -> None:
        a, b, c = fars
        if how == "lost":
            a.talk.leg.is_lost(a.talk.line, "consent expired")  # type: ignore[arg-type]
        elif how == "closed":
            await a.talk.leg.aclose()
        else:
            a.talk.line.fail = OSError("no wire")
        await asyncio.sleep(0.1)
        marks = [far.sent for far in fars]
        await asyncio.sleep(1)
        assert b.hears(marks[1]) == {c.hz}
        assert c.hears(marks[2]) == {b.hz}
        if how == "lost":
            a.talk.up(Line(20, a.talk.line.negotiated))
            a.speaks = False
            await asyncio.sleep(1)
            assert a.hears(0) == {b.hz, c.hz}, "it is a member still"

    with caplog.at_level("CRITICAL"):
        with_fars("nwn", body)


def test_many_loud_ones_are_clipped() -> None:
    async def body(fars: list[Far], conference: Conference) -> None:
        for far in fars:
            far.level, far.hz = 0.9, 300.0
        mark = fars[0].sent
        await asyncio.sleep(1)
        sound = fars[0].talk.line.heard(mark)[-4000:].astype(int)
        assert (sound.max(), sound.min()) == (32767, -32768)
        assert strength(sound.astype(np.int16), 8000, 300) > 1.0, "nearly a square: what wraps would cancel"

    with_fars("nnnn", body)


def test_a_voice_is_passed_on_without_seams() -> None:
    async def body(fars: list[Far], conference: Conference) -> None:
        a, b = fars
        mark = a.sent
        await asyncio.sleep(2)
        own = 32767 * b.level * (2 * np.pi * b.hz / 8000) ** 2
        assert worst_step(a.talk.line.heard(mark)[800:]) < 1.2 * own + 4

    with_fars("nw", body)


@pytest.mark.audio
async def test_whatever_ends_first_nobody_complains(caplog: pytest.LogCaptureFixture) -> None:
    """A call and its conference may end on the way from one loop to the other."""
    async with open_media() as engine, call(engine) as (a, b), open_media() as another:
        conference = engine.conference()
        conference.add(a.leg)
        conference.close()
        conference.add(b.leg)
        conference.remove(b.leg)
        conference.close()
        await engine.ping()
        assert b.leg._leg.sound.conference is None
        late = engine.conference()
        await b.leg.aclose()
        late.add(b.leg)
        await engine.ping()
        assert late._conference._voices == {}
        with pytest.raises(MediaError, match="one media engine"):
            another.conference().add(a.leg)
    assert [r for r in caplog.records if r.levelname in ("WARNING", "ERROR")] == []
