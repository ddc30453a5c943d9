"""Every entrance, with its seeds, with what was ever found, with parts of both, and with anything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .targets import FOUND, TARGETS

FILES = sorted(path for path in FOUND.glob("*/*") if path.is_file())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name](seed)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_once_is_so_no_more(path: pytest.FixtureRequest) -> None:
    TARGETS[path.parent.name](path.read_bytes())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", TARGETS)
@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_seeds_that_were_damaged(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(TARGETS[name].seeds))
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(seed))] * 2)))
    TARGETS[name](seed[:begin] + data.draw(st.binary(max_size=30)) + seed[end:])


@pytest.mark.parametrize("name", TARGETS)
@settings(deadline=None, max_examples=50)
@given(data=st.binary(max_size=500))
def test_anything(name: str, data: bytes) -> None:
    TARGETS[name](data)
