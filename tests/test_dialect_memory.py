"""What was learned of a PBX's dialect is kept, and a broken file costs no more than a log line."""

from __future__ import annotations

from pathlib import Path

from vodiabot.dialect_memory import FILE, DialectMemory
from vodiabot.protocol.dialects import Dialect


def test_what_is_remembered_is_recalled_by_the_next_start_and_by_its_pbx_only(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert DialectMemory(folder, "one").recall() is None
    DialectMemory(folder, "one").remember(Dialect.CLASSIC)
    DialectMemory(folder, "two").remember(Dialect.MODERN)
    assert DialectMemory(folder, "one").recall() is Dialect.CLASSIC
    assert DialectMemory(folder, "two").recall() is Dialect.MODERN


def test_a_broken_file_is_no_memory_and_is_replaced(tmp_path: Path) -> None:
    for broken in ("{", "[]", '{"one": "klingon"}', '{"one": 7}'):
        (tmp_path / FILE).write_text(broken)
        memory = DialectMemory(tmp_path, "one")
        assert memory.recall() is None
        memory.remember(Dialect.MODERN)
        assert memory.recall() is Dialect.MODERN


def test_a_folder_that_cant_be_written_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    memory = DialectMemory(tmp_path / "state", "one")
    memory.remember(Dialect.MODERN)
    assert memory.recall() is None
