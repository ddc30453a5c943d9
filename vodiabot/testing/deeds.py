"""What the bot does, as the PBX and the other side see it: frames and sounds in, deeds in plain words out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..sim.core.frames import number_of
from .sounds import Sound, name_of, text_of
from .story import Deed, Deeds, Story

DIGITS_TOGETHER = 0.5
"""Seconds between two digits that count as one deed."""


class Watcher:
    """Writes down what the bot does, in `did` and in the story. Pure: it knows frames and sounds, and no PBX."""

    def __init__(self, story: Story) -> None:
        self.did = Deeds()
        self._story = story
        self._numbers: dict[str, str] = {}
        """Call-id → the other side, as it was when the call began."""
        self._placed: list[str] = []
        """Call-ids of the bot's own calls that are not answered yet."""
        self._offered: set[str] = set()
        self._ended: set[str] = set()
        self._held: set[str] = set()
        self._pressed: tuple[str, str, float] = ("", "", 0.0)

    def _do(self, text: str) -> None:
        self._story.tell(f"the bot {text}")
        self.did.append(Deed.done(text, self._story.clock()))

    def number(self, call_id: str) -> str:
        """Who was at the other side when the call began."""
        return self._numbers.get(call_id, "nobody")

    # --- frames ------------------------------------------------------------------------------------------------------

    def told(self, frame: dict[str, Any]) -> None:
        """One to the bot."""
        call_id = str(frame.get("callid") or "")
        if "invitesdp" in frame:
            self._offered.add(call_id)
            self._numbers[call_id] = number_of(str(frame.get("from-number") or frame.get("from") or ""))
        elif frame.get("response") == "refer" and int(frame.get("code") or 0) >= 400:
            self._story.tell(f"the PBX refuses the transfer of {self.number(call_id)} with {frame['code']}")
        elif "bye" in frame or "cancel" in frame or int(frame.get("code") or 0) >= 400:
            self._ended.add(call_id)
        elif "sdp" in frame and call_id not in self._numbers and self._placed:
            self._numbers[call_id] = self._numbers[self._placed[-1]]  # the PBX has renamed the call
            self._placed.append(call_id)

    def frame(self, frame: dict[str, Any]) -> None:
        """One of the bot's, before the PBX acts on it."""
        doing = _DOINGS.get(str(frame.get("action")))
        if doing is not None:
            doing(self, frame, str(frame.get("callid") or frame.get("id") or ""))

    def _places(self, frame: dict[str, Any], call_id: str) -> None:
        self._numbers[call_id] = number_of(str(frame.get("to", "")))
        self._placed.append(call_id)
        self._do(f"calls {self._numbers[call_id]}")

    def _accepts(self, frame: dict[str, Any], call_id: str) -> None:
        if call_id in self._offered:  # else it answers an offer of the PBX's in a call
            self._offered.discard(call_id)
            self._do(f"answers {self.number(call_id)}")

    def _is_answered(self, frame: dict[str, Any], call_id: str) -> None:
        number = self.number(call_id)
        self._placed = [one for one in self._placed if self.number(one) != number]

    def _refuses(self, frame: dict[str, Any], call_id: str) -> None:
        self._do(f"rejects {self.number(call_id)} with {frame.get('code', 486)}")

    def _hangs_up(self, frame: dict[str, Any], call_id: str) -> None:
        if call_id in self._ended:
            return
        self._ended.add(call_id)
        given_up = call_id in self._placed
        self._do(f"gives up calling {self.number(call_id)}" if given_up else f"hangs up on {self.number(call_id)}")

    def _holds(self, frame: dict[str, Any], call_id: str) -> None:
        if frame.get("holdcmd") == "sendonly":
            self._held.add(call_id)
            self._do(f"holds {self.number(call_id)}")
        elif call_id in self._held:
            self._held.discard(call_id)
            self._do(f"resumes {self.number(call_id)}")

    def _transfers(self, frame: dict[str, Any], call_id: str) -> None:
        to = number_of(str(frame.get("to", "")))
        parked = to.startswith("*85")
        self._do(f"{'parks' if parked else 'transfers'} {self.number(call_id)} to {to.removeprefix('*85')}")

    def _joins(self, frame: dict[str, Any], call_id: str) -> None:
        self._do(f"joins {self.number(call_id)} and {self.number(str(frame.get('id2')))}")

    def _mutes(self, frame: dict[str, Any], call_id: str) -> None:
        self._do(f"{'mutes' if frame.get('muted') else 'unmutes'} itself for {self.number(call_id)}")

    def _records(self, frame: dict[str, Any], call_id: str) -> None:
        on = frame.get("startstop") == "on"
        self._do(f"{'starts' if on else 'stops'} the PBX's recording of {self.number(call_id)}")

    def _writes(self, frame: dict[str, Any], call_id: str) -> None:
        self._do(f"writes to {frame.get('dest')}: '{frame.get('message')}'")

    def _uses_phone(self, frame: dict[str, Any], call_id: str) -> None:
        what = {
            "make-call": f"calls {frame.get('to')} from the desk phone",
            "hold-call": "holds a call of the desk phone",
            "accept-call": "picks up the desk phone",
            "clear-call": "clears a call",
        }
        self._do(what[frame["action"]])

    # --- audio -------------------------------------------------------------------------------------------------------

    def sound(self, number: str, sound: Sound) -> None:
        """One of the bot's begins or ends."""
        if sound.ended is not None:
            if not sound.whole:
                self._story.tell(f"the bot stops {sound.name} after {sound.ended - sound.began:.1f} s")
            return
        text = text_of(sound.what)
        self._do(f"says '{text}' to {number}" if text else f"plays {name_of(sound.what)} to {number}")

    def digit(self, number: str, digit: str) -> None:
        """The bot presses a key; those that follow one another at once are one deed."""
        now = self._story.clock()
        pressed, to, at = self._pressed
        goes_on = to == number and now - at <= DIGITS_TOGETHER and self.did and self.did[-1].startswith("presses")
        self._pressed = (pressed + digit if goes_on else digit, number, now)
        if goes_on:
            before = self.did.pop()
            self._story.tell(f"the bot presses {digit}")
            self.did.append(Deed.done(f"presses {self._pressed[0]} for {number}", getattr(before, "at", now)))
        else:
            self._do(f"presses {digit} for {number}")

    def recording(self, number: str) -> None:
        """A recording of the bot's own begins."""
        self._do(f"records {number}")


_DOINGS: dict[str, Callable[[Watcher, dict[str, Any], str], None]] = {
    "sdp-packet": Watcher._places,
    "sdp-200ok": Watcher._accepts,
    "sip-ack": Watcher._is_answered,
    "sip-busy": Watcher._refuses,
    "sip-bye": Watcher._hangs_up,
    "wrtc-hold": Watcher._holds,
    "blind-transfer2": Watcher._transfers,
    "blind-transfer": Watcher._transfers,
    "att-transfer": Watcher._joins,
    "mute": Watcher._mutes,
    "rec-call": Watcher._records,
    "chat": Watcher._writes,
    "make-call": Watcher._uses_phone,
    "hold-call": Watcher._uses_phone,
    "accept-call": Watcher._uses_phone,
    "clear-call": Watcher._uses_phone,
}
"""Frames that are deeds; the others are the protocol's own business."""
