"""`vodiabot demo` as a person meets it: a page in Chromium calls the bot, and each hears the other."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from .simulator import Simulator
from .softphone import Softphone

pytestmark = pytest.mark.browser

BOT_HZ, PAGE_HZ = 1600.0, 700.0

PLUGIN = """
from pathlib import Path

from vodiabot import Call, hookimpl

HERE = Path(__file__).parent


@hookimpl
async def answer_call(call: Call) -> None:
    await call.answer()
    async with call.recording(HERE / "heard.wav"):
        await call.play(HERE / "tone.wav")
        await call.sleep(1)
"""

SETTINGS = """
[[extension]]
user = "45"
password = "bot"

[bot]
state_dir = "state"

[plugins]
path = ["."]
enabled = ["talker"]

[[route]]
to = "45"
plugin = "talker"

[sim]
dialect = "{dialect}"

[[sim.extension]]
user = "45"
password = "bot"

[[sim.extension]]
user = "46"
password = "secret46"
"""


def write_tone(path: Path, hz: float, seconds: float, rate: int = 44100) -> None:
    """Beeps: half a second on, a quarter off; stereo, as a file from anywhere may be."""
    at = np.arange(round(seconds * rate)) / rate
    beeps = 9000 * np.sin(2 * np.pi * hz * at) * (at % 0.75 < 0.5)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(beeps.astype(np.int16), 2).tobytes())


def strongest(path: Path) -> float:
    """The frequency of the most energy in a WAV, in Hz."""
    with wave.open(str(path)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()])


class Demo(Simulator):
    """`vodiabot demo` instead of the simulator alone."""

    COMMAND = (sys.executable, "-m", "vodiabot", "demo")

    def __init__(self, folder: Path, dialect: str) -> None:
        super().__init__(folder, {}, dialect)
        (folder / "talker.py").write_text(PLUGIN)
        self._file = folder / "bot.toml"
        self._file.write_text(SETTINGS.format(dialect=dialect))
        write_tone(folder / "tone.wav", BOT_HZ, 4.0)


@pytest.fixture(params=["modern", "classic"])
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Demo]:
    with Demo(tmp_path, request.param) as running:
        yield running


def test_a_page_calls_the_bot_and_each_hears_the_other(demo: Demo, browser: Browser, tmp_path: Path) -> None:
    with browser.new_context(permissions=["microphone"]) as context:
        page = Softphone(context, demo.url, "46", "secret46", PAGE_HZ)
        page.sign_in()
        clicked = time.monotonic()
        page.dial("45")
        page.heard(BOT_HZ)
        print(f"from the click to the bot's voice: {time.monotonic() - clicked:.2f} s")  # noqa: T201 - a figure, no verdict
        page.expect_no_call(timeout=15)
        assert not page.errors
    assert strongest(tmp_path / "heard.wav") == pytest.approx(PAGE_HZ, abs=5)


def test_the_demo_that_is_shipped_greets(tmp_path: Path, browser: Browser) -> None:
    command = [sys.executable, "-m", "vodiabot", "demo", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path)
    try:
        assert process.stdout is not None
        found = next(f for line in process.stdout if (f := re.search(r"Open\s+(http://\S+?)/#", line)))
        with browser.new_context(permissions=["microphone"]) as context:
            page = Softphone(context, found[1], "46", "demo", PAGE_HZ)
            page.sign_in()
            page.dial("45")
            page.expect_talking()
            page.expect_no_call(timeout=20)  # it greets, waits a moment and hangs up by itself
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=20)[0]
    assert process.returncode == 0
    assert rest.endswith("bye\n")
