"""The bot under test, watched: its frames, its sounds, its plugins; and whoever waits for what it does."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from ...bot import Bot
from ...config.model import Config, ExtensionConfig, PbxConfig
from ...errors import ConnectionLost, SourceError
from ...media.bridge import open_media
from ...session import Session, SessionTimers, Socket
from ...session.socket import connect
from ..deeds import Watcher
from ..samples import WatchedAudio
from ..sounds import Sound, duration_of, is_of_network
from ..story import Deeds, Story, Unexpected
from ..watch_log import Log
from .model import Cast
from .stage import Actor
from .watched_speech import WatchedSpeech, being_said

if TYPE_CHECKING:
    from .actor import LiveActor

BOT = "45"
"""The number by which a scenario calls the bot."""


class LiveStage:
    """See `stage.Stage`. It is also what the cast waits on, as `Exchange` is in virtual time."""

    nursery: trio.Nursery

    def __init__(self, config: Config, plugins: Any, numbers: dict[str, str], *, hums: bool) -> None:
        """`numbers`: a number of the scenario → the extension that has its part. `hums`: where no speech provider is
        installed, a hum stands for what the bot says; else that is the plugin's business."""
        self.story = Story(lambda: trio.current_time() - self._began)
        self.watcher = Watcher(self.story)
        self.notes: list[str] = []
        self.log = Log(self.story.clock)
        self.actors: dict[str, LiveActor] = {}
        self._began = 0.0
        self._news = trio.Event()
        self._numbers = numbers
        self._away_until = 0.0
        self._lose = trio.Event()
        self._expected = 0
        self._config = config
        make_session = partial(Session, connect=self._connect)
        self.bot = Bot(config, plugins=plugins, media=self._media, make_session=make_session)
        self.bot.speech = WatchedSpeech(self.bot.speech, self, hums=hums)

    def begin(self) -> None:
        """The story begins now."""
        self._began = trio.current_time()

    def since(self, time: float) -> float:
        """Seconds of the story, for a `trio.current_time`."""
        return time - self._began

    # --- as a stage --------------------------------------------------------------------------------------------------

    @property
    def did(self) -> Deeds:
        return self.watcher.did

    def number(self, number: str) -> str:
        if number == BOT and BOT not in self._numbers:
            return self._config.extensions[0].user
        return self._numbers.get(number, number)

    async def enter(self, cast: Cast) -> Actor:
        await trio.lowlevel.checkpoint()
        return self.actors.get(cast.id) or _Nobody(cast)  # type: ignore[return-value] # has no steps

    async def bot_does(self, deed: str, *, within: float = 10.0) -> None:
        here = deed
        for number, extension in self._numbers.items():
            here = here.replace(number, extension)
        await self.until(lambda: here in self.did, within, lambda: f"the bot did not within {within:g} s: {here}")

    async def bot_fails(self, name: str, *, within: float = 10.0) -> None:
        with trio.move_on_after(within):
            while len(self.log.failures) <= self._expected:  # noqa: ASYNC110 - the log has no event
                await trio.sleep(0.05)
        if len(self.log.failures) <= self._expected:
            raise self.wrong(f"no plugin failed within {within:g} s, expected {name}")
        failure = self.log.failures[self._expected]
        self._expected += 1
        if type(failure.exception).__name__ != name:
            raise self.wrong(f"expected {name}, but {failure}")

    async def connection_lost(self, seconds: float) -> None:
        """Of the bot's only."""
        self.story.tell("the bot's sockets die")
        self._away_until = trio.current_time() + seconds
        self._lose.set()
        self._lose = trio.Event()
        await trio.sleep(seconds)

    def check(self) -> None:
        """Raises Unexpected if a plugin failed that was not expected to."""
        if unexpected := self.untold_failures():
            raise self.wrong(unexpected)

    def untold_failures(self, told: str = "") -> str:
        return self.log.untold(self._expected, told)

    # --- waiting -----------------------------------------------------------------------------------------------------

    def news(self) -> None:
        """Something may have changed."""
        self._news.set()
        self._news = trio.Event()

    async def until(self, holds: Callable[[], bool], within: float, otherwise: Callable[[], str]) -> None:
        """Returns when something holds; it is looked at every 50 ms at least, as not all is told."""
        with trio.move_on_after(within) if within < math.inf else trio.CancelScope():
            while not holds():
                with trio.move_on_after(0.05):
                    await self._news.wait()
            return
        raise self.wrong(otherwise())

    def wrong(self, what: str) -> Unexpected:
        return Unexpected(what, self.story)

    def actor_at(self, number: str) -> LiveActor | None:
        """Who has this extension."""
        return next((actor for actor in self.actors.values() if actor.here == number), None)

    # --- the bot's socket --------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _connect(
        self, pbx: PbxConfig, extension: ExtensionConfig, timers: SessionTimers, hide: Callable[[str], None]
    ) -> AsyncIterator[Socket]:
        """See `session.Connect`."""
        if trio.current_time() < self._away_until:
            raise ConnectionLost("the PBX does not answer (by the scenario)")
        async with connect(pbx, extension, timers, hide) as socket:
            yield _WatchedSocket(socket, self, self._lose)

    def frame(self, text: str | bytes, *, sent: bool) -> None:
        """One of the bot's socket."""
        with suppress(ValueError):
            frame = json.loads(text)
            if isinstance(frame, dict):
                (self.watcher.frame if sent else self.watcher.told)(frame)
        self.news()

    # --- the bot's audio ---------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _media(self) -> AsyncIterator[Any]:
        media = self._config.media
        async with open_media(codecs=media.codecs, ice_servers=media.ice_servers) as port:
            open_leg = port.open

            def open_watched(label: str, *args: Any, **options: Any) -> Any:
                leg = open_leg(label, *args, **options)
                _watch(leg, self, label)
                return leg

            setattr(port, "open", open_watched)  # noqa: B010 - a method of this one object
            yield port

    def sound(self, label: str, sound: Sound) -> None:
        """The bot begins or ends to play at a leg."""
        number = self.watcher.number(label)
        self.watcher.sound(number, sound)
        actor = self.actor_at(number)
        if actor is not None:
            actor.hearing.hear(sound)
        self.news()

    def digits(self, label: str, digits: str) -> None:
        """The bot presses keys."""
        for digit in digits:
            self.watcher.digit(self.watcher.number(label), digit)

    def recording(self, label: str) -> None:
        """The bot records."""
        self.watcher.recording(self.watcher.number(label))


