"""What `say` does with providers of every kind; real child processes, no audio."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from vodiabot.errors import SourceError, SpeechFailed, SpeechUnavailable
from vodiabot.speech import process

from .kit import FAILS, HANGS, HAS_NO_VOICE, SPEAKS, WRITES_NOTHING, Played, Scripted, speech

LONG = " ".join(f"This is sentence number {n} of a text that is much too long for one breath." for n in range(6))


async def until(holds: Callable[[], Any]) -> None:
    with trio.fail_after(20):
        while not holds():  # noqa: ASYNC110 - it looks at another process
            await trio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_text_is_spoken_once_and_then_kept(tmp_path: Path) -> None:
    provider, play = Scripted(), Played()
    speaker = speech(tmp_path, provider)
    for _ in range(2):
        await speaker.say("  Welcome.\n", play)
    assert play.seconds == [0.8, 0.8]
    assert provider.spoken == [b"Welcome."]
    await speaker.say("Welcome.", play, language="de")
    await speaker.say("Welcome!", play)
    assert len(set(play.paths)) == 3
    assert "elcome" not in " ".join(os.listdir(tmp_path))


async def test_another_version_speaks_it_anew(tmp_path: Path) -> None:
    provider, play = Scripted(), Played()
    for version in ("1", "2", "1"):
        provider.identity = version
        await speech(tmp_path, provider).say("Welcome.", play)
    assert len(provider.spoken) == len(set(play.paths)) == 2


ODD = ("-f /etc/passwd", "--help", "<speak>hi</speak>", "a\0b", "[[x]]", "$(id); `id`", "é電")


@pytest.mark.parametrize("text", ODD)
async def test_no_text_is_anything_but_a_text(tmp_path: Path, text: str) -> None:
    play = Played()
    await speech(tmp_path, Scripted()).say(text, play)
    assert play.seconds == [pytest.approx(len(text) / 10)]


async def test_nothing_is_said_of_nothing(tmp_path: Path) -> None:
    provider, play = Scripted(), Played()
    await speech(tmp_path, provider).say(" \0\n", play)
    assert play.paths == provider.spoken == []


async def test_the_first_sentence_is_heard_while_the_next_is_spoken(tmp_path: Path) -> None:
    provider, heard = Scripted(), Played()

    async def play(path: Path) -> None:
        await heard(path)
        if len(heard.paths) == 1:
            assert len(provider.spoken) < 4, "not all at once"
            await until(lambda: len(provider.spoken) >= 2)

    await speech(tmp_path, provider).say(LONG, play)
    assert b" ".join(provider.spoken).decode() == LONG
    assert len(heard.paths) == len(provider.spoken) > 3


async def test_what_can_not_be_played_stops_the_speaking(tmp_path: Path) -> None:
    provider = Scripted()

    async def play(path: Path) -> None:
        raise SourceError("no ears")

    for text in (LONG, "Short."):
        with pytest.raises(SourceError, match="no ears"):
            await speech(tmp_path, provider).say(text, play)
    assert len(provider.spoken) < 6


async def test_a_failure_says_why_but_not_of_what(tmp_path: Path) -> None:
    with pytest.raises(SpeechFailed) as caught:
        await speech(tmp_path, Scripted(FAILS)).say("My secret.", Played())
    assert str(caught.value).endswith("failed with exit code 5: the voice is hoarse")
    assert "secret" not in str(caught.value)
    assert os.listdir(tmp_path) == []


async def test_a_failure_in_the_middle_comes_after_what_was_spoken(tmp_path: Path) -> None:
    script = "import sys\nif 'number 3' in sys.stdin.read(): sys.exit(5)\nsys.stdin.close()\n"
    speaks = script + SPEAKS.replace("text = sys.stdin.buffer.read().decode()", "text = 'xx'")
    play = Played()
    with pytest.raises(SpeechFailed):
        await speech(tmp_path, Scripted(speaks)).say(LONG, play)
    assert len(play.paths) >= 1


async def test_a_child_that_writes_nothing_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(SpeechFailed, match="can't be read"):
        await speech(tmp_path, Scripted(WRITES_NOTHING)).say("Hello.", Played())


async def test_a_program_that_is_gone_is_a_failure(tmp_path: Path) -> None:
    provider = Scripted()
    provider._arguments = (str(tmp_path / "gone"),)
    with pytest.raises(SpeechFailed, match="gone can't be started: No such file"):
        await speech(tmp_path, provider).say("Hello.", Played())


async def test_another_provider_has_the_voice(tmp_path: Path) -> None:
    play = Played()
    await speech(tmp_path, Scripted(HAS_NO_VOICE, name="flite"), Scripted()).say("Hello.", play, voice="anna")
    assert play.seconds == [0.6]
    with pytest.raises(SpeechUnavailable, match="flite has no voice 'anna'"):
        await speech(tmp_path, Scripted(HAS_NO_VOICE, name="flite")).say("Bye.", play, voice="anna")


async def test_another_provider_stands_in_for_one_that_fails(tmp_path: Path) -> None:
    play = Played()
    await speech(tmp_path, Scripted(FAILS, name="flite"), Scripted()).say("Hello.", play)
    assert play.seconds == [0.6]
    with pytest.raises(SpeechFailed, match="hoarse"):
        await speech(tmp_path, Scripted(FAILS, name="flite"), Scripted(HAS_NO_VOICE)).say("Bye.", play)


async def test_whoever_leaves_leaves_no_child_behind(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    cache = tmp_path / "cache"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speech(cache, Scripted(HANGS, str(pid_file))).say, LONG, Played())
        await until(lambda: pid_file.exists() and pid_file.read_text())
        nursery.cancel_scope.cancel()
    assert not is_alive(int(pid_file.read_text())), "killed and reaped"
    assert os.listdir(cache) == []


async def test_a_child_that_hangs_is_stopped(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = Scripted(HANGS, str(pid_file)).commands(None)[0]  # type: ignore[arg-type]
    with pytest.raises(SpeechFailed, match=r"not spoken within 1\.5 s"):
        await process.run(command, b"Hello.", tmp_path / "out", time_limit=1.5)
    assert not pid_file.exists() or not is_alive(int(pid_file.read_text()))


async def test_a_child_does_not_see_our_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VODIABOT_PASSWORD", "hunter2")
    script = "import os, sys\nif 'hunter2' in str(os.environ): sys.exit(9)\n" + SPEAKS
    await speech(tmp_path, Scripted(script)).say("Hello.", Played())
