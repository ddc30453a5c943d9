from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import structlog

from vodiabot.errors import ConfigError, UsageError
from vodiabot.tape import Tape, read_tape, writing


class Wall:
    now = 100.0

    def __call__(self) -> float:
        self.now += 0.5
        return self.now


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    tape = Tape(Wall())
    tape.start(tmp_path / "t", about={"domain": "d", "extensions": ["45"]})
    tape.server("45", "Vodia-PBX/70.1")
    tape.up("45", "registered")
    tape.heard("45", '{"action": "chat"}')
    tape.heard("45", "garbage {")
    tape.said("45", '{"action": "sip-bye"}', failure="gone")
    tape.media("c1", {"event": "MediaUp", "generation": 1})
    tape.down("45", "lost")
    tape.stop()
    header, entries = read_tape(tmp_path / "t")
    assert (header.domain, header.extensions, header.masked) == ("d", ("45",), False)
    assert [entry.t for entry in entries] == sorted(entry.t for entry in entries)
    assert [e.heard for e in entries if e.heard] == [{"action": "chat"}, "garbage {"]
    assert [(e.said, e.failed) for e in entries if e.said] == [({"action": "sip-bye"}, "gone")]
    assert [e.media for e in entries if e.media] == [{"event": "MediaUp", "generation": 1}]
    assert [e.up or e.down or e.server for e in entries if e.heard is e.said and not e.media] == [
        "Vodia-PBX/70.1",
        "registered",
        "lost",
    ]


def test_one_that_begins_later_begins_with_how_things_are(tmp_path: Path) -> None:
    tape = Tape(Wall())
    tape.server("45", "X")
    tape.up("45", "registered")
    tape.heard("45", '{"action": "domain-state", "calls": []}')
    tape.heard("45", '{"action": "chat"}')
    tape.start(tmp_path / "t")
    tape.stop()
    assert [set(line) - {"t", "extension"} for line in lines(tmp_path / "t")[1:]] == [{"server"}, {"in"}, {"up"}]


def test_reasons_are_masked_as_frames_are(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    tape = Tape(lambda: 0.0)
    tape.start(path, mask_numbers=True)
    tape.down("45", "0711123456 took session=geheim")
    tape.media("leg", {"event": "MediaLost", "generation": 1, "reason": "0711123456 left"})
    tape.said("45", "{}", failure="0711123456")
    tape.heard("45", '{"from-display": "Ada", "from-number": "0711123456"')
    tape.stop()
    text = path.read_text()
    assert not re.search("0711123456|geheim|Ada", text)
    assert text.count('"in":') == 1


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    tape = Tape(Wall())
    tape.start(tmp_path / "t")
    tape.stop()
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o600


def test_no_file_is_overwritten_and_one_is_enough(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("precious")
    tape = Tape(Wall())
    with pytest.raises(UsageError, match="File exists"):
        tape.start(tmp_path / "old")
    tape.start(tmp_path / "new")
    with pytest.raises(UsageError, match="being written"):
        tape.start(tmp_path / "third")
    tape.stop()
    tape.stop()
    assert (tmp_path / "old").read_text() == "precious"


def test_a_full_tape_or_disk_ends_it_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LARGEST", 500)
    tape = Tape(Wall())
    tape.start(tmp_path / "t")
    for _ in range(50):
        tape.heard("45", '{"action": "chat"}')
    assert not tape.running
    read_tape(tmp_path / "t")
    full = Tape(Wall())
    full.start(tmp_path / "u")
    assert full._file is not None
    full._file.close()
    full._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - it is closed by the tape
    full.heard("45", "{}")
    assert not full.running


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "1"),
        ("{}\n", "1"),
        ('{"vodiabot_tape": 9}\n', "version 9"),
        ('{"vodiabot_tape": 1}\n{"t": "x"}\n', ":2"),
        ('{"vodiabot_tape": 1}\n{"t": 1, "up": "x"}\n', "extension"),
        ('{"vodiabot_tape": 1}\n{"t": 1, "leg": "c", "media": {"event": "Nonsense"}}\n', "media"),
    ],
)
def test_a_bad_tape_names_file_and_line(tmp_path: Path, text: str, where: str) -> None:
    path = tmp_path / "t"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_tape(path)
    assert str(path) in str(raised.value)
    assert where in str(raised.value)


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_last_line_that_was_cut_off_is_left_out_with_a_warning(tmp_path: Path, end: str) -> None:
    path = tmp_path / "t"
    path.write_text(f'{{"vodiabot_tape": 1}}\n{{"t": 1, "extension": "45", "up": "x"}}\n{{"t": 2, "exten{end}')
    with structlog.testing.capture_logs() as logged:
        assert len(read_tape(path)[1]) == 1
    assert [(line["log_level"], line["path"], line["line"]) for line in logged] == [("warning", str(path), 3)]


def test_a_last_line_without_its_end_is_whole_and_a_broken_one_elsewhere_is_not(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text('{"vodiabot_tape": 1}\n{"t": 1, "extension": "45", "up": "x"}')
    with structlog.testing.capture_logs() as logged:
        assert len(read_tape(path)[1]) == 1
    assert logged == []
    path.write_text('{"vodiabot_tape": 1}\n{"t": 1, "ext\n{"t": 2, "extension": "45", "up": "x"}\n')
    with pytest.raises(ConfigError, match=f"{path}:2: "):
        read_tape(path)
