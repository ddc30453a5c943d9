"""The console's page and the state behind it, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
import pytest
import trio

from vodiabot.console import serve_console
from vodiabot.errors import ListenError


@asynccontextmanager
async def console() -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        yield await nursery.start(partial(serve_console, lambda: {"sessions": []}, "127.0.0.1:0"))
        nursery.cancel_scope.cancel()


async def test_the_page_and_its_state_are_served_with_safe_headers() -> None:
    async with console() as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        page = await client.get("/")
        assert "<title>vodiabot</title>" in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]
        for file in ("console.js", "console.css"):
            assert (await client.get(f"/{file}")).status_code == 200
        state = await client.get("/state.json")
        assert state.json() == {"sessions": []}
        assert state.headers["cache-control"] == "no-store"


async def test_another_hosts_name_is_refused() -> None:
    async with console() as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = await client.get("/state.json", headers={"Host": "evil.example"})
        assert answer.status_code == 400


async def test_an_address_that_is_taken_is_one_clear_error() -> None:
    async with console() as url:
        taken = url.removeprefix("http://")
        with pytest.RaisesGroup(ListenError, flatten_subgroups=True, allow_unwrapped=True) as caught:
            await serve_console(dict, taken)
    assert caught.value is not None


async def test_it_ends_when_it_is_cancelled_and_the_address_is_free_again() -> None:
    async with console() as url:
        pass
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(url)
