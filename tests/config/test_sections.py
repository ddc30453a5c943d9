"""The tables of keys and the model say the same; and any document gives a Config or ConfigError."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vodiabot.config import Overrides, Secret, model, sections
from vodiabot.config.draft import Draft
from vodiabot.config.reading import Source
from vodiabot.errors import ConfigError


@pytest.mark.parametrize(
    ("fields", "struct"),
    [
        (sections.PBX_FIELDS, model.PbxConfig),
        (sections.EXTENSION_FIELDS, model.ExtensionConfig),
        (sections.BOT_FIELDS, model.BotConfig),
        (sections.MEDIA_FIELDS, model.MediaConfig),
        (sections.SPEECH_FIELDS, model.SpeechConfig),
        (sections.LIMITS_FIELDS, model.LimitsConfig),
        (sections.PLUGINS_FIELDS, model.PluginsConfig),
        (sections.CONSOLE_FIELDS, model.ConsoleConfig),
        (sections.ROUTE_FIELDS, model.RouteConfig),
    ],
)
def test_each_key_has_its_field(fields: dict[str, Any], struct: type[msgspec.Struct]) -> None:
    assert set(fields) == {name.rstrip("_") for name in struct.__struct_fields__}


SECRET = "hunter2-do-not-show"
WORDS = st.sampled_from(["", "45", "opus", "@domain", "5??", "30s", "token", "wss://pbx.example.com"])
SCALARS = st.one_of(WORDS, st.integers(-1, 3), st.booleans(), st.just(float("nan")))
TABLES = (
    *(sections.PBX_FIELDS, sections.EXTENSION_FIELDS, sections.BOT_FIELDS, sections.MEDIA_FIELDS),
    *(sections.LIMITS_FIELDS, sections.PLUGINS_FIELDS, sections.CONSOLE_FIELDS, sections.ROUTE_FIELDS),
    sections.BOT_TOML.fields,
)
KEYS = sorted({"env", "file", "urls", "credential"} | {key for fields in TABLES for key in fields})
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
OVERRIDES = st.builds(
    Overrides,
    url=st.none() | WORDS,
    domain=st.none() | WORDS,
    user=st.none() | WORDS,
    password=st.none() | st.just(Secret(SECRET)),
    dialect=st.none() | st.just("classic"),
)


@given(st.dictionaries(st.sampled_from(sorted(sections.BOT_TOML.fields)), VALUES), OVERRIDES, st.booleans())
def test_any_document_is_a_configuration_or_a_config_error(
    doc: dict[str, Any], overrides: Overrides, pbx_optional: bool
) -> None:
    source = Source("bot.toml", Path("/nowhere"), {})
    doc = planted(doc)
    with contextlib.suppress(ConfigError):
        config = Draft(doc, source, overrides).config(pbx_optional=pbx_optional)
        assert config.extensions
        assert all(isinstance(extension.password, Secret) for extension in config.extensions)
    assert all(problem.message for problem in source.problems)
    assert SECRET not in "".join(str(problem) for problem in source.problems)


def planted(value: Any) -> Any:
    """The document, with a secret wherever a password is written out."""
    if isinstance(value, list):
        return [planted(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    secret = {"password", "credential"}
    return {k: SECRET if k in secret and isinstance(v, str) else planted(v) for k, v in value.items()}
