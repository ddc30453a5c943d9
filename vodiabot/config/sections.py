"""The tables of bot.toml: which keys each has, and of what kind. What an absent key means is in the model."""

from __future__ import annotations

from typing import Any

from . import kinds
from .countries import country
from .ice import ice_server
from .reading import Kind, ListOf, Spot, Table, Wrong, type_of
from .secrets import secret

DIALECTS = ("auto", "classic", "modern")
LOGIN_WAYS = ("password", "md5", "token", "url")

PBX_FIELDS: dict[str, Kind] = {
    "url": kinds.pbx_url,
    "domain": kinds.word,
    "country": country,
    "dialect": kinds.one_of(*DIALECTS),
    "login": kinds.one_of(*LOGIN_WAYS),
    "admin": Table({"user": kinds.word, "password": secret}, required=("user", "password")),
    "tls_verify": kinds.flag,
    "ca_file": kinds.readable_file,
}
EXTENSION_FIELDS: dict[str, Kind] = {"user": kinds.word, "password": secret, "register": kinds.flag}
BOT_FIELDS: dict[str, Kind] = {
    "state_dir": kinds.folder,
    "drain_timeout": kinds.duration(zero=True),
    "unrouted": kinds.one_of("ignore", "busy"),
}
MEDIA_FIELDS: dict[str, Kind] = {
    "codecs": ListOf(kinds.codec),
    "max_calls": kinds.whole(1),
    "ice_servers": ListOf(ice_server),
}
SPEECH_FIELDS: dict[str, Kind] = {
    "provider": kinds.one_of("auto", "espeak", "piper", "flite"),
    "voice": kinds.voice,
    "language": kinds.language,
    "model": kinds.voice_model,
    "speed": kinds.number(0.5, 3.0),
    "cache_mb": kinds.whole(0),
}
LIMITS_FIELDS: dict[str, Kind] = {
    "dial_allow": ListOf(kinds.dial_pattern),
    "dials_per_minute": kinds.whole(0),
    "chats_per_minute": kinds.whole(0),
    "hook_timeout": kinds.duration(),
    "error_budget": kinds.whole(1),
    "error_window": kinds.duration(),
    "blocked_after": kinds.duration(),
    "wrap_up": kinds.duration(zero=True),
}
PLUGINS_FIELDS: dict[str, Kind] = {
    "path": ListOf(kinds.folder),
    "enabled": ListOf(kinds.plugin_name, keep_places=True),
}
CONSOLE_FIELDS: dict[str, Kind] = {"listen": kinds.address}
OPS_FIELDS: dict[str, Kind] = {"listen": kinds.address, "remote": kinds.flag}
HTTP_FIELDS: dict[str, Kind] = {"listen": kinds.address, "hosts": ListOf(kinds.word)}
ROUTE_FIELDS: dict[str, Kind] = {
    "to": kinds.text,
    "from": kinds.text,
    "plugin": kinds.plugin_name,
    "fallback": kinds.maybe_text,
}


def raw_table(value: object, spot: Spot) -> dict[str, Any]:
    """A table that another room checks."""
    if not isinstance(value, dict):
        raise Wrong(f"must be a table, not {type_of(value)}")
    return value


def plugin_sections(value: object, spot: Spot) -> dict[str, dict[str, Any]]:
    """`[plugin.NAME]` of each plugin."""
    sections = raw_table(value, spot)
    for name, section in sections.items():
        if not isinstance(section, dict):
            (spot / name).complain("must be a table: the settings of a plugin go under [plugin.NAME]")
    return {name: section for name, section in sections.items() if isinstance(section, dict)}


_SECTIONS: dict[str, dict[str, Kind]] = {
    "[pbx]": PBX_FIELDS,
    "[[extension]]": EXTENSION_FIELDS,
    "[bot]": BOT_FIELDS,
    "[media]": MEDIA_FIELDS,
    "[speech]": SPEECH_FIELDS,
    "[limits]": LIMITS_FIELDS,
    "[plugins]": PLUGINS_FIELDS,
    "[console]": CONSOLE_FIELDS,
    "[ops]": OPS_FIELDS,
    "[http]": HTTP_FIELDS,
    "[[route]]": ROUTE_FIELDS,
}
_HOMES = {key: home for home, fields in reversed(_SECTIONS.items()) for key in fields}


def _section(fields: dict[str, Kind], *required: str) -> Table:
    return Table(fields, required, {key: home for key, home in _HOMES.items() if key not in fields})


BOT_TOML = Table(
    {
        "pbx": _section(PBX_FIELDS),
        "extension": ListOf(
            _section(EXTENSION_FIELDS, "user", "password"), "[[extension]]", keep_places=True
        ),
        "bot": _section(BOT_FIELDS),
        "media": _section(MEDIA_FIELDS),
        "speech": _section(SPEECH_FIELDS),
        "limits": _section(LIMITS_FIELDS),
        "plugins": _section(PLUGINS_FIELDS),
        "plugin": plugin_sections,
        "console": _section(CONSOLE_FIELDS),
        "ops": _section(OPS_FIELDS),
        "http": _section(HTTP_FIELDS),
        "route": ListOf(_section(ROUTE_FIELDS, "plugin"), "[[route]]", keep_places=True),
        "sim": raw_table,
    },
    homes={key: home for key, home in _HOMES.items() if key != "plugin"},
)
