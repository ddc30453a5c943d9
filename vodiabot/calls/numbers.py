"""Numbers as they come (SIP URIs, `45`, `+1 (978) …`, `0711/123456`) brought to one form, for matching and for limits.

`country` is everywhere an ISO region such as "DE", or "" where it is not known. With one, what people of that country
dial nationally and abroad is brought to the form with `+` (E.164). Internal numbers, feature codes, short and emergency
numbers, and names stay as they are: a number is national only where it is valid in the country's numbering plan, has
its prefix for calls within the country (`0` in Germany; none where people write it without, as in North America), and
is not shorter than `SHORTEST_NATIONAL`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat

SHORTEST_NATIONAL = 7
"""Digits, with the national prefix. Whatever is shorter is an extension, a service or an emergency number."""

SHORTEST_AFTER_00 = 5
"""Digits after the international prefix; with fewer it is an internal number that happens to begin so."""

KEPT = 4096
"""Numbers of which the form is remembered: those of a large domain."""

_URI = re.compile(r"<?(?:sips?|tel):(?P<user>[^@>;?]*)(?:@(?P<host>[^>;?:]*))?", re.IGNORECASE)
_NUMBER = re.compile(r"\+?[0-9*#]+")
_BRACED_ZERO = re.compile(r"^(\+|00)([0-9\s]{1,5}?)\s*\(0\)")
_FILLERS = frozenset("().-/")
_SPACES = frozenset({"Zs", "Zl", "Zp", "Cf", "Cc", "Pd"})
"""Unicode categories that stand between digits and mean nothing: spaces, marks without width, dashes."""


def user_part(text: str) -> str:
    """The number in `"Name" <sip:45@dom>`, `sip:45@dom`, `45@dom` or `45`; "" if there is none."""
    match = _URI.search(text)
    if match:
        return match["user"]
    bare = text.strip().strip("<>")
    return bare.split("@", 1)[0]


@lru_cache(maxsize=KEPT)
def normalise(text: str, country: str = "") -> str:
    """One form for one number: no URI around it, no blanks and punctuation, with `+` where it is known how.

    Without `country` only what begins with `+` or `00` is more than an internal number. Never raises.
    """
    return _normal(user_part(text).strip(), country)


def same_number(one: str, other: str, country: str = "") -> bool:
    """Whether two numbers, in whatever form, are the same one; an empty number is nobody's."""
    left = normalise(one, country)
    return bool(left) and left == normalise(other, country)


def forms(text: str, country: str = "") -> tuple[str, ...]:
    """The forms of a number that a pattern may be written for: the normal one first, and for a number of `country` as
    it is dialled within it."""
    user = user_part(text).strip()
    normal = _normal(user, country)
    found = [normal]
    plain = _plain(user)
    if plain.startswith("+"):
        found.append(plain)
    if normal.startswith("+") and country:
        found += _national_forms(normal, country)
    return tuple(dict.fromkeys(found))


def dialable(text: str) -> str:
    """What goes over the wire: as it was written, but for white space around it, unless it is a number with blanks or
    punctuation in it."""
    plain = _plain(text)
    return plain if _NUMBER.fullmatch(plain) else text.strip()


def plain_number(text: str) -> str:
    """Without what stands between its digits, and with all of them in ASCII; "" if it is no number."""
    plain = _plain(text)
    return plain if _NUMBER.fullmatch(plain) else ""


def e164(text: str, country: str = "") -> str | None:
    """`+49711123456`; None for an internal number, a name, or one that can't be."""
    normal = normalise(text, country)
    number = _parsed(normal, None) if normal.startswith("+") else None
    return normal if number is not None and phonenumbers.is_possible_number(number) else None


def format_number(number: str, country: str = "") -> str:
    """As people of `country` (an ISO region, "DE") write it: nationally if it is one of theirs, else internationally.
    What is no number of the public network stays as it is."""
    known = e164(number, country)
    parsed = _parsed(known, None) if known else None
    if parsed is None:
        return normalise(number, country)
    own = bool(country) and parsed.country_code == phonenumbers.country_code_for_region(country)
    return phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL if own else PhoneNumberFormat.INTERNATIONAL)


# --- how it is read --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=KEPT)
def _plain(text: str) -> str:
    """Without fillers, and with digits in ASCII, whatever script they were written in; `+49 (0)711` loses the 0 that is
    not dialled from abroad."""
    wide = "".join(_ascii(c) for c in unicodedata.normalize("NFKC", text))
    wide = _BRACED_ZERO.sub(r"\1\2", wide.strip())
    return "".join(c for c in wide if c not in _FILLERS and not c.isspace())


def _ascii(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category in ("Cf", "Cc"):
        return " " if char.isspace() else ""
    return ("-" if category == "Pd" else " ") if category in _SPACES else char


@lru_cache(maxsize=KEPT)
def _normal(user: str, country: str) -> str:
    plain = _plain(user)
    if not _NUMBER.fullmatch(plain):
        return user
    if "*" in plain or "#" in plain:
        return plain
    return _settled(_international(plain, country) or _national(plain, country) or plain)


def _settled(number: str) -> str:
    """E.164 if it can be: the 0 in `+49 0711` goes. The same again is the same."""
    while number.startswith("+"):
        parsed = _parsed(number, None)
        if parsed is None or not phonenumbers.is_possible_number(parsed):
            break
        fresh = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
        if fresh == number:
            break
        number = fresh
    return number


def _international(plain: str, country: str) -> str | None:
    """With `+`, if it has that or what is dialled for it: `00` in most countries, `011` in North America."""
    if plain.startswith("+"):
        return plain
    if not country:
        return "+" + plain[2:] if plain.startswith("00") and len(plain) - 2 >= SHORTEST_AFTER_00 else None
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country)
    prefix = re.match(metadata.international_prefix or "(?!)", plain) if metadata else None
    if prefix is None:
        return None
    rest = plain[prefix.end() :]
    return "+" + rest if len(rest) >= SHORTEST_AFTER_00 and not rest.startswith("0") else None


def _national(plain: str, country: str) -> str | None:
    """With `+`, if it is what is dialled within the country."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country) if country else None
    if metadata is None or len(plain) < SHORTEST_NATIONAL:
        return None
    number = _parsed(plain, country)
    if number is None or number.country_code != metadata.country_code or not phonenumbers.is_valid_number(number):
        return None
    if plain not in _dialled_within(number, metadata.national_prefix or ""):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _national_forms(normal: str, country: str) -> list[str]:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country)
    number = _parsed(normal, None)
    if metadata is None or number is None or number.country_code != metadata.country_code:
        return []
    if not phonenumbers.is_valid_number(number):
        return []  # +4945 is not the extension 45
    dialled = _dialled_within(number, metadata.national_prefix or "")
    return [form for form in dialled if len(form) >= SHORTEST_NATIONAL]


def _dialled_within(number: PhoneNumber, prefix: str) -> list[str]:
    """With the prefix for calls within the country, and as people write it, which may be without."""
    written = re.sub("[^0-9]", "", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
    return [prefix + phonenumbers.national_significant_number(number), written]


def _parsed(number: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
