"""`vodiabot call`, the command itself, against the simulator: what is recorded is found again by its content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trio

from .support import NUMBERS, at, loudest_hz, outcome, read_wav, simulator, vodiabot, write_wav

pytestmark = pytest.mark.audio

KEYS = {"answered", "code", "setup_ms", "duration_s", "dtmf_received", "packets_sent", "packets_received", "error"}
MORE = {"mos", "jitter_ms", "loss", "silent_for_s", "unheard_for_s", "ended"}


@pytest.mark.parametrize("dialect", ["classic", "modern"])
@pytest.mark.parametrize("codec", ["opus", "G722", "PCMU", "PCMA"])
async def test_a_tone_is_recorded_in_every_codec_and_both_dialects(codec: str, dialect: str, tmp_path: Path) -> None:
    async with simulator(dialect, codecs=(codec,)) as sim:
        record = ["--record", "r.wav", "--duration", "2", "--codec", codec, "--json"]
        code, out, err = await vodiabot("call", "600", *record, *at(sim.url), cwd=tmp_path)
        assert code == 0, err
        assert set(outcome(out)) == KEYS | MORE
        assert (outcome(out)["loss"], err) == (0, "")
        assert outcome(out)["silent_for_s"] < 1
        assert outcome(out)["unheard_for_s"] in (0.0, None)  # not before its first report
        assert outcome(out)["mos"] is None or outcome(out)["mos"] > 3.5
        assert outcome(out)["answered"] is True
        assert outcome(out)["ended"] == "hangup"
        assert outcome(out)["packets_received"] > 50
        assert sim.snapshot()["legs"] == []
    samples, rate = read_wav(tmp_path / "r.wav")
    heard = samples[rate // 2 :]
    assert loudest_hz(heard, rate) == pytest.approx(1000, abs=2)
    assert len(samples) / rate == pytest.approx(2, abs=0.7)
    loudness = [np.sqrt(np.mean(block**2)) for block in np.array_split(heard, len(heard) // (rate // 50))]
    loud = np.mean([one > max(loudness) / 3 for one in loudness])
    assert loud > 0.9, f"the tone is there for {loud:.0%} of the time only"


async def test_the_echo_gives_back_what_was_played(tmp_path: Path) -> None:
    rate = 16000
    time = np.arange(rate * 2) / rate
    sweep = 8000 * np.sin(2 * np.pi * (300 * time + 400 * time**2))
    write_wav(tmp_path / "sweep.wav", sweep, rate)
    async with simulator() as sim:
        options = ["--play", "sweep.wav", "--record", "r.wav", "--duration", "4", "--codec", "opus", "--json"]
        code, _, err = await vodiabot("call", "601", *options, *at(sim.url), cwd=tmp_path)
        assert code == 0, err
    heard, heard_rate = read_wav(tmp_path / "r.wav")
    assert heard_rate == rate
    found = [_find(heard, quarter) for quarter in np.array_split(sweep, 4)]
    delays = [at - i * len(sweep) // 4 for i, (at, _) in enumerate(found)]
    print(f"through the echo: {[round(1000 * d / rate) for d in delays]} ms after the recording began")  # noqa: T201
    # three of four: a machine that stalls for a moment may break one, and no echo at all breaks every one
    assert sum(likeness > 0.9 for _, likeness in found) >= 3, found


def _find(heard: np.ndarray, wanted: np.ndarray) -> tuple[int, float]:
    """Where `wanted` is heard (sample), and how alike it is there: 1.0 is the same."""
    at = int(np.correlate(heard, wanted, "valid").argmax())
    back = heard[at : at + len(wanted)]
    return at, float(np.dot(back, wanted) / np.sqrt(np.dot(back, back) * np.dot(wanted, wanted)))


@pytest.mark.parametrize("seconds", ["2", "7"])
async def test_one_way_audio_is_told(seconds: str, tmp_path: Path) -> None:
    async with simulator() as sim:
        code, out, err = await vodiabot(
            "call", NUMBERS["silent"], "--duration", seconds, "--json", *at(sim.url), cwd=tmp_path
        )
    assert code == 0, err
    assert (outcome(out)["packets_received"], outcome(out)["loss"]) == (0, None)
    assert outcome(out)["silent_for_s"] >= int(seconds) - 1
    [line] = err.splitlines()
    assert "nothing was heard of the other side" in line


async def test_digits_are_heard_by_the_pbx(tmp_path: Path) -> None:
    async with simulator() as sim:
        options = ["--dtmf", "12#", "--duration", "3", "--codec", "PCMU", "--json"]
        code, out, err = await vodiabot("call", "600", *options, *at(sim.url), cwd=tmp_path)
        assert code == 0, err
        heard = [leg.digits for leg in sim.pbx._world.legs.values()]
        assert heard == ["12#"]
        assert outcome(out)["dtmf_received"] == ""


@pytest.mark.parametrize(
    ("number", "status"), [("busy", 486), ("reject", 603), ("codec-mismatch", 488), ("early-then-busy", 486)]
)
async def test_refusals_have_their_code(number: str, status: int, tmp_path: Path) -> None:
    async with simulator("classic") as sim:
        code, out, _ = await vodiabot("call", NUMBERS[number], "--json", *at(sim.url), cwd=tmp_path)
        assert code == 1
        assert (outcome(out)["answered"], outcome(out)["code"]) == (False, status)
        assert outcome(out)["error"].startswith(f"{NUMBERS[number]} "), "it names the number"


async def test_a_recording_that_fails_in_the_call_is_a_failure(tmp_path: Path) -> None:
    async with simulator() as sim:
        full = ["--record", "/dev/full", "--duration", "1", "--json"]  # a disk that is full
        code, out, err = await vodiabot("call", "600", *full, *at(sim.url), cwd=tmp_path)
    assert (code, outcome(out)["answered"]) == (1, True), err
    assert "/dev/full" in outcome(out)["error"]
    assert "No space left" in outcome(out)["error"]


async def test_beside_the_running_bot_of_the_same_file(tmp_path: Path) -> None:
    """Which has the addresses that the file names."""
    taken = [await trio.open_tcp_listeners(0, host="127.0.0.1") for _ in range(3)]
    ops, console, http = (one[0].socket.getsockname()[1] for one in taken)
    async with simulator() as sim:
        (tmp_path / "bot.toml").write_text(BESIDE.format(url=sim.url, ops=ops, console=console, http=http))
        code, _, err = await vodiabot("call", "600", "--duration", "1", cwd=tmp_path)
    for listeners in taken:
        await listeners[0].aclose()
    assert (code, err) == (0, "")


BESIDE = """
pbx.url = "{url}"
pbx.domain = "localhost"
ops.listen = "127.0.0.1:{ops}"
console.listen = "127.0.0.1:{console}"
http.listen = "127.0.0.1:{http}"
bot.state_dir = "state"
[[extension]]
user = "45"
password = "bot"
"""


async def test_errors_are_plain_lines(tmp_path: Path) -> None:
    async with simulator() as sim:
        cases = [
            (["call", "600", *at(sim.url)[:-1], "NOT_SET"], 2, "NOT_SET"),
            (["call", "600", *at("http://127.0.0.1:9")], 1, "127.0.0.1:9"),
            (["call", "600", "--play", "none.wav", *at(sim.url)], 2, "--play none.wav: can't be read"),
            (["call", "600"], 2, "bot.toml"),
        ]
        for arguments, expected, word in cases:
            code, _, err = await vodiabot(*arguments, cwd=tmp_path)
            assert code == expected, (arguments, err)
            assert word in err
            assert "Traceback" not in err
        code, _, err = await vodiabot("call", "600", *at(sim.url), cwd=tmp_path, PASSWORD_45="wrong")
        assert code == 1
        assert "password" in err
        assert "wrong" not in err
