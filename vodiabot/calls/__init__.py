"""The switchboard of an extension and the call that a plugin holds.

`switchboard.Switchboard` is the sole owner of call-id → leg. Each leg (`leg.Leg`) has one queue, into which frames,
deadlines, media news and plugins' commands go, and one task that acts on them by way of the pure `protocol.dialog`.
"""

from .audio import CallAudio
from .call import Call
from .conference import Conference
from .consult import Consultation
from .control import CallControl
from .domain_call import DomainCall
from .farewells import Farewells
from .gathering import Gathered
from .handler import Handler
from .limits import DialGuard, PerMinute
from .numbers import format_number
from .park import ParkedCall, Parking
from .pbx_clock import PbxClock
from .permits import Permits
from .phone import Phone
from .prompts import Text
from .remote import Party
from .settings import Route, Settings
from .switchboard import Switchboard

__all__ = [
    "Call",
    "CallAudio",
    "CallControl",
    "Conference",
    "Consultation",
    "DialGuard",
    "DomainCall",
    "Farewells",
    "Gathered",
    "Handler",
    "ParkedCall",
    "Parking",
    "Party",
    "PbxClock",
    "PerMinute",
    "Permits",
    "Phone",
    "Route",
    "Settings",
    "Switchboard",
    "Text",
    "format_number",
]
