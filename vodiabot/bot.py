"""Wiring: one nursery, nothing clever. Rooms that must not know each other are joined here."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from functools import partial
from typing import Any

import structlog
import trio

from . import events as ev
from .calls import (
    Call,
    CallControl,
    Conference,
    DialGuard,
    DomainCall,
    ParkedCall,
    Parking,
    PbxClock,
    PerMinute,
    Permits,
    Phone,
    Route,
)
from .config.model import Config
from .dialect_memory import DialectMemory
from .domain import Domain
from .errors import ConnectionLost, NotAllowed
from .events import Event
from .hearing import Hearing, SteadyClock
from .http_routes import Routes
from .line import Line, MakeSession
from .metrics import CountedMedia, Metrics
from .own import OwnThings
from .plugins import LoadedPlugin, PluginHost, Watchdog, choose_route, current_plugin
from .ports import MediaPort, SpeechPort
from .protocol import commands
from .protocol import messages as m
from .readers import Readers
from .servers import Servers
from .session import Session
from .snapshot import snapshot_of, status_of
from .speech import speech_of
from .tasks import first, guarded, within

log = structlog.get_logger(__name__)


class Bot(OwnThings):
    """The engine: what runs everything. One `[pbx]`, one or more extensions. What plugins get as `bot` is of this type,
    too: a `PluginBot`, with what is under "for plugins" here and the things of their own (`OwnThings`)."""

    def __init__(
        self,
        config: Config,
        *,
        plugins: Sequence[LoadedPlugin] = (),
        media: Callable[[], AbstractAsyncContextManager[MediaPort]],
        make_session: MakeSession = Session,
        wall: Callable[[], float] = time.time,
        watch: bool = False,
        speech: SpeechPort | None = None,
        serve: bool = True,
    ) -> None:
        """`media` opens the audio engine for as long as the bot runs. `wall`: seconds since the epoch. `watch`: a
        thread looks whether the trio thread is blocked, and by whom. `speech`: None for what `[speech]` says. `serve`:
        listen where `[console]`, `[ops]` and `[http]` say so."""
        self.config = config
        self.wall = wall
        self.speech = speech or speech_of(config.speech, config.bot.state_dir)
        self.servers = Servers(self, serve=serve)
        self._open_media = media
        self._make_session = make_session
        self._watch = watch
        self._make_domain()
        self._make_control()
        self._make_plugins(plugins)
        self._make_life()

    def _make_domain(self) -> None:
        """What is known of the PBX, and heard of it."""
        config = self.config
        self.dialect_memory = DialectMemory(config.bot.state_dir, f"{config.pbx.url} {config.pbx.domain}")
        self.domain = Domain(own=self._owns, extensions=[one.user for one in config.extensions if one.register])
        self.parking = Parking(lambda: self.domain.calls, lambda: self.domain.accounts, config.pbx.country)
        self.metrics = Metrics(self)
        self._readers = Readers()

    def _make_control(self) -> None:
        """Who may do what to which call."""
        pbx, limits = self.config.pbx, self.config.limits
        self.guard = DialGuard(
            limits.dial_allow, limits.dials_per_minute, lambda: self.domain.accounts, pbx.domain, pbx.country
        )
        self.chats = PerMinute("chats_per_minute", limits.chats_per_minute)
        self.permits = Permits(who=current_plugin.get, refusal=lambda *asked: self.plugin_bots.refusal(*asked))
        self.control = CallControl(
            calls=lambda: self.domain.calls,
            outlets=lambda: self.lines,
            is_phone=self._is_phone,
            guard=self._check_dial,
            country=pbx.country,
            permits=self.permits,
        )

    def _make_plugins(self, plugins: Sequence[LoadedPlugin]) -> None:
        from .plugin_bot import PluginBots  # it is made of this very class

        limits = self.config.limits
        self.http_routes = Routes(
            lambda: self.config.limits.hook_timeout,
            lambda: {state.name: state.state for state in self.host.states()},
            bool(self.config.http.listen),
        )
        self.plugin_bots = PluginBots(self)
        self.host = PluginHost(
            plugins,
            hook_timeout=limits.hook_timeout,
            error_budget=limits.error_budget,
            error_window=limits.error_window,
            bot_for=self._bot_for,
            wall=self.wall,
        )
        self.watchdog = Watchdog(limits.blocked_after)
        """Watches while the bot runs, if `watch` was said."""

    def _make_life(self) -> None:
        """Of a bot that does not run yet."""
        self.keeps_calls = False
        """Whether `state_dir` holds which calls are up, so that the next start hangs up what a crash has left behind.
        Only for the one bot of a `state_dir`; to be said before it runs."""
        self.lines: list[Line] = []
        self.began = self.config_loaded = 0.0
        """When it began to run, and when its configuration was taken over; seconds since the epoch."""
        self.media: MediaPort | None = None
        """The audio engine, while the bot runs."""
        self._nursery: trio.Nursery | None = None
        self._leave = trio.Event()
        self._leave_now = trio.Event()

    # --- the life of the bot -----------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until `drain` or cancellation. Started: plugins run and sessions are on their way up.

        However it ends, every living call gets its bye and nothing is left behind.
        """
        async with aclosing(self.plugin_bots), self._open_media() as media, trio.open_nursery() as nursery:
            self.began = self.config_loaded = self.wall()
            self.media = media = CountedMedia(media, self.metrics.calls)
            now = SteadyClock(self.wall)
            self.pbx_clock = PbxClock(now)
            self._hearing = Hearing(self.domain, self.wall, now, lambda: self.lines, self._publish)
            self.lines = [Line(self, e, media, self._make_session) for e in self.config.extensions]
            await self.servers.start(nursery)
            if self._watch:
                await nursery.start(self.watchdog.run)
            await nursery.start(self.host.run)
            nursery.start_soon(self._hearing.run)
            await self.host.call_and_wait("bot_started")
            async with trio.open_nursery() as lines:
                self._nursery = nursery
                for line in self.lines:
                    await lines.start(self._run_line, line)
                task_status.started()
                await self._leave.wait()
                await self._drained()
                lines.cancel_scope.cancel()
            await self.host.call_and_wait("bot_stopping")
            self._nursery = None
            nursery.cancel_scope.cancel()

    def drain(self) -> None:
        """Leave: no new calls, running ones up to `drain_timeout`. The second time: hang up now."""
        if self._leave.is_set():
            self._leave_now.set()
        self._leave.set()

    @property
    def draining(self) -> bool:
        """Whether it was told to leave."""
        return self._leave.is_set()

    def status(self) -> dict[str, Any]:
        """What `vodiabot status` shows, as plain data: `snapshot` without the domain, and how well all does."""
        return status_of(self)

    async def _run_line(self, line: Line, *, task_status: trio.TaskStatus[None]) -> None:
        """The session outlives the switchboard even when all is cancelled, so that the last bye finds a socket."""
        structlog.contextvars.bind_contextvars(extension=line.user)  # of this task, and those that it starts
        session = trio.CancelScope(shield=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(within, session, line.session.run)
            try:
                await line.switchboard.run(task_status=task_status)
            finally:
                session.cancel()

    async def _drained(self) -> None:
        wait = self.config.bot.drain_timeout
        more = {"at_most_s": wait, "sooner": "by a second signal"} if self.calls else {}
        log.info("leaving", calls=len(self.calls), **more)
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as hurry:
                nursery.start_soon(self._hurry, hurry)
                await self._drain_lines(wait)
            if hurry.cancelled_caught:
                await self._drain_lines(0, wrap_up=False)
            nursery.cancel_scope.cancel()

    async def _hurry(self, scope: trio.CancelScope) -> None:
        await self._leave_now.wait()
        scope.cancel()

    async def _drain_lines(self, timeout: float, *, wrap_up: bool = True) -> None:
        async with trio.open_nursery() as nursery:
            for line in self.lines:
                nursery.start_soon(partial(line.switchboard.drain, timeout, wrap_up=wrap_up))

    # --- for plugins -------------------------------------------------------------------------------------------------

    def dial(
        self,
        to: str,
        extension: str | None = None,
        timeout: float | None = None,
        *,
        codecs: tuple[str, ...] | None = None,
    ) -> AbstractAsyncContextManager[Call]:
        """`async with bot.dial("500") as call`: entered when it is answered, hung up on leaving.

        `timeout`: seconds that it may ring, 60 by default. Raises Busy, NoAnswer, Rejected, NotAllowed, DialFailed,
        ConnectionLost.
        """
        return self._line(extension).switchboard.dial(to, timeout=timeout, codecs=codecs)

    def dial_by_hand(
        self, to: str, *, timeout: float | None = None, codecs: tuple[str, ...] | None = None
    ) -> AbstractAsyncContextManager[Call]:
        """The operator's own call: as `dial`, but `[limits]` does not hold. Raises NotAllowed to a plugin, too."""
        if self.permits.who() is not None:
            raise NotAllowed("a plugin dials by `bot.dial`, within [limits]")
        return self._line(None).switchboard.dial(to, timeout=timeout, guarded=False, codecs=codecs)

    def conference(self) -> AbstractAsyncContextManager[Conference]:
        """`async with bot.conference() as conference: conference.add(call)`: all calls in it hear one another, of
        whatever extension. On leaving, those that are still in it are alone again. Raises MediaError, NotAllowed."""
        return self._line(None).switchboard.desk.conference()

    @property
    def parked(self) -> list[ParkedCall]:
        """Who waits on the PBX's park orbits, longest call first, whoever parked him. One who was picked up by others
        may be among them for some seconds more, as the PBX tells no end of a call."""
        return self.parking.parked

    def pick_up(
        self, which: str | ParkedCall | None = None, extension: str | None = None, timeout: float | None = None
    ) -> AbstractAsyncContextManager[Call]:
        """`async with bot.pick_up("701") as call`: who is parked on an orbit, or the one of `parked` that was given, or
        without either who waits longest. As `dial` otherwise, also in what it raises: Rejected if nobody is there any
        more, NotAllowed if nobody is parked or `[limits]` does not allow the orbit."""
        dial = self._line(extension).switchboard.dial
        self.permits.check("dial")  # first: a dial that is refused is not counted
        return self.parking.pick_up(which, dial=dial, guard=self._check_dial, timeout=timeout)

    async def wait_up(self, timeout: float) -> None:
        """Returns when a session is up. Raises what refused the login, or ConnectionLost after `timeout` seconds."""
        with trio.move_on_after(timeout):
            async with trio.open_nursery() as nursery:
                for line in self.lines:
                    nursery.start_soon(first, line.wait_up, nursery.cancel_scope)
        for line in self.lines:
            if not line.up and line.session.trouble is not None:
                raise line.session.trouble
        if not any(line.up for line in self.lines):
            raise ConnectionLost(f"{self.config.pbx.url} did not answer within {timeout:g} s")

    @property
    def calls(self) -> list[Call]:
        """The bot's own living calls."""
        return [call for line in self.lines for call in line.switchboard.calls]

    @property
    def domain_calls(self) -> Mapping[str, DomainCall]:
        """Everybody else's calls by the PBX's id, as they are now, to be acted on."""
        return {id_: DomainCall(info, self.control) for id_, info in self.domain.calls.items()}

    @property
    def phone(self) -> Phone:
        """The desk phone of the first extension. Raises NotAllowed while the bot does not run."""
        return Phone(self._line(None), self.control)

    def phone_of(self, extension: str) -> Phone:
        """The desk phone of one of the bot's extensions. Raises NotAllowed if it is none of them."""
        return Phone(self._line(extension), self.control)

    async def chat(self, to: str, text: str) -> None:
        """Send a text message to an extension. `[limits]` says how many a minute. Raises ConnectionLost, NotAllowed."""
        self.permits.check("chat")
        line = self._line(None)
        self.chats.count(trio.current_time())
        await line.session.send(commands.SendChat(src=line.user, dest=to, message=text))

    def events(self) -> AbstractAsyncContextManager[trio.MemoryReceiveChannel[Event]]:
        """`async with bot.events() as stream: async for event in stream: …`. A reader that is late loses the oldest."""
        return self._readers.stream()

    def spawn(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Run a plugin's own background work until the bot leaves; its exception is logged and harms nobody."""
        if self._nursery is None:
            raise NotAllowed("the bot is not running")
        self._nursery.start_soon(guarded, work, args)

    def _line(self, extension: str | None) -> Line:
        for line in self.lines:
            if extension is None or line.user == extension:
                return line
        if extension is None:
            raise NotAllowed("the bot is not running")
        raise NotAllowed(f"{extension!r} is not an extension of this bot")

    @property
    def console_url(self) -> str | None:
        """Where the console's page is, once the bot runs; None without `[console] listen`."""
        return self.servers.console_url

    def snapshot(self) -> dict[str, Any]:
        """What the console shows, as plain data."""
        return snapshot_of(self)

    # --- between the rooms -------------------------------------------------------------------------------------------

    def _bot_for(self, plugin: LoadedPlugin) -> Any:
        return self.plugin_bots.make(plugin, lambda *work: self.host.spawn(plugin, *work))

    def route(self, to: str, sender: str) -> Route | None:
        """Which handler an incoming call goes to."""
        if self.control.rings_here(to, sender):
            return None
        chosen = choose_route(self.config.routes, to, sender, self.config.pbx.country)
        if chosen is None:
            return None
        return Route(plugin=chosen.plugin, handler=self.host.handler(chosen.plugin), fallback=chosen.fallback)

    def publish_call(self, *, call: Call, event: Event) -> None:
        """Something about a leg of ours."""
        call.speech = self.speech
        self._publish(event, call=call)

    def publish_frame(self, extension: str, text: str) -> None:
        """A frame, as it came."""
        if self.host.wants("frame_received") or self._readers:
            self._publish(ev.FrameReceived(at=self.wall(), extension=extension, text=text))

    def heard(self, line: Line, message: m.Message) -> None:
        """A frame of the PBX."""
        if isinstance(message, m.CallState | m.DomainState):  # before others ask whose calls these are
            self.pbx_clock.hear(message.calls or (), fresh=line.up)
        self.control.heard(line, message)
        self._hearing.heard(line, message)

    def line_changed(self, line: Line, event: ev.SessionUp | ev.SessionDown) -> None:
        """A session went up or down."""
        if isinstance(event, ev.SessionDown):
            self.line_failed(line)
            self.control.lost(line)
        self._publish(event)

    def line_failed(self, line: Line) -> None:
        """A session is not up, and has just tried to be."""
        self._hearing.lost(line)

    def _publish(self, event: Event, **objects: Any) -> None:
        if isinstance(event, ev.DomainCallChanged | ev.DomainCallEnded):
            self.control.told(event)
            objects["domain_call"] = DomainCall(event.call, self.control)
        self.metrics.heard(event, objects.get("call"))
        self.host.publish_event(event, **objects)
        self._readers.tell(event)

    def _check_dial(self, to: str) -> None:
        self.guard.check(to, trio.current_time())

    def _is_phone(self, number: str) -> bool:
        account = self.domain.accounts.get(number)
        return account is not None and account.type == "extensions"

    def _owns(self, entry: m.CallEntry) -> bool:
        if self.parking.has_left(entry, [line.user for line in self.lines]):
            return False
        return any(line.switchboard.owns(entry) for line in self.lines)
