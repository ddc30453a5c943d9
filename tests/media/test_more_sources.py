"""Streams of the network, lists, what is fed, and the signals of a line."""

from __future__ import annotations

import http.server
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from vodiabot.errors import SourceError, UsageError
from vodiabot.media.audio import Samples
from vodiabot.media.sources import (
    Feed,
    Louder,
    Playlist,
    Reader,
    as_source,
    duration_of,
    files,
    is_inline,
    music_on_hold,
    playlist,
    signal,
    silence_for,
    tone,
)

from .helpers import loudest_hz, sine, write_wav


def some(reader: Reader, samples: int) -> Samples:
    """At least so many samples, or all."""
    blocks: list[Samples] = []
    while sum(map(len, blocks)) < samples and (block := reader.read()) is not None:
        blocks.append(block)
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


# --- the network ----------------------------------------------------------------------------------------------


class Server(http.server.ThreadingHTTPServer):
    """Serves one folder, a redirect to it, and a playlist that leads elsewhere."""

    daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/moved"):
                self.send_response(302)
                self.send_header("Location", "/x.wav")
                self.end_headers()
                return
            super().do_GET()

        def log_message(self, *_: object) -> None:
            return

    def make(*args: object) -> Handler:
        return Handler(*args, directory=str(tmp_path))  # type: ignore[arg-type]

    write_wav(tmp_path / "x.wav", [sine(660, 1.0, 16000)], 16000)
    with Server(("127.0.0.1", 0), make) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/x.wav", "/moved"])
def test_a_url_is_played(server: Server, path: str) -> None:
    reader = as_source(server.url + path).open(8000)
    samples = some(reader, 16000)
    reader.close()
    assert len(samples) == 16000
    assert loudest_hz(samples, 16000) == pytest.approx(660, abs=2)


def test_what_is_not_there_is_named_without_its_secrets(server: Server) -> None:
    address = server.url.replace("//", "//user:hunter2@") + "/no.wav?token=hunter3"
    with pytest.raises(SourceError) as caught:
        as_source(address).open(8000)
    assert "/no.wav" in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_a_server_that_is_away_is_an_error_at_once() -> None:
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1/"):
        as_source("http://127.0.0.1:1/x.wav").open(8000)


