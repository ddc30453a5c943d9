"""What is heard of what comes: the right length, the right pitch, no click, no hole, no delay that stays."""

from __future__ import annotations

import gc
import random
import weakref
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vodiabot.media import rtp
from vodiabot.media.audio import FRAME_SECONDS, dbfs
from vodiabot.media.codecs import CODECS
from vodiabot.media.receiver import NOISE_PACKET, Noise, Payloads
from vodiabot.media.rtp import Packet

from .receiving import BEGAN, EVENTS, PHASE, TYPES, Source, late, listen, receiver, sine, without

HZ = 440.0
LENGTHS = [
    *[(codec, ms) for codec in ("PCMU", "PCMA", "G722") for ms in (10, 20, 30, 40, 60)],
    *[("opus", ms) for ms in (10, 20, 40, 60)],
]
"""What other sides send, in milliseconds a packet."""
SECONDS = 12
CLICK = {"PCMU": 900, "PCMA": 900, "G722": 900, "opus": 900}
"""What the codec itself may do to a tone (its steps), as `Heard.clicks` measures it."""


@pytest.mark.parametrize(("codec", "ms"), LENGTHS)
def test_packets_of_any_length_come_out_as_they_went_in(codec: str, ms: int) -> None:
    packets = Source(codec, ms / 1000).tone(SECONDS, HZ)
    heard = listen(receiver(codec), packets, SECONDS + 1)
    begin, end = heard.talk
    assert end - begin == pytest.approx(SECONDS, abs=0.03)
    assert 0 < end - (BEGAN + SECONDS) < ms / 1000 + 0.05, "delay at the end"
    steady = heard.part(1.5, SECONDS - 0.5)
    assert steady.hz == pytest.approx(HZ, abs=0.2)
    assert steady.holes == []
    assert steady.clicks(HZ).max() < CLICK[codec]
    assert np.ptp(heard.depths[100:-60]) < 0.001 + ms / 1000


@pytest.mark.parametrize(("codec", "ms"), LENGTHS)
def test_what_is_lost_takes_as_long_as_it_was(codec: str, ms: int) -> None:
    """Random losses of 3 %: the time goes on, and so does the pitch."""
    packets = Source(codec, ms / 1000, expects_loss=0.1).tone(SECONDS, HZ)
    chance = random.Random(ms)
    lost = [i for i in range(20, len(packets) - 20) if chance.random() < 0.03]
    heard = listen(receiver(codec), without(packets, lost), SECONDS + 1)
    begin, end = heard.talk
    assert end - begin == pytest.approx(SECONDS, abs=0.06)
    assert 0 < end - (BEGAN + SECONDS) < ms / 1000 + 0.09, "delay at the end"
    assert heard.part(1.5, SECONDS - 0.5).hz == pytest.approx(HZ, abs=3)
    assert all(hole[1] <= ms / 1000 for hole in heard.part(1.5, SECONDS - 0.5).holes)
    depths = heard.depths
    assert depths[-120:-60].mean() < depths[150:210].mean() + 0.03


# --- holes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722", "opus"])
@pytest.mark.parametrize("lost", [1, 2, 3, 10])
def test_the_sound_leaves_and_comes_back_without_a_click(codec: str, lost: int) -> None:
    packets = without(Source(codec).tone(3, HZ), range(80, 80 + lost))
    heard = listen(receiver(codec), packets, 3.5).part(1, 2.9)
    step = np.abs(np.diff(sine(HZ, 1, heard.rate).astype(int))).max()
    assert np.abs(np.diff(heard.samples.astype(int))).max() < 1.6 * step
    assert sum(hole[1] for hole in heard.holes) <= max(0.0, lost * 0.02 - 0.03)


def test_what_was_made_up_is_counted() -> None:
    for codec, ms in LENGTHS:
        ear = receiver(codec)
        listen(ear, without(Source(codec, ms / 1000).tone(3, HZ), [30, 31]), 3.3)
        assert ear.concealed / 8000 == pytest.approx(2 * ms / 1000, abs=0.03)
        assert ear.lost == 2


