"""What `vodiabot run` says of plugins before it begins."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from vodiabot.config import load
from vodiabot.verbs.run import make_bot

TEXT = """
[pbx]
url = "https://pbx.example.com"

[[extension]]
user = "700"
password = "secret"

[plugin.greter]
text = "Hello"
"""


def test_a_section_of_no_plugin_is_told_as_that_and_not_as_a_route(tmp_path: Path) -> None:
    file = tmp_path / "bot.toml"
    file.write_text(TEXT)
    with capture_logs() as logged:
        make_bot(load(file))
    [line] = [entry for entry in logged if entry["log_level"] == "error"]
    assert (line["event"], line["plugin"]) == ("what bot.toml says of a plugin can't be had", "greter")
    assert 'there is no plugin "greter"; did you mean "greeter"?' in line["why"]
