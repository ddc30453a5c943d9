"""Where audio goes: the listeners of a leg, and the recorder that writes files."""

from .files import Writer, open_writer
from .recorder import Recorder, Sink

__all__ = ["Recorder", "Sink", "Writer", "open_writer"]
