"""A leg and its call, as the switchboard keeps them and as matching sees them."""

from __future__ import annotations

from .. import events
from ..errors import Busy, ConnectionLost, DialFailed, NoAnswer, Rejected
from ..protocol import steps
from ..protocol.dialog import State
from .call import Call
from .leg import Leg


class LegAndCall:
    """What matching sees of a leg."""

    def __init__(self, leg: Leg, call: Call, began: float) -> None:
        self.leg = leg
        self.call = call
        self.began = began

    @property
    def call_ids(self) -> frozenset[str]:
        return self.leg.dialog.aliases

    @property
    def local(self) -> str:
        return self.call.extension

    @property
    def remote_number(self) -> str:
        return self.call.remote.number

    @property
    def may_be_listed(self) -> bool:
        """The PBX can't list a call that it has not been told of, and one that is over is on its way out."""
        return self.leg.ended is None and self.leg.dialog.state not in (State.NEW, State.DIALING)

    @property
    def end_may_be_listed(self) -> bool:
        """It is over, and the PBX may still tell why."""
        return self.leg.end is not None and self.leg.end.presumed


def call_ended(call: Call, fact: steps.LegEnded) -> events.CallEnded:
    """What plugins hear of the end."""
    assert call.ended is not None
    return events.CallEnded(
        at=call.ended,
        call_id=call.id,
        reason=fact.reason,
        code=fact.code,
        answered=call.answered is not None,
        duration=call.duration,
    )


def dial_error(leg: Leg) -> Exception:
    end = leg.end
    assert end is not None
    match end.reason:
        case "busy":
            return Busy(f"{leg.dialog.to} is busy", end.code)
        case "no_answer" if end.code is None:
            return NoAnswer(f"{leg.dialog.to} did not answer in time", timed_out=True)
        case "no_answer" | "cancelled":
            return NoAnswer(f"{leg.dialog.to} did not answer", end.code)
        case "rejected":
            return Rejected(end.code or 500, end.words)
        case "connection_lost":
            return ConnectionLost("the connection to the PBX was lost while it rang")
    why = end.reason + (f" ({end.code})" if end.code else "")
    return DialFailed(f"the call to {leg.dialog.to} failed: {why}", end.code)
