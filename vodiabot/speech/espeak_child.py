"""Speaks one text with a libespeak-ng, in a process of its own: run as a file, it imports nothing of vodiabot.

    python espeak_child.py LIBRARY DATA VOICE WORDS_A_MINUTE OUT.wav < text

Exit codes: 0 done, 3 there is no such voice, 1 failed (a line on stderr says why; the text is never in it).
"""

from __future__ import annotations

import ctypes
import sys
import wave

SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples come by the callback
DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: an error is told, not the end of the process
CHARACTERS, UTF8, END_PAUSE = 1, 1, 0x1000  # plain text: neither SSML (0x10) nor [[phonemes]] (0x100)
RATE_PARAMETER = 1
NO_SUCH_VOICE = 3

Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Trouble(Exception):
    """It can't be spoken."""


def speak(library: str, data: str, voice: str, words_a_minute: int, text: str) -> tuple[int, bytes] | None:
    """Rate and mono 16-bit samples; None if there is no such voice. Raises Trouble, OSError."""
    espeak = ctypes.CDLL(library)
    rate = espeak.espeak_Initialize(SYNCHRONOUS, 0, data.encode() or None, DONT_EXIT)
    if rate <= 0:
        raise Trouble("espeak-ng does not find its data")
    if espeak.espeak_SetVoiceByName(voice.encode()):
        return None
    sound = bytearray()

    def take(samples: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        if samples and count > 0:
            sound.extend(ctypes.string_at(samples, 2 * count))
        return 0

    callback = Callback(take)
    espeak.espeak_SetSynthCallback(callback)
    espeak.espeak_SetParameter(RATE_PARAMETER, words_a_minute, 0)
    raw = text.encode() + b"\0"
    failed = espeak.espeak_Synth(
        raw, ctypes.c_size_t(len(raw)), 0, CHARACTERS, 0, UTF8 | END_PAUSE, None, None
    )
    if failed or espeak.espeak_Synchronize():
        raise Trouble("espeak-ng could not speak")
    return rate, bytes(sound)


def main(arguments: list[str]) -> int:
    library, data, voice, words, out = arguments
    text = sys.stdin.buffer.read().decode("utf-8", "ignore").replace("\0", " ")
    try:
        spoken = speak(library, data, voice, int(words), text)
    except (OSError, Trouble) as exc:
        print(exc, file=sys.stderr)  # noqa: T201 - how a child process tells
        return 1
    if spoken is None:
        return NO_SUCH_VOICE
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(spoken[0])
        file.writeframes(spoken[1])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