def test_a_packet_that_can_not_be_decoded_takes_its_time_all_the_same() -> None:
    packets = Source("opus").tone(3, HZ)
    broken = bytes([2, 200, 1])  # two frames of 10 ms, the first longer than the packet
    assert CODECS["opus"].duration(broken) == 960
    assert not len(CODECS["opus"].make_decoder().decode(broken))
    packets[70] = packets[70]._replace(payload=broken)
    ear = receiver("opus")
    heard = listen(ear, packets, 3.3)
    assert heard.talk[1] - heard.talk[0] == pytest.approx(3, abs=0.03)
    assert ear.concealed / 8000 == pytest.approx(0.02)
    assert heard.part(1, 2.9).holes == []


@pytest.mark.parametrize("codec", ["PCMU", "G722", "opus"])
def test_it_fades_to_silence_and_out_of_it(codec: str) -> None:
    packets = without(Source(codec).tone(3, HZ), range(80, 100))
    heard = listen(receiver(codec), packets, 3.5)
    n = heard.rate // 50
    blocks = heard.samples[: len(heard.samples) // n * n].reshape(-1, n).astype(int)
    silent = np.flatnonzero(~blocks[20:140].any(axis=1)) + 20
    first, last = silent[0], silent[-1]
    assert 10 <= len(silent) <= 19
    assert np.abs(blocks[first - 1][-n // 100 :]).max() < 300
    assert np.abs(blocks[last + 1][: n // 100]).max() < 1000
    assert np.abs(blocks[last + 1]).max() > (1500 if codec == "opus" else 6000)


def test_fec_is_heard_as_what_was_lost() -> None:
    """A tone that is 500 Hz only while the lost packet lasts."""
    sound = sine(200, 3, 16000)
    sound[80 * 320 : 81 * 320] = sine(500, 0.02, 16000)
    sent = Source("opus", expects_loss=0.2).send(sound)
    packets = without(sent, [80])
    heard, whole = (listen(receiver("opus"), p, 3.2) for p in (packets, sent))
    a, b = (h.samples[70 * 320 : 95 * 320].astype(float) for h in (heard, whole))
    assert np.mean((a - b) ** 2) < 0.1 * np.mean(b**2)


# --- what comes besides audio ---------------------------------------------------------------------------------


def noise_packet(packet: Packet, level: int) -> Packet:
    return packet._replace(payload_type=NOISE_PACKET, payload=bytes([level]))


def test_comfort_noise_is_noise_of_the_level_that_was_told() -> None:
    """Speech, 3 s with a noise packet each 200 ms, speech."""
    packets = Source().tone(6, HZ)
    told = [noise_packet(p, 40) for i, p in enumerate(packets) if 100 <= i < 250 and i % 10 == 0]
    ear = receiver("PCMU")
    heard = listen(ear, packets[:100] + told + packets[250:], 6.3)
    pause = heard.part(2.15, 4.9)
    blocks = pause.samples[: len(pause.samples) // 160 * 160].reshape(-1, 160)
    levels = np.array([dbfs(block) for block in blocks])
    assert levels.mean() == pytest.approx(-40, abs=1.0)
    assert levels.max() < -37, "no speech is made up in a pause"
    assert levels.min() > -43
    assert heard.part(5.2, 5.9).holes == []
    assert ear.concealed == 0
    assert heard.talk[1] == pytest.approx(BEGAN + 6, abs=0.09)


def test_a_side_that_sends_only_noise_or_a_key_is_not_silent() -> None:
    ear = receiver("PCMU")
    packets = Source().tone(20, HZ)
    listen(ear, [packets[0], *(noise_packet(p, 50) for p in packets[1:400:20])], 8)
    assert ear.last_audio == pytest.approx(BEGAN + 381 * 0.02 + 0.02, abs=0.05)
    listen(ear, [p._replace(payload_type=EVENTS, payload=bytes(4)) for p in packets[400:500]], 3, began=BEGAN + 8)
    assert ear.last_audio == pytest.approx(BEGAN + 10.02, abs=0.05)


def test_noise_of_another_clock_is_left_out() -> None:
    packets = Source("opus").tone(3, HZ)
    strange = [noise_packet(p, 20)._replace(sequence=p.sequence) for p in packets[40:140:20]]
    heard = listen(receiver("opus"), packets + strange, 3.3)
    assert heard.part(1, 2.9).holes == []


def test_a_key_is_silent_and_the_sound_goes_on_after_it() -> None:
    packets = Source().tone(4, HZ)
    key = [
        p._replace(payload_type=EVENTS, timestamp=packets[100].timestamp, payload=bytes([5, 10, 0, 160]))
        for p in packets[100:115]
    ]
    ear = receiver("PCMU")
    heard = listen(ear, packets[:100] + key + packets[115:], 4.3)
    assert ear.concealed == 0
    assert all(ear.push(p) for p in key)
    assert ear.lost == 0
    assert ear.reception is not None
    assert ear.reception.jitter < 0.001
    assert heard.part(2.42, 3.9).holes == []
    assert heard.talk[1] == pytest.approx(BEGAN + 4, abs=0.08)


@pytest.mark.parametrize("kind", [13, 33, 72, 98, 126])
def test_unknown_payload_types_change_nothing(kind: int) -> None:
    packets = Source("opus").tone(3, HZ)
    strange = [p._replace(payload_type=kind, sequence=p.sequence) for p in packets[::3]]
    others = [p._replace(payload_type=kind, ssrc=99) for p in packets[::2]]
    heard = listen(receiver("opus"), packets + strange + others, 3.3)
    assert heard.part(1, 2.9).holes == []


def test_extensions_csrcs_and_padding_are_no_sound() -> None:
    ear, n = receiver("PCMU"), 0
    for i, p in enumerate(Source().tone(2, HZ)):
        plain = rtp.build(p.payload_type, p.marker, p.sequence, p.timestamp, p.ssrc, p.payload)
        head = bytes([plain[0] | 0x30 | 2]) + plain[1:12] + bytes(8) + bytes([0xBE, 0xDE, 0, 1, 9, 9, 9, 9])
        parsed = rtp.parse(head + plain[12:] + b"\0\0\3", p.arrival)
        assert parsed == p
        assert ear.push(parsed)
        block = ear.pull(BEGAN + i * 0.02 + 0.01)
        n += block is not None
    assert n > 95


# --- sources and codecs change --------------------------------------------------------------------------------


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.5, 3.0])
@pytest.mark.parametrize("codec", ["PCMU", "G722", "opus"])
def test_another_source_takes_over(codec: str, pause: float) -> None:
    """After a transfer: another SSRC with its own numbers, perhaps another codec."""
    first = Source("PCMU").tone(2, HZ)
    began = BEGAN + 2.36 + pause
    second = Source(codec, ssrc=8, sequence=44, timestamp=2**32 - 3000).tone(3, HZ, began)
    ear = receiver()
    for packet in first:
        ear.push(packet)
        ear.pull(packet.arrival)
    heard = listen(ear, second, 3.5, began)
    assert heard.part(0.2, 2.9).holes == []
    assert heard.rate == CODECS[codec].rate
    assert ear.received == len(first) + len(second) - (2 if pause < 0.04 else 0)


def test_a_source_that_still_sends_is_not_interrupted_by_single_packets() -> None:
    packets = Source().tone(3, HZ)
    other = [p._replace(ssrc=9, timestamp=5, payload=b"\x00" * 160) for p in packets[10:140:5]]
    heard = listen(receiver("PCMU"), packets + other, 3.3)
    assert heard.part(1, 2.9).holes == []
    assert heard.part(1, 2.9).clicks(HZ).max() < 1000


def test_keys_of_another_source_are_heard_and_the_audio_goes_on() -> None:
    """A gateway may send keys as a source of their own."""
    ear = receiver("PCMU")
    packets = Source().tone(3, HZ)
    keys = [p._replace(ssrc=9, payload_type=EVENTS, payload=bytes([5, 10, 0, 160])) for p in packets[50:60]]
    heard = listen(ear, packets, 3.38)
    assert all(ear.push(key) for key in keys)
    assert ear.received == len(packets)
    assert heard.part(1, 2.9).holes == []


@pytest.mark.parametrize(("before", "after"), [("PCMU", "opus"), ("opus", "PCMU"), ("PCMU", "G722"), ("G722", "PCMA")])
def test_the_codec_changes_within_a_stream(before: str, after: str) -> None:
    first = Source(before).tone(2, HZ)
    began = BEGAN + 2.38
    units = Source().timestamp + len(first) * (first[1].timestamp - first[0].timestamp)
    second = replace(Source(after), timestamp=units, sequence=1000 + len(first)).tone(3, HZ, began)
    ear = receiver()
    listen(ear, first, 2.38)
    heard = listen(ear, second, 3.3, began)
    assert heard.part(0.2, 2.9).holes == []
    assert heard.part(0.3, 2.9).hz == pytest.approx(HZ, abs=0.5)
    assert ear.lost == 0
    assert ear.reception is not None
    assert ear.reception.jitter < 0.005


def test_the_first_packet_says_nothing_of_the_clock() -> None:
    """A key, or what nobody knows, comes first; then a codec of another clock than the preferred one."""
    ear = receiver("opus", "PCMU")
    packets = Source("PCMU").tone(3, HZ)
    listen(ear, [packets[0]._replace(payload_type=EVENTS, payload=bytes(4)), *packets[1:]], 3)
    assert ear.reception is not None
    assert ear.reception.jitter < 0.001


@pytest.mark.parametrize("now", [{0: "PCMA"}, {8: "PCMA"}, {0: "opus"}, {111: "opus"}])
def test_a_reoffer_changes_the_payload_types_while_packets_wait(now: dict[int, str]) -> None:
    ear = receiver("PCMU")
    packets = Source().tone(3, HZ)
    for i, packet in enumerate(packets[:100]):
        ear.push(packet)
        if i < 95:
            ear.pull(packet.arrival + 0.001)
    ear.payloads = Payloads({number: CODECS[name] for number, name in now.items()})
    heard = [ear.pull(packets[95].arrival + i * 0.02) for i in range(5)]
    assert all(block is not None and np.abs(block.astype(int)).max() > 4000 for block in heard[:3])


def test_closed_nothing_is_heard_and_the_decoder_is_gone() -> None:
    ear = receiver("opus")
    packets = Source("opus").tone(1, HZ)
    listen(ear, late(packets, lambda i: 0.5 if i == 20 else 0.0), 1.4)
    gc.disable()
    try:
        decoder = weakref.ref(ear._decoder)
        assert decoder() is not None
        ear.close()
        ear.close()
        assert decoder() is None
    finally:
        gc.enable()
    assert not ear.push(packets[0])
    assert ear.pull(BEGAN + 2) is None
    assert (ear.received, ear.late) == (len(packets), 1)


# --- anything -------------------------------------------------------------------------------------------------

ANY_PACKET = st.builds(
    Packet,
    st.sampled_from([*TYPES.values(), EVENTS, NOISE_PACKET, 55]),
    st.booleans(),
    st.integers(0, 65535),
    st.integers(0, 2**32 - 1) | st.integers(0, 20).map(lambda n: n * 160),
    st.integers(0, 2),
    st.binary(max_size=60) | st.binary(min_size=160, max_size=160),
    st.just(0.0),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(ANY_PACKET | st.binary(max_size=80), max_size=6), max_size=40))
def test_nothing_raises_and_each_tick_has_one_block(ticks: list[list[Packet | bytes]]) -> None:
    ear = receiver()
    for i, came in enumerate(ticks):
        now = BEGAN + i * FRAME_SECONDS
        for one in came:
            packet = rtp.parse(one, now) if isinstance(one, bytes) else one._replace(arrival=now)
            if packet is not None:
                ear.push(packet)
        block = ear.pull(now + 0.01)
        assert block is None or (len(block) == ear.rate // 50 and block.dtype == np.int16)
    assert 0 <= ear.depth(BEGAN) < 2**32
    assert ear.received >= ear.late - 1 >= -1
    assert ear.lost >= 0


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(LENGTHS), st.lists(st.binary(max_size=200), max_size=10), st.integers(0, 999))
def test_after_garbage_the_sound_is_whole_again(
    length: tuple[str, int], garbage: list[bytes], seed: int
) -> None:
    (codec, ms), chance = length, random.Random(seed)
    packets = Source(codec, ms / 1000).tone(6, HZ)
    spoilt = [
        p._replace(payload=chance.choice(garbage or [b""])) if chance.random() < 0.3 and i < 3000 / ms else p
        for i, p in enumerate(packets)
    ]
    heard = listen(receiver(codec), spoilt, 6.5)
    assert heard.part(4, 5.9).holes == []
    assert 0 < heard.talk[1] - (BEGAN + 6) < 0.15 + ms / 1000


def test_a_giant_packet_is_not_in_the_way() -> None:
    packets = Source().tone(3, HZ)
    giant = packets[60]._replace(payload=b"\x55" * 60000)
    heard = listen(receiver("PCMU"), [*packets[:60], giant, *packets[61:]], 3.3)
    assert heard.part(1.4, 2.9).holes == []


def test_noise_without_a_level_is_silence() -> None:
    noise = Noise()
    assert noise.make(160, 8000) is None
    noise.set(b"")
    assert not noise.on
    noise.set(bytes([0x80 | 127]))
    made = noise.make(160, 8000)
    assert made is not None
    assert not made.any()


def test_late_packets_are_counted() -> None:
    ear = receiver("PCMU")
    packets = late(Source().tone(3, HZ), lambda i: 0.9 if i == 80 else 0.0)
    listen(ear, packets, 3.3)
    assert ear.late == 1
    assert ear.lost == 0


@pytest.mark.parametrize(
    ("depth", "target", "level", "longer"),
    [
        (0.030, 0.040, 8000, False),  # in speech it can wait for a pause
        (0.030, 0.040, 0, True),
        (0.036, 0.040, 0, False),
        (0.024, 0.040, 8000, True),
        (0.011, 0.020, 8000, True),  # too little to wait with
        (0.020, 0.020, 8000, False),
    ],
)
def test_what_is_too_shallow_is_corrected_where_nobody_hears_it(
    depth: float, target: float, level: int, longer: bool
) -> None:
    heard = receiver("PCMU")
    block = sine(200, FRAME_SECONDS, heard.rate, level)
    buffer = SimpleNamespace(depth=lambda now, ahead: depth - FRAME_SECONDS, target=target, waiting=1)
    heard._buffer = buffer  # type: ignore[assignment]
    assert (len(heard._corrected(block, 1000.0)) > len(block)) is longer


@pytest.mark.parametrize(("error", "corrections"), [(0.060, 10), (0.150, 20)])
def test_sources_that_are_too_deep_at_once_are_corrected_in_turns(error: float, corrections: int) -> None:
    """All in one tick, they would make it late, and with it everybody's audio."""
    block = sine(200, FRAME_SECONDS, 8000)
    ticks: list[int] = []
    for ssrc in range(5):
        heard = receiver("PCMU")
        heard.reception = SimpleNamespace(ssrc=ssrc)  # type: ignore[assignment]
        buffer = SimpleNamespace(depth=lambda now, ahead: error, target=FRAME_SECONDS, waiting=9)
        heard._buffer = buffer  # type: ignore[assignment]
        mine = [t for t in range(50) if len(heard._corrected(block, BEGAN + PHASE + t * FRAME_SECONDS)) < len(block)]
        assert len(mine) == corrections
        ticks += mine
    assert max(ticks.count(t) for t in range(50)) == corrections // 10
