"""The real Chromium as the other side of a leg: its descriptions, its candidates, its sound."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from playwright.sync_api import sync_playwright

from vodiabot.media.bridge import open_media
from vodiabot.media.sources import tone
from vodiabot.ports import IceCandidate

from .helpers import End, end, loudest_hz, read_wav

pytestmark = [pytest.mark.browser, pytest.mark.audio]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

PAGE = """() => {
  // No microphone, so all of its candidates have names of mDNS; its sound is a tone of 700 Hz.
  window.make = () => {
    const audio = window.audio = new AudioContext(), tone = audio.createOscillator();
    const out = audio.createMediaStreamDestination();
    tone.frequency.value = 700; tone.connect(out); tone.start();
    const pc = window.pc = new RTCPeerConnection(), found = window.found = [];
    pc.addTrack(out.stream.getTracks()[0], out.stream);
    pc.onicecandidate = e => { if (e.candidate) found.push(e.candidate.toJSON()); };
    pc.ontrack = e => {
      const stream = new MediaStream([e.track]), element = new Audio();
      element.srcObject = stream; element.muted = true; element.play();
      window.heard = audio.createAnalyser(); heard.fftSize = 8192;
      audio.createMediaStreamSource(stream).connect(heard);
    };
  };
  window.offer = () => pc.createOffer().then(o => pc.setLocalDescription(o)).then(() => pc.localDescription.sdp);
  window.answer = sdp => pc.setRemoteDescription({type: 'offer', sdp}).then(() => pc.createAnswer())
    .then(a => pc.setLocalDescription(a)).then(() => pc.localDescription.sdp);
  window.loudest = () => {
    const bins = new Float32Array(heard.frequencyBinCount); heard.getFloatFrequencyData(bins);
    return bins.indexOf(Math.max(...bins)) * audio.sampleRate / heard.fftSize;
  };
}"""


class Browser:
    """A page in a thread of its own, asked from trio."""

    def __init__(self) -> None:
        self._asked: queue.Queue[Any] = queue.Queue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            page = chromium.new_page()
            page.evaluate(PAGE)
            while (asked := self._asked.get()) is not None:
                script, argument, answers = asked
                answers.put(page.evaluate(script, argument))
            chromium.close()

    async def ask(self, script: str, argument: object = None) -> Any:
        answers: queue.Queue[Any] = queue.Queue()
        self._asked.put((script, argument, answers))
        return await trio.to_thread.run_sync(lambda: answers.get(timeout=20))

    def close(self) -> None:
        self._asked.put(None)
        self._thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    it = Browser()
    yield it
    it.close()


async def negotiate(us: End, browser: Browser, who_offers: str) -> None:
    await browser.ask("() => make()")
    if who_offers == "chromium":
        answer = await us.leg.make_answer(1, await browser.ask("() => offer()"))
        await browser.ask("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
    else:
        await us.leg.apply_answer(1, await browser.ask("sdp => answer(sdp)", await us.leg.make_offer(1)))
    for c in await browser.ask("() => found"):
        await us.leg.add_candidate(1, IceCandidate(c["candidate"], c["sdpMid"], c["sdpMLineIndex"]))
    for told in us.heard.candidates:
        line = told.candidate.candidate if told.candidate else ""
        await browser.ask("candidate => pc.addIceCandidate({candidate, sdpMid: '0', sdpMLineIndex: 0})", line)


@pytest.mark.parametrize("who_offers", ["chromium", "we"])
@pytest.mark.parametrize("codec", ["opus", "PCMA"])
async def test_each_hears_the_other(browser: Browser, codec: str, who_offers: str, tmp_path: Path) -> None:
    async with open_media(codecs=[codec]) as engine:
        us = end(engine, "us")
        await negotiate(us, browser, who_offers)
        await us.heard.up(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(us.leg.play, tone(1000))
            await us.leg.record(tmp_path / "x.wav", max_seconds=1.5)
            assert await browser.ask("() => loudest()") == pytest.approx(1000, abs=8)
            nursery.cancel_scope.cancel()
        samples, rate = read_wav(tmp_path / "x.wav")
        assert loudest_hz(samples[len(samples) // 2 :], rate) == pytest.approx(700, abs=2)
        await browser.ask("() => pc.close()")
        await us.heard.until(lambda h: h.losses)


@pytest.mark.parametrize("who_offers", ["chromium", "we"])
@pytest.mark.parametrize("codec", ["opus", "PCMU"])
async def test_chromiums_keypad_is_heard(browser: Browser, codec: str, who_offers: str) -> None:
    async with open_media(codecs=[codec]) as engine:
        us = end(engine, "us")
        await negotiate(us, browser, who_offers)
        await us.heard.up(1)
        await browser.ask("() => pc.getSenders()[0].dtmf.insertDTMF('1590*#D', 100, 70)")
        await us.heard.until(lambda h: len(h.digits) >= 7)
        assert us.heard.digits == "1590*#D"
        await us.leg.send_dtmf("12")  # Chromium has no way to tell; the tone after it is heard all the same
        async with trio.open_nursery() as nursery:
            nursery.start_soon(us.leg.play, tone(1000))
            await trio.sleep(1.0)
            assert await browser.ask("() => loudest()") == pytest.approx(1000, abs=8)
            nursery.cancel_scope.cancel()
        await browser.ask("() => pc.close()")
        await us.heard.until(lambda h: h.losses)


async def test_chromiums_reports_make_our_round_trip(browser: Browser) -> None:
    async with open_media(codecs=["opus"]) as engine:
        us = end(engine, "us")
        await negotiate(us, browser, "we")
        await us.heard.up(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(us.leg.play, tone(1000))
            with trio.fail_after(20):
                while us.leg.stats().round_trip is None:  # noqa: ASYNC110 - no event tells it
                    await trio.sleep(0.05)
            nursery.cancel_scope.cancel()
        stats = us.leg.stats()
        assert stats.round_trip is not None
        assert 0 <= stats.round_trip < 1.0
        assert stats.far_lost is not None
        far = await browser.ask(
            "async () => [...(await pc.getStats()).values()].filter(s => s.type == 'remote-outbound-rtp').length"
        )
        assert far == 1  # it understood our sender reports
        await browser.ask("() => pc.close()")
        await us.heard.until(lambda h: h.losses)
