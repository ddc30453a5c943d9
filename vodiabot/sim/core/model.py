"""What the PBX remembers: accounts, sockets, legs and calls. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..config import Service
from .effects import Feed


class Side(Enum):
    """Who began the leg."""

    CALLER = "caller"
    """The client placed the call."""
    CALLEE = "callee"
    """The PBX offered it to the client."""


class LegState(Enum):
    OFFERED = "offered"
    """Callee: the PBX's offer is being made, or the invite is sent."""
    RINGING = "ringing"
    """Callee: the client said that it rings."""
    TRYING = "trying"
    """Caller: nothing has been told yet."""
    PROCEEDING = "proceeding"
    """Caller: 180 or 183 was told."""
    UP = "up"
    ENDED = "ended"


@dataclass(frozen=True)
class Faults:
    """What goes wrong with the packets that a leg is sent."""

    loss: float = 0.0
    jitter_ms: float = 0.0
    seed: int = 0


@dataclass(eq=False)
class Account:
    user: str
    name: str
    type: str = "extensions"
    dnd: bool = False
    may_control: bool = False
    """Whether it may act on calls that it takes no part in."""
    last_pushed: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Socket:
    """One client's WebSocket."""

    id: str
    user: str
    browser: bool
    """Chromium and its like: the vendor's page. Gets `sdp` once, as a string, whatever the dialect."""
    heard: float
    subscriptions: set[str] = field(default_factory=set)
    watched: set[str] = field(default_factory=set)
    registered_until: float | None = None
    useragent: str = ""
    client: str = ""
    """The User-Agent of its upgrade: a client that comes back has the same."""
    virtual: bool = False
    """A phone of the PBX's own (`phones.Phone`): its frames and media never reach the shell."""


@dataclass(eq=False)
class Leg:
    """One call leg between the PBX and a client."""

    id: str
    """The model's own name for it."""
    call_id: str
    """The name on the wire."""
    user: str
    socket: str | None
    """None: the client's socket is gone, and perhaps comes back."""
    side: Side
    call: Call
    state: LegState
    order: int
    """Rises with every leg: the newest one is meant where a frame names none."""
    browser: bool = False
    client: str = ""
    """As its socket's."""
    virtual: bool = False
    """Of a phone of the PBX's own."""
    guessed: bool = False
    """Its client's new socket is a guess, until a frame names the leg."""
    ended_by_client: bool = False
    awaits: str = ""
    """The answer that is awaited although the leg is over: `bye-response` or `cancel-response`."""
    peer: int = 1
    cseq: int = 1
    media_up: bool = False
    described: bool = False
    """The client has got our description of the present peer: candidates may follow."""
    local_sdp: str = ""
    pbx_offers: bool = False
    """The PBX made the offer of the present peer, so an answer is awaited."""
    offering: bool = False
    """An offer of ours is out, or being made."""
    direction_due: str = ""
    """What the next offer of ours has to say, as soon as the one that is out is answered; "": nothing."""
    offers_made: int = 0
    """Tells one offer of ours from the next."""
    offered_at: float | None = None
    """When our first offer went out."""
    acknowledged: bool = False
    negotiated: bool = False
    """Offer and answer have been exchanged once."""
    ignores_client: bool = False
    """The client's own offer is not used, so its candidates aren't either, until it answers ours."""
    waiting_candidates: list[str | None] = field(default_factory=list)
    due_code: int | None = None
    """The code with which our description goes out as soon as it is there; None: not yet wanted."""
    held: bool = False
    """The client holds the other side."""
    muted: bool = False
    glared: set[str] = field(default_factory=set)
    """The commands that the service kind `glare` has already crossed."""
    silence: int | None = None
    """The deadline at which the call ends for want of audio."""
    says: Feed | None = None
    """What a phone of the PBX's own says."""
    feed: Feed | None = None
    faults: Faults = Faults()
    """Of what it is sent now."""
    wanted_faults: Faults | None = None
    """By a lever, whoever the other end is."""
    recording: bool = False
    digits: str = ""

    @property
    def ended(self) -> bool:
        return self.state is LegState.ENDED


@dataclass(eq=False)
class Call:
    """One call of the PBX; its id is in call-state and differs from every call-id."""

    id: str
    from_number: str
    from_name: str
    to_number: str
    to_name: str
    start: float
    connect: float | None = None
    legs: list[Leg] = field(default_factory=list)
    """Those that take part: at most two; ringing ones are in `ringing`."""
    ringing: list[Leg] = field(default_factory=list)
    service: Service | None = None
    """The other end, where it is a service."""
    service_feed: Feed | None = None
    service_run: int = 0
    """Rises whenever another service takes part, so that what an earlier one had planned is void."""
    rings: int = 0
    """Rises whenever phones begin to ring."""
    dials: str = ""
    """`make-call`: the number to dial as soon as one's own phone is picked up."""
    ended: bool = False
    parked: bool = False
    orbit: str = ""
    """Where it is parked; "" if that is nowhere in particular."""
    parked_by: str = ""
    parkings: int = 0
    """Rises whenever it is parked, so that what an earlier one had planned is void."""

    def other(self, leg: Leg) -> Leg | None:
        """The leg at the other end; None where that is a service, or nobody yet."""
        return next((one for one in self.legs if one is not leg and not one.ended), None)
