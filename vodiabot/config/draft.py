"""From the values that were read to a Config: overrides, what depends on more than one key, passwords."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import platformdirs

from ..errors import ConfigError, Problem
from . import kinds
from .model import (
    AdminConfig,
    BotConfig,
    Config,
    ConsoleConfig,
    ExtensionConfig,
    HttpConfig,
    LimitsConfig,
    MediaConfig,
    OpsConfig,
    PbxConfig,
    PluginsConfig,
    RouteConfig,
    Secret,
    SpeechConfig,
    Where,
)
from .overrides import COMMAND_LINE, Overrides
from .reading import Source, Spot, suggestion
from .sections import BOT_TOML

Values = dict[str, Any]

SIM_DOMAIN = "localhost"
"""The domain of a `[sim]` that names none."""


def default_state_dir() -> Path:
    """The platform's own place."""
    return Path(platformdirs.user_state_dir("vodiabot")).absolute()


class Draft:
    """One document on its way to a Config."""

    def __init__(self, doc: dict[str, Any], source: Source, overrides: Overrides) -> None:
        self._doc = doc
        self._source = source
        self._top = source.top
        self._given = overrides
        self._command_line = replace(source, file=COMMAND_LINE, lines={}).top
        self._over = overrides.checked(self._command_line.source)
        self._read: Values = BOT_TOML(doc, self._top)

    def config(self, *, pbx_optional: bool) -> Config:
        """Raises ConfigError with all that is wrong."""
        pbx = self._pbx(pbx_optional)
        extensions = self._extensions()
        media = self._media()
        self._check_plugins()
        self._check_routes()
        self._check_ops()
        self._check_addresses()
        self._check_speech()
        if self._source.problems:
            raise ConfigError(in_order(self._source.problems, self._source.file), self._of_others())
        return Config(
            pbx=PbxConfig(**pbx),
            extensions=tuple(ExtensionConfig(**values) for values in extensions),
            bot=self._bot(),
            media=MediaConfig(**media),
            speech=SpeechConfig(**self._read.get("speech", {})),
            limits=LimitsConfig(**self._read.get("limits", {})),
            plugins=PluginsConfig(**self._read.get("plugins", {})),
            console=ConsoleConfig(**self._read.get("console", {})),
            ops=OpsConfig(**self._read.get("ops", {})),
            http=HttpConfig(**self._read.get("http", {})),
            plugin=self._read.get("plugin", {}),
            routes=tuple(_route(values) for values in self._read.get("route", ())),
            sim=self._read.get("sim"),
            where=Where(file=self._source.file, lines=self._source.lines),
        )

    def _of_others(self) -> Config | None:
        """What plugins, the simulator and the machine have to judge, as far as it can be told."""
        plugins: Values = dict(self._read.get("plugins", {}))
        if not self._plugins_can_be_told():
            return None
        plugins["enabled"] = tuple(name for name in plugins.get("enabled", ()) if name is not None)
        return Config(
            pbx=PbxConfig(url="", domain=""),
            extensions=(),
            bot=self._bot(),
            plugins=PluginsConfig(**plugins),
            plugin=self._read.get("plugin", {}),
            sim=self._read.get("sim"),
            where=Where(file=self._source.file, lines=self._source.lines),
        )

    def _plugins_can_be_told(self) -> bool:
        """Where they lie, which they are, and their sections; of `enabled`, a wrong name is no reason to be silent of
        the others."""
        keys = [problem.key for problem in self._source.problems]
        return not any(key.startswith("plugin") and not key.startswith("plugins.enabled[") for key in keys)

    # --- [pbx] ---------------------------------------------------------------------------------------------

    def _pbx(self, optional: bool) -> Values:
        spot = self._top / "pbx"
        values: Values = dict(self._read.get("pbx", {}))
        values.update({key: value for key, value in self._over.items() if key != "user"})
        if "url" not in values and optional and self._simulated():
            values["url"] = ""
        if "url" not in values:
            self._complain_of_no_url(spot)
        elif "domain" not in values:
            values["domain"] = self._domain(spot, values["url"])
        self._check_tls(spot, values)
        values["admin"] = self._admin(spot, values)
        return values

    def _simulated(self) -> bool:
        """There is a simulator and no PBX: then the caller says later where it listens."""
        return "pbx" not in self._doc and "sim" in self._doc

    def _complain_of_no_url(self, spot: Spot) -> None:
        if self._given.url is not None or "url" in self._raw("pbx"):
            return  # there is one, and what is wrong with it was told
        if isinstance(self._doc.get("pbx"), dict):
            (spot / "url").complain("missing")
        elif "pbx" in self._doc:
            return  # it is no table, and that was told
        elif "sim" in self._doc:
            spot.complain("missing; with [sim] alone only `vodiabot demo` works")
        else:
            spot.complain("missing: [pbx] says where the PBX is")

    def _domain(self, spot: Spot, url: str) -> str:
        """Not written: the simulator's, or the host of the URL, where a PBX usually has its domain."""
        if self._given.domain is not None or "domain" in self._raw("pbx"):
            return ""  # it was wrong, and told
        if any('did you mean "domain"' in problem.message for problem in self._source.problems):
            return ""
        if self._simulated():
            simulated = self._read.get("sim", {}).get("domain")
            return simulated if isinstance(simulated, str) and simulated else SIM_DOMAIN
        host = kinds.host_name(url)
        if not host:
            (spot / "domain").complain("missing, and the host of the url is an address, not a domain")
        return host

    def _check_tls(self, spot: Spot, values: Values) -> None:
        if values.get("tls_verify") is False and "ca_file" in self._raw("pbx"):
            (spot / "ca_file").complain("makes no sense with tls_verify = false; leave one of them out")

    def _admin(self, spot: Spot, values: Values) -> AdminConfig | None:
        """Only for `login = "token"`: else its password need not be at hand."""
        if values.get("login") != "token":
            return None
        if "admin" not in self._raw("pbx"):
            (spot / "login").complain('"token" needs an administrator: admin = { user = "…", password = … }')
        admin = values.get("admin", {})
        password = admin["password"].resolve() if "password" in admin else None
        return AdminConfig(user=admin["user"], password=password) if password and "user" in admin else None

    # --- [[extension]] -------------------------------------------------------------------------------------

    def _extensions(self) -> list[Values]:
        spot = self._top / "extension"
        read = self._read.get("extension", ())
        listed = [(i, values) for i, values in enumerate(read) if values is not None]
        _complain_of_twins(spot, [(i, values.get("user")) for i, values in listed], "user")
        chosen = [dict(values) for _, values in listed]
        if self._given.user is not None:
            chosen = self._extension_of_user(chosen)
        elif self._doc.get("extension", []) == []:
            spot.complain("missing: at least one [[extension]] with user and password")
        if self._given.password is not None:
            self._override_password(chosen, self._given.password)
        for values in chosen:
            if "password" in values and not isinstance(values["password"], Secret):
                values["password"] = values["password"].resolve()
        return chosen

    def _extension_of_user(self, listed: list[Values]) -> list[Values]:
        user = self._over.get("user")
        known = [values for values in listed if values.get("user") == user]
        if not known and self._given.password is None and user is not None:
            spot = self._command_line / "--user"
            spot.complain(f"{user} is no [[extension]] of the file; its password is needed: --password-env")
        return known[:1] or [{"user": user}]

    def _override_password(self, chosen: list[Values], password: Secret) -> None:
        if len(chosen) > 1:
            spot = self._command_line / "--password-env"
            spot.complain("there are several extensions: say which with --user")
        for values in chosen:
            values["password"] = password

    # --- the rest ------------------------------------------------------------------------------------------

    def _bot(self) -> BotConfig:
        values: Values = dict(self._read.get("bot", {}))
        values.setdefault("state_dir", default_state_dir())
        return BotConfig(**values)

    def _media(self) -> Values:
        spot = self._top / "media"
        values: Values = dict(self._read.get("media", {}))
        if self._raw("media").get("codecs") == []:
            (spot / "codecs").complain("must name at least one codec")
        _complain_of_twins(spot / "codecs", enumerate(values.get("codecs", ())))
        if "ice_servers" in values:
            values["ice_servers"] = tuple(url for server in values["ice_servers"] for url in server.resolve())
        return values

    def _check_plugins(self) -> None:
        enabled = self._read.get("plugins", {}).get("enabled", ())
        _complain_of_twins(self._top / "plugins" / "enabled", enumerate(enabled))

    def _check_ops(self) -> None:
        """It tells much and asks for no password."""
        values = self._read.get("ops", {})
        if values.get("listen") and not values.get("remote") and not kinds.is_loopback(values["listen"]):
            spot = self._top / "ops" / "listen"
            spot.complain("others can reach this address; if that is meant, say so: remote = true")

    def _check_addresses(self) -> None:
        """Each server has one of its own; of port 0 the system gives each another one."""
        taken: dict[str, str] = {}
        for name in ("console", "ops", "http"):
            address = self._read.get(name, {}).get("listen")
            if not address or address.endswith(":0"):
                continue
            if address in taken:
                (self._top / name / "listen").complain(f"[{taken[address]}] listens on {address}, too")
            taken[address] = name

    def _check_speech(self) -> None:
        spot = self._top / "speech"
        values = self._raw("speech")
        if values.get("provider") == "piper" and "model" not in values:
            (spot / "provider").complain('"piper" needs the .onnx file of a voice: model = "…"')
        if values.get("provider") in ("espeak", "flite") and "model" in values:
            (spot / "model").complain(f'makes no sense with provider = "{values["provider"]}"; it is for piper')

    def _check_routes(self) -> None:
        enabled = self._enabled()
        if enabled is None:
            return
        for i, values in enumerate(self._read.get("route", ())):
            name = values.get("plugin") if values else None
            if name is not None and name not in enabled:
                hint = suggestion(name, enabled)
                spot = self._top / "route" / i / "plugin"
                spot.complain(f'"{name}" is not in enabled of [plugins]{hint}')

    def _enabled(self) -> tuple[str, ...] | None:
        """None where `enabled` itself has mistakes: they are enough to tell."""
        if "enabled" not in self._raw("plugins"):
            return () if isinstance(self._doc.get("plugins", {}), dict) else None
        enabled = self._read.get("plugins", {}).get("enabled")
        return None if enabled is None or None in enabled else enabled

    def _raw(self, table: str) -> Values:
        """What the file says in a table, right or wrong; nothing where it is no table."""
        section = self._doc.get(table)
        return section if isinstance(section, dict) else {}


def _complain_of_twins(spot: Spot, named: Iterable[tuple[int, Any]], key: str = "") -> None:
    """The second of two equal ones is the mistake."""
    seen: set[Any] = set()
    for i, name in named:
        if name is not None and name in seen:
            (spot / i / key if key else spot / i).complain(f'"{name}" is there twice')
        seen.add(name)


def _route(values: Values) -> RouteConfig:
    return RouteConfig(**{"from_" if key == "from" else key: value for key, value in values.items()})


def in_order(problems: Iterable[Problem], file: str) -> list[Problem]:
    """By line; what has no line after it, what is not in the file first. Each once."""
    once = dict.fromkeys(problems)
    return sorted(once, key=lambda p: (p.file == file, p.line is None, p.line or 0))
