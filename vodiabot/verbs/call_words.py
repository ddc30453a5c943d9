"""What became of a call, in words for people."""

from __future__ import annotations

MEANINGS = {
    400: "the PBX did not understand the call",
    401: "the PBX wants another login for it",
    403: "forbidden",
    404: "there is no such number",
    408: "no answer in time",
    410: "there is no such number any more",
    415: "the audio of one side is unknown to the other",
    480: "not there at the moment",
    484: "the number is incomplete",
    488: "no codec in common",
    500: "a failure of the PBX, or behind it",
    502: "a failure behind the PBX",
    503: "out of service, or too much to do",
    504: "no answer from behind the PBX",
    603: "declined",
    604: "there is no such number anywhere",
    606: "no codec in common",
}
"""SIP status codes of refusals (RFC 3261, section 21), as they come in practice."""

ENDS = {
    "hangup": "we hung up",
    "remote_hangup": "the other side hung up",
    "transferred": "it was transferred",
    "connection_lost": "the connection to the PBX was lost",
    "media_lost": "the audio was lost",
    "media_failed": "the audio failed",
}
"""Why an answered call ended (`events.CallEnded`)."""


def rejected(number: str, code: int) -> str:
    """A refusal with its number and, where it is known, its meaning."""
    meaning = MEANINGS.get(code)
    return f"{number} was rejected with {code}" + (f": {meaning}" if meaning else "")


def ended(reason: str) -> str:
    """Who or what ended it."""
    return ENDS.get(reason, f"it ended ({reason.replace('_', ' ')})" if reason else "it ended")
