"""Flow tests as scripts: what comes in, and what must go out, one readable line a step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from vodiabot.protocol import messages as m
from vodiabot.protocol import steps as s
from vodiabot.protocol.dialects import Dialect
from vodiabot.protocol.dialog import Dialog, Timers

CLASSIC, MODERN = Dialect.CLASSIC, Dialect.MODERN


def sdp(name: str, *, setup: str = "", ufrag: str = "pbx", direction: str = "sendrecv") -> str:
    """A short description; `name` shows in the script as `<name>`."""
    lines = ["v=0", f"s={name}", "t=0 0", "m=audio 9 UDP/TLS/RTP/SAVPF 0", f"a={direction}"]
    lines += [f"a=ice-ufrag:{ufrag}", f"a=fingerprint:sha-256 {ufrag}"]
    lines += [f"a=setup:{setup}"] if setup else []
    return "\r\n".join(lines) + "\r\n"


def answer(name: str = "answer", **kw: Any) -> str:
    """An answer of the PBX: the role is decided."""
    return sdp(name, **{"setup": "passive", **kw})


def offer(name: str = "offer", **kw: Any) -> str:
    """An offer of the PBX."""
    return sdp(name, **{"setup": "actpass", **kw})


def _value(value: Any) -> str:
    if isinstance(value, str) and value.startswith("v=0\r\ns="):
        return f"<{value.split('s=')[1].split()[0]}>"
    return str(value)


def brief(step: s.Step) -> str:
    """One line: the step, or what it carries, with the fields that are not as usual."""
    inner: Any = step
    if isinstance(step, s.Send):
        inner = step.command
    elif isinstance(step, s.Happened):
        inner = step.fact
    usual = dict(zip(reversed(inner.__struct_fields__), reversed(inner.__struct_defaults__), strict=False))
    shown = [
        f"{name}={_value(getattr(inner, name))}"
        for name in inner.__struct_fields__
        if name not in usual or getattr(inner, name) != usual[name]
    ]
    return " ".join([type(inner).__name__, *shown])


class Script:
    """Plays one dialog. Each method feeds something and gives the steps as lines; `now` moves by `wait`
    alone."""

    def __init__(self, dialog: Dialog, now: float) -> None:
        self.dialog = dialog
        self.now = now

    # --- in -------------------------------------------------------------------------------------------------

    def want(self, intent: s.Intent) -> list[str]:
        return lines(self.dialog.intend(intent, self.now))

    def hears(self, message: m.Message) -> list[str]:
        return lines(self.dialog.receive(message, self.now))

    def lists(self, **entry: Any) -> list[str]:
        return lines(self.dialog.entry(m.CallEntry(**{"id": "7", **entry}), self.now))

    def left(self, **entry: Any) -> list[str]:
        return lines(self.dialog.left(m.CallEntry(**{"id": "7", **entry}), self.now))

    def wait(self, seconds: float) -> list[str]:
        """Time passes; deadlines on the way are kept, as the switchboard does."""
        until = self.now + seconds
        out: list[str] = []
        while self.dialog.deadline is not None and self.dialog.deadline <= until:
            self.now = max(self.now, self.dialog.deadline)
            out += lines(self.dialog.tick(self.now))
        self.now = until
        return out

    def offer_made(self, generation: int) -> list[str]:
        return self._media(s.OfferMade(generation=generation, sdp=sdp(f"our-offer-{generation}")))

    def answer_made(self, generation: int) -> list[str]:
        return self._media(s.AnswerMade(generation=generation, sdp=sdp(f"our-answer-{generation}")))

    def media_up(self, generation: int) -> list[str]:
        return self._media(s.MediaIsUp(generation=generation))

    def media_lost(self, generation: int) -> list[str]:
        return self._media(s.MediaIsLost(generation=generation, reason="consent expired"))

    def media_failed(self, generation: int, what: Any, error: str = "no common codec") -> list[str]:
        return self._media(s.MediaFailed(generation=generation, what=what, error=error))

    def found(self, generation: int, candidate: str) -> list[str]:
        return self._media(s.CandidateFound(generation=generation, candidate=candidate))

    def socket_lost(self) -> list[str]:
        return lines(self.dialog.socket_lost(self.now))

    def reconciled(self, present: bool) -> list[str]:
        return lines(self.dialog.reconciled(present, self.now))

    def _media(self, news: s.MediaNews) -> list[str]:
        return lines(self.dialog.media(news, self.now))

    # --- the PBX's frames, short ----------------------------------------------------------------------------

    def sdp(self, text: str = "", *, call_id: str = "c1", **fields: Any) -> list[str]:
        return self.hears(m.Sdp(call_id=call_id, sdp=text, **fields))

    def bye(self, **fields: Any) -> list[str]:
        return self.hears(m.Bye(**{"call_id": "c1", **fields}))

    def cancel(self, **fields: Any) -> list[str]:
        return self.hears(m.Cancel(**{"call_id": "c1", **fields}))

    def candidate(self, *candidates: str) -> list[str]:
        return self.hears(m.Candidate(call_id="c1", candidates=candidates))


def lines(steps: Iterable[s.Step]) -> list[str]:
    return [brief(step) for step in steps]


def outgoing(dialect: Dialect | None = CLASSIC, **kw: Any) -> Script:
    """A call to 600, nothing asked yet."""
    dialog = Dialog(
        call_id="c1", direction="outgoing", now=100.0, dialect=dialect, to="600", local="45", **kw
    )
    return Script(dialog, 100.0)


def calling(dialect: Dialect | None = CLASSIC, **kw: Any) -> Script:
    """… whose `sdp-packet` is sent."""
    leg = outgoing(dialect, **kw)
    leg.want(s.WantDial())
    leg.offer_made(1)
    return leg


def incoming(dialect: Dialect | None = CLASSIC, **kw: Any) -> Script:
    """A call from 46 that has just been offered."""
    invite = m.Invite(call_id="c1", sdp=offer("invite"), cseq=1, from_number="46")
    dialog = Dialog(
        call_id="c1", direction="incoming", now=100.0, dialect=dialect, to="46", invite=invite, local="45",
        **kw
    )
    leg = Script(dialog, 100.0)
    assert lines(dialog.start(100.0)) == ["LegRinging"]
    return leg


def up(dialect: Dialect | None = CLASSIC, direction: str = "outgoing", **kw: Any) -> Script:
    """An answered call with media: of generation 1, but 2 for a modern outgoing one."""
    if direction == "incoming":
        leg = incoming(dialect, **kw)
        leg.want(s.WantAnswer())
        leg.answer_made(1)
        leg.media_up(1)
    elif dialect is MODERN:
        leg = calling(dialect, **kw)
        leg.sdp(offer("first"), code=200, cseq=1)
        leg.answer_made(2)
        leg.media_up(2)
    else:
        leg = calling(dialect, **kw)
        leg.sdp(answer("first"), code=200, cseq=1)
        leg.media_up(1)
    assert leg.dialog.state.value == "up"
    return leg


def quick(**kw: float) -> Timers:
    """The timers of the protocol, some of them changed."""
    return msgspec.structs.replace(Timers(), **kw)
