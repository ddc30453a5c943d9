"""Secrets of plugins are hidden by the log, whoever writes them."""

from __future__ import annotations

import io
import logging

import pytest
import structlog

from vodiabot import logs
from vodiabot.config import parse
from vodiabot.plugins import unload
from vodiabot.verbs.common import plugins_of

TEXT = """
[pbx]
url = "wss://pbx.example.com"
[[extension]]
user = "45"
password = "x"
[plugins]
enabled = ["notify"]
[plugin.notify]
webhook = "https://hooks.example.com/services/T000/s3cr3t"
"""


def test_what_a_library_writes_has_no_secret_in_it(request: pytest.FixtureRequest) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level, structlog.get_config()

    def back() -> None:
        root.handlers[:], level, config = before
        root.setLevel(level)
        structlog.configure(**config)

    request.addfinalizer(back)
    out = io.StringIO()
    logs.set_up(stream=out, debug=True)
    for plugin in plugins_of(parse(TEXT))[0]:
        unload(plugin)
    logging.getLogger("httpx").info("HTTP Request: POST https://HOOKS.example.com:443/services/T000/s3cr3t 503")
    assert "HTTP Request" in out.getvalue()
    assert "s3cr3t" not in out.getvalue()
