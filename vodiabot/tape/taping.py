"""Puts a tape between the engine and its session and audio; neither knows of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import trio

from ..errors import ConnectionLost
from ..ports import LocalCandidate, MediaConference, MediaEvent, MediaLeg, MediaPort
from ..protocol import codec
from .writing import Tape


def taped_sessions(tape: Tape, make_session: Callable[..., Any]) -> Callable[..., Any]:
    """`make_session` of a Bot, so that all that its sessions are told and say is on the tape."""

    def make(pbx: Any, extension: Any, **listeners: Any) -> TapedSession:
        return TapedSession(tape, make_session, pbx, extension, **listeners)

    return make


class TapedSession:
    """A session with a tape beside it; what is not here is the session's own."""

    def __init__(
        self,
        tape: Tape,
        make_session: Callable[..., Any],
        pbx: Any,
        extension: Any,
        *,
        on_frame: Callable[[str, Any], None],
        on_up: Callable[[str], None],
        on_down: Callable[[str], None],
        **more: Any,
    ) -> None:
        user = self._user = extension.user
        self._tape = tape

        def frame(text: str, message: Any) -> None:
            tape.heard(user, text)
            on_frame(text, message)

        def up(reason: str) -> None:
            tape.server(user, self._session.server_header or "")
            tape.up(user, reason)
            on_up(reason)

        def down(reason: str) -> None:
            tape.down(user, reason)
            on_down(reason)

        self._session = make_session(pbx, extension, on_frame=frame, on_up=up, on_down=down, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await self._session.run(task_status=task_status)

    async def send(self, command: Any) -> None:
        text = codec.encode(command)
        self._tape.said(self._user, text)  # before: the PBX may answer before we hear that it has left
        try:
            await self._session.send(command)
        except ConnectionLost as exc:
            self._tape.said(self._user, text, failure=str(exc))
            raise


def taped_media(
    tape: Tape, open_media: Callable[[], AbstractAsyncContextManager[MediaPort]]
) -> Callable[[], AbstractAsyncContextManager[MediaPort]]:
    """`media` of a Bot, so that the news of its legs' audio is on the tape."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[MediaPort]:
        async with open_media() as media:
            yield TapedMedia(tape, media)

    return opened


class TapedMedia:
    """A `MediaPort` with a tape beside it."""

    def __init__(self, tape: Tape, media: MediaPort) -> None:
        self._tape = tape
        self._media = media

    async def ping(self) -> None:
        await self._media.ping()

    def conference(self) -> MediaConference:
        return self._media.conference()

    def open(
        self, label: str, on_event: Callable[[MediaEvent], None], *, codecs: Sequence[str] | None = None
    ) -> MediaLeg:
        def heard(event: MediaEvent) -> None:
            if not isinstance(event, LocalCandidate):  # it is in the frame that sends it
                kind = type(event).__name__
                self._tape.media(label, {"event": kind, **{f: getattr(event, f) for f in event.__struct_fields__}})
            on_event(event)

        return self._media.open(label, heard, codecs=codecs)
