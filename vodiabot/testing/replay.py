"""Plays a tape through the engine in virtual time, and shows what each plugin does: an incident becomes a test.

The engine, its dialogs and the plugins are the real ones. The PBX is the tape: its frames come when they came, whatever
the bot does now; so where the bot does something else than it did then, what follows on the tape may make no sense, and
the first such difference is the one to look at.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import trio

from ..bot import Bot
from ..config import Config, Secret
from ..config.model import ExtensionConfig
from ..errors import ConnectionLost, FrameError
from ..plugins import LoadedPlugin
from ..plugins.model import Implementation
from ..ports import (
    DtmfReceived,
    FarSideDeaf,
    FarSideHeard,
    FarSideHears,
    FarSideSilent,
    MediaEvent,
    MediaLost,
    MediaUp,
)
from ..protocol import codec
from ..tape import Entry, Header
from .media import VirtualLeg, VirtualMedia
from .offline import offline
from .speech import VirtualSpeech
from .watch_log import Log
from .wire import Wire

AFTERWARDS = 60.0
"""Seconds for what the bot still does when the tape is over."""

ALLOW = "--network allows it"

PATIENCE = 2.0
"""Seconds of virtual time that the bot may be later than it was on the tape, before that is a difference."""

QUIET_HOOKS = ("frame_received", "account_changed", "domain_call_changed", "domain_call_ended")
"""Not shown unless asked: there are too many."""

MEDIA_EVENTS: dict[str, type[MediaEvent]] = {
    kind.__name__: kind
    for kind in (MediaUp, MediaLost, DtmfReceived, FarSideSilent, FarSideHeard, FarSideDeaf, FarSideHears)
}


@dataclass(frozen=True)
class Moment:
    """One thing that happened in a replay."""

    at: float
    """Seconds since the tape began."""
    kind: str
    """`in`, `out`, `session`, `audio`, `plugin`, `refused`, `differs`."""
    text: str

    def __str__(self) -> str:
        return f"{self.at:10.3f}  {self.kind:8}{self.text}"


@dataclass
class Replayed:
    """What came of it."""

    moments: list[Moment] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Of plugins."""

    @property
    def differences(self) -> list[Moment]:
        """Where the bot says something else than on the tape, or does not say it."""
        return [moment for moment in self.moments if moment.kind == "differs"]


async def replay(
    config: Config,
    plugins: Sequence[LoadedPlugin],
    tape: tuple[Header, list[Entry]],
    *,
    all_hooks: bool = False,
    network: bool = False,
) -> Replayed:
    """Play it, under trio's MockClock (see `world.in_virtual_time`). Raises nothing for what plugins do wrong.

    It is kept in: nothing listens, `state_dir` is a temporary folder, no recording that is there is written over, and
    what plugins would send to other machines is refused, unless `network` allows it.
    """
    with tempfile.TemporaryDirectory(prefix="vodiabot-") as state:
        work = _Replay(_kept_in(config, tape[0], Path(state)), plugins, tape, all_hooks)
        with offline(ALLOW, allowed=network, told=lambda text: work.tell("refused", text)):
            return await work.run()


def _kept_in(config: Config, header: Header, state: Path) -> Config:
    """With the tape's extensions and domain, and a state of its own."""
    extensions = tuple(ExtensionConfig(user=user, password=Secret("")) for user in header.extensions)
    return msgspec.structs.replace(
        config,
        pbx=msgspec.structs.replace(config.pbx, domain=header.domain or config.pbx.domain),
        extensions=extensions or config.extensions,
        bot=msgspec.structs.replace(config.bot, state_dir=state),
    )


