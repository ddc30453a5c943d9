"""One extension of ours: its session and its switchboard, joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import structlog
import trio

from . import events as ev
from .calls import Farewells, Settings, Switchboard
from .config.model import ExtensionConfig
from .errors import LoginRefused, UsageError
from .ports import MediaPort
from .protocol import messages as m
from .protocol.dialects import Dialect, resolve
from .state_file import StateFile

if TYPE_CHECKING:
    from .bot import Bot

log = structlog.get_logger(__name__)


class SessionLike(Protocol):
    """What the bot needs of a session: the real one, or the testing kit's in memory."""

    server_header: str | None
    frames_sent: int

    @property
    def trouble(self) -> Exception | None:
        """Why it is not up: the last failure; None while it is up."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None: ...
    async def send(self, command: Any) -> None: ...


MakeSession = Callable[..., SessionLike]


class Line:
    """One extension of ours: its session and its switchboard."""

    def __init__(self, bot: Bot, extension: ExtensionConfig, media: MediaPort, make_session: MakeSession) -> None:
        self._bot = bot
        self.user = extension.user
        self.up = False
        self.frames_received = 0
        self.ups = 0
        """Times that the session came up."""
        self.down_since = trio.current_time()
        """Of the loop's clock; of no interest while it is up."""
        self._changed = trio.Event()
        self._told: set[str] = set()
        self.session = make_session(
            bot.config.pbx,
            extension,
            on_frame=self._on_frame,
            on_up=self._on_up,
            on_down=self._on_down,
            on_trouble=self._on_trouble,
        )
        self.settings = Settings(
            extension=extension.user,
            domain=bot.config.pbx.domain,
            country=bot.config.pbx.country,
            max_calls=bot.config.media.max_calls,
            unrouted=bot.config.bot.unrouted,
            wrap_up=bot.config.limits.wrap_up,
            permits=bot.permits,
            pbx_clock=bot.pbx_clock,
        )
        self.switchboard = Switchboard(
            self.settings,
            commands=self.session,
            media=media,
            dialect=self._dialect,
            route=bot.route,
            publish=bot.publish_call,
            guard=bot.guard,
            on_other_dialect=self._try_other_dialect,
            wall=bot.wall,
            parking=bot.parking,
            farewells=Farewells(self._calls_file() if bot.keeps_calls else None),
        )

    def _calls_file(self) -> StateFile:
        """The file's name holds whatever an extension may be called."""
        name = f"calls-{quote(self.user, safe='')}.json"
        return StateFile(self._bot.config.bot.state_dir / name, "which calls are up")

    @property
    def reconnects(self) -> int:
        """Times that the session came up again."""
        return max(0, self.ups - 1)

    @property
    def refused(self) -> bool:
        """Whether only a person can bring it up: the PBX refuses the login, or the address is none. It is tried again
        all the same."""
        return not self.up and isinstance(self.session.trouble, LoginRefused | UsageError)

    async def wait_up(self) -> None:
        """Returns when the session is up, or has found out why it is not."""
        while not self.up and self.session.trouble is None:
            await self._changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _dialect(self) -> tuple[Dialect | None, bool]:
        """The dialect to speak, and whether it is a guess, which a failed call may correct."""
        setting, header = self._bot.config.pbx.dialect, self.session.server_header
        known = resolve(setting, header, None)
        return known or self._bot.dialect_memory.recall(), known is None

    def _try_other_dialect(self, fresh: Dialect) -> None:
        log.warning("the PBX seems to speak the other dialect; it is tried from now on", dialect=fresh.value)
        self._bot.dialect_memory.remember(fresh)

    def _on_frame(self, text: str, message: m.Message | None) -> None:
        self.frames_received += 1
        self._bot.publish_frame(self.user, text)
        if message is not None:
            self._note_dropped(message)
            self._bot.heard(self, message)
            self.switchboard.deliver(message)

    def _note_dropped(self, message: m.Message) -> None:
        """Entries of a list that were not understood: told once a kind, the rest of the list counts."""
        for error in getattr(message, "dropped", ()):
            if (kind := f"{error.frame}: {error.field}") not in self._told:
                self._told.add(kind)
                log.warning("an entry was not understood and is left out", why=str(error), told_once_for=kind)

    def _on_up(self, reason: str) -> None:
        self.up = True
        self.ups += 1
        self._change()
        self.switchboard.socket_back()
        self._bot.line_changed(self, ev.SessionUp(at=self._bot.wall(), extension=self.user, reason=reason))

    def _on_trouble(self) -> None:
        self._change()
        self._bot.line_failed(self)

    def _on_down(self, reason: str) -> None:
        self.up = False
        self.down_since = trio.current_time()
        self.switchboard.socket_lost()
        self._bot.line_changed(self, ev.SessionDown(at=self._bot.wall(), extension=self.user, reason=reason))
