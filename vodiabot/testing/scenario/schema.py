"""The JSON Schema of a scenario, for editors; made of the same tables as the reader's."""

from __future__ import annotations

from typing import Any

from ...plugins import HOOKS
from ..plugin_faults import KINDS as PLUGIN_KINDS
from .faults import GOES_WITH
from .model import OPTIONS, VERBS, Takes

Json = dict[str, Any]

DURATION: Json = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^\s*[0-9.]+(ms|s|m|h|d)([0-9.]+(ms|s|m|h))*\s*$"},
    ]
}
CODE: Json = {"type": "integer", "minimum": 400, "maximum": 699}
TEXT: Json = {"type": "string", "pattern": r"\S"}
TRUE: Json = {"enum": [True]}

TAKES: dict[Takes, Json] = {
    "text": TEXT,
    "digits": {"type": "string", "pattern": "^[0-9A-D*#]+$"},
    "seconds": DURATION,
    "flag": TRUE,
    "on or off": {"type": "boolean"},
    "code": CODE,
    "code or true": {"anyOf": [TRUE, CODE]},
    "text or true": {"anyOf": [TRUE, TEXT]},
    "number": {"type": "number", "minimum": 1, "maximum": 20000},
}

PERSON: Json = {
    "type": "object",
    "description": "Somebody who takes part. A caller with the id \"caller\" is always there.",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]*$", "description": "How steps name it."},
        "number": {"type": "string", "pattern": r"^\S+$", "description": "Only the caller has one by default."},
        "name": {**TEXT, "description": "The name that the PBX shows."},
        "inside": {"type": "boolean", "description": "An extension of the domain, not a number elsewhere."},
        "answers_after": {**DURATION, "description": "It is picked up by itself, after so long."},
        "refuses": {**CODE, "description": "It refuses each call with this code; 486 is busy."},
        "extension": {
            "type": "string",
            "pattern": r"^\S+$",
            "description": "Against a real PBX: which [[extension]] of bot.toml plays the part.",
        },
    },
}


def schema() -> Json:
    """As JSON Schema 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scenario of vodiabot",
        "type": "object",
        "required": ["step"],
        "additionalProperties": False,
        "properties": {
            "name": {**TEXT, "description": "What it shows."},
            "settings": {
                "description": "The bot: the tables of a bot.toml, or its path. Not used against a real PBX.",
                "anyOf": [{"type": "object"}, TEXT],
            },
            "start": {"type": "string", "description": "The time on the wall when it begins, in virtual time."},
            "seed": {"type": "integer", "minimum": 0, "description": "Of the PBX's ids, in virtual time."},
            "person": {"type": "array", "items": PERSON},
            "step": {"type": "array", "items": {"oneOf": [_step(name) for name in VERBS]}},
            "fault": {"type": "array", "items": {"oneOf": [_fault(kind) for kind in GOES_WITH]}},
            "did": {"type": "array", "items": TEXT, "description": "All that the bot did, in the end."},
        },
    }


FAULT: Json = {
    "frame": {"type": "string", "pattern": r"^\S+$", "description": "Its action, or the key by which it is known."},
    "nth": {"type": "integer", "minimum": 0, "description": "Which of them; 0: each."},
    "by_bot": {"type": "boolean", "description": "Of what the bot sends."},
    "seconds": DURATION,
    "at": {**DURATION, "description": "When, since the beginning."},
    "plugin": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,99}$"},
    "hook": {"enum": sorted(HOOKS), "description": "By default each of the plugin's."},
}


def _fault(kind: str) -> Json:
    properties = {"kind": {"enum": [kind]}, **{key: FAULT[key] for key in GOES_WITH[kind]}}
    required = ["kind", "plugin"] if kind in PLUGIN_KINDS else ["kind"]
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


def _step(name: str) -> Json:
    verb = VERBS[name]
    properties: Json = {"who": TEXT} if verb.personal else {}
    properties[name] = {**TAKES[verb.takes], "description": verb.doc}
    properties |= {option: {**TAKES[OPTIONS[option][0]], "description": OPTIONS[option][1]} for option in verb.options}
    return {"type": "object", "required": [name], "additionalProperties": False, "properties": properties}
