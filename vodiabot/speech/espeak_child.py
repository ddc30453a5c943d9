"""Speaks one text with a libespeak-ng, in a process of its own: run as a file, it imports nothing of vodiabot.

    python espeak_child.py LIBRARY DATA VOICES WORDS_A_MINUTE OUT.wav < text

VOICES: `de-at,de`: the first that there is, each a voice or a language, with a variant after a +.
Exit codes: 0 done, 3 there is no such voice, 1 failed (a line on stderr says why; the text is never in it).
"""

from __future__ import annotations

import ctypes
import os.path  # pathlib takes 8 ms to import, a quarter of what a prompt takes
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


class Voice(ctypes.Structure):
    """`espeak_VOICE` of speak_lib.h."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),  # each a byte, its priority (1 is the best), and a string; then a 0
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


def select(espeak: ctypes.CDLL, data: str, voice: str) -> bool:
    """Take a voice; False if there is none of that name or language.

    The library itself takes the plain voice for a variant that it does not have, crashes at a variant without a voice,
    and finds a language only if it is the name of a file, so that it does not find "zh".
    """
    base, plus, variant = voice.partition("+")
    variants = os.path.join(data, "voices", "!v", "")
    if os.path.isfile(variants + base) or (plus and not os.path.isfile(variants + file_of_variant(variant))):
        return False
    if not espeak.espeak_SetVoiceByName(voice.encode()):
        return True
    found = min((known for known in _languages(espeak) if known[1] == base.lower()), default=None)
    return found is not None and not espeak.espeak_SetVoiceByName(f"{found[2]}{plus}{variant}".encode())


def file_of_variant(variant: str) -> str:
    """A number is a man up to 9, then a woman."""
    number = int(variant) if variant.isascii() and variant.isdecimal() else 0
    return variant if not number else f"m{number}" if number < 10 else f"f{number - 10}"


def _languages(espeak: ctypes.CDLL) -> list[tuple[int, str, str]]:
    """Priority, language, and the voice that has it."""
    espeak.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(Voice))
    found = []
    for voice in espeak.espeak_ListVoices(None):
        if not voice:
            break
        at = voice.contents.languages
        while priority := ctypes.string_at(at, 1)[0]:
            language = ctypes.string_at(at + 1)
            found.append((priority, language.decode().lower(), voice.contents.identifier.decode()))
            at += len(language) + 2
    return found


def speak(library: str, data: str, voices: list[str], words_a_minute: int, text: str) -> tuple[int, bytes] | None:
    """Rate and mono 16-bit samples; None if there is no such voice. Raises Trouble, OSError."""
    espeak = ctypes.CDLL(library)
    rate = espeak.espeak_Initialize(SYNCHRONOUS, 0, data.encode() or None, DONT_EXIT)
    if rate <= 0:
        raise Trouble("espeak-ng does not find its data")
    if not any(select(espeak, data, voice) for voice in voices):
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
    library, data, voices, words, out = arguments
    text = sys.stdin.buffer.read().decode("utf-8", "ignore").replace("\0", " ")
    try:
        spoken = speak(library, data, voices.split(","), int(words), text)
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
