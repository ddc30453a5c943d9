"""What the PBX is owed for a frame of a call that is none of ours, or is one no more. Pure."""

from __future__ import annotations

from ..protocol import commands
from ..protocol import messages as m


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
