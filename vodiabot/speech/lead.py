"""The silence before the first word: flite's is a fifth of a second, which a caller would wait for."""

from __future__ import annotations

import wave
from contextlib import suppress
from pathlib import Path

import numpy as np

QUIET = 150
"""Of 32767: what is softer than that is no speech yet."""

KEPT = 0.02
"""Seconds before the first sample that is louder: a consonant begins softly."""


def cut_lead(path: Path) -> None:
    """Take it off a mono 16-bit WAV, in place. A file that is no such WAV is left as it is, for its reader to tell."""
    with suppress(OSError, EOFError, wave.Error):
        with wave.open(str(path)) as file:
            form, raw = file.getparams(), file.readframes(file.getnframes())
        if form.nchannels != 1 or form.sampwidth != 2:
            return
        loud = np.flatnonzero(np.abs(np.frombuffer(raw, "<i2").astype(np.int32)) > QUIET)
        begin = max(0, int(loud[0]) - round(KEPT * form.framerate)) if len(loud) else 0
        if begin:
            with wave.open(str(path), "wb") as file:
                file.setparams(form)
                file.writeframes(raw[2 * begin :])
