"""What plugins hear: frozen structs, named as past facts.

Events carry ids, not handles; the dispatch adds the live `Call` or `DomainCall` to the hook's arguments. `at` is the
time in seconds since the epoch at which the bot learned of it.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What all events have."""

    at: float = 0.0
    """Seconds since the epoch."""


# --- the session -----------------------------------------------------------------------------------------------------


class SessionUp(Event, frozen=True, kw_only=True):
    """The registration was confirmed (or, with `register = false`, the socket is open). Alternates with SessionDown."""

    extension: str
    reason: str = ""


class SessionDown(Event, frozen=True, kw_only=True):
    """Socket, login or registration was lost. Alternates with SessionUp."""

    extension: str
    reason: str


class FrameReceived(Event, frozen=True, kw_only=True):
    """Every frame, as it came, understood or not."""

    extension: str
    text: str


# --- the bot's own legs ----------------------------------------------------------------------------------------------


class CallEvent(Event, frozen=True, kw_only=True):
    """Something about one of the bot's own legs."""

    call_id: str
    """`Call.id`: stable for the life of the call, even where the PBX renames the leg."""


class CallRinging(CallEvent, frozen=True, kw_only=True):
    """Incoming: it was offered to us. Outgoing: the other side rings. At most once a call."""

    early_media: bool = False
    """True where the PBX sends audio before the answer (code 183)."""


class CallAnswered(CallEvent, frozen=True, kw_only=True):
    """The call is up. At most once a call, never after CallEnded."""


class CallChanged(CallEvent, frozen=True, kw_only=True):
    """Something of a living call changed."""

    what: str
    """`held`, `resumed` (by us), `held_by_remote`, `resumed_by_remote`, `remote` (name or number), `early_media`,
    `recording`, `media_lost`, `media_back`, `transfer_refused`, `far_side_silent`, `far_side_heard`,
    `far_side_deaf`, `far_side_hears`."""


class CallSilent(CallEvent, frozen=True, kw_only=True):
    """The call is up and nobody is on hold, but no audio of the other side comes: one-way audio. Told once until audio
    comes again; `CallChanged` tells both."""

    seconds: float
    """For so long no audio packet came that should have."""


class CallUnheard(CallEvent, frozen=True, kw_only=True):
    """The call is up and nobody is on hold, but what the bot sends does not arrive, as the PBX's own reports say:
    one-way audio, the other way. Told once until it arrives again; `CallChanged` tells both."""

    seconds: float
    """For so long nothing of it has arrived."""


class CallEnded(CallEvent, frozen=True, kw_only=True):
    """The call is over. Exactly once a call."""

    reason: str
    """`hangup` (by us), `remote_hangup`, `busy`, `no_answer`, `cancelled`, `answered_elsewhere`, `transferred`,
    `rejected`, `media_lost`, `media_failed`, `connection_lost`, `failed`, `shutdown`."""
    code: int | None = None
    """SIP status code, where the PBX told one."""
    answered: bool = False
    duration: float = 0.0
    """Seconds from answer to end; 0.0 if never answered."""


# --- everybody else --------------------------------------------------------------------------------------------------


class Account(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One account of the domain: a snapshot."""

    account: str
    type: str = "extensions"
    """`extensions`, `attendants`, `acds`, `hunts`, `conferences`, … as the PBX names them."""
    name: str = ""
    registered: bool = False
    dnd: bool = False
    chat_status: str = ""
    """`online`, `offline` or empty if never told."""
    in_call: bool = False
    """It has at least one call now."""


class DomainCallInfo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One call of the PBX: a snapshot of its call-state entry."""

    id: str
    """The PBX's id of the call; not a call-id of a leg."""
    state: str
    """`alerting`, `ringing`, `ringback`, `connected`, `holding`, `onhold`, as the PBX names them."""
    from_number: str = ""
    from_name: str = ""
    to_number: str = ""
    to_name: str = ""
    start: float | None = None
    """Seconds since the epoch."""
    connect: float | None = None
    extensions: tuple[str, ...] = ()
    """The extensions that take part, without a leading `*`."""
    recording: bool = False


class AccountChanged(Event, frozen=True, kw_only=True):
    """Presence, DND or registration of an account changed, or the account is new or gone."""

    account: Account
    changed: tuple[str, ...]
    """Names of the fields that differ; `("added",)` or `("removed",)` for a new or vanished account."""


class DomainCallChanged(Event, frozen=True, kw_only=True):
    """A call of somebody else is new or changed."""

    call: DomainCallInfo
    changed: tuple[str, ...]
    """Names of the fields that differ; `("added",)` for a new call."""


class DomainCallEnded(Event, frozen=True, kw_only=True):
    """A call of somebody else is over; `call` is the last that was known of it. Exactly once a call."""

    call: DomainCallInfo


class ChatReceived(Event, frozen=True, kw_only=True):
    """A text message to the bot's extension."""

    src: str
    dest: str
    message: str


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What a call's audio has done so far."""

    codec: str = ""
    packets_sent: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    jitter: float | None = None
    """Seconds."""
    round_trip: float | None = None
    """Seconds."""
    extra: dict[str, Any] = {}