class _Replay:
    def __init__(
        self, config: Config, plugins: Sequence[LoadedPlugin], tape: tuple[Header, list[Entry]], all_hooks: bool
    ) -> None:
        self.result = Replayed()
        self.names: dict[str, str] = {}
        """Call-ids of calls that the bot places: on the tape → now."""
        self._header, self._entries = tape
        self._began = 0.0
        self._all_hooks = all_hooks
        self._sessions: dict[str, TapeSession] = {}
        self._media = TapeMedia(self)
        self._spoke = trio.Event()
        self._given_up: list[Entry] = []
        self._expected = _left_then(self._entries)
        self._log = Log(self.now)
        self._bot = Bot(
            config,
            plugins=[self._shown(plugin) for plugin in plugins],
            media=self._media.opened,
            make_session=self._make_session,
            wall=lambda: self._header.began + self.now(),
            speech=VirtualSpeech(),
            serve=False,
        )

    def now(self) -> float:
        """Seconds since the tape began."""
        try:
            return trio.current_time() - self._began
        except RuntimeError:  # not running yet, or in a thread of a plugin's
            return self.result.moments[-1].at if self.result.moments else 0.0

    def tell(self, kind: str, text: str) -> None:
        self.result.moments.append(Moment(self.now(), kind, text))

    async def run(self) -> Replayed:
        self._began = trio.current_time()
        with self._log.capturing():
            async with trio.open_nursery() as nursery:
                await nursery.start(self._bot.run)
                self._began = trio.current_time()
                for entry in self._entries:
                    await trio.sleep_until(self._began + entry.t)
                    await self._catch_up(entry)
                    self._play(entry)
                await self._settle()
                self._bot.drain()
        self._give_up([entry for entry in self._expected if entry not in self._given_up])
        self.result.failures = [str(failure) for failure in self._log.failures]
        return self.result

    async def _catch_up(self, entry: Entry) -> None:
        """What the bot said on the tape before this, it is to say before it hears this, perhaps at the same moment."""
        with trio.move_on_after(PATIENCE) as patience:
            while any(earlier.number < entry.number for earlier in self._expected if earlier not in self._given_up):
                await self._spoke.wait()
        if patience.cancelled_caught:
            self._give_up([one for one in self._expected if one.number < entry.number and one not in self._given_up])

    def _give_up(self, entries: list[Entry]) -> None:
        self._given_up += entries
        for entry in entries:
            self.tell("differs", f"on the tape at {entry.t:.3f} s, not now: {_brief(entry.said)}")

    async def _settle(self) -> None:
        with trio.move_on_after(AFTERWARDS):
            while self._bot.calls:  # noqa: ASYNC110 - calls have no event
                await trio.sleep(0.5)

    # --- the tape ----------------------------------------------------------------------------------------------------

    def _play(self, entry: Entry) -> None:
        session = self._sessions.get(entry.extension)
        if entry.media is not None:
            self._media.tell(self.names.get(entry.leg, entry.leg), entry.media)
        elif session is None:
            self.tell("differs", f"extension {entry.extension} is on the tape, not in the configuration")
        elif entry.server is not None:
            session.server_header = entry.server or None
        elif entry.up is not None:
            self.tell("session", f"{entry.extension} is up: {entry.up}")
            session.goes_up(entry.up)
        elif entry.down is not None:
            self.tell("session", f"{entry.extension} is down: {entry.down}")
            session.goes_down(entry.down)
        elif isinstance(entry.heard, dict | list | str):
            self.tell("in", _brief(entry.heard))
            session.hears(self._renamed(entry.heard))

    def _renamed(self, frame: Any) -> str:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        for then, now in self.names.items():
            text = text.replace(then, now)
        return text

    # --- the bot -----------------------------------------------------------------------------------------------------

    def _make_session(self, pbx: Any, extension: Any, **listeners: Any) -> TapeSession:
        made = TapeSession(self, extension.user, **listeners)
        self._sessions[extension.user] = made
        return made

    def said(self, extension: str, text: str) -> None:
        """A frame of the bot's, now."""
        frame = json.loads(text)
        if not _counts(frame):
            return
        self.tell("out", _brief(frame))
        found = next((e for e in self._expected if e.extension == extension and self._same(e.said, frame)), None)
        if found is None:
            self.tell("differs", f"now, not on the tape: {_brief(frame)}")
            return
        self._expected.remove(found)
        self._spoke.set()
        self._spoke = trio.Event()
        if frame.get("action") == "sdp-packet" and frame.get("callid") != found.said.get("callid"):
            self.names[found.said["callid"]] = frame["callid"]

    def _same(self, then: Any, now: dict[str, Any]) -> bool:
        """Whether it is the same deed: ids and descriptions aside, which are others each time."""
        if not isinstance(then, dict) or then.get("action") != now.get("action"):
            return False
        if now.get("action") == "sdp-packet" and now.get("to"):
            return bool(then.get("to") == now.get("to"))
        return all(self._named(then.get(key)) == now.get(key) for key in ("callid", "id", "id2", "to", "holdcmd"))

    def _named(self, value: Any) -> Any:
        return self.names.get(value, value) if isinstance(value, str) else value

    # --- plugins -----------------------------------------------------------------------------------------------------

    def _shown(self, plugin: LoadedPlugin) -> LoadedPlugin:
        """The plugin, with each call of a hook shown."""
        shown = {name: self._shown_hook(plugin.name, found) for name, found in plugin.implementations.items()}
        return replace(plugin, implementations=shown)

    def _shown_hook(self, plugin: str, implementation: Implementation) -> Implementation:
        if implementation.hook in QUIET_HOOKS and not self._all_hooks:
            return implementation

        async def function(**arguments: Any) -> None:
            about = arguments.get("event") or arguments.get("call") or ""
            self.tell("plugin", f"{plugin}.{implementation.hook} {about}".rstrip())
            try:
                await implementation.function(**arguments)
            except BaseException as exc:
                self.tell("plugin", f"{plugin}.{implementation.hook} ended with {exc!r}")
                raise
            self.tell("plugin", f"{plugin}.{implementation.hook} is through")

        return replace(implementation, function=function)


