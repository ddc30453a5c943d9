"""vodiabot: an engine for bots that live on an extension of a Vodia PBX.

The public names: what plugins import. See docs/plugins.md.
"""

from . import errors, events
from .bot import Bot
from .calls import Call, Conference, Consultation, DomainCall, ParkedCall, Party, Phone, Text, format_number
from .errors import (
    Busy,
    CallEnded,
    ConnectionLost,
    DialError,
    DialFailed,
    IllegalMove,
    MediaError,
    NoAnswer,
    NotAccepted,
    NotAllowed,
    NotPermitted,
    Rejected,
    SourceError,
    SpeechUnavailable,
    TransferFailed,
    VodiabotError,
)
from .plugins import hookimpl
from .ports import Recording

__version__ = "0.1.0"

__all__ = [
    "Bot",
    "Busy",
    "Call",
    "CallEnded",
    "Conference",
    "ConnectionLost",
    "Consultation",
    "DialError",
    "DialFailed",
    "DomainCall",
    "IllegalMove",
    "MediaError",
    "NoAnswer",
    "NotAccepted",
    "NotAllowed",
    "NotPermitted",
    "ParkedCall",
    "Party",
    "Phone",
    "Recording",
    "Rejected",
    "SourceError",
    "SpeechUnavailable",
    "Text",
    "TransferFailed",
    "VodiabotError",
    "__version__",
    "errors",
    "events",
    "format_number",
    "hookimpl",
]
