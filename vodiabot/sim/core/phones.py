"""Phones of the PBX's own, without socket and media: callers, called parties and desk phones for tests and operators.

Such a phone does what a client does, by a client's frames, but inside the model. What it says is a `Feed`, heard by the
other side; its digits are a `PressDigits` effect for the other side's leg. Every act takes `now` and gives effects,
like all inputs of the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import client, ending, push
from .effects import Effect, Feed, PressDigits
from .frames import BadFrame
from .model import Leg, LegState, Socket
from .offers import VIRTUAL_SDP
from .world import World

Run = Callable[[float, Callable[[], None]], list[Effect]]


class Phone:
    """One phone of an extension. It is registered while it is plugged in, rings by itself, and has one call at a time:
    another one gets 486. Acts that make no sense now (answer without a call) are logged and change nothing."""

    def __init__(self, world: World, run: Run, name: str, user: str, answers_after: float | None) -> None:
        self.user = user
        self.answers_after = answers_after
        """Seconds of ringing after which it picks up by itself; None: never."""
        self.frames: list[dict[str, Any]] = []
        """All that the PBX has told it."""
        self.code = 0
        """With which its last call was refused, or ended by the PBX; 0 if there was no code."""
        self.call_id = ""
        """Of its call, or of its last one."""
        self._world = world
        self._run = run
        self._socket = Socket(name, user, browser=True, heard=0.0, virtual=True)

    # --- what it does ------------------------------------------------------------------------------------------------

    def plug_in(self, now: float) -> list[Effect]:
        """It is registered from now on."""
        return self._run(now, self._plug_in)

    def unplug(self, now: float) -> list[Effect]:
        """It hangs up and is gone."""
        return self._run(now, self._unplug)

    def dial(self, now: float, to: str) -> list[Effect]:
        return self._run(now, lambda: self._dial(to))

    def answer(self, now: float) -> list[Effect]:
        return self._run(now, self._answer)

    def refuse(self, now: float, code: int = 486) -> list[Effect]:
        return self._act(now, "sip-busy", code=code)

    def hang_up(self, now: float) -> list[Effect]:
        """Also gives up, and refuses."""
        return self._act(now, "sip-bye")

    def hold(self, now: float) -> list[Effect]:
        return self._act(now, "wrtc-hold", holdcmd="sendonly")

    def resume(self, now: float) -> list[Effect]:
        return self._act(now, "wrtc-hold", holdcmd="sendrecv")

    def transfer(self, now: float, to: str) -> list[Effect]:
        return self._act(now, "blind-transfer2", id=self.call_id, to=to)

    def press(self, now: float, digits: str) -> list[Effect]:
        """To the other side."""
        return self._run(now, lambda: self._press(digits))

    def say(self, now: float, feed: Feed) -> list[Effect]:
        """What the other side hears of it from now on, in this call."""
        return self._run(now, lambda: self._say(feed))

    # --- how it is ---------------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """unplugged, idle, ringing, calling, up, holding."""
        leg = self._leg()
        if self._socket.id not in self._world.sockets:
            return "unplugged"
        if leg is None:
            return "idle"
        if leg.state is LegState.UP:
            return "holding" if leg.held else "up"
        return "ringing" if leg.state in (LegState.OFFERED, LegState.RINGING) else "calling"

    @property
    def hears(self) -> Feed | None:
        """What it hears now; `FromLeg` names the leg at the other end."""
        leg = self._leg()
        return leg.feed if leg else None

    @property
    def digits(self) -> str:
        """What the other side has pressed in this call."""
        leg = self._leg()
        other = leg.call.other(leg) if leg else None
        return other.digits if other else ""

    # --- inside ------------------------------------------------------------------------------------------------------

    def _leg(self) -> Leg | None:
        leg = self._world.by_call_id.get(self.call_id)
        return None if leg is None or leg.ended else leg

    def _act(self, now: float, action: str, **fields: Any) -> list[Effect]:
        return self._run(now, lambda: self._frame(action, callid=self.call_id, **fields))

    def _frame(self, action: str, **fields: Any) -> None:
        try:
            if self._socket.id not in self._world.sockets:
                raise BadFrame("the phone is not plugged in")
            client.handle(self._world, self._socket, {"action": action, **fields})
        except BadFrame as exc:
            self._world.log(exc.level, "phone refused", user=self.user, action=action, why=str(exc))

    def _soon(self, work: Callable[[], None], seconds: float = 0.0) -> None:
        """Never at once: the model may be in the middle of something."""
        self._world.clock.at(self._world.now + seconds, work)

    def _plug_in(self) -> None:
        world = self._world
        if self._socket.id not in world.sockets:
            world.sockets[self._socket.id] = self._socket
            world.phones[self._socket.id] = self._hear
            self._socket.registered_until = float("inf")
            push.account_changed(world, world.accounts[self.user])

    def _unplug(self) -> None:
        if self._leg() is not None:
            self._frame("sip-bye", callid=self.call_id)
        self._world.sockets.pop(self._socket.id, None)
        for leg in self._world.living(self._socket.id):
            ending.orphaned(self._world, leg)
        self._world.phones.pop(self._socket.id, None)
        push.account_changed(self._world, self._world.accounts[self.user])

    def _dial(self, to: str) -> None:
        if self._leg() is not None:
            self._world.log("warning", "phone refused", user=self.user, action="dial", why="it has a call")
            return
        self.code, self.call_id = 0, f"phone-{self._world.new_id()}"
        self._frame("sdp-packet", to=to, sdp=VIRTUAL_SDP, callid=self.call_id)

    def _answer(self) -> None:
        self._frame("sdp-200ok", callid=self.call_id, sdp=VIRTUAL_SDP)

    def _press(self, digits: str) -> None:
        leg = self._leg()
        if leg is None or leg.state is not LegState.UP:
            return
        leg.digits += digits
        other = leg.call.other(leg)
        if other is not None:
            self._world.emit(PressDigits(other.id, digits))

    def _say(self, feed: Feed) -> None:
        leg = self._leg()
        if leg is not None:
            leg.says = feed
            self._world.feed(leg.call)

    # --- what it is told ---------------------------------------------------------------------------------------------

    def _hear(self, frame: dict[str, Any]) -> None:
        self.frames.append(frame)
        call_id = frame.get("callid", "")
        if "invitesdp" in frame:
            self._invited(call_id)
        elif "bye" in frame or "cancel" in frame:
            action = "bye-response" if "bye" in frame else "cancel-response"
            self.code = frame.get("code", 0) if call_id == self.call_id else self.code
            self._soon(lambda: self._frame(action, callid=call_id, cseq=frame["cseq"]))
        elif "sdp" in frame:
            self._described(call_id, frame.get("code", 0))

    def _invited(self, call_id: str) -> None:
        if self._leg() is not None:
            self._soon(lambda: self._frame("sip-busy", callid=call_id, code=486))
            return
        self.code, self.call_id = 0, call_id
        self._soon(lambda: self._frame("sip-ringing", callid=call_id))
        if self.answers_after is not None:
            self._soon(lambda: self._pick_up(call_id), self.answers_after)

    def _pick_up(self, call_id: str) -> None:
        if call_id == self.call_id and self.state == "ringing":
            self._answer()

    def _described(self, call_id: str, code: int) -> None:
        leg = self._leg()
        if code >= 400:
            self.code = code
        elif leg is not None and leg.call_id == call_id and leg.state is LegState.UP and leg.offering:
            self._soon(self._answer)  # a new offer of the PBX
        self.call_id = call_id
