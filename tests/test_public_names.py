from __future__ import annotations

import subprocess
import sys

import pytest

import vodiabot


@pytest.mark.parametrize("name", vodiabot.__all__)
def test_each_name_is_there(name: str) -> None:
    assert getattr(vodiabot, name) is not None
    assert name in dir(vodiabot)


def test_no_name_is_forgotten() -> None:
    lazily = {name for names in vodiabot._HOMES.values() for name in names}
    assert lazily | {"errors", "events", "__version__"} == set(vodiabot.__all__)


def test_what_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        vodiabot.Nonsense  # noqa: B018


def test_the_package_alone_is_light() -> None:
    code = "import sys, vodiabot.testing.pytest_plugin\nprint([m for m in ('aiortc', 'trio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
