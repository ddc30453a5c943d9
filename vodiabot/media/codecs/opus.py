"""Opus (RFC 6716) by libopus itself: what FFmpeg's wrapper does not give is its concealment and its in-band FEC.

The library is the one that the `av` package carries, else the system's. Mono voice both ways: a stereo stream is
mixed to one channel by the decoder.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache
from pathlib import Path

import av
import numpy as np

from ...errors import MediaError
from ..audio import NOTHING, Samples

CLOCK = 48000
"""RTP timestamp units a second, whatever the rate (RFC 7587, section 4.1)."""
RATE = 16000
"""Samples a second, both ways: wide-band, all of a voice and what the far ends of a PBX give; only there has Opus FEC,
and the bits of a phone call are spent where they are heard."""
BITRATE, BITRATE_WITH_FEC = 32000, 48000
"""Bits a second (RFC 7587 names 16 to 20 kbit/s for wide-band speech, 28 to 40 for full-band). Where packets get lost,
FEC takes a third."""
COMPLEXITY = 5
"""0 to 10. More is dearer and hardly heard with voice at this rate."""
MAX_FRAME = CLOCK * 120 // 1000
"""Timestamp units of the longest packet."""
MAX_SAMPLES = RATE * 120 // 1000
STEP = RATE // 400
"""Samples: the least that is made up, 2.5 ms."""
MAX_BYTES = 1276
"""Of an encoded frame (RFC 6716, section 3.4)."""
LEAST_LOSS, MOST_LOSS = 0.1, 0.3
"""Expected as soon as any is reported, and at most."""
LOSS_FORGOTTEN = 0.8
"""Part of an expected loss that stays with each report of none; below a hundredth it is none."""

_APPLICATION_VOIP = 2048
_SET_BITRATE, _SET_COMPLEXITY, _SET_FEC, _SET_LOSS, _SET_SIGNAL = 4002, 4010, 4012, 4014, 4024
_SIGNAL_VOICE = 3001


@cache
def library() -> ctypes.PyDLL:
    """libopus. Raises MediaError where there is none.

    PyDLL: the calls take microseconds, so the interpreter's lock stays; giving it back and forth would cost more,
    and a plugin that computes would take it each time.
    """
    for path in (*_bundled(), ctypes.util.find_library("opus")):
        if path:
            try:
                return _declared(ctypes.PyDLL(str(path)))
            except (OSError, AttributeError):
                continue
    raise MediaError("libopus was not found: install it (Debian: libopus0), or leave opus out of [media] codecs")


def _bundled() -> list[Path]:
    """Where the wheels of `av` carry it: `av.libs` on Linux and Windows, `.dylibs` on macOS."""
    package = Path(av.__file__).parent
    return sorted([*package.parent.glob("av.libs/*opus*"), *package.glob(".dylibs/*opus*")])


def _declared(lib: ctypes.PyDLL) -> ctypes.PyDLL:
    state, code = ctypes.c_void_p, ctypes.c_int
    lib.opus_encoder_create.restype = lib.opus_decoder_create.restype = state
    lib.opus_encoder_create.argtypes = [ctypes.c_int32, code, code, ctypes.POINTER(code)]
    lib.opus_decoder_create.argtypes = [ctypes.c_int32, code, ctypes.POINTER(code)]
    lib.opus_encoder_destroy.argtypes = lib.opus_decoder_destroy.argtypes = [state]
    lib.opus_encode.argtypes = [state, ctypes.c_void_p, code, ctypes.c_void_p, ctypes.c_int32]
    lib.opus_decode.argtypes = [state, ctypes.c_char_p, ctypes.c_int32, ctypes.c_void_p, code, code]
    return lib


class OpusEncoder:
    """See `kinds.Encoder`. Raises MediaError where there is no libopus."""

    def __init__(self, bitrate: int = BITRATE, complexity: int = COMPLEXITY) -> None:
        self._lib = library()
        error = ctypes.c_int()
        self._state = self._lib.opus_encoder_create(RATE, 1, _APPLICATION_VOIP, ctypes.byref(error))
        if not self._state:
            raise MediaError(f"libopus made no encoder (error {error.value})")
        self._out = ctypes.create_string_buffer(MAX_BYTES)
        self._bitrate, self._expected = bitrate, 0.0
        for request, value in (
            (_SET_BITRATE, bitrate),
            (_SET_COMPLEXITY, complexity),
            (_SET_SIGNAL, _SIGNAL_VOICE),
            (_SET_FEC, 1),
        ):
            self._set(request, value)

    def encode(self, samples: Samples) -> bytes:
        block = np.ascontiguousarray(samples)
        n = self._lib.opus_encode(self._state, block.ctypes.data, len(block), self._out, MAX_BYTES)
        return ctypes.string_at(self._out, max(0, n))

    def expect_loss(self, part: float) -> None:
        """FEC is worth its bits where packets get lost, and for a while after."""
        expected = max(part, self._expected * LOSS_FORGOTTEN)
        self._expected = 0.0 if expected < 0.01 else min(MOST_LOSS, max(LEAST_LOSS if part else 0.0, expected))
        self._set(_SET_LOSS, round(100 * self._expected))
        self._set(_SET_BITRATE, max(self._bitrate, BITRATE_WITH_FEC) if self._expected else self._bitrate)

    def _set(self, request: int, value: int) -> None:
        self._lib.opus_encoder_ctl(ctypes.c_void_p(self._state), request, ctypes.c_int32(value))

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._lib.opus_encoder_destroy(self._state)
            self._state = None


class OpusDecoder:
    """See `kinds.Decoder`. Raises MediaError where there is no libopus."""

    def __init__(self) -> None:
        self._lib = library()
        error = ctypes.c_int()
        self._state = self._lib.opus_decoder_create(RATE, 1, ctypes.byref(error))
        if not self._state:
            raise MediaError(f"libopus made no decoder (error {error.value})")
        self._out = np.empty(MAX_FRAME, np.int16)
        self._address = self._out.ctypes.data

    def decode(self, payload: bytes) -> Samples:
        return self._decoded(payload, MAX_FRAME, 0) if payload else NOTHING

    def conceal(self, n: int) -> Samples | None:
        """In steps of 2.5 ms, up to 120 ms: what is more is cut off."""
        return self._decoded(None, min(MAX_SAMPLES, -(-n // STEP) * STEP), 0)[:n]

    def recover(self, payload: bytes, n: int) -> Samples | None:
        """If `n` is less than the lost packet had (the rest has been concealed), its end."""
        if not has_fec(payload):
            return None
        frame = round(_frame_ms(payload[0]) * RATE / 1000)
        return self._decoded(payload, min(MAX_SAMPLES, max(frame, -(-n // STEP) * STEP)), 1)[-n:]

    def _decoded(self, payload: bytes | None, n: int, fec: int) -> Samples:
        size = len(payload) if payload else 0
        got = self._lib.opus_decode(self._state, payload, size, self._address, n, fec)
        return self._out[: max(0, got)].copy()

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._lib.opus_decoder_destroy(self._state)
            self._state = None


# --- reading packets ------------------------------------------------------------------------------------------

_SILK_MS = (10, 20, 40, 60)
_CELT_MS = (2.5, 5, 10, 20)


def frames_of(payload: bytes) -> int:
    """Timestamp units of a packet, by its first byte (RFC 6716, section 3.1); 0 if it can't be right."""
    if not payload:
        return 0
    count = (1, 2, 2, payload[1] & 0x3F if len(payload) > 1 else 0)[payload[0] & 3]
    units = round(_frame_ms(payload[0]) * CLOCK / 1000) * count
    return units if units <= MAX_FRAME else 0


def _frame_ms(toc: int) -> float:
    config = toc >> 3
    if config < 12:
        return _SILK_MS[config & 3]
    return _SILK_MS[config & 1] if config < 16 else _CELT_MS[config & 3]


def has_fec(payload: bytes) -> bool:
    """Whether a packet carries its predecessor once more (RFC 6716, section 4.2.4): the LBRR flag of the first
    channel, behind a voice-activity flag for each 20 ms. Only the SILK layer has it."""
    if len(payload) < 2 or payload[0] >> 3 >= 16:
        return False
    start = _first_frame(payload)
    if start is None or start >= len(payload):
        return False
    pieces = max(1, round(_frame_ms(payload[0]) / 20))
    return bool(payload[start] >> (7 - pieces) & 1)


def _first_frame(payload: bytes) -> int | None:
    """Where the first frame's own bytes begin (RFC 6716, section 3.2); None in packings that nobody uses for FEC."""
    packing = payload[0] & 3
    if packing in (0, 1):
        return 1
    if packing == 2:
        return 2 if payload[1] < 252 else 3
    return None
