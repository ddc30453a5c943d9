"""Tells a webhook, and what Apprise knows (`pip install "vodiabot[notify]"`), of missed, answered and ended calls."""

import logging
from importlib import import_module, util
from typing import Any, Literal

import httpx
import msgspec
import trio

from vodiabot import Bot, Call, Secret, hookimpl

CAPABILITIES: set[str] = set()  # it only listens
TRIES, LONGEST, TIMEOUT, WAITING = 15, 300.0, 15.0, 1000  # tries; s between, from 1 s on; s for each; messages at most


class Config(msgspec.Struct, dict=True):
    events: tuple[Literal["missed", "answered", "ended"], ...] = ("missed",)
    """What is told: a call came and was not answered, a call is answered, it is over."""
    webhook: Secret | None = None
    """A URL that gets each message by POST, as JSON."""
    apprise: tuple[Secret, ...] = ()
    """URLs as Apprise has them, such as "mailto://user:password@example.com"."""

    def __post_init__(self) -> None:
        if self.webhook and not self.webhook.reveal().startswith(("https://", "http://")):
            raise ValueError("webhook: it must begin with https:// or http://")
        logging.getLogger("apprise").disabled = True  # it logs URLs, with what is secret in them
        if self.apprise and util.find_spec("apprise") is None:
            raise ValueError('apprise: it is not installed; pip install "vodiabot[notify]"')
        self.queues, self.services = [], [import_module("apprise").Apprise() for _ in self.apprise]
        if not all(service.add(url.reveal()) for service, url in zip(self.services, self.apprise, strict=True)):
            raise ValueError("apprise: there is a URL that Apprise does not understand")

    def tell(self, event: str, call: Call, bot: Bot, reason: str = "", seconds: float = 0.0) -> None:
        told = {"id": f"{call.id}-{event}", "event": event, "direction": call.direction, "number": call.remote.number}
        told |= {"text": f"{event.capitalize()} call: {call.remote.display or 'anonymous'}", "reason": reason}
        for queue in self.queues if event in self.events else []:
            try:  # at once, or not at all: no call waits
                queue.send_nowait({**told, "seconds": seconds, "at": bot.wall()})
            except trio.WouldBlock:
                bot.log.error("a notification is dropped: too many wait", call=call.id)


@hookimpl
async def bot_started(bot: Bot, config: Config) -> None:
    config.queues.clear()  # of a life before a quarantine
    for receiver in filter(None, [config.webhook, *config.services]):
        queue, messages = trio.open_memory_channel[dict[str, Any]](WAITING)
        config.queues.append(queue)
        bot.spawn(deliver, bot, receiver, messages)


async def deliver(bot: Bot, receiver: Any, messages: trio.MemoryReceiveChannel[dict[str, Any]]) -> None:
    async with httpx.AsyncClient(timeout=None) as client, messages:
        async for message in messages:
            for attempt in range(TRIES):
                try:
                    with trio.fail_after(TIMEOUT):  # in all: one that answers byte by byte holds up nobody
                        if isinstance(receiver, Secret):
                            (await client.post(receiver.reveal(), json=message)).raise_for_status()
                        elif not await bot.asyncio(receiver.async_notify, message["text"]):
                            raise ConnectionError
                    break
                except Exception as exc:  # noqa: BLE001 - of any library; its text may have the URL in it
                    why = str(getattr(exc, "response", type(exc).__name__))
                    bot.log.warning("a notification was not taken", why=why, attempt=attempt + 1, of=TRIES)
                await trio.sleep(min(2.0**attempt, LONGEST))


@hookimpl
async def call_answered(call: Call, bot: Bot, config: Config) -> None:
    config.tell("answered", call, bot)


@hookimpl
async def call_ended(call: Call, event: Any, bot: Bot, config: Config) -> None:
    if event.answered or (call.direction == "incoming" and event.reason != "answered_elsewhere"):
        config.tell("ended" if event.answered else "missed", call, bot, event.reason, event.duration)
