"""Speech out: texts to sound files, by a child process each, kept in a cache.

What speaks is no part of our process: the provider's licence (espeak-ng is under the GPL), its crashes and its memory
are its own, and signalling goes on while it computes.
"""

from __future__ import annotations

from .speaker import Speech, speech_of

__all__ = ["Speech", "speech_of"]
