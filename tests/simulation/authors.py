"""The plugins of the simulated bot: one answers and does anything, one only listens, and two misbehave."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import trio

from vodiabot import Bot, Call, Phone, events, sources
from vodiabot.plugins import LoadedPlugin
from vodiabot.plugins.hookspecs import HOOKS
from vodiabot.plugins.model import Implementation

NUMBERS = ("46", "47", "48", "600", "601", "603", "605", "606", "607", "609", "616", "700", "999", "45", "49")
"""Also the bot itself."""

EXTENSIONS = (None, "45", "49")
EXPECTED = (Exception,)
"""What the doings of a plugin may raise: it is its own affair, and the engine's to live with."""

Doing = Callable[[Bot, Call, random.Random], Awaitable[Any]]


def plugin(name: str, **hooks: Any) -> LoadedPlugin:
    """A plugin made of functions that take all that their hook offers by name."""
    implementations = {
        hook: Implementation(hook, function, tuple(function.__code__.co_varnames[: function.__code__.co_argcount]))
        for hook, function in hooks.items()
    }
    return LoadedPlugin(name, SimpleNamespace(), implementations)


class Witness:
    """A healthy plugin: keeps all that it is told. `plugin` may be made again, for a reload."""

    def __init__(self, name: str, rng: random.Random | None = None) -> None:
        """`rng`: it takes some time over each event."""
        self.name = name
        self.told: list[events.Event] = []
        self.checked = self.heard = 0
        """So many of these were looked at, and so many of what had to be heard were among them."""
        self._rng = rng

    def plugin(self) -> LoadedPlugin:
        async def note(event: events.Event) -> None:
            self.told.append(event)
            if self._rng is not None:
                await trio.sleep(self._rng.choice([0.0, 0.0, 0.2]))

        kinds = [h for h in HOOKS if h not in ("answer_call", "bot_started", "bot_stopping", "frame_received")]
        return plugin(self.name, **dict.fromkeys(kinds, note))


def misbehaving(rng: random.Random) -> list[LoadedPlugin]:
    """One is slow, one raises; now and then."""

    async def dawdle(event: events.Event) -> None:
        await trio.sleep(rng.choice([0.0, 0.1, 1.0, 30.0]))

    async def stumble(event: events.Event) -> None:
        if rng.random() < 0.2:
            raise RuntimeError("a slip of the author's")

    hooks = ("call_ringing", "call_changed", "call_ended", "account_changed", "domain_call_changed")
    return [plugin("slow", **dict.fromkeys(hooks, dawdle)), plugin("broken", **dict.fromkeys(hooks, stumble))]


# --- what a handler does with a call ---------------------------------------------------------------------------------


async def _hold(bot: Bot, call: Call, rng: random.Random) -> None:
    await call.hold()
    await call.sleep(rng.uniform(0, 20))
    await call.resume()


async def _consult(bot: Bot, call: Call, rng: random.Random) -> None:
    async with call.consult(rng.choice(NUMBERS), timeout=20) as second:
        await second.sleep(rng.uniform(0, 10))
        await (second.complete() if rng.random() < 0.6 else second.cancel())


async def _bridge(bot: Bot, call: Call, rng: random.Random) -> None:
    async with bot.dial(rng.choice(NUMBERS), timeout=20) as other:
        with trio.move_on_after(rng.uniform(1, 30)):
            await call.bridge(other)


async def _conference(bot: Bot, call: Call, rng: random.Random) -> None:
    async with bot.conference() as conference:
        conference.add(call)
        async with bot.dial(rng.choice(NUMBERS), timeout=20) as other:
            conference.add(other)
            await call.sleep(rng.uniform(1, 30))


async def _park(bot: Bot, call: Call, rng: random.Random) -> None:
    """And perhaps pick up again, this one or another."""
    orbit = await call.park(rng.choice([None, None, "701", "709"]))
    if rng.random() < 0.5:
        async with bot.pick_up(rng.choice([None, orbit]), rng.choice(EXTENSIONS), timeout=10) as back:
            await back.sleep(rng.uniform(0, 20))


