"""Click to call: `POST /plugin/click_to_call/call` with `{"from": "46", "to": "0711123456"}` rings 46; who picks up
there is connected with 0711123456. The PBX joins the two, so they go on without the bot."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from vodiabot import BadRequest, Bot, Request, Response, Secret, Text, VodiabotError, errors, hookimpl

CAPABILITIES = {"dial", "transfer"}
MOST_REMEMBERED = 200  # of calls, whose state can be asked for
ERRORS = {errors.Busy: "busy", errors.NoAnswer: "no_answer", errors.NotAllowed: "not_allowed"}
ERRORS |= {errors.CallEnded: "hung_up", errors.ConnectionLost: "not_connected", VodiabotError: "failed"}


@dataclass
class Config:
    token: Secret
    """What requests must have as `Authorization: Bearer TOKEN`."""
    ring_from: float = 30.0
    """Seconds that the first phone may ring."""
    ring_to: float = 60.0
    """Seconds that the second may ring."""
    say: str = ""
    """A text for who picks up first, such as "You are being connected."; then there is the PBX's music."""
    sorry: str = ""
    """A text for who picked up first if the other can't be reached."""
    calls: dict[str, dict[str, str]] = field(default_factory=dict, init=False)


@hookimpl
async def bot_started(bot: Bot, config: Config, log: Any) -> None:
    @bot.http.post("/call", token=config.token)
    async def call(request: Request) -> Response:
        try:
            one, other = (_number(bot, request.json(), key) for key in ("from", "to"))
        except errors.NotAllowed as exc:  # before anybody's phone rings
            return Response(403, {"error": "not_allowed", "why": str(exc)})
        id_ = secrets.token_urlsafe(12)
        config.calls[id_] = {"id": id_, "from": one, "to": other, "state": "ringing_from"}
        for old in list(config.calls)[:-MOST_REMEMBERED]:
            del config.calls[old]
        bot.spawn(_connect, bot, config, log, config.calls[id_])
        return Response(202, config.calls[id_], {"location": f"/plugin/{bot.name}/call/{id_}"})

    @bot.http.get("/call/{id}", token=config.token)
    async def state(request: Request) -> Response:
        found = config.calls.get(request.params["id"])
        return Response(200, found) if found else Response(404, {"error": "unknown"})


def _number(bot: Bot, asked: Any, key: str) -> str:
    number = asked.get(key) if isinstance(asked, dict) else None
    if not isinstance(number, str) or not 0 < len(number.strip()) <= 64:
        raise BadRequest(f'"{key}" must be a number, in quotes')
    bot.check_dial(number.strip())
    return number.strip()


async def _connect(bot: Bot, config: Config, log: Any, about: dict[str, str]) -> None:
    """What goes wrong is told by the status; it is no mistake of this plugin."""
    try:
        async with bot.dial(about["from"], timeout=config.ring_from) as first:
            about["state"] = "ringing_to"
            await first.play([Text(config.say)] if config.say else [])
            try:
                async with first.consult(about["to"], timeout=config.ring_to) as second:
                    await second.complete()
            except (errors.DialError, errors.TransferFailed, errors.NotAllowed):
                await first.play([Text(config.sorry)] if config.sorry else [])
                raise
            about["state"] = "connected"
    except VodiabotError as exc:
        error = next(name for kind, name in ERRORS.items() if isinstance(exc, kind))
        side = "from" if error == "hung_up" else about["state"].removeprefix("ringing_")
        account = bot.domain.accounts.get(about[side]) if error == "no_answer" else None
        error = "not_registered" if account and not account.registered else error
        about.update(error=error, side=side, state="failed")
        log.info("a click-to-call came to nothing", why=str(exc), **about)
