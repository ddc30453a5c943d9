"""A simulator and real bots on it, with real sockets and real audio, in one trio run; and the command line too."""

from __future__ import annotations

import json
import os
import sys
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import trio

from vodiabot import Bot, Call, events
from vodiabot.config import Config, parse
from vodiabot.media.bridge import open_media
from vodiabot.plugins import LoadedPlugin
from vodiabot.plugins.model import Implementation
from vodiabot.session import Session, SessionTimers
from vodiabot.sim.config import SimConfig, default
from vodiabot.sim.server import RunningSim, serve

SETTINGS = """
[pbx]
url = "{url}"
domain = "localhost"

[[extension]]
user = "{user}"
password = "{password}"

[bot]
state_dir = "{state}"
drain_timeout = "2s"

[media]
codecs = ["{codec}"]
max_calls = 25

[limits]
dial_allow = ["*"]
dials_per_minute = 1000

[plugins]
enabled = ["author"]

[[route]]
plugin = "author"
"""

PASSWORDS = {"45": "bot", "46": "demo", "47": "demo", "48": "demo"}
NUMBERS = {service.kind: service.number for service in default().services}
QUICK = SessionTimers(first_retry=0.1, longest_retry=0.5, refused=0.2)
"""It comes back soon, and bears a busy machine as long as ever."""
IMPATIENT = msgspec.structs.replace(QUICK, ping=0.3, dead=1.5, answer=3.0)
"""For what must be noticed: the ratios stay."""


def config(url: str, state: Path, *, user: str = "45", codec: str = "PCMU") -> Config:
    return parse(
        SETTINGS.format(url=url, user=user, password=PASSWORDS[user], state=state.as_posix(), codec=codec)
    )


def author(handler: Callable[[Call], Any] | None = None, log: list[events.Event] | None = None) -> LoadedPlugin:
    """A plugin made of one handler and a list of what the session hooks were told."""

    async def note(event: events.Event) -> None:
        if log is not None:
            log.append(event)

    async def nothing(call: Call) -> None:
        await call.wait_ended()

    hooks = {"answer_call": Implementation("answer_call", handler or nothing, ("call",))}
    for name in ("session_up", "session_down", "call_answered", "call_ended"):
        hooks[name] = Implementation(name, note, ("event",))
    return LoadedPlugin("author", SimpleNamespace(), hooks)


def a_bot(
    url: str,
    state: Path,
    *,
    user: str = "45",
    codec: str = "PCMU",
    handler: Callable[[Call], Any] | None = None,
    log: list[events.Event] | None = None,
    timers: SessionTimers = QUICK,
) -> Bot:
    settings = config(url, state, user=user, codec=codec)
    return Bot(
        settings,
        plugins=[author(handler, log)],
        media=partial(open_media, codecs=settings.media.codecs),
        make_session=partial(Session, timers=timers),
    )


@asynccontextmanager
async def simulator(dialect: str = "modern", **changes: Any) -> AsyncIterator[RunningSim]:
    """The default simulator on a free port."""
    settings: SimConfig = replace(default(), dialect=dialect, **changes)
    async with trio.open_nursery() as nursery:
        yield await nursery.start(partial(serve, settings, listen="127.0.0.1:0"))
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def running(*bots: Bot) -> AsyncIterator[None]:
    """The bots, registered; they leave at the end."""
    async with trio.open_nursery() as nursery:
        for bot in bots:
            await nursery.start(bot.run)
            await bot.wait_up(20)
        yield
        for bot in bots:
            bot.drain()
            bot.drain()


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that no event tells, with a bound."""
    with trio.fail_after(seconds):
        while not holds():  # noqa: ASYNC110 - it looks at another process's or model's state
            await trio.sleep(0.02)


def read_wav(path: Path) -> tuple[np.ndarray[Any, np.dtype[np.float64]], int]:
    """Samples of the first channel and their rate."""
    with wave.open(str(path)) as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).astype(float)
        return raw[:: file.getnchannels()], file.getframerate()


def write_wav(path: Path, samples: np.ndarray[Any, Any], rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype(np.int16).tobytes())


def loudest_hz(samples: np.ndarray[Any, Any], rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return float(np.fft.rfftfreq(8 * len(samples), 1 / rate)[spectrum.argmax()])


async def vodiabot(*arguments: str, cwd: Path, seconds: float = 40.0, **env: str) -> tuple[int, str, str]:
    """Run the command itself; exit code, stdout, stderr."""
    with trio.fail_after(seconds):
        done = await trio.run_process(
            [sys.executable, "-m", "vodiabot", *arguments],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            cwd=cwd,
            env={**os.environ, "PASSWORD_45": "bot", **env},
        )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def at(url: str) -> list[str]:
    """The options that name the simulator, and extension 45."""
    return ["--url", url, "--domain", "localhost", "--user", "45", "--password-env", "PASSWORD_45"]


def outcome(stdout: str) -> dict[str, Any]:
    """The one object that `--json` prints."""
    found: dict[str, Any] = json.loads(stdout.strip().splitlines()[-1])
    return found
