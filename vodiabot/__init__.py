"""vodiabot: an engine for bots that live on an extension of a Vodia PBX.

The public names: what plugins import. See docs/plugins.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import errors, events
    from .bot import Bot
    from .calls import Call, Conference, Consultation, DomainCall, ParkedCall, Party, Phone, Text, format_number
    from .config import Secret, SoundFile, SpokenText, Voice
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

_HOMES: dict[str, tuple[str, ...]] = {
    "bot": ("Bot",),
    "calls": (
        "Call",
        "Conference",
        "Consultation",
        "DomainCall",
        "ParkedCall",
        "Party",
        "Phone",
        "Text",
        "format_number",
    ),
    "config": ("Secret", "SoundFile", "SpokenText", "Voice"),
    "errors": (
        "AsyncioCancelled",
        "Busy",
        "CallEnded",
        "ConnectionLost",
        "DialError",
        "DialFailed",
        "IllegalMove",
        "MediaError",
        "NoAnswer",
        "NotAccepted",
        "NotAllowed",
        "NotPermitted",
        "Rejected",
        "SourceError",
        "SpeechFailed",
        "SpeechUnavailable",
        "StoreError",
        "TransferFailed",
        "UsageError",
        "VodiabotError",
    ),
    "http_routes": ("BadRequest", "Request", "Response"),
    "plugins": ("hookimpl",),
    "ports": ("Recording",),
    "schedules": ("Job",),
    "store": ("Store", "StoreView", "Transaction"),
}
"""Module → the public names that live in it. They are imported when they are asked for: a test run that has the kit's
pytest plugin need not wait for the audio libraries."""

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
    "SoundFile",
    "SourceError",
    "SpeechFailed",
    "SpeechUnavailable",
    "SpokenText",
    "Store",
    "StoreError",
    "StoreView",
    "Text",
    "Transaction",
    "TransferFailed",
    "UsageError",
    "VodiabotError",
    "Voice",
    "__version__",
    "errors",
    "events",
    "format_number",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name in ("errors", "events"):
        return import_module(f".{name}", __name__)
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
