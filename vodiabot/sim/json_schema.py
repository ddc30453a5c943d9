"""`[sim]` of bot.toml, and sim.toml, as JSON Schema (draft 2020-12), for editors."""

from __future__ import annotations

from typing import Any

from .config_model import CODECS, DIALECTS, FAULTS, SERVICE_OPTIONS

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
NAME: Json = {"type": "string", "minLength": 1}
FLAG: Json = {"type": "boolean"}
SECONDS: Json = {"type": "number", "minimum": 0}
_OPTIONS: dict[str, Json] = {
    "file": NAME,
    "code": {"type": "integer", "minimum": 400, "maximum": 699},
    "digits": {"type": "string", "pattern": "^[0-9A-D*#]+$"},
    "new_transport": FLAG,
}


def _table(properties: Json, *required: str) -> Json:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


_PASSWORD: Json = {"anyOf": [TEXT, _table({"env": NAME}, "env"), _table({"file": NAME}, "file")]}


def _rows(row: Json) -> Json:
    return {"type": "array", "items": row}


def _service(kind: str) -> Json:
    """Each kind has options of its own."""
    options = {**SERVICE_OPTIONS[kind], **FAULTS}
    properties = {name: _OPTIONS.get(name, {"type": "number", "minimum": 0}) for name in options}
    needed = [name for name, default in options.items() if default is None]
    return _table({"number": NAME, "kind": {"const": kind}, **properties}, "number", "kind", *needed)


def sim_schema() -> Json:
    """Of the table."""
    files = _table({"cert": NAME, "key": NAME}, "cert", "key")
    return _table(
        {
            "domain": NAME,
            "dialect": {"enum": list(DIALECTS)},
            "expires": {"type": "number", "minimum": 1},
            "server_header": TEXT,
            "admin": _table({"user": TEXT, "password": _PASSWORD}),
            "tls": {"anyOf": [{"enum": [False, "self-signed"]}, files]},
            "codecs": _rows({"enum": list(CODECS)}),
            "rename_calls": FLAG,
            "sloppy_setup": FLAG,
            "hold_by_reoffer": FLAG,
            "browsers_offer": FLAG,
            "tells_names": FLAG,
            "extension": _rows(
                _table({"user": NAME, "password": _PASSWORD, "name": TEXT, "manages_calls": FLAG}, "user", "password")
            ),
            "service": _rows({"oneOf": [_service(kind) for kind in SERVICE_OPTIONS]}),
            "group": _rows(_table({"number": NAME, "members": _rows(TEXT)}, "number", "members")),
            "park": _rows(_table({"number": NAME, "name": TEXT, "returns_after": SECONDS}, "number")),
        }
    )
