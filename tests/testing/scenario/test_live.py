"""The same scenarios with real sockets and real audio."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trio

from vodiabot.errors import ConfigError
from vodiabot.sim.config import Extension, default
from vodiabot.sim.server import serve
from vodiabot.sources import tone
from vodiabot.testing.scenario import load
from vodiabot.testing.scenario.ears import Ears, read
from vodiabot.testing.scenario.live import run_at_pbx, run_at_sim

from .test_virtual import PLUGINS, TALK, written

SOUNDS = """
[[step]]
calls = "45"
[[step]]
presses = "1"
[[step]]
hears_file = "chime.wav"
[[step]]
hears_tone = 440
[[step]]
presses = "6"
[[step]]
hears_digits = "12#"
"""

MADE = """
[[step]]
calls = "45"
[[step]]
presses = "0"
[[step]]
hears_tone = 440
[[step]]
hears = "samples"
"""


@pytest.mark.audio
@pytest.mark.parametrize("text", [TALK, SOUNDS, MADE], ids=["talk", "sounds", "made by the plugin"])
def test_against_the_simulator(text: str, tmp_path: Path) -> None:
    outcome = run_at_sim(load(written(tmp_path, text)))
    assert outcome.passed, outcome.as_text()
    assert outcome.against == "sim"


DID = """
did = ["answers 0711123456", "plays chime.wav to 0711123456", "plays a tone of 440 Hz to 0711123456",
       "presses 12# for 0711123456"]
"""

BOT_TOML = """
[pbx]
url = "{url}"
domain = "localhost"
[[extension]]
user = "45"
password = "bot"
[[extension]]
user = "47"
password = "demo"
[[extension]]
user = "500"
password = "sales"
[bot]
state_dir = "{state}"
[limits]
dial_allow = ["*"]
[plugins]
enabled = ["desk"]
path = ["{plugins}"]
[[route]]
plugin = "desk"
"""


@pytest.mark.audio
async def test_against_a_pbx_by_its_bot_toml(tmp_path: Path) -> None:
    config = replace(default(), extensions=(*default().extensions, Extension("500", "sales", "Sales")))
    bot_toml = tmp_path / "bot.toml"
    async with trio.open_nursery() as nursery:
        sim = await nursery.start(partial(serve, config, listen="127.0.0.1:0"))
        text = BOT_TOML.format(url=sim.url, state=(tmp_path / "state").as_posix(), plugins=PLUGINS.as_posix())
        bot_toml.write_text(text)
        outcome = await trio.to_thread.run_sync(run_at_pbx, load(written(tmp_path, DID + SOUNDS)), bot_toml)
        nursery.cancel_scope.cancel()
    assert outcome.passed, outcome.as_text()
    assert outcome.did[0] == "answers 47"


def test_a_bot_toml_without_anybody_for_the_cast(tmp_path: Path) -> None:
    text = BOT_TOML.format(url="ws://127.0.0.1:1", state=tmp_path.as_posix(), plugins=PLUGINS.as_posix())
    bot_toml = tmp_path / "bot.toml"
    bot_toml.write_text(text.replace('[[extension]]\nuser = "500"\npassword = "sales"\n', ""))
    with pytest.raises(ConfigError, match='one more extension is needed after the bot\'s own, for "caller"'):
        run_at_pbx(load(written(tmp_path, TALK)), bot_toml)


@pytest.mark.audio
def test_what_fails_there(tmp_path: Path) -> None:
    steps = '[[step]]\ncalls = "45"\n[[step]]\npresses = "1"\n[[step]]\nhears_tone = 441'
    outcome = run_at_sim(load(written(tmp_path, steps)))
    assert not outcome.passed
    assert "heard chime.wav" in outcome.error


# --- ears, without a call --------------------------------------------------------------------------------------------


def ears_with(samples: np.ndarray) -> Ears:  # type: ignore[type-arg]
    ears = Ears()
    for at in range(0, len(samples) - 159, 160):
        ears.hear(at / 8000, samples[at : at + 160].astype(np.int16).tobytes())
    return ears


def test_ears_know_pitch_and_loudness() -> None:
    sound = np.concatenate((np.zeros(8000), read(tone(440), 1.0)))
    ears = ears_with(sound)
    assert ears.audible(0, 0.9) == 0
    assert ears.audible(0, 2) == pytest.approx(1.0, abs=0.05)
    assert ears.loudest_hz(0, 2) == pytest.approx(440, abs=3)
    assert Ears().loudest_hz(0, 2) == 0


def test_ears_know_a_file_from_another_sound() -> None:
    chime = PLUGINS / "chime.wav"
    noise = np.random.default_rng(1).normal(0, 300, 16000)
    came = noise.copy()
    came[3000:11000] += 0.5 * read(chime, 1.0)
    assert ears_with(came).likeness(chime, 0, 2) > 0.8
    other = noise.copy()
    other[3000:11000] += read(tone(500), 1.0)
    assert ears_with(other).likeness(chime, 0, 2) < 0.6
    assert ears_with(noise).likeness(chime, 0, 2) < 0.3
