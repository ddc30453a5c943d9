"""What `vodiabot call` says before it calls, and of what became of the call."""

from __future__ import annotations

from pathlib import Path

import pytest

from vodiabot.config import parse
from vodiabot.errors import UsageError
from vodiabot.verbs.call import Outcome, Wishes, call, show
from vodiabot.verbs.call_words import rejected

NOBODY = parse(
    """
[pbx]
url = "http://127.0.0.1:9"
domain = "localhost"
[[extension]]
user = "45"
password = "secret"
"""
)


@pytest.mark.parametrize(
    ("path", "why"),
    [("no/r.wav", "No such file or directory"), (".", "Is a directory"), ("/proc/r.wav", "No such file or directory")],
)
async def test_a_recording_that_can_not_be_written_is_told_before_anybody_is_called(path: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        await call(NOBODY, Wishes("600", record=Path(path)), as_json=True)
    assert str(refused.value) == f"--record {path}: can't be written: {why}"


async def test_a_file_that_is_no_sound_is_told_before_anybody_is_called(tmp_path: Path) -> None:
    (tmp_path / "s.wav").write_text("la la la")
    with pytest.raises(UsageError, match=r"^--play .*s\.wav: "):
        await call(NOBODY, Wishes("600", play=tmp_path / "s.wav"), as_json=True)


@pytest.mark.parametrize("before", [None, b"of yesterday"])
async def test_what_is_there_stays_until_somebody_answers(before: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    if before is not None:
        path.write_bytes(before)
    await call(NOBODY, Wishes("600", record=path), as_json=True)
    assert (path.read_bytes() if path.exists() else None) == before


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("remote_hangup", "46 answered after 7 ms; the other side hung up after 0.2 s; "),
        ("hangup", "46 answered after 7 ms; we hung up after 0.2 s; "),
        ("connection_lost", "46 answered after 7 ms; the connection to the PBX was lost after 0.2 s; "),
        ("of_a_kind_to_come", "46 answered after 7 ms; it ended (of a kind to come) after 0.2 s; "),
    ],
)
def test_who_ended_it_is_told(reason: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(Wishes("46"), Outcome(answered=True, setup_ms=7, duration_s=0.2, ended=reason), as_json=False)
    assert capsys.readouterr().out.startswith(told)


def test_a_refusal_is_told_with_its_number_and_its_meaning() -> None:
    assert rejected("9999", 404) == "9999 was rejected with 404: there is no such number"
    assert rejected("9999", 499) == "9999 was rejected with 499"
