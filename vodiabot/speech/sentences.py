"""A long text in pieces, so that the first is heard while the next is being spoken. Pure."""

from __future__ import annotations

import re

SHORT = 160
"""Characters, about ten seconds; what is no longer than that stays whole: one file, and no pause of ours inside."""

LONGEST = 400
"""Characters; a sentence that is longer is cut at a comma, else at a blank, else anywhere."""

_END_OF_SENTENCE = re.compile(r"(?<=[.!?\u2026])[\"'\u201d\u2019)\]]*\s+|(?<=[\u3002\uff01\uff1f])|\n\s*\n")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\ufeff\ud800-\udfff]")


def clean(text: str) -> str:
    """Without control characters, half characters and blanks at its ends."""
    return _CONTROL.sub(" ", text).strip()


def pieces(text: str) -> list[str]:
    """The parts of a text in order; nothing of it but blanks is lost. None is empty."""
    text = clean(text)
    if len(text) <= SHORT:
        return [text] if text else []
    parts: list[str] = []
    for sentence in _sentences(text):
        for part in _bounded(sentence):
            # The first stays alone, to be heard soon; the others come in fewer, longer files.
            if len(parts) > 1 and len(parts[-1]) + 1 + len(part) <= SHORT:
                parts[-1] = f"{parts[-1]} {part}"
            else:
                parts.append(part)
    return parts


def _sentences(text: str) -> list[str]:
    found, begin = [], 0
    for end in _END_OF_SENTENCE.finditer(text):
        found.append(text[begin : end.end()].strip())
        begin = end.end()
    return [sentence for sentence in [*found, text[begin:].strip()] if sentence]


def _bounded(sentence: str) -> list[str]:
    parts = []
    while len(sentence) > LONGEST:
        cut = _cut(sentence)
        parts.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
    return [part for part in [*parts, sentence] if part]


def _cut(sentence: str) -> int:
    head = sentence[:LONGEST]
    for marks in (";:", ",", " \t\n"):
        at = max(head.rfind(mark) for mark in marks)
        if at > LONGEST // 4:
            return at + 1
    return LONGEST
