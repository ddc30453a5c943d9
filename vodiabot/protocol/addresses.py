"""Numbers and names out of what the PBX writes into `from` and `to`: SIP URIs, `45`, `+1…`."""

from __future__ import annotations

import re

_NAME_ADDR = re.compile(r'(?:"((?:[^"\\]|\\.)*)"\s*|([^<"]*))<([^>]*)>?')
"""Without two neighbours that may share out blanks between them: a caller writes this, and a thousand blanks would take
seconds, in which nobody is heard."""
_SCHEME = re.compile(r"(?:sips?|tel):", re.IGNORECASE)
_QUOTED = re.compile(r"\\(.)")

LONGEST = 2000
"""Characters of an address that are looked at; a longer one is nobody's name or number."""


def parse_address(text: str) -> tuple[str, str]:
    """The name and the number in `"Name" <sip:45@dom>`, `<sip:45@dom;…>`, `sip:45@dom`, `tel:+1…`, `45@dom`
    or `45`.

    Both "" where there is nothing. Never raises.
    """
    if not text:
        return "", ""
    text = text[:LONGEST].lstrip()
    found = _NAME_ADDR.match(text)
    if found is None:
        return "", _user_of(text)
    quoted, bare, uri = found.groups()
    name = _QUOTED.sub(r"\1", quoted) if quoted is not None else bare
    return name.strip(), _user_of(uri)


def _user_of(uri: str) -> str:
    uri = _SCHEME.sub("", uri.strip(), count=1)
    for end in ("@", ";", "?"):
        uri = uri.partition(end)[0]
    return uri.strip()
