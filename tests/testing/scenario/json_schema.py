"""As much of JSON Schema as the schema of scenarios uses; anything else in it is a mistake."""

from __future__ import annotations

import re
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
SAYS_NOTHING = {"$schema", "title", "description"}


def allows(schema: dict[str, Any], value: Any) -> bool:
    return all(_keyword(name, wanted, schema, value) for name, wanted in schema.items() if name not in SAYS_NOTHING)


def _keyword(name: str, wanted: Any, schema: dict[str, Any], value: Any) -> bool:  # noqa: C901 - a table
    match name:
        case "type":
            return isinstance(value, TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))
        case "enum":
            return any(value == one and type(value) is type(one) for one in wanted)
        case "anyOf":
            return any(allows(one, value) for one in wanted)
        case "oneOf":
            return sum(allows(one, value) for one in wanted) == 1
        case "minimum":
            return not _is_number(value) or value >= wanted
        case "maximum":
            return not _is_number(value) or value <= wanted
        case "pattern":
            return not isinstance(value, str) or re.search(wanted, value) is not None
        case "items":
            return not isinstance(value, list) or all(allows(wanted, one) for one in value)
        case "required":
            return not isinstance(value, dict) or all(key in value for key in wanted)
        case "properties":
            return not isinstance(value, dict) or all(allows(wanted[k], v) for k, v in value.items() if k in wanted)
        case "additionalProperties":
            return wanted or not isinstance(value, dict) or set(value) <= set(schema["properties"])
    raise AssertionError(f"the schema uses {name!r}, which is not checked here")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
