"""What a bot was told and said, written down: frames and the news of the audio, one JSON object a line
(docs/incidents.md).

A tape is written by `Tape` around the session and the audio of a running bot, and read by `read_tape`; the testing kit
plays it through the engine in virtual time.
"""

from .masking import Mask
from .reading import Entry, Header, read_tape
from .taping import taped_media, taped_sessions
from .writing import Tape

__all__ = ["Entry", "Header", "Mask", "Tape", "read_tape", "taped_media", "taped_sessions"]
