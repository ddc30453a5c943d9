"""Frames under a call-id that names no living call: whom they mean, or what the PBX is owed for them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..protocol import commands
from ..protocol import messages as m
from .leg import Leg
from .numbers import same_number


def owed(message: m.Message, call_id: str, *, was_ours: bool) -> commands.Command | None:
    """None: nothing. An answer that comes long after we gave up, or ended the call, gets its bye all the same: whoever
    has picked up would hear nothing."""
    match message:
        case m.Bye(cseq=cseq):
            return commands.AnswerBye(call_id=call_id, cseq=cseq)
        case m.Cancel():
            return commands.AnswerCancel(call_id=call_id)
        case m.Sdp(code=int(code)) if was_ours and 200 <= code < 300:
            return commands.HangUp(call_id=call_id, caller=True)
    return None


def meant_by(message: m.Sdp | m.Candidate, legs: Sequence[Leg], country: str) -> Leg | None:
    """Whose `sdp-packet` a frame with a new call-id answers: one that has no answer yet, else one that was given up
    before it had any. Of several, oldest first, one to the number that the frame names; else it is open which."""
    waiting = [leg for leg in legs if leg.dialog.awaits_first_sdp] or [leg for leg in legs if leg.dialog.unheard]
    if len(waiting) > 1:
        to = message.to_user if isinstance(message, m.Sdp) else ""
        waiting = [leg for leg in waiting if same_number(leg.dialog.to, to, country)]
    return waiting[0] if waiting else None
