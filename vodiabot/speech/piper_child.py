"""Speaks one text with piper, in a process of its own: run as a file, it imports nothing of vodiabot.

    python piper_child.py MODEL.onnx SPEAKER LENGTH_SCALE OUT.wav < text

SPEAKER is a number, or "" for the model's first. Exit codes: 0 done, 1 failed (a line on stderr says why).
"""

from __future__ import annotations

import sys
import wave


def main(arguments: list[str]) -> int:
    model, speaker, length_scale, out = arguments
    text = sys.stdin.buffer.read().decode("utf-8", "ignore").replace("\0", " ").replace("\n", " ")
    try:
        from piper import PiperVoice, SynthesisConfig

        voice = PiperVoice.load(model)
        how = SynthesisConfig(speaker_id=int(speaker) if speaker else None, length_scale=float(length_scale))
        with wave.open(out, "wb") as file:
            voice.synthesize_wav(text, file, syn_config=how)
    except Exception as exc:  # noqa: BLE001 - whatever it is, the parent is told
        print(f"{type(exc).__name__}: {exc}".splitlines()[0], file=sys.stderr)  # noqa: T201 - how a child tells
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
