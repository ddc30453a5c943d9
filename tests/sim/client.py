"""A small phone of its own for tests of the simulator: HTTP login, WebSocket and real audio, written from PROTOCOL.md
and sharing no code with the package."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import trio
import trio_websocket

from .client_media import RATE, Audio, Loop, Samples, level, loudest_hz, open_loop, tone

__all__ = ["RATE", "Phone", "PhoneCall", "level", "loudest_hz", "open_phone", "tone"]

PATIENCE = 10.0
"""Seconds that anything in a test may take; mostly it is milliseconds."""

Json = dict[str, Any]


class Refused(Exception):
    """The login or the socket was refused."""


async def log_in(url: str, user: str, password: str) -> str:
    """The session id. Raises Refused."""
    async with httpx.AsyncClient(base_url=url, verify=False) as http:
        body = {"name": "auth", "value": f"{user} {password}"}
        answer = await http.post("/rest/system/session", json=body)
    if answer.status_code != 200 or not isinstance(answer.json(), str):
        raise Refused(answer.status_code)
    return str(answer.json())


async def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Until it is true; fails the test with `what` if it doesn't become so."""
    with trio.move_on_after(PATIENCE):
        while not (value := condition()):  # noqa: ASYNC110 - it may be anything
            await trio.sleep(0.005)
        return value
    raise AssertionError(f"never happened: {what}")


class PhoneCall:
    """One call of the phone."""

    def __init__(self, phone: Phone, call_id: str, caller: bool, number: str) -> None:
        self.phone, self.call_id, self.caller, self.number = phone, call_id, caller, number
        self.cseq: Any = None
        self.offered = ""
        self.codes: list[int] = []
        self.reason = ""
        self.answered = self.ended = self.cancelled = False
        self.offers_answered = 0
        self.waits_for_answer = False
        self.candidates: list[Json] | None = []
        """Those that wait for our description to be sent first; None when it is."""
        self.audio = phone.new_audio(self)

    # --- doing -------------------------------------------------------------------------------------------------------

    async def ring(self) -> None:
        await self.phone.send(action="sip-ringing", callid=self.call_id, cseq=self.cseq)

    async def answer(self) -> None:
        """Answer an invite, and wait for the audio."""
        sdp = await self.phone.loop.run(lambda: self.audio.answer(self.offered))
        self.answered = True
        await self.phone.send(
            action="sdp-200ok", callid=self.call_id, cseq=self.cseq, sdp={"type": "answer", "sdp": sdp}
        )
        await self.described()
        await self.media_up()

    async def reject(self, code: int = 486) -> None:
        await self.phone.send(action="sip-busy", callid=self.call_id, cseq=self.cseq, code=code)
        await self.finish("rejected")

    async def hang_up(self) -> None:
        await self.phone.send(action="sip-bye", callid=self.call_id, caller="true" if self.caller else "false")
        await self.finish("hung up")

    async def hold(self) -> None:
        await self.phone.send(
            action="wrtc-hold", callid=self.call_id, calldir=self.direction, holdcmd="sendonly"
        )

    async def hold_as_the_page(self) -> None:
        """The vendor's example closes its peer connection."""
        old, self.audio = self.audio, self.phone.new_audio(self)
        await self.phone.loop.run(old.close)
        await self.hold()

    async def resume(self) -> None:
        """Without SDP, as newer clients do."""
        await self.phone.send(
            action="wrtc-hold", callid=self.call_id, calldir=self.direction, holdcmd="sendrecv"
        )

    async def resume_as_the_page(self) -> None:
        """With the offer of a new peer connection."""
        sdp = await self.phone.loop.run(self.audio.offer)
        self.waits_for_answer = True
        await self.phone.send(
            action="wrtc-hold",
            callid=self.call_id,
            calldir=self.direction,
            holdcmd="sendrecv",
            sdp={"type": "offer", "sdp": sdp},
        )
        await self.described()
        await self.media_up()

    async def transfer(self, to: str) -> None:
        await self.phone.send(action="blind-transfer2", id=self.call_id, **{"from": self.phone.user}, to=to)

    async def described(self) -> None:
        """Our description is sent: its candidates follow."""
        waiting, self.candidates = self.candidates or [], None
        for frame in waiting:
            await self.phone.send(**frame)

    # --- hearing -----------------------------------------------------------------------------------------------------

    @property
    def direction(self) -> str:
        return "caller" if self.caller else "callee"

    async def media_up(self) -> None:
        await wait_for(lambda: self.audio.up or self.ended, "audio connected")

    async def wait_answered(self) -> None:
        await wait_for(lambda: self.answered or self.ended, "call answered")
        assert self.answered, f"the call ended: {self.reason} {self.codes}"
        await self.media_up()

    async def wait_ended(self) -> None:
        await wait_for(lambda: self.ended, "call ended")

    def say(self, samples: Samples) -> None:
        """Put at the end of what is being said (RATE)."""
        audio = self.audio
        self.phone.loop.soon(lambda: audio.append(samples))

    async def hear(self, seconds: float) -> tuple[Samples, int]:
        """What comes in the next seconds, and its rate."""
        await self.phone.loop.run(self.audio.take)
        return await self.hear_on(seconds)

    async def hear_on(self, seconds: float) -> tuple[Samples, int]:
        """All that has come since the last time, and in the next seconds, and its rate."""
        await trio.sleep(seconds)
        return await self.phone.loop.run(self.audio.take), self.audio.rate

    async def hears_hz(self, hz: float, within: float = 2.0) -> bool:
        """Whether this frequency is the loudest in a stretch that begins soon."""
        with trio.move_on_after(PATIENCE):
            while True:
                samples, rate = await self.hear(0.4)
                if abs(loudest_hz(samples, rate) - hz) <= within:
                    return True
        return False

    async def finish(self, reason: str) -> None:
        if not self.ended:
            self.ended, self.reason = True, reason
            await self.phone.loop.run(self.audio.close)

    async def close(self) -> None:
        await self.phone.loop.run(self.audio.close)