class TapeSession:
    """A session whose PBX is the tape."""

    def __init__(
        self,
        owner: _Replay,
        user: str,
        *,
        on_frame: Callable[[str, Any], None],
        on_up: Callable[[str], None],
        on_down: Callable[[str], None],
        **more: Any,
    ) -> None:
        self.server_header: str | None = None
        self.trouble: Exception | None = None
        self.frames_sent = 0
        self._owner = owner
        self._user = user
        self._on_frame = on_frame
        self._on_up = on_up
        self._on_down = on_down
        self._up = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            self.goes_down("the bot leaves")

    def goes_up(self, reason: str) -> None:
        if not self._up:
            self._up = True
            self._on_up(reason)

    def goes_down(self, reason: str) -> None:
        if self._up:
            self._up = False
            self._on_down(reason)

    def hears(self, text: str) -> None:
        message = None
        with suppress(FrameError):
            message = codec.decode(text)
        self._on_frame(text, message)

    async def send(self, command: Any) -> None:
        await trio.lowlevel.checkpoint()
        if not self._up:
            raise ConnectionLost("the session is down on the tape")
        self.frames_sent += 1
        self._owner.said(self._user, codec.encode(command))


class TapeMedia:
    """Audio that comes up, is lost and hears keys when it did."""

    def __init__(self, owner: _Replay) -> None:
        self._owner = owner
        self._inner = VirtualMedia(Wire())
        self._inner.passing = self._recorded = set[Path]()
        self._listeners: dict[str, Callable[[MediaEvent], None]] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[TapeMedia]:
        try:
            yield self
        finally:
            for path in self._recorded:
                path.unlink(missing_ok=True)

    async def ping(self) -> None:
        await trio.lowlevel.checkpoint()

    def conference(self) -> Any:
        return self._inner.conference()

    def open(
        self, label: str, on_event: Callable[[MediaEvent], None], *, codecs: Sequence[str] | None = None
    ) -> VirtualLeg:
        leg = self._inner.open(label, on_event, codecs=codecs)
        self._listeners[label] = leg.is_told
        return leg

    def tell(self, label: str, fields: dict[str, Any]) -> None:
        """News of a leg's audio, as on the tape."""
        listener = self._listeners.get(label)
        kind = MEDIA_EVENTS[fields["event"]]
        event = kind(**{field: fields[field] for field in kind.__struct_fields__})
        self._owner.tell("audio", f"{label} {event}")
        if listener is not None:
            listener(event)


def _left_then(entries: list[Entry]) -> list[Entry]:
    """The frames of the bot's that went out."""
    left: list[Entry] = []
    for entry in entries:
        if entry.failed:
            same = [one for one in left if one.extension == entry.extension and one.said == entry.said]
            left = [one for one in left if one not in same[-1:]]
        elif _counts(entry.said):
            left.append(entry)
    return left


def _counts(frame: Any) -> bool:
    """Candidates are the audio's own affair, and others each time."""
    return isinstance(frame, dict) and frame.get("action") != "ice-candidate"


def _brief(frame: Any) -> str:
    """A frame on one line, without its descriptions."""
    if isinstance(frame, dict):
        frame = {key: _briefly(value) for key, value in frame.items() if value not in (None, "")}
    text = frame if isinstance(frame, str) else json.dumps(frame, ensure_ascii=False)
    return text if len(text) <= 200 else text[:199] + "…"


def _briefly(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("v=0"):
        return "<sdp>"
    if isinstance(value, dict):
        return {key: _briefly(inner) for key, inner in value.items()}
    return f"<{len(value)} entries>" if isinstance(value, list) and len(value) > 3 else value
