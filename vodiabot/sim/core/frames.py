"""What clients send, checked: a frame that makes no sense is a `BadFrame`, told in the log and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

_URI = re.compile(r"<?sips?:([^@>;]*)", re.IGNORECASE)


class BadFrame(Exception):
    """A client's frame that can't be used; says which field and why."""

    level = "warning"


class LateFrame(BadFrame):
    """A frame for a leg that is over: the client could not know yet, so it did nothing wrong."""

    level = "info"


def parse(text: str) -> dict[str, Any]:
    """A frame: a JSON object with a text `action`. Raises BadFrame."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadFrame(f"no JSON: {exc}"[:120]) from exc
    if not isinstance(frame, dict):
        raise BadFrame("no JSON object")
    if not isinstance(frame.get("action"), str):
        raise BadFrame("no action")
    return frame


def text_of(frame: dict[str, Any], key: str, *, needed: bool = False) -> str:
    """A text field; numbers are taken as text. Raises BadFrame."""
    value = frame.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or (needed and not value):
        raise BadFrame(f"{key}: a text is needed")
    return value.encode("utf-8", "replace").decode()  # JSON can name halves of characters, which no log can print


def flag_of(frame: dict[str, Any], key: str) -> bool:
    """True, "true", "on", 1."""
    value = frame.get(key)
    return isinstance(value, str | int) and str(value).lower() in ("true", "on", "1")


def code_of(frame: dict[str, Any], standard: int) -> int:
    """`code`, as a number or as a text. Raises BadFrame."""
    value = frame.get("code", standard)
    try:
        code = int(value)
    except (TypeError, ValueError, OverflowError):
        raise BadFrame("code: a number is needed") from None
    if not 400 <= code <= 699:
        raise BadFrame(f"code: {code} is no refusal")
    return code


def sdp_of(frame: dict[str, Any], *, needed: bool) -> str:
    """`sdp` as `{type, sdp}` [page] or as a bare text [live]. Raises BadFrame."""
    value = frame.get("sdp")
    if isinstance(value, dict):
        value = value.get("sdp")
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or not value.startswith("v=0"):
        raise BadFrame("sdp: a session description is needed")
    return value


def candidate_of(frame: dict[str, Any]) -> tuple[str | None, str, int]:
    """Line, mid and index of `candidate`; the line None at the end. Raises BadFrame."""
    value = frame.get("candidate")
    if value is None or value == "":
        return None, "", 0
    if isinstance(value, str):
        return value, "", 0
    if not isinstance(value, dict) or not isinstance(value.get("candidate", ""), str):
        raise BadFrame("candidate: an object or null is needed")
    mid, index = value.get("sdpMid"), value.get("sdpMLineIndex")
    line = value.get("candidate") or None
    return line, mid if isinstance(mid, str) else "", index if isinstance(index, int) and 0 <= index < 1000 else 0


def number_of(text: str) -> str:
    """`45` in `45`, `sip:45@dom`, `"Name" <sip:45@dom>`, `45@dom`."""
    match = _URI.search(text)
    return match[1] if match else text.strip().split("@", 1)[0]
