"""Which texts of a plugin's settings the log hides."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from vodiabot import Secret
from vodiabot.plugins.secret_values import secrets_in


class Inner(msgspec.Struct):
    key: Secret
    url: str = "https://harmless.example"


@dataclass
class Model:
    token: Secret
    many: dict[str, list[Inner]] = field(default_factory=dict)
    name: str = "harmless"
    none: Secret | None = None


def test_all_are_found_as_deep_as_they_are() -> None:
    model = Model(Secret("t1"), {"a": [Inner(Secret("t2")), Inner(Secret("t3"))]})
    assert list(secrets_in(model)) == ["t1", "t2", "t3"]
    assert list(secrets_in(None)) == []


def test_of_a_url_also_what_is_secret_in_it() -> None:
    url = "https://user:pass word@Hooks.Example.com:443/services/T0/XYZ?key=0123456789"
    assert list(secrets_in(Secret(url))) == [url, "pass word", "services/T0/XYZ", "key=0123456789"]
    assert list(secrets_in(Secret("https://example.com/hook"))) == ["https://example.com/hook"]
    assert list(secrets_in(Secret("http://[broken"))) == ["http://[broken"]
