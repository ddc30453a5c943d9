"""Numbers as they come (SIP URIs, `45`, `+1 (978) …`) brought to one form, for matching and for limits."""

from __future__ import annotations

import re

_URI = re.compile(r"<?(?:sips?|tel):(?P<user>[^@>;?]*)(?:@(?P<host>[^>;?:]*))?", re.IGNORECASE)
_FILLERS = re.compile(r"[\s().\-/]")


def user_part(text: str) -> str:
    """The number in `"Name" <sip:45@dom>`, `sip:45@dom`, `45@dom` or `45`; "" if there is none."""
    match = _URI.search(text)
    if match:
        return match["user"]
    bare = text.strip().strip("<>")
    return bare.split("@", 1)[0]


def normalise(text: str) -> str:
    """One form for one number: no URI around it, no spaces and punctuation, `00` in front as `+`.

    Names and feature codes (`*97`, `sales`) stay as they are.
    """
    number = user_part(text).strip()
    plain = _FILLERS.sub("", number)
    if not re.fullmatch(r"\+?[0-9*#]+", plain):
        return number
    return "+" + plain[2:] if plain.startswith("00") and len(plain) > 6 else plain


def same_number(one: str, other: str) -> bool:
    """Whether two numbers, in whatever form, are the same one; an empty number is nobody's."""
    left = normalise(one)
    return bool(left) and left == normalise(other)
