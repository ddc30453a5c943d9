"""vodiabot: an engine for bots that live on an extension of a Vodia PBX.

The public names: what plugins import. See docs/plugins.md.
"""

from . import errors, events
from .bot import Bot
from .calls import Call, Conference, Consultation, DomainCall, ParkedCall, Party, Phone, Text, format_number
from .config import Secret
from .errors import (
    AsyncioCancelled,
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
    SpeechFailed,
    SpeechUnavailable,
    StoreError,
    TransferFailed,
    UsageError,
    VodiabotError,
)
from .http_routes import BadRequest, Request, Response
from .plugins import hookimpl
from .ports import Recording
from .schedules import Job
from .store import Store, StoreView, Transaction

__version__ = "0.1.0"

__all__ = [
    "AsyncioCancelled",
    "BadRequest",
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
    "Job",
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
    "Request",
    "Response",
    "Secret",
    "SourceError",
    "SpeechFailed",
    "SpeechUnavailable",
    "Store",
    "StoreError",
    "StoreView",
    "Text",
    "Transaction",
    "TransferFailed",
    "UsageError",
    "VodiabotError",
    "__version__",
    "errors",
    "events",
    "format_number",
    "hookimpl",
]
