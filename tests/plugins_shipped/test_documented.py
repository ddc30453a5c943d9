"""The examples of docs/plugins.md for the shipped plugins, as the reader, the plugins and the schema see them."""

from __future__ import annotations

import re

import jsonschema
import pytest
import tomli

from tests.plugins_shipped.loading import PBX, SHIPPED
from vodiabot.config import parse
from vodiabot.plugins import load_plugins, unload
from vodiabot.verbs.schema import schema_of

DOCS = (SHIPPED.parent / "docs" / "plugins.md").read_text()
NAMES = sorted(path.parent.name for path in SHIPPED.glob("*/__init__.py"))


def example(name: str) -> str:
    """The TOML of a plugin's section."""
    found = re.search(rf"^### {name}\n.*?```toml\n(.*?)```", DOCS, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise asks for it in its own time
@pytest.mark.parametrize("name", [name for name in NAMES if name != "greeter"])
def test_the_example_of_the_documentation_is_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CLICK_TOKEN", "WEBHOOK_URL"):
        monkeypatch.setenv(variable, "https://example.com/hook")
    monkeypatch.setenv("MATRIX_URL", "json://localhost")
    text = f'{PBX}[plugins]\nenabled = ["{name}"]\n{example(name)}'
    plugins, problems = load_plugins(parse(text), shipped=SHIPPED)
    assert problems == []
    jsonschema.validate(tomli.loads(text), schema_of(plugins), jsonschema.Draft202012Validator)
    for plugin in plugins:
        unload(plugin)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_short(name: str) -> None:
    assert sum(len(path.read_text().splitlines()) for path in (SHIPPED / name).glob("*.py")) < 80
