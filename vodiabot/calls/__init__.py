"""The switchboard of an extension and the call that a plugin holds.

`switchboard.Switchboard` is the sole owner of call-id → leg. Each leg (`leg.Leg`) has one queue, into which frames,
deadlines, media news and plugins' commands go, and one task that acts on them by way of the pure `protocol.dialog`.
"""

from .audio import CallAudio
from .call import Call
from .conference import Conference
from .consult import Consultation
from .gathering import Gathered
from .handler import Handler
from .limits import DialGuard
from .prompts import Text
from .settings import Route, Settings
from .switchboard import Switchboard

__all__ = [
    "Call",
    "CallAudio",
    "Conference",
    "Consultation",
    "DialGuard",
    "Gathered",
    "Handler",
    "Route",
    "Settings",
    "Switchboard",
    "Text",
]
