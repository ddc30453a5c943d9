"""The greeter, by the kit that authors of plugins use."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio

from vodiabot.config import parse
from vodiabot.errors import SpeechFailed
from vodiabot.plugins import LoadedPlugin, PluginProblem, load_plugins, unload
from vodiabot.testing.exchange import Exchange
from vodiabot.testing.story import Unexpected
from vodiabot.testing.world import VirtualBot

SHIPPED = Path(__file__).parent.parent.parent / "plugins"
GREETING = SHIPPED / "greeter" / "greeting.wav"


def greeter(section: str) -> Any:
    """A test with the greeter and this section of it."""
    return pytest.mark.vodiabot(settings=f'plugins.enabled = ["greeter"]\n[plugin.greeter]\n{section}')


@greeter("")
async def test_it_answers_greets_waits_and_hangs_up(pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    greeting = await caller.hears("greeter/greeting.wav")
    await caller.is_hung_up()
    assert trio.current_time() == pytest.approx(greeting.until + 1, abs=0.01)
    assert bot.did == ["answers 0711123456", "plays greeting.wav to 0711123456", "hangs up on 0711123456"]
    assert bot.warnings == []


@greeter('file = "../testing/plugins/chime.wav"\ntext = "Hello"\npause = 0')
async def test_a_file_relative_to_the_configuration_wins(pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    chime = await caller.hears("chime.wav")
    await caller.is_hung_up()
    assert trio.current_time() == pytest.approx(chime.until, abs=0.01)


@greeter('text = "Hello"')
async def test_a_text_is_spoken_where_there_is_speech(pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await caller.hears("Hello")
    await caller.is_hung_up()
    assert bot.did == ["answers 0711123456", "says 'Hello' to 0711123456", "hangs up on 0711123456"]


@pytest.mark.vodiabot(speech=False)
@greeter('text = "Hello"')
async def test_without_speech_the_shipped_greeting_is_played_and_told_once(pbx: Exchange, bot: VirtualBot) -> None:
    for number in ("0711", "0712"):
        caller = await pbx.call(from_=number)
        await caller.hears("greeting.wav")
        await caller.is_hung_up()
    (line,) = bot.warnings
    assert line["plugin"] == "greeter"
    assert "speech" in line["why"]


@greeter('text = "Hello"')
async def test_who_can_not_be_spoken_to_hears_the_shipped_greeting_and_the_next_one_the_text(
    pbx: Exchange, bot: VirtualBot
) -> None:
    bot.engine.speech.fails_with = SpeechFailed("espeak-ng failed with exit code 1")
    caller = await pbx.call(from_="0711")
    await caller.hears("greeting.wav")
    await caller.is_hung_up()
    bot.engine.speech.fails_with = None
    caller = await pbx.call(from_="0712")
    await caller.hears("Hello")
    (line,) = bot.warnings
    assert line["why"] == "espeak-ng failed with exit code 1"


@greeter("pause = 5")
@pytest.mark.parametrize(
    "when", [0.0, 1.0, 6.0], ids=["as soon as it is answered", "in the greeting", "in the pause after it"]
)
async def test_a_caller_may_hang_up_at_any_time(when: float, pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call()
    await caller.waits(when)
    await caller.hangs_up()
    await pbx.waits(10)
    assert "hangs up on 0711123456" not in bot.did


@greeter("")
async def test_a_caller_may_give_up_before_it_is_answered(pbx: Exchange, bot: VirtualBot) -> None:
    caller = await pbx.call(answered=False)
    await caller.hangs_up()
    with pytest.raises(Unexpected):
        await caller.hears("greeting.wav")


def load(base: Path, section: str) -> tuple[list[LoadedPlugin], list[PluginProblem]]:
    pbx = '[pbx]\nurl = "wss://pbx.example.com"\ndomain = "example.com"\n[[extension]]\nuser = "45"\npassword = "x"\n'
    text = f'{pbx}[plugins]\nenabled = ["greeter"]\n[plugin.greeter]\n{section}'
    loaded, problems = load_plugins(parse(text, file=str(base / "bot.toml")), shipped=SHIPPED)
    for plugin in loaded:
        unload(plugin)
    return loaded, problems


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ('file = "gone.wav"\n', "10: plugin.greeter.file: there is no file "),
        ("pause = -1\n", "10: plugin.greeter.pause: expected a number >= 0"),
        ("txt = 1\n", '10: plugin.greeter.txt: there is no such option; did you mean "text"?'),
        ("can_speak = false\n", "10: plugin.greeter.can_speak: there is no such option"),
    ],
)
def test_mistakes_of_its_section(section: str, expected: str, tmp_path: Path) -> None:
    loaded, (problem,) = load(tmp_path, section)
    assert not loaded
    assert f"bot.toml:{expected}" in str(problem)


def test_the_greeting_is_small_and_audible() -> None:
    with wave.open(str(GREETING)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)
        seconds = sound.getnframes() / 16000
        samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2") / 32768
    assert 3 <= seconds <= 6
    assert GREETING.stat().st_size < 200_000
    assert 0.05 < np.sqrt(np.mean(samples**2)) < 0.3
    assert 0.4 < np.abs(samples).max() < 0.99
    assert (GREETING.parent / "ORIGIN").read_text().strip()
