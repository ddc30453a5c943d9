"""How long it takes: mouth to ear through the simulator's echo, and from an invite to the first sound of the answer."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import trio

from tests.bench.bot import SETTINGS
from vodiabot import Bot, Call, events
from vodiabot.config import parse
from vodiabot.media.bridge import open_media
from vodiabot.media.sound import Sound
from vodiabot.media.sources import tone
from vodiabot.plugins import LoadedPlugin
from vodiabot.plugins.model import Implementation

AUDIBLE = 1000
"""Peak of a block that is heard."""
RATE = 16000
ROUTE = '[plugins]\nenabled = ["answerer"]\n\n[[route]]\nplugin = "answerer"\n'


def loud(block: Any) -> bool:
    """Samples or their bytes."""
    samples = np.frombuffer(block, np.int16) if isinstance(block, bytes) else block
    return bool(np.abs(samples.astype(int)).max(initial=0) > AUDIBLE)


async def answer(call: Call) -> None:
    await call.answer()
    await call.play(tone(700, 0.5))


def make_bot(url: str, state: str, codec: str, user: str = "45", password: str = "bot") -> Bot:
    """One that takes calls."""
    text = SETTINGS.format(url=url, state=Path(state).as_posix(), codec=codec).replace("register = false", "")
    text = text.replace('user = "45"', f'user = "{user}"').replace('password = "bot"', f'password = "{password}"')
    hooks = {"answer_call": Implementation("answer_call", answer, ("call",))}
    plugin = LoadedPlugin("answerer", SimpleNamespace(), hooks)
    config = parse(text + ROUTE)
    return Bot(config, plugins=[plugin], media=partial(open_media, codecs=config.media.codecs))


async def echoes(bot: Bot, rounds: int) -> list[float]:
    """Milliseconds from a beep that is given to the call until its echo comes out of it."""
    found: list[float] = []
    beep = (12000 * np.sin(2 * np.pi * 1000 * np.arange(RATE // 20) / RATE)).astype(np.int16).tobytes()
    async with bot.dial("601") as call, call.audio(rate=RATE) as audio:
        for _ in range(50):
            await audio.receive()
        for round_ in range(rounds):
            began = trio.current_time()
            await audio.send(beep)
            while not loud(await audio.receive()):
                continue
            found.append(1000 * (trio.current_time() - began))
            for _ in range(10 + round_ % 7):
                await audio.receive()
    return found


@contextmanager
def first_sounds() -> Iterator[list[float]]:
    """When the first sound of each leg left, seconds since the epoch."""
    found: list[float] = []
    known: set[int] = set()
    sent = Sound.sent

    def noting(leg: Sound, samples: Any, rate: int, now: float) -> None:
        sent(leg, samples, rate, now)
        if samples is not None and id(leg) not in known and loud(samples):
            known.add(id(leg))
            found.append(time.time())

    Sound.sent = noting  # type: ignore[method-assign] - it has no door of its own
    try:
        yield found
    finally:
        Sound.sent = sent  # type: ignore[method-assign]


async def answers(bot: Bot, caller: Bot, rounds: int) -> list[float]:
    """Milliseconds from the invite's arrival to the first packet of the answer's sound."""
    found: list[float] = []
    async with bot.events() as stream:
        for _ in range(rounds):
            with first_sounds() as sounds:
                async with caller.dial("45") as call:
                    await call.wait_ended()
            invites = []
            while stream.statistics().current_buffer_used:
                event = await stream.receive()
                if isinstance(event, events.FrameReceived) and '"invitesdp"' in event.text:
                    invites.append(event.at)
            if sounds and invites:
                found.append(1000 * (sounds[0] - invites[-1]))
    return found


async def measure(url: str, codec: str, rounds: int) -> dict[str, float]:
    """Both, as medians."""
    with tempfile.TemporaryDirectory() as state, tempfile.TemporaryDirectory() as other:
        bot, caller = make_bot(url, state, codec), make_bot(url, other, codec, "46", "demo")
        async with trio.open_nursery() as nursery:
            for one in (bot, caller):
                await nursery.start(one.run)
                await one.wait_up(20)
            heard, answered = await echoes(bot, rounds), await answers(bot, caller, max(3, rounds // 4))
            for one in (bot, caller, bot, caller):
                one.drain()
    return {"echo": median(heard), "answer": median(answered)}


if __name__ == "__main__":
    print(json.dumps(trio.run(measure, sys.argv[1], sys.argv[2], int(sys.argv[3]))))  # noqa: T201 - the result
