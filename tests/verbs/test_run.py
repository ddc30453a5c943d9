"""What `vodiabot run` says of plugins before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.samples import Sample
from structlog.testing import capture_logs

from vodiabot.bot import Bot
from vodiabot.config import load
from vodiabot.control import sole_bot
from vodiabot.errors import AlreadyRunning, ConfigError, UsageError
from vodiabot.verbs.common import Connection
from vodiabot.verbs.plugins import in_words
from vodiabot.verbs.run import make_bot, run, settled
from vodiabot.verbs.status import lines

TEXT = """
[pbx]
url = "https://pbx.example.com"

[[extension]]
user = "700"
password = "secret"

[plugin.greter]
text = "Hello"
"""


BROKEN = """
[plugins]
path = ["."]
enabled = ["greeter", "broken"]
"""


def test_a_plugin_that_is_left_out_can_be_seen_for_as_long_as_the_bot_runs(tmp_path: Path) -> None:
    file = tmp_path / "bot.toml"
    file.write_text(TEXT.replace("[plugin.greter]", "[plugin.greeter]") + BROKEN)
    (tmp_path / "broken.py").write_text("import there_is_no_such_module\n")
    bot = make_bot(load(file))
    greeter, broken = bot.status()["plugins"]
    assert (greeter["name"], greeter["state"]) == ("greeter", "stopped")  # it does not run yet
    assert (broken["name"], broken["state"]) == ("broken", "left_out")
    assert "broken.py:1: it can't be imported: ModuleNotFoundError" in broken["reason"]
    assert [plugin["name"] for plugin in bot.snapshot()["plugins"]] == ["greeter", "broken"]
    up = {sample.labels["plugin"]: sample.value for sample in _samples(bot, "vodiabot_plugin_up")}
    assert up == {"greeter": 0.0, "broken": 0.0}
    assert "broken  left out (" in "\n".join(lines(bot.status()))
    assert in_words(broken, 0.0).startswith("left out: ")


def _samples(bot: Bot, name: str) -> list[Sample]:
    return [sample for metric in bot.metrics.registry.collect() for sample in metric.samples if sample.name == name]


def test_a_section_of_no_plugin_is_told_as_that_and_not_as_a_route(tmp_path: Path) -> None:
    file = tmp_path / "bot.toml"
    file.write_text(TEXT)
    with capture_logs() as logged:
        make_bot(load(file))
    [line] = [entry for entry in logged if entry["log_level"] == "error"]
    assert (line["event"], line["plugin"]) == ("what bot.toml says of a plugin can't be had", "greter")
    assert 'there is no plugin "greter"; did you mean "greeter"?' in line["why"]


async def test_a_second_bot_on_the_same_state_dir_is_refused_before_its_plugins_are_imported(tmp_path: Path) -> None:
    file, tape = tmp_path / "bot.toml", tmp_path / "tape.jsonl"
    file.write_text(TEXT.replace("[plugin.greter]", "[plugin.greeter]") + BROKEN + '[bot]\nstate_dir = "state"\n')
    (tmp_path / "broken.py").write_text("import pathlib\npathlib.Path(__file__).with_name('imported').touch()\n")
    config = load(file)
    with sole_bot(config.bot.state_dir), pytest.raises(AlreadyRunning):
        await run(config, lambda: config, record=tape)
    assert not tape.exists()
    assert not (tmp_path / "imported").exists()


def test_all_mistakes_are_told_at_the_first_start(tmp_path: Path) -> None:
    file = tmp_path / "bot.toml"
    file.write_text(TEXT.replace("password", "pasword").replace("greter", "greeter").replace("text", "txet") + BROKEN)
    (tmp_path / "broken.py").write_text("")
    with pytest.raises(ConfigError) as refused:
        settled(Connection(file))
    keys = [problem.key for problem in refused.value.problems]
    assert keys == ["", "extension[0].password", "extension[0].pasword", "plugin.greeter.txet"]


async def test_a_tape_that_is_there_is_told_as_that(tmp_path: Path) -> None:
    file, tape = tmp_path / "bot.toml", tmp_path / "tape.jsonl"
    file.write_text(TEXT.split("[plugin")[0] + '[bot]\nstate_dir = "state"\n')
    tape.write_text("of yesterday")
    config = load(file)
    with pytest.raises(UsageError, match=r"tape\.jsonl is there already: a tape is a new file$"):
        await run(config, lambda: config, record=tape)
    assert tape.read_text() == "of yesterday"
