"""The simulated PBX itself: pure, time passed in. `effects` is what it asks of its shell; `pbx.Pbx` is all of it."""

from .pbx import Pbx, Phone, Reply

__all__ = ["Pbx", "Phone", "Reply"]