async def _slip(bot: Bot, call: Call, rng: random.Random) -> None:
    if rng.random() < 0.3:
        raise LookupError("a slip of the author's")


async def _listen(bot: Bot, call: Call, rng: random.Random) -> None:
    """For a second; then frames come that nobody takes."""
    with trio.move_on_after(5):
        async with call.audio() as audio:
            for _ in range(50):
                await audio.receive()
            await call.sleep(4)


DOINGS: dict[str, Doing] = {
    "sleep": lambda bot, call, rng: call.sleep(rng.expovariate(1 / 20)),
    "play": lambda bot, call, rng: call.play(sources.tone(440, rng.uniform(0.1, 10))),
    "gather": lambda bot, call, rng: call.gather(max_digits=3, timeout=5, prompt=sources.tone(440, 2)),
    "dtmf": lambda bot, call, rng: call.send_dtmf("12#"),
    "mute": lambda bot, call, rng: call.mute(rng.random() < 0.5),
    "record": lambda bot, call, rng: call.record(Path(bot.config.bot.state_dir) / "r.wav", max_seconds=5),
    "on pbx": lambda bot, call, rng: call.record_on_pbx(rng.random() < 0.5),
    "transfer": lambda bot, call, rng: call.transfer(rng.choice(NUMBERS)),
    "hang up": lambda bot, call, rng: call.hangup(),
    "hold": _hold,
    "consult": _consult,
    "bridge": _bridge,
    "park": _park,
    "conference": _conference,
    "slip": _slip,
    "listen": _listen,
}


async def do_anything(bot: Bot, call: Call, rng: random.Random) -> None:
    """Some doings, each for a minute at most. A mistake in one is usually caught by the author, not always."""
    for _ in range(rng.randint(0, 4)):
        doing = DOINGS[rng.choice(sorted(DOINGS))]
        with trio.move_on_after(rng.choice([1.0, 10.0, 60.0])):
            try:
                await doing(bot, call, rng)
            except EXPECTED:
                if call.ended is not None or rng.random() < 0.1:
                    raise


def worker(rng: random.Random) -> LoadedPlugin:
    """Answers calls, and does anything with them."""

    async def answer_call(call: Call, bot: Bot) -> None:
        before = rng.choice(["", "", "", "ring", "wait", "reject"])
        if before == "reject":
            await call.reject(rng.choice([480, 486, 603]))
            return
        if before:
            await call.ring()
        if before == "wait":
            await call.sleep(rng.uniform(0, 30))
        await call.answer()
        await do_anything(bot, call, rng)

    return plugin("worker", answer_call=answer_call)


async def use_the_desk_phone(bot: Bot, rng: random.Random) -> None:
    """Of the second extension, by remote control; somebody or nobody picks it up."""
    while True:
        await trio.sleep(rng.expovariate(1 / 400))
        phone = bot.phone_of("49")
        try:
            with trio.move_on_after(rng.choice([1.0, 60.0])):
                await phone.make_call(rng.choice(NUMBERS))
                await _do_by_hand(phone, rng)
        except EXPECTED:
            continue


async def _do_by_hand(phone: Phone, rng: random.Random) -> None:
    """With whichever of its calls."""
    for _ in range(rng.randint(1, 4)):
        await trio.sleep(rng.uniform(0, 10))
        if calls := phone.calls:
            act = rng.choice([phone.accept, phone.hold, phone.resume, phone.clear])
            await act(rng.choice(calls).id)


async def dial_now_and_then(bot: Bot, rng: random.Random, until: float) -> None:
    """The bot's own background work."""
    while trio.current_time() < until:
        await trio.sleep(rng.expovariate(1 / 150))
        try:
            with trio.move_on_after(rng.choice([0.5, 5.0, 200.0])):
                number, by = rng.choice(NUMBERS), rng.choice(EXTENSIONS)
                async with bot.dial(number, by, timeout=rng.choice([1.0, 20.0])) as call:
                    await do_anything(bot, call, rng)
        except EXPECTED:
            continue
