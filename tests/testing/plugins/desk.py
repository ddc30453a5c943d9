"""Does what it is told by keys, and calls whom it is told by text messages: for tests of the kit."""

from __future__ import annotations

import math
from array import array
from contextlib import aclosing
from pathlib import Path

import trio

from vodiabot import Bot, Call, DialError, NotAccepted, TransferFailed, hookimpl
from vodiabot.events import AccountChanged, ChatReceived, DomainCallChanged, DomainCallEnded
from vodiabot.sources import tone

CHIME = Path(__file__).parent / "chime.wav"


@hookimpl
async def answer_call(call: Call, bot: Bot) -> None:
    if call.remote.number == "0666":
        await call.reject(603)
        return
    await call.answer()
    async with aclosing(call.dtmf()) as keys:
        async for key in keys:
            await KEYS[key](call, bot)


async def _chime(call: Call, bot: Bot) -> None:
    await call.play(CHIME)
    await call.play(tone(440, 0.5))


async def _music(call: Call, bot: Bot) -> None:
    async with call.playing(CHIME):
        await call.sleep(10)
    await call.say("Here we are.")


async def _transfer(call: Call, bot: Bot) -> None:
    try:
        await call.transfer("500")
    except TransferFailed:
        await call.say("Nobody is there.")


async def _consult(call: Call, bot: Bot) -> None:
    try:
        second = await call.consult("500", whisper="A caller for you.", accept="1", timeout=20)
    except (DialError, NotAccepted):
        await call.say("Nobody wants to.")
    else:
        await second.complete()


async def _bridge(call: Call, bot: Bot) -> None:
    async with bot.dial("500") as other:
        await call.bridge(other)
    await call.say("Alone again.")


async def _digits(call: Call, bot: Bot) -> None:
    await call.send_dtmf("12#")


async def _listen(call: Call, bot: Bot) -> None:
    loud = 0
    async with call.audio(rate=8000) as audio:
        with trio.move_on_after(3):
            while True:
                frame = await audio.receive()
                loud += any(abs(sample) > 1000 for sample in memoryview(frame).cast("h"))
    await call.say(f"I heard you for {loud / 50:.1f} seconds.")


async def _beeps(call: Call, bot: Bot) -> None:
    """Half a second of 440 Hz, made here and sent in pieces; silence; a tone that is cut off."""
    async with call.audio(rate=16000) as audio:
        piece = _sine(440, 0.1)
        for _ in range(5):
            await audio.send(piece)
        await audio.send(bytes(32000))
        await audio.drain()
        await audio.send(_sine(880, 0.9))
        await trio.sleep(0.4)
        audio.clear()
        await trio.sleep(1)


def _sine(hz: int, seconds: float) -> bytes:
    count = round(16000 * seconds)
    return array("h", (round(8000 * math.sin(2 * math.pi * hz * n / 16000)) for n in range(count))).tobytes()


async def _forever(call: Call, bot: Bot) -> None:
    await call.play(tone(100))


KEYS = {
    "1": _chime,
    "2": _music,
    "3": _transfer,
    "4": _consult,
    "5": _bridge,
    "6": _digits,
    "7": _listen,
    "8": _forever,
    "0": _beeps,
}


@hookimpl
async def chat_received(message: ChatReceived, bot: Bot) -> None:
    bot.spawn(_call, bot, message.src, message.message)


async def _call(bot: Bot, who: str, number: str) -> None:
    try:
        async with bot.dial(number, timeout=20) as call:
            await call.say("This is the bot.")
    except DialError as exc:
        await bot.chat(who, f"{type(exc).__name__}")


@hookimpl
async def account_changed(event: AccountChanged, bot: Bot) -> None:
    if "dnd" in event.changed and event.account.dnd:
        await bot.chat(event.account.account, "Good night.")


@hookimpl
async def domain_call_changed(event: DomainCallChanged, bot: Bot) -> None:
    if event.call.state == "connected" and event.call.from_number == "46":
        await bot.chat("48", f"{event.call.from_number} talks with {event.call.to_number}")


@hookimpl
async def domain_call_ended(event: DomainCallEnded, bot: Bot) -> None:
    if event.call.from_number == "46":
        await bot.chat("48", "46 is free")