@contextmanager
def answering(*pieces: bytes, over: threading.Event) -> Iterator[str]:
    """An address at which these come at once, and then nothing until it is over."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(4096)
                for piece in pieces:
                    client.sendall(piece)
                over.wait(30)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://anna:secret@127.0.0.1:{listener.getsockname()[1]}/live"
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize("begun", [False, True])
def test_a_server_that_falls_silent_is_told_plainly(begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "URL_SECONDS", 0.3)
    ulaw = b".snd" + struct.pack(">5I", 24, 0xFFFFFFFF, 1, 8000, 1) + bytes(range(256)) * 500
    pieces = [b"HTTP/1.1 200 OK\r\nContent-Type: audio/basic\r\n\r\n", ulaw] if begun else []
    heard: list[int] = []

    def hear(url: str) -> None:
        reader = as_source(url).open(8000)
        while (block := reader.read()) is not None:
            heard.append(len(block))

    with answering(*pieces, over=threading.Event()) as url:
        with pytest.raises(SourceError, match=r"127\.0\.0\.1:\d+/live: can't be played: nothing has come") as told:
            hear(url)
        assert "secret" not in str(told.value)
    assert (sum(heard) > 100_000) == begun


def test_a_stream_leads_to_no_file_here(server: Server, tmp_path: Path) -> None:
    write_wav(tmp_path / "secret.wav", [sine(440, 1.0, 8000)], 8000)
    (tmp_path / "list.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1.0,\nfile://{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(SourceError):
        some(as_source(server.url + "/list.m3u8").open(8000), 100)


# --- lists ----------------------------------------------------------------------------------------------------


def test_a_list_has_no_gap(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", [sine(500, 0.5, 8000)], 8000)
    source = playlist(tmp_path / "a.wav", tone(500, 0.5), str(tmp_path / "a.wav"))
    samples = some(source.open(8000), 99999)
    assert len(samples) == 12000
    envelope = np.abs(samples[: len(samples) // 80 * 80].reshape(-1, 80)).max(axis=1)
    assert envelope[1:-1].min() > 8000


def test_without_end_it_begins_again_and_again() -> None:
    reader = playlist(tone(500, 0.1), silence_for(0.1), loop=True).open(8000)
    samples = some(reader, 8000)
    loud = np.abs(samples[:8000].reshape(-1, 800)).max(axis=1) > 1000
    assert list(loud) == [True, False] * 5
    assert duration_of(playlist(tone(1, 2), loop=True)) is None
    assert duration_of(playlist(tone(1, 2), tone(1, 3))) == 5.0


def test_shuffled_means_each_once_a_round_and_the_same_with_the_same_seed() -> None:
    source = playlist(*(tone(200 * n, 0.1) for n in range(1, 6)), loop=True, shuffle=7)

    def order() -> list[int]:
        samples = some(source.open(8000), 8000)[:8000].reshape(-1, 800)
        return [round(loudest_hz(block.astype(float), 8000) / 200) for block in samples]

    first = order()
    assert sorted(first[:5]) == sorted(first[5:]) == [1, 2, 3, 4, 5]
    assert first[:5] != first[5:]
    assert order() == first


def test_what_can_not_be_read_is_left_out_of_a_list(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "broken.wav").write_bytes(b"nothing")
    source = playlist(tmp_path / "broken.wav", tone(500, 0.5), tmp_path / "missing.wav", loop=True)
    assert len(some(source.open(8000), 9000)) >= 9000
    assert "broken.wav" in caplog.text


@pytest.mark.parametrize("loop", [False, True])
def test_a_list_of_nothing_but_broken_files_is_an_error(tmp_path: Path, loop: bool) -> None:
    with pytest.raises(SourceError):
        some(playlist(tmp_path / "a.wav", tmp_path / "b.wav", loop=loop).open(8000), 100)


def test_a_loop_of_silence_that_has_no_length_ends() -> None:
    with pytest.raises(SourceError, match="no sound"):
        some(playlist(tone(500, 0.0), loop=True).open(8000), 100)
    assert len(some(Playlist((), loop=True).open(8000), 100)) == 0


def test_music_on_hold_is_a_folder(tmp_path: Path) -> None:
    write_wav(tmp_path / "2.wav", [sine(900, 0.5, 8000)], 8000)
    write_wav(tmp_path / "1.wav", [sine(400, 0.5, 8000)], 8000)
    (tmp_path / "notes.txt").write_text("not music")
    samples = some(music_on_hold(tmp_path, gain=-20).open(8000), 12000).astype(float)
    assert loudest_hz(samples[:4000], 8000) == pytest.approx(400, abs=3)
    assert loudest_hz(samples[4000:8000], 8000) == pytest.approx(900, abs=3)
    assert np.abs(samples).max() == pytest.approx(np.abs(sine(400, 0.5, 8000) * 32767).max() / 10, rel=0.05)
    with pytest.raises(SourceError, match="no sound files"):
        music_on_hold(_empty(tmp_path))
    with pytest.raises(SourceError, match="can't be read"):
        music_on_hold(tmp_path / "away")


def _empty(tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def test_louder_is_clipped_and_not_wrapped() -> None:
    samples = some(Louder(tone(500, 0.1, 0.9), 12).open(8000), 800)
    assert samples.max() == 32767
    assert samples.min() == -32768
    original = sine(500, 0.1, 8000)
    assert (samples[original > 0.1] > 0).all()
    assert (samples[original < -0.1] < 0).all()


@pytest.mark.parametrize(("country", "hz"), [("eu", 425), ("us", 440), ("uk", 400)])
def test_signals_of_a_line(country: str, hz: float) -> None:
    source = signal("ringback", country)
    assert is_inline(source)
    samples = some(source.open(8000), 3000)[:3000].astype(float)
    assert min(abs(loudest_hz(samples, 8000) - f) for f in (hz, 480.0, 450.0)) < 4
    with pytest.raises(UsageError, match="ringback"):
        signal("ringback", "mars")


# --- what is fed ----------------------------------------------------------------------------------------------


def test_a_feed_gives_what_was_put_in_and_then_nothing_yet() -> None:
    feed = Feed(8000)
    reader = feed.open(8000)
    assert len(reader.read()) == 0  # type: ignore[arg-type]
    assert feed.put(np.arange(1000, dtype=np.int16).tobytes())
    got = np.concatenate([reader.read() for _ in range(7)])  # type: ignore[misc]
    assert list(got[:1000]) == list(range(1000))
    assert len(reader.read()) == 0  # type: ignore[arg-type]
    feed.put(b"\1\0")
    feed.end()
    assert not feed.put(b"\1\0")
    assert reader.read() is not None
    assert reader.read() is None


def test_a_full_feed_takes_nothing_and_loses_nothing() -> None:
    feed = Feed(8000, seconds=0.1)
    block = np.ones(400, np.int16).tobytes()
    assert [feed.put(block) for _ in range(4)] == [True, True, False, False]
    assert feed.seconds == pytest.approx(0.1)
    feed.open(8000).read()
    assert feed.put(block)
    feed.clear()
    assert feed.seconds == pytest.approx(0.005), "what is heard just now fades"


def test_a_feed_at_another_rate_keeps_its_pitch() -> None:
    feed = Feed(16000)
    feed.put((sine(600, 1.0, 16000) * 32767).astype(np.int16).tobytes())
    feed.end()
    assert loudest_hz(some(feed.open(8000), 99999).astype(float), 8000) == pytest.approx(600, abs=2)


@pytest.mark.parametrize("wrong", [{"rate": 100}, {"rate": 8001}, {"rate": 96000}])
def test_a_feed_of_a_wrong_rate(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="rate"):
        Feed(**wrong)
    with pytest.raises(UsageError, match="half a sample"):
        Feed().put(b"1")
