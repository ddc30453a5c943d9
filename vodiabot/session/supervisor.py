"""A session for months: logs in, connects, registers, and does so again for ever."""

from __future__ import annotations

import random
from collections.abc import Callable

import structlog
import trio

from ..config.model import ExtensionConfig, PbxConfig
from ..errors import ConnectionLost, LoginRefused, PbxError, UsageError
from ..protocol.commands import Command
from ..protocol.messages import Message
from .link import Complaints, Link
from .login import Hide, TooManyLogins, log_in
from .socket import Connect, Socket, WebSocket, connect
from .surroundings import LOOK, Surroundings
from .timers import Backoff, SessionTimers

USER_AGENT = "vodiabot"

QUICK_TRIES = 2
"""After a refused login that worked before: too few to lock an account."""

log = structlog.get_logger(__name__)


class Session:
    """One an extension; the only owner of its socket.

    `on_frame(text, message)` is called for every frame in order, `message` None where it was not understood; it must
    not block. `on_up(reason)` and `on_down(reason)` alternate, `on_up` first: registered (or connected, where the
    extension does not register) and no more so. `on_trouble()`: a try has failed, see `trouble`. `hide` is told each
    secret before it travels or can be logged. What a listener raises is logged and harms nobody.
    """

    def __init__(
        self,
        pbx: PbxConfig,
        extension: ExtensionConfig,
        *,
        on_frame: Callable[[str, Message | None], None] = lambda text, message: None,
        on_up: Callable[[str], None] = lambda reason: None,
        on_down: Callable[[str], None] = lambda reason: None,
        on_trouble: Callable[[], None] = lambda: None,
        hide: Hide = lambda secret: None,
        user_agent: str = USER_AGENT,
        timers: SessionTimers = SessionTimers(),  # noqa: B008 - frozen
        connect: Connect = connect,
        rng: random.Random | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.server_header: str | None = None
        """The PBX's `Server:` header, as of the last login."""
        self.trouble: PbxError | UsageError | None = None
        """Why it is not up: the last failure; None while it is up or has not failed yet."""
        self.up = False
        self.frames_sent = 0
        """Over all connections."""
        self.extension = extension.user
        self._pbx = pbx
        self._config = extension
        self._on_frame = on_frame
        self._on_up = on_up
        self._on_down = on_down
        self._on_trouble = on_trouble
        self._hide = hide
        self._user_agent = user_agent
        self._timers = timers
        self._connect = connect
        self._backoff = Backoff(timers, rng or random.Random())
        self._complaints = Complaints()
        self._surroundings = surroundings or Surroundings()
        self._link: Link | None = None
        self._up_since = 0.0
        self._quick_tries = 0
        self._log = log.bind(extension=extension.user)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """For ever; ends by cancellation only, and then tells `on_down` if it was up."""
        task_status.started()
        try:
            while True:
                pause = await self._once()
                await self._rest(pause)
        finally:
            self._went_down("the bot leaves", wished=True)

    async def send(self, command: Command) -> None:
        """See `ports.CommandPort`."""
        if self._link is None:
            await trio.lowlevel.checkpoint()
            raise ConnectionLost("there is no connection to the PBX")
        await self._link.send(command)

    async def login_once(self) -> None:
        """Log in and no more, for `vodiabot check --online`. Raises LoginRefused, ConnectionLost, UsageError."""
        ticket = await log_in(self._pbx, self._config, timeout=self._timers.answer, hide=self._hide)
        self.server_header = ticket.server_header

    async def _once(self) -> float:
        """One connection from login to loss; gives the seconds to wait before the next."""
        began = trio.current_time()
        try:
            await self._connected()
        except (LoginRefused, UsageError) as exc:
            self._failed(exc)
            return self._after_ban(exc) if isinstance(exc, TooManyLogins) else self._after_refusal()
        except ConnectionLost as exc:
            return self._lost(exc, began)
        except Exception as exc:
            # a mistake of ours or of a library: a bot for months comes back from it, too
            log.exception("the connection ended by an internal error", extension=self.extension)
            return self._lost(ConnectionLost(f"internal error ({type(exc).__name__})"), began)
        raise AssertionError("a connection ends by an exception")

    async def _rest(self, pause: float) -> None:
        """Not to the end, if the network seems to be back: but a refused password is not tried the more for that."""
        until, patient = trio.current_time() + pause, isinstance(self.trouble, LoginRefused | UsageError)
        while (left := until - trio.current_time()) > 0:
            await trio.sleep(min(left, LOOK))
            if not patient and self._surroundings.upheaval() is not None:
                return

    def _after_refusal(self) -> float:
        """Seconds to wait. Who was let in before is mostly let in again as soon as a PBX that starts anew knows its
        users, or the session that it has forgotten in the middle of the login."""
        if self._quick_tries == 0:
            return self._timers.refused
        self._quick_tries -= 1
        return self._backoff.next()

    def _after_ban(self, exc: TooManyLogins) -> float:
        """Seconds to wait: not less than the PBX wishes, and not all who were told so at the same moment."""
        return max(self._timers.refused, exc.wait or 0.0) + self._backoff.spread()

    def _lost(self, exc: ConnectionLost, began: float) -> float:
        """Seconds to wait: the backoff, but a try that took long itself is counted in, so that no two tries begin
        further apart than `longest_retry`."""
        was_up, now = self.up, trio.current_time()
        if was_up and now - self._up_since >= self._timers.stable:
            self._backoff.reset()
        self._failed(exc)
        pause = self._backoff.next()
        if was_up:
            return pause
        return min(pause, max(self._timers.first_retry, self._timers.longest_retry - (now - began)))

    async def _connected(self) -> None:
        try:
            async with self._connect(self._pbx, self._config, self._timers, self._hide) as socket:
                self.server_header = socket.server_header
                await self._linked(socket)
        except BaseExceptionGroup as group:
            raise _what_counts(group) from group

    async def _linked(self, socket: Socket) -> None:
        self._surroundings.connected(socket.peer if isinstance(socket, WebSocket) else None)
        self._link = Link(
            socket,
            self._timers,
            on_frame=self._on_frame,
            on_up=self._came_up,
            on_sent=self._count_sent,
            complaints=self._complaints,
            surroundings=self._surroundings,
            user_agent=self._user_agent,
            register=self._config.register,
        )
        try:
            await self._link.run()
        finally:
            self._link = None

    def _count_sent(self) -> None:
        self.frames_sent += 1

    def _came_up(self, reason: str) -> None:
        self.up, self.trouble = True, None
        self._up_since, self._quick_tries = trio.current_time(), QUICK_TRIES
        self._log.info("the session is up", reason=reason, pbx=self.server_header)
        self._tell(self._on_up, reason)

    def _went_down(self, reason: str, *, wished: bool = False) -> None:
        if self.up:
            self.up = False
            tell = self._log.info if wished else self._log.warning
            tell("the session is down", why=reason)
            self._tell(self._on_down, reason)

    def _failed(self, exc: PbxError | UsageError) -> None:
        """Told once for as long as it is the same trouble."""
        was_up, before = self.up, self.trouble
        self.trouble = exc
        self._went_down(str(exc))
        if not was_up and str(before) != str(exc):
            level = self._log.error if isinstance(exc, LoginRefused | UsageError) else self._log.warning
            level("the session can't be set up, it is tried again", why=str(exc))
        self._tell(self._on_trouble)

    def _tell(self, listener: Callable[..., None], *args: str) -> None:
        """A listener's mistake is not the session's."""
        try:
            listener(*args)
        except Exception:
            log.exception("a listener failed; the session goes on", extension=self.extension)


def _what_counts(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Nurseries wrap what the link raised. A cancellation or a bug beside it outranks the lost connection."""
    ours, rest = group.split((PbxError, UsageError))
    if rest is not None or ours is None:
        return rest or group
    leaf: BaseException = ours
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