class _Nobody:
    """Of the cast, without anything to do."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast


class _WatchedSocket:
    """`session.Socket`, watched, and lost when it is time."""

    def __init__(self, socket: Socket, stage: LiveStage, lost: trio.Event) -> None:
        self._socket, self._stage, self._lost = socket, stage, lost

    @property
    def server_header(self) -> str | None:
        return self._socket.server_header

    async def send(self, text: str) -> None:
        self._stage.frame(text, sent=True)
        await self._socket.send(text)

    async def receive(self) -> str | bytes:
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            nursery.start_soon(self._cancel_when_lost, scope)
            frame: str | bytes | None = None
            error: ConnectionLost | None = None
            with scope:
                try:
                    frame = await self._socket.receive()
                except ConnectionLost as exc:  # kept out of the nursery, which would make a group of it
                    error = exc
            nursery.cancel_scope.cancel()
        if frame is None:
            raise error or ConnectionLost("the socket died (by the scenario)")
        self._stage.frame(frame, sent=False)
        return frame

    async def _cancel_when_lost(self, scope: trio.CancelScope) -> None:
        await self._lost.wait()
        scope.cancel()

    async def ping(self) -> None:
        await self._socket.ping()


def _watch(leg: Any, stage: LiveStage, label: str) -> None:
    """The methods of this one leg tell the stage."""
    play, send_dtmf, record, audio = leg.play, leg.send_dtmf, leg.record, leg.audio

    async def play_watched(source: Any, **options: Any) -> None:
        if (said := being_said.get()) is not None:
            said.begins(label)
            await play(source, **options)
            return
        sound = Sound(source, _length(source), began=trio.current_time())
        stage.sound(label, sound)
        try:
            await play(source, **options)
        finally:
            sound.ended = trio.current_time()
            stage.sound(label, sound)

    async def send_watched(digits: str, **options: Any) -> None:
        stage.digits(label, digits)
        await send_dtmf(digits, **options)

    async def record_watched(path: Path, **options: Any) -> Any:
        stage.recording(label)
        return await record(path, **options)

    @asynccontextmanager
    async def audio_watched(**options: Any) -> AsyncIterator[WatchedAudio]:
        async with audio(**options) as door:
            watched = WatchedAudio(door, partial(stage.sound, label))
            try:
                yield watched
            finally:
                watched.utterances.cut()

    leg.play, leg.send_dtmf, leg.record, leg.audio = play_watched, send_watched, record_watched, audio_watched


def _length(source: Any) -> float:
    """Seconds; 0.0 where it can't be known before: then however long it takes is whole."""
    if is_of_network(source):
        return 0.0
    try:
        return duration_of(source)
    except SourceError:
        return 0.0
