"""`vodiabot tail`: log in and print events, or raw frames, as they come, one a line."""

from __future__ import annotations

import time

import msgspec
import trio

from .. import events
from ..bot import Bot
from ..config import Config
from ..servers import without_servers
from .common import CONNECT_TIMEOUT, DONE, make_session, media_of, on_signals, say


async def tail(config: Config, *, as_json: bool, raw: bool) -> int:
    """Until SIGTERM or Ctrl-C. It does not register, so it takes no calls.

    Raises LoginRefused and ConnectionLost for the first connect only; later on it connects again, as every bot does.
    """
    listening = tuple(msgspec.structs.replace(e, register=False) for e in config.extensions)
    config = without_servers(msgspec.structs.replace(config, extensions=listening, routes=()))
    bot = Bot(config, media=media_of(config), make_session=make_session)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(on_signals, nursery.cancel_scope.cancel)
        async with bot.events() as stream:
            await nursery.start(bot.run)
            await bot.wait_up(CONNECT_TIMEOUT)
            async for event in stream:
                _print(event, as_json, raw)
    return DONE


def _print(event: events.Event, as_json: bool, raw: bool) -> None:
    if raw:
        if isinstance(event, events.FrameReceived):
            say(" ".join(event.text.splitlines()))
    elif isinstance(event, events.FrameReceived):
        return
    elif as_json:
        say(msgspec.json.encode({"event": type(event).__name__, **msgspec.structs.asdict(event)}).decode())
    else:
        say(f"{time.strftime('%H:%M:%S', time.localtime(event.at))} {type(event).__name__:18} {_words(event)}")


def _words(event: events.Event) -> str:
    fields = {k: v for k, v in msgspec.structs.asdict(event).items() if k != "at"}
    flat: dict[str, object] = {}
    for key, value in fields.items():
        flat.update(msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else {key: value})
    return " ".join(f"{k}={_word(v)}" for k, v in flat.items() if v not in ("", None, (), 0.0))


def _word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


