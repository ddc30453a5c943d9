"""The greeter on a call that is told what to do."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
import trio

from vodiabot.config import parse
from vodiabot.errors import CallEnded, SpeechUnavailable
from vodiabot.plugins import LoadedPlugin, PluginHost, PluginProblem, load_plugins, unload

SHIPPED = Path(__file__).parent.parent.parent / "plugins"
GREETING = SHIPPED / "greeter" / "greeting.wav"

TOML = """\
[pbx]
url = "wss://pbx.example.com"
domain = "example.com"
[[extension]]
user = "45"
password = "x"
[plugins]
enabled = ["greeter"]
[plugin.greeter]
"""


def load(base: Path, section: str) -> tuple[list[LoadedPlugin], list[PluginProblem]]:
    loaded, problems = load_plugins(parse(TOML + section, file=str(base / "bot.toml")), shipped=SHIPPED)
    for plugin in loaded:
        unload(plugin)
    return loaded, problems


class FakeCall:
    """Notes what is done with it, and the time."""

    id = "c1"

    def __init__(self, *, speech: bool = False, hangs_up_at: str = "") -> None:
        self.did: list[Any] = []
        self._speech = speech
        self._hangs_up_at = hangs_up_at

    async def _do(self, step: str, *what: Any) -> None:
        await trio.lowlevel.checkpoint()
        if step == self._hangs_up_at:
            raise CallEnded(self.id, "remote_hangup")
        self.did.append((step, *what))

    async def answer(self) -> None:
        await self._do("answer")

    async def play(self, source: Any) -> None:
        await trio.sleep(5)
        await self._do("play", source)

    async def say(self, text: str) -> None:
        if not self._speech:
            raise SpeechUnavailable("no speech provider is installed")
        await self._do("say", text)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)
        await self._do("sleep", seconds)

    async def hangup(self) -> None:
        await self._do("hangup")


async def greet(base: Path, section: str, *calls: FakeCall) -> None:
    """One call after the other, by the plugin in its host."""
    loaded, problems = load(base, section)
    assert not problems
    handler = PluginHost(loaded, hook_timeout=1, bot=None).handler("greeter")
    assert handler is not None
    for call in calls:
        await handler(call=call)


@contextmanager
def warnings() -> Iterator[list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []
    with structlog.testing.capture_logs() as lines:
        yield found
    found += [dict(line) for line in lines if line["log_level"] == "warning"]


async def test_it_answers_greets_waits_and_hangs_up(tmp_path: Path, autojump_clock: Any) -> None:
    call = FakeCall()
    start = trio.current_time()
    with warnings() as told:
        await greet(tmp_path, "", call)
    assert call.did == [("answer",), ("play", GREETING), ("sleep", 1.0), ("hangup",)]
    assert trio.current_time() - start == pytest.approx(6)
    assert told == []


async def test_a_file_relative_to_the_configuration_wins(tmp_path: Path, autojump_clock: Any) -> None:
    (tmp_path / "hello.wav").write_bytes(GREETING.read_bytes())
    call = FakeCall(speech=True)
    await greet(tmp_path, 'file = "hello.wav"\ntext = "Hello"\npause = 0\n', call)
    assert call.did == [("answer",), ("play", tmp_path / "hello.wav"), ("sleep", 0.0), ("hangup",)]


async def test_a_text_is_spoken_where_there_is_speech(tmp_path: Path, autojump_clock: Any) -> None:
    call = FakeCall(speech=True)
    await greet(tmp_path, 'text = "Hello"\n', call)
    assert call.did == [("answer",), ("say", "Hello"), ("sleep", 1.0), ("hangup",)]


async def test_without_speech_the_shipped_greeting_is_played_and_told_once(
    tmp_path: Path, autojump_clock: Any
) -> None:
    calls = [FakeCall(), FakeCall()]
    with warnings() as told:
        await greet(tmp_path, 'text = "Hello"\n', *calls)
    for call in calls:
        assert call.did == [("answer",), ("play", GREETING), ("sleep", 1.0), ("hangup",)]
    (line,) = told
    assert (line["plugin"], line["why"]) == ("greeter", "no speech provider is installed")


@pytest.mark.parametrize("step", ["answer", "play", "sleep"])
async def test_a_caller_who_hangs_up_ends_it(step: str, tmp_path: Path, autojump_clock: Any) -> None:
    call = FakeCall(hangs_up_at=step)
    with pytest.raises(CallEnded):
        await greet(tmp_path, "", call)
    assert ("hangup",) not in call.did


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ('file = "gone.wav"\n', "9: plugin.greeter: there is no file "),
        ("pause = -1\n", "9: plugin.greeter: pause must not be negative"),
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
