"""What a sim.toml says, typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DIALECTS = ("classic", "modern")
CODECS = ("opus", "G722", "PCMU", "PCMA")

SERVICE_OPTIONS: dict[str, dict[str, Any]] = {
    "tone": {"hz": 1000.0},
    "echo": {},
    "play": {"file": None},
    "busy": {},
    "reject": {"code": 603},
    "no-answer": {},
    "ring": {"seconds": 3.0, "hz": 1000.0},
    "early": {"seconds": 3.0, "hz": 1000.0},
    "early-then-busy": {"seconds": 2.0},
    "direct-200": {"hz": 1000.0},
    "cancel-crosses-answer": {},
    "reoffer": {"seconds": 2.0, "hz": 1000.0, "new_transport": False},
    "glare": {"hz": 1000.0},
    "codec-mismatch": {},
    "media-stop": {"seconds": 2.0, "hz": 1000.0},
    "bye": {"seconds": 2.0, "hz": 1000.0},
    "refuse-transfer": {},
    "dtmf": {"digits": "159#", "seconds": 1.0},
    "silent": {},
}
"""Service kind → its options and their defaults; None: it has to be given."""

FAULTS: dict[str, float] = {"loss": 0.0, "jitter_ms": 0.0, "seed": 0}
"""Options of every kind: what goes wrong with the packets that its callers are sent."""


@dataclass(frozen=True)
class Extension:
    user: str
    password: str
    name: str = ""
    manages_calls: bool = False
    """It may act on calls that it takes no part in."""
    hidden: bool = False
    """Its password came out of a variable or a file: nobody is to be shown it."""

    def __repr__(self) -> str:
        return f"Extension({self.user!r}, ***, {self.name!r})"


@dataclass(frozen=True)
class Service:
    """A number that the simulator answers itself."""

    number: str
    kind: str
    hz: float = 1000.0
    file: str = ""
    code: int = 603
    seconds: float = 2.0
    new_transport: bool = False
    """Of a re-offer: from a new peer connection of the PBX's, with a new ufrag."""
    digits: str = "159#"
    """What the kind `dtmf` presses."""
    loss: float = 0.0
    """Percent of the packets that a caller is sent."""
    jitter_ms: float = 0.0
    """By up to so many milliseconds each of them is late."""
    seed: float = 0
    """Of both: the same one loses the same packets."""


@dataclass(frozen=True)
class Group:
    """A number that rings several extensions."""

    number: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Orbit:
    """A number on which one call can be parked."""

    number: str
    name: str = ""
    returns_after: float = 0.0
    """Seconds after which a call that nobody picked up rings at who parked it; 0: never."""


@dataclass(frozen=True)
class Admin:
    user: str = "admin"
    password: str = "admin"

    def __repr__(self) -> str:
        return f"Admin({self.user!r}, ***)"


@dataclass(frozen=True)
class SimConfig:
    domain: str = "localhost"
    dialect: str = "modern"
    expires: float = 60.0
    """Seconds of a registration."""
    server_header: str | None = None
    """None: as the dialect's; "": no such header."""
    admin: Admin = Admin()
    tls: bool | str | dict[str, str] = False
    """False, "self-signed", or `{ cert = "…", key = "…" }`."""
    codecs: tuple[str, ...] = CODECS
    """What the PBX speaks; the client's order counts."""
    rename_calls: bool = False
    """The first `sdp` frame brings a call-id of the PBX's own."""
    sloppy_setup: bool = False
    """Classic answers are marked `a=setup:actpass` and lack `a=mid`, as of older PBXs. Never to browsers."""
    hold_by_reoffer: bool = False
    """Who is held gets an offer that says so, besides the music. Never browsers."""
    browsers_offer: bool = True
    """To a client whose upgrade names a browser ("Mozilla/" in its User-Agent) the PBX answers as a classic one would,
    whatever the dialect: the vendor's example knows no other way."""
    extensions: tuple[Extension, ...] = ()
    services: tuple[Service, ...] = ()
    groups: tuple[Group, ...] = ()
    orbits: tuple[Orbit, ...] = ()
    tells_names: bool = True
    """Who has another other side than before, as after a transfer, gets a `callerid`, besides what the lists say."""
