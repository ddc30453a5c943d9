"""What `vodiabot call` says before it calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from vodiabot.config import parse
from vodiabot.errors import UsageError
from vodiabot.verbs.call import Wishes, call

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


@pytest.mark.parametrize("before", [None, b"of yesterday"])
async def test_what_is_there_stays_until_somebody_answers(before: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    if before is not None:
        path.write_bytes(before)
    await call(NOBODY, Wishes("600", record=path), as_json=True)
    assert (path.read_bytes() if path.exists() else None) == before
