"""The switchboard of an extension and the call that a plugin holds.

`switchboard.Switchboard` is the sole owner of call-id → leg. Each leg (`leg.Leg`) has one queue, into which frames,
deadlines, media news and plugins' commands go, and one task that acts on them by way of the pure `protocol.dialog`.
"""

from .call import Call
from .conference import Conference
from .consult import Consultation
from .handler import Handler
from .limits import DialGuard
from .settings import Route, Settings
from .switchboard import Switchboard

__all__ = ["Call", "Conference", "Consultation", "DialGuard", "Handler", "Route", "Settings", "Switchboard"]
