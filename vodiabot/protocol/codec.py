"""JSON text ↔ typed frames: `decode` what the PBX says, `encode` what we say."""

from __future__ import annotations

from .decoding import decode
from .encoding import encode

__all__ = ["decode", "encode"]