class Phone:
    """One socket, registered or not."""

    def __init__(
        self, socket: trio_websocket.WebSocketConnection, loop: Loop, user: str, codecs: tuple[str, ...]
    ) -> None:
        self.socket, self.loop, self.user, self.codecs = socket, loop, user, codecs
        self.modern = True
        self.audio: type[Audio] = Audio
        self.frames: list[Json] = []
        self.calls: list[PhoneCall] = []
        self.invited: list[PhoneCall] = []
        self.closed = False
        self._outbox, self._outgoing = trio.open_memory_channel[Json](1000)
        self._token = trio.lowlevel.current_trio_token()

    # --- doing -------------------------------------------------------------------------------------------------------

    async def send(self, **frame: Any) -> None:
        await self._outbox.send({key: value for key, value in frame.items() if value is not None or key == "candidate"})

    async def send_text(self, text: str) -> None:
        """Exactly this."""
        await self.socket.send_message(text)

    async def register(self) -> None:
        await self.send(action="sip-register", useragent="test phone")
        await wait_for(lambda: self.seen("sip-register"), "registered")

    async def dial(self, number: str) -> PhoneCall:
        call = PhoneCall(self, secrets.token_hex(8), True, number)
        self.calls.append(call)
        sdp = await self.loop.run(call.audio.offer)
        call.waits_for_answer = True
        await self.send(
            action="sdp-packet", to=number, callid=call.call_id, sdp={"type": "offer", "sdp": sdp}
        )
        await call.described()
        return call

    async def invitation(self) -> PhoneCall:
        """The next incoming call."""
        await wait_for(lambda: self.invited, "an invite")
        return self.invited.pop(0)

    def seen(self, action: str) -> list[Json]:
        return [frame for frame in self.frames if frame.get("action") == action]

    # --- inside ------------------------------------------------------------------------------------------------------

    def new_audio(self, call: PhoneCall) -> Audio:
        call.candidates = []
        return self.audio(self.codecs, lambda c: self._token.run_sync_soon(self._candidate, call, c))

    def _candidate(self, call: PhoneCall, candidate: Json | None) -> None:
        frame = {"action": "ice-candidate", "callid": call.call_id, "candidate": candidate}
        if call.candidates is not None:
            call.candidates.append(frame)
        elif not self.closed:
            self._outbox.send_nowait(frame)

    async def run(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                while True:
                    frame = json.loads(await self.socket.get_message())
                    self.frames.append(frame)
                    await self._received(frame)
        except* trio_websocket.ConnectionClosed:
            self.closed = True

    async def _write(self) -> None:
        async for frame in self._outgoing:
            await self.socket.send_message(json.dumps(frame))

    async def _received(self, frame: Json) -> None:
        if "invitesdp" in frame:
            self._invite(frame)
        elif frame.get("action") == "call-state":
            self._call_state(frame)
        elif call := self._call_of(frame):
            await self._for_call(call, frame)

    def _invite(self, frame: Json) -> None:
        call = PhoneCall(self, frame["callid"], False, frame.get("from-user", ""))
        call.cseq, call.offered = frame.get("cseq"), _sdp_text(frame["invitesdp"])
        self.calls.append(call)
        self.invited.append(call)

    def _call_of(self, frame: Json) -> PhoneCall | None:
        call_id = frame.get("callid")
        mine = [c for c in self.calls if c.call_id == call_id]
        if not mine and "sdp" in frame:  # the PBX may rename a call of ours when it answers
            mine = [c for c in self.calls if c.waits_for_answer and not c.ended]
            for call in mine[:1]:
                call.call_id = str(call_id)
        return mine[-1] if mine else None

    async def _for_call(self, call: PhoneCall, frame: Json) -> None:
        if "sdp" in frame or ("code" in frame and "bye" not in frame):
            await self._sdp(call, frame)
        elif frame.get("candidate"):
            for candidate in _candidates(frame):
                audio = call.audio
                await self.loop.run(lambda c=candidate, a=audio: a.candidate(c))  # type: ignore[misc]
        elif "bye" in frame:
            await self.send(action="bye-response", callid=call.call_id, cseq=frame.get("cseq"))
            await call.finish(f"bye {frame.get('code', '')}".strip())
        elif "cancel" in frame:
            await self.send(action="cancel-response", callid=call.call_id)
            call.cancelled = True
            await call.finish("cancel")

    async def _sdp(self, call: PhoneCall, frame: Json) -> None:
        code = int(frame.get("code") or 0)
        if code:
            call.codes.append(code)
        if code >= 400:
            if call.caller and not call.answered:
                await self.send(action="sip-ack", callid=call.call_id)
                await call.finish(f"refused {code}")
            return
        sdp = _sdp_text(frame.get("sdp") or "")
        if sdp and self._is_offer(call, sdp):
            await self._answer_offer(call, sdp, frame)
        elif sdp and call.waits_for_answer:
            call.waits_for_answer = False
            await self.loop.run(lambda: call.audio.accept(sdp))
        if code == 200 and call.caller and not call.answered:
            call.answered = True
            await self.send(action="sip-ack", callid=call.call_id)

    def _is_offer(self, call: PhoneCall, sdp: str) -> bool:
        if not call.waits_for_answer:
            return True
        return self.modern and "a=setup:actpass" in sdp

    async def _answer_offer(self, call: PhoneCall, sdp: str, frame: Json) -> None:
        if call.waits_for_answer:  # our own offer was not wanted: a new peer connection
            call.waits_for_answer = False
            old, call.audio = call.audio, self.new_audio(call)
            await self.loop.run(old.close)
        answer = await self.loop.run(lambda: call.audio.answer(sdp))
        call.offers_answered += 1
        await self.send(
            action="sdp-200ok", callid=call.call_id, cseq=frame.get("cseq"), sdp={"type": "answer", "sdp": answer}
        )
        await call.described()

    def _call_state(self, frame: Json) -> None:
        entries = frame.get("calls") or []
        for entry in entries if isinstance(entries, list) else [entries]:
            connected = entry.get("state", entry.get("callstate")) == "connected" or entry.get("connect")
            for call in self.calls:
                if connected and call.caller and not call.ended and call.number in json.dumps(entry):
                    call.answered = True


def _sdp_text(sdp: Any) -> str:
    return str(sdp["sdp"]) if isinstance(sdp, dict) else str(sdp)


def _candidates(frame: Json) -> list[Json]:
    """One for each address, if they come apart from the candidate."""
    candidate = frame["candidate"]
    candidate = {"candidate": candidate} if isinstance(candidate, str) else candidate
    if not candidate.get("candidate"):
        return []
    found = []
    for address, port in frame.get("adr") or [(None, None)]:
        words = candidate["candidate"].split()
        if address is not None:
            words[4:6] = [str(address), str(port)]
        found.append({**candidate, "candidate": " ".join(words)})
    return found


@asynccontextmanager
async def open_phone(
    url: str,
    user: str,
    password: str,
    *,
    domain: str = "localhost",
    modern: bool = True,
    codecs: tuple[str, ...] = ("PCMU",),
    register: bool = True,
    audio: type[Audio] = Audio,
) -> AsyncIterator[Phone]:
    """A phone that is logged in, connected and (if asked) registered."""
    session = await log_in(url, user, password)
    address = url.replace("http", "ws", 1) + f"/websocket?domain={domain}&user={user}"
    cookie = [("Cookie", f"session={session}")]
    async with open_loop() as loop, trio_websocket.open_websocket_url(address, extra_headers=cookie) as socket:
        phone = Phone(socket, loop, user, codecs)
        phone.modern, phone.audio = modern, audio
        async with trio.open_nursery() as nursery:
            nursery.start_soon(phone.run)
            await phone.send(action="avoid-disconnect")
            await phone.send(action="own-calls", subscribe=True)
            if register:
                await phone.register()
            try:
                yield phone
            finally:
                with trio.CancelScope(shield=True):
                    for call in phone.calls:
                        await call.close()
            nursery.cancel_scope.cancel()


