"""Wake-up calls: who calls enters a time and is rung then; who calls again may change or cancel it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from vodiabot import Bot, Call, ConnectionLost, DialError, NotAllowed, SpokenText, Text, hookimpl

CAPABILITIES = {"answer", "dial"}
TIMES = {f"{minute // 60:02}{minute % 60:02}" for minute in range(24 * 60)}
TOO_LATE, RING, AWAKE = 3600, 45, 2  # s: what is missed by more is given up; one try; who hangs up sooner sleeps on


@dataclass
class Config:
    timezone: str = "UTC"
    """In which callers tell their times, such as "Europe/Berlin"."""
    retries: int = 3
    """How often it rings again where nobody answers."""
    retry_after: float = 300.0
    """Seconds until then, in whole minutes."""
    ask: SpokenText = "When shall we wake you? Enter four digits, such as 0 6 3 0."
    known: SpokenText = "You will be woken at {time}. Enter another time, or press star to cancel."
    done: SpokenText = "You will be woken at {time}."
    cancelled: SpokenText = "You will not be woken."
    wake: SpokenText = "Good morning. It is {time}."

    def __post_init__(self) -> None:
        if self.timezone not in available_timezones():
            raise ValueError(f'timezone: there is no "{self.timezone}"')


@hookimpl
async def answer_call(call: Call, bot: Bot, config: Config) -> None:
    await (call.answer() if call.remote.number else call.reject(480))  # whom to wake?
    order = await bot.store.get(key := f"wake/{call.remote.number}")
    prompt = config.known.replace("{time}", order["time"]) if order else config.ask
    entry = await call.gather(allowed=TIMES | ({"*"} if order else set()), prompt=Text(prompt), retries=2, timeout=8)
    if entry == "*":
        await bot.store.delete(key)
        await call.play(Text(config.cancelled))
    elif entry:
        now = datetime.fromtimestamp(bot.wall(), ZoneInfo(config.timezone))
        when = now.replace(hour=int(entry[:2]), minute=int(entry[2:]), second=0, microsecond=0, fold=0)
        when += timedelta(days=when <= now)
        await bot.store.set(key, {"at": when.timestamp(), "time": f"{when:%H:%M}", "left": config.retries})
        await call.play(Text(config.done.replace("{time}", f"{when:%H:%M}")))  # it is on disk, so it can be promised


@hookimpl
async def bot_started(bot: Bot, config: Config) -> None:
    bot.cron("* * * * *", ring_all, bot, config)


async def ring_all(bot: Bot, config: Config) -> None:
    """Whoever is due. The next try is on disk before this one, so that it comes if the bot dies meanwhile."""
    due, now = [], bot.wall()
    async with bot.store.transaction() as store:
        for key, order in await store.items("wake/"):
            if order["left"] < 0 or now - order["at"] > TOO_LATE:
                await store.delete(key)
                bot.log.warning("somebody was not woken", number=key.removeprefix("wake/"), time=order["time"])
            elif order["at"] <= now:
                await store.set(key, {**order, "at": now // 60 * 60 + config.retry_after, "left": order["left"] - 1})
                due.append((key, order))
    for key, order in due:
        bot.spawn(ring, bot, config, key, order)


async def ring(bot: Bot, config: Config, key: str, order: dict[str, str]) -> None:
    try:
        async with bot.dial(key.removeprefix("wake/"), timeout=RING) as call, call.scope():
            await call.play(Text(config.wake.replace("{time}", order["time"])))
        if call.reason == "hangup" or call.ended - call.answered >= AWAKE:
            await bot.store.delete(key)
    except NotAllowed:  # such as more dials than [limits] has for a minute: the next one, then
        await bot.store.set(key, order)
    except (DialError, ConnectionLost) as exc:
        bot.log.info("a wake-up call was not answered", number=key.removeprefix("wake/"), why=str(exc))
